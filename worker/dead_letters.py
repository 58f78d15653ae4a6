"""Which events could not be handled, and what can an admin do? List, replay, drop.

A dead letter keeps what the producer sent, cut where it was larger than an event may be, beside
the reason: ``malformed`` (not an event), ``failed`` (every attempt ended in an error) or
``killed_workers`` (workers died of it).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from worker import inbox_scripts as scripts
from worker.entries import Entry, decode, note
from worker.inbox import DEAD, EVENTS, Inbox


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A parked event.

    Attributes:
        id: the dead letter's own id, by which it is replayed or dropped.
        parked: when it was parked, by the server's clock.
        arrived: when the event first arrived.
        fields: what the producer sent; empty where it cannot be read as text.
        reason: ``malformed``, ``failed`` or ``killed_workers``.
        error: class of the error.
        message: what happened, free of secrets and attribute values.
        attempts: how often handling it failed.
    """

    id: str
    parked: datetime
    arrived: datetime
    fields: Mapping[str, str] = field(repr=False)
    reason: str
    error: str
    message: str
    attempts: int


def read(inbox: Inbox, after: str = "", count: int = 100) -> list[DeadLetter]:
    """Dead letters, oldest first.

    Args:
        inbox: where they are.
        after: the id of the last letter of the page before.
        count: most letters.
    """
    rows: Any = inbox.client.xrange(DEAD, min=f"({after}" if after else "-", count=count)
    return [_letter(*row) for row in rows]


def replay(inbox: Inbox, ids: Sequence[str]) -> int:
    """Move dead letters back into the inbox, their attempts forgotten; returns how many."""
    if not ids:
        return 0
    script = inbox.client.register_script(scripts.REPLAY)
    replayed = int(script(keys=[DEAD, EVENTS], args=list(ids)))
    if replayed:
        inbox.ring()
    return replayed


def drop(inbox: Inbox, ids: Sequence[str]) -> int:
    """Delete dead letters for good; returns how many there were."""
    return int(inbox.client.xdel(DEAD, *ids)) if ids else 0


def _letter(letter_id: bytes, raw: Mapping[bytes, bytes]) -> DeadLetter:
    entry, _ = decode(letter_id, raw, deliveries=0)
    return DeadLetter(
        id=entry.id,
        parked=Entry(entry.id, {}).time,
        arrived=entry.time,
        fields=entry.fields,
        reason=note(raw, "reason"),
        error=note(raw, "error"),
        message=note(raw, "message"),
        attempts=entry.attempts,
    )
