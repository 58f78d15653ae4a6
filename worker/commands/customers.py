"""``fieldfare customer``: the customers (companies) that customer users belong to."""

from typing import TYPE_CHECKING, Annotated, TypeAlias

import typer

from worker.commands import changing, known, listing, prompting
from worker.commands.answering import Json, answering
from worker.commands.calling import Local, call
from worker.commands.changing import VALID, DryRun, Replace
from worker.commands.customer_user_writes import EPILOG as WRITTEN
from worker.commands.fields import CUSTOMER, Values, with_fields
from worker.commands.listing import CUSTOMERS, EPILOG, Csv, Limit, Offset
from worker.commands.loading import load

if TYPE_CHECKING:
    from directory.config import CompanyConfig

app = typer.Typer(help="Find, show, add and change customers (companies).", no_args_is_help=True)

KEY = "CustomerID"

CustomerId: TypeAlias = Annotated[
    str, typer.Argument(metavar="CUSTOMER_ID", help="The customer's id.")
]
Invalid: TypeAlias = Annotated[bool, typer.Option("--invalid", help="Show invalid ones, too.")]


@app.command(epilog=EPILOG)
def find(  # noqa: PLR0913, PLR0917 - one for each option
    term: Annotated[str, typer.Argument(help="What to look for.")],
    limit: Annotated[
        int | None,
        typer.Option(
            min=1, help="Most of each source; else its customer_company_search_list_limit."
        ),
    ] = None,
    invalid: Invalid = False,
    local: Local = False,
    as_json: Json = False,
    as_csv: Csv = False,
) -> None:
    """Find customers by a term, in the search fields of each source.

    The signs * + ! and quotes mean what they mean in fieldfare customer-user find.

    Example: fieldfare customer find 'acme*'
    """
    listing.one_form(as_json=as_json, as_csv=as_csv)
    arguments = {"term": term, "limit": limit, "invalid": invalid}
    told = call("customer_company.find", arguments, local=local, as_json=as_json)
    listing.answer(told, CUSTOMERS, _variables(), as_json=as_json, as_csv=as_csv)


@app.command("list", epilog=EPILOG)
def list_(  # noqa: PLR0913, PLR0917 - one for each option
    limit: Limit = 1000,
    offset: Offset = 0,
    invalid: Invalid = False,
    local: Local = False,
    as_json: Json = False,
    as_csv: Csv = False,
) -> None:
    """List customers by their ids.

    Example: fieldfare customer list --csv
    """
    listing.one_form(as_json=as_json, as_csv=as_csv)
    arguments = {"limit": limit, "offset": offset, "invalid": invalid}
    told = call("customer_company.list", arguments, local=local, as_json=as_json)
    listing.answer(told, CUSTOMERS, _variables(), as_json=as_json, as_csv=as_csv)


@app.command(
    epilog="Exit codes: 0 there it is; 1 no source knows the id; 3 something did not answer."
)
def show(customer_id: CustomerId, local: Local = False, as_json: Json = False) -> None:
    """Show all that is known of a customer.

    Example: fieldfare customer show acme
    """
    from worker import render  # noqa: PLC0415 - heavy imports only where needed

    told = known.customer(customer_id, local=local, as_json=as_json)
    if as_json:
        render.print_json(told)
        return
    validity = known.valid_word(told["attributes"].get(VALID))
    listing.sheet(
        {
            "customer id": told["customer"],
            "source": f"{told['source']}, {'writable' if told['writable'] else 'read-only'}",
            "validity": validity or ("valid" if told["valid"] else "not valid"),
            **{name: listing.text(value) for name, value in told["attributes"].items()},
        }
    )


@app.command(epilog=WRITTEN)
@with_fields(CUSTOMER)
def add(
    *,
    customer_id: Annotated[
        str | None, typer.Argument(metavar="CUSTOMER_ID", help="The customer's id.")
    ] = None,
    values: Values,
    source: Annotated[
        str | None,
        typer.Option(
            metavar="SOURCE",
            help="Where to, e.g. CustomerCompany1; else the first that can be written to.",
        ),
    ] = None,
    local: Local = False,
    as_json: Json = False,
) -> None:
    """Add a customer.

    On a terminal you are asked for required fields that were not given; elsewhere they are named.

    Example: fieldfare customer add acme --name 'Acme Ltd' --city Berlin
    """
    if customer_id is not None:
        values = {KEY: customer_id, **values}
    with answering():
        config = _place(source)
    if config is not None:
        if VALID in {entry.variable for entry in config.map}:
            values.setdefault(VALID, "valid")
        values |= prompting.required(config.map, values, config.selections)
    told = call(
        "customer_company.add", {"values": values, "source": source}, local=local, as_json=as_json
    )
    done = f"The customer {told['customer_id']} was added to {told['source']}."
    changing.tell(told, done, as_json=as_json)


@app.command(epilog=WRITTEN)
@with_fields(CUSTOMER)
def update(  # noqa: PLR0913 - one for each option
    *,
    customer_id: CustomerId,
    values: Values,
    replace: Replace = False,
    dry_run: DryRun = False,
    local: Local = False,
    as_json: Json = False,
) -> None:
    """Change a customer's values: those that are given, and no others.

    What changes is shown. What somebody else changed in the meantime is not overwritten: you are
    told, and look again. An empty text empties a field.

    Example: fieldfare customer update acme --street 'Main Street 1' --url ''
    """
    if not values and not replace:
        raise typer.BadParameter(
            "nothing to change is given; right: --city Berlin", param_hint="--set"
        )
    before = known.customer(customer_id, local=local, as_json=as_json)
    spelt, stored = before["customer"], before["attributes"]
    if replace:
        with answering():
            config = _place(before["source"])
        if config is not None:
            values = changing.whole({KEY: spelt, **values}, stored, config.map, config.selections)
    changes = changing.differences(stored, values)
    if dry_run:
        told = {"customer_id": spelt, "changes": changes}
        changing.tell(told, "Nothing was written.", as_json=as_json)
        return
    told = call(
        "customer_company.update",
        {
            "customer_id": spelt,
            "values": values,
            "replace": replace,
            "expected": before["version"],
        },
        local=local,
        as_json=as_json,
    )
    done = "was changed" if told["fields"] else "is as it was"
    changing.tell({**told, "changes": changes}, f"The customer {spelt} {done}.", as_json=as_json)


@app.command(epilog=WRITTEN)
def deactivate(
    customer_id: CustomerId,
    temporarily: Annotated[
        bool, typer.Option("--temporarily", help="invalid-temporarily instead of invalid.")
    ] = False,
    local: Local = False,
    as_json: Json = False,
) -> None:
    """Make a customer invalid. Its customer users stay as they are.

    fieldfare customer update CUSTOMER_ID --valid valid makes it valid again.

    Example: fieldfare customer deactivate acme
    """
    told = call(
        "customer_company.deactivate",
        {"customer_id": customer_id, "temporarily": temporarily},
        local=local,
        as_json=as_json,
    )
    word = "invalid-temporarily" if temporarily else "invalid"
    changing.tell(told, f"The customer {told['customer_id']} is {word}.", as_json=as_json)


def _place(source: str | None) -> "CompanyConfig | None":
    """The source that is added to; None where the call itself says what is wrong with it."""
    for config in load().company_configs():
        named = source is None or source in {config.source_name, config.slot or "0"}
        if named and not config.read_only:
            return config
    return None


def _variables() -> list[str]:
    """The variables of all sources, in the order of their Maps."""
    with answering():
        configs = load().company_configs()
    return [entry.variable for config in configs for entry in config.map]
