"""How is a worker started, or a scheduler alone?

A worker is checked against its databases, then it is Celery's prefork pool. The queue says which
application it runs: ``events`` is a ticket worker, ``admin`` answers questions about customer
users, ``resync`` fills old tickets. No process serves two. A scheduler needs no database; it only
rings, in Redis.
"""

import os
import signal
from typing import Any

import structlog
from celery import Celery, signals

from directory.errors import SourceUnavailable
from worker import app, bootstrap, embed, logs
from worker.exposed_files import ADVICE, exposed, settings_files
from worker.services import Services
from worker.settings import Settings
from worker.tickets.store import TicketDatabaseUnavailable

log = structlog.get_logger("fieldfare")


def application(queue: str) -> Celery:
    """The application that serves a queue.

    No worker needs what another application's tasks need. What its own tasks need is imported here
    once, before any child is forked.
    """
    match queue:
        case "admin":
            from worker import admin  # noqa: PLC0415

            return admin.app
        case "resync":
            from worker import resync_app  # noqa: PLC0415

            return resync_app.app
        case _:
            from worker import waiting_room  # noqa: F401, PLC0415
            from worker.handlers import (  # noqa: F401, PLC0415
                enrich,
                refresh,
                second_look,
                sweep,
                watch,
            )

            return app.app


def run_worker(settings: Settings, *, concurrency: int, beat: bool, queue: str = app.QUEUE) -> None:
    """Run a worker in this process until it is told to stop.

    Args:
        settings: the settings; child processes read them again by themselves.
        concurrency: child processes that drain the inbox, or answer.
        beat: also run the scheduler that rings every second and sweeps.
        queue: whose tasks it knows: ``events``, ``admin`` or ``resync``.

    Raises:
        SourceMisconfigured: a source can never work as it is configured.
        TicketDatabaseMisfit: the ticket database lacks what is needed, or the worker's agent.
    """
    _log_as_set(settings)
    services = bootstrap.build(settings)
    if queue != "admin":
        check_tickets(services)
    check_sources(services)

    def end_with_worker(**_: Any) -> None:
        # Beat keeps nothing, and inherits a handler of SIGTERM that is the worker's.
        embed.die_with_parent(signal.SIGKILL)
        if os.getppid() != worker:
            raise SystemExit  # it was killed before the kernel had been told

    worker = os.getpid()
    # Of a worker that is killed, the children end by themselves; beat would ring for ever.
    signals.beat_embedded_init.connect(end_with_worker, weak=False)
    log.info("worker.started", queue=queue, concurrency=concurrency, beat=beat)
    arguments = [
        "--quiet",
        "worker",
        f"--queues={queue}",
        f"--concurrency={concurrency}",
        f"--hostname=fieldfare-{os.getpid()}@%h",
        "--without-gossip",
        "--without-mingle",
    ]
    application(queue).worker_main([*arguments, "--beat"] if beat else arguments)
    log.info("worker.stopped")


def run_beat(settings: Settings) -> None:
    """Run the scheduler alone in this process until it is told to stop."""
    _log_as_set(settings)
    log.info("beat.started", queue=app.QUEUE)
    app.app.Beat(quiet=True).run()
    log.info("beat.stopped")


def check_tickets(services: Services) -> None:
    """Refuse to start beside a database that is no ticket system's; one that is away is waited for.

    Raises:
        TicketDatabaseMisfit: a table, column or history type is missing, or the worker's agent.
    """
    try:
        services.tickets.check_schema()
    except TicketDatabaseUnavailable as error:
        log.warning("tickets.unavailable", reason=error.reason)


def check_sources(services: Services) -> None:
    """Refuse to start with a source that can never work; one that is away is waited for.

    All connections are closed again: child processes open their own.

    Raises:
        SourceMisconfigured: a source lacks a table, column or attribute.
    """
    for source in services.directory.sources:
        try:
            source.check()
        except SourceUnavailable as error:
            log.warning("source.unavailable", source=source.config.source_name, reason=error.reason)
    services.directory.close()
    services.tickets.close()


def _log_as_set(settings: Settings) -> None:
    """Log as the settings say, from now on and in all processes that Celery starts.

    The first line says if others can read a password in the settings' files.
    """

    def set_up_logging(**_: Any) -> None:
        logs.configure(settings.log.level, settings.log.format)

    set_up_logging()
    # Celery sets up no logging of its own where somebody listens to this signal.
    signals.setup_logging.connect(set_up_logging, weak=False)
    for path in exposed(settings, settings_files()):
        log.warning("settings.password_exposed", file=str(path), advice=ADVICE.format(path))
