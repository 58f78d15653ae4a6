"""Who has which events of the inbox in hand, and is at work? Read from Redis in two round trips.

A process that works renews what it holds every few seconds. What nobody has renewed for
``inbox.claim_seconds`` is taken over by another process.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, Literal

import redis

from worker import extracts
from worker.extracts import Extract
from worker.inbox import EVENTS, GROUP
from worker.settings import InboxSettings
from worker.status import answered


@dataclass(frozen=True, slots=True)
class Holder:
    """A process that reads the inbox.

    Attributes:
        name: host, process id and something by chance.
        pending: how many events it has in hand.
        idle_seconds: how long ago it was last heard of.
        state: ``at work``; ``idle``, with nothing in hand; ``silent``: others take over what it
            holds.
    """

    name: str
    pending: int
    idle_seconds: float
    state: Literal["at work", "idle", "silent"]


@dataclass(frozen=True, slots=True)
class Hold:
    """An event that is in hand.

    Attributes:
        holder: the name of the process.
        deliveries: how often it was handed to a process; above 1 the ones before died.
    """

    holder: str
    deliveries: int


@dataclass(frozen=True, slots=True)
class Oldest:
    """The oldest events of the inbox, and who reads it.

    Attributes:
        holders: those with the most in hand first.
        events: the oldest first.
        holds: of those that are in hand, by the id of the event.
    """

    holders: Sequence[Holder]
    events: Sequence[Extract]
    holds: Mapping[str, Hold]


def read(client: redis.Redis, settings: InboxSettings, most: int) -> Oldest:
    """The oldest events, so many at most.

    Raises:
        redis.RedisError: Redis does not answer.
    """
    pipeline = client.pipeline(transaction=False)
    pipeline.xinfo_consumers(EVENTS, GROUP)
    if most:
        pipeline.xpending_range(EVENTS, GROUP, "-", "+", most)
    consumers, *pending = [answered(one) for one in pipeline.execute(raise_on_error=False)]
    holders = [_holder(row, settings.claim_seconds) for row in consumers]
    return Oldest(
        holders=sorted(holders, key=lambda one: (-one.pending, one.name)),
        events=list(islice(extracts.oldest(client, EVENTS), most)),
        holds={
            row["message_id"].decode(): Hold(
                row["consumer"].decode("utf-8", "replace"), row["times_delivered"]
            )
            for rows in pending
            for row in rows
        },
    )


def _holder(row: Mapping[str, Any], claim_seconds: float) -> Holder:
    idle = row["idle"] / 1000
    name = row["name"].decode("utf-8", "replace")
    if not row["pending"]:
        return Holder(name, 0, idle, "idle")
    return Holder(name, row["pending"], idle, "at work" if idle <= claim_seconds else "silent")
