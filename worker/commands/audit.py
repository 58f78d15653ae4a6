"""``fieldfare audit``: who asked for what, and what came of it?"""

import csv
import io
import json
import sys
import threading
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer

from worker.commands import listing
from worker.commands.answering import Json, answering, complain
from worker.commands.loading import load

if TYPE_CHECKING:
    import redis
    from rich.table import Table

    from worker.audit import Kept

EVERY = 1.0
"""Seconds between two looks for new lines."""

SHOWN = 3
"""Logins of one call in a table; an import names hundreds."""

COLUMNS = (
    "id",
    "time",
    "who",
    "call",
    "customer_users",
    "customers",
    "source",
    "fields",
    "outcome",
    "writes",
)
"""Of CSV."""

Wait = Callable[[float], object]


def audit(  # noqa: PLR0913, PLR0917 - one for each option
    limit: Annotated[int, typer.Option(min=1, max=1_000_000, help="Most of the lines.")] = 50,
    login: Annotated[
        str | None, typer.Option(help="Only those about the customer user with this login.")
    ] = None,
    writes: Annotated[
        bool, typer.Option("--writes", help="Only calls that were to write something.")
    ] = False,
    follow: Annotated[
        bool, typer.Option("--follow", help="Go on with new lines, until Ctrl-C.")
    ] = False,
    as_json: Json = False,
    as_csv: Annotated[bool, typer.Option("--csv", help="Print CSV instead of a table.")] = False,
) -> None:
    """Show which admin calls were made, the newest last.

    Refused calls and questions are there, too; --writes leaves questions out. Who asked is what the
    caller said of itself. Fields are named, values never. Times are in UTC. With --follow and
    --json each line is an object of its own. In CSV several logins, or fields, share a cell.

    Example: fieldfare audit --login jdoe
    """
    from worker import audit as lines  # noqa: PLC0415 - heavy imports only where needed
    from worker.broker import impatient, redis_url  # noqa: PLC0415

    listing.one_form(as_json=as_json, as_csv=as_csv)
    with answering():
        client = impatient(redis_url(load().redis), "fieldfare-audit")
        found = lines.newest(client, limit, login or "", writes=writes)
        if not follow:
            _show(found, as_json=as_json, as_csv=as_csv)
            return

        def wanted(one: "Kept") -> bool:
            return one.line.is_about(login or "", writes=writes)

        if as_csv:
            sys.stdout.write(_csv(COLUMNS))
        line = as_object if as_json else as_row if as_csv else as_text
        go_on(client, found, wanted, line, threading.Event().wait)


def go_on(
    client: "redis.Redis",
    found: "Sequence[Kept]",
    wanted: "Callable[[Kept], bool]",
    line: "Callable[[Kept], str]",
    wait: Wait,
) -> None:
    """Show lines, and those that come after them, until Ctrl-C.

    Args:
        client: answers bytes.
        found: the lines to begin with.
        wanted: whether a line is shown.
        line: how it is shown, with its end.
        wait: waits for so many seconds.

    Raises:
        redis.RedisError: Redis does not answer.
    """
    from worker import audit as lines  # noqa: PLC0415

    last = found[-1].id if found else "0-0"
    try:
        while True:
            for one in found:
                sys.stdout.write(line(one))
            if came := lines.after(client, last):
                last = came[-1].id
            else:
                sys.stdout.flush()
                wait(EVERY)
            found = [one for one in came if wanted(one)]
    except KeyboardInterrupt:
        return  # as with tail -f, this is how it ends


def as_object(one: "Kept") -> str:
    """A line as JSON."""
    return json.dumps(_plain(one), ensure_ascii=False) + "\n"


def as_row(one: "Kept") -> str:
    """A line as CSV."""
    line = one.line
    several = (", ".join(names) for names in (line.customer_users, line.customers))
    writes = "true" if line.writes else "false"
    asked = (line.who, line.call, *several, line.source, _fields(one))
    return _csv([one.id, _plain(one)["time"], *asked, line.outcome, writes])


def as_text(one: "Kept") -> str:
    """A line as people read it, with nothing in it that is an order to a terminal."""
    from worker import render  # noqa: PLC0415

    line = one.line
    about = ", ".join(_about(one))
    cells = (_time(one), line.who, line.call, about, line.source, _fields(one), line.outcome)
    return render.plain("  ".join(filter(None, cells))).plain + "\n"


def _show(found: "Sequence[Kept]", *, as_json: bool, as_csv: bool) -> None:
    from worker import render  # noqa: PLC0415

    if as_json:
        render.print_json([_plain(one) for one in found])
        return
    if as_csv:
        sys.stdout.writelines([_csv(COLUMNS), *map(as_row, found)])
    if not found:
        complain("there is no line")
    elif not as_csv:
        render.show(_table(found))


def _table(found: "Sequence[Kept]") -> "Table":
    """What is short stands in columns of its own; only the last one wraps."""
    from worker import render  # noqa: PLC0415

    rows = render.table("time (UTC)", "call, outcome", "about, fields, who asked")
    rows.columns[0].no_wrap = rows.columns[1].no_wrap = True
    for one in found:
        line, fields = one.line, _fields(one)
        where = f"{line.source}: {fields}" if line.source and fields else line.source or fields
        about, more = ", ".join(_about(one)[:SHOWN]), len(_about(one)) - SHOWN
        about += f" and {more} more" if more > 0 else ""
        what = filter(None, (about, where, line.who and f"by {line.who}"))
        cells = (_time(one), f"{line.call}\n{line.outcome}", "\n".join(what))
        rows.add_row(*map(render.plain, cells))
    return rows


def _csv(cells: Iterable[str]) -> str:
    """A line of CSV."""
    line = io.StringIO()
    csv.writer(line, lineterminator="\n").writerow(cells)
    return line.getvalue()


def _plain(one: "Kept") -> dict[str, Any]:
    return {"id": one.id, "time": one.time.isoformat(timespec="milliseconds"), **asdict(one.line)}


def _time(one: "Kept") -> str:
    return f"{one.time:%Y-%m-%d %H:%M:%S}"


def _about(one: "Kept") -> tuple[str, ...]:
    return (*one.line.customer_users, *one.line.customers)


def _fields(one: "Kept") -> str:
    return ", ".join(one.line.fields)
