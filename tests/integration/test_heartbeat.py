"""Heartbeats over a real Redis: told, fallen silent, and not mistaken while Redis is away."""

import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import redis
from celery import Celery
from celery.schedules import schedule
from structlog.testing import capture_logs

from tests.clock import Clock
from tests.servers import RedisServer
from worker import heartbeat
from worker.heartbeat import Alive, Heartbeat

PATIENCE = 120.0
KEY = "fieldfare:worker:fieldfare-4711@here"


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def server(redis_server: RedisServer) -> RedisServer:
    redis_server.start()
    redis_server.flush()
    return redis_server


@pytest.fixture
def client(server: RedisServer) -> Iterator[redis.Redis]:
    with server.client() as client:
        yield client


@pytest.fixture
def who() -> Alive:
    return heartbeat.this_process("worker", "events", 2, "fieldfare-4711@here")


@pytest.fixture
def file(tmp_path: Path, who: Alive) -> Path:
    return tmp_path / f"worker-{who.pid}"


@pytest.fixture
def beating(who: Alive, server: RedisServer, tmp_path: Path, clock: Clock) -> Heartbeat:
    return Heartbeat(who, heartbeat.connect(server.url), tmp_path, PATIENCE, clock)


def age(file: Path) -> None:
    os.utime(file, (0, 0))


def test_a_process_that_beats_is_alive(
    beating: Heartbeat, client: redis.Redis, who: Alive, file: Path
) -> None:
    assert beating.beat()

    assert heartbeat.alive(client) == [who]
    assert 0 < client.ttl(KEY) <= 30
    assert file.exists()


def test_the_key_holds_what_was_agreed(beating: Heartbeat, client: redis.Redis) -> None:
    beating.beat()

    told = json.loads(str(client.get(KEY)))
    assert sorted(told) == sorted(
        ["name", "role", "queue", "host", "pid", "concurrency", "version", "started", "settings"]
    )
    assert (told["role"], told["queue"], told["concurrency"]) == ("worker", "events", 2)


def test_the_first_beat_is_given_at_once_and_the_end_takes_all_away(
    beating: Heartbeat, client: redis.Redis, tmp_path: Path
) -> None:
    client.config_set("notify-keyspace-events", "K$")
    with client.pubsub() as pubsub:
        pubsub.psubscribe("__keyspace@*__:fieldfare:worker:*")
        pubsub.get_message(timeout=10)  # the subscription itself
        beating.start()
        assert pubsub.get_message(timeout=10), "it was told"
    client.config_set("notify-keyspace-events", "")

    beating.stop()

    assert heartbeat.alive(client) == []
    assert list(client.scan_iter("fieldfare:*")) == []
    assert list(tmp_path.iterdir()) == []


def test_one_that_was_killed_is_not_alive_once_its_key_is_gone(
    beating: Heartbeat, client: redis.Redis
) -> None:
    beating.beat()
    client.delete(KEY)

    assert heartbeat.alive(client) == []


def test_without_redis_it_stays_well_and_says_once_that_it_is_not_heard(
    server: RedisServer, beating: Heartbeat, clock: Clock, file: Path
) -> None:
    beating.moved()
    beating.beat()
    server.stop()
    with capture_logs() as logs:
        for _ in range(3):
            age(file)
            clock.now += PATIENCE
            assert beating.beat()
            assert file.stat().st_mtime > 0

    assert [(line["event"], line["reason"]) for line in logs] == [
        ("heartbeat.not_told", "ConnectionError")
    ]


def test_a_loop_that_stands_still_though_redis_answers_falls_silent(
    beating: Heartbeat, clock: Clock, file: Path, client: redis.Redis
) -> None:
    beating.moved()
    beating.beat()
    clock.now += PATIENCE + 1
    age(file)
    client.delete(KEY)
    with capture_logs() as logs:
        assert not beating.beat()
        assert not beating.beat()

    assert file.stat().st_mtime == 0
    assert heartbeat.alive(client) == []
    assert [line["event"] for line in logs] == ["heartbeat.stands_still"]
    beating.moved()
    assert beating.beat()
    assert file.stat().st_mtime > 0


def test_a_loop_has_all_its_patience_after_an_outage(
    beating: Heartbeat, clock: Clock, server: RedisServer
) -> None:
    beating.moved()
    beating.beat()
    server.stop()
    clock.now += PATIENCE
    beating.beat()
    server.start()
    clock.now += PATIENCE
    assert beating.beat()
    clock.now += PATIENCE
    assert beating.beat()
    clock.now += 1
    assert not beating.beat()


def test_a_process_without_a_loop_to_watch_is_not_accused(beating: Heartbeat, clock: Clock) -> None:
    beating.beat()
    clock.now += 10 * PATIENCE

    assert beating.beat()


def test_where_no_file_can_be_written_redis_is_told_all_the_same(
    who: Alive, server: RedisServer, tmp_path: Path, client: redis.Redis
) -> None:
    (tmp_path / "taken").touch()
    beating = Heartbeat(who, heartbeat.connect(server.url), tmp_path / "taken", PATIENCE)
    with capture_logs() as logs:
        beating.beat()
        beating.beat()

    assert heartbeat.alive(client) == [who]
    assert [(line["event"], line["log_level"]) for line in logs] == [
        ("heartbeat.no_file", "warning")
    ]
    assert str(tmp_path / "taken") in logs[0]["reason"]


def test_systemd_is_told_of_one_that_is_well_alone(
    beating: Heartbeat, clock: Clock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        systemd.bind(str(tmp_path / "notify"))
        systemd.setblocking(False)
        monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
        monkeypatch.setenv("WATCHDOG_USEC", "1")
        beating.moved()
        assert beating.beat()
        assert systemd.recv(100) == b"WATCHDOG=1"

        clock.now += 1000
        assert not beating.beat()
        with pytest.raises(BlockingIOError):
            systemd.recv(100)
    beating.stop()


def test_names_of_the_dead_are_forgotten_after_an_hour(
    beating: Heartbeat, client: redis.Redis
) -> None:
    client.zadd("fieldfare:workers", {"long-gone": 1})

    beating.beat()

    assert client.zrange("fieldfare:workers", 0, -1) == ["fieldfare-4711@here"]


def test_the_codec_of_host_names_is_there_before_a_thread_could_import_it() -> None:
    # A child that is forked in the middle of that import could never look up a host again.
    asked = "import sys, worker.heartbeat; sys.exit('encodings.idna' not in sys.modules)"
    assert subprocess.run([sys.executable, "-c", asked], check=False).returncode == 0


def test_a_scheduler_sleeps_until_something_is_due() -> None:
    # Celery's own wakes up 10 ms before, and asks the clock until it is time: half of what an idle
    # worker costs.
    begin = datetime(2026, 11, 23, tzinfo=UTC)
    now = begin
    application = Celery("tried", set_as_current=False)
    heartbeat.attach(application)
    scheduler = application.conf.beat_scheduler(app=application, lazy=True)
    every_second = schedule(1.0, nowfun=lambda: now, app=application)
    scheduler.merge_inplace({"ring": {"task": "ring", "schedule": every_second}})

    for left in (0.9, 0.009, 0.001):
        now = begin + timedelta(seconds=1 - left)
        assert scheduler.tick() == pytest.approx(left)
