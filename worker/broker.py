"""How do Fieldfare's Celery applications speak through Redis? JSON only, under one key prefix.

What all of them share stands here; ``worker.app`` (ticket tasks) and ``worker.admin`` (admin tasks)
each add their queue and what is theirs.
"""

import math
from typing import Any
from urllib.parse import parse_qsl, quote, urlsplit, urlunsplit

import redis
import structlog
from celery import Celery
from celery.app.amqp import AMQP
from celery.result import AsyncResult
from celery.utils import uuid
from kombu.connection import Connection
from redis.backoff import NoBackoff
from redis.retry import Retry

from worker import transport
from worker.settings import RedisSettings

KEY_PREFIX = "fieldfare:celery:"

CHECKED_TLS = {"ssl_cert_reqs": "required", "ssl_check_hostname": True}
"""What Celery must be told; a URL that says something about certificates itself wins."""

LONGEST_PAUSE = 5
"""Seconds between two tries to reach a broker that is away, at most."""

_TIME_LIMIT = 60
_TIMES_ASKED = 3
"""How often one batch may ask all sources: once, anew for doubtful answers, and for labels."""

log = structlog.get_logger("fieldfare")


class BrokerConnection(Connection):
    """A connection that is back soon after its broker, however long that was away.

    kombu lets each pause be two seconds longer than the last, up to half a minute; Celery has no
    setting for that. Workers and beat would sleep on long after Redis is back.
    """

    def ensure_connection(self, *args: Any, **options: Any) -> Any:
        """Connect, and try again after 1, 2, 3 … seconds; arguments are kombu's."""
        pauses = {"interval_start": 1, "interval_step": 1, "interval_max": LONGEST_PAUSE}
        given = {**pauses, **options}
        return super().ensure_connection(*args, **given)  # type: ignore[no-untyped-call]


class _Amqp(AMQP):  # type: ignore[misc]  # Celery has no types
    Connection = BrokerConnection


class Application(Celery):  # type: ignore[misc]  # Celery has no types
    """A Celery application that sends no task but its own.

    A message may name further tasks, to be called after its own (link, chain, chord). So whoever
    can write to one queue would reach the others with the rights of the worker.
    """

    amqp_cls = _Amqp

    def send_task(self, name: str, *args: Any, **options: Any) -> AsyncResult:
        """Send one of its own tasks; another one is refused with a line in the log."""
        if name not in self.tasks:
            log.error("task.not_sent", task=name[:100], reason="this application does not know it")
            return self.AsyncResult(options.get("task_id") or uuid())
        return super().send_task(name, *args, **options)

    def connection_for_read(self, url: str | None = None, **options: Any) -> Any:
        """The connection from which a worker takes messages: judged ones, see the transport."""
        return super().connection_for_read(url, **{"transport": transport.NAME, **options})


def configuration(redis_url: str, lookup_seconds: float = 0.0) -> dict[str, Any]:
    """Celery's configuration, but for queues; measured in the spike of design section 2.

    Args:
        redis_url: Redis or Valkey, credentials included.
        lookup_seconds: how long all sources together may take to answer.
    """
    most_seconds = time_limit(lookup_seconds)
    visibility_timeout = 4 * most_seconds
    return {
        "broker_url": celery_url(redis_url),
        # Without a word about certificates behind rediss://, kombu would take any.
        **({"broker_use_ssl": CHECKED_TLS} if is_tls(redis_url) else {}),
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
        "task_soft_time_limit": most_seconds - 15,
        "task_time_limit": most_seconds,
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
        "task_create_missing_queues": False,
    }


def time_limit(lookup_seconds: float) -> int:
    """Seconds after which a task is ended.

    A slow source must end as unavailable, never as a batch that was killed.

    Args:
        lookup_seconds: how long all sources together may take to answer.
    """
    return _TIME_LIMIT + math.ceil(_TIMES_ASKED * lookup_seconds)


def celery_url(url: str) -> str:
    """A URL of Redis as Celery writes it, which has a word of its own for a Unix socket."""
    parts = urlsplit(url)
    if parts.scheme != "unix":
        return url
    database = dict(parse_qsl(parts.query)).get("db", "0")
    return f"redis+socket://{parts.netloc}{parts.path}?virtual_host={database}"


def impatient(url: str, name: str, seconds: float = 5.0) -> redis.Redis:
    """A client for those who would rather hear that Redis is away than wait for it.

    Args:
        url: credentials included.
        name: how the server lists this client.
        seconds: for connecting, and for each answer; nothing is tried twice.
    """
    return redis.Redis.from_url(
        url,
        socket_timeout=seconds,
        socket_connect_timeout=seconds,
        retry=Retry(NoBackoff(), 0),
        client_name=name,
    )


def is_tls(redis_url: str) -> bool:
    """Whether a URL asks for TLS."""
    return urlsplit(redis_url).scheme == "rediss"


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
