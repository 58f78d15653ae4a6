"""What does an admin worker show of a call that it has in hand? Everything but its arguments.

Whoever may look on, as flower does, can have every worker tell its requests, and would see the
logins and passwords in them.
"""

from typing import Any

from celery.worker import request

HIDDEN = "(not shown)"


class Request(request.Request):  # type: ignore[misc]  # Celery has no types
    """A request that keeps its arguments for itself."""

    def info(self, safe: bool = False) -> dict[str, Any]:  # noqa: ARG002 - the signature is Celery's
        """What remote control tells of it."""
        return {**super().info(safe=True), "args": HIDDEN, "kwargs": HIDDEN}
