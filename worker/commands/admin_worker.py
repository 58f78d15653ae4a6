"""``fieldfare admin-worker``: a worker that answers admin calls, and knows no ticket task."""

from typing import Annotated

import typer

from worker.commands.answering import answering
from worker.commands.loading import load


def admin_worker(
    concurrency: Annotated[int, typer.Option(min=1, max=64, help="Worker processes.")] = 2,
) -> None:
    """Run a worker that answers admin calls until it is told to stop (SIGTERM, Ctrl-C).

    Commands and other programs call it about customer users, customers and sources. It handles no
    tickets and needs no scheduler.

    Example: fieldfare admin-worker --concurrency 1
    """
    from worker.admin_queue import QUEUE  # noqa: PLC0415 - heavy imports only where needed
    from worker.run import run_worker  # noqa: PLC0415

    with answering():
        run_worker(load(), concurrency=concurrency, beat=False, queue=QUEUE)
