"""How does a command ask for something? Of an admin worker, or with --local in its own process.

Either way it is the same call, with the same checks, events and audit.
"""

import getpass
import os
import socket
from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any

import typer

from worker.commands.answering import Exit, answering, complain
from worker.commands.loading import load

if TYPE_CHECKING:
    from worker.settings import Settings

Local = Annotated[
    bool, typer.Option("--local", help="Act in this process, without an admin worker.")
]

LONGEST = 600.0
"""Seconds after which a call with --local counts as one that nobody saw end.

Nothing ends it, as an admin worker would; but whatever it waits for has a deadline of its own.
"""

EXITS: Mapping[str, Exit] = {
    "wrong_arguments": Exit.USAGE,
    "wrong_criteria": Exit.USAGE,
    "unknown_source": Exit.USAGE,
    "unknown_field": Exit.USAGE,
    "misconfigured": Exit.USAGE,
    "unavailable": Exit.UNAVAILABLE,
    "failed": Exit.UNAVAILABLE,
}
"""The exit code of each error; of what is against a rule, it is 1: the answer is no."""


class Ended(typer.Exit):
    """The command ends, for there is no answer, or an error in its place.

    Attributes:
        may_be_done: whether the call was done is not known; else it was not.
    """

    def __init__(self, code: Exit, *, may_be_done: bool) -> None:
        super().__init__(code)
        self.may_be_done = may_be_done


def call(
    name: str, arguments: Mapping[str, Any], *, local: bool = False, as_json: bool = False
) -> dict[str, Any]:
    """What is told by a call, by an admin worker's or, if ``local``, by one in this process.

    Warnings are printed to standard error. Where the answer is an error, it is printed, and the
    command ends with the exit code that fits.

    Args:
        name: one of ``worker.calls.CALLS``.
        arguments: by name; those that are None are left out, so that defaults stand in for them.
        local: do it here.
        as_json: print an error as JSON to standard output, too.

    Raises:
        Ended: with what the error means.
        typer.Exit: the call was not made.
    """
    given = {key: value for key, value in arguments.items() if value is not None}
    with answering():
        settings = load()
        told = _performed(name, given, settings) if local else _called(name, given, settings)
    for warning in told.get("warnings", ()):
        complain(warning)
    if error := told.get("error"):
        if as_json:
            from worker import render  # noqa: PLC0415

            render.print_json(told)
        complain(refusal(told))
        raise Ended(EXITS.get(error, Exit.NO), may_be_done=bool(told.get("may_be_done")))
    return told


def refusal(told: Mapping[str, Any]) -> str:
    """An error in one line: its message, with the field and the source that it does not name."""
    message = str(told["message"])
    places = [
        f"{what} {told[what]}"
        for what in ("field", "source")
        if told.get(what) and told[what] not in message
    ]
    return f"{message} ({', '.join(places)})" if places else message


def requested_by() -> str:
    """Who asks: ``user@host``."""
    try:
        user = getpass.getuser()
    except (KeyError, OSError):  # a user without a name, as containers have them
        user = str(os.getuid())
    return f"{user}@{socket.gethostname()}"


def _performed(name: str, arguments: Mapping[str, Any], settings: "Settings") -> dict[str, Any]:
    from worker import bootstrap  # noqa: PLC0415 - heavy imports only where needed
    from worker.calls import perform  # noqa: PLC0415

    services = bootstrap.build(settings)
    try:
        return perform(name, arguments, requested_by(), services, LONGEST)
    finally:
        services.close()


def _called(name: str, arguments: Mapping[str, Any], settings: "Settings") -> dict[str, Any]:
    from worker.calling import Interrupted, NoAnswer, ask  # noqa: PLC0415

    try:
        return ask(name, arguments, requested_by(), settings)
    except NoAnswer as error:
        complain(str(error))
        raise Ended(Exit.UNAVAILABLE, may_be_done=error.may_be_done) from None
    except Interrupted as error:
        complain(str(error))
        raise Ended(Exit.INTERRUPTED, may_be_done=error.may_be_done) from None
