"""How far are the jobs that have not ended? A line for each in Redis, kept up to date by the jobs.

It says nothing of what was asked for: who watches over Fieldfare need not see whose tickets a job
is about, nor read the order of one that names a hundred thousand.
"""

from collections.abc import Mapping
from dataclasses import dataclass

KEY = "fieldfare:jobs:standing"
"""A hash: id -> state, 1 if it is local, tickets, tickets looked at, when it was touched, and the
names of the sources that it waits for, ``-`` if there are none."""

STAND = """
local function stand(key, job)
  local id, kept = string.match(job, '%d+$'), redis.call('HMGET', job, 'state', 'local', 'total',
    'seen', 'touched', 'awaited')
  if not kept[1] or kept[1] == 'done' or kept[1] == 'cancelled' then
    return redis.call('HDEL', key, id)
  end
  kept[6] = kept[6] or '-'
  return redis.call('HSET', key, id, table.concat(kept, ' '))
end
"""
"""Lua that notes how far a job is: ``stand(KEY, the job's key)``."""


@dataclass(frozen=True, slots=True)
class Standing:
    """How far a job is that has not ended.

    Attributes:
        state: ``running``, ``paused``, or ``asks``.
        local: it is worked on by the process that started it, and by no worker.
        total: how many tickets there were when it was started.
        seen: tickets that were looked at.
        touched: when something of it was last done, seconds since 1970 by the clock of Redis.
        awaited: names of the sources that it waits for.
    """

    id: int
    state: str
    local: bool
    total: int
    seen: int
    touched: float
    awaited: tuple[str, ...] = ()


def parse(found: Mapping[bytes, bytes]) -> tuple[Standing, ...]:
    """What the hash holds, the oldest job first."""
    return tuple(sorted((_one(*item) for item in found.items()), key=lambda one: one.id))


def _one(job_id: bytes, text: bytes) -> Standing:
    state, local, total, seen, touched, awaited = text.decode().split(" ")
    sources = () if awaited == "-" else tuple(awaited.split(","))
    numbers = int(total), int(seen), float(touched)
    return Standing(int(job_id), state, local == "1", *numbers, sources)
