"""May these plans be written, or would a run of events take away too much?

All workers count together, in Redis and by its clock, how many fields with a value they have
emptied and changed within the window, and among how many. A batch that would exceed a limit is not
written: writing stops in every worker until ``fieldfare guard release``. The events stay in the
inbox, and no attempt is counted.

A batch costs one command. It is counted before it is written, in the same step in which the limits
are looked at, so that two workers cannot pass together what neither would pass alone. What was not
written after all (a conflict, an outage) is taken off again with the next batch. A worker that is
killed in between leaves its batch counted: the guard is then a batch too careful.
"""

import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, NoReturn

import redis
import structlog

from mapping.harm import Harm, changes, erases, is_too_much, measure, total
from mapping.model import Plan
from worker.settings import ChangeSettings, ErasureSettings, GuardSettings
from worker.tickets.store import Applied, Result

STATE = "fieldfare:guard"
COUNTS = "fieldfare:guard:counts"

EXAMPLES = 5
"""How many tickets of the stopped batch are named."""

_STEPS = 20
"""The window moves in so many steps."""

What = Literal["erasures", "changes"]
Apply = Callable[[Sequence[Plan]], Mapping[int, Result]]

log = structlog.get_logger("fieldfare")


class WritingStopped(Exception):
    """Nothing may be written now; the events stay where they are."""


class MassChange(WritingStopped):
    """Too many fields would lose their values; somebody has to look."""

    def __init__(self) -> None:
        super().__init__(
            "writing is stopped, for too many fields would lose their values; "
            "`fieldfare guard show` says more, `fieldfare guard release` lets it go on"
        )


class GuardRefused(WritingStopped):
    """Redis does not let the guard count, so it cannot be told what may be written."""

    def __init__(self, reason: str) -> None:
        super().__init__(f"the guard against mass changes cannot count: {reason}")


@dataclass(frozen=True, slots=True)
class Stop:
    """Why writing was stopped. Numbers and names, no values.

    Attributes:
        since: seconds since 1970, by the clock of Redis.
        what: which limit was exceeded.
        count: fields that would have been emptied (or changed) within the window.
        filled: all fields with a value that were decided on within the window.
        window: seconds.
        fields: how many fields of each name the stopped batch would have emptied (or changed).
        reasons: how many of them for each reason, in the words of ``explain``.
        tickets: ids of some tickets of that batch.
    """

    since: float
    what: What
    count: int
    filled: int
    window: int
    fields: Mapping[str, int]
    reasons: Mapping[str, int]
    tickets: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class GuardState:
    """Whether writing goes on.

    Attributes:
        state: ``off`` in the settings; ``watching``; ``stopped``; ``released`` for a while, during
            which nothing is counted.
        stop: why it is stopped.
        until: when a release ends, seconds since 1970.
    """

    state: Literal["off", "watching", "stopped", "released"]
    stop: Stop | None = None
    until: float | None = None


_COUNT = """
-- KEYS: state, counts. ARGV: window, step, erased, changed, filled; then bucket, erased, changed,
-- filled of what was counted and then not written, below zero. Returns the state if it is not
-- watching; else an empty state, the bucket, whether Redis kept the numbers, and the sums of the
-- window, these included.
local state = redis.call('HGET', KEYS[1], 'state')
if state then return {state} end
local window, step = tonumber(ARGV[1]), tonumber(ARGV[2])
local now = tonumber(redis.call('TIME')[1])
local sums, live = {e = 0, c = 0, f = 0}, {}
local held = redis.call('HGETALL', KEYS[2])
for i = 1, #held, 2 do
  local start, kind = string.match(held[i], '^(%d+):(%a)$')
  if tonumber(start) + step <= now - window then  -- no part of it is in the window any more
    redis.call('HDEL', KEYS[2], held[i])
  else
    live[start] = true
    sums[kind] = sums[kind] + tonumber(held[i + 1])
  end
end
local kept = 1
local function add(start, kind, number)
  sums[kind] = sums[kind] + number
  if tonumber(number) ~= 0 then
    local answer = redis.pcall('HINCRBY', KEYS[2], start .. ':' .. kind, number)
    if type(answer) == 'table' and answer.err then kept = 0 end  -- memory is full
  end
end
for i = 6, #ARGV, 4 do
  if live[ARGV[i]] then
    add(ARGV[i], 'e', ARGV[i + 1])
    add(ARGV[i], 'c', ARGV[i + 2])
    add(ARGV[i], 'f', ARGV[i + 3])
  end
end
local bucket = string.format('%d', now - now % step)
add(bucket, 'e', ARGV[3])
add(bucket, 'c', ARGV[4])
add(bucket, 'f', ARGV[5])
redis.call('EXPIRE', KEYS[2], window + step)
return {'', bucket, kept, sums.e, sums.c, sums.f}
"""

_STOP = """
-- KEYS: state, counts. ARGV: why; then bucket, erased, changed, filled of the batch that is not
-- written, below zero. Returns 1 if this is what stopped it, and 0 if somebody was faster.
for i = 2, #ARGV, 4 do
  redis.call('HINCRBY', KEYS[2], ARGV[i] .. ':e', ARGV[i + 1])
  redis.call('HINCRBY', KEYS[2], ARGV[i] .. ':c', ARGV[i + 2])
  redis.call('HINCRBY', KEYS[2], ARGV[i] .. ':f', ARGV[i + 3])
end
if redis.call('EXISTS', KEYS[1]) == 1 then return 0 end
redis.call('HSET', KEYS[1], 'state', 'stopped', 'since', redis.call('TIME')[1], 'why', ARGV[1])
return 1
"""

_RELEASE = """
-- KEYS: state, counts. ARGV: seconds. Returns the state as it was.
local before = redis.call('HGETALL', KEYS[1])
local ends = string.format('%d', redis.call('TIME')[1] + ARGV[1])
redis.call('DEL', KEYS[1], KEYS[2])
redis.call('HSET', KEYS[1], 'state', 'released', 'until', ends)
redis.call('EXPIREAT', KEYS[1], ends)
return before
"""


class Guard:
    """What one process writes, counted with what all others write. Used by one thread at a time.

    Args:
        client: of the Redis that the inbox is in.
        settings: the limits; with none enabled, Redis is not asked.
        key: where it is counted: for all events together, or for a resync on its own.
    """

    def __init__(self, client: redis.Redis, settings: GuardSettings, key: str = STATE) -> None:
        self._client = client
        self._keys = [key, f"{key}:counts"]
        self._settings = settings
        self._count = client.register_script(_COUNT)
        self._stop = client.register_script(_STOP)
        self._stopped = False
        self._owed: list[tuple[str, Harm]] = []

    def check(self) -> None:
        """Raise if writing was stopped when this process last wanted to write, and still is.

        So that nobody asks the directory again and again for what is not written. Costs nothing
        else; whoever does not know of a stop yet learns it from ``let``.

        Raises:
            MassChange: it is.
            redis.RedisError: Redis does not answer.
        """
        if self._stopped:
            self._stopped = self._client.hget(self._keys[0], "state") == b"stopped"
            if self._stopped:
                raise MassChange

    def let(self, plans: Sequence[Plan], apply: Apply) -> Mapping[int, Result]:
        """Apply plans, unless that were too much.

        Args:
            plans: for different tickets.
            apply: writes them, see ``TicketStore.apply``.

        Returns:
            What ``apply`` returned.

        Raises:
            MassChange: nothing was written.
            GuardRefused: nothing was written.
            redis.RedisError: Redis does not answer; nothing was written.
        """
        if not plans or not self._settings.enabled:
            return apply(plans)
        harms = {plan.ticket_id: measure(plan) for plan in plans}
        bucket = self._counted(plans, total(harms.values()))
        not_written = set(harms)
        try:
            results = apply(plans)
            not_written = {id_ for id_, one in results.items() if not isinstance(one, Applied)}
        finally:
            if bucket and not_written:
                self._owed.append((bucket, total(harms[id_] for id_ in not_written)))
        return results

    def _counted(self, plans: Sequence[Plan], harm: Harm) -> str:
        """The bucket in which a batch was counted; empty where nothing is counted now."""
        settings = self._settings
        args = [settings.window, _step(settings.window), *harm, *_less(self._owed)]
        try:
            state, *counted = self._count(keys=self._keys, args=args)
        except redis.exceptions.NoPermissionError as error:
            raise GuardRefused(str(error)) from error
        self._stopped = state == b"stopped"
        if self._stopped:
            raise MassChange
        if state:
            self._owed.clear()  # with all counts
            return ""
        bucket, kept, *sums = counted
        if kept:
            self._owed.clear()
        mine = bucket.decode() if kept else ""
        if (what := excess(settings, harm, Harm(*sums))) is not None:
            self._stop_writing(plans, what, Harm(*sums), [(mine, harm)] if mine else [])
        return mine

    def _stop_writing(
        self, plans: Sequence[Plan], what: What, window: Harm, counted: Sequence[tuple[str, Harm]]
    ) -> NoReturn:
        """Stop it for all, and say so once."""
        why = _why(plans, what, window, self._settings.window)
        if self._stop(keys=self._keys, args=[json.dumps(why), *_less(counted)]):
            log.error("guard.stopped", **why)
        self._stopped = True
        raise MassChange


def excess(settings: GuardSettings, harm: Harm, window: Harm) -> What | None:
    """Which limit is exceeded by what is about to be written; None if it may be written.

    Args:
        settings: the limits.
        harm: of what is to be written; what does no harm itself exceeds nothing.
        window: of all that was written within the window, with that.
    """
    limits: tuple[tuple[What, ErasureSettings | ChangeSettings, int, int], ...] = (
        ("erasures", settings.erasures, harm.erased, window.erased),
        ("changes", settings.changes, harm.changed, window.changed),
    )
    for what, limit, new, count in limits:
        if limit.enabled and new and is_too_much(count, window.filled, limit.number, limit.share):
            return what
    return None


def read(client: redis.Redis, settings: GuardSettings, key: str = STATE) -> GuardState:
    """Whether writing goes on; of a resync, with the key of its guard.

    Raises:
        redis.RedisError: Redis does not answer.
    """
    return parse(client.hgetall(key), settings)


def parse(answer: Any, settings: GuardSettings) -> GuardState:
    """The same, from what Redis gave for ``HGETALL``, in bytes or in text."""
    if not settings.enabled:
        return GuardState("off")
    fields = {_text(name): _text(value) for name, value in answer.items()}
    if fields.get("state") == "stopped":
        why = json.loads(fields["why"])
        tickets = tuple(why.pop("tickets"))
        return GuardState("stopped", Stop(since=float(fields["since"]), tickets=tickets, **why))
    if fields.get("state") == "released":
        return GuardState("released", until=float(fields["until"]))
    return GuardState("watching")


def release(
    client: redis.Redis, settings: GuardSettings, seconds: int, key: str = STATE
) -> GuardState:
    """Forget what was counted, and let everything be written for a while; returns what was so far.

    Raises:
        redis.RedisError: Redis does not answer.
    """
    answer: Any = client.eval(_RELEASE, 2, key, f"{key}:counts", seconds)
    return parse(dict(zip(answer[::2], answer[1::2], strict=True)), settings)


def _why(plans: Sequence[Plan], what: What, window: Harm, seconds: int) -> dict[str, Any]:
    """Why a batch is not written, for ``Stop``, the log and people."""
    chosen = erases if what == "erasures" else changes
    found = [(plan.ticket_id, one) for plan in plans for one in plan.decisions if chosen(one)]
    return {
        "what": what,
        "count": window.erased if what == "erasures" else window.changed,
        "filled": window.filled,
        "window": seconds,
        "fields": dict(Counter(one.field for _, one in found).most_common()),
        "reasons": dict(Counter(one.reason.value for _, one in found).most_common()),
        "tickets": list(dict.fromkeys(ticket_id for ticket_id, _ in found))[:EXAMPLES],
    }


def _less(counted: Sequence[tuple[str, Harm]]) -> list[str | int]:
    """What was counted, as it is taken off again."""
    parts: list[str | int] = []
    for bucket, harm in counted:
        parts += [bucket, *(-number for number in harm)]
    return parts


def _step(window: int) -> int:
    return max(1, window // _STEPS)


def _text(value: bytes | str) -> str:
    return value.decode() if isinstance(value, bytes) else value
