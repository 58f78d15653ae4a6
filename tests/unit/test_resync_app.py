"""What resync workers know, and what others do not know of them."""

from typing import Any
from unittest.mock import Mock

import pytest
from celery import Celery

from worker import admin, admin_queue, app, resync_app
from worker.run import application as application_of
from worker.tasks import tickets

OWN = {"resync.start", "resync.work"}
REDIS = "redis://127.0.0.1:1/0"  # nobody listens there


def never() -> Any:
    msg = "nothing is built before a task runs"
    raise AssertionError(msg)


def tasks(application: Celery) -> set[str]:
    return {name for name in application.tasks if not name.startswith("celery.")}


@pytest.fixture
def application() -> Celery:
    return resync_app.make_app(lambda: resync_app.configure(REDIS), never)


def test_a_resync_worker_knows_resyncs_and_nobody_else_does(application: Celery) -> None:
    assert tasks(application) == OWN
    assert application_of("resync") is resync_app.app
    calls = admin.make_app(lambda: admin_queue.configure(REDIS), never)
    duties = Mock(spec=tickets.Duties)
    events = app.make_app(lambda: app.configure(REDIS, 60), duties)
    assert not OWN & (tasks(calls) | tasks(events))


def test_it_has_a_queue_and_keys_of_its_own_and_a_scheduler_that_only_rings() -> None:
    configuration = resync_app.configure(REDIS)

    assert configuration["task_queues"] == {"resync": {}}
    options = configuration["broker_transport_options"]
    assert options["unacked_key"] == "resync.unacked"
    (line,) = configuration["beat_schedule"].values()
    assert (line["task"], line["options"]["queue"]) == ("resync.work", "resync")
    assert line["options"]["expires"] <= line["schedule"]


@pytest.mark.parametrize("task", ["ticket.created", "customer_user.get", "inbox.drain"])
def test_it_sends_no_task_of_others(application: Celery, task: str) -> None:
    application.send_task(task)  # would raise, for there is no Redis

    assert task not in application.tasks
