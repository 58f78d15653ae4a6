"""``fieldfare audit``: who asked for what, and what came of it?"""

import json
import sys
import threading
from collections.abc import Callable, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer

from worker.commands.answering import Json, answering, complain
from worker.settings import load

if TYPE_CHECKING:
    import redis

    from worker.audit import Kept

EVERY = 1.0
"""Seconds between two looks for new lines."""

Wait = Callable[[float], object]


def audit(
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
) -> None:
    """Show which admin calls were made, the newest last.

    Refused calls and questions are there, too; --writes leaves questions out. Who asked is what the
    caller said of itself. Fields are named, values never. Times are in UTC. With --follow and
    --json each line is an object of its own.

    Example: fieldfare audit --login jdoe
    """
    from worker import audit as lines  # noqa: PLC0415 - heavy imports only where needed
    from worker.broker import impatient, redis_url  # noqa: PLC0415

    with answering():
        client = impatient(redis_url(load().redis), "fieldfare-audit")
        found = lines.newest(client, limit, login or "", writes=writes)
        if not follow:
            _show(found, as_json=as_json)
            return

        def wanted(one: "Kept") -> bool:
            return one.line.is_about(login or "", writes=writes)

        go_on(client, found, wanted, threading.Event().wait, as_json=as_json)


def go_on(
    client: "redis.Redis",
    found: "Sequence[Kept]",
    wanted: "Callable[[Kept], bool]",
    wait: Wait,
    *,
    as_json: bool,
) -> None:
    """Show lines, and those that come after them, until Ctrl-C.

    Args:
        client: answers bytes.
        found: the lines to begin with.
        wanted: whether a line is shown.
        wait: waits for so many seconds.
        as_json: an object on a line instead of text.

    Raises:
        redis.RedisError: Redis does not answer.
    """
    from worker import audit as lines  # noqa: PLC0415

    last = found[-1].id if found else "0-0"
    try:
        while True:
            for one in found:
                sys.stdout.write(_line(one, as_json=as_json))
            if came := lines.after(client, last):
                last = came[-1].id
            else:
                sys.stdout.flush()
                wait(EVERY)
            found = [one for one in came if wanted(one)]
    except KeyboardInterrupt:
        return  # as with tail -f, this is how it ends


def _show(found: "Sequence[Kept]", *, as_json: bool) -> None:
    from worker import render  # noqa: PLC0415

    if as_json:
        render.print_json([_plain(one) for one in found])
        return
    if not found:
        complain("there is no line")
        return
    rows = render.table("time (UTC)", "who asked", "for what", "outcome")
    rows.columns[0].no_wrap = rows.columns[-1].no_wrap = True
    for one in found:
        time, who, call, about, where, fields, outcome = _cells(one)
        what = (call, about, f"{where}: {fields}" if where and fields else where or fields)
        cells = (time, who, "\n".join(filter(None, what)), outcome)
        rows.add_row(*map(render.plain, cells))
    render.show(rows)


def _line(one: "Kept", *, as_json: bool) -> str:
    from worker import render  # noqa: PLC0415

    if as_json:
        return json.dumps(_plain(one), ensure_ascii=False) + "\n"
    return render.plain("  ".join(filter(None, _cells(one)))).plain + "\n"


def _plain(one: "Kept") -> dict[str, Any]:
    return {"id": one.id, "time": one.time.isoformat(timespec="milliseconds"), **asdict(one.line)}


def _cells(one: "Kept") -> tuple[str, ...]:
    line = one.line
    about = ", ".join((*line.customer_users, *line.customers))
    time = f"{one.time:%Y-%m-%d %H:%M:%S}"
    return time, line.who, line.call, about, line.source, ", ".join(line.fields), line.outcome
