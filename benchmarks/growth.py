"""What grows, and what does a worker cost that has nothing to do?"""

import statistics
import time
from collections.abc import Sequence
from pathlib import Path
from threading import Event

import redis

from benchmarks.processes import cpu_seconds, resident_bytes
from benchmarks.rates import Inbox, enrich_rate, ticket_worker
from benchmarks.world import TicketSystem

HOUR = 3600.0


def memory(
    config: Path, redis_url: str, tickets: Sequence[int], counts: tuple[int, int], log: Path
) -> tuple[int, int]:
    """Bytes that a worker and its children hold after some events, and after many.

    Args:
        config: the worker's settings file.
        redis_url: its Redis.
        tickets: their ids; they come again and again until there are events enough.
        counts: how many events are some, and how many are many.
        log: where the worker's output goes.
    """
    first, all_ = counts
    client = redis.Redis.from_url(redis_url)
    inbox = Inbox(client)
    events = [tickets[number % len(tickets)] for number in range(all_)]
    inbox.load(events[:first])
    held = []
    with ticket_worker(config, log) as worker:
        for more in ([], events[first:]):
            inbox.append(more)
            worker.until(lambda: inbox.left() == 0, "the last event")
            held.append(resident_bytes(worker.family()))
    client.close()
    return held[0], held[1]


def event_milliseconds(
    config: Path, redis_url: str, system: TicketSystem, tickets: Sequence[int], log: Path
) -> float:
    """Milliseconds for each event that changes all fields of its ticket; the median of 5 runs."""
    taken = []
    for number in range(5):
        system.change_everybody(f"g{number}")
        taken.append(1000 / enrich_rate(config, redis_url, tickets, log))
    return statistics.median(taken)


def idle_cpu(config: Path, redis_url: str, seconds: float, log: Path) -> float:
    """CPU seconds in an hour of a worker with beat and sweep that has nothing to do."""
    client = redis.Redis.from_url(redis_url)
    inbox = Inbox(client)
    inbox.load(range(1, 3))
    with ticket_worker(config, log) as worker:
        worker.until(lambda: inbox.left() == 0, "the first events")
        before, begin = cpu_seconds(worker.family()), time.perf_counter()
        Event().wait(seconds)
        used = cpu_seconds(worker.family()) - before
        passed = time.perf_counter() - begin
    client.close()
    return used * HOUR / passed
