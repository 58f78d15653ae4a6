"""Up to which history line has each ticket been looked at? A Redis hash, ticket -> history id.

The drain writes it when it settles an entry; the sweep reads it to append only what is newer, and
trims what its look-back no longer reaches. A mark that is lost or too low costs one more look.
The sweep keeps marks of its own in another hash, of the lines that it has announced.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import redis

KEY = "fieldfare:handled"

_PORTION = 1000


def write(client: redis.Redis, history_ids: Mapping[int, int], key: str = KEY) -> None:
    """Remember the newest history line that was looked at, by ticket id."""
    if history_ids:
        client.hset(key, mapping={str(ticket): line for ticket, line in history_ids.items()})


def read(client: redis.Redis, ticket_ids: Sequence[int], key: str = KEY) -> dict[int, int]:
    """The newest history line that was looked at, by ticket id; unknown tickets are missing."""
    if not ticket_ids:
        return {}
    lines = client.hmget(key, [str(ticket) for ticket in ticket_ids])
    return {
        ticket: int(line)
        for ticket, line in zip(ticket_ids, lines, strict=True)
        if line is not None
    }


def trim(client: redis.Redis, below: int, key: str = KEY) -> int:
    """Forget tickets whose mark is below a history id; returns how many."""
    trimmed = 0
    cursor = 0
    while True:
        answer: Any = client.hscan(key, cursor=cursor, count=_PORTION)
        cursor, marks = answer
        if old := [ticket for ticket, line in marks.items() if int(line) < below]:
            trimmed += client.hdel(key, *old)
        if cursor == 0:
            return trimmed
