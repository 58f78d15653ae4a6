"""Options that choose tickets, alike in all commands that take some."""

from typing import Annotated

import typer

Tickets = Annotated[
    list[int] | None, typer.Option("--ticket", metavar="ID", help="This ticket; repeatable.")
]
Numbers = Annotated[
    list[str] | None,
    typer.Option("--number", metavar="NUMBER", help="The ticket of this number; repeatable."),
]
CustomerUsers = Annotated[
    list[str] | None,
    typer.Option(
        "--customer-user", metavar="LOGIN", help="Tickets of this customer user; repeatable."
    ),
]
Customers = Annotated[
    list[str] | None,
    typer.Option("--customer", metavar="ID", help="Tickets of this customer; repeatable."),
]
Queues = Annotated[
    list[str] | None,
    typer.Option(
        "--queue", metavar="NAME", help="Tickets in this queue, named in full; repeatable."
    ),
]
States = Annotated[
    list[str] | None, typer.Option("--state", metavar="NAME", help="In this state; repeatable.")
]
StateTypes = Annotated[
    list[str] | None,
    typer.Option(
        "--state-type", metavar="NAME", help="In a state of this type, e.g. closed; repeatable."
    ),
]
OpenTickets = Annotated[
    bool, typer.Option("--open", help="In a state of the types new, open and pending.")
]
CreatedFrom = Annotated[
    str, typer.Option(metavar="DAY", help="Created on this day or later: 2026-01-31.")
]
CreatedTo = Annotated[str, typer.Option(metavar="DAY", help="Created on this day or earlier.")]
ChangedFrom = Annotated[str, typer.Option(metavar="DAY", help="Last changed on this day or later.")]
ChangedTo = Annotated[str, typer.Option(metavar="DAY", help="Last changed on this day or earlier.")]
