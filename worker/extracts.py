"""What may people see of an entry, whatever a producer put into it? An extract.

It holds the fields of the event contract, cut; of all other fields the names alone, since nobody
can tell whose data their values are. Signs that a terminal would obey, or that turn the direction
of reading, are written out, and so is what is not UTF-8. Streams are read in portions, so that long
ones and large entries need little memory.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import redis

from worker.entries import NOTE, Entry, decode, note
from worker.events import TicketCreated

CONTRACT = frozenset(TicketCreated.model_fields)
"""The fields whose values are shown: they say what happened to which ticket."""

MOST_OF_A_VALUE = 200
MOST_OF_A_NAME = 60
MOST_NAMES = 20

_FEWEST, _MOST = 10, 100  # entries of a portion
_LARGE = 1_000_000  # bytes of a portion, after which the next one is small again


@dataclass(frozen=True, slots=True)
class Extract:
    """What is shown of one entry.

    Attributes:
        id: its id in the stream that it is in.
        since: since when it is in this stream, by the server's clock.
        arrived: when the event first arrived.
        fields: those of the contract, as the producer sent them; cut.
        other_fields: size of the value in bytes of each other field; the first ones.
        attempts: how often handling it has failed.
        reason: why it is where it is.
        error: class of the error.
        message: what happened, free of secrets and attribute values.
    """

    id: str
    since: datetime
    arrived: datetime
    fields: Mapping[str, str]
    other_fields: Mapping[str, int]
    attempts: int
    reason: str
    error: str
    message: str


def extract(entry_id: bytes, raw: Mapping[bytes, bytes]) -> Extract:
    """What is shown of an entry as Redis gave it."""
    entry, _ = decode(entry_id, raw, deliveries=0)
    sent = [(name, value) for name, value in raw.items() if not name.startswith(NOTE.encode())]
    told = [(_text(name, MOST_OF_A_NAME), value) for name, value in sent]
    return Extract(
        id=entry.id,
        since=Entry(entry.id, {}).time,
        arrived=entry.time,
        fields={name: _text(value, MOST_OF_A_VALUE) for name, value in told if name in CONTRACT},
        other_fields=dict(
            [(name, len(value)) for name, value in told if name not in CONTRACT][:MOST_NAMES]
        ),
        attempts=entry.attempts,
        reason=printable(note(raw, "reason")),
        error=printable(note(raw, "error")),
        message=printable(note(raw, "message")),
    )


def oldest(client: redis.Redis, key: str, after: str = "") -> Iterator[Extract]:
    """The entries of a stream from the oldest on, read as they are wanted.

    Args:
        client: answers bytes.
        key: of the stream.
        after: the id of the entry behind which to begin.

    Raises:
        redis.RedisError: Redis does not answer.
    """
    return _read(lambda at, count: client.xrange(key, min=at or "-", count=count), after)


def newest(client: redis.Redis, key: str, before: str = "") -> Iterator[Extract]:
    """The same from the newest on, backwards; ``before`` is the id before which to begin."""
    return _read(lambda at, count: client.xrevrange(key, max=at or "+", count=count), before)


def printable(text: str, most: int = 0) -> str:
    """Text of others for a terminal: on one line, without signs that do something; cut."""
    shown = "".join(
        sign if sign.isprintable() else sign.encode("unicode_escape").decode()
        for sign in (text[:most] if most else text)
    )
    return f"{shown}…" if most and len(text) > most else shown


def _text(value: bytes, most: int) -> str:
    return printable(value[: 4 * most + 4].decode("utf-8", "backslashreplace"), most)


def _read(ask: Callable[[str, int], Any], at: str) -> Iterator[Extract]:
    count = _FEWEST
    while True:
        portion, size = _portion(ask(f"({at}" if at else "", count))
        yield from portion
        if len(portion) < count:
            return
        at = portion[-1].id
        count = _FEWEST if size > _LARGE else min(2 * count, _MOST)


def _portion(rows: Sequence[Any]) -> tuple[Sequence[Extract], int]:
    """The extracts, and how many bytes they were made from."""
    size = sum(len(part) for _, raw in rows for field in raw.items() for part in field)
    return [extract(*row) for row in rows], size
