"""Waiting for an admin worker that never comes, takes its time, or loses its Redis on the way."""

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from typing import Any

import pytest
import redis

from tests.servers import RedisServer
from worker import heartbeat
from worker.calling import QUEUE_KEY, RESULT_KEY, Interrupted, NoAnswer, Patience, ask
from worker.settings import Settings

IMPATIENT = Patience(not_taken=0.4, nobody=0.2, away=0.4)
LONG = Patience(not_taken=30, nobody=30, away=30)

Answer = Callable[[redis.Redis, str], None]
"""What stands in for an admin worker does with a call that it took."""


@pytest.fixture
def client(redis_server: RedisServer) -> Iterator[redis.Redis]:
    redis_server.start()
    redis_server.flush()
    with redis.Redis.from_url(redis_server.url) as made:
        yield made
    redis_server.start()


@pytest.fixture
def settings(redis_server: RedisServer) -> Settings:
    return Settings(tickets={"url": "sqlite:///nowhere"}, redis={"url": redis_server.url})


def asked(settings: Settings, patience: Patience = IMPATIENT) -> dict[str, Any]:
    return ask("customer_user.get", {"login": "anna"}, "me@here", settings, patience)


def says(client: redis.Redis, call: str, status: str, result: Any = None) -> None:
    client.set(RESULT_KEY + call, json.dumps({"status": status, "result": result}))


@contextmanager
def taker(client: redis.Redis, answer: Answer) -> Iterator[list[Any]]:
    """Takes one call out of the queue, as a worker does, and answers as a test wants it to."""
    taken: list[Any] = []

    def take() -> None:
        row: Any = client.brpop([QUEUE_KEY], timeout=30)
        taken.append(json.loads(row[1]))
        answer(client, taken[0]["headers"]["id"])

    thread = threading.Thread(target=take)
    thread.start()
    yield taken
    thread.join()


def left(client: redis.Redis) -> list[bytes]:
    """What a call left behind in Redis; not the signs of life of others."""
    return [key for key in client.scan_iter() if b":worker" not in key]


def seem_alive(client: redis.Redis) -> None:
    """As if an admin worker had just said that it is alive."""
    who = heartbeat.this_process("worker", "admin", name="a")
    client.set(heartbeat.PREFIX + who.name, json.dumps(asdict(who)))
    client.zadd(heartbeat.NAMES, {who.name: who.started})


def test_the_answer_is_taken_away(client: redis.Redis, settings: Settings) -> None:
    def answer(client: redis.Redis, call: str) -> None:
        says(client, call, "STARTED")
        says(client, call, "SUCCESS", {"password": "made"})

    with taker(client, answer) as taken:
        assert asked(settings, LONG) == {"password": "made"}

    assert left(client) == []
    headers = taken[0]["headers"]
    assert (headers["task"], headers["argsrepr"], headers["kwargsrepr"]) == (
        "customer_user.get",
        "",
        "",
    )
    assert headers["expires"] is not None


def test_where_no_worker_is_alive_the_call_is_taken_back_soon(
    client: redis.Redis, settings: Settings
) -> None:
    with pytest.raises(NoAnswer, match="start one with: fieldfare admin-worker, or use --local"):
        asked(settings, Patience(not_taken=30, nobody=0.1))

    assert left(client) == []


def test_where_all_are_busy_the_call_is_taken_back_later(
    client: redis.Redis, settings: Settings
) -> None:
    seem_alive(client)

    with pytest.raises(NoAnswer, match=r"they are busy, or stand still.*nothing was done"):
        asked(settings)

    assert left(client) == []


def test_one_that_was_taken_and_never_begun_may_be_done(
    client: redis.Redis, settings: Settings
) -> None:
    with (
        taker(client, lambda _, __: None),
        pytest.raises(NoAnswer, match="did not begin; it may have been done"),
    ):
        asked(settings)


def test_one_that_was_begun_and_never_answered_may_be_done(
    client: redis.Redis, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("worker.admin_queue.time_limit", lambda _: 0.1)
    with (
        taker(client, lambda client, call: says(client, call, "STARTED")),
        pytest.raises(NoAnswer, match="did not answer; it may have been done"),
    ):
        asked(settings)


def test_one_whose_worker_is_gone_may_be_done(
    client: redis.Redis, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("worker.calling._ASK_WHO_LIVES_EVERY", 0.0)
    alive = heartbeat.alive

    def dies(client: redis.Redis) -> Any:
        """Its last sign of life expires after it was seen once."""
        found = alive(client)
        client.delete(heartbeat.PREFIX + "a")
        return found

    def take(client: redis.Redis, call: str) -> None:
        seem_alive(client)
        says(client, call, "STARTED", {"pid": 1, "hostname": "a"})

    monkeypatch.setattr(heartbeat, "alive", dies)
    patience = Patience(not_taken=30, nobody=30, away=0.1)
    with (
        taker(client, take),
        pytest.raises(NoAnswer, match="took the call is gone; it may have been done"),
    ):
        asked(settings, patience)


@pytest.mark.parametrize(
    ("status", "said"),
    [("FAILURE", "its log says why; it may have been done"), ("REVOKED", "nothing was done")],
)
def test_a_worker_that_does_not_do_it_is_told(
    client: redis.Redis, settings: Settings, status: str, said: str
) -> None:
    with (
        taker(client, lambda client, call: says(client, call, status)),
        pytest.raises(NoAnswer, match=said),
    ):
        asked(settings, LONG)

    assert left(client) == []


def test_a_redis_that_comes_back_in_time_is_waited_for(
    redis_server: RedisServer, client: redis.Redis, settings: Settings
) -> None:
    def answer(client: redis.Redis, call: str) -> None:
        says(client, call, "STARTED")
        redis_server.stop()
        redis_server.start()
        with redis.Redis.from_url(redis_server.url) as again:
            says(again, call, "SUCCESS", {"answer": "absent"})

    with taker(client, answer):
        assert asked(settings, LONG) == {"answer": "absent"}


def test_a_redis_that_stays_away_ends_the_wait(
    redis_server: RedisServer, client: redis.Redis, settings: Settings
) -> None:
    with (
        taker(client, lambda _, __: redis_server.stop()),
        pytest.raises(NoAnswer, match=r"Redis does not answer any more.*may have been done"),
    ):
        asked(settings)


def test_a_redis_that_is_away_is_told_before_anything_is_sent(
    redis_server: RedisServer, client: redis.Redis, settings: Settings
) -> None:
    redis_server.stop()

    with pytest.raises(redis.ConnectionError):
        asked(settings)


@pytest.mark.parametrize(
    ("taken", "said"), [(False, "taken back, and nothing was done"), (True, "may have taken")]
)
def test_who_does_not_want_to_wait_hears_what_becomes_of_the_call(
    client: redis.Redis,
    settings: Settings,
    monkeypatch: pytest.MonkeyPatch,
    taken: bool,
    said: str,
) -> None:
    def rest(_: float) -> None:
        """Ctrl-C comes in the first rest, when the message is in the queue, or is not any more."""
        if taken:
            assert client.rpop(QUEUE_KEY)
        assert client.llen(QUEUE_KEY) == (0 if taken else 1)
        raise KeyboardInterrupt

    monkeypatch.setattr("worker.calling.time.sleep", rest)

    with pytest.raises(Interrupted, match=said):
        asked(settings, LONG)

    assert left(client) == []
