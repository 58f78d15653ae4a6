"""Who works on jobs, and how they go on after whatever comes in between."""

import dataclasses
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from celery.exceptions import SoftTimeLimitExceeded
from structlog.testing import capture_logs

from mapping.model import Plan
from tests.integration.world import Interfering, World, created
from worker import guard, job_runs, jobs, silence, tally
from worker.handlers.enrich import enrich
from worker.job_runs import JobInHand, Pace, follow_through, rests, start, work
from worker.jobs import Job
from worker.resync_request import request
from worker.services import Services
from worker.settings import ResyncSettings
from worker.tickets.store import TicketDatabaseUnavailable


class Time:
    """A clock that moves when somebody pauses."""

    def __init__(self) -> None:
        self.now = 0.0
        self.pauses: list[float] = []

    def pause(self, seconds: float) -> None:
        self.pauses.append(seconds)
        self.now += seconds

    def pace(self, stop: Callable[[], bool] = lambda: False) -> Pace:
        return Pace(lambda: self.now, self.pause, stop)


@pytest.fixture
def services(small_world: World) -> Services:
    small_world.otobo.add_field("Phone")
    small_world.person("anna", "1")
    return small_world.services(resync={"chunk": 2})


def begin(services: Services, *, local: bool = False, **asked: Any) -> int:
    return start(services, request(services, **(asked or {"all_tickets": True})), local=local)


def now(services: Services, job_id: int) -> Job:
    job = jobs.read(services.inbox.client, job_id)
    assert job is not None
    return job


def seen(services: Services, job_id: int) -> dict[str, int]:
    report = tally.report(now(services, job_id).counts)
    return {kind.value: number for kind, number in report.tickets.items()}


def stumbling(services: Services, error: BaseException, at: int) -> Services:
    """Services whose ``at``-th batch of writes raises once."""
    calls: list[int] = []

    class Stumbling(Interfering):
        def apply(self, plans: Sequence[Plan], *how: Any, **more: Any) -> Any:
            calls.append(1)
            if len(calls) == at:
                raise error
            return super().apply(plans, *how, **more)

    return dataclasses.replace(services, tickets=Stumbling(services.tickets, lambda: None))


def test_a_job_is_worked_on_to_its_end(small_world: World, services: Services) -> None:
    tickets = [small_world.ticket("anna") for _ in range(5)]
    told: list[int] = []

    job = follow_through(begin(services), services, lambda job: told.append(job.cursor))

    assert job is not None
    assert (job.state, job.total, job.in_hand) == ("done", 5, False)
    assert seen(services, job.id) == {"written": 5}
    assert told == [*tickets[1::2], tickets[-1]]
    assert all(len(small_world.lines(ticket)) == 1 for ticket in tickets)
    assert follow_through(job.id, services) == job


def test_a_system_without_tickets_is_done_at_once(services: Services) -> None:
    job = follow_through(begin(services), services)

    assert job is not None
    assert (job.state, job.counts) == ("done", {})


def test_jobs_come_on_side_by_side(small_world: World, services: Services) -> None:
    for _ in range(6):
        small_world.ticket("anna")
    first, second = begin(services), begin(services)
    time = Time()

    def slice_() -> bool:
        ended = len(time.pauses)
        return work(services, Pace(lambda: ended * 1.0, time.pause, lambda: stops.pop()))  # noqa: PLW0108 - another list each time

    stops = [True, False]
    assert slice_()
    assert (now(services, first).cursor > 0, now(services, second).cursor) == (True, 0)
    services.inbox.client.hset(f"fieldfare:job:{first}", "touched", 2**40)
    stops = [True, False]
    assert slice_()
    assert now(services, second).cursor == now(services, first).cursor > 0
    while work(services, time.pace()):
        pass
    assert [now(services, one).state for one in (first, second)] == ["done", "done"]
    assert not work(services)


def test_a_local_job_is_taken_by_no_worker(small_world: World, services: Services) -> None:
    small_world.ticket("anna")
    job_id = begin(services, local=True)

    assert not work(services)
    assert now(services, job_id).cursor == 0
    follow_through(job_id, services)
    assert now(services, job_id).state == "done"


def test_the_same_job_is_never_in_two_hands(small_world: World, services: Services) -> None:
    small_world.ticket("anna")
    job_id = begin(services)
    jobs.take(services.inbox.client, job_id, "another")

    with pytest.raises(JobInHand, match=f"job {job_id}"):
        follow_through(job_id, services)
    assert not work(services)


@pytest.mark.parametrize("at", [1, 2, 3])
def test_an_outage_costs_nothing(small_world: World, services: Services, at: int) -> None:
    tickets = [small_world.ticket("anna") for _ in range(6)]
    job_id = begin(services)

    with pytest.raises(TicketDatabaseUnavailable):
        follow_through(job_id, stumbling(services, TicketDatabaseUnavailable("away"), at))
    job = now(services, job_id)
    assert (job.state, job.in_hand, job.tries) == ("running", False, 0)
    follow_through(job_id, services)

    assert seen(services, job_id) == {"written": 6}
    assert all(len(small_world.lines(ticket)) == 1 for ticket in tickets)


class Killed(BaseException):
    """Nobody catches it, and nothing is cleaned up."""


@pytest.mark.parametrize("at", [1, 2, 3])
def test_who_is_killed_behind_a_commit_writes_nothing_twice(
    small_world: World, services: Services, at: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    tickets = [small_world.ticket("anna") for _ in range(6)]
    job_id = begin(services)
    advance, calls = jobs.advance, []

    def killed(*how: Any, **more: Any) -> Any:
        calls.append(1)
        if len(calls) == at:
            raise Killed
        return advance(*how, **more)

    with monkeypatch.context() as patched:
        patched.setattr(jobs, "advance", killed)
        patched.setattr(jobs, "let_go", lambda *_, **__: None)
        with pytest.raises(Killed):
            follow_through(job_id, services)
    assert now(services, job_id).in_hand
    services.inbox.client.delete(jobs.lease_of(job_id))  # it expires
    follow_through(job_id, services)

    assert seen(services, job_id) == {"unchanged": 2, "written": 4}
    assert all(len(small_world.lines(ticket)) == 1 for ticket in tickets)


def test_a_ticket_that_nobody_survives_is_left_in_the_end(
    small_world: World, services: Services
) -> None:
    tickets = [small_world.ticket("anna") for _ in range(3)]
    job_id = begin(services)
    services.inbox.client.hset(f"fieldfare:job:{job_id}", "tries", job_runs.HOPELESS)

    with capture_logs() as logs:
        follow_through(job_id, services)

    assert seen(services, job_id) == {"failed": 1, "written": 2}
    assert jobs.left_by(services.inbox.client, job_id) == {tickets[0]: "failed"}
    assert [line["error"] for line in logs if line["event"] == "resync.failed"] == [
        "killed_workers"
    ]
    follow_through(begin(services, left_by=job_id), services)
    assert small_world.values(tickets[0]) == {"Phone": ["1"]}


def test_a_part_that_takes_too_long_is_tried_with_fewer_tickets(
    small_world: World, services: Services
) -> None:
    for _ in range(3):
        small_world.ticket("anna")
    job_id = begin(services)
    for _ in range(job_runs.CAREFUL):
        with pytest.raises(SoftTimeLimitExceeded):
            follow_through(job_id, stumbling(services, SoftTimeLimitExceeded(), 1))
    assert now(services, job_id).tries == job_runs.CAREFUL
    told: list[dict[str, int]] = []

    follow_through(job_id, services, lambda job: told.append(dict(job.counts)))

    assert told[0]["ticket/written"] == 1
    assert seen(services, job_id) == {"written": 3}


def test_events_go_first(small_world: World, services: Services) -> None:
    tickets = [small_world.ticket("anna") for _ in range(3)]
    job_id = begin(services)
    services.inbox.publish(created(tickets[0]))
    time = Time()

    def handle_events(seconds: float) -> None:
        time.pause(seconds)
        entries = services.inbox.read("test")
        enrich(entries, services)
        services.inbox.settle([entry.id for entry in entries])

    assert rests(services) == "1 events in the inbox go first"
    follow_through(job_id, services, pace=Pace(lambda: time.now, handle_events))

    assert time.pauses == [job_runs.REST_SECONDS]
    assert rests(services) == ""
    assert seen(services, job_id) == {"unchanged": 1, "written": 2}


def test_who_stopped_the_events_stopped_resyncs_too(small_world: World, services: Services) -> None:
    small_world.ticket("anna")
    services.inbox.client.hset(guard.STATE, "state", "stopped")
    job_id = begin(services)
    time = Time()

    assert work(services, time.pace())

    assert time.now >= services.settings.resync.work_seconds
    assert now(services, job_id).counts == {}
    assert rests(services).startswith("writing is stopped")


def test_no_more_tickets_are_worked_on_than_asked_for(
    small_world: World, services: Services
) -> None:
    for _ in range(5):
        small_world.ticket("anna")
    time = Time()

    follow_through(begin(services, all_tickets=True, rate=1.0), services, pace=time.pace())

    assert time.pauses == [1.0] * 4  # nothing comes behind the last one


def test_a_job_that_would_empty_too_much_asks_and_events_go_on(
    small_world: World, services: Services
) -> None:
    services = small_world.services(
        resync={"chunk": 5}, guard={"erasures": {"number": 3, "share": 0.1}}
    )
    tickets = [small_world.ticket("stranger") for _ in range(5)]
    for ticket in tickets:
        small_world.otobo.insert_value(ticket, "Phone", value_text="1")
    job_id = begin(services)

    with capture_logs():
        follow_through(job_id, services)

    job = now(services, job_id)
    assert (job.state, job.cursor, job.in_hand) == ("asks", 0, False)
    assert job.why == "5 of 5 fields with a value would have been emptied within 1 hour"
    assert all(small_world.values(ticket) for ticket in tickets)
    assert guard.read(services.inbox.client, services.settings.guard).state == "watching"

    guard.release(services.inbox.client, services.settings.guard, 60, jobs.guard_of(job_id))
    jobs.resume(services.inbox.client, job_id)
    follow_through(job_id, services)
    report = tally.report(now(services, job_id).counts)
    assert (report.fields[0].cleared, now(services, job_id).state) == (5, "done")


def test_a_lost_redis_costs_a_new_job_and_no_wrong_data(
    small_world: World, services: Services
) -> None:
    tickets = [small_world.ticket("anna") for _ in range(6)]
    job_id = begin(services)

    def lose(job: Job) -> None:
        services.inbox.client.flushall()

    with capture_logs() as logs:
        assert follow_through(job_id, services, lose) is None

    assert "resync.lost" in {line["event"] for line in logs}
    follow_through(begin(services), services)
    assert all(len(small_world.lines(ticket)) == 1 for ticket in tickets)


def test_only_the_fields_that_were_asked_for_are_written(small_world: World) -> None:
    small_world.otobo.add_fields(("Phone", "Lastname"))
    small_world.person("anna", "1")
    services = small_world.services({"UserPhone": "Phone", "UserLastname": "Lastname"})
    bare, filled = small_world.ticket("anna"), small_world.ticket("anna")
    small_world.otobo.insert_value(filled, "Lastname", value_text="old")

    job_id = begin(services, field=["Lastname"], only_empty=True)
    follow_through(job_id, services)

    assert now(services, job_id).total == 1
    assert small_world.values(bare) == {"Lastname": ["Doe"]}
    assert small_world.values(filled) == {"Lastname": ["old"]}


# -- a source that does not answer


@pytest.fixture
def hidden(small_world: World) -> Callable[[], None]:
    """The database of the customer users is away; calling this brings it back."""
    file = Path(small_world.crm.url.removeprefix("sqlite:///"))
    away = file.rename(file.with_suffix(".away"))

    def back() -> None:
        away.rename(file)

    return back


def test_a_job_waits_for_a_source_that_most_of_its_tickets_need(
    small_world: World, services: Services, hidden: Callable[[], None]
) -> None:
    for _ in range(5):
        small_world.ticket("anna")
    job_id = begin(services)

    with capture_logs() as logs:
        assert not work(services), "nobody needs to look at it for some seconds"

    assert [one["sources"] for one in logs if one["event"] == "resync.rests"] == [["CustomerUser"]]
    job = now(services, job_id)
    assert (job.state, job.cursor, job.left, job.awaited) == ("running", 0, 0, ("CustomerUser",))
    assert not work(services)
    hidden()
    services.inbox.client.delete(jobs.rest_of(job_id))
    while work(services):
        pass
    assert seen(services, job_id) == {"written": 5}
    assert (now(services, job_id).awaited, now(services, job_id).silent) == ((), ())


def test_a_job_in_this_process_waits_as_well(
    small_world: World, services: Services, hidden: Callable[[], None]
) -> None:
    for _ in range(5):
        small_world.ticket("anna")
    time, told = Time(), []

    def tell(job: Job) -> None:
        told.append(job.awaited)
        if len(told) == 2:
            hidden()

    with capture_logs() as logs:
        job = follow_through(begin(services, local=True), services, tell, time.pace())

    assert job is not None
    assert [one["event"] for one in logs].count("resync.rests") == 1
    assert seen(services, job.id) == {"written": 5}
    assert told[:3] == [("CustomerUser",), ("CustomerUser",), ()]
    assert sum(time.pauses) == 2 * silence.AGAIN_SECONDS


def test_a_source_that_is_away_for_long_is_not_waited_for_again(
    small_world: World, services: Services, hidden: Callable[[], None]
) -> None:
    for _ in range(5):
        small_world.ticket("anna")
    job_id = begin(services)
    work(services)
    services.inbox.client.hincrby(f"fieldfare:job:{job_id}", "silent_since", -3600)
    services.inbox.client.delete(jobs.rest_of(job_id))

    assert not work(services)

    assert now(services, job_id).state == "done"
    assert seen(services, job_id) == {"waiting": 5}
    assert now(services, job_id).left == 5


def test_few_tickets_are_not_waited_for(
    small_world: World, services: Services, hidden: Callable[[], None]
) -> None:
    for _ in range(2):
        small_world.ticket("anna")

    job = follow_through(begin(services), services)

    assert job is not None
    assert (job.state, job.left) == ("done", 2)


@pytest.mark.parametrize(
    ("counts", "left", "expected"),
    [
        ({"ticket/waiting": 1, "ticket/written": 1, "source/waiting/A": 1}, 3, ("A",)),
        ({"ticket/stale": 2, "source/stale/A": 1, "source/waiting/B": 1}, 3, ("A", "B")),
        ({"ticket/waiting": 1, "ticket/written": 2, "source/waiting/A": 1}, 3, ()),
        ({"ticket/waiting": 2, "source/waiting/A": 2}, 2, ()),
        ({"ticket/written": 2, "source/written/A": 2}, 3, ()),
        ({}, 3, ()),
    ],
)
def test_a_source_is_waited_for_if_half_of_many_tickets_need_it(
    counts: dict[str, int], left: int, expected: tuple[str, ...]
) -> None:
    assert silence.awaited(counts, left, ResyncSettings(chunk=2)) == expected


def test_a_source_answers_again_once_it_has_answered_for_a_ticket() -> None:
    counts = {"ticket/written": 1, "ticket/waiting": 1, "source/waiting/A": 1}

    assert not silence.answered({**counts, "source/written/B": 1}, ["A"])
    assert not silence.answered({**counts, "field/write/found/A": 1}, ["A"])
    assert silence.answered({**counts, "source/unchanged/A": 1}, ["A"])
