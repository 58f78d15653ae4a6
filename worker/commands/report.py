"""``fieldfare report``: how complete are the mapped fields, and why are those empty that are?"""

import sys
from contextlib import closing
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from worker.commands.answering import Exit, Json, answering, complain
from worker.commands.bars import bars
from worker.commands.choosing import Chosen, with_choice
from worker.commands.loading import load

if TYPE_CHECKING:
    from worker.handlers.report import Report

SAMPLE = 1000
"""Tickets that the directory is asked about unless more are asked for."""

STEPS = {"counting": "filled fields", "looking": "what the directory says"}
"""What the steps are called on the screen."""

EPILOG = (
    "Exit codes: 0 done; 1 there is no such ticket; 2 wrong usage or settings; 3 something did "
    "not answer, also if it is a source of some of the tickets; 130 interrupted."
)


@with_choice
def report(  # noqa: PLR0913 - one for each option
    *,
    sample: Annotated[
        int | None,
        typer.Option(
            min=1,
            metavar="NUMBER",
            help="Ask the directory about so many tickets, chosen at random. Default: 1000.",
            show_default=False,
        ),
    ] = None,
    full: Annotated[
        bool, typer.Option("--full", help="Ask it about all of them; nothing is an estimate then.")
    ] = False,
    chosen: Chosen,
    html: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Write a page with charts, too; needs the extra report."),
    ] = None,
    as_csv: Annotated[
        bool,
        typer.Option("--csv", help="Print CSV: a line for each queue, month, state and field."),
    ] = False,
    as_json: Json = False,
) -> None:
    """Count filled fields, and say why the others are empty, and which differ from the directory.

    How many are filled is counted in all tickets. What the directory says of them is found out for
    a random sample, with the error that comes of it, or with --full for all. Nothing is written
    into any ticket, and no value is shown.

    Example: fieldfare report --open --html report.html
    """
    _check(as_json=as_json, as_csv=as_csv, sampled=sample is not None, full=full, html=html)
    from worker import bootstrap  # noqa: PLC0415 - heavy imports only where needed
    from worker.choice import Choice, words  # noqa: PLC0415
    from worker.handlers import report as reports  # noqa: PLC0415
    from worker.tickets.selection import WrongSelection  # noqa: PLC0415

    choice = Choice(**chosen)
    size = None if full else sample or SAMPLE
    with answering(), closing(bootstrap.build(load())) as services, bars(STEPS) as progress:
        try:
            selection = choice.selection()
            found = reports.report(services, selection, sample=size, progress=progress)
        except WrongSelection as error:
            complain(str(error))
            raise typer.Exit(Exit.USAGE) from None
    if html is not None:
        _write(html, found, words(choice.given()))
    _print(found, as_json=as_json, as_csv=as_csv)
    for source, tickets in sorted(found.unavailable.items()):
        complain(f"{source} does not answer; nothing is known of {tickets} of the tickets")
    if found.unavailable:
        raise typer.Exit(Exit.UNAVAILABLE)
    if not found.tickets:
        complain("there is no such ticket")
        raise typer.Exit(Exit.NO)


def _check(*, as_json: bool, as_csv: bool, sampled: bool, full: bool, html: Path | None) -> None:
    """Find out before the work what cannot be done, also whether a page can be made and written."""
    from worker.reporting.page import ReportNotInstalled, require  # noqa: PLC0415

    if as_json and as_csv:
        raise typer.BadParameter("give --json or --csv, not both", param_hint="--csv")
    if full and sampled:
        raise typer.BadParameter("give --full or --sample, not both", param_hint="--full")
    if html is None:
        return
    try:
        require()
    except ReportNotInstalled as error:
        complain(str(error))
        raise typer.Exit(Exit.USAGE) from None
    if html.is_dir() or not html.absolute().parent.is_dir():
        what = "is a folder" if html.is_dir() else "is in a folder that there is not"
        msg = f"{html} {what}; right: --html report.html"
        raise typer.BadParameter(msg, param_hint="--html")


def _print(found: "Report", *, as_json: bool, as_csv: bool) -> None:
    from worker import render  # noqa: PLC0415
    from worker.reporting import telling  # noqa: PLC0415

    if as_json:
        render.print_json(telling.plain(found))
    elif as_csv:
        telling.write_csv(found, sys.stdout)
    else:
        telling.tell(found)


def _write(file: Path, found: "Report", asked: str) -> None:
    from worker.reporting.page import page  # noqa: PLC0415

    made = datetime.now().astimezone().strftime("%Y-%m-%d %H:%M %Z")
    text = page(found, asked=asked, made=made)
    try:
        file.write_text(text, encoding="utf-8")
    except OSError as error:
        complain(f"{file} cannot be written: {error.strerror}")
        raise typer.Exit(Exit.USAGE) from None
