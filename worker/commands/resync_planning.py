"""What would a resync write? Counts by outcome, field and reason, then the differences."""

import csv
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

import typer
from rich.console import Console
from rich.progress import Progress

from worker import job_runs, render, tally
from worker.commands import resync_telling as telling
from worker.commands.answering import Exit, complain
from worker.handlers.resync import Difference, compare
from worker.resync_request import Request
from worker.services import Services


def dry_run(asked: Request, services: Services, *, limit: int, as_csv: bool, as_json: bool) -> None:
    """Plan everything and show it; counts come first, but behind CSV, which is not kept in mind."""
    counts: Counter[str] = Counter()
    shown: list[Difference] = []
    lines = csv.writer(sys.stdout, lineterminator="\n")
    more = 0
    if as_csv:
        lines.writerow(["ticket_id", "number", "field", "decision", "reason", "old", "new"])
    for done, differences in _compared(asked, services):
        counts.update(done)
        if as_csv:
            lines.writerows(differences)
        elif as_json:
            shown += differences
        else:
            room = limit - len(shown)
            shown += differences[:room]
            more += len(differences[room:])
    found = tally.report(counts)
    if as_json:
        told = [one._asdict() for one in shown]
        render.print_json({"report": telling.plain_report(found), "differences": told})
    elif as_csv:
        words = ", ".join(
            f"{number:,} {telling.KINDS.get(k, k)}" for k, number in found.tickets.items()
        )
        complain(f"nothing was written. Tickets: {words or 'none'}")
    else:
        if not found.seen:
            render.show("There is no such ticket.")
            return
        render.show("Nothing was written. This would be:", "")
        telling.show_report(found)
        _show_differences(shown, more)
    if any(kind in found.tickets for kind in ("waiting", "stale")):
        raise typer.Exit(Exit.UNAVAILABLE)


def _compared(
    asked: Request, services: "Services"
) -> Iterator[tuple[Mapping[str, int], list[Difference]]]:

    scope = services.ticket_index.resolve(asked.selection)
    own = job_runs.with_fields(asked.fields, services)
    total = services.ticket_index.count(scope)
    reached = seen = 0
    with _plain_bar(total) as move:
        while reached < scope.last:
            part = services.ticket_index.part(scope, reached, services.settings.resync.chunk)
            done, differences = compare(part.ids, own, asked.manner)
            reached = part.reached
            seen += len(part.ids)
            move(seen)
            yield done.counts, differences


@contextmanager
def _plain_bar(total: int) -> Iterator[Callable[[int], object]]:
    """A progress bar on standard error, if that is a terminal."""
    console = Console(stderr=True, highlight=False)
    with Progress(console=console, disable=not console.is_terminal, transient=True) as progress:
        bar = progress.add_task("planned", total=total)
        yield lambda seen: progress.update(bar, completed=seen)


def _show_differences(shown: list[Difference], more: int) -> None:
    if shown:
        rows = render.table("ticket", "field", "now", "would be")
        for one in shown:
            rows.add_row(
                str(one.ticket_id), render.plain(one.field), *map(render.plain, (one.old, one.new))
            )
        render.show("", rows)
    if more:
        render.show("", f"There are {more:,} more; --limit shows more of them, --csv all.")
