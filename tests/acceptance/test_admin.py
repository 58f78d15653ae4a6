"""A ticket worker and an admin worker beside it: each does its own work and refuses the other's."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from celery import Celery

from tests.acceptance.conftest import Installation
from tests.acceptance.processes import Cli, Daemon, calling, environment, until

ROOT = Path(__file__).parents[2]


@pytest.fixture
def caller(installation: Installation) -> Iterator[Celery]:
    """A program that calls tasks, as the documentation says; it knows nothing of Fieldfare."""
    made = Celery(broker=installation.redis.url, backend=installation.redis.url)
    prefix = {"global_keyprefix": "fieldfare:celery:"}
    made.conf.update(broker_transport_options=prefix, result_backend_transport_options=prefix)
    with calling(made):
        yield made


def started(fieldfare: Cli, command: str, *options: str) -> Daemon:
    daemon = fieldfare.start(command, "--concurrency", "1", *options)
    daemon.until("worker.started")
    return daemon


def ask(caller: Celery, login: object) -> Any:
    sent = caller.send_task("customer_user.get", args=[login], queue="admin", expires=60)
    return sent.get(timeout=60)


def test_an_admin_worker_tells_what_the_directory_says(
    installation: Installation, fieldfare: Cli, caller: Celery
) -> None:
    worker = started(fieldfare, "admin-worker")

    found = ask(caller, "user3")
    assert (found["answer"], found["source"]) == ("found", "CustomerUser1")
    assert found["attributes"]["UserPhone"] == "VALUE-3"
    assert ask(caller, "nobody")["answer"] == "absent"
    assert ask(caller, 7)["error"] == "wrong_arguments"
    installation.slapd.stop()
    unavailable = ask(caller, "user3")
    assert (unavailable["answer"], unavailable["source"]) == ("unavailable", "CustomerUser1")

    with installation.redis.client() as client:
        answers = list(client.scan_iter("*task-meta*"))
        assert len(answers) == 4
        assert all(0 < client.ttl(key) <= 3600 for key in answers)
        assert [key for key in client.scan_iter() if not key.startswith("fieldfare:")] == []
    worker.terminate()
    assert worker.ended() == 0
    assert "user3" not in worker.said()


def test_each_queue_refuses_the_tasks_of_the_other(
    installation: Installation, fieldfare: Cli, caller: Celery
) -> None:
    tickets = started(fieldfare, "worker", "--no-beat")
    admin = started(fieldfare, "admin-worker")

    strayed = caller.send_task("customer_user.get", args=["user3"], queue="events")
    caller.send_task("ticket.created", args=[4711], queue="admin")
    until(lambda: "thrown away" in tickets.said(), "the ticket worker refuses")
    until(lambda: "thrown away" in admin.said(), "the admin worker refuses")

    assert "customer_user.get" in tickets.said()
    assert "user3" not in tickets.said()
    assert "4711" not in admin.said()
    assert not strayed.ready()
    assert ask(caller, "user3")["answer"] == "found", "it works on"
    with installation.redis.client() as client:
        assert client.exists("fieldfare:events") == 0


def test_a_message_to_ticket_workers_reaches_no_admin_task_behind_it(
    installation: Installation, fieldfare: Cli, caller: Celery
) -> None:
    """Celery sends what a message names as the next task with the rights of the worker."""
    worker = started(fieldfare, "worker", "--no-beat")
    hidden = caller.signature(
        "customer_user.get", args=["user3"], immutable=True, queue="admin", routing_key="admin"
    )

    caller.send_task("ticket.created", args=[1], queue="events", link=[hidden])
    caller.send_task("ticket.created", args=[2], queue="events", chain=[dict(hidden)])

    until(lambda: len(worker.lines("ticket.enriched")) == 2, "both events are handled")
    with installation.redis.client() as client:
        assert client.exists("fieldfare:celery:admin") == 0
    assert "user3" not in worker.said()


def test_the_example_of_a_caller_works(installation: Installation, fieldfare: Cli) -> None:
    started(fieldfare, "admin-worker")
    script = ROOT / "examples/admin/customer_user.py"

    done = subprocess.run(
        [sys.executable, str(script), "anna"],
        env=environment(REDIS_URL=installation.redis.url),
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )

    assert '"UserPhone": "VALUE-42"' in done.stdout


def test_commands_of_admins_act_through_the_worker(
    installation: Installation, fieldfare: Cli
) -> None:
    worker = started(fieldfare, "admin-worker")
    values = ("--firstname", "VALUE-Jane", "--phone", "VALUE-77", "--email", "jane@example.com")

    added = fieldfare("customer-user", "add", "jane", *values, "--source", "crm")
    changed = fieldfare("customer-user", "update", "jane", "--phone", "VALUE-78", "--json").json
    shown = fieldfare("customer-user", "show", "JANE").out
    refused = fieldfare("customer-user", "add", "jane", "--json", exit_code=1)
    staff = fieldfare("customer-user", "deactivate", "user3", exit_code=1)
    found = fieldfare("customer-user", "list", "--where", "UserLogin=jane*", "--csv").out
    tested = fieldfare("source", "test", "--login", "user3").out

    assert added.out == "jane was added to CustomerUser.\n"
    assert changed["changes"] == {"UserPhone": {"from": "VALUE-77", "to": "VALUE-78"}}
    assert "VALUE-78" in shown
    assert refused.json["error"] == "duplicate_login"
    assert "CustomerUser1" in staff.err
    assert found.splitlines()[1].startswith("jane,CustomerUser,jane,VALUE-Jane,")
    assert "found: user3" in tested
    with installation.redis.client() as client:
        assert list(client.scan_iter("*task-meta*")) == []
    assert worker.process.poll() is None
    assert "VALUE-" not in worker.said()
