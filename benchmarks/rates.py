"""How many events a second do two worker processes carry, beside Celery doing nothing?

Events are in the inbox before the worker starts. The clock runs from the moment that the first
of them is taken until the last of them has left, by the inbox itself.
"""

from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import redis

from benchmarks import noop
from benchmarks.processes import Process, running
from worker.inbox import EVENTS, GROUP

PROCESSES = 2

LOOK_EVERY = 0.05
"""Seconds. Whoever looked more often for the end would take time from what is measured."""


def noop_rate(redis_url: str, messages: int, log: Path) -> float:
    """Messages a second of a bare Celery task: prefork, late acknowledgement, preloaded."""
    client = redis.Redis.from_url(redis_url)
    client.flushall()
    noop.app.conf.broker_url = redis_url
    with (
        noop.app.connection_for_write() as connection,
        noop.app.amqp.Producer(connection) as sender,
    ):
        for number in range(messages):
            noop.noop.apply_async((number,), producer=sender)
    arguments = ("celery", "-A", "benchmarks.noop", "worker", "--pool=prefork")
    options = (
        f"--concurrency={PROCESSES}",
        "--without-gossip",
        "--without-mingle",
        "-l",
        "warning",
    )

    def left() -> int:
        pipeline = client.pipeline()
        pipeline.llen(noop.QUEUE)
        pipeline.hlen("unacked")
        return sum(pipeline.execute())

    with running([*arguments, *options], log, NOOP_REDIS=redis_url) as worker:
        begin = worker.until(lambda: left() < messages, "the first message")
        end = worker.until(lambda: left() == 0, "the last message", LOOK_EVERY)
    client.close()
    return messages / (end - begin)


@dataclass(frozen=True, slots=True)
class Inbox:
    """The inbox of a worker that is measured."""

    client: redis.Redis

    def load(self, tickets: Sequence[int]) -> None:
        """Make the inbox anew with one event for each ticket."""
        self.client.flushall()
        self.client.xgroup_create(EVENTS, GROUP, id="0", mkstream=True)
        self.append(tickets)

    def append(self, tickets: Sequence[int]) -> None:
        """Append one event for each ticket, without ringing."""
        for start in range(0, len(tickets), 1000):
            pipeline = self.client.pipeline(transaction=False)
            for ticket_id in tickets[start : start + 1000]:
                pipeline.xadd(EVENTS, {"type": "ticket.customer_changed", "ticket_id": ticket_id})
            pipeline.execute()

    def taken(self) -> bool:
        """Whether anybody has read the first event."""
        group: Any = self.client.xinfo_groups(EVENTS)
        return bool(group[0]["last-delivered-id"] != b"0-0")

    def left(self) -> int:
        """Events that have not left the inbox."""
        return int(self.client.xlen(EVENTS))


def ticket_worker(config: Path, log: Path) -> AbstractContextManager[Process]:
    """``fieldfare worker --concurrency 2``, with beat, as it is run in production."""
    arguments = ["worker", "--config", str(config), "worker", f"--concurrency={PROCESSES}"]
    return running(arguments, log)


def resync_worker(config: Path, log: Path) -> AbstractContextManager[Process]:
    """``fieldfare resync-worker``, with beat, as it is run in production."""
    return running(["worker", "--config", str(config), "resync-worker"], log)


def enrich_rate(config: Path, redis_url: str, tickets: Sequence[int], log: Path) -> float:
    """Events a second of ``fieldfare worker --concurrency 2``."""
    client = redis.Redis.from_url(redis_url)
    inbox = Inbox(client)
    inbox.load(tickets)
    with running(
        ["worker", "--config", str(config), "worker", f"--concurrency={PROCESSES}"], log
    ) as worker:
        begin = worker.until(inbox.taken, "the first event")
        end = worker.until(lambda: inbox.left() == 0, "the last event", LOOK_EVERY)
    client.close()
    return len(tickets) / (end - begin)
