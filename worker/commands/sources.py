"""``fieldfare source``: which sources are there, and does each answer?"""

import time
from collections.abc import Mapping
from typing import Annotated, Any

import typer

from worker.commands.answering import Exit, Json, complain
from worker.commands.calling import Local, call

app = typer.Typer(help="Show the customer user sources, and try them.", no_args_is_help=True)

COLOURS: Mapping[str, str] = {
    "up": "green",
    "found": "green",
    "absent": "green",
    "unknown": "dim",
}

_MILLISECONDS = 1000


@app.command(
    "list", epilog="Exit codes: 0 done; 3 nobody knows whether they answer, or no worker does."
)
def list_(local: Local = False, as_json: Json = False) -> None:
    """List the sources in the order in which they are asked, and how workers saw each last.

    None of them is asked now; source test does that.

    Example: fieldfare source list
    """
    from worker import render  # noqa: PLC0415 - heavy imports only where needed

    told = call("source.list", {}, local=local, as_json=as_json)
    if as_json:
        render.print_json(told)
    else:
        rows = render.table("source", "what it is", "state")
        for one in told["sources"]:
            told_of_it = "\n".join(filter(None, (_kind(one), one["where"], _when_away(one))))
            state = render.plain(_state(one), style=COLOURS.get(one["state"], "bold red"))
            rows.add_row(render.plain(one["source"]), render.plain(told_of_it), state)
        render.show(rows)
    if told["states_unknown"]:
        complain(f"nobody knows whether they answer: {told['states_unknown']}")
        raise typer.Exit(Exit.UNAVAILABLE)


@app.command(
    "test",
    epilog="Exit codes: 0 all answer; 1 nobody knows the login; 2 a source can never work as it "
    "is set; 3 a source does not answer.",
)
def try_(
    source: Annotated[
        str | None,
        typer.Argument(
            metavar="SOURCE",
            help="Only this one: CustomerUser1, its number, or its name.",
            show_default=False,
        ),
    ] = None,
    login: Annotated[
        str | None, typer.Option(help="Whom to look up; else somebody who cannot exist.")
    ] = None,
    local: Local = False,
    as_json: Json = False,
) -> None:
    """Search in each source as it is done for a ticket, and show the answer and its time.

    Example: fieldfare source test CustomerUser1 --login jane
    """
    from worker import render  # noqa: PLC0415

    told = call("source.test", {"source": source, "login": login}, local=local, as_json=as_json)
    if as_json:
        render.print_json(told)
    else:
        rows = render.table("source", "answer", "where")
        for one in told["sources"]:
            reason = f"\n{one['reason']}" if one["reason"] else ""
            rows.add_row(
                render.plain("\n".join(filter(None, (one["source"], one["name"])))),
                render.plain(_answer(one, login), style=COLOURS.get(one["answer"], "bold red")),
                render.plain(f"{one['where']}{reason}"),
            )
        render.show(rows)
    raise typer.Exit(_exit_code(told, login))


def _exit_code(told: Mapping[str, Any], login: str | None) -> Exit:
    """What did not answer goes before what is wrong, and that before who is unknown."""
    answers = {one["answer"] for one in told["sources"]}
    if "unavailable" in answers:
        return Exit.UNAVAILABLE
    if "misconfigured" in answers:
        return Exit.USAGE
    return Exit.NO if login and "found" not in answers else Exit.OK


def _answer(one: Mapping[str, Any], login: str | None) -> str:
    words = {
        "found": f"found: {one.get('login')}",
        "absent": "does not know the login" if login else "answers",
        "unavailable": "does not answer",
        "misconfigured": "can never work",
    }
    took = "" if one["seconds"] is None else f", {one['seconds'] * _MILLISECONDS:.1f} ms"
    return f"{words[one['answer']]}{took}"


def _kind(one: Mapping[str, Any]) -> str:
    from worker import render  # noqa: PLC0415

    written = "writable" if one["writable"] else "read-only"
    kept = (
        f"cached for {render.age(one['cache_seconds'])}" if one["cache_seconds"] else "not cached"
    )
    return ", ".join(filter(None, (one["name"], one["kind"], written, kept)))


def _when_away(one: Mapping[str, Any]) -> str:
    from worker import render  # noqa: PLC0415

    waits = one["on_unavailable"] == "wait"
    away = "its events wait" if waits else "the next source is asked"
    if one["stale_seconds"]:
        away = f"what it said before stands in for {render.age(one['stale_seconds'])}, then {away}"
    return f"while it does not answer, {away}"


def _state(one: Mapping[str, Any]) -> str:
    from worker import render  # noqa: PLC0415

    since = "" if one["since"] is None else f" for {render.age(max(0, time.time() - one['since']))}"
    reason = f": {one['reason']}" if one["reason"] else ""
    return f"{one['state']}{since}{reason}"
