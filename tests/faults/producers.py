"""Who sends events while Redis may be away? A producer that keeps what was not acknowledged.

    with Producer(redis.url) as producer:
        producer.hand(events)               # returns at once
        producer.kept                       # how many of them Redis has not acknowledged yet

It appends a few events in each round trip, in order. Where Redis does not answer, all events of
that round trip are sent again until it does: some of them may then stand there twice.
"""

import threading
from collections import deque
from collections.abc import Iterable
from types import TracebackType
from typing import Final, Self

import redis

from tests.faults.couriers import append
from tests.faults.simulator import Event
from worker.broker import impatient

PORTION: Final = 5
"""Events of one round trip."""

PAUSE: Final = 0.025
"""Seconds between two round trips: 200 events a second, so that Redis can be lost in the middle."""

AGAIN: Final = 0.05
"""Seconds before what was refused is sent again."""


class Producer:
    """One thread that sends what it is handed.

    Attributes:
        acknowledged: events that Redis has acknowledged.
        refused: round trips that were not, and were made again.
    """

    def __init__(self, redis_url: str) -> None:
        self.acknowledged = 0
        self.refused = 0
        self._client = impatient(redis_url, "fault-producer", 2.0)
        self._send = append(self._client)
        self._events: deque[Event] = deque()
        self._called = threading.Event()
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._produce)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stopped.set()
        self._called.set()
        self._thread.join()
        self._client.close()

    @property
    def kept(self) -> int:
        """Events that were handed over and are not acknowledged."""
        return len(self._events)

    def hand(self, events: Iterable[Event]) -> None:
        """Take events to send."""
        self._events.extend(events)
        self._called.set()

    def _produce(self) -> None:
        while not self._stopped.is_set():
            self._called.clear()
            portion = [self._events[n] for n in range(min(PORTION, self.kept))]
            if not portion:
                self._called.wait()
                continue
            try:
                self._send(portion)
            except redis.RedisError:
                self.refused += 1
                self._stopped.wait(AGAIN)
            else:
                for _ in portion:
                    self._events.popleft()
                self.acknowledged += len(portion)
                self._stopped.wait(PAUSE)
