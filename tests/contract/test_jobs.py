"""Jobs in Redis and Valkey: who has one in hand, and how its cursor moves."""

import dataclasses
from collections.abc import Iterator

import pytest
import redis

from tests.servers import RedisServer
from worker import jobs
from worker.jobs import Job, Order
from worker.manner import Manner
from worker.outcomes import Kind
from worker.tickets.selection import Scope
from worker.tickets.store import Traces

ORDER = Order(Scope(last=100), asked="--all")


@pytest.fixture
def client(broker: RedisServer) -> Iterator[redis.Redis]:
    made = redis.Redis.from_url(broker.url)
    yield made
    made.close()


def begin(client: redis.Redis, order: Order = ORDER, *, local: bool = False) -> Job:
    return found(client, jobs.create(client, order, 40, local=local))


def found(client: redis.Redis, job_id: int) -> Job:
    job = jobs.read(client, job_id)
    assert job is not None
    return job


def move(client: redis.Redis, job: Job, token: str, before: int, after: int) -> jobs.State | None:
    counts = {"ticket/written": 3}
    left = {Kind.WAITING: [7, 8]}
    return jobs.advance(client, job, token, before=before, after=after, counts=counts, left=left)


def test_a_job_begins_where_nobody_has_been(client: redis.Redis) -> None:
    job = begin(client)

    assert dataclasses.replace(job, created=0, touched=0) == Job(
        id=1,
        state="running",
        order=ORDER,
        local=False,
        cursor=0,
        total=40,
        seen=0,
        tries=0,
        created=0,
        touched=0,
        started=None,
        ended=None,
        why="",
        in_hand=False,
        awaited=(),
        silent=(),
        silent_since=None,
        rests=False,
        counts={},
        left=0,
    )
    assert begin(client).id == 2
    assert [one.id for one in jobs.read_all(client)] == [1, 2]


def test_an_order_comes_back_as_it_was(client: redis.Redis) -> None:
    scope = Scope(last=9, tickets=(1, 2), queues=(3,), created_from="2026-01-01 00:00:00")
    manner = Manner(overruled=True, only_empty=True, traces=Traces(False, False))
    order = Order(scope, manner, ("Phone",), 2.5, "--queue Käse")

    assert begin(client, order, local=True).order == order


def test_only_one_has_a_job_in_hand(client: redis.Redis) -> None:
    job = begin(client)

    assert jobs.take(client, job.id, "a")
    assert not jobs.take(client, job.id, "b")
    assert found(client, job.id).in_hand
    assert 0 < client.ttl(jobs.lease_of(job.id)) <= jobs.LEASE_SECONDS  # type: ignore[operator]
    jobs.let_go(client, job.id, "b")
    assert not jobs.take(client, job.id, "b")
    jobs.let_go(client, job.id, "a")
    assert jobs.take(client, job.id, "b")


def test_a_lease_is_renewed_by_its_holder_alone(client: redis.Redis) -> None:
    job = begin(client)
    jobs.take(client, job.id, "a")
    client.expire(jobs.lease_of(job.id), 1)

    assert not jobs.renew(client, job.id, "b")
    assert jobs.renew(client, job.id, "a")
    assert client.ttl(jobs.lease_of(job.id)) > 1  # type: ignore[operator]


def test_a_part_is_noted_with_its_numbers(client: redis.Redis) -> None:
    job = begin(client)
    jobs.take(client, job.id, "a")

    assert move(client, job, "a", 0, 10) == "running"
    assert move(client, job, "a", 10, 20) == "running"

    now = found(client, job.id)
    assert (now.cursor, now.tries, now.counts, now.left) == (20, 0, {"ticket/written": 6}, 4)
    assert jobs.left_by(client, job.id) == {7: Kind.WAITING, 8: Kind.WAITING}


@pytest.mark.parametrize(("token", "before"), [("b", 0), ("a", 5)])
def test_nobody_else_and_from_nowhere_else_is_the_cursor_moved(
    client: redis.Redis, token: str, before: int
) -> None:
    job = begin(client)
    jobs.take(client, job.id, "a")

    assert move(client, job, token, before, 10) is None
    assert (found(client, job.id).cursor, found(client, job.id).counts) == (0, {})


def test_who_lost_the_lease_moves_nothing(client: redis.Redis) -> None:
    job = begin(client)
    jobs.take(client, job.id, "a")
    client.delete(jobs.lease_of(job.id))  # it expired
    jobs.take(client, job.id, "b")
    assert move(client, job, "b", 0, 10) == "running"

    assert move(client, job, "a", 0, 10) is None
    assert found(client, job.id).counts == {"ticket/written": 3}


def test_the_last_part_ends_a_job(client: redis.Redis) -> None:
    job = begin(client)
    jobs.take(client, job.id, "a")

    assert move(client, job, "a", 0, 100) == "done"

    ended = found(client, job.id)
    assert (ended.state, ended.ended is not None) == ("done", True)
    for key in ("", ":counts", ":left"):
        ttl: object = client.ttl(f"{jobs.PREFIX}{job.id}{key}")
        assert 0 < ttl <= jobs.KEEP_SECONDS  # type: ignore[operator]
    jobs.let_go(client, job.id, "a")
    assert not jobs.take(client, job.id, "b")


def test_a_job_waits_and_goes_on_where_it_was(client: redis.Redis) -> None:
    job = begin(client)
    jobs.take(client, job.id, "a")

    assert jobs.pause(client, job.id) == "running"
    assert move(client, job, "a", 0, 10) == "paused"
    jobs.let_go(client, job.id, "a")
    assert not jobs.take(client, job.id, "a")
    assert jobs.resume(client, job.id) == "paused"
    assert jobs.take(client, job.id, "a")
    assert found(client, job.id).cursor == 10


def test_a_job_asks_and_says_why(client: redis.Redis) -> None:
    job = begin(client)

    jobs.ask(client, job.id, "300 of 310 fields")

    assert (found(client, job.id).state, found(client, job.id).why) == ("asks", "300 of 310 fields")
    assert jobs.resume(client, job.id, local=True) == "asks"
    assert (found(client, job.id).why, found(client, job.id).local) == ("", True)


def test_a_cancelled_job_stays_cancelled(client: redis.Redis) -> None:
    job = begin(client)
    jobs.take(client, job.id, "a")

    assert jobs.cancel(client, job.id) == "running"

    assert move(client, job, "a", 0, 100) == "cancelled"
    assert jobs.resume(client, job.id) == "cancelled"
    assert found(client, job.id).state == "cancelled"
    assert client.ttl(jobs.PREFIX + str(job.id)) > 0  # type: ignore[operator]


def test_a_holder_that_died_is_counted_and_one_that_let_go_is_not(client: redis.Redis) -> None:
    job = begin(client)
    for died in range(1, 4):
        jobs.take(client, job.id, "a")
        assert found(client, job.id).tries == died
        client.delete(jobs.lease_of(job.id))
    jobs.take(client, job.id, "a")
    jobs.let_go(client, job.id, "a", overrun=True)
    assert found(client, job.id).tries == 4
    jobs.take(client, job.id, "a")
    jobs.let_go(client, job.id, "a")

    assert found(client, job.id).tries == 0


def test_a_redis_that_lost_everything_has_no_jobs(client: redis.Redis) -> None:
    job = begin(client)
    jobs.take(client, job.id, "a")
    client.flushall()

    assert jobs.read(client, job.id) is None
    assert move(client, job, "a", 0, 10) is None
    jobs.let_go(client, job.id, "a")
    for change in (jobs.pause, jobs.resume, jobs.cancel):
        assert change(client, job.id) is None  # type: ignore[operator]
    assert jobs.read_all(client) == []


def test_a_job_that_expired_is_no_longer_listed(client: redis.Redis) -> None:
    job, other = begin(client), begin(client)
    client.delete(jobs.PREFIX + str(job.id))

    assert [one.id for one in jobs.read_all(client)] == [other.id]
    assert client.zcard(jobs.JOBS) == 1


def test_no_more_tickets_are_listed_than_there_is_room_for(
    client: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jobs, "MOST_LEFT", 3)
    job = begin(client)
    jobs.take(client, job.id, "a")

    move(client, job, "a", 0, 10)
    move(client, job, "a", 10, 20)

    assert found(client, job.id).left == 3


def test_a_job_waits_for_sources_for_a_while(client: redis.Redis) -> None:
    job = begin(client)
    away = ("CustomerUser", "CustomerUser1")
    assert jobs.rest(client, job, "us", away, again=5, most=60) is None
    jobs.take(client, job.id, "us")

    assert jobs.rest(client, job, "us", away, again=5, most=60)
    resting = found(client, job.id)
    assert (resting.awaited, resting.silent, resting.rests) == (away, away, True)
    assert 0 < client.ttl(jobs.rest_of(job.id)) <= 5

    client.hincrby(f"fieldfare:job:{job.id}", "silent_since", -60)
    assert jobs.rest(client, job, "us", away, again=5, most=60) is False
    going_on = found(client, job.id)
    assert (going_on.awaited, going_on.silent) == ((), away)

    jobs.heard(client, job)
    assert found(client, job.id).silent == ()
    assert jobs.rest(client, job, "us", away, again=5, most=60)


def test_a_job_that_is_resumed_waits_anew(client: redis.Redis) -> None:
    job = begin(client)
    jobs.take(client, job.id, "us")
    jobs.rest(client, job, "us", ["CustomerUser"], again=5, most=60)
    jobs.pause(client, job.id)

    assert found(client, job.id).silent_since is None
