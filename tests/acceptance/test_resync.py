"""Old tickets filled by a real worker that is killed again and again in the middle."""

import os
import signal
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import redis
from celery import Celery
from sqlalchemy import insert, text

from tests.acceptance.conftest import Installation
from tests.acceptance.processes import Cli, Daemon, calling, until
from tests.faults.figures import Figures
from tests.otobo import WORKER
from worker.tickets import schema

THEN = "2025-01-01 00:00:00"
"""When the old tickets were created and last changed."""

WRITTEN = ("CustomerMail", "CustomerName")
"""CustomerPhone belongs to a creating screen, and nobody can tell which screen it was."""


class Size(NamedTuple):
    """How large the test is."""

    tickets: int
    people: int
    kills: int


@pytest.fixture
def size(request: pytest.FixtureRequest) -> Size:
    """Few, for each worker takes seconds to start; or as many as it was made for."""
    long = request.config.getoption("--faults") == "long"
    return Size(20_000, 2_000, 3) if long else Size(300, 10, 1)


@pytest.fixture
def figures(
    request: pytest.FixtureRequest, tmp_path: Path, record_property: Callable[[str, object], None]
) -> Figures:
    """Keeps figures as those of the faults are kept, one file for each ticket database."""
    form = request.config.getoption("--faults")
    given = request.config.getoption("--fault-results")
    file = Path(given or tmp_path) / f"resync_{request.node.callspec.params['ticket_server']}.jsonl"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.unlink(missing_ok=True)
    return Figures(8, form, file, record_property)


def fill(installation: Installation, tickets: int, people: int) -> Sequence[str]:
    """Tickets that were there before Fieldfare was; returns the customer user of each."""
    for number in range(len(installation.people), people):
        name, mail = f"VALUE-Last{number}", f"VALUE-user{number}@example.com"
        more = (name, mail, "ACME", f"VALUE-{number}")
        installation.ldap.add_person(f"user{number}", "VALUE-First", *more)
    logins = [f"user{number % people}" for number in range(tickets)]
    stamps = {"create_time": THEN, "create_by": 1, "change_time": THEN, "change_by": 1}
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


class End(NamedTuple):
    """What a resync leaves in the ticket database, all but row ids and times.

    Attributes:
        values: ticket, field and text.
        lines: ticket, text, and what else a history line says of its ticket; the worker's own.
        touched: the tickets, and who changed each last.
    """

    values: Sequence[Any]
    lines: Sequence[Any]
    touched: Sequence[Any]


def end_of(installation: Installation) -> End:
    """What stands there now."""
    values = """
        SELECT v.object_id, f.name, v.value_text FROM dynamic_field_value v
        JOIN dynamic_field f ON f.id = v.field_id ORDER BY v.object_id, f.name, v.id"""
    lines = f"""
        SELECT ticket_id, name, history_type_id, type_id, queue_id, owner_id, priority_id, state_id,
            change_by
        FROM ticket_history WHERE create_by = {WORKER} ORDER BY ticket_id, id"""
    asked = (values, lines, "SELECT id, change_by FROM ticket ORDER BY id")
    with installation.otobo.engine.connect() as connection:
        return End(
            *([tuple(row) for row in connection.execute(text(question))] for question in asked)
        )


def begin_again(installation: Installation) -> None:
    """Take away what a resync has left, as if it had never been."""
    with installation.otobo.engine.begin() as connection:
        connection.execute(text("DELETE FROM dynamic_field_value"))
        connection.execute(text(f"DELETE FROM ticket_history WHERE create_by = {WORKER}"))
        connection.execute(text(f"UPDATE ticket SET change_time = '{THEN}', change_by = 1"))
    installation.redis.flush()


def kill_in_the_middle(
    worker: Daemon, client: redis.Redis, installation: Installation, behind: int
) -> None:
    """Kill a worker with all its children amid a part: some of it is written, and none noted."""
    newest = text("SELECT MAX(object_id) FROM dynamic_field_value")
    until(lambda: len(worker.descendants()) > len(("child", "beat")), "the worker has its children")
    family = worker.descendants()  # looking for them takes longer than some transactions
    with installation.otobo.engine.connect() as connection:

        def is_amid_a_part() -> bool:
            cursor = int(client.hget("fieldfare:job:1", "cursor") or 0)
            return cursor >= behind and (connection.execute(newest).scalar() or 0) > cursor

        until(is_amid_a_part, "the job moves", 600, tick=0.001)
        for pid in reversed(family):  # children go with their parent
            os.kill(pid, signal.SIGKILL)
    worker.kill()
    # Nobody renews the lease any more. Half a minute is long for a test.
    client.delete("fieldfare:job:1:lease")


@pytest.mark.timeout(1800)
@pytest.mark.parametrize("ticket_server", ["postgresql", "mariadb"], indirect=True)
def test_workers_that_are_killed_leave_what_one_leaves_that_is_not(
    installation: Installation, fieldfare: Cli, size: Size, figures: Figures
) -> None:
    tickets, people, kills = size
    logins = fill(installation, tickets, people)
    fieldfare.variables |= {
        "FIELDFARE_RESYNC__CHUNK": str(min(200, tickets // 6)),
        "FIELDFARE_TICKETS__BATCH_SIZE": str(max(5, tickets // 400)),
    }
    begin = time.monotonic()
    fieldfare("resync", "--all", "--local")
    figures.note("undisturbed resync", time.monotonic() - begin, "s")
    undisturbed = end_of(installation)
    begin_again(installation)

    begin = time.monotonic()
    job = fieldfare("resync", "--all", "--detach", "--json").json["job"]
    with redis.Redis.from_url(installation.redis.url) as client:
        for kill in range(kills):
            worker = fieldfare.start("resync-worker")
            kill_in_the_middle(worker, client, installation, (kill + 1) * tickets // (kills + 2))

        assert fieldfare("resync", "status", str(job), "--json").json["state"] == "running"
        fieldfare.start("resync-worker")
        followed = fieldfare("resync", "status", str(job), "--watch")

    assert f"Job {job}, done: {tickets:,} of {tickets:,} tickets, 100%." in followed.out
    report = fieldfare("resync", "report", "--json").json["report"]
    # Those that a killed worker had at hand are looked at again; a screen owns one of their fields.
    assert set(report["tickets"]) <= {"written", "unchanged", "kept"}
    assert sum(report["tickets"].values()) == tickets
    disturbed = end_of(installation)
    figures.note(f"resync, workers killed: {kills}", time.monotonic() - begin, "s")
    again = tickets - report["tickets"]["written"]
    figures.note("written by a worker that was killed", again, "tickets")
    differing = sum(
        len(set(one) ^ set(other)) for one, other in zip(disturbed, undisturbed, strict=True)
    )
    figures.zero("rows other than in the undisturbed run", differing, "rows")
    twice = len(disturbed.lines) - len(set(disturbed.lines))
    figures.zero("history lines written twice", twice, "lines")
    assert disturbed == undisturbed
    # And both are right: the values of each customer user, and one line for each.
    expected = [
        (id_, field, installation.expected(login)[field][0])
        for id_, login in enumerate(logins, start=1)
        for field in WRITTEN
    ]
    assert disturbed.values == expected
    assert [line[:2] for line in disturbed.lines] == [
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
