"""``fieldfare resync-worker``: a worker that fills old tickets, beside those that handle events."""

from typing import Annotated

import typer

from worker.commands.answering import answering
from worker.commands.loading import load


def resync_worker(
    concurrency: Annotated[
        int, typer.Option(min=1, max=64, help="Worker processes; each works on one job at a time.")
    ] = 1,
) -> None:
    """Run a worker that fills old tickets until it is told to stop (SIGTERM, Ctrl-C).

    It works on the jobs of `fieldfare resync` and of the task resync.start, while no event waits.
    It handles no events and brings a scheduler of its own.

    Example: fieldfare resync-worker --concurrency 1
    """
    from worker import resync_app  # noqa: PLC0415 - heavy imports only where needed
    from worker.run import run_worker  # noqa: PLC0415

    with answering():
        run_worker(load(), concurrency=concurrency, beat=True, queue=resync_app.QUEUE)
