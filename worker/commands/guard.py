"""``fieldfare guard``: was writing stopped, why, and may it go on?"""

import re
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from mapping.model import Reason
from worker.commands.answering import Exit, Json, answering
from worker.commands.loading import load

if TYPE_CHECKING:
    from worker.guard import GuardState
    from worker.settings import GuardSettings

app = typer.Typer(
    help="The guard against mass changes: show why writing was stopped, and let it go on.",
    no_args_is_help=True,
)

LONGEST = 30 * 24 * 3600
"""Seconds."""


def duration(text: str) -> int:
    """How many seconds; from ``90``, ``90s``, ``30m``, ``2h`` or ``1d``."""
    from worker.guard_words import SECONDS  # noqa: PLC0415

    found = re.fullmatch(r"(\d{1,9})([smhd]?)", text.strip())
    seconds = int(found[1]) * SECONDS[found[2] or "s"] if found else 0
    if not 1 <= seconds <= LONGEST:
        msg = f"{text!r} is no duration from 1 second to 30 days; right: 90s, 30m, 2h, 1d"
        raise typer.BadParameter(msg)
    return seconds


@app.command()
def show(as_json: Json = False) -> None:
    """Show whether writing goes on, and if it was stopped, why.

    Exit codes: 0 it goes on; 1 it is stopped; 3 Redis does not answer.
    """
    from worker import guard, render  # noqa: PLC0415 - heavy imports only where they are needed
    from worker.broker import impatient, redis_url  # noqa: PLC0415

    with answering():
        settings = load()
        found = guard.read(impatient(redis_url(settings.redis), "fieldfare-guard"), settings.guard)
    if as_json:
        render.print_json(asdict(found))
    else:
        _tell(found, settings.guard)
    if found.state == "stopped":
        raise typer.Exit(Exit.NO)


@app.command()
def release(
    seconds: Annotated[
        int | None,
        typer.Option(
            "--for",
            metavar="DURATION",
            parser=duration,
            help="How long everything is written, whatever it takes away: 90s, 30m, 2h, 1d. "
            "Default: guard.window.",
            show_default=False,
        ),
    ] = None,
    as_json: Json = False,
) -> None:
    """Forget what was counted, and let everything be written for a while.

    What waits in the inbox is planned anew and written within seconds. It can be used ahead of a
    mass change that is meant, too.
    """
    from worker import guard, guard_words, render  # noqa: PLC0415
    from worker.broker import impatient, redis_url  # noqa: PLC0415

    with answering():
        settings = load()
        client = impatient(redis_url(settings.redis), "fieldfare-guard")
        lasting = settings.guard.window if seconds is None else seconds
        before = guard.release(client, settings.guard, lasting)
        now = guard.read(client, settings.guard)
    if as_json:
        render.print_json({"before": asdict(before), "now": asdict(now)})
        return
    let_go = (
        f"Let go: {guard_words.reason(before.stop)}." if before.stop else "Nothing was stopped."
    )
    render.show(let_go)
    _tell(now, settings.guard)


def _tell(found: "GuardState", settings: "GuardSettings") -> None:
    from rich.text import Text  # noqa: PLC0415

    from worker import guard_words, render  # noqa: PLC0415
    from worker.decision_words import REASONS  # noqa: PLC0415

    if found.state == "off":
        render.show(guard_words.OFF)
    elif found.until is not None:
        render.show(f"Everything is written until {guard_words.moment(found.until)}.")
    elif found.stop is None:
        render.show(f"Writing goes on. It stops before {guard_words.limits(settings)}.")
    else:
        stop = found.stop
        since = guard_words.moment(stop.since)
        rows = render.table("in the batch that was stopped", "fields")
        for name, count in stop.fields.items():
            rows.add_row(Text(name), str(count))
        for why, count in stop.reasons.items():
            rows.add_row(Text(f"because: {REASONS[Reason(why)]}"), str(count))
        render.show(f"Writing is stopped since {since}: {guard_words.reason(stop)}.", "", rows, "")
        render.show(
            "Look whether that is right: "
            + ", ".join(f"fieldfare explain {i}" for i in stop.tickets),
            "If it is, let it be written: fieldfare guard release",
            "If not, mend the source first. The events wait, and are planned anew after a release.",
        )
