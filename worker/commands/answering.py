"""How does a command end? With one message on standard error, and the exit code that fits."""

from collections.abc import Iterator
from contextlib import contextmanager
from enum import IntEnum
from typing import Annotated

import redis
import typer
from rich.console import Console

from directory.errors import DirectoryError, SourceKindUnusable, SourceMisconfigured
from worker import logs
from worker.embed import DemoError, EmbeddedServerError
from worker.metrics import MetricsNotServed
from worker.settings_errors import SettingsError
from worker.tickets.store import TicketDatabaseMisfit, TicketDatabaseUnavailable
from worker.tracing import TracingNotInstalled

Json = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]

_UNUSABLE = (
    SettingsError,
    SourceKindUnusable,
    SourceMisconfigured,
    TicketDatabaseMisfit,
    MetricsNotServed,
    TracingNotInstalled,
)


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
    logs.configure("warning", "auto")
    try:
        yield
    except _UNUSABLE as error:
        complain(str(error))
        raise typer.Exit(Exit.USAGE) from None
    except (TicketDatabaseUnavailable, DirectoryError, EmbeddedServerError, DemoError) as error:
        complain(str(error))
        raise typer.Exit(Exit.UNAVAILABLE) from None
    except (redis.ResponseError, redis.AuthenticationError) as error:  # it answers, and says no
        complain(f"Redis refuses: {error}")
        raise typer.Exit(Exit.UNAVAILABLE) from None
    except redis.RedisError as error:
        complain(f"Redis does not answer: {error}")
        raise typer.Exit(Exit.UNAVAILABLE) from None


def complain(message: str) -> None:
    """Say on standard error what went wrong."""
    Console(stderr=True, highlight=False, soft_wrap=True).print(
        f"fieldfare: {message}", markup=False
    )
