"""Who asked for what? A line for each admin call, in a Redis stream.

A call that was refused leaves its line, too. A line names fields and never holds a value; of whom
it tells is named by login or customer id. The stream keeps the newest lines and lets the oldest go.
"""

import json
from collections.abc import Collection, Iterator, Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from itertools import islice
from typing import Any

import redis
from pydantic import TypeAdapter

from worker.entries import milliseconds

KEY = "fieldfare:audit"

DONE = "done"

UNKNOWN = "unknown"

_PORTION = 500


@dataclass(frozen=True, slots=True)
class Line:
    """One admin call.

    Attributes:
        who: who asked, as the caller claimed.
        call: the name of the call.
        customer_users: the logins concerned; both of one that was renamed.
        customers: the ids of the customers concerned.
        source: where; empty where it is not known.
        fields: the variables that were written, by name.
        outcome: ``done``, ``nothing`` where nothing had to be written, the error's code, or
            ``unknown`` where whoever worked on it was killed.
        writes: the call was to write something; else it was a question.
    """

    who: str
    call: str
    customer_users: tuple[str, ...] = ()
    customers: tuple[str, ...] = ()
    source: str = ""
    fields: tuple[str, ...] = ()
    outcome: str = DONE
    writes: bool = True

    def is_about(self, login: str, *, writes: bool) -> bool:
        """Whether it names a customer user (empty: anybody) and, if asked for, was to write."""
        return (not login or login in self.customer_users) and (self.writes or not writes)


@dataclass(frozen=True, slots=True)
class Kept:
    """A line of the stream.

    Attributes:
        id: in the stream.
        time: when it was written, by the clock of the Redis server.
    """

    id: str
    time: datetime
    line: Line


_LINE = TypeAdapter(Line)


def write(client: redis.Redis, line: Line, most: int) -> None:
    """Append a line, and let go of what is older than the newest ``most``.

    Raises:
        redis.RedisError: it was not written.
    """
    client.xadd(KEY, {"line": text(line)}, maxlen=most, approximate=False)


def text(line: Line) -> str:
    """A line as it stands in Redis."""
    return json.dumps(asdict(line))


def line(text: bytes) -> Line:
    """The line that stands in Redis."""
    return _LINE.validate_json(text)


def newest(client: redis.Redis, most: int, login: str = "", *, writes: bool = False) -> list[Kept]:
    """The newest lines, the newest last.

    Args:
        client: answers bytes.
        most: how many.
        login: only those that name this customer user; empty: all.
        writes: only those of calls that were to write something.

    Raises:
        redis.RedisError: Redis does not answer.
    """
    found = (kept for kept in _backwards(client) if kept.line.is_about(login, writes=writes))
    return list(islice(found, most))[::-1]


def after(client: redis.Redis, last_id: str) -> list[Kept]:
    """The lines that came after one, the newest last; as many as are read at once.

    Raises:
        redis.RedisError: Redis does not answer.
    """
    return [_kept(*row) for row in _rows(client.xrange(KEY, min=f"({last_id}", count=_PORTION))]


def forget(client: redis.Redis, logins: Collection[str], *, dry_run: bool = False) -> int:
    """Take out all lines that name a customer user; returns how many there are, or were.

    Raises:
        redis.RedisError: some may still be there; calling again is harmless.
    """
    ids = [
        kept.id
        for kept in _backwards(client)
        if not set(logins).isdisjoint(kept.line.customer_users)
    ]
    if ids and not dry_run:
        client.xdel(KEY, *ids)
    return len(ids)


def _backwards(client: redis.Redis) -> Iterator[Kept]:
    before = "+"
    while rows := _rows(client.xrevrange(KEY, max=before, count=_PORTION)):
        kept = [_kept(*row) for row in rows]
        yield from kept
        before = f"({kept[-1].id}"


def _rows(answer: Any) -> list[tuple[bytes, Mapping[bytes, bytes]]]:
    return list(answer)


def _kept(entry_id: bytes, fields: Mapping[bytes, bytes]) -> Kept:
    identity = entry_id.decode()
    time = datetime.fromtimestamp(milliseconds(identity) / 1000, UTC)
    return Kept(identity, time, line(fields[b"line"]))
