"""``fieldfare beat``: the scheduler alone, beside workers that run without one."""

from worker.commands.answering import answering
from worker.commands.loading import load


def beat() -> None:
    """Run the scheduler that rings every second and sweeps, until it is told to stop.

    There must be one only; workers beside it run with --no-beat.
    """
    from worker.run import run_beat  # noqa: PLC0415 - heavy imports only where needed

    with answering():
        run_beat(load())
