"""How do events reach the inbox? Twice, late and in another order, if a courier is told so.

    courier = Courier(append(client), Random(1), copies=0.3, late=50)
    courier.hand(event)     # keeps up to ``late`` events, sends one of them, maybe twice
    courier.flush()         # sends what it keeps

With a generator of its own that was seeded, a courier does the same each time. ``append`` writes
into the stream as any producer in any language does, and rings nobody: beat does. For the
producers' real code give ``Inbox.publish_many`` instead.
"""

from collections.abc import Callable, Iterable, Mapping
from itertools import islice
from random import Random

import redis

from worker.inbox import EVENTS

Event = Mapping[str, str]
Send = Callable[[Iterable[Event]], object]

PORTION = 1000
"""Events of one round trip."""


def append(client: redis.Redis) -> Send:
    """Plain XADDs, many in one round trip."""

    def send(events: Iterable[Event]) -> None:
        left = iter(events)
        while portion := list(islice(left, PORTION)):
            pipeline = client.pipeline(transaction=False)
            for event in portion:
                pipeline.xadd(EVENTS, dict(event))
            pipeline.execute()

    return send


class Courier:
    """Takes events and sends them in an order of its own. Used by one thread.

    Args:
        send: appends events to the inbox.
        random: decides everything.
        copies: the share of events that are sent twice.
        late: how many events it keeps before it sends one of them; 0 keeps the order.
    """

    def __init__(self, send: Send, random: Random, *, copies: float = 0.0, late: int = 0) -> None:
        self._send = send
        self._random = random
        self._copies = copies
        self._late = late
        self._kept: list[Event] = []

    def hand(self, *events: Event) -> None:
        """Take events; some others may be sent instead."""
        for event in events:
            twice = self._random.random() < self._copies
            self._kept += [event, event] if twice else [event]
        leaving = [self._draw() for _ in range(len(self._kept) - self._late)]
        if leaving:
            self._send(leaving)

    def flush(self) -> None:
        """Send what was kept."""
        leaving = [self._draw() for _ in range(len(self._kept))]
        if leaving:
            self._send(leaving)

    def _draw(self) -> Event:
        """One of those that are kept: the oldest, if the order is kept."""
        at = self._random.randrange(len(self._kept)) if self._late else 0
        return self._kept.pop(at)


def shuffled(events: Iterable[Event], random: Random, copies: float = 0.3) -> list[Event]:
    """All events in any order, a share of them twice."""
    mixed: list[Event] = []
    courier = Courier(mixed.extend, random, copies=copies, late=1)
    courier.hand(*events)
    courier.flush()
    random.shuffle(mixed)
    return mixed
