"""``fieldfare inbox``: which events are to be handled, and who has them in hand?"""

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from worker.commands import queued
from worker.commands.answering import Json, answering
from worker.commands.loading import load

if TYPE_CHECKING:
    from worker.in_hand import Hold, Oldest
    from worker.status import Status

COLOURS = {"at work": "green", "idle": "dim", "silent": "bold red"}


def inbox(
    events: Annotated[
        int,
        typer.Option(
            "--events",
            metavar="N",
            min=0,
            max=queued.LOOKED_AT,
            help="How many of the oldest events are listed.",
        ),
    ] = 10,
    as_json: Json = False,
) -> None:
    """Show how many events are to be handled, the oldest of them, and who has them in hand."""
    from worker import in_hand, render, status  # noqa: PLC0415 - heavy imports only where needed
    from worker.broker import impatient, redis_url  # noqa: PLC0415

    with answering():
        settings = load()
        client = impatient(redis_url(settings.redis), "fieldfare-inbox-command")
        now = status.read(client, settings)
        found = in_hand.read(client, settings.inbox, events)
    if as_json:
        render.print_json(
            {
                **asdict(now.inbox),
                "in_hand": sum(now.pending.values()),
                "processes": [asdict(one) for one in found.holders],
                "events": [
                    queued.plain(one, now.time) | _plain(found.holds.get(one.id))
                    for one in found.events
                ],
            }
        )
        return
    _show(now, found)


def _plain(hold: "Hold | None") -> dict[str, object]:
    if hold is None:
        return {"in_hand_of": None, "deliveries": 0}
    return {"in_hand_of": hold.holder, "deliveries": hold.deliveries}


def _show(now: "Status", found: "Oldest") -> None:
    from rich.text import Text  # noqa: PLC0415

    from worker import render  # noqa: PLC0415

    length = now.inbox.length
    oldest = f", the oldest {render.age(now.inbox.oldest_seconds)} old" if length else ""
    in_hand = sum(now.pending.values())
    render.show(f"{length:,} event{'' if length == 1 else 's'}{oldest}; {in_hand:,} in hand")
    if found.holders:
        rows = render.table("process", "state", "in hand", "last heard of")
        for one in found.holders:
            rows.add_row(
                Text(one.name),
                Text(one.state, style=COLOURS[one.state]),
                str(one.pending),
                f"{render.age(one.idle_seconds)} ago",
            )
        render.show("", rows)
    if not found.events:
        return
    rows = queued.table("arrived", "tries", "in hand of")
    for event in found.events:
        hold = found.holds.get(event.id)
        again = f" (handed over {hold.deliveries} times)" if hold and hold.deliveries > 1 else ""
        queued.add_row(
            rows,
            event,
            queued.ago(event.arrived.timestamp(), now.time),
            str(event.attempts),
            Text(f"{hold.holder}{again}" if hold else ""),
        )
    render.show("", rows)
    if length > len(found.events):
        render.show(f"… and {length - len(found.events):,} more")
