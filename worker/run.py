"""How a worker process is started: Celery's prefork pool on the queue ``events``."""

import os
from typing import Any

from celery import signals

from worker import logs
from worker.app import QUEUE, app
from worker.settings import Settings


def run_worker(settings: Settings, *, concurrency: int, beat: bool) -> None:
    """Run a ticket worker in this process until it is told to stop.

    Args:
        settings: the settings; child processes read them again by themselves.
        concurrency: child processes that drain the inbox.
        beat: also run the scheduler that rings every second and sweeps.
    """

    def set_up_logging(**_: Any) -> None:
        logs.configure(settings.log.level, settings.log.format)

    # Celery sets up no logging of its own where somebody listens to this signal.
    signals.setup_logging.connect(set_up_logging, weak=False)
    # SIGTERM finishes the batch at hand; a drain that hangs is given up after soft shutdown.
    arguments = [
        "worker",
        f"--queues={QUEUE}",
        f"--concurrency={concurrency}",
        f"--hostname=fieldfare-{os.getpid()}@%h",
        "--without-gossip",
        "--without-mingle",
    ]
    app.worker_main([*arguments, "--beat"] if beat else arguments)
