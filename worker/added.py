"""Which value rows were added a moment ago, and have to be looked at again? Redis remembers.

Each batch that added rows to fields is kept twice: to be looked at after some seconds, and again
after a minute, for a screen that took long. It is written after COMMIT, so a worker that is killed
in between leaves rows that nobody looks at again. Then two rows can stay, if a screen was writing
the very same field at that moment.

A batch that added nothing costs nothing here, any other one command. The process that added rows
knows when it is time for a look, and looks after one of its drains; beat asks for a look once a
minute, for what a process left that has ended. So a system at rest asks nobody anything.
"""

import json
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import redis
import structlog

from worker.tickets.store import Added, Applied, Result

KEY = "fieldfare:added"

LOOKS = (5, 60)
"""Seconds after COMMIT. A request of OTOBO writes a field in well under one."""

MOST = 5000
"""Most entries that are kept, the oldest give way: some times what fast workers add in a minute."""

PART = 100
"""Most fields of one entry, so that entries have about two kilobytes."""

PACE = 5
"""Seconds between two looks of one process at most, so that many batches share one."""

FORGET = 600
"""Seconds after which all is forgotten, if nobody adds and nobody looks."""

log = structlog.get_logger("fieldfare")

_REMEMBER = """
-- KEYS: added. ARGV: most entries, seconds until all is forgotten, number of looks, seconds until
-- each look, parts. Each part is kept once for each look, as an entry that begins with its delay.
local now, looks = tonumber(redis.call('TIME')[1]), tonumber(ARGV[3])
for part = 4 + looks, #ARGV do
  for look = 4, 3 + looks do
    redis.call('ZADD', KEYS[1], now + ARGV[look], ARGV[look] .. ' ' .. ARGV[part])
  end
end
redis.call('ZREMRANGEBYRANK', KEYS[1], 0, -1 - ARGV[1])
redis.call('EXPIRE', KEYS[1], ARGV[2])
"""

_DUE = """
-- KEYS: added. ARGV: most entries. Returns those whose time has come, the oldest first.
local now = redis.call('TIME')[1]
return redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', now, 'LIMIT', 0, ARGV[1])
"""


class AddedRows:
    """Which rows were added, by any process, and when this one has to look at them again.

    Args:
        client: of the Redis that the inbox is in.
        clock: seconds that only grow.
    """

    def __init__(self, client: redis.Redis, clock: Callable[[], float] = time.monotonic) -> None:
        self._client = client
        self._clock = clock
        self._looks: set[float] = set()

    def remember(self, results: Mapping[int, Result]) -> None:
        """Have added rows looked at again. A Redis that takes nothing keeps nobody from working.

        Args:
            results: what ``TicketStore.apply`` returned.
        """
        rows = [
            [ticket_id, field_id, *sorted(ids)]
            for ticket_id, result in results.items()
            if isinstance(result, Applied)
            for field_id, ids in result.added.items()
        ]
        if not rows:
            return
        parts = [_dump(rows[start : start + PART]) for start in range(0, len(rows), PART)]
        try:
            self._client.eval(_REMEMBER, 1, KEY, MOST, FORGET, len(LOOKS), *LOOKS, *parts)
        except redis.RedisError as error:
            # The values are written, and events that are tried again would not add them again.
            log.warning("added.not_remembered", fields=len(rows), error=type(error).__name__)
        else:
            now = self._clock()
            self._looks |= {((now + seconds) // PACE + 1) * PACE for seconds in LOOKS}

    def is_time(self) -> bool:
        """Whether rows that this process added are due; says so once for each look."""
        due = {look for look in self._looks if look <= self._clock()}
        self._looks -= due
        return bool(due)

    def due(self, most: int) -> Mapping[str, Added]:
        """The entries whose time has come, whoever added them, as ``forget`` takes them.

        Raises:
            redis.RedisError: Redis does not answer.
        """
        found: Any = self._client.eval(_DUE, 1, KEY, most)
        return {entry.decode(): _parse(entry) for entry in found}

    def forget(self, entries: Sequence[str]) -> None:
        """Remove entries that were looked at.

        Raises:
            redis.RedisError: Redis does not answer; looking again is harmless.
        """
        if entries:
            self._client.zrem(KEY, *entries)


def _dump(rows: Sequence[Sequence[int]]) -> str:
    return json.dumps(rows, separators=(",", ":"))


def _parse(entry: bytes) -> Added:
    rows = json.loads(entry.split(b" ", 1)[1])
    return {(ticket_id, field_id): frozenset(ids) for ticket_id, field_id, *ids in rows}
