"""``fieldfare forget``: take what was written of a customer user out of all tickets again."""

import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from typing import TYPE_CHECKING, Annotated, Any

import typer

from worker.commands.answering import Exit, Json, answering, complain
from worker.commands.bars import bars
from worker.commands.loading import load

if TYPE_CHECKING:
    from worker.handlers.forget import Forgotten

STEPS = {"searching": "the history of all tickets", "forgetting": "their tickets"}
"""What the steps are called on the screen."""

EPILOG = (
    "Exit codes: 0 done; 1 there is no such ticket, some tickets are left, or you said no; 2 wrong "
    "usage or settings; 3 something did not answer; 130 interrupted. Run it again, and it goes on."
)


def forget(
    login: Annotated[str, typer.Argument(help="The customer user's login, as tickets have it.")],
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what there is; write nothing.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask for confirmation.")] = False,
    as_json: Json = False,
) -> None:
    """Take what Fieldfare wrote of a customer user out of the fields of all their tickets.

    For who asks to be forgotten. Fields are emptied, or get the placeholder of the settings
    ([forget]); values in Fieldfare's own history lines are overwritten; copies in Redis and OTOBO's
    caches are dropped. What others wrote stays, and is counted. Remove them from the directory
    first, or the next event of one of their tickets fills the fields again.
    """
    from worker import bootstrap  # noqa: PLC0415 - heavy imports only where they are needed
    from worker.handlers import forget as forgetting  # noqa: PLC0415

    with answering(), closing(bootstrap.build(load())) as services:
        try:
            if not (dry_run or yes):
                with bars(STEPS) as progress:
                    planned = forgetting.forget(services, login, dry_run=True, progress=progress)
                _confirm(login, planned)
            with bars(STEPS) as progress:
                done = forgetting.forget(services, login, dry_run=dry_run, progress=progress)
        except forgetting.PlaceholderRefused as error:
            complain(str(error))
            raise typer.Exit(Exit.USAGE) from None
    if as_json:
        from worker import render  # noqa: PLC0415

        render.print_json({"login": login, "dry_run": dry_run, **_plain(done)})
    else:
        _tell(login, done, dry_run=dry_run)
    if done.left or not done.tickets:
        raise typer.Exit(Exit.NO)


def _confirm(login: str, planned: "Forgotten") -> None:
    """Show what there is, and ask; on a terminal only."""
    if not sys.stdin.isatty():
        complain("nobody can be asked here; look with --dry-run, and confirm with --yes")
        raise typer.Exit(Exit.USAGE)
    _tell(login, planned, dry_run=True)
    if planned.tickets and not typer.confirm("This cannot be undone. Do it?", err=True):
        raise typer.Exit(Exit.NO)


def _plain(done: "Forgotten") -> dict[str, Any]:
    lines, tickets = done.foreign
    return {
        "tickets": done.tickets,
        "emptied": dict(done.emptied),
        "replaced": dict(done.replaced),
        "kept": dict(done.kept),
        "written_by_others": dict(done.others),
        "refused": dict(done.refused),
        "own_lines": done.lines,
        "lines_by_others": {"lines": lines, "tickets": tickets},
        "login_in_history_of": done.naming,
        "audit_lines": done.audit,
        "left": done.left,
        "known_to": done.known or None,
        "does_not_answer": done.silent or None,
        "otobo_cache": done.cached,
    }


def _tell(login: str, done: "Forgotten", *, dry_run: bool) -> None:
    from worker import render  # noqa: PLC0415

    would = "would be" if dry_run else "were"
    if not done.tickets:
        complain(f"no ticket has or had the customer user {login!r}; capital letters count")
        _warn(done)
        return
    render.show(f"{login} has or had {done.tickets} tickets.", "")
    parts: tuple[tuple[str, Counter[str]], ...] = (
        (f"{would} emptied", done.emptied),
        (f"{would} replaced by the placeholder", done.replaced),
        ("stay, for the settings keep them", done.kept),
        ("stay, for somebody else wrote them", done.others),
        ("hold a value of theirs, and cannot be written", done.refused),
    )
    rows = render.table("field", "tickets", "values")
    for words, counter in parts:
        for name, count in sorted(counter.items()):
            rows.add_row(render.plain(name), str(count), words)
    if rows.row_count:
        render.show(rows, "")
    render.show(*_lines(done, would))
    _warn(done)


def _lines(done: "Forgotten", would: str) -> Iterator[str]:
    """What becomes of history lines, and what still holds something."""
    yield f"{done.lines} history lines of Fieldfare {would} overwritten."
    if done.audit:
        yield f"{done.audit} lines of the audit {would} removed."
    lines, tickets = done.foreign
    if lines:
        yield (
            f"{lines} history lines by others in {tickets} tickets may hold values of theirs. "
            "Fieldfare leaves them alone."
        )
    if done.naming:
        yield f"The login stands in the history of {done.naming} tickets: the ticket system's own."
    yield "Articles, and who a ticket belongs to, are the ticket system's, too."
    if done.emptied or done.replaced:
        yield "The guard against mass changes does not count this."


def _warn(done: "Forgotten") -> None:
    """What has to be done so that it stays forgotten."""
    if done.known:
        complain(
            f"{done.known} still knows them: the next event of one of their tickets fills the "
            "fields again. Remove them there, and run this once more"
        )
    if done.silent:
        complain(
            f"{done.silent} does not answer, so nobody can say whether the directory still knows "
            "them: if it does, the next event of one of their tickets fills the fields again"
        )
    for problem in done.cached:
        complain(f"{problem}; OTOBO may show the old values until they expire there")
    if done.left:
        complain(f"{len(done.left)} tickets kept changing and are left; run this once more")
