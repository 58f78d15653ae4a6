"""Celery's side of admin calls: each call of the table is a task of the queue ``admin``."""

from collections.abc import Callable
from typing import Any

import structlog
from celery import Celery, Task

from worker.admin_queue import REQUESTED_BY
from worker.arguments import arguments_of
from worker.calls import CALLS, Call, perform
from worker.consequences import INCOMPLETE
from worker.services import Services

log = structlog.get_logger("fieldfare")


class AdminTask(Task):  # type: ignore[misc]  # Celery has no types
    """A task whose arguments are shown to nobody; a password may be among them."""

    abstract = True
    Request = "worker.tasks.requests:Request"


def register(app: Celery, services: Callable[[], Services]) -> None:
    """Add the admin tasks to an application.

    Args:
        app: the application.
        services: this process's services; first called after the process has forked.
    """
    for call in CALLS.values():
        app.task(name=call.name, base=AdminTask, shared=False)(_run(call, services))


def _run(call: Call, services: Callable[[], Services]) -> Callable[..., dict[str, Any]]:
    names = list(arguments_of(call.handler))

    def run(*given: object, **named: object) -> dict[str, Any]:
        # One that is one too many has a name that no call knows, and is refused like that.
        by_place = {(names[i : i + 1] or [f"#{i}"])[0]: value for i, value in enumerate(given)}
        who = named.pop(REQUESTED_BY, "")
        told = perform(call.name, {**by_place, **named}, who, services())
        for missed in told.get("warnings", ()):
            log.error(INCOMPLETE, call=call.name, missed=missed)
        return told

    return run
