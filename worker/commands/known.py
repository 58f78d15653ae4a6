"""Who is meant? What an admin call tells of a customer user or a customer, or the command's end."""

from collections.abc import Mapping
from typing import Any, TypeAlias

import typer

from worker.commands.answering import Exit, answering, complain
from worker.commands.calling import call
from worker.commands.loading import load

Told: TypeAlias = Mapping[str, Any]


def customer_user(login: str, *, local: bool, as_json: bool) -> Told:
    """What ``customer_user.get`` tells of somebody who is there.

    Raises:
        typer.Exit: nobody has this login, or a source that could know it does not answer.
    """
    from worker import render  # noqa: PLC0415 - heavy imports only where needed

    told = call("customer_user.get", {"login": login}, local=local, as_json=as_json)
    if told["answer"] == "found":
        return told
    if as_json:
        render.print_json(told)
    if told["answer"] == "unavailable":
        complain(f"{told['source']} does not answer, and could know {login}: {told['reason']}")
        raise typer.Exit(Exit.UNAVAILABLE)
    complain(f"no source knows the customer user {login}")
    raise typer.Exit(Exit.NO)


def customer(customer_id: str, *, local: bool, as_json: bool) -> Told:
    """What ``customer_company.get`` tells of a customer that is there.

    Raises:
        typer.Exit: no source knows the id, or one that could does not answer.
    """
    from worker import render  # noqa: PLC0415

    arguments = {"customer_id": customer_id}
    told = call("customer_company.get", arguments, local=local, as_json=as_json)
    if told["answer"] == "found":
        return told
    if as_json:
        render.print_json(told)
    complain(f"there is no customer {customer_id}")
    raise typer.Exit(Exit.NO)


def source(named: str | None) -> str | None:
    """The source that somebody means, as calls name it; one that is not there as it was given.

    Args:
        named: ``CustomerUser1``, its number (0 for the first), or its name; case does not count.
    """
    from directory.refusals import Refused  # noqa: PLC0415 - heavy imports only where needed
    from worker.handlers import sources  # noqa: PLC0415

    if named is None:
        return None
    with answering():
        configs = load().source_configs()
    try:
        return sources.meant(configs, named).source_name
    except Refused:
        return named


def valid_word(value: object) -> str:
    """What the id in a ``ValidID`` means; empty where there is none, and another id as it is."""
    from directory.map_values import VALIDITY  # noqa: PLC0415

    words = {id_: word for word, id_ in VALIDITY.items()}
    return words.get(str(value or ""), str(value or ""))
