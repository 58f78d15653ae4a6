"""The Celery application of admin workers: ``fieldfare admin-worker``.

It does what other programs and commands ask for (``worker.calls``). It serves a queue of its own
and knows no ticket task, as ticket workers know none of its tasks: whoever can write to the inbox
or to the bell's queue can do no more than ask for a ticket to be looked at (design section 2).

Importing this module reads no settings and opens no connection.
"""

from collections.abc import Callable, Mapping
from typing import Any

from celery import Celery

from worker import broker, garbage, heartbeat
from worker.admin_queue import QUEUE, configured
from worker.services import Services
from worker.settings import load
from worker.tasks import customer_users, looking_back

LOOK_BACK_SECONDS = 30.0
"""How often each worker calls itself to look for calls that nobody saw end."""


def make_app(
    configuration: Callable[[], Mapping[str, Any]], services: Callable[[], Services]
) -> Celery:
    """An application that knows the admin tasks and nothing else.

    Args:
        configuration: Celery's configuration, see ``worker.admin_queue``; called when first needed.
        services: this process's services; called when the first task runs.
    """
    application = broker.Application("fieldfare-admin", set_as_current=False)
    application.add_defaults(configuration)
    customer_users.register(application, services)
    looking_back.register(application, services)
    return application


def _configuration() -> dict[str, Any]:
    return configured(load())


def _services() -> Services:
    from worker import bootstrap  # noqa: PLC0415 - the composition root imports much

    return bootstrap.services()


app = make_app(_configuration, _services)
looking_back.attach(app, QUEUE, LOOK_BACK_SECONDS)
heartbeat.attach(app)
garbage.attach()
