"""What workers know of sources, shared over real brokers."""

import json
import threading

import pytest
import redis
from structlog.testing import capture_logs

from directory.breaker import Circuit, Limits, Observation
from tests.clock import Clock
from tests.servers import RedisServer
from worker import source_states
from worker.source_states import KEY, LOOK_AGAIN, SourceStates

AWAY = Observation("LDAPSocketOpenError: refused", 0.01)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def client(broker: RedisServer) -> redis.Redis:
    return redis.Redis.from_url(broker.url)


def seen(client: redis.Redis) -> dict[str, tuple[str, float]]:
    return {
        slot: ("up" if circuit.up else "down", circuit.since)
        for slot, circuit in source_states.read(client).items()
    }


def commands(broker: RedisServer) -> int:
    with broker.client() as client:
        info = client.info("commandstats")
    return sum(
        info.get(f"cmdstat_{name}", {}).get("calls", 0)
        for name in ("hget", "hgetall", "hset", "evalsha")
    )


def test_an_outage_is_told_once_and_so_is_its_end(client: redis.Redis, clock: Clock) -> None:
    states = SourceStates(client, clock)
    states.note({"": Observation()})
    assert seen(client) == {"": ("up", 1000.0)}

    for clock.now in (1005.0, 1020.0):
        states.note({"": AWAY})
    assert seen(client) == {"": ("down", 1005.0)}
    told = json.loads(client.hgetall(KEY)[b""])  # type: ignore[index]
    assert (told["state"], told["since"], told["reason"]) == ("down", 1005.0, AWAY.reason)

    clock.now = 1040.0
    states.note({"": Observation()})
    assert seen(client) == {"": ("up", 1040.0)}
    assert json.loads(client.hgetall(KEY)[b""])["state"] == "up"  # type: ignore[index]


def test_a_batch_costs_nothing_while_nothing_changes(
    client: redis.Redis, broker: RedisServer, clock: Clock
) -> None:
    states = SourceStates(client, clock)
    states.outages()
    states.note({"": Observation()})
    before = commands(broker)

    for _ in range(10):
        assert states.outages() == {}
        states.note({"": Observation()})
    assert commands(broker) == before

    clock.now += LOOK_AGAIN
    assert states.outages() == {}
    assert commands(broker) == before + 1


def test_the_failures_of_all_workers_count_together(client: redis.Redis, clock: Clock) -> None:
    workers = [SourceStates(client, clock) for _ in range(4)]
    for worker in workers[:3]:
        worker.note({"1": AWAY})

    assert workers[3].outages() == {
        "1": "not asked for now, since it did not answer: LDAPSocketOpenError: refused"
    }
    clock.now += LOOK_AGAIN
    assert all("1" in worker.outages() for worker in workers)


def test_what_many_see_at_the_same_time_is_all_counted(broker: RedisServer) -> None:
    together = threading.Barrier(8)

    def fail() -> None:
        with redis.Redis.from_url(broker.url) as client:
            states = SourceStates(client, limits=Limits(failures=1000))
            together.wait(10)
            for _ in range(5):
                states.note({"1": AWAY})

    threads = [threading.Thread(target=fail) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)

    with redis.Redis.from_url(broker.url) as client:
        assert source_states.read(client)["1"].failures == 40


def test_a_probe_is_made_by_one_process_and_its_answer_is_known_to_all(
    client: redis.Redis, clock: Clock
) -> None:
    ours, theirs = SourceStates(client, clock), SourceStates(client, clock)
    with capture_logs() as logs:
        for _ in range(3):
            ours.note({"1": AWAY})
    assert [(line["event"], line["source"]) for line in logs] == [
        ("source.not_asked", "CustomerUser1")
    ]

    assert theirs.begin_probe("1", 30.0)
    assert not ours.begin_probe("1", 30.0)
    clock.now += LOOK_AGAIN
    assert "1" in ours.outages()
    with capture_logs() as logs:
        theirs.end_probe("1", Observation())
    assert [(line["event"], line["after_seconds"]) for line in logs] == [("source.answers", 1.0)]

    clock.now += LOOK_AGAIN
    assert ours.outages() == {}
    assert not ours.begin_probe("1", 30.0)


def test_a_probe_of_a_process_that_died_is_another_s_to_make(
    client: redis.Redis, clock: Clock
) -> None:
    ours, theirs = SourceStates(client, clock), SourceStates(client, clock)
    ours.note({"1": AWAY})
    assert theirs.begin_probe("1", 30.0)

    clock.now += 30.0
    assert ours.begin_probe("1", 30.0)


def test_nothing_is_probed_that_nobody_asked_or_that_answers(
    client: redis.Redis, clock: Clock
) -> None:
    states = SourceStates(client, clock)
    states.note({"": Observation()})

    assert not states.begin_probe("", 30.0)
    assert not states.begin_probe("7", 30.0)
    assert list(seen(client)) == [""]


def test_without_redis_a_process_decides_by_what_it_saw_itself(
    broker: RedisServer, client: redis.Redis, clock: Clock
) -> None:
    states = SourceStates(client, clock)
    broker.stop()
    try:
        for _ in range(3):
            assert states.outages() == {}
            states.note({"1": AWAY})
        assert "1" in states.outages()
        assert states.begin_probe("1", 30.0)
        states.end_probe("1", Observation())
        assert states.outages() == {}
    finally:
        broker.start()


def test_a_redis_that_lost_everything_is_believed(
    broker: RedisServer, client: redis.Redis, clock: Clock
) -> None:
    states = SourceStates(client, clock)
    for _ in range(3):
        states.note({"1": AWAY})
    broker.flush()
    clock.now += LOOK_AGAIN

    assert states.outages() == {}


@pytest.mark.parametrize(
    ("stored", "circuit"),
    [
        ('{"state": "up", "since": 1.0, "reason": ""}', Circuit(since=1.0)),
        (
            '{"state": "down", "since": 1.0, "reason": "away"}',
            Circuit(since=1.0, reason="away", failures=1),
        ),
        ('{"state": "up", "since": 1.0, "of_a_later_version": 1}', Circuit(since=1.0)),
    ],
)
def test_what_another_version_told_is_understood(stored: str, circuit: Circuit) -> None:
    assert source_states.parse({"1": stored}) == {"1": circuit}
