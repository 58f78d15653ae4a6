"""The Celery application of resync workers: ``fieldfare resync-worker``.

It fills old tickets, in jobs that are in Redis (``worker.jobs``). It serves a queue of its own:
ticket workers and admin workers know none of its tasks, so that no resync keeps an event waiting in
a queue, and whoever can write to their queues can begin none (design section 2).

Importing this module reads no settings and opens no connection.
"""

from collections.abc import Callable, Mapping
from typing import Any

from celery import Celery

from worker import admin_queue, broker, heartbeat
from worker.services import Services
from worker.settings import load
from worker.tasks import resync

QUEUE = "resync"

RING_SECONDS = 1.0
"""How often each worker's own scheduler rings; a call that nobody took by then is of no use."""


def make_app(
    configuration: Callable[[], Mapping[str, Any]], services: Callable[[], Services]
) -> Celery:
    """An application that knows the tasks of resyncs and nothing else.

    Args:
        configuration: Celery's configuration, see ``configure``; called when first needed.
        services: this process's services; called when the first task runs.
    """
    application = broker.Application("fieldfare-resync", set_as_current=False)
    application.add_defaults(configuration)
    resync.register(application, services, resync.bell(application, QUEUE, 5 * RING_SECONDS))
    return application


def configure(redis_url: str, lookup_seconds: float = 0.0) -> dict[str, Any]:
    """Celery's configuration: that of calls that want an answer, with a scheduler that rings.

    Args:
        redis_url: Redis or Valkey, credentials included.
        lookup_seconds: how long all sources together may take to answer.
    """
    ring = {"queue": QUEUE, "expires": RING_SECONDS, "ignore_result": True}
    return {
        **admin_queue.configure(redis_url, lookup_seconds, queue=QUEUE),
        "beat_scheduler": "celery.beat:Scheduler",
        "beat_schedule": {
            "work": {"task": resync.WORK, "schedule": RING_SECONDS, "options": ring},
        },
    }


def _configuration() -> dict[str, Any]:
    settings = load()
    return configure(broker.redis_url(settings.redis), settings.lookup_seconds())


def _services() -> Services:
    from worker import bootstrap  # noqa: PLC0415 - callers of tasks need no database drivers

    return bootstrap.services()


app = make_app(_configuration, _services)
heartbeat.attach(app)
