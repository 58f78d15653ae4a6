"""Everything is looked at, in an order in which what comes first explains what comes after."""

from collections.abc import Iterator, Mapping
from pathlib import Path

from sqlalchemy import Engine

from worker.bootstrap import ticket_url
from worker.checks import (
    broker,
    event_modules,
    fields,
    guard,
    otobo_cache,
    processes,
    rights,
    settings_file,
    sources,
    ticket_database,
)
from worker.checks.finding import Finding, error, skipped
from worker.settings import Settings
from worker.tickets.engine import ticket_engine
from worker.tickets.store import TicketDatabaseMisfit


def check(settings: Settings, files: Mapping[Path, bool]) -> Iterator[Finding]:
    """Look at everything; findings come as they are found.

    Args:
        settings: the effective settings.
        files: the files that they were read from; whether each is the TOML file.
    """
    yield from settings_file.check(settings, files)
    yield from broker.check(settings.redis)
    yield from guard.check(settings)
    alive = processes.at_work(settings)
    yield from processes.check(alive, settings)
    engine: Engine | None = None
    answers = False
    try:
        url = ticket_url(settings.tickets)
        engine = ticket_engine(
            url,
            statement_timeout=settings.tickets.statement_timeout,
            lock_timeout=settings.tickets.lock_timeout,
        )
        found = list(ticket_database.check(engine, url, settings.tickets.worker_user))
        answers = all(one.answered for one in found)
        yield from found
    except TicketDatabaseMisfit as misfit:
        yield error(ticket_database.SUBJECT, misfit.problem, ticket_database.NOT_STARTING, "")
    yield from sources.check(settings, engine if answers else None)
    yield from otobo_cache.check(settings.tickets.otobo_cache)
    if engine is None or not answers:
        for subject in (fields.SUBJECT, event_modules.SUBJECT):
            yield skipped(subject, "the ticket database does not answer")
    else:
        yield from fields.check(settings, engine)
        yield from event_modules.check(settings, engine)
        yield from rights.check(alive, settings, engine)
    if engine is not None:
        engine.dispose()
