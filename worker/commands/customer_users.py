"""``fieldfare customer-user``: which customer users are there, and what is known of one?"""

from collections.abc import Sequence
from typing import Annotated, TypeAlias

import typer

from worker.commands import (
    customer_user_customers,
    customer_user_writes,
    importing,
    known,
    listing,
)
from worker.commands.answering import Json, answering
from worker.commands.calling import Local, call
from worker.commands.listing import CUSTOMER_USERS, EPILOG, Csv, Limit, Offset
from worker.commands.loading import load

app = typer.Typer(
    help="Find, show, add and change customer users, in all sources.", no_args_is_help=True
)

Invalid: TypeAlias = Annotated[
    bool, typer.Option("--invalid", help="Show invalid customer users, too.")
]
Source: TypeAlias = Annotated[
    str | None, typer.Option(metavar="SOURCE", help="Only this source: CustomerUser1, or its name.")
]


@app.command(epilog=EPILOG)
def find(  # noqa: PLR0913, PLR0917 - one for each option
    term: Annotated[str, typer.Argument(help="What to look for.")],
    limit: Annotated[
        int | None,
        typer.Option(min=1, help="Most of each source; else its customer_user_search_list_limit."),
    ] = None,
    invalid: Invalid = False,
    source: Source = None,
    local: Local = False,
    as_json: Json = False,
    as_csv: Csv = False,
) -> None:
    """Find customer users by a term, in the search fields of each source.

    * stands for anything, + joins words that must all be found, ! before a word leaves out who
    has it, and quotes take these meanings away. In LDAP sources only * and + have a meaning.

    Example: fieldfare customer-user find 'jane+!smith'
    """
    listing.one_form(as_json=as_json, as_csv=as_csv)
    only = known.source(source)
    arguments = {"term": term, "limit": limit, "invalid": invalid, "source": only}
    told = call("customer_user.find", arguments, local=local, as_json=as_json)
    listing.answer(told, CUSTOMER_USERS, _variables(only), as_json=as_json, as_csv=as_csv)


@app.command("list", epilog=EPILOG)
def list_(  # noqa: PLR0913, PLR0917 - one for each option
    limit: Limit = 1000,
    offset: Offset = 0,
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
    local: Local = False,
    as_json: Json = False,
    as_csv: Csv = False,
) -> None:
    """List customer users, all or those with certain values.

    Example: fieldfare customer-user list --where 'UserEmail=*@example.com' --order UserLastname
    """
    listing.one_form(as_json=as_json, as_csv=as_csv)
    only = known.source(source)
    arguments = {
        "fields": _fields(where or ()),
        "order": order or None,
        "limit": limit,
        "offset": offset,
        "invalid": invalid,
        "source": only,
    }
    told = call("customer_user.list", arguments, local=local, as_json=as_json)
    listing.answer(told, CUSTOMER_USERS, _variables(only), as_json=as_json, as_csv=as_csv)


@app.command(
    epilog="Exit codes: 0 there they are; 1 no source knows the login; 3 something did not answer."
)
def show(
    login: Annotated[str, typer.Argument(help="The login.")],
    local: Local = False,
    as_json: Json = False,
) -> None:
    """Show all that is known of a customer user, and which customers they belong to.

    The sources are asked, not the cache. Passwords are never read.

    Example: fieldfare customer-user show jane
    """
    from worker import render  # noqa: PLC0415 - heavy imports only where needed

    told = known.customer_user(login, local=local, as_json=as_json)
    customers = call("customer_user.customers", {"login": login}, local=local, as_json=as_json)
    validity = known.valid_word(told["attributes"].get("ValidID"))
    if as_json:
        render.print_json({**told, "validity": validity, "customers": customers})
        return
    written = "writable" if told["writable"] else "read-only"
    listing.sheet(
        {
            "login": told["customer_user"],
            "source": f"{told['source']}, {written}",
            "validity": validity,
            "customers": customer_user_customers.in_words(customers),
            **{name: listing.text(value) for name, value in told["attributes"].items()},
        }
    )


for _command in (
    customer_user_writes.add,
    customer_user_writes.update,
    customer_user_writes.activate,
    customer_user_writes.deactivate,
    customer_user_writes.set_password,
    customer_user_writes.generate_password,
    customer_user_writes.rename,
    customer_user_writes.delete,
    customer_user_customers.customers,
    customer_user_customers.permissions,
):
    app.command(epilog=customer_user_writes.EPILOG)(_command)
app.command("import", epilog=importing.EPILOG)(importing.import_)


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


def _variables(source: str | None) -> list[str]:
    """The variables of one source, or of all of them, in the order of their Maps."""
    with answering():
        configs = load().source_configs()
    asked = [config for config in configs if source in {None, config.source_name}]
    return [name for config in asked for name in config.storages]
