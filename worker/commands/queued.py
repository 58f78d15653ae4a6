"""How are events shown that wait somewhere? What dead letters, waiting rooms and inbox share."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import redis
    from rich.table import Table
    from rich.text import Text

    from worker.extracts import Extract

LOOKED_AT = 1000
"""Most events of a long stream that are looked at for a count of reasons: some ten round trips."""

_MOST_REASONS = 10


def now_of(client: "redis.Redis") -> float:
    """The server's clock, by which ages are told; seconds since 1970."""
    answer: Any = client.time()
    seconds, micros = answer
    return float(seconds + micros / 1e6)


def plain(one: "Extract", now: float) -> dict[str, Any]:
    """An event for programs."""
    return {
        "id": one.id,
        "ticket_id": one.fields.get("ticket_id", ""),
        "type": one.fields.get("type", ""),
        "since": one.since.isoformat(),
        "since_seconds": seconds_since(one.since.timestamp(), now),
        "arrived": one.arrived.isoformat(),
        "arrived_seconds": seconds_since(one.arrived.timestamp(), now),
        "attempts": one.attempts,
        "reason": one.reason,
        "error": one.error,
        "message": one.message,
        "fields": dict(one.fields),
        "other_fields": dict(one.other_fields),
    }


def seconds_since(moment: float, now: float) -> float:
    """How long ago a moment was; a producer may have named one that is yet to come."""
    return max(0.0, now - moment)


def ago(moment: float, now: float) -> str:
    """The same for people."""
    from worker import render  # noqa: PLC0415 - heavy imports only where they are needed

    return render.age(seconds_since(moment, now))


def table(*columns: str) -> "Table":
    """A table of events: their ids, which are there to be copied, tickets and types come first."""
    from worker import render  # noqa: PLC0415

    made = render.table("id", "ticket", "type", *columns)
    made.columns[0].no_wrap = True
    return made


def add_row(rows: "Table", one: "Extract", *cells: "str | Text") -> None:
    """Add an event to such a table.

    Args:
        rows: what ``table`` made.
        one: the event.
        cells: what stands behind its type.
    """
    from worker import render  # noqa: PLC0415

    ticket = render.plain(one.fields.get("ticket_id", ""))
    kind = render.plain(one.fields.get("type", "").removeprefix("ticket."))
    rows.add_row(one.id, ticket, kind, *cells)


def reasons(events: Iterable["Extract"]) -> Mapping[str, int]:
    """How many events are where they are for each reason, the most frequent first."""
    return dict(Counter(map(why, events)).most_common(_MOST_REASONS))


def why(one: "Extract") -> str:
    """Why an event is where it is: ``failed KeyError: plan.py:10 in plan``."""
    named = " ".join(filter(None, (one.reason, one.error)))
    return f"{named}: {one.message}" if one.message else named


def counted(events: Sequence["Extract"], total: int, which: str) -> "Sequence[Table | str]":
    """How often each reason was found, for people.

    Args:
        events: those that were looked at.
        total: how many there are.
        which: of them were looked at: ``newest``, ``oldest``.
    """
    from rich.text import Text  # noqa: PLC0415

    from worker import render  # noqa: PLC0415

    rows = render.table("events", "why")
    counts = reasons(events)
    for reason, count in counts.items():
        rows.add_row(f"{count:,}", Text(reason))
    if rest := len(events) - sum(counts.values()):
        rows.add_row(f"{rest:,}", "other reasons")
    if len(events) < total:
        return [rows, f"among the {len(events):,} {which}"]
    return [rows]
