"""Real worker processes: killed, told to stop, and left without Redis."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from threading import Event
from typing import Any

import pytest
import redis
from celery.exceptions import Reject
from structlog.testing import capture_logs

from tests.duties import IDLE
from tests.inbox_stats import stats
from tests.servers import RedisServer
from worker import dead_letters
from worker.app import caller, configure, make_app
from worker.inbox import Inbox, connect

ROOT = Path(__file__).parents[2]


def until(condition: Callable[[], object], what: str, seconds: float = 40.0) -> None:
    """Wait for a condition; Redis may be away meanwhile."""
    deadline = time.monotonic() + seconds
    pause = Event()
    while True:
        try:
            if condition():
                return
        except (redis.ConnectionError, redis.TimeoutError):
            pass  # it is being restarted, which is what such a test is about
        assert time.monotonic() < deadline, f"not within {seconds} s: {what}"
        pause.wait(0.02)


class Worker:
    """A ``celery worker`` with beat, in a process group of its own."""

    def __init__(self, url: str, pool: str, log: Path) -> None:
        self.log = log
        with log.open("ab") as output:
            self.process = subprocess.Popen(
                [
                    *(sys.executable, "-m", "celery", "-A", "tests.integration.worker_app"),
                    *("worker", "-B", "-P", pool, "-c", "1", "-l", "warning"),
                    *("--without-gossip", "--without-mingle"),
                ],
                cwd=ROOT,
                env={**os.environ, "WORKER_APP_REDIS_URL": url, "PYTHONPATH": str(ROOT)},
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    @property
    def running(self) -> bool:
        return self.process.poll() is None

    def said(self, text: str) -> bool:
        return text in self.log.read_text(errors="replace")

    def terminate(self) -> None:
        self.process.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        """SIGKILL to the worker, its children and beat; nobody cleans anything up."""
        if self.running:
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait(10)


Start = Callable[..., Worker]


@pytest.fixture
def start(broker: RedisServer, tmp_path: Path) -> Iterator[Start]:
    workers: list[Worker] = []

    def start_worker(pool: str = "solo") -> Worker:
        worker = Worker(broker.url, pool, tmp_path / f"worker-{len(workers)}.log")
        workers.append(worker)
        return worker

    yield start_worker
    for worker in workers:
        worker.kill()


@pytest.fixture
def client(broker: RedisServer) -> redis.Redis:
    return connect(broker.url)


@pytest.fixture
def inbox(client: redis.Redis) -> Inbox:
    return Inbox(client, lambda: None)


def publish(inbox: Inbox, first: int, last: int) -> None:
    inbox.publish_many(
        {"type": "ticket.created", "ticket_id": str(number)} for number in range(first, last + 1)
    )


def done(client: redis.Redis) -> set[int]:
    return {int(ticket) for ticket in client.lrange("test:done", 0, -1)}


def is_empty(inbox: Inbox) -> bool:
    numbers = stats(inbox)
    return numbers.length == 0 and not numbers.pending


@pytest.mark.parametrize("pool", ["solo", "prefork"])
def test_a_worker_killed_in_the_middle_of_a_batch_loses_nothing(
    start: Start, inbox: Inbox, client: redis.Redis, pool: str
) -> None:
    client.set("test:gate", 1)
    publish(inbox, 1, 50)
    victim = start(pool)
    until(lambda: client.llen("test:done") == 10, "half of the first batch is done")
    victim.kill()
    assert done(client) == set(range(1, 11)), "killed when half of the batch was done"
    client.delete("test:gate")

    start(pool)

    until(lambda: is_empty(inbox), "everything is settled")
    assert done(client) == set(range(1, 51))
    assert stats(inbox).dead == 0


def test_a_killed_child_is_replaced_and_loses_nothing(
    start: Start, inbox: Inbox, client: redis.Redis
) -> None:
    client.set("test:gate", 1)
    publish(inbox, 1, 5)
    worker = start("prefork")
    until(lambda: client.llen("test:begun") == 5, "the batch is begun")
    (consumer,) = stats(inbox).pending
    client.delete("test:gate")
    os.kill(int(consumer.split("-")[-2]), signal.SIGKILL)

    until(lambda: is_empty(inbox), "everything is settled")

    assert done(client) == {1, 2, 3, 4, 5}
    assert worker.running


def test_sigterm_finishes_the_batch_at_hand(
    start: Start, inbox: Inbox, client: redis.Redis
) -> None:
    client.set("test:gate", 1)
    publish(inbox, 1, 30)
    worker = start("solo")
    until(lambda: client.llen("test:begun") == 20, "the first batch is begun")

    worker.terminate()
    until(lambda: worker.said("Warm shutdown"), "it heard the signal")
    client.rpush("test:open", 1)

    assert worker.process.wait(20) == 0
    assert done(client) == set(range(1, 21))
    assert stats(inbox).length == 10
    assert stats(inbox).pending == {}


def test_sigterm_lets_a_child_finish_what_it_holds(
    start: Start, inbox: Inbox, client: redis.Redis
) -> None:
    client.set("test:gate", 1)
    publish(inbox, 1, 5)
    worker = start("prefork")
    until(lambda: client.llen("test:begun") == 5, "the batch is begun")

    worker.terminate()
    until(lambda: worker.said("Warm shutdown"), "it heard the signal")
    client.rpush("test:open", 1)

    assert worker.process.wait(20) == 0
    assert done(client) == {1, 2, 3, 4, 5}
    assert is_empty(inbox)


@pytest.mark.parametrize("pool", ["solo", "prefork"])
def test_a_worker_goes_on_when_redis_was_killed_and_is_back(
    start: Start, broker: RedisServer, inbox: Inbox, client: redis.Redis, pool: str
) -> None:
    worker = start(pool)
    publish(inbox, 1, 1)
    until(lambda: done(client) == {1}, "the worker works")

    broker.kill()
    broker.start()
    until(client.ping, "Redis answers")
    publish(inbox, 2, 30)

    until(lambda: {*range(2, 31)} <= done(client) and is_empty(inbox), "the worker works again")
    assert worker.running


def test_a_worker_goes_on_after_flushall(
    start: Start, broker: RedisServer, inbox: Inbox, client: redis.Redis
) -> None:
    start()
    publish(inbox, 1, 1)
    until(lambda: done(client) == {1}, "the worker works")

    broker.flush()
    publish(inbox, 2, 2)

    until(lambda: done(client) == {2} and is_empty(inbox), "the worker works again")


def application(url: str) -> tuple[Any, Inbox]:
    """A producer's end of the application."""
    box = Inbox(connect(url), lambda: None)
    app = make_app(lambda: configure(url, 60), replace(IDLE, inbox=lambda: box))
    return app, box


def test_producers_that_speak_celery_are_heard(
    start: Start, broker: RedisServer, inbox: Inbox, client: redis.Redis
) -> None:
    app, _ = application(broker.url)
    start()

    app.send_task("ticket.created", args=[4711], kwargs={"screen": "AgentTicketPhone"})
    app.send_task("ticket.customer_changed", kwargs={"ticket_id": "4712", "fields": ["A", "B"]})

    until(lambda: done(client) == {4711, 4712} and is_empty(inbox), "both are handled")
    app.close()


@pytest.mark.parametrize(
    ("task", "arguments", "fields"),
    [
        (
            "ticket.created",
            {"ticket_id": 4711, "fields": ["A"], "user_id": 7, "screen": None},
            {
                "type": "ticket.created",
                "ticket_id": "4711",
                "fields": '["A"]',
                "user_id": "7",
            },
        ),
        (
            "ticket.customer_changed",
            {"ticket_id": "4712", "event_id": "x-1"},
            {"type": "ticket.customer_changed", "ticket_id": "4712", "event_id": "x-1"},
        ),
    ],
)
def test_a_celery_event_lies_in_the_inbox_as_text(
    broker: RedisServer, task: str, arguments: Mapping[str, Any], fields: Mapping[str, str]
) -> None:
    app, box = application(broker.url)

    app.tasks[task](**arguments)

    assert box.read("a")[0].fields == fields


def test_a_celery_event_without_its_ticket_is_kept_in_the_inbox(broker: RedisServer) -> None:
    app, box = application(broker.url)

    app.tasks["ticket.created"](screen="AgentTicketPhone")

    assert box.read("a")[0].fields == {"type": "ticket.created", "screen": "AgentTicketPhone"}


def test_an_event_from_celery_outlives_a_full_redis(
    broker: RedisServer, client: redis.Redis
) -> None:
    app, box = application(broker.url)
    client.config_set("maxmemory", 1)
    try:
        with pytest.raises(Reject) as caught:
            app.tasks["ticket.created"](4711)
    finally:
        client.config_set("maxmemory", 0)

    assert caught.value.requeue
    assert box.read("a") == []


def test_the_bells_message_expires_and_lies_under_our_prefix(
    broker: RedisServer, client: redis.Redis
) -> None:
    app, _ = application(broker.url)

    caller(app)()

    assert client.llen("fieldfare:celery:events") == 1
    assert b'"task": "inbox.drain"' in client.lindex("fieldfare:celery:events", 0)
    assert b'"expires": "2' in client.lindex("fieldfare:celery:events", 0)
    assert all(key.startswith(b"fieldfare:celery:") for key in client.scan_iter())
    app.close()


def test_who_saw_something_wait_looks_after_it_with_each_drain_until_nothing_waits(
    broker: RedisServer,
) -> None:
    box = Inbox(connect(broker.url), lambda: None)
    again = iter([True, True, False])
    duties = replace(IDLE, inbox=lambda: box, come_back=lambda: next(again))
    app = make_app(lambda: configure(broker.url, 60), duties)

    app.tasks["inbox.drain"]()
    assert next(again), "nothing was known to wait"
    app.tasks["inbox.release"]()
    app.tasks["inbox.drain"]()
    app.tasks["inbox.drain"]()

    assert next(again, "none is left") == "none is left"


def test_a_release_without_redis_is_left_to_the_next_one(broker: RedisServer) -> None:
    def fail() -> bool:
        raise redis.ConnectionError

    app = make_app(dict, replace(IDLE, come_back=fail))
    with capture_logs() as logs:
        app.tasks["inbox.release"]()

    assert [(line["event"], line["error"]) for line in logs] == [
        ("release.interrupted", "ConnectionError")
    ]


def test_tidying_is_a_task(broker: RedisServer) -> None:
    app, box = application(broker.url)
    box.publish({"type": "ticket.created", "ticket_id": "1"})

    app.tasks["inbox.tidy"]()

    assert stats(box).length == 1
    assert dead_letters.read(box) == []
