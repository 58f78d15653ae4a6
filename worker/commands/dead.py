"""``fieldfare dead``: which events could not be handled, why, and what shall become of them?"""

import re
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from worker.commands import queued
from worker.commands.answering import Exit, Json, answering, complain, console
from worker.commands.loading import load

if TYPE_CHECKING:
    import redis
    from rich.table import Table

    from worker.extracts import Extract
    from worker.inbox import Inbox

LOOKED_THROUGH = 10_000
"""Most letters that are looked through for those of one reason: some hundred round trips."""

Reason = Annotated[
    Literal["malformed", "failed", "killed_workers"] | None,
    typer.Option(help="Only those that were parked for this reason."),
]
Ids = Annotated[
    list[str] | None, typer.Argument(metavar="ID…", help="Ids, as dead list shows them.")
]
All = Annotated[bool, typer.Option("--all", help="All that are there now, instead of ids.")]


@dataclass(frozen=True, slots=True)
class Choice:
    """The letters that somebody wants to be dealt with.

    Attributes:
        ids: each once; empty for all.
        reason: of all, only those that were parked for this one.
    """

    ids: Sequence[str]
    reason: str = ""

    def portions(self, inbox: "Inbox") -> Iterator[Sequence[str]]:
        """Their ids, some hundred at a time."""
        from worker import dead_letters  # noqa: PLC0415

        if not self.ids:
            yield from dead_letters.all_ids(inbox, self.reason)
        for start in range(0, len(self.ids), 200):
            yield self.ids[start : start + 200]


dead = typer.Typer(
    help="Show events that could not be handled, and replay or drop them.", no_args_is_help=True
)


@dead.command("list")
def list_(
    reason: Reason = None,
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="Most of them.")] = 20,
    before: Annotated[
        str | None, typer.Option(metavar="ID", help="Go on behind the last one of a list.")
    ] = None,
    as_json: Json = False,
) -> None:
    """List dead letters, the newest first."""
    from worker import extracts, render  # noqa: PLC0415 - heavy imports only where needed
    from worker.inbox import DEAD  # noqa: PLC0415

    _are_ids([before] if before else [], "--before")
    with answering():
        client = _client()
        total, now = int(client.xlen(DEAD)), queued.now_of(client)
        most = LOOKED_THROUGH if reason else max(queued.LOOKED_AT, limit)
        seen = list(islice(extracts.newest(client, DEAD, before or ""), most))
        fitting = [one for one in seen if reason in {None, one.reason}]
        letters = fitting[:limit]
        # There is more behind what is shown, or behind all that was looked at.
        last = letters[-1].id if len(fitting) > limit else seen[-1].id if seen else ""
        rest = len(fitting) > limit or (len(seen) == most and _is_before(client, last))
    following = last if rest else None
    if as_json:
        listed = [queued.plain(one, now) for one in letters]
        render.print_json({"total": total, "letters": listed, "before": following})
        return
    render.show(f"{total:,} dead letter{'' if total == 1 else 's'}")
    if seen:
        render.show("", *queued.counted(seen, total, "next" if before else "newest"))
    if letters:
        render.show("", _table(letters, now))
    elif seen:
        render.show(
            "", f"None of the {len(seen):,} that were looked through was parked as {reason}."
        )
    if following:
        chosen = f" --reason {reason}" if reason else ""
        render.show("", f"There may be more: fieldfare dead list{chosen} --before {following}")


@dead.command()
def show(
    letter: Annotated[str, typer.Argument(metavar="ID", help="Its id, as dead list shows it.")],
    as_json: Json = False,
) -> None:
    """Show all that is known of one dead letter.

    Values are shown of the fields that the event contract knows, of others the size alone.
    """
    from worker import dead_letters, render  # noqa: PLC0415

    _are_ids([letter], "ID")
    with answering():
        client = _client()
        found, now = dead_letters.find(client, letter), queued.now_of(client)
    if found is None:
        complain(f"there is no dead letter {letter}; it may have been replayed or dropped")
        raise typer.Exit(Exit.NO)
    if as_json:
        render.print_json(queued.plain(found, now))
        return
    rows = render.table("dead letter", found.id)
    for name, value in (
        ("parked", _moment(found.since.timestamp(), now)),
        ("event arrived", _moment(found.arrived.timestamp(), now)),
        ("attempts", str(found.attempts)),
        ("reason", f"{found.reason}: {dead_letters.REASONS.get(found.reason, 'unknown')}"),
        ("error", found.error),
        ("message", found.message),
        *((f"field {name}", value) for name, value in found.fields.items()),
        *(
            (f"field {name}", f"({size:,} bytes that are not shown)")
            for name, size in found.other_fields.items()
        ),
    ):
        rows.add_row(render.plain(name), render.plain(value))
    render.show(rows)


@dead.command()
def replay(
    ids: Ids = None,
    everything: All = False,
    reason: Reason = None,
    as_json: Json = False,
) -> None:
    """Move dead letters back into the inbox, to be tried anew.

    With --all, those that are parked meanwhile stay: what fails again is not tried again.
    """
    from worker import dead_letters  # noqa: PLC0415

    chosen = _choose(ids, everything=everything, reason=reason)
    with answering():
        _do("replayed", dead_letters.replay, _inbox(), chosen, as_json=as_json)


@dead.command()
def drop(
    ids: Ids = None,
    everything: All = False,
    reason: Reason = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    as_json: Json = False,
) -> None:
    """Delete dead letters for good.

    The events are gone then. Their tickets are looked at again when something happens to them, and
    the sweep may find some of them before.
    """
    from worker import dead_letters  # noqa: PLC0415
    from worker.inbox import DEAD  # noqa: PLC0415

    chosen = _choose(ids, everything=everything, reason=reason)
    with answering():
        inbox = _inbox()
        if not yes:
            which = f"{len(chosen.ids):,}"
            if not chosen.ids:
                some = f"those with the reason {reason} among " if reason else "all of "
                which = f"{some}{int(inbox.client.xlen(DEAD)):,}"
            _ask(f"Delete {which} dead letters for good? The sweep may find their tickets again.")
        _do("dropped", dead_letters.drop, inbox, chosen, as_json=as_json)


def _client() -> "redis.Redis":
    from worker.broker import impatient, redis_url  # noqa: PLC0415

    return impatient(redis_url(load().redis), "fieldfare-dead")


def _inbox() -> "Inbox":
    from worker import bootstrap  # noqa: PLC0415

    return bootstrap.inbox(load())


def _do(
    done: str,
    act: Callable[["Inbox", Sequence[str]], Sequence[str]],
    inbox: "Inbox",
    chosen: Choice,
    *,
    as_json: bool,
) -> None:
    """Act in portions; whatever ends it, what was done by then is told."""
    from worker import render  # noqa: PLC0415

    count = 0
    missing: list[str] = []
    try:
        for portion in chosen.portions(inbox):
            found = act(inbox, portion)
            count += len(found)
            missing += sorted(set(portion).difference(found))
    finally:
        unknown = missing if chosen.ids else []  # else somebody else was faster
        if as_json:
            render.print_json({done: count, "unknown": unknown})
        else:
            render.show(f"{count:,} dead letter{'' if count == 1 else 's'} {done}")
    if unknown:
        complain(f"there is no dead letter {', '.join(unknown)}")
        raise typer.Exit(Exit.NO)


def _choose(ids: Sequence[str] | None, *, everything: bool, reason: str | None) -> Choice:
    if bool(ids) is everything:
        raise typer.BadParameter("name ids, or say --all; one of the two", param_hint="ID…")
    if ids and reason:
        raise typer.BadParameter("belongs to --all", param_hint="--reason")
    _are_ids(ids or [], "ID…")
    return Choice(list(dict.fromkeys(ids or [])), reason or "")


def _are_ids(given: Iterable[str], hint: str) -> None:
    for one in given:
        found = re.fullmatch(r"(\d{1,20})-(\d{1,20})", one, re.ASCII)
        if not found or max(map(int, found.groups())) >= 2**64:
            raise typer.BadParameter(
                f"{one!r} is no id of a dead letter; right: 1700000000000-0, as fieldfare dead "
                "list shows it",
                param_hint=hint,
            )


def _ask(question: str) -> None:
    """Go on only if somebody says yes."""
    if not sys.stdin.isatty():
        complain("nobody can be asked here; say --yes to delete them")
        raise typer.Exit(Exit.USAGE)
    console().print(f"{question} [y/N] ", end="")
    if sys.stdin.readline().strip().lower() not in {"y", "yes"}:
        complain("nothing was deleted")
        raise typer.Exit(Exit.NO)


def _is_before(client: "redis.Redis", letter_id: str) -> bool:
    """Whether there is a letter that is older than one."""
    from worker.inbox import DEAD  # noqa: PLC0415

    return bool(client.xrevrange(DEAD, max=f"({letter_id}", count=1))


def _table(letters: Sequence["Extract"], now: float) -> "Table":
    from worker import render  # noqa: PLC0415

    rows = queued.table("parked", "arrived", "tries", "why")
    for one in letters:
        queued.add_row(
            rows,
            one,
            queued.ago(one.since.timestamp(), now),
            queued.ago(one.arrived.timestamp(), now),
            str(one.attempts),
            render.plain(f"{one.reason} {one.error}"),
        )
    return rows


def _moment(moment: float, now: float) -> str:
    told = datetime.fromtimestamp(moment, tz=UTC)
    return f"{told:%Y-%m-%d %H:%M:%S} UTC, {queued.ago(moment, now)} ago"
