"""The Celery application of admin workers: ``fieldfare admin-worker``.

It does what other programs and commands ask for (``worker.calls``). It serves a queue of its own
and knows no ticket task, as ticket workers know none of its tasks: whoever can write to the inbox
or to the bell's queue can do no more than ask for a ticket to be looked at (design section 2).

Importing this module reads no settings and opens no connection.
"""

from collections.abc import Callable, Mapping
from typing import Any

from celery import Celery

from worker import broker, garbage, heartbeat, results
from worker.services import Services
from worker.settings import Settings, load
from worker.tasks import customer_users, looking_back

QUEUE = "admin"

LOOK_BACK_SECONDS = 30.0
"""How often each worker calls itself to look for calls that nobody saw end."""


def make_app(
    configuration: Callable[[], Mapping[str, Any]], services: Callable[[], Services]
) -> Celery:
    """An application that knows the admin tasks and nothing else.

    Args:
        configuration: Celery's configuration, see ``configure``; called when first needed.
        services: this process's services; called when the first task runs.
    """
    application = broker.Application("fieldfare-admin", set_as_current=False)
    application.add_defaults(configuration)
    customer_users.register(application, services)
    looking_back.register(application, services)
    return application


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


def sender(redis_url: str) -> Celery:
    """An application that calls, and waits for nothing: who called looks for the answer itself.

    Args:
        redis_url: Redis or Valkey, credentials included.
    """
    configuration = configure(redis_url)
    patience = {"socket_timeout": 5, "socket_connect_timeout": 5, "max_retries": 0}
    return make_app(
        lambda: {
            **configuration,
            "broker_transport_options": {**configuration["broker_transport_options"], **patience},
            "result_backend": "disabled",  # Celery's own would subscribe to the answer
        },
        _services,
    )


def time_limit(settings: Settings) -> float:
    """Seconds after which a worker ends a call."""
    return float(_configured(settings)["task_time_limit"])


def _configuration() -> dict[str, Any]:
    return _configured(load())


def _configured(settings: Settings) -> dict[str, Any]:
    return configure(broker.redis_url(settings.redis), settings.lookup_seconds())


def _services() -> Services:
    from worker import bootstrap  # noqa: PLC0415 - the composition root imports much

    return bootstrap.services()


app = make_app(_configuration, _services)
looking_back.attach(app, QUEUE, LOOK_BACK_SECONDS)
heartbeat.attach(app)
garbage.attach()
