"""``fieldfare customer-user``: which customer users are there, in all sources together?"""

import csv
import sys
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from worker.commands import importing
from worker.commands.answering import Exit, Json, answering, complain
from worker.settings import load

if TYPE_CHECKING:
    from directory.directory import Directory
    from worker.services import Services

app = typer.Typer(help="Find and list customer users, in all sources.", no_args_is_help=True)

Csv = Annotated[
    bool, typer.Option("--csv", help="Print CSV, with a column for each variable of the Maps.")
]
Invalid = Annotated[bool, typer.Option("--invalid", help="Show invalid customer users, too.")]
Source = Annotated[
    str | None, typer.Option(metavar="SOURCE", help="Only this source, e.g. CustomerUser1.")
]

EPILOG = (
    "Exit codes: 0 found; 1 nobody; 3 a source was not searched, and is named. What the others "
    "know is shown all the same."
)

Told = dict[str, Any]


@app.command(epilog=EPILOG)
def find(  # noqa: PLR0913, PLR0917 - one for each option
    term: Annotated[str, typer.Argument(help="What to look for.")],
    limit: Annotated[
        int | None,
        typer.Option(min=1, help="Most of each source; else its customer_user_search_list_limit."),
    ] = None,
    invalid: Invalid = False,
    source: Source = None,
    as_json: Json = False,
    as_csv: Csv = False,
) -> None:
    """Find customer users by a term, in the search fields of each source.

    * stands for anything, + joins words that must all be found, ! before a word leaves out who
    has it, and quotes take these meanings away. In LDAP sources only * and + have a meaning.

    Example: fieldfare customer-user find 'jane+!smith'
    """
    from worker.handlers import searches  # noqa: PLC0415 - heavy imports only where needed

    def asked(services: "Services") -> Told:
        return searches.find(services, term=term, limit=limit, invalid=invalid, source=source)

    _answer(asked, as_json=as_json, as_csv=as_csv)


@app.command("list", epilog=EPILOG)
def list_(  # noqa: PLR0913, PLR0917 - one for each option
    limit: Annotated[int, typer.Option(min=1, help="Most of them.")] = 1000,
    offset: Annotated[int, typer.Option(min=0, help="How many to leave out before.")] = 0,
    order: Annotated[
        list[str] | None,
        typer.Option(
            metavar="VARIABLE",
            help="Sort by this, with a - before it from the highest down; repeatable. Else by "
            "UserLogin.",
        ),
    ] = None,
    where: Annotated[
        list[str] | None,
        typer.Option(
            metavar="VARIABLE=TEXT",
            help="Only those whose value fits, with * in it; repeatable. Of several texts for one "
            "variable one must fit.",
        ),
    ] = None,
    invalid: Invalid = False,
    source: Source = None,
    as_json: Json = False,
    as_csv: Csv = False,
) -> None:
    """List customer users, all or those with certain values.

    Example: fieldfare customer-user list --where 'UserEmail=*@example.com' --order UserLastname
    """
    from worker.handlers import searches  # noqa: PLC0415

    fields = _fields(where or ())

    def asked(services: "Services") -> Told:
        return searches.list_(
            services,
            fields=fields,
            order=order or ("UserLogin",),
            limit=limit,
            offset=offset,
            invalid=invalid,
            source=source,
        )

    _answer(asked, as_json=as_json, as_csv=as_csv)


def _fields(where: Sequence[str]) -> dict[str, list[str]]:
    """The texts that are wanted by variable."""
    fields: dict[str, list[str]] = {}
    for one in where:
        variable, equals, text = one.partition("=")
        if not (variable and equals):
            msg = f"{one!r} names no variable; right: --where 'UserCity=Berlin'"
            raise typer.BadParameter(msg, param_hint="--where")
        fields.setdefault(variable, []).append(text)
    return fields


def _answer(asked: "Callable[[Services], Told]", *, as_json: bool, as_csv: bool) -> None:
    """Ask the directory, and print what it tells."""
    if as_json and as_csv:
        raise typer.BadParameter("give --json or --csv, not both", param_hint="--csv")
    from directory.criteria import WrongCriteria  # noqa: PLC0415
    from worker import bootstrap, render  # noqa: PLC0415

    with answering():
        services = bootstrap.build(load())
        try:
            told = asked(services)
        except WrongCriteria as error:
            complain(str(error))
            raise typer.Exit(Exit.USAGE) from None
    if as_json:
        render.print_json(told)
    elif as_csv:
        _write_csv(told, services.directory)
    else:
        _show(told)
    if told["unanswered"]:
        raise typer.Exit(Exit.UNAVAILABLE)
    if not told["customer_users"]:
        raise typer.Exit(Exit.NO)


def _show(told: Told) -> None:
    from worker import render  # noqa: PLC0415

    if told["customer_users"]:
        rows = render.table("login", "name", "source")
        for one in told["customer_users"]:
            rows.add_row(render.plain(one["login"]), render.plain(one["name"]), one["source"])
        render.show(rows)
    _say_what_is_missing(told)


def _write_csv(told: Told, directory: "Directory") -> None:
    """A line for each, with the variables of all sources in the order of their Maps."""
    names = dict.fromkeys(
        name
        for source in directory.sources
        for name in source.config.storages
        if name != "UserPassword"
    )
    lines = csv.writer(sys.stdout, lineterminator="\n")
    lines.writerow(["login", "source", *names])
    for one in told["customer_users"]:
        values = (one["attributes"].get(name, "") for name in names)
        lines.writerow([one["login"], one["source"], *map(_cell, values)])
    _say_what_is_missing(told)


def _cell(value: Any) -> str:
    match value:
        case str():
            return value
        case list():
            return ", ".join(value)
        case _:
            return "(not text)"


def _say_what_is_missing(told: Told) -> None:
    """Beside the results, so that no program takes it for one of them."""
    for one in told["unanswered"]:
        complain(f"{one['source']} was not searched: {one['reason']}")
    if told["more"]:
        number = len(told["customer_users"])
        complain(
            f"there are more than these {number}, in {', '.join(told['more'])}; "
            "--limit shows more, a narrower search fewer"
        )
    if not told["customer_users"] and not told["unanswered"]:
        complain("nobody was found")


app.command("import", epilog=importing.EPILOG)(importing.import_)
