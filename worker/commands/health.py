"""``fieldfare health``: is what runs on this machine alive? For health checks of containers."""

from typing import Annotated

import typer

from worker.commands.answering import Exit, complain, complaining
from worker.commands.loading import load


def health(
    max_age: Annotated[
        float | None,
        typer.Option(
            metavar="SECONDS",
            min=0.0,
            help="How old a sign of life may be; else health.max_age of the settings.",
        ),
    ] = None,
) -> None:
    """Say whether the workers and schedulers on this machine are alive; asks no server."""
    from worker import health as signs_of_life  # noqa: PLC0415 - heavy imports only where needed

    with complaining():  # nothing is logged, so that no log has to be set up every few seconds
        settings = load().health
    folder = signs_of_life.directory(settings)
    try:
        signs = signs_of_life.look(folder)
    except OSError as error:
        complain(f"{folder} cannot be read: {error.strerror}; run this as the worker's user")
        raise typer.Exit(Exit.NO) from None
    if not signs:
        complain(
            f"no worker or scheduler has a file in {folder}; run this on the same machine, as the "
            "same user and with the same settings as the worker (health.directory)"
        )
        raise typer.Exit(Exit.NO)
    limit = settings.max_age if max_age is None else max_age
    silent = [sign for sign in signs if sign.seconds > limit]
    for sign in signs:
        state = "silent" if sign in silent else "alive"
        typer.echo(f"{sign.name}: {state}, last sign of life {sign.seconds:.0f} s ago")
    if silent:
        raise typer.Exit(Exit.NO)
