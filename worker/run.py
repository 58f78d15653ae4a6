"""How is a worker started? Checked against its databases, then Celery's prefork pool."""

import os
import signal
from typing import Any

import structlog
from celery import signals

from directory.errors import SourceUnavailable
from worker import bootstrap, embed, logs
from worker.app import QUEUE, app
from worker.services import Services
from worker.settings import Settings
from worker.tickets.store import TicketDatabaseUnavailable

log = structlog.get_logger("fieldfare")


def run_worker(settings: Settings, *, concurrency: int, beat: bool) -> None:
    """Run a ticket worker in this process until it is told to stop.

    Args:
        settings: the settings; child processes read them again by themselves.
        concurrency: child processes that drain the inbox.
        beat: also run the scheduler that rings every second and sweeps.

    Raises:
        SourceMisconfigured: a source can never work as it is configured.
        TicketDatabaseMisfit: the ticket database lacks what is needed, or the worker's agent.
    """

    def set_up_logging(**_: Any) -> None:
        logs.configure(settings.log.level, settings.log.format)

    set_up_logging()
    check(bootstrap.build(settings))

    def end_with_worker(**_: Any) -> None:
        # Beat keeps nothing, and inherits a handler of SIGTERM that is the worker's.
        embed.die_with_parent(signal.SIGKILL)
        if os.getppid() != worker:
            raise SystemExit  # it was killed before the kernel had been told

    worker = os.getpid()
    # Of a worker that is killed, the children end by themselves; beat would ring for ever.
    signals.beat_embedded_init.connect(end_with_worker, weak=False)
    # Celery sets up no logging of its own where somebody listens to this signal.
    signals.setup_logging.connect(set_up_logging, weak=False)
    log.info("worker.started", queue=QUEUE, concurrency=concurrency, beat=beat)
    arguments = [
        "--quiet",
        "worker",
        f"--queues={QUEUE}",
        f"--concurrency={concurrency}",
        f"--hostname=fieldfare-{os.getpid()}@%h",
        "--without-gossip",
        "--without-mingle",
    ]
    app.worker_main([*arguments, "--beat"] if beat else arguments)
    log.info("worker.stopped")


def check(services: Services) -> None:
    """Refuse to start with what can never work; what is only away is waited for.

    Connections are closed again: child processes open their own.

    Raises:
        SourceMisconfigured: a source lacks a table, column or attribute.
        TicketDatabaseMisfit: a table, column or history type is missing, or the worker's agent.
    """
    try:
        services.tickets.check_schema()
    except TicketDatabaseUnavailable as error:
        log.warning("tickets.unavailable", reason=error.reason)
    for source in services.directory.sources:
        try:
            source.check()
        except SourceUnavailable as error:
            log.warning("source.unavailable", source=source.config.source_name, reason=error.reason)
    services.directory.close()
    services.tickets.close()
