"""The Celery application of ticket workers: ``celery -A worker.app worker -B``.

Celery is the engine: it starts processes, wakes them up and stops them. Facts are in the inbox,
so a message that is lost here costs a second and nothing else (design section 2).

Importing this module reads no settings and opens no connection: Celery asks for its configuration
when it first needs it, and services are built in each process when its first task runs.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import structlog
from celery import Celery
from kombu.exceptions import OperationalError

from worker import broker, garbage, heartbeat, metrics_server, tracing_workers
from worker.inbox import Entry, Inbox
from worker.outcomes import Outcome
from worker.settings import load
from worker.tasks import tickets
from worker.tasks.tickets import Duties

QUEUE = "events"

BELL_EXPIRES = 5
"""Seconds. A worker that was away finds no pile of wake-up calls."""

log = structlog.get_logger("fieldfare")


def make_app(configuration: Callable[[], Mapping[str, Any]], duties: Duties) -> Celery:
    """An application that knows the ticket tasks and nothing else.

    Args:
        configuration: Celery's configuration, see ``configure``; called when first needed.
        duties: what the tasks do.
    """
    application = broker.Application("fieldfare", set_as_current=False)
    application.add_defaults(configuration)
    tickets.register(application, duties)
    return application


def configure(
    redis_url: str,
    sweep_every: float,
    lookup_seconds: float = 0.0,
    *,
    watch_every: float | None = None,
) -> dict[str, Any]:
    """Celery's configuration; measured in the spike that design section 2 rests on.

    Args:
        redis_url: Redis or Valkey, credentials included.
        sweep_every: seconds between two sweeps of the ticket history.
        lookup_seconds: how long all sources together may take to answer.
        watch_every: seconds between two questions to the sources that are watched; None if there
            are none.
    """
    watching = {} if watch_every is None else {"watch": _every(watch_every, tickets.WATCH)}
    return {
        **broker.configuration(redis_url, lookup_seconds),
        # Queues: this application knows ticket tasks only; admin tasks have one of their own.
        "task_default_queue": QUEUE,
        "task_queues": {QUEUE: {}},
        # Beat keeps no file: after a restart everything is due again, which is harmless.
        "beat_scheduler": "celery.beat:Scheduler",
        "beat_schedule": {
            "ring": _every(1.0, tickets.DRAIN, expires=BELL_EXPIRES),
            "release": _every(10.0, tickets.RELEASE),
            "second_look": _every(60.0, tickets.SECOND_LOOK),
            "tidy": _every(60.0, tickets.TIDY),
            "sweep": _every(sweep_every, tickets.SWEEP),
            **watching,
        },
    }


def _every(seconds: float, task: str, expires: float | None = None) -> dict[str, Any]:
    """A line of beat's schedule; a call that nobody took before the next one is of no use."""
    options = {"queue": QUEUE, "expires": expires or seconds, "ignore_result": True}
    return {"task": task, "schedule": seconds, "options": options}


def caller(application: Celery) -> Callable[[], None]:
    """What an inbox calls to wake up a worker of an application."""

    def call() -> None:
        try:
            application.send_task(
                tickets.DRAIN,
                queue=QUEUE,
                declare=[],  # workers declare it; who rings may have no right to do more than that
                expires=BELL_EXPIRES,
                ignore_result=True,
                retry=False,
            )
        except OperationalError as error:
            # The event is in the inbox, and beat rings within a second.
            log.warning("bell.not_rung", error=type(error).__name__)

    return call


def _configuration() -> dict[str, Any]:
    settings = load()
    watched = any(source.watch for source in settings.source_configs())
    return configure(
        broker.redis_url(settings.redis),
        settings.sweep.interval,
        settings.lookup_seconds(),
        watch_every=settings.watch.every if watched else None,
    )


# The composition root builds its inbox with this module's bell, and producers that only want to
# send a task need no handlers: so these import what they need when a worker first calls them.


def _inbox() -> Inbox:
    from worker import bootstrap  # noqa: PLC0415

    return bootstrap.services().inbox


def _handle(entries: Sequence[Entry]) -> Sequence[Outcome]:
    from worker import bootstrap  # noqa: PLC0415
    from worker.handlers.enrich import enrich  # noqa: PLC0415

    return enrich(entries, bootstrap.services())


def _come_back() -> bool:
    from worker import bootstrap, waiting_room  # noqa: PLC0415

    return waiting_room.come_back(bootstrap.services())


def _sweep() -> int:
    from worker import bootstrap  # noqa: PLC0415
    from worker.handlers.sweep import sweep  # noqa: PLC0415

    return sweep(bootstrap.services())


def _second_look(only_own: bool) -> int:
    from worker import bootstrap  # noqa: PLC0415
    from worker.handlers.second_look import look_again  # noqa: PLC0415

    services = bootstrap.services()
    if only_own and not services.added.is_time():
        return 0
    return look_again(services)


def _watch() -> int:
    from worker import bootstrap  # noqa: PLC0415
    from worker.handlers.watch import watch  # noqa: PLC0415

    return watch(bootstrap.services())


def _refresh() -> int:
    from worker import bootstrap  # noqa: PLC0415
    from worker.handlers.refresh import refresh  # noqa: PLC0415

    return refresh(bootstrap.services())


app = make_app(
    _configuration,
    Duties(
        inbox=_inbox,
        handle=_handle,
        come_back=_come_back,
        sweep=_sweep,
        second_look=_second_look,
        watch=_watch,
        refresh=_refresh,
    ),
)
garbage.attach()
heartbeat.attach(app)
metrics_server.attach(app)
tracing_workers.attach(app)
