"""How the handling of an event can end, and what then becomes of its inbox entry.

One table decides: an outcome's kind gives the disposition, and the drain carries it out.
"""

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import NamedTuple


class Kind(StrEnum):
    """How handling ended, in the words of the log and the metrics."""

    WRITTEN = "written"  # at least one field was written
    UNCHANGED = "unchanged"  # every field had its value already
    KEPT = "kept"  # nothing written, at least one field belongs to the frontend
    NO_SUCH_TICKET = "no_such_ticket"
    IGNORED = "ignored"  # an event of the directory, and no ticket follows it
    SCHEDULED = "scheduled"  # an event of the directory, and tickets follow it
    WAITING = "waiting"  # a source that could know the customer user does not answer
    STALE = "stale"  # as waiting, but what the source said before was written meanwhile
    CONFLICT = "conflict"  # somebody kept changing the ticket while it was planned
    FAILED = "failed"  # an error of the event itself
    MALFORMED = "malformed"  # not an event of the contract


class Disposition(StrEnum):
    """What becomes of an entry."""

    SETTLE = "settle"  # leaves the inbox
    WAIT = "wait"  # moves to the waiting room of its slot
    RETRY = "retry"  # goes behind all others; nothing is counted
    FAIL = "fail"  # goes behind all others; after the last attempt it is parked
    PARK = "park"  # moves to the dead letters at once


DISPOSITIONS: Mapping[Kind, Disposition] = MappingProxyType(
    {
        Kind.WRITTEN: Disposition.SETTLE,
        Kind.UNCHANGED: Disposition.SETTLE,
        Kind.KEPT: Disposition.SETTLE,
        Kind.NO_SUCH_TICKET: Disposition.SETTLE,
        Kind.IGNORED: Disposition.SETTLE,
        Kind.SCHEDULED: Disposition.SETTLE,
        Kind.WAITING: Disposition.WAIT,
        Kind.STALE: Disposition.WAIT,
        Kind.CONFLICT: Disposition.RETRY,
        Kind.FAILED: Disposition.FAIL,
        Kind.MALFORMED: Disposition.PARK,
    }
)


class Outcome(NamedTuple):
    """How it ended for one inbox entry.

    Attributes:
        entry_id: the id of the entry in the inbox.
        ticket_id: ``ticket.id``; None where the event names none, or none that can be read.
        reason: why, free of secrets and attribute values; kept with an entry that waits or is
            parked.
        slot: of a waiting event, the slot of the source that did not answer.
        history_id: the newest history line that was looked at; remembered for the sweep once
            the entry is settled.
        error: of a failed event, the class of the error.
    """

    entry_id: str
    ticket_id: int | None
    kind: Kind
    reason: str = ""
    slot: str | None = None
    history_id: int | None = None
    error: str = ""

    @property
    def disposition(self) -> Disposition:
        """What becomes of the entry."""
        return DISPOSITIONS[self.kind]
