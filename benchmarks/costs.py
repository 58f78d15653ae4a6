"""What does one event cost, and what does a batch? Time from publish to commit, and counts.

Counted are statements as the database gets them, without BEGIN, COMMIT and pings; and searches
as the LDAP server gets them.
"""

import statistics
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import redis
from sqlalchemy import Engine, create_engine, event, text

from benchmarks.rates import Inbox, ticket_worker
from benchmarks.world import TicketSystem
from directory import ldap_connection
from worker import bootstrap
from worker.drain import drain, new_consumer
from worker.handlers.enrich import enrich
from worker.inbox import EVENTS
from worker.services import Services
from worker.settings import load


def latency(
    config: Path, redis_url: str, system: TicketSystem, tickets: Sequence[int], log: Path
) -> list[float]:
    """Milliseconds from publishing an event until its ticket's new value can be seen.

    One event at a time, into an idle worker; published as a producer does it, bell included.
    """
    client = redis.Redis.from_url(redis_url)
    Inbox(client).load(())
    milliseconds = []
    engine = create_engine(system.url, isolation_level="AUTOCOMMIT")
    newest = text("SELECT COALESCE(MAX(id), 0) FROM ticket_history WHERE ticket_id = :ticket")
    with (
        ticket_worker(config, log) as worker,
        engine.connect() as connection,
    ):
        inbox = bootstrap.inbox(load(config))
        for ticket in tickets:
            asked = {"ticket": ticket}
            before = connection.execute(newest, asked).scalar_one()
            begin = time.perf_counter()
            inbox.publish({"type": "ticket.customer_changed", "ticket_id": str(ticket)})
            end = worker.until(
                lambda: connection.execute(newest, asked).scalar_one() > before,  # noqa: B023 - called at once
                f"ticket {ticket}",
                tick=0.0002,
            )
            milliseconds.append((end - begin) * 1000)
            worker.until(lambda: client.xlen(EVENTS) == 0, "the inbox to be empty")
    engine.dispose()
    client.close()
    return milliseconds


def raw_update(system: TicketSystem, times: int) -> float:
    """Milliseconds of one UPDATE of one row and its COMMIT on a kept connection; the median."""
    engine = create_engine(system.url)
    taken = []
    with engine.connect() as connection:
        for number in range(times):
            begin = time.perf_counter()
            connection.execute(
                text("UPDATE ticket SET title = :title WHERE id = 1"), {"title": f"t{number}"}
            )
            connection.commit()
            taken.append((time.perf_counter() - begin) * 1000)
    engine.dispose()
    return statistics.median(taken)


def statements(config: Path, redis_url: str, tickets: Sequence[int]) -> int:
    """How many statements the database gets for one batch of these tickets.

    The first batch of a process reads besides what never changes; it is not counted.
    """
    with _in_process(config, redis_url) as (_, handle):
        handle(tickets[:1])
        with _seen() as seen:
            handle(tickets[1:])
    return len(seen)


def searches(config: Path, redis_url: str, tickets: Sequence[int]) -> int:
    """How many searches the LDAP server gets for one batch of these tickets."""
    asked: list[object] = []
    ask = ldap_connection._ask  # noqa: SLF001 - seen on its way, not replaced

    def spy(connection: Any, request: Any, deadline: Any) -> Any:
        asked.append(request)
        return ask(connection, request, deadline)

    with _in_process(config, redis_url) as (_, handle):
        handle(tickets[:1])
        ldap_connection._ask = spy  # noqa: SLF001
        try:
            handle(tickets[1:])
        finally:
            ldap_connection._ask = ask  # noqa: SLF001
    return len(asked)


@contextmanager
def _in_process(config: Path, redis_url: str) -> Iterator[tuple[Services, Any]]:
    """A worker's services in this process, and what handles tickets as one batch."""
    client = redis.Redis.from_url(redis_url)
    services = bootstrap.build(load(config))

    def handle(tickets: Sequence[int]) -> None:
        Inbox(client).load(tickets)
        done = drain(services.inbox, new_consumer(), lambda batch: enrich(batch, services))
        assert done == len(tickets), (done, tickets)

    try:
        yield services, handle
    finally:
        services.tickets.close()
        services.directory.close()
        services.inbox.client.close()
        client.close()


@contextmanager
def _seen() -> Iterator[list[str]]:
    """Every statement that goes out to any database."""
    seen: list[str] = []

    def note(_c: object, _cursor: object, statement: str, *_: object) -> None:
        seen.append(statement)

    event.listen(Engine, "before_cursor_execute", note)
    try:
        yield seen
    finally:
        event.remove(Engine, "before_cursor_execute", note)
