"""How is the inbox? Lengths, ages and owners, read in one round trip."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from directory.model import SLOTS
from worker.entries import decode, milliseconds
from worker.inbox import DEAD, EVENTS, GROUP, Inbox, waiting_room


@dataclass(frozen=True, slots=True)
class Stats:
    """The inbox at a glance.

    Attributes:
        length: entries in the inbox, pending ones included.
        oldest_seconds: age of the entry that is next, by the server's clock; None when empty.
        pending: number of entries in hand, by consumer.
        waiting: number of entries in each waiting room that is not empty, by slot.
        dead: number of dead letters.
    """

    length: int
    oldest_seconds: float | None
    pending: Mapping[str, int]
    waiting: Mapping[str, int]
    dead: int


def stats(inbox: Inbox) -> Stats:
    """The numbers of this moment.

    Raises:
        redis.RedisError: Redis does not answer.
    """

    def ask() -> list[Any]:
        pipeline = inbox.client.pipeline(transaction=False)
        pipeline.time()
        pipeline.xlen(EVENTS)
        pipeline.xrange(EVENTS, count=1)
        pipeline.xinfo_consumers(EVENTS, GROUP)
        pipeline.xlen(DEAD)
        for slot in SLOTS:
            pipeline.xlen(waiting_room(slot))
        return pipeline.execute()

    (seconds, micros), length, first, consumers, dead, *waiting = inbox.in_group(ask)
    oldest = None
    if first:
        entry_id, raw = first[0]
        entry, _ = decode(entry_id, raw, deliveries=0)
        oldest = max(0.0, seconds + micros / 1e6 - milliseconds(entry.first_id) / 1000)
    return Stats(
        length=length,
        oldest_seconds=oldest,
        pending={row["name"].decode(): row["pending"] for row in consumers if row["pending"]},
        waiting={slot: count for slot, count in zip(SLOTS, waiting, strict=True) if count},
        dead=dead,
    )
