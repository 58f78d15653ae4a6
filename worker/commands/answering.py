"""How does a command end? With one message on standard error, and the exit code that fits."""

from collections.abc import Iterator
from contextlib import contextmanager
from enum import IntEnum
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from rich.console import Console

Json = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]


class Exit(IntEnum):
    """The exit codes of every command."""

    OK = 0
    NO = 1
    USAGE = 2
    UNAVAILABLE = 3
    INTERRUPTED = 130


@contextmanager
def answering() -> Iterator[None]:
    """Turn what may go wrong into one message on standard error, and the right exit code."""
    from worker import logs  # noqa: PLC0415 - heavy imports only where needed

    logs.configure("warning", "auto")
    with complaining():
        yield


@contextmanager
def complaining() -> Iterator[None]:
    """The same for a command that logs nothing."""
    try:
        yield
    except (typer.Exit, typer.Abort, typer.BadParameter):
        raise  # a command's own end
    except Exception as error:
        # It knows the errors of all that can go wrong, and most commands need little of that.
        from worker.commands.failures import told  # noqa: PLC0415

        if (ending := told(error)) is None:
            raise
        code, message = ending
        complain(message)
        raise typer.Exit(code) from None


def complain(message: str) -> None:
    """Say on standard error what went wrong."""
    console().print(f"fieldfare: {message}", markup=False)


def console() -> "Console":
    """Standard error, where everything is said that is no answer; lines stay as they are."""
    from rich.console import Console  # noqa: PLC0415 - heavy imports only where needed

    return Console(stderr=True, highlight=False, soft_wrap=True)
