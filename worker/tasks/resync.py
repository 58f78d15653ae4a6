"""Celery's side of resyncs: begin a job, and work on those that there are when the bell rings.

A job begins with a message that says what is asked for; everything after that is in Redis. Calls to
work carry nothing: whoever gets one takes the job that has rested longest.
"""

import threading
from collections.abc import Callable
from typing import Any

import redis
import structlog
from celery import Celery, signals
from kombu.exceptions import OperationalError

from worker.arguments import misfit
from worker.handlers.resync import NOBODY_IS_TO_BLAME
from worker.job_runs import Pace, start, work
from worker.reasons import reason_of
from worker.resync_request import request
from worker.services import Services
from worker.tickets.selection import WrongSelection
from worker.tickets.store import TicketStoreError

START = "resync.start"
WORK = "resync.work"

log = structlog.get_logger("fieldfare")


def register(app: Celery, services: Callable[[], Services], ring: Callable[[], None]) -> None:
    """Add the tasks of resyncs to an application.

    Args:
        app: the application.
        services: this process's services; first called after the process has forked.
        ring: calls ``resync.work`` once more.
    """
    stopping = threading.Event()

    def stop(**_: Any) -> None:
        stopping.set()

    signals.worker_shutting_down.connect(stop, weak=False)

    def begin(**given: Any) -> dict[str, Any]:
        """Begin a job; arguments as those of ``worker.resync_request.request``."""
        told = started(given, services)
        if "job" in told:
            ring()
        return told

    def work_on() -> None:
        """Work on a job for about two seconds."""
        try:
            more = work(services(), Pace(stop=stopping.is_set))
        except NOBODY_IS_TO_BLAME as error:
            said = {"error": type(error).__name__, "reason": reason_of(error)}
            log.warning("resync.interrupted", **said)  # beat rings again
            return
        if more and not stopping.is_set():
            ring()

    app.task(name=START, shared=False)(begin)
    app.task(name=WORK, shared=False, ignore_result=True)(work_on)


def started(given: dict[str, Any], services: Callable[[], Services]) -> dict[str, Any]:
    """The id of the job that was begun; or why none was, as data."""
    if wrong := misfit(request, given):
        return {"error": "wrong_arguments", "field": wrong.name, "message": wrong.problem}
    try:
        mine = services()
        return {"job": start(mine, request(mine, **given))}
    except WrongSelection as error:
        return {"error": "wrong_selection", "message": str(error)}
    except TicketStoreError as error:
        return {"error": "unavailable", "message": str(error)}
    except redis.RedisError as error:
        return {"error": "unavailable", "message": f"Redis: {type(error).__name__}"}


def bell(app: Celery, queue: str, expires: float) -> Callable[[], None]:
    """What calls ``resync.work`` of an application."""

    def ring() -> None:
        try:
            app.send_task(WORK, queue=queue, expires=expires, ignore_result=True, retry=False)
        except OperationalError as error:
            log.warning("bell.not_rung", error=type(error).__name__)  # beat rings soon

    return ring
