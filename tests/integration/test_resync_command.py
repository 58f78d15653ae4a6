"""``fieldfare resync``, as somebody at a terminal sees it."""

import csv
import io
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import redis
from typer.testing import CliRunner, Result

from tests.servers import RedisServer
from worker import cli, jobs
from worker.commands import prompting, resync_following
from worker.demo import sample
from worker.demo.ticket_system import Otobo
from worker.heartbeat import NAMES, PREFIX, this_process

Run = Callable[..., Result]


@pytest.fixture
def world(redis_server: RedisServer, tmp_path: Path) -> sample.World:
    redis_server.start()
    redis_server.flush()
    return sample.prepare(tmp_path / "world", redis_server.url, "ldap://127.0.0.1:1")


@pytest.fixture
def otobo(world: sample.World) -> Iterator[Otobo]:
    system = Otobo(f"sqlite:///{world.settings.parent / 'tickets.sqlite'}")
    yield system
    system.close()


@pytest.fixture
def client(world: sample.World, redis_server: RedisServer) -> Iterator[redis.Redis]:
    made = redis.Redis.from_url(redis_server.url)
    yield made
    made.close()


@pytest.fixture
def run(world: sample.World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    monkeypatch.chdir(tmp_path)

    def invoke(*arguments: str, **environment: str) -> Result:
        config = {"FIELDFARE_CONFIG": str(world.settings), "COLUMNS": "80", **environment}
        return CliRunner().invoke(cli.app, ["resync", *arguments], env=config)

    return invoke


def told(done: Result) -> str:
    return " ".join(done.output.split())


def test_tickets_are_filled_in_this_process(run: Run, otobo: Otobo) -> None:
    tickets = [otobo.create_ticket("anna") for _ in range(3)]
    otobo.set_value(tickets[0], "CustomerCity", "typed")

    done = run("--customer-user", "anna", "--field", "CustomerCity", "--local")

    assert done.exit_code == 0
    assert "Job 1, done: 3 of 3 tickets, 100%." in told(done)
    assert "Asked for: --customer-user anna --field CustomerCity" in told(done)
    assert "CustomerCity │ 2 │ 0 │ 0 │ 1 │ 0" in told(done)
    assert "CustomerCity │ somebody wrote the field after the customer user was │ 1" in told(done)
    assert max(map(len, done.output.splitlines())) <= 80
    assert otobo.values(tickets[0]) == {"CustomerCity": ["typed"]}
    assert otobo.values(tickets[1]) == {"CustomerCity": ["Berlin"]}


def test_sources_that_do_not_answer_are_told_and_leave_tickets_for_another_run(
    run: Run, otobo: Otobo
) -> None:
    otobo.create_ticket("anna")
    left = otobo.create_ticket("emma")  # in the directory that is away

    done = run("--all", "--local", "--json")

    assert done.exit_code == 3
    job = json.loads(done.stdout)
    assert (job["state"], job["left"]) == ("done", 1)
    assert job["report"]["tickets"] == {"waiting": 1, "written": 1}
    assert job["report"]["sources"]["CustomerUser1"] == {"waiting": 1}
    assert otobo.values(left) == {}
    assert "unavailable │ 1" in told(run("report"))
    assert "fieldfare resync --left-by 1" in told(run("report"))

    again = run("--left-by", "1", "--local", "--json")
    assert again.exit_code == 3
    assert json.loads(again.stdout)["tickets"] == 1


def test_a_choice_of_no_ticket_is_told(run: Run) -> None:
    nobody = ("--customer-user", "nobody")

    assert "Job 1, done: there is no such ticket." in told(run(*nobody, "--local"))
    assert told(run(*nobody, "--dry-run")) == "There is no such ticket."


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((), "say which tickets, e.g. --open"),
        (("--all", "--open"), "--all is every ticket"),
        (("--queue", "raw"), "there is no queue raw; there are Raw, "),
        (("--all", "--field", "Nope"), "no rule of the mapping fills the field Nope"),
        (("--created-from", "31.1.2026"), "--created-from '31.1.2026' is no day and no time"),
        (("--changed-to", "2026-01-31T00:00:00Z"), "is no day and no time"),
        (("--all", "--rate", "0.01"), "a rate must be at least 0.1 tickets in a second"),
        (("--left-by", "7"), "there is no job 7"),
        (("--ticket", "4711"), "there is no ticket with the id 4711"),
        (("--number", "4711"), "there is no ticket with the number 4711"),
        (("--all", "--csv"), "use it with --dry-run"),
        (("--all", "--dry-run", "--csv", "--json"), "give --json or --csv, not both"),
        (("--all", "--dry-run", "--detach"), "this process itself does the work"),
        (("--all", "status"), "options stand behind status"),
        (("--all", "--overwrite-manual"), "nobody can be asked here, so confirm it with --yes"),
    ],
)
def test_what_cannot_be_asked_for_is_refused(
    run: Run, arguments: tuple[str, ...], said: str
) -> None:
    done = run(*arguments)

    assert done.exit_code == 2
    assert said in " ".join(done.output.replace("│", " ").split())


def test_days_include_themselves(run: Run, otobo: Otobo) -> None:
    for day in ("2026-01-30", "2026-01-31", "2026-02-01"):
        made = otobo.create_ticket("anna")
        otobo.update_ticket(made, create_time=f"{day} 23:59:59")

    def total(*arguments: str) -> int:
        done = run(*arguments, "--detach", "--json")
        assert done.exit_code == 0, done.output
        return int(json.loads(run("status", "--json").stdout)["tickets"])

    assert total("--created-from", "2026-01-31", "--created-to", "2026-01-31") == 1
    assert total("--created-to", "2026-01-31") == 2
    assert total("--created-to", "2026-01-31 23:59:58") == 1
    assert total("--created-to", "2026-01-31 23:59:59") == 2


def test_somebody_is_asked_before_what_agents_wrote_is_overwritten(
    run: Run, otobo: Otobo, monkeypatch: pytest.MonkeyPatch
) -> None:
    ticket = otobo.create_ticket("anna")
    otobo.set_value(ticket, "CustomerCity", "typed")
    monkeypatch.setattr(prompting, "somebody_is_there", lambda: True)
    overwrite = ("--ticket", str(ticket), "--overwrite-manual", "--local")

    assert run(*overwrite).exit_code == 1  # no answer is no
    assert otobo.values(ticket) == {"CustomerCity": ["typed"]}
    assert run(*overwrite, "--yes").exit_code == 0
    assert otobo.values(ticket)["CustomerCity"] == ["Berlin"]


def test_a_dry_run_shows_counts_and_then_differences_and_writes_nothing(
    run: Run, otobo: Otobo, client: redis.Redis
) -> None:
    tickets = [otobo.create_ticket("anna") for _ in range(3)]
    otobo.insert_value(tickets[0], "CustomerCity", value_text="Bonn")
    dry = ("--all", "--field", "CustomerCity", "--dry-run")

    done = run(*dry, "--limit", "2")

    assert done.exit_code == 0
    words = told(done)
    assert words.index("written │ 3") < words.index("CustomerCity │ Bonn │ Berlin")
    assert "There are 1 more" in words
    assert otobo.values(tickets[0]) == {"CustomerCity": ["Bonn"]}
    assert client.keys("fieldfare:job*") == []

    as_json = json.loads(run(*dry, "--json").stdout)
    assert as_json["report"]["tickets"] == {"written": 3}
    assert as_json["differences"][0] == {
        "ticket_id": tickets[0],
        "number": otobo.ticket(tickets[0]).tn,
        "field": "CustomerCity",
        "decision": "write",
        "reason": "found",
        "old": "Bonn",
        "new": "Berlin",
    }
    rows = list(csv.DictReader(io.StringIO(run(*dry, "--csv").stdout)))
    assert [row["old"] for row in rows] == ["Bonn", "", ""]


def test_a_job_is_listed_paused_resumed_and_cancelled(run: Run, otobo: Otobo) -> None:
    otobo.create_ticket("anna")
    assert told(run("list")) == "There is no job."
    assert run("status").exit_code == 1

    begun = run("--all", "--detach")
    assert "Job 1 is to be worked on" in told(begun)
    assert "no resync worker is at work: start one with" in begun.stderr
    assert "Job 1, waiting for a worker: 0 of 1 tickets, 0%." in told(run("status", "1"))
    assert run("pause", "1").exit_code == 0
    assert "Job 1, paused" in told(run("status"))
    assert run("pause", "1").exit_code == 1
    assert "1 │ paused │ 1 │ 0" in told(run("list"))
    resumed = run("resume", "1", "--local")
    assert (resumed.exit_code, "Job 1, done" in told(resumed)) == (0, True)
    assert "cannot be cancelled: it is done" in told(run("cancel", "1"))
    run("--all", "--detach")
    assert run("cancel", "2").exit_code == 0
    assert "cannot be resumed: it is cancelled" in told(run("resume", "2", "--local"))
    assert "there is no job 3" in told(run("cancel", "3"))
    assert [job["state"] for job in json.loads(run("list", "--json").stdout)] == [
        "done",
        "cancelled",
    ]


def test_a_job_that_the_guard_stopped_goes_on_when_somebody_says_so(run: Run, otobo: Otobo) -> None:
    tickets = [otobo.create_ticket() for _ in range(3)]
    for ticket in tickets:
        otobo.insert_value(ticket, "CustomerCity", value_text="Bonn")
    strict = {
        "FIELDFARE_GUARD__ERASURES__NUMBER": "2",
        "FIELDFARE_GUARD__ERASURES__SHARE": "0.1",
    }

    done = run("--all", "--local", **strict)

    assert done.exit_code == 1
    for part in (
        "Job 1, stopped by the guard: 0 of 3 tickets",
        "3 of 3 fields with a value would have been emptied within 1 hour",
        "fieldfare resync --dry-run --all",
        "fieldfare resync resume 1 --release",
    ):
        assert part in told(done)
    assert run("resume", "1", "--local", **strict).exit_code == 1
    assert otobo.values(tickets[0]) == {"CustomerCity": ["Bonn"]}
    assert run("resume", "1", "--local", "--release", **strict).exit_code == 0
    assert otobo.values(tickets[0]) == {}


def test_a_job_of_workers_is_followed_to_its_end(
    run: Run, otobo: Otobo, client: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    otobo.create_ticket("anna")

    def done_by_a_worker(_: float) -> None:
        (job,) = jobs.read_all(client)
        jobs.take(client, job.id, "worker")
        counts = {"ticket/written": 1}
        jobs.advance(client, job, "worker", before=0, after=1, counts=counts, left={})

    monkeypatch.setattr(resync_following.time, "sleep", done_by_a_worker)
    done = run("--all")

    assert done.exit_code == 0
    assert "no resync worker is at work" in done.stderr
    assert "Job 1, done: 1 of 1 tickets" in told(done)

    worker = this_process("worker", "resync", 1)
    client.zadd(NAMES, {worker.name: 2**40})
    client.set(PREFIX + worker.name, json.dumps({**_fields(worker)}))
    assert run("status", "1", "--watch").stderr == ""


def _fields(worker: Any) -> dict[str, Any]:
    return {name: getattr(worker, name) for name in worker.__slots__}


def test_who_stops_watching_stops_no_job(
    run: Run, otobo: Otobo, client: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    otobo.create_ticket("anna")

    def interrupt(_: float) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(resync_following.time, "sleep", interrupt)
    done = run("--all")

    assert done.exit_code == 130
    assert "job 1 goes on unwatched; to end it: fieldfare resync cancel 1" in told(done)
    assert jobs.read_all(client)[0].state == "running"


def test_who_interrupts_the_work_finds_the_job_waiting(
    run: Run, otobo: Otobo, client: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    otobo.create_ticket("anna")

    def interrupt(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("worker.job_runs.resync", interrupt)
    done = run("--all", "--local")

    assert done.exit_code == 130
    assert "job 1 waits; it goes on with: fieldfare resync resume 1 --local" in told(done)
    job = jobs.read_all(client)[0]
    assert (job.state, job.in_hand) == ("paused", False)


def test_a_redis_that_does_not_answer_ends_with_three(run: Run, redis_server: RedisServer) -> None:
    redis_server.stop()
    try:
        done = run("--all", "--local")
    finally:
        redis_server.start()

    assert done.exit_code == 3
    assert done.stderr.startswith("fieldfare: Redis does not answer: ")
