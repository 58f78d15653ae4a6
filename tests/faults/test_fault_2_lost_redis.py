"""Redis is killed and started again while events come in, and emptied once: nothing is lost.

Must hold: after one sweep no acknowledged event is lost, whatever Redis forgot; a worker consumes
again within ten seconds; after FLUSHALL one sweep makes all right.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from random import Random

from tests.faults import people
from tests.faults.checker import KINDS, check, leftovers
from tests.faults.figures import Figures
from tests.faults.forms import Form
from tests.faults.midway import torn
from tests.faults.producers import Producer
from tests.faults.simulator import Simulator, created_event
from tests.faults.workers import Worker, Workers
from tests.inbox_stats import stats
from tests.servers import PostgresqlServer, RedisServer
from tests.stopwatch import Stopwatch
from worker import bootstrap
from worker.handlers.sweep import sweep
from worker.inbox import Inbox
from worker.services import Services
from worker.settings import load

SEED = 2
PEOPLE = 200
RESUMES = 10.0
"""Seconds within which a worker must consume again."""


@contextmanager
def services_of(crew: Workers, inbox: Inbox) -> Iterator[Services]:
    """The services of a process beside the workers, which rings nobody."""
    services = replace(bootstrap.build(load(crew.config, env_file=None)), inbox=inbox)
    try:
        yield services
    finally:
        services.tickets.close()
        services.directory.close()


def kill(server: RedisServer, crew: Workers, worker: Worker, tries: int) -> None:
    """SIGKILL, and a start with what its file holds, after the worker has tried so often."""

    def tried() -> int:
        return worker.said().count("consumer: Cannot connect")

    before = tried()
    server.kill()
    crew.until(lambda: tried() >= before + tries, f"the worker has tried {tries} times")
    server.start()


def empty(server: RedisServer, inbox: Inbox, crew: Workers, worker: Worker) -> None:
    """FLUSHALL at a moment when there are events that nobody has read."""
    worker.freeze()
    crew.until(
        lambda: stats(inbox).length > sum(stats(inbox).pending.values()), "events are unread"
    )
    server.flush()
    worker.thaw()


def test_no_acknowledged_event_is_lost_with_redis(  # noqa: PLR0913, PLR0917 - fixtures
    form: Form,
    figures: Figures,
    postgresql_server: PostgresqlServer,
    redis_of_faults: RedisServer,
    ticket_system: Callable[[PostgresqlServer], Simulator],
    workers: Callable[..., Workers],
    inbox: Inbox,
) -> None:
    numbers, random = form.lost_redis, Random(SEED)
    system, known = ticket_system(postgresql_server), people.logins(PEOPLE)
    people.fill_sql(system.engine, known)
    crew = workers(system, {"CustomerUser": people.sql_source()})
    worker = crew.start()
    faults = ["kill"] * (numbers.kills // 2)
    faults = [*faults, "flush", *faults]
    share = numbers.events // len(faults)
    pauses: list[float] = []
    half = 0
    with Producer(redis_of_faults.url) as producer, services_of(crew, inbox) as services:
        for fault in faults:
            tickets = system.preload(
                random.choices(known, k=share), before=random.choices(known, k=share)
            )
            events = [created_event(ticket) for ticket in tickets]
            producer.hand(events[: share // 2])
            crew.until(lambda: stats(inbox).pending, "somebody is at work")
            producer.hand(events[share // 2 :])
            if fault == "flush":
                empty(redis_of_faults, inbox, crew, worker)
            else:
                kill(redis_of_faults, crew, worker, 0 if pauses else numbers.tries)
            half += len(torn(system, tickets))
            with Stopwatch() as watch:
                crew.until(lambda: not producer.kept, "the producer has sent what it kept")
                crew.rest(inbox)
            pauses.append(watch.seconds)
            if fault == "flush":
                forgotten = check(system)["lost"]
                sweep(services)
                crew.rest(inbox)
                flushed = check(system)
        unswept = check(system)["lost"]
        sweep(services)
        crew.rest(inbox)
    report = check(system)

    figures.note("kills of Redis", numbers.kills, "kills")
    figures.note("acknowledged", share * len(faults), "events")
    figures.note("refused, and sent again", producer.refused, "portions")
    figures.note("lost by kills, before the sweep", unswept, "tickets")
    figures.note("lost by FLUSHALL, before the sweep", forgotten, "tickets")
    figures.zero("not right one sweep after FLUSHALL", sum(flushed.concerned.values()), "tickets")
    for kind in KINDS:
        figures.zero(f"{kind} after one sweep", report[kind], "tickets")
    figures.zero("torn in between", half, "tickets")
    must, held = f"at most {RESUMES:g}", max(pauses) <= RESUMES
    figures.note("until all is consumed again", max(pauses), "s", must, held=held)
    assert forgotten, "FLUSHALL came too late to lose anything"
    assert flushed.clean, flushed
    assert report.clean, report
    assert half == 0
    assert leftovers(inbox) == {}
    assert held, pauses
