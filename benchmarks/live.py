"""How long do live events take beside a resync, and how long when none runs?

A ticket worker and a resync worker as admins start them, one event at a time. The resync goes on
and waits in turns, so that whatever else the machine does falls on both sides alike. PostgreSQL
itself says when an event's values are there: nobody asks again and again, for that would take from
the very processors that are measured.
"""

import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from threading import Event
from typing import NamedTuple

import psycopg
import redis
from sqlalchemy import make_url

from benchmarks import rates, resync
from benchmarks.processes import Process, Stuck
from benchmarks.rates import resync_worker, ticket_worker
from benchmarks.world import TicketSystem
from worker import bootstrap, jobs
from worker.inbox import EVENTS, Inbox
from worker.job_runs import start
from worker.resync_request import request
from worker.settings import load

QUIET_SECONDS = 0.05
"""Between two events."""

TURN = 20
"""Events until the resync waits, or goes on."""

PATIENCE = 60.0

_TELL = """
CREATE FUNCTION tell() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN PERFORM pg_notify('written', NEW.ticket_id::text); RETURN NULL; END $$;
CREATE TRIGGER tell AFTER INSERT ON ticket_history
FOR EACH ROW WHEN (NEW.ticket_id > {last}) EXECUTE FUNCTION tell();
LISTEN written
"""


class Latency(NamedTuple):
    """Milliseconds from publishing an event until its ticket's values are committed.

    Attributes:
        alone: while no resync runs.
        beside: while one runs.
        resynced: tickets that the resync came to meanwhile, in each second that it ran.
    """

    alone: Sequence[float]
    beside: Sequence[float]
    resynced: float


def latency(
    config: Path, redis_url: str, system: TicketSystem, tickets: Sequence[int], log: Path
) -> Latency:
    """Publish an event for each ticket, in turns with a resync and without.

    Args:
        config: the settings file of both workers.
        redis_url: their Redis.
        system: many tickets with nothing in their fields.
        tickets: the last ones of it; the resync must not come to them.
        log: where the ticket worker's output goes; that of the resync worker goes beside it.

    Raises:
        Stuck: an event was not handled, or the resync is too quick for so few tickets.
    """
    client = redis.Redis.from_url(redis_url)
    rates.Inbox(client).load(())
    services = bootstrap.build(load(config))
    taken: dict[bool, list[float]] = {False: [], True: []}
    seconds = 0.0
    with (
        closing(services),
        _written(system, tickets[0] - 1) as written,
        ticket_worker(config, log) as worker,
        resync_worker(config, log.with_suffix(".resync.log")) as resyncs,
    ):
        _one(services.inbox, tickets[0], written)  # what is opened and read but once
        job_id = start(services, request(services, all_tickets=True))
        _moves(client, job_id, resyncs)
        for number, first in enumerate(range(1, len(tickets), TURN)):
            beside = bool(number % 2)
            if beside:
                jobs.resume(client, job_id)
                _moves(client, job_id, resyncs)
            else:
                jobs.pause(client, job_id)
                resyncs.until(lambda: not resync.read(client, job_id).in_hand, "the resync to wait")
            begin = time.perf_counter()
            for ticket in tickets[first : first + TURN]:
                Event().wait(QUIET_SECONDS)
                taken[beside].append(_one(services.inbox, ticket, written))
                worker.until(lambda: client.xlen(EVENTS) == 0, "the inbox to be empty")
            seconds += (time.perf_counter() - begin) if beside else 0.0
        job = resync.read(client, job_id)
        if job.cursor >= tickets[0] - 1:
            raise Stuck(f"the resync was at its end after {seconds:.0f} s: give it more tickets")
    client.close()
    return Latency(taken[False], taken[True], job.cursor / seconds)


@contextmanager
def _written(system: TicketSystem, last: int) -> Iterator[psycopg.Connection]:
    """A connection that is told of history lines of tickets behind ``last`` when they are there."""
    url = make_url(system.url).set(drivername="postgresql")
    told = psycopg.connect(url.render_as_string(hide_password=False), autocommit=True)
    with closing(told):
        told.execute(_TELL.format(last=last))
        yield told


def _one(inbox: Inbox, ticket: int, written: psycopg.Connection) -> float:
    """Milliseconds of one event."""
    begin = time.perf_counter()
    inbox.publish({"type": "ticket.customer_changed", "ticket_id": str(ticket)})
    for notice in written.notifies(timeout=PATIENCE):
        if notice.payload == str(ticket):
            return (time.perf_counter() - begin) * 1000
    raise Stuck(f"nothing was written into ticket {ticket} within {PATIENCE:.0f} s")


def _moves(client: redis.Redis, job_id: int, resyncs: Process) -> None:
    """Wait until somebody works on a job."""
    before = resync.read(client, job_id).cursor
    resyncs.until(lambda: resync.read(client, job_id).cursor > before, "the resync to move")
