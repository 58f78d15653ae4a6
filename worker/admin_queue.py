"""How do admin calls get to an admin worker? Through a queue of their own, configured here.

Who calls needs this and no more: the calls themselves (``worker.admin``) are the worker's business.
"""

from collections.abc import Mapping
from typing import Any, NoReturn

from celery import Celery

from worker import broker, results
from worker.settings import Settings

QUEUE = "admin"

REQUESTED_BY = "requested_by"
"""The argument beside those of the call: who asks, as the caller claims; for the audit."""


def configure(redis_url: str, lookup_seconds: float = 0.0, *, queue: str = QUEUE) -> dict[str, Any]:
    """Celery's configuration for calls that want an answer.

    Args:
        redis_url: Redis or Valkey, credentials included.
        lookup_seconds: how long all sources together may take to answer.
        queue: which the calls are sent to.
    """
    common = broker.configuration(redis_url, lookup_seconds)
    return {
        **common,
        "task_default_queue": queue,
        "task_queues": {queue: {}},
        # A call is never made twice. Who gets no answer asks again, or not.
        "task_acks_late": False,
        "task_reject_on_worker_lost": False,
        "broker_transport_options": {
            **common["broker_transport_options"],
            # Messages in hand, in keys that a Redis user of ticket workers cannot reach.
            "unacked_key": f"{queue}.unacked",
            "unacked_index_key": f"{queue}.unacked_index",
            "unacked_mutex_key": f"{queue}.unacked_mutex",
        },
        # Who asks sees whether a worker took the call, or it still waits in the queue.
        "task_track_started": True,
        # Answers, for some time, in Redis: fieldfare:celery:celery-task-meta-<task id>.
        "result_backend": results.url(redis_url),
        "result_backend_transport_options": {
            **common["result_backend_transport_options"],
            "global_keyprefix": broker.KEY_PREFIX,
        },
        "result_serializer": "json",
        "result_accept_content": ["json"],
        "result_expires": results.SECONDS,
        "redis_socket_timeout": 30.0,
        "redis_socket_connect_timeout": 5.0,
        "redis_socket_keepalive": not redis_url.startswith("unix:"),
        "redis_backend_health_check_interval": 10,
        "task_ignore_result": False,
        **({"redis_backend_use_ssl": broker.CHECKED_TLS} if broker.is_tls(redis_url) else {}),
    }


def configured(settings: Settings) -> dict[str, Any]:
    """The same as the settings say."""
    return configure(broker.redis_url(settings.redis), settings.lookup_seconds())


def time_limit(settings: Settings) -> float:
    """Seconds after which a worker ends a call."""
    return float(broker.time_limit(settings.lookup_seconds()))


def sender(redis_url: str, call: str) -> Celery:
    """An application that makes one call, and waits for nothing.

    Who called looks for the answer itself.

    Args:
        redis_url: Redis or Valkey, credentials included.
        call: the call's name.
    """
    configuration = configure(redis_url)
    patience = {"socket_timeout": 5, "socket_connect_timeout": 5, "max_retries": 0}

    def calling() -> Mapping[str, Any]:
        return {
            **configuration,
            "broker_transport_options": {**configuration["broker_transport_options"], **patience},
            "result_backend": "disabled",  # Celery's own would subscribe to the answer
        }

    application = broker.Application("fieldfare-admin", set_as_current=False)
    application.add_defaults(calling)
    application.task(name=call, shared=False)(_done_elsewhere)
    return application


def _done_elsewhere(**_: object) -> NoReturn:
    raise NotImplementedError
