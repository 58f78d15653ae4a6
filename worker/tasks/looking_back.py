"""Celery's side of calls that nobody saw end: admin workers call themselves to look for them.

An admin worker has no scheduler beside it. Its own loop sends the call, so that a child process
does the work; the first one when the worker starts.
"""

from collections.abc import Callable
from typing import Any

import structlog
from celery import Celery, bootsteps
from kombu.exceptions import OperationalError

from worker import consequences
from worker.services import Services

LOOK_BACK = "admin.look_back"

log = structlog.get_logger("fieldfare")


def register(app: Celery, services: Callable[[], Services]) -> None:
    """Add the task to an application.

    Args:
        app: the application.
        services: this process's services; first called after the process has forked.
    """

    def look_back() -> None:
        """Look for calls that nobody saw end."""
        consequences.look_back(services())

    app.task(name=LOOK_BACK, ignore_result=True, shared=False)(look_back)


def attach(app: Celery, queue: str, every: float) -> None:
    """Have each worker of an application call itself, at its start and every so many seconds."""

    def ring() -> None:
        try:
            app.send_task(
                LOOK_BACK, queue=queue, declare=[], expires=every, ignore_result=True, retry=False
            )
        except OperationalError as error:
            log.warning("bell.not_rung", error=type(error).__name__)  # it rings again soon

    class LooksBack(bootsteps.StartStopStep):  # type: ignore[misc]  # Celery has no types
        """Rings while the worker is connected."""

        requires = ("celery.worker.components:Pool",)

        def register_with_event_loop(self, _worker: Any, hub: Any) -> None:
            # Celery calls this with each new connection, and forgets its timers with the old one.
            hub.call_soon(ring)
            hub.timer.call_repeatedly(every, ring)

    app.steps["worker"].add(LooksBack)
