"""What is one entry of the inbox, and is it text of a bearable size?

Producers may write anything into a stream, so the bytes are judged before they become an entry.
Whether an entry is an event of the contract is for ``worker.events`` to say.
"""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import NamedTuple

from worker.inbox_scripts import MAX_FIELD_BYTES, MAX_FIELDS

NOTE = "fieldfare."
"""Fields of an entry that begin so are notes of ours, not the producer's words."""

_NOTE = NOTE.encode()

_YEAR_9999 = datetime(9999, 1, 1, tzinfo=UTC).timestamp()
_ENTRY_ID = re.compile(r"\d{1,20}-\d{1,20}", re.ASCII)
_COUNT = re.compile(r"\d{1,9}", re.ASCII)


class Entry(NamedTuple):
    """One event in the inbox.

    Attributes:
        id: its id in the stream; changes when the entry goes behind others.
        fields: the event's fields as the producer sent them.
        deliveries: how often it was handed to a consumer; above 1 it comes from one that died.
        origin: the id that it first arrived under, where that is another.
        attempts: how often handling it has failed.
    """

    id: str
    fields: Mapping[str, str]
    deliveries: int = 1
    origin: str = ""
    attempts: int = 0

    def __repr__(self) -> str:
        shown = {name: value for name, value in self._asdict().items() if name != "fields"}
        return f"Entry({', '.join(f'{name}={value!r}' for name, value in shown.items())})"

    @property
    def first_id(self) -> str:
        """The id that the event first arrived under; stays the same for all its life."""
        return self.origin or self.id

    @property
    def seconds(self) -> float:
        """When the event first arrived, by the clock of the Redis server; since 1970."""
        return min(milliseconds(self.first_id) / 1000, _YEAR_9999)

    @property
    def time(self) -> datetime:
        """When the event first arrived, by the clock of the Redis server."""
        return datetime.fromtimestamp(self.seconds, tz=UTC)


def milliseconds(entry_id: str) -> int:
    """The time within a stream entry's id: milliseconds since 1970 by the server's clock."""
    return int(entry_id.partition("-")[0])


def decode(entry_id: bytes, raw: Mapping[bytes, bytes], deliveries: int) -> tuple[Entry, str]:
    """An entry as Redis gave it, and what is wrong with it.

    Returns:
        The entry, and an empty text. Where the entry cannot be read, it comes without fields,
        and the text says why without repeating what was sent.
    """
    own = {name: value for name, value in raw.items() if not name.startswith(_NOTE)}
    fields: dict[str, str] = {}
    problem = ""
    if len(own) > MAX_FIELDS:
        problem = f"more than {MAX_FIELDS} fields"
    elif max(map(len, (*own, *own.values())), default=0) > MAX_FIELD_BYTES:
        problem = f"a field of more than {MAX_FIELD_BYTES} bytes"
    else:
        try:
            fields = {name.decode(): value.decode() for name, value in own.items()}
        except UnicodeDecodeError:
            problem = "a field is not UTF-8"
    origin, attempts = ("", 0) if len(own) == len(raw) else _notes(raw)
    return Entry(entry_id.decode(), fields, deliveries, origin, attempts), problem


def _notes(raw: Mapping[bytes, bytes]) -> tuple[str, int]:
    """Where an entry came from, and how often it failed; what is no note of ours says nothing."""
    origin, attempts = note(raw, "origin"), note(raw, "attempts")
    return (
        origin if _ENTRY_ID.fullmatch(origin) else "",
        int(attempts) if _COUNT.fullmatch(attempts) else 0,
    )


def note(raw: Mapping[bytes, bytes], name: str) -> str:
    """One of our notes on an entry; empty where there is none."""
    return raw.get(f"{NOTE}{name}".encode(), b"").decode("utf-8", "replace")
