"""Whose tickets are still to follow? Customer users and customers, in Redis until all have.

Each is taken by one process at a time, for as long as it comes on: who was killed leaves a place
that another takes up, and goes on behind the ticket that was reached. Who is announced again
meanwhile begins anew, for the first tickets have older values then.
"""

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import redis

KEY = "fieldfare:refresh"
"""A sorted set: whom, by the moment from which on somebody may take them."""

REACHED = "fieldfare:refresh:reached"
"""A hash: whom -> how often they were announced, and how far their tickets were refreshed."""

LEASE = 60
"""Seconds; longer than some tickets take."""

LATER = 60
"""Seconds until a place is taken up again that a source held up."""

Kind: TypeAlias = Literal["customer_user", "customer"]

_ADD = """
-- KEYS: room, reached. ARGV: now, whom. Who is there keeps the place, and begins anew.
for n = 2, #ARGV do
  local turn = tonumber(string.match(redis.call('HGET', KEYS[2], ARGV[n]) or '0', '^%d+')) + 1
  redis.call('HSET', KEYS[2], ARGV[n], turn .. ' 0 0')
  redis.call('ZADD', KEYS[1], 'NX', ARGV[1], ARGV[n])
end
"""
_TAKE = """
-- KEYS: room, reached. ARGV: now, until when. Returns whom, and what was reached.
local found = redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', ARGV[1], 'LIMIT', 0, 1)[1]
if not found then return false end
redis.call('ZADD', KEYS[1], ARGV[2], found)
return {found, redis.call('HGET', KEYS[2], found) or '0 0 0'}
"""
_MOVE = """
-- KEYS: room, reached. ARGV: whom, turn, what is reached, until when. Only in the same turn.
local kept = redis.call('HGET', KEYS[2], ARGV[1]) or ''
redis.call('ZADD', KEYS[1], 'XX', ARGV[4], ARGV[1])
if string.match(kept, '^%d+') ~= ARGV[2] then return 0 end
redis.call('HSET', KEYS[2], ARGV[1], ARGV[2] .. ' ' .. ARGV[3])
return 1
"""
_LEAVE = """
-- KEYS: room, reached. ARGV: whom, turn, now. Who was announced again meanwhile stays.
local kept = redis.call('HGET', KEYS[2], ARGV[1]) or ''
if string.match(kept, '^%d+') ~= ARGV[2] then
  redis.call('ZADD', KEYS[1], ARGV[3], ARGV[1])
  return 0
end
redis.call('HDEL', KEYS[2], ARGV[1])
return redis.call('ZREM', KEYS[1], ARGV[1])
"""


@dataclass(frozen=True, slots=True)
class Place:
    """Somebody whose tickets this process refreshes.

    Attributes:
        key: a login or the id of a customer.
        turn: how often they were announced since they came.
        closed: the open tickets are done with, and all others are at hand.
        after: the id of the ticket that was reached.
    """

    kind: Kind
    key: str
    turn: int
    closed: bool = False
    after: int = 0


class RefreshRoom:
    """The room, as all workers of one Redis share it.

    Args:
        client: of the Redis that the inbox is in.
        clock: seconds since 1970.
    """

    def __init__(self, client: redis.Redis, clock: Callable[[], float] = time.time) -> None:
        self._client = client
        self._clock = clock

    def add(self, announced: Iterable[tuple[Kind, str]]) -> None:
        """Have their tickets refreshed, from the first on."""
        members = [f"{kind} {key}" for kind, key in dict.fromkeys(announced)]
        if members:
            self._client.eval(_ADD, 2, KEY, REACHED, self._clock(), *members)

    def take(self) -> Place | None:
        """Who came first and is in nobody's hands."""
        now = self._clock()
        found: Any = self._client.eval(_TAKE, 2, KEY, REACHED, now, now + LEASE)
        if not found:
            return None
        kind, _, key = found[0].decode().partition(" ")
        turn, closed, after = map(int, found[1].split())
        return Place(kind, key, turn, bool(closed), after)

    def move(self, place: Place) -> bool:
        """Remember how far this process came; whether it may go on from there."""
        reached = f"{int(place.closed)} {place.after}"
        until = self._clock() + LEASE
        whom = f"{place.kind} {place.key}"
        return bool(self._client.eval(_MOVE, 2, KEY, REACHED, whom, place.turn, reached, until))

    def leave(self, place: Place) -> None:
        """All of their tickets were refreshed."""
        whom = f"{place.kind} {place.key}"
        self._client.eval(_LEAVE, 2, KEY, REACHED, whom, place.turn, self._clock())

    def give_back(self, place: Place, later: float = 0.0) -> None:
        """Let somebody take them up, after some seconds."""
        self._client.zadd(KEY, {f"{place.kind} {place.key}": self._clock() + later}, xx=True)

    def __len__(self) -> int:
        """How many are there."""
        return int(self._client.zcard(KEY))
