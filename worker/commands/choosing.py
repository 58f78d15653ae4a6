"""Options that choose tickets, alike in all commands that take some."""

from typing import Annotated

import typer

Queues = Annotated[
    list[str] | None,
    typer.Option(metavar="NAME", help="Tickets in this queue, named in full; repeatable."),
]
OpenTickets = Annotated[
    bool, typer.Option("--open", help="In a state of the types new, open and pending.")
]
CreatedFrom = Annotated[
    str, typer.Option(metavar="DAY", help="Created on this day or later: 2026-01-31.")
]
CreatedTo = Annotated[str, typer.Option(metavar="DAY", help="Created on this day or earlier.")]
