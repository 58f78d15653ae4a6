"""``fieldfare status``: what Redis tells of the inbox, the sources and those at work."""

import dataclasses
import json
import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import redis
from typer.testing import CliRunner, Result

from directory.breaker import Observation
from tests.servers import RedisServer
from worker import bootstrap, cli, heartbeat, jobs, status
from worker.broker import impatient
from worker.commands.status import follow
from worker.demo import sample
from worker.heartbeat import Heartbeat
from worker.inbox import BELL, Inbox
from worker.refresh_room import RefreshRoom
from worker.settings import Settings, load
from worker.source_states import SourceStates
from worker.standing import Standing
from worker.swept import CURSOR, LOCK
from worker.tickets.selection import Scope

Run = Callable[..., Result]


@pytest.fixture
def world(broker: RedisServer, tmp_path: Path) -> sample.World:
    return sample.prepare(tmp_path / "world", broker.url, "ldap://127.0.0.1:1")


@pytest.fixture
def settings(world: sample.World) -> Settings:
    return load(world.settings, env_file=None)


@pytest.fixture
def inbox(settings: Settings) -> Iterator[Inbox]:
    made = Inbox(bootstrap.inbox(settings).client, lambda: None, settings.inbox)
    yield made
    made.client.close()


@pytest.fixture
def read(broker: RedisServer, settings: Settings) -> Iterator[Callable[[], status.Status]]:
    client = impatient(broker.url, "test")
    yield lambda: status.read(client, settings)
    client.close()


@pytest.fixture
def run(world: sample.World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    monkeypatch.chdir(tmp_path)

    def invoke(*arguments: str) -> Result:
        config = {"FIELDFARE_CONFIG": str(world.settings), "COLUMNS": "80"}
        return CliRunner().invoke(cli.app, ["status", *arguments], env=config)

    return invoke


def fill(inbox: Inbox) -> None:
    """Five events: two in the inbox, one of them in hand; two that wait; one dead letter."""
    inbox.client.set(BELL, "rung")  # and stays so
    inbox.publish_many([{"type": "ticket.created", "ticket_id": str(i)} for i in range(5)])
    entries = inbox.read("worker-1", 4)
    inbox.wait(entries[:1], "1", "away")
    inbox.wait(entries[1:2], "7", "away")
    inbox.park(entries[2], "failed", "ValueError", "no")


def begin_resyncs(client: redis.Redis) -> None:
    """Three jobs: one has come some way, one waits, one is done."""
    order = jobs.Order(Scope(last=100, customer_users=("anna",)), asked="--customer-user anna")
    first, second, third = (jobs.create(client, order, 10, local=local) for local in (0, 1, 0))
    jobs.take(client, first, "us")
    job = jobs.read(client, first)
    assert job is not None
    counts = {"ticket/written": 3, "ticket/kept": 1, "source/written/CustomerUser": 3}
    jobs.advance(client, job, "us", before=0, after=50, counts=counts, left={})
    jobs.rest(client, job, "us", ["CustomerUser1"], again=5, most=60)
    jobs.pause(client, second)
    jobs.cancel(client, third)


def alive(client: redis.Redis, folder: Path, queue: str) -> None:
    """A worker that serves a queue, and the scheduler that it brings along."""
    for role in ("worker", "beat"):
        who = heartbeat.this_process(role, queue, 2)  # type: ignore[arg-type]
        Heartbeat(who, client, folder, 60.0).beat()


def test_an_empty_redis_is_left_as_it_is(
    read: Callable[[], status.Status], broker: RedisServer
) -> None:
    found = read()

    assert found.inbox == status.Queue(0, None)
    assert found.dead == status.DeadLetters(0, None, "", "")
    assert found.sweep == status.SweepStatus("", 0, None, running=False)
    assert (found.pending, found.orphans, found.processes, found.bell) == ({}, {}, [], False)
    assert [(one.source, one.state, one.since_seconds) for one in found.sources] == [
        ("CustomerUser", "unknown", None),
        ("CustomerUser1", "unknown", None),
    ]
    with broker.client() as client:
        assert client.keys() == []


def test_everything_that_redis_knows_is_told(
    read: Callable[[], status.Status], inbox: Inbox, tmp_path: Path
) -> None:
    fill(inbox)
    SourceStates(inbox.client).note(
        {
            "": Observation(),
            "1": Observation("TimeoutError: no answer"),
            "companies": Observation("gone"),
        }
    )
    inbox.client.hset(CURSOR, mapping={"time": "2024-01-01 00:00:00", "id": 4711})
    inbox.client.set(LOCK, "somebody")
    who = heartbeat.this_process("worker", "events", 2, "fieldfare-1@here")
    Heartbeat(who, inbox.client, tmp_path, 60.0).beat()

    found = read()

    assert found.inbox.length == 2
    assert found.inbox.oldest_seconds is not None
    assert found.pending == {"worker-1": 1}
    assert found.bell
    assert list(found.orphans) == ["CustomerUser7"]
    assert found.orphans["CustomerUser7"].length == 1
    crm, staff = found.sources
    assert (crm.name, crm.state, crm.waiting.length) == ("CRM", "up", 0)
    assert (staff.state, staff.reason) == ("down", "TimeoutError: no answer")
    assert staff.since_seconds is not None
    assert [(one.name, one.state, one.reason) for one in found.readers] == [
        ("companies", "down", "gone")
    ]
    assert (staff.waiting.length, staff.waiting.oldest_seconds is None) == (1, False)
    assert (found.dead.count, found.dead.reason, found.dead.error) == (1, "failed", "ValueError")
    assert found.dead.newest_seconds is not None
    assert (found.sweep.time, found.sweep.id) == ("2024-01-01 00:00:00", 4711)
    assert found.sweep.running
    assert [one.name for one in found.processes] == ["fieldfare-1@here"]


def test_the_sweep_s_moment_is_one_of_the_ticket_system_s_time_zone(
    broker: RedisServer, settings: Settings
) -> None:
    tickets = settings.tickets.model_copy(update={"time_zone": "Asia/Tokyo"})
    abroad = settings.model_copy(update={"tickets": tickets})
    moment = datetime.now(UTC) - timedelta(hours=1)
    with broker.client() as client:
        client.hset(CURSOR, "time", f"{moment + timedelta(hours=9):%Y-%m-%d %H:%M:%S}")

    lag = status.read(impatient(broker.url, "test"), abroad).sweep.lag_seconds

    assert lag is not None
    assert 3500 < lag < 3700


def test_what_redis_refuses_is_an_error(
    broker: RedisServer, read: Callable[[], status.Status]
) -> None:
    with broker.client() as client:
        client.set("fieldfare:dead", "no stream")

    with pytest.raises(redis.ResponseError, match="WRONGTYPE"):
        read()


def test_resyncs_and_refreshes_are_told_without_whose_tickets_they_are_about(
    read: Callable[[], status.Status], run: Run, inbox: Inbox
) -> None:
    begin_resyncs(inbox.client)
    RefreshRoom(inbox.client).add([("customer_user", "anna"), ("customer", "ACME")])

    found = read()

    shown = [dataclasses.replace(one, touched=0.0) for one in found.resyncs]
    assert shown == [
        Standing(1, "running", False, 10, 4, touched=0.0, awaited=("CustomerUser1",)),
        Standing(2, "paused", True, 10, 0, touched=0.0),
    ]
    assert found.refresh == 2
    told = " ".join(run().output.split())
    assert "Tickets of 2 customer users or customers are still to follow them." in told
    assert re.search(r"1 │ waits for CustomerUser1 │ 10 │ 4 │ \d+ s ago │", told)
    assert re.search(r"2 │ paused │ 10 │ 0 │ \d+ s ago │ in a terminal", told)
    assert "No resync worker is alive." in told
    assert json.loads(run("--json").output)["resyncs"][0]["seen"] == 4
    assert "anna" not in told + run("--json").output


def test_people_are_told_that_nobody_works(run: Run) -> None:
    done = run()

    assert done.exit_code == 0
    assert "No ticket worker is alive.\nNo scheduler of ticket workers is alive." in done.output
    assert "has not run yet." in done.output


@pytest.mark.parametrize("queue", ["admin", "resync"])
def test_workers_of_other_queues_stand_in_for_nobody(
    run: Run, inbox: Inbox, tmp_path: Path, queue: str
) -> None:
    begin_resyncs(inbox.client)
    alive(inbox.client, tmp_path, queue)

    told = run().output

    assert "No ticket worker is alive.\nNo scheduler of ticket workers is alive." in told
    assert ("No resync worker is alive." in told) is (queue == "admin")


def test_people_get_tables(run: Run, inbox: Inbox, tmp_path: Path) -> None:
    fill(inbox)
    SourceStates(inbox.client).note(
        {"1": Observation("TimeoutError"), "companies": Observation("gone")}
    )
    inbox.client.hset(CURSOR, mapping={"time": "2024-01-01 00:00:00", "id": 4711})
    inbox.client.set(LOCK, "somebody")
    alive(inbox.client, tmp_path, "events")
    done = run()

    told = " ".join(done.output.split())
    for part in (
        "inbox │ 2 │ AGE │ 1 in hand of 1 process; the bell has rung",
        "CustomerUser1 │ 1 │ AGE │ waiting",
        "CustomerUser7 │ 1 │ AGE │ waiting; not configured any more",
        "dead letters │ 1 │ │ newest AGE ago: failed ValueError",
        "CustomerUser │ CRM │ unknown │",
        "│ down │ AGE │ TimeoutError",
        "companies │ customer data │ down │ AGE │ gone",
        "│ events │ scheduler │",
        "up to 2024-01-01 00:00:00, AGE ago; line 4711; running.",
    ):
        assert re.search(re.escape(part).replace("AGE", r"(\d+ (d|h|min|s) ?)+"), told)
    assert "alive." not in told
    assert max(map(len, done.output.splitlines())) <= 80


def test_programs_get_json(run: Run, inbox: Inbox) -> None:
    fill(inbox)

    told = json.loads(run("--json").stdout)

    assert (told["inbox"]["length"], told["dead"]["count"]) == (2, 1)
    assert [one["source"] for one in told["sources"]] == ["CustomerUser", "CustomerUser1"]


@pytest.mark.parametrize("arguments", [(), ("--json",), ("--watch",)])
def test_a_redis_that_does_not_answer_ends_with_three(
    run: Run, broker: RedisServer, arguments: tuple[str, ...]
) -> None:
    broker.stop()
    try:
        done = run(*arguments)
    finally:
        broker.start()

    assert done.exit_code == 3
    assert done.stderr.startswith("fieldfare: Redis does not answer: ")


def test_a_redis_that_refuses_the_login_is_not_called_away(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FIELDFARE_REDIS__USERNAME", "worker")
    monkeypatch.setenv("FIELDFARE_REDIS__PASSWORD", "another one")

    done = run()

    assert done.exit_code == 3
    assert done.stderr.startswith("fieldfare: Redis refuses: invalid username-password pair")


# -- --watch


def ticks(*acts: Callable[[], object]) -> Callable[[float], object]:
    """Instead of waiting does one thing after another, and at last presses Ctrl-C."""
    remaining = iter(acts)

    def wait(seconds: float) -> None:
        assert seconds == 0.5
        for act in remaining:
            act()
            return
        raise KeyboardInterrupt

    return wait


def test_a_watch_goes_on_through_an_outage(
    read: Callable[[], status.Status],
    inbox: Inbox,
    broker: RedisServer,
    capsys: pytest.CaptureFixture[str],
) -> None:
    wait = ticks(lambda: fill(inbox), broker.stop, broker.start)

    follow(read, 0.5, wait, as_json=True)

    lines: list[dict[str, Any]] = [
        json.loads(line)
        for line in capsys.readouterr().out.splitlines()
        if line.startswith("{")  # else it is a line of the log
    ]
    assert [line.get("inbox", {}).get("length") for line in lines] == [0, 2, None, 2]
    assert lines[2]["error"].startswith("Redis does not answer: ")


def test_a_watch_draws_over_what_was_there(
    read: Callable[[], status.Status], inbox: Inbox, capsys: pytest.CaptureFixture[str]
) -> None:
    follow(read, 0.5, ticks(lambda: fill(inbox)), as_json=False)

    printed = capsys.readouterr().out
    assert printed.count("dead letters") == 1  # not on a terminal: only how it ended
    assert "failed ValueError" in printed


def test_a_watch_says_when_redis_is_away(
    read: Callable[[], status.Status], broker: RedisServer, capsys: pytest.CaptureFixture[str]
) -> None:
    follow(read, 0.5, ticks(broker.stop), as_json=False)
    broker.start()

    assert "Redis does not answer: " in capsys.readouterr().out
