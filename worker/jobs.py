"""How far has a long run over tickets come, and who has it in hand? Redis knows.

A job is an order, a cursor over ticket ids, and numbers. It is worked on part by part by whoever
holds its lease; a lease is renewed, and ends by itself when its holder dies. The cursor is moved
from where it was read, by the holder of the lease alone, together with the numbers of the part: so
a job is never in two hands, and goes on after a kill with the part that was cut off. Doing that
part again writes nothing twice; what it had written counts as unchanged then.

A Redis that loses everything loses its jobs, and nothing else: what is left to do, a new job does.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal, TypeAlias, get_args

import redis

from worker import standing
from worker.manner import AS_FOR_EVENTS, Manner
from worker.outcomes import Kind
from worker.standing import STAND
from worker.tickets.selection import Scope, scope_of
from worker.tickets.store import Traces

JOBS = "fieldfare:jobs"
LAST = "fieldfare:jobs:last"
PREFIX = "fieldfare:job:"

LEASE_SECONDS = 30
"""After so long a holder that does not renew is taken for dead."""

KEEP_SECONDS = 30 * 24 * 3600
"""How long a job that has ended can be looked at."""

TICKETS = "ticket/"
"""What the keys of counts begin with that count tickets by outcome; each ticket is in one."""

MOST_LEFT = 100_000
"""Tickets that are listed for another run; what is beyond is counted only."""

State: TypeAlias = Literal["running", "paused", "asks", "done", "cancelled"]
"""``asks``: the guard stopped it, and somebody has to say whether it may go on."""

ENDED = frozenset({"done", "cancelled"})


@dataclass(frozen=True, slots=True)
class Order:
    """What a job is to do.

    Attributes:
        scope: the tickets.
        manner: how to write.
        fields: only these dynamic fields; empty for all that are mapped.
        rate: most tickets in a second; 0 for as many as there can be.
        asked: the same in the words of whoever asked, for people.
    """

    scope: Scope
    manner: Manner = AS_FOR_EVENTS
    fields: tuple[str, ...] = ()
    rate: float = 0.0
    asked: str = ""


@dataclass(frozen=True, slots=True)
class Job:
    """A job as Redis has it. Times are seconds since 1970 by the clock of Redis.

    Attributes:
        local: it is worked on by the process that started it, and by no worker.
        cursor: up to which ticket id it has come.
        total: how many tickets there were when it was started.
        seen: tickets that were looked at.
        tries: parts that were begun since the cursor last moved.
        touched: when something of it was last done.
        why: why it asks.
        in_hand: somebody holds its lease.
        awaited: names of the sources that it waits for.
        silent: names of those that did not answer when most tickets needed them; after a while the
            job does not wait any more.
        silent_since: since when they do not answer; None if they do.
        rests: it was looked at a moment ago, and they did not answer.
        counts: what came of its tickets, see ``worker.tally``.
        left: tickets that are listed for another run.
    """

    id: int
    state: State
    order: Order
    local: bool
    cursor: int
    total: int
    seen: int
    tries: int
    created: float
    touched: float
    started: float | None
    ended: float | None
    why: str
    in_hand: bool
    awaited: tuple[str, ...]
    silent: tuple[str, ...]
    silent_since: float | None
    rests: bool
    counts: Mapping[str, int]
    left: int


_CREATE = (
    STAND
    + """
-- KEYS: last, jobs, standing. ARGV: prefix, order, total, local. Returns the id.
local id = redis.call('INCR', KEYS[1])
local now = redis.call('TIME')[1]
redis.call('HSET', ARGV[1] .. id, 'state', 'running', 'order', ARGV[2], 'total', ARGV[3],
  'local', ARGV[4], 'cursor', 0, 'tries', 0, 'seen', 0, 'created', now, 'touched', now)
redis.call('ZADD', KEYS[2], id, id)
stand(KEYS[3], ARGV[1] .. id)
return id
"""
)

_TAKE = """
-- KEYS: job, lease. ARGV: token, seconds. Returns 1 if the job is in our hands now.
if redis.call('HGET', KEYS[1], 'state') ~= 'running' then return 0 end
if not redis.call('SET', KEYS[2], ARGV[1], 'NX', 'EX', ARGV[2]) then return 0 end
local now = redis.call('TIME')[1]
redis.call('HINCRBY', KEYS[1], 'tries', 1)
redis.call('HSETNX', KEYS[1], 'started', now)
redis.call('HSET', KEYS[1], 'touched', now)
return 1
"""

_RENEW = """
-- KEYS: lease. ARGV: token, seconds. Returns 1 if it is still ours.
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
return redis.call('EXPIRE', KEYS[1], ARGV[2])
"""

_LET_GO = """
-- KEYS: job, lease. ARGV: token, 1 if the next try is the first one again.
if redis.call('GET', KEYS[2]) ~= ARGV[1] then return 0 end
redis.call('DEL', KEYS[2])
if ARGV[2] == '1' and redis.call('EXISTS', KEYS[1]) == 1 then
  redis.call('HSET', KEYS[1], 'tries', 0)
end
return 1
"""

_ADVANCE = (
    STAND
    + """
-- KEYS: job, lease, counts, left, standing. ARGV: token, lease seconds, cursor as it was read, the
-- new one, last, seconds to keep, most left, tickets, number of counts, then key and number of
-- each, then what is left. Returns the state, or nothing if the job is not in our hands or was
-- moved by somebody else.
if redis.call('GET', KEYS[2]) ~= ARGV[1] then return false end
if redis.call('HGET', KEYS[1], 'cursor') ~= ARGV[3] then return false end
local now, counts = redis.call('TIME')[1], tonumber(ARGV[9])
local state = redis.call('HGET', KEYS[1], 'state')
for i = 10, 9 + 2 * counts, 2 do
  redis.call('HINCRBY', KEYS[3], ARGV[i], ARGV[i + 1])
end
for i = 10 + 2 * counts, #ARGV do
  if redis.call('LLEN', KEYS[4]) < tonumber(ARGV[7]) then redis.call('RPUSH', KEYS[4], ARGV[i]) end
end
redis.call('HSET', KEYS[1], 'cursor', ARGV[4], 'touched', now, 'tries', 0)
redis.call('HINCRBY', KEYS[1], 'seen', ARGV[8])
redis.call('EXPIRE', KEYS[2], ARGV[2])
if tonumber(ARGV[4]) >= tonumber(ARGV[5]) and state ~= 'cancelled' then
  state = 'done'
  redis.call('HSET', KEYS[1], 'state', state, 'ended', now)
  for i = 1, 4 do redis.call('EXPIRE', KEYS[i], ARGV[6]) end
end
stand(KEYS[5], KEYS[1])
return state
"""
)

_REST = (
    STAND
    + """
-- KEYS: job, lease, standing, rest. ARGV: token, sources, seconds to rest, seconds to wait in all.
-- Returns 1 if it rests, 0 if it has waited long enough, nothing if it is not in our hands.
if redis.call('GET', KEYS[2]) ~= ARGV[1] then return false end
local now = redis.call('TIME')[1]
redis.call('HSETNX', KEYS[1], 'silent_since', now)
redis.call('HSET', KEYS[1], 'silent', ARGV[2])
local rests = now - redis.call('HGET', KEYS[1], 'silent_since') < tonumber(ARGV[4])
if rests then
  redis.call('HSET', KEYS[1], 'awaited', ARGV[2], 'touched', now, 'tries', 0)
  redis.call('SET', KEYS[4], 1, 'EX', ARGV[3])
else
  redis.call('HDEL', KEYS[1], 'awaited')
end
stand(KEYS[3], KEYS[1])
return rests and 1 or 0
"""
)

_HEARD = (
    STAND
    + """
-- KEYS: job, standing.
redis.call('HDEL', KEYS[1], 'awaited', 'silent', 'silent_since')
stand(KEYS[2], KEYS[1])
"""
)

_CHANGE = (
    STAND
    + """
-- KEYS: standing, job, counts, left, then whatever else it has. ARGV: new state, why, local (or
-- nothing to leave it), seconds to keep it if it has ended (or 0), then the states that it may be
-- in. Returns the state that it was in, or nothing if there is no such job.
local state = redis.call('HGET', KEYS[2], 'state')
if not state then return false end
local may = false
for i = 5, #ARGV do may = may or ARGV[i] == state end
if not may then return state end
local now = redis.call('TIME')[1]
redis.call('HSET', KEYS[2], 'state', ARGV[1], 'why', ARGV[2], 'touched', now, 'tries', 0)
redis.call('HDEL', KEYS[2], 'awaited', 'silent', 'silent_since')
if ARGV[3] ~= '' then redis.call('HSET', KEYS[2], 'local', ARGV[3]) end
if ARGV[4] ~= '0' then
  redis.call('HSET', KEYS[2], 'ended', now)
  for i = 2, #KEYS do redis.call('EXPIRE', KEYS[i], ARGV[4]) end
end
stand(KEYS[1], KEYS[2])
return state
"""
)


def create(client: redis.Redis, order: Order, total: int, *, local: bool = False) -> int:
    """Begin a job; returns its id. It is worked on as soon as somebody takes it.

    Raises:
        redis.RedisError: Redis does not answer.
    """
    keys, values = (LAST, JOBS, standing.KEY), (PREFIX, _dump(order), total, int(local))
    id_: Any = client.eval(_CREATE, len(keys), *keys, *values)
    return int(id_)


def read(client: redis.Redis, job_id: int) -> Job | None:
    """A job; None if there is none of this id (any more).

    Raises:
        redis.RedisError: Redis does not answer.
    """
    found = _read(client, [job_id])
    return found[0] if found else None


def read_all(client: redis.Redis) -> list[Job]:
    """All jobs that Redis still has, the oldest first.

    Raises:
        redis.RedisError: Redis does not answer.
    """
    listed: Any = client.zrange(JOBS, 0, -1)
    ids = [int(id_) for id_ in listed]
    found = _read(client, ids)
    if gone := set(ids) - {job.id for job in found}:
        client.zrem(JOBS, *gone)
    return found


def take(client: redis.Redis, job_id: int, token: str) -> bool:
    """Take a running job that nobody has in hand; the lease lasts ``LEASE_SECONDS``."""
    key = PREFIX + str(job_id)
    return bool(client.eval(_TAKE, 2, key, lease_of(job_id), token, LEASE_SECONDS))


def renew(client: redis.Redis, job_id: int, token: str) -> bool:
    """Keep a job in hand; False if it is in nobody's or somebody else's."""
    return bool(client.eval(_RENEW, 1, lease_of(job_id), token, LEASE_SECONDS))


def let_go(client: redis.Redis, job_id: int, token: str, *, overrun: bool = False) -> None:
    """Give a job out of hand.

    Args:
        client: of the Redis that has the jobs.
        job_id: of the job.
        token: of the lease.
        overrun: a part took too long, and counts as a try, as it does for a worker that is killed
            and never comes here.
    """
    client.eval(_LET_GO, 2, PREFIX + str(job_id), lease_of(job_id), token, int(not overrun))


def advance(  # noqa: PLR0913 - what a part is
    client: redis.Redis,
    job: Job,
    token: str,
    *,
    before: int,
    after: int,
    counts: Mapping[str, int],
    left: Mapping[Kind, Sequence[int]],
) -> State | None:
    """Note that a part is done.

    Args:
        client: of the Redis that has the jobs.
        job: the job.
        token: of the lease.
        before: where the cursor was when the part was read.
        after: where it is now; at the end of the scope the job is done.
        counts: what came of the part.
        left: its tickets that are to be looked at in another run, by how it ended for them.

    Returns:
        The job's state now; None if it is not in our hands any more, and nothing was noted.
    """
    key = PREFIX + str(job.id)
    keys = [key, lease_of(job.id), f"{key}:counts", f"{key}:left", standing.KEY]
    numbers = [part for item in counts.items() for part in item]
    listed = [f"{id_} {kind}" for kind, ids in left.items() for id_ in ids]
    limits = (job.order.scope.last, KEEP_SECONDS, MOST_LEFT, tickets(counts), len(counts))
    moved = (token, LEASE_SECONDS, before, after, *limits, *numbers, *listed)
    state: Any = client.eval(_ADVANCE, len(keys), *keys, *moved)
    return _state(state)


def tickets(counts: Mapping[str, int]) -> int:
    """How many tickets were counted."""
    return sum(number for name, number in counts.items() if name.startswith(TICKETS))


def rest(  # noqa: PLR0913 - what a rest is
    client: redis.Redis, job: Job, token: str, awaited: Sequence[str], *, again: int, most: float
) -> bool | None:
    """Have a job in our hands wait for sources, unless it has done so for long enough.

    Args:
        client: of the Redis that has the jobs.
        job: the job.
        token: of the lease.
        awaited: names of the sources.
        again: seconds until somebody may look whether they answer.
        most: seconds to wait in all.

    Returns:
        Whether it rests; None if it is not in our hands any more.
    """
    key = PREFIX + str(job.id)
    keys = (key, lease_of(job.id), standing.KEY, rest_of(job.id))
    rests: Any = client.eval(_REST, len(keys), *keys, token, ",".join(awaited), again, most)
    return None if rests is None else bool(rests)


def heard(client: redis.Redis, job: Job) -> None:
    """Note that the sources of a job answer again."""
    client.eval(_HEARD, 2, PREFIX + str(job.id), standing.KEY)


def pause(client: redis.Redis, job_id: int) -> State | None:
    """Have a job wait; returns the state that it was in, None if there is none."""
    return _change(client, job_id, "paused", ["running"])


def ask(client: redis.Redis, job_id: int, why: str) -> State | None:
    """Have a job wait until somebody says that it may go on."""
    return _change(client, job_id, "asks", ["running"], why=why)


def resume(client: redis.Redis, job_id: int, *, local: bool = False) -> State | None:
    """Have a job go on, in this process or in workers; returns the state that it was in."""
    return _change(client, job_id, "running", ["paused", "asks", "running"], local=local)


def cancel(client: redis.Redis, job_id: int) -> State | None:
    """End a job where it is; returns the state that it was in, None if there is none."""
    return _change(client, job_id, "cancelled", ["running", "paused", "asks"])


def left_by(client: redis.Redis, job_id: int) -> Mapping[int, Kind]:
    """The tickets that a job left for another run, by id, with how it ended for them."""
    found: Any = client.lrange(f"{PREFIX}{job_id}:left", 0, -1)
    parts = (entry.decode().split(" ", 1) for entry in found)
    return {int(id_): Kind(kind) for id_, kind in parts}


def guard_of(job_id: int) -> str:
    """The key of the guard that counts what a job takes away."""
    return f"{PREFIX}{job_id}:guard"


def lease_of(job_id: int) -> str:
    """The key of a job's lease."""
    return f"{PREFIX}{job_id}:lease"


def rest_of(job_id: int) -> str:
    """The key that is there while nobody needs to look at a job that waits for a source."""
    return f"{PREFIX}{job_id}:rest"


def _change(  # noqa: PLR0913 - what a change is
    client: redis.Redis,
    job_id: int,
    to: State,
    allowed: Sequence[State],
    *,
    why: str = "",
    local: bool | None = None,
) -> State | None:
    key = PREFIX + str(job_id)
    guard = guard_of(job_id)
    keys = [standing.KEY, key, f"{key}:counts", f"{key}:left", guard, f"{guard}:counts"]
    ends = KEEP_SECONDS if to in ENDED else 0
    place = "" if local is None else int(local)
    state: Any = client.eval(_CHANGE, len(keys), *keys, to, why, place, ends, *allowed)
    return _state(state)


def _state(answer: bytes | None) -> State | None:
    return next((one for one in get_args(State) if answer and one == answer.decode()), None)


def _read(client: redis.Redis, ids: Sequence[int]) -> list[Job]:
    pipeline = client.pipeline(transaction=False)
    for job_id in ids:
        key = PREFIX + str(job_id)
        pipeline.hgetall(key)
        pipeline.hgetall(f"{key}:counts")
        pipeline.llen(f"{key}:left")
        pipeline.exists(lease_of(job_id))
        pipeline.exists(rest_of(job_id))
    answers: list[Any] = pipeline.execute() if ids else []
    rows = zip(ids, *(answers[start::5] for start in range(5)), strict=True)
    return [_job(*row) for row in rows if row[1]]


def _job(  # noqa: PLR0913, PLR0917 - all that Redis has of a job
    job_id: int,
    data: dict[bytes, bytes],
    counts: dict[bytes, bytes],
    left: int,
    held: int,
    rests: int,
) -> Job:
    def number(name: bytes) -> float | None:
        return float(data[name]) if name in data else None

    def names(name: bytes) -> tuple[str, ...]:
        return tuple(data[name].decode().split(",")) if name in data else ()

    state = _state(data[b"state"])
    assert state is not None  # noqa: S101 - we wrote it
    return Job(
        id=job_id,
        state=state,
        order=_load(data[b"order"]),
        local=data[b"local"] == b"1",
        cursor=int(data[b"cursor"]),
        total=int(data[b"total"]),
        seen=int(data[b"seen"]),
        tries=int(data[b"tries"]),
        created=float(data[b"created"]),
        touched=float(data[b"touched"]),
        started=number(b"started"),
        ended=number(b"ended"),
        why=data.get(b"why", b"").decode(),
        in_hand=bool(held),
        awaited=names(b"awaited"),
        silent=names(b"silent"),
        silent_since=number(b"silent_since"),
        rests=bool(rests),
        counts={name.decode(): int(value) for name, value in counts.items()},
        left=left,
    )


def _dump(order: Order) -> str:
    data = {**asdict(order), "scope": order.scope.plain()}
    return json.dumps(data, ensure_ascii=False, separators=(",", ":"))


def _load(text: bytes) -> Order:
    data = json.loads(text)
    manner = data["manner"]
    return Order(
        scope=scope_of(data["scope"]),
        manner=Manner(manner["overruled"], manner["only_empty"], Traces(**manner["traces"])),
        fields=tuple(data["fields"]),
        rate=data["rate"],
        asked=data["asked"],
    )
