"""To which customers does a customer user belong, and what may they do? Two commands."""

from collections.abc import Mapping
from typing import Annotated, Any

import typer

from worker.commands.answering import Json, complain
from worker.commands.calling import Local, call


def customers(
    login: Annotated[str, typer.Argument(help="The login.")],
    assign: Annotated[
        list[str] | None,
        typer.Option(metavar="ID", help="Have them belong to this customer, too; repeatable."),
    ] = None,
    remove: Annotated[
        list[str] | None,
        typer.Option(metavar="ID", help="Take this assigned customer away; repeatable."),
    ] = None,
    local: Local = False,
    as_json: Json = False,
) -> None:
    """Show the customers that a customer user belongs to; assign others, or take them away.

    The primary customer and those of UserCustomerIDs are fields: customer-user update changes them.

    Example: fieldfare customer-user customers jane --assign beta
    """
    from worker import render  # noqa: PLC0415 - heavy imports only where needed

    for name, ids in (("customer_user.assign", assign), ("customer_user.unassign", remove)):
        for customer_id in ids or ():
            arguments = {"login": login, "customer_id": customer_id}
            call(name, arguments, local=local, as_json=as_json)
    told = call("customer_user.customers", {"login": login}, local=local, as_json=as_json)
    if as_json:
        render.print_json(told)
        return
    if not told["customers"]:
        complain(f"{told['login']} belongs to no customer")
        return
    rows = render.table("customer", "why")
    for customer_id in told["customers"]:
        rows.add_row(render.plain(customer_id), ", ".join(_reasons(told, customer_id)))
    render.show(rows)


def permissions(
    login: Annotated[str, typer.Argument(help="The login.")],
    local: Local = False,
    as_json: Json = False,
) -> None:
    """Show which groups a customer user may see (ro) and write in (rw), and through what.

    They are given in OTOBO's own screens, to customer users and to customers.

    Example: fieldfare customer-user permissions jane
    """
    from worker import render  # noqa: PLC0415

    told = call("customer_user.permissions", {"login": login}, local=local, as_json=as_json)
    if as_json:
        render.print_json(told)
        return
    if told["group_support"] is False:
        complain("CustomerGroupSupport is off: groups decide nothing, and everybody may do all")
    if note := told["note"]:
        complain(note)
    if not told["groups"]:
        complain(f"{told['login']} is in no group")
    else:
        rows = render.table("group", "ro", "rw", "from")
        for one in told["groups"]:
            rights = ("yes" if one[key] else "" for key in ("ro", "rw"))
            rows.add_row(render.plain(one["group"]), *rights, render.plain(", ".join(one["from"])))
        render.show(rows)
    if told["customers"]:
        rows = render.table("customer", "name", "from")
        for one in told["customers"]:
            told_of_it = (one["customer_id"], one["name"], ", ".join(one["from"]))
            rows.add_row(*map(render.plain, told_of_it))
        render.show(*([""] if told["groups"] else []), rows)


def in_words(told: Mapping[str, Any]) -> str:
    """The customers of a customer user in one line: ``acme (primary), beta (assigned)``."""
    return ", ".join(f"{one} ({', '.join(_reasons(told, one))})" for one in told["customers"])


def _reasons(told: Mapping[str, Any], customer_id: str) -> list[str]:
    return [
        reason
        for reason, ids in (
            ("primary", [told["primary"]]),
            ("UserCustomerIDs", told["from_attributes"]),
            ("assigned", told["assigned"]),
        )
        if customer_id in ids
    ]
