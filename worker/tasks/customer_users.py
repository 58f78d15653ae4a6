"""Celery's side of admin calls: what a task of the queue ``admin`` can do is all here."""

from collections.abc import Callable
from typing import Any

import structlog
from celery import Celery

from directory.directory import Directory
from worker.handlers import customer_users

GET = "customer_user.get"

log = structlog.get_logger("fieldfare")


def register(app: Celery, directory: Callable[[], Directory]) -> None:
    """Add the admin tasks to an application.

    Args:
        app: the application.
        directory: this process's directory; first called after the process has forked.
    """

    def get(login: object) -> dict[str, Any]:
        """Say what the directory knows of a customer user; see ``handlers.customer_users``."""
        if not isinstance(login, str):
            msg = f"login must be a text, not {type(login).__name__}"
            raise TypeError(msg)
        told = customer_users.get(login, directory())
        log.info("customer_user.told", answer=told["answer"], source=told["source"])
        return told

    # Wrong arguments are the caller's fault: no traceback here, the message goes to the caller.
    app.task(name=GET, shared=False, throws=(TypeError,))(get)
