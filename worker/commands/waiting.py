"""``fieldfare waiting``: which events wait for a source, since when, and why?"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import islice
from typing import TYPE_CHECKING, Annotated, Any

import typer

from worker.commands import queued
from worker.commands.answering import Json, answering
from worker.commands.loading import load

if TYPE_CHECKING:
    from worker.extracts import Extract
    from worker.settings import Settings
    from worker.status import Queue, Status

LISTED = 20
"""Events that are listed of a room that is named."""


_GONE = "not configured"


@dataclass(frozen=True, slots=True)
class Room:
    """A waiting room.

    Attributes:
        source: ``CustomerUser``, ``CustomerUser1`` …
        name: the source's name for people; may be empty.
        state: how the source answered last; ``not configured`` where there is none any more.
        detail: why it does not answer.
        queue: how many events wait, and how old the first is.
    """

    source: str
    name: str
    state: str
    detail: str
    queue: "Queue"

    @property
    def slot(self) -> str:
        """The slot of the source."""
        return self.source.removeprefix("CustomerUser")


def waiting(
    source: Annotated[
        str | None,
        typer.Argument(
            metavar="SOURCE",
            help="One room alone: CustomerUser1, its number, or the source's name.",
            show_default=False,
        ),
    ] = None,
    events: Annotated[
        int | None,
        typer.Option(
            "--events",
            metavar="N",
            min=0,
            max=queued.LOOKED_AT,
            help="How many of the oldest events of each room are listed. Default: 20 of a room "
            "that is named, else none.",
            show_default=False,
        ),
    ] = None,
    as_json: Json = False,
) -> None:
    """Show the events that wait for a source that does not answer, and why.

    They come back by themselves when it answers.
    """
    from worker import extracts, render, status  # noqa: PLC0415 - heavy imports only where needed
    from worker.broker import impatient, redis_url  # noqa: PLC0415
    from worker.inbox import waiting_room  # noqa: PLC0415

    with answering():
        settings = load()
        only = None if source is None else _meant(source, settings)
        client = impatient(redis_url(settings.redis), "fieldfare-waiting")
        found = status.read(client, settings)
        rooms = [room for room in _rooms(found) if only in {None, room.source}]
        if only and not rooms:
            rooms = [Room(only, "", _GONE, "", status.Queue(0, None))]
        seen = {
            room.source: list(
                islice(extracts.oldest(client, waiting_room(room.slot)), queued.LOOKED_AT)
            )
            for room in rooms
            if room.queue.length
        }
    listed = (LISTED if source else 0) if events is None else events
    if as_json:
        told = [_plain(room, seen.get(room.source, []), listed, found.time) for room in rooms]
        render.print_json({"rooms": told})
        return
    _show(rooms, seen, listed, found.time)


def _rooms(found: "Status") -> Iterator[Room]:
    """The room of each source, and those that are left of sources which are gone."""
    for one in found.sources:
        yield Room(one.source, one.name, one.state, one.reason, one.waiting)
    for source, queue in found.orphans.items():
        yield Room(source, "", _GONE, "", queue)


def _meant(named: str, settings: "Settings") -> str:
    """The source that somebody means, by OTOBO's name."""
    from directory.model import SLOTS, source_name  # noqa: PLC0415

    meant = {slot or "0": source_name(slot) for slot in SLOTS}
    meant |= {source_name(slot).lower(): source_name(slot) for slot in SLOTS}
    meant |= {
        config.name.lower(): config.source_name
        for config in settings.source_configs()
        if config.name
    }
    if named.lower() in meant:
        return meant[named.lower()]
    known = ", ".join(
        f"{config.source_name} ({config.name})" if config.name else config.source_name
        for config in settings.source_configs()
    )
    raise typer.BadParameter(f"there is no source {named!r}; there are: {known}")


def _plain(room: Room, seen: Sequence["Extract"], listed: int, now: float) -> dict[str, Any]:
    return {
        **asdict(room),
        "looked_at": len(seen),
        "reasons": queued.reasons(seen),
        "events": [queued.plain(one, now) for one in seen[:listed]],
    }


def _show(
    rooms: Sequence[Room], seen: Mapping[str, Sequence["Extract"]], listed: int, now: float
) -> None:
    from rich.text import Text  # noqa: PLC0415

    from worker import render  # noqa: PLC0415

    rows = render.table("source", "name", "state", "events", "oldest", "why the source is away")
    for room in rooms:
        rows.add_row(
            Text(room.source),
            Text(room.name),
            Text(room.state),
            str(room.queue.length),
            render.age(room.queue.oldest_seconds),
            Text(room.detail),
        )
    render.show(rows)
    for room in rooms:
        events = seen.get(room.source, [])
        if not events:
            continue
        total = room.queue.length
        waits = "event waits" if total == 1 else "events wait"
        counted = queued.counted(events, total, "oldest")
        render.show("", f"{total:,} {waits} for {room.source}", *counted)
        if not listed:
            continue
        table = queued.table("waits for", "arrived", "why")
        for one in events[:listed]:
            queued.add_row(
                table,
                one,
                queued.ago(one.since.timestamp(), now),
                queued.ago(one.arrived.timestamp(), now),
                Text(queued.why(one)),
            )
        render.show("", table)
        if total > len(events[:listed]):
            render.show(f"… and {total - len(events[:listed]):,} more")
