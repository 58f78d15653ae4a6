"""Old tickets filled by a real worker that is killed again and again in the middle."""

from collections.abc import Sequence

import pytest
import redis
from celery import Celery
from sqlalchemy import insert, text

from tests.acceptance.conftest import Installation
from tests.acceptance.processes import Cli, Daemon, calling, until
from tests.otobo import WORKER
from worker.tickets import schema

KILLS = 3
WRITTEN = ("CustomerMail", "CustomerName")
"""CustomerPhone belongs to a creating screen, and nobody can tell which screen it was."""


@pytest.fixture
def size(request: pytest.FixtureRequest) -> tuple[int, int]:
    """Tickets and customer users: few, or with ``--faults long`` as many as it was made for."""
    return (20_000, 2_000) if request.config.getoption("--faults") == "long" else (300, 10)


def fill(installation: Installation, tickets: int, people: int) -> Sequence[str]:
    """Tickets that were there before Fieldfare was; returns the customer user of each."""
    for number in range(len(installation.people), people):
        name, mail = f"VALUE-Last{number}", f"VALUE-user{number}@example.com"
        more = (name, mail, "ACME", f"VALUE-{number}")
        installation.ldap.add_person(f"user{number}", "VALUE-First", *more)
    logins = [f"user{number % people}" for number in range(tickets)]
    then = "2025-01-01 00:00:00"
    stamps = {"create_time": then, "create_by": 1, "change_time": then, "change_by": 1}
    ids = range(1, tickets + 1)
    zero = ("timeout", "until_time", "escalation_time", "escalation_update_time")
    same = {
        **dict.fromkeys((*zero, "escalation_response_time", "escalation_solution_time"), 0),
        "queue_id": 2,
        "ticket_lock_id": 1,
        "type_id": 1,
        "user_id": 1,
        "responsible_user_id": 1,
        "ticket_priority_id": 3,
        "ticket_state_id": 4,
        **stamps,
    }
    line = {"ticket_id": 0, "type_id": 1, "queue_id": 2, "owner_id": 1, "priority_id": 3}
    with installation.otobo.engine.begin() as connection:
        connection.execute(
            insert(schema.ticket),
            [
                {"tn": str(id_), "customer_user_id": login, **same}
                for id_, login in zip(ids, logins, strict=True)
            ],
        )
        for kind, name in ((1, "%%new"), (21, "%%CustomerUser=someone;")):
            lines = [
                {**line, "name": name, "history_type_id": kind, "state_id": 4, **stamps}
                | {"ticket_id": id_}
                for id_ in ids
            ]
            connection.execute(insert(schema.ticket_history), lines)
    return logins


def kill_in_the_middle(worker: Daemon, client: redis.Redis, behind: int) -> None:
    """Kill a worker with all its children once its job has come so far."""
    until(lambda: int(client.hget("fieldfare:job:1", "cursor") or 0) >= behind, "the job moves")
    worker.kill()
    # Nobody renews the lease any more. Half a minute is long for a test.
    client.delete("fieldfare:job:1:lease")


def test_a_worker_that_is_killed_three_times_writes_everything_once(
    installation: Installation, fieldfare: Cli, size: tuple[int, int]
) -> None:
    tickets, people = size
    logins = fill(installation, tickets, people)
    fieldfare.variables |= {"FIELDFARE_RESYNC__CHUNK": str(max(5, tickets // 400))}
    job = fieldfare("resync", "--all", "--detach", "--json").json["job"]
    with redis.Redis.from_url(installation.redis.url) as client:
        for kill in range(KILLS):
            worker = fieldfare.start("resync-worker")
            kill_in_the_middle(worker, client, (kill + 1) * tickets // (KILLS + 2))

        assert fieldfare("resync", "status", str(job), "--json").json["state"] == "running"
        fieldfare.start("resync-worker")
        followed = fieldfare("resync", "status", str(job), "--watch")

    assert f"Job {job}, done: {tickets:,} of {tickets:,} tickets, 100%." in followed.out
    report = fieldfare("resync", "report", "--json").json["report"]
    # Those that a killed worker had at hand are looked at again; a screen owns one of their fields.
    assert set(report["tickets"]) <= {"written", "unchanged", "kept"}
    assert sum(report["tickets"].values()) == tickets
    # An undisturbed run leaves this: the values of each customer user, and one line for each.
    with installation.otobo.engine.connect() as connection:
        lines = connection.execute(
            text(
                "SELECT ticket_id, name FROM ticket_history "
                f"WHERE create_by = {WORKER} ORDER BY ticket_id, id"
            )
        ).all()
        values = connection.execute(
            text(
                "SELECT v.object_id, f.name, v.value_text FROM dynamic_field_value v "
                "JOIN dynamic_field f ON f.id = v.field_id ORDER BY v.object_id, f.name"
            )
        ).all()
    expected = [
        (id_, field, installation.expected(login)[field][0])
        for id_, login in enumerate(logins, start=1)
        for field in WRITTEN
    ]
    assert [tuple(row) for row in values] == expected
    assert [tuple(row) for row in lines] == [
        (id_, f"%%FieldName%%{field}%%Value%%{value}%%OldValue%%") for id_, field, value in expected
    ]


def test_another_program_begins_a_resync(installation: Installation, fieldfare: Cli) -> None:
    ticket = installation.otobo.create_ticket("anna")
    fieldfare.start("resync-worker")
    url = installation.redis.url
    caller = Celery(broker=url, backend=url)
    caller.conf.update(
        broker_transport_options={"global_keyprefix": "fieldfare:celery:"},
        result_backend_transport_options={"global_keyprefix": "fieldfare:celery:"},
    )

    def told(**arguments: object) -> object:
        return caller.send_task("resync.start", kwargs=arguments, queue="resync").get(timeout=60)

    with calling(caller):
        wrong = {"error": "wrong_selection", "message": "there is no ticket with the number 1"}
        assert told(number=["1"]) == wrong
        misfit = "ticket must be a list of numbers; what was given is str"
        assert told(ticket="x") == {
            "error": "wrong_arguments",
            "field": "ticket",
            "message": misfit,
        }
        assert told(ticket=[ticket]) == {"job": 1}
    until(lambda: installation.otobo.values(ticket), "the ticket is filled")
    assert installation.otobo.values(ticket)["CustomerMail"] == ["VALUE-a@b.c"]
