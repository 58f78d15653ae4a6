"""How are those shown that were found? As a table, as JSON or as CSV, and whoever may be missing.

What is missing stands on standard error, so that no program takes it for a result.
"""

import csv
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, TypeAlias

import typer

from worker.commands.answering import Exit, complain

Told: TypeAlias = Mapping[str, Any]

Csv: TypeAlias = Annotated[
    bool, typer.Option("--csv", help="Print CSV, with a column for each variable of the Maps.")
]
Limit: TypeAlias = Annotated[int, typer.Option(min=1, help="Most of them.")]
Offset: TypeAlias = Annotated[int, typer.Option(min=0, help="How many to leave out before.")]

EPILOG = (
    "Exit codes: 0 found; 1 nobody; 3 a source was not searched, and is named. What the others "
    "know is shown all the same."
)


@dataclass(frozen=True, slots=True)
class Kind:
    """What a list is of.

    Attributes:
        key: where they stand in what is told.
        id_: what one of them is known by.
        nothing: what is said if there are none.
    """

    key: str
    id_: str
    nothing: str


CUSTOMER_USERS = Kind("customer_users", "login", "nobody was found")
CUSTOMERS = Kind("customers", "customer_id", "no customer was found")


def one_form(*, as_json: bool, as_csv: bool) -> None:
    """Insist on one form.

    Raises:
        typer.BadParameter: both were asked for.
    """
    if as_json and as_csv:
        raise typer.BadParameter("give --json or --csv, not both", param_hint="--csv")


def answer(
    told: Told, kind: Kind, variables: Iterable[str], *, as_json: bool, as_csv: bool
) -> None:
    """Print what was found.

    Args:
        told: what the call told.
        kind: of whom it is.
        variables: those of all Maps, in their order, for the columns of CSV.
        as_json: print JSON.
        as_csv: print CSV.

    Raises:
        typer.Exit: a source was not searched, or nobody was found.
    """
    from worker import render  # noqa: PLC0415 - heavy imports only where needed

    found = told[kind.key]
    if as_json:
        render.print_json(told)
    elif as_csv:
        _write_csv(found, kind, variables)
    elif found:
        rows = render.table(kind.id_.replace("_", " "), "name", "source")
        for one in found:
            rows.add_row(*(render.plain(one[key]) for key in (kind.id_, "name", "source")))
        render.show(rows)
    if not as_json:
        _say_what_is_missing(told, kind)
    if told["unanswered"]:
        raise typer.Exit(Exit.UNAVAILABLE)
    if not found:
        raise typer.Exit(Exit.NO)


def sheet(values: Mapping[str, str]) -> None:
    """Show what is known of one; what is empty is left out."""
    from worker import render  # noqa: PLC0415

    rows = render.table("", "")
    rows.show_header = False
    for name, shown in values.items():
        if shown:
            rows.add_row(render.plain(name), render.plain(shown))
    render.show(rows)


def _write_csv(found: Sequence[Told], kind: Kind, variables: Iterable[str]) -> None:
    """A line for each; a worker whose Maps have more variables than ours adds columns."""
    more = (name for one in found for name in one["attributes"])
    names = [name for name in dict.fromkeys([*variables, *more]) if name != "UserPassword"]
    lines = csv.writer(sys.stdout, lineterminator="\n")
    lines.writerow([kind.id_, "source", *names])
    for one in found:
        values = (one["attributes"].get(name, "") for name in names)
        lines.writerow([one[kind.id_], one["source"], *map(text, values)])


def text(value: Any) -> str:
    """A value of a call in one line."""
    match value:
        case str():
            return value
        case list():
            return ", ".join(value)
        case _:
            return "(not text)"


def _say_what_is_missing(told: Told, kind: Kind) -> None:
    found, unanswered = told[kind.key], told["unanswered"]
    for one in unanswered:
        complain(f"{one['source']} was not searched: {one['reason']}")
    if told["more"]:
        complain(
            f"there are more than these {len(found)}, in {', '.join(told['more'])}; "
            "--limit shows more, a narrower search fewer"
        )
    if not found and not unanswered:
        complain(kind.nothing)
