"""The Celery application of ticket workers: ``celery -A worker.app worker -B``.

Celery is the engine: it starts processes, wakes them up and stops them. Facts are in the inbox,
so a message that is lost here costs a second and nothing else (design section 2).

Importing this module reads no settings and opens no connection: Celery asks for its configuration
when it first needs it, and services are built in each process when its first task runs.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any
from urllib.parse import quote, urlsplit, urlunsplit

import structlog
from celery import Celery
from kombu.exceptions import OperationalError

from worker.drain import Handle
from worker.inbox import Entry, Inbox
from worker.outcomes import Outcome
from worker.settings import RedisSettings, load
from worker.tasks import tickets
from worker.waiting_room import Ping

QUEUE = "events"
KEY_PREFIX = "fieldfare:celery:"

BELL_EXPIRES = 5
"""Seconds. A worker that was away finds no pile of wake-up calls."""

_TIME_LIMIT = 60
_TIMES_ASKED = 3
"""How often one batch may ask all sources: once, anew for doubtful answers, and for labels."""

log = structlog.get_logger("fieldfare")


def make_app(
    configuration: Callable[[], Mapping[str, Any]],
    inbox: Callable[[], Inbox],
    handle: Handle,
    ping: Ping,
    sweep: Callable[[], object],
) -> Celery:
    """An application that knows the ticket tasks and nothing else.

    Args:
        configuration: Celery's configuration, see ``configure``; called when first needed.
        inbox: this process's inbox; called when the first task runs.
        handle: handles a batch of entries.
        ping: asks the source in a slot for something small, or raises ``SourceUnavailable``.
        sweep: appends events for what the ticket history tells and no event told.
    """
    application = Celery("fieldfare", set_as_current=False)
    application.add_defaults(configuration)
    tickets.register(application, inbox, handle, ping, sweep)
    return application


def configure(redis_url: str, sweep_every: float, lookup_seconds: float = 0.0) -> dict[str, Any]:
    """Celery's configuration; measured in the spike that design section 2 rests on.

    Args:
        redis_url: Redis or Valkey, credentials included.
        sweep_every: seconds between two sweeps of the ticket history.
        lookup_seconds: how long all sources together may take to answer.
    """
    # A slow source must end as unavailable, never as a batch that was killed.
    time_limit = _TIME_LIMIT + math.ceil(_TIMES_ASKED * lookup_seconds)
    visibility_timeout = 4 * time_limit
    return {
        "broker_url": redis_url,
        # Messages: JSON only, so that nobody who can write to the queue can run code.
        "task_serializer": "json",
        "accept_content": ["json"],
        "timezone": "UTC",
        # Delivery: late acknowledgement, and a killed child's message is delivered again.
        "task_acks_late": True,
        "task_reject_on_worker_lost": True,
        "task_acks_on_failure_or_timeout": True,
        "task_ignore_result": True,
        "worker_prefetch_multiplier": 1,
        # Time: a drain takes two seconds and a batch; what takes longer hangs.
        "task_soft_time_limit": time_limit - 15,
        "task_time_limit": time_limit,
        # Redis delivers again what is not acknowledged by then. The shortest of the three wins.
        "visibility_timeout": visibility_timeout,
        "result_backend_transport_options": {"visibility_timeout": visibility_timeout},
        "broker_transport_options": {
            "visibility_timeout": visibility_timeout,
            "unacked_restore_interval": 5,  # else abandoned messages rest for 100 seconds
            "unacked_restore_throttle": 1,
            "unacked_restore_limit": 1000,
            "socket_timeout": 30,  # without it, publishing on a dead link waits for ever
            "socket_connect_timeout": 5,
            "socket_keepalive": True,
            "health_check_interval": 10,
            "client_name": "fieldfare-celery",
            "global_keyprefix": KEY_PREFIX,
        },
        # A broker that is away is waited for, however long.
        "broker_connection_retry_on_startup": True,
        "broker_connection_max_retries": None,
        "worker_cancel_long_running_tasks_on_connection_loss": False,
        # SIGTERM lets the batch at hand finish. With REMAP_SIGTERM=SIGQUIT it has this long.
        "worker_soft_shutdown_timeout": 15,
        # More processes, not more children: one consumer loop is the limit of a process.
        # Start with --without-gossip --without-mingle: workers need nothing of each other.
        "worker_concurrency": 1,
        "worker_send_task_events": False,
        "worker_hijack_root_logger": False,  # worker.logs decides how lines look
        # Queues: this application knows ticket tasks only; admin tasks have one of their own.
        "task_default_queue": QUEUE,
        "task_queues": {QUEUE: {}},
        "task_create_missing_queues": False,
        # Beat keeps no file: after a restart everything is due again, which is harmless.
        "beat_scheduler": "celery.beat:Scheduler",
        "beat_schedule": {
            "ring": _every(1.0, tickets.DRAIN, expires=BELL_EXPIRES),
            "release": _every(10.0, tickets.RELEASE),
            "tidy": _every(60.0, tickets.TIDY),
            "sweep": _every(sweep_every, tickets.SWEEP),
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
                tickets.DRAIN, queue=QUEUE, expires=BELL_EXPIRES, ignore_result=True, retry=False
            )
        except OperationalError as error:
            # The event is in the inbox, and beat rings within a second.
            log.warning("bell.not_rung", error=type(error).__name__)

    return call


def redis_url(settings: RedisSettings) -> str:
    """The URL with user and password in it; it is a secret then."""
    url = settings.url.get_secret_value()
    if settings.username is None and settings.password is None:
        return url
    parts = urlsplit(url)
    user = settings.username if settings.username is not None else parts.username or ""
    password = settings.password.get_secret_value() if settings.password else parts.password or ""
    host = parts.netloc.rpartition("@")[2]
    credentials = f"{quote(user, safe='')}:{quote(password, safe='')}"
    return urlunsplit(parts._replace(netloc=f"{credentials}@{host}"))


def _configuration() -> dict[str, Any]:
    settings = load()
    lookup_seconds = sum(source.timeout for source in settings.source_configs())
    return configure(redis_url(settings.redis), settings.sweep.interval, lookup_seconds)


# The composition root builds its inbox with this module's bell, and producers that only want to
# send a task need no handlers: so these import what they need when a worker first calls them.


def _inbox() -> Inbox:
    from worker import bootstrap  # noqa: PLC0415

    return bootstrap.services().inbox


def _handle(entries: Sequence[Entry]) -> Sequence[Outcome]:
    from worker import bootstrap  # noqa: PLC0415
    from worker.handlers.enrich import enrich  # noqa: PLC0415

    return enrich(entries, bootstrap.services())


def _ping(slot: str) -> None:
    from worker import bootstrap  # noqa: PLC0415

    services = bootstrap.services()
    try:
        services.directory.ping(slot)
    finally:
        services.source_states.note(services.directory.health)


def _sweep() -> int:
    from worker import bootstrap  # noqa: PLC0415
    from worker.handlers.sweep import sweep  # noqa: PLC0415

    return sweep(bootstrap.services())


app = make_app(_configuration, _inbox, _handle, _ping, _sweep)
