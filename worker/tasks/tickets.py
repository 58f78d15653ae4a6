"""Celery's side of ticket events: append what producers send, drain the inbox when the bell rings.

Celery messages carry no facts but those two tasks of producers that speak Celery, and these go
into the inbox at once. What a task of the queue ``events`` can do is all here: ask for a ticket
to be looked at, and look.
"""

import functools
import json
import os
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias

import structlog
from celery import Celery, signals
from celery.exceptions import Reject

from worker.drain import OUTAGES, REDIS_OUTAGES, Consumer, Handle, drain, new_consumer
from worker.inbox import Inbox
from worker.reasons import reason_of

DRAIN = "inbox.drain"
RELEASE = "inbox.release"
TIDY = "inbox.tidy"
SWEEP = "tickets.sweep"
SECOND_LOOK = "tickets.second_look"
WATCH = "directory.watch"
CREATED = "ticket.created"
CUSTOMER_CHANGED = "ticket.customer_changed"

SecondLook: TypeAlias = Callable[[bool], object]
"""Takes out rows beside which a screen's came to stand: those that are due, or, if the argument is
true, only if some are that this process added."""

log = structlog.get_logger("fieldfare")


@dataclass(frozen=True, slots=True)
class Duties:
    """What the tasks of a ticket worker do; each is first called after the process has forked.

    Attributes:
        inbox: gives this process's inbox.
        handle: handles a batch of entries.
        come_back: probes sources and lets waiting events back into the inbox; says whether it
            should be called again soon.
        sweep: appends events for what the ticket history tells and no event told.
        second_look: called after each drain, and seldom by beat.
        watch: announces whose data changed in the directory.
        refresh: has some tickets follow their customer users; called after each drain.
    """

    inbox: Callable[[], Inbox]
    handle: Handle
    come_back: Callable[[], bool]
    sweep: Callable[[], object]
    second_look: SecondLook
    watch: Callable[[], object]
    refresh: Callable[[], object]


def register(app: Celery, duties: Duties) -> None:
    """Add the ticket tasks to an application."""
    inbox = duties.inbox
    stopping = threading.Event()

    def stop(**_: Any) -> None:
        stopping.set()

    # With the pool "solo" this is the process that drains; a child of "prefork" is let finish.
    signals.worker_shutting_down.connect(stop, weak=False)

    @functools.cache
    def consumer(pid: int) -> Consumer:  # noqa: ARG001 - one for each process, also after a fork
        return new_consumer()

    def drain_inbox() -> None:
        """Work on the inbox for about two seconds."""
        drain(inbox(), consumer(os.getpid()), duties.handle, time.monotonic, stopping.is_set)
        after_drain()
        look_at_own()
        follow()

    release, after_drain = _releasing(duties.come_back)

    def tidy() -> None:
        """Remove consumers that died and hold nothing."""
        inbox().remove_dead_consumers()

    look_again = _left_to_the_next("second_look.interrupted", lambda: duties.second_look(False))
    look_at_own = _left_to_the_next("second_look.interrupted", lambda: duties.second_look(True))

    follow = _left_to_the_next("refresh.interrupted", duties.refresh)

    tasks: dict[str, Callable[..., None]] = {
        **_producers_tasks(inbox),
        DRAIN: drain_inbox,
        RELEASE: release,
        TIDY: tidy,
        SWEEP: _left_to_the_next("sweep.interrupted", duties.sweep),
        SECOND_LOOK: look_again,
        WATCH: _left_to_the_next("watch.interrupted", duties.watch),
    }
    for name, run in tasks.items():
        app.task(name=name, shared=False)(run)  # else it is a task of every application


def _left_to_the_next(event: str, run: Callable[[], object]) -> Callable[[], None]:
    """A task that an outage may interrupt, since the next one goes on where it stood.

    A sweep may be due every second, so an outage is logged when it begins, when it becomes
    another, and when it is over.

    Args:
        event: how an interruption is called in the log.
        run: does it.
    """
    outage = ""

    def task() -> None:
        nonlocal outage
        before, outage = outage, ""
        try:
            run()
        except OUTAGES as error:
            outage = type(error).__name__
            if outage != before:
                log.warning(event, error=outage, reason=reason_of(error))
        else:
            if before:
                log.info("outage.over", interrupted=event, after=before)

    return task


def _releasing(come_back: Callable[[], bool]) -> tuple[Callable[[], None], Callable[[], None]]:
    """The task that lets events come back, and what a drain does for them when it ends.

    Beat calls the task seldom, so that it costs nothing while nothing waits. The process that saw
    something wait goes on after each of its drains, until nothing waits any more.
    """
    waiting = threading.Event()

    def release() -> None:
        """Probe sources that do not answer, and let events back whose sources answer again."""
        try:
            again = come_back()
        except OUTAGES as error:
            log.warning("release.interrupted", error=type(error).__name__)  # beat calls again
            again = False
        (waiting.set if again else waiting.clear)()

    def after_drain() -> None:
        if waiting.is_set():
            release()

    return release, after_drain


def _producers_tasks(inbox: Callable[[], Inbox]) -> dict[str, Callable[..., None]]:
    """What producers that speak Celery may call.

    Any arguments do: a call without its ticket, or with more than one, is found malformed, and
    kept, in the inbox.
    """

    def publish(event: dict[str, str]) -> None:
        try:
            inbox().publish(event)
        except REDIS_OUTAGES as error:
            raise Reject(error, requeue=True) from error  # the broker keeps it for later

    def created(ticket_id: object = None, *more: object, **optional: Any) -> None:
        """Have a ticket looked at that was created; further arguments as in ``worker.events``."""
        publish(_fields(CREATED, [ticket_id, *more] if more else ticket_id, optional))

    def customer_changed(ticket_id: object = None, *more: object, **optional: Any) -> None:
        """Have a ticket looked at whose customer was set; arguments as in ``worker.events``."""
        publish(_fields(CUSTOMER_CHANGED, [ticket_id, *more] if more else ticket_id, optional))

    return {CREATED: created, CUSTOMER_CHANGED: customer_changed}


def _fields(kind: str, ticket_id: object, optional: dict[str, Any]) -> dict[str, str]:
    """The event as text, unjudged: what is wrong with it is found, and kept, in the inbox."""
    given = {"type": kind, "ticket_id": ticket_id, **optional}
    return {
        name: value if isinstance(value, str) else json.dumps(value, default=str)
        for name, value in given.items()
        if value is not None
    }
