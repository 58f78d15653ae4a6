"""Options that choose tickets, alike in all commands that take some."""

import inspect
from collections.abc import Mapping
from typing import Annotated, Any, TypeAlias

import typer

from worker.commands.together import option, together

Chosen: TypeAlias = dict[str, Any]
"""What was said, as ``worker.choice.Choice`` takes it."""


def _several(name: str, metavar: str, told: str) -> inspect.Parameter:
    said = typer.Option(metavar=metavar, help=f"{told}; repeatable.")
    return option(name, Annotated[list[str] | None, said])


def _day(name: str, told: str) -> inspect.Parameter:
    return option(name, Annotated[str, typer.Option(metavar="DAY", help=told)], "")


_TICKET = typer.Option(metavar="ID", help="This ticket; repeatable.")
_OPEN = typer.Option("--open", help="In a state of the types new, open and pending.")

_OPTIONS = [
    option("ticket", Annotated[list[int] | None, _TICKET]),
    _several("number", "NUMBER", "The ticket of this number"),
    _several("customer_user", "LOGIN", "Tickets of this customer user"),
    _several("customer", "ID", "Tickets of this customer"),
    _several("queue", "NAME", "Tickets in this queue, named in full"),
    _several("state", "NAME", "In this state"),
    _several("state_type", "NAME", "In a state of this type, e.g. closed"),
    option("open_tickets", Annotated[bool, _OPEN], default=False),
    _day("created_from", "Created on this day or later: 2026-01-31."),
    _day("created_to", "Created on this day or earlier."),
    _day("changed_from", "Last changed on this day or later."),
    _day("changed_to", "Last changed on this day or earlier."),
]


def _chosen(own: Mapping[str, Any]) -> Chosen:
    return {name: () if said is None else said for name, said in own.items()}


with_choice = together("chosen", _OPTIONS, _chosen)
"""Give a command the options that choose tickets; it takes them as ``chosen``."""
