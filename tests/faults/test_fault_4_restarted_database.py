"""Databases that restart, cut connections, refuse one of two: nothing lost, nothing half-written.

Each fault hits a worker that is halfway through a transaction (``tests.faults.database_outages``).
"""

from collections.abc import Callable, Iterable, Sequence

import pytest

from tests import servers
from tests.faults import people
from tests.faults.checker import KINDS, check, leftovers
from tests.faults.database_outages import Begin, Intruder
from tests.faults.figures import Figures
from tests.faults.forms import Form
from tests.faults.midway import torn
from tests.faults.simulator import Event, Simulator, created_event
from tests.faults.workers import Workers
from worker.inbox import EVENTS, Inbox

FAULTS = ("restart", "cut", "outwait", "entangle")


@pytest.fixture(params=["postgresql", "mariadb"])
def database(request: pytest.FixtureRequest) -> servers.PostgresqlServer | servers.MariadbServer:
    server: servers.PostgresqlServer | servers.MariadbServer = request.getfixturevalue(
        f"{request.param}_server"
    )
    return server


def test_a_ticket_database_that_is_taken_away_loses_and_tears_nothing(  # noqa: PLR0913, PLR0917 - fixtures
    database: servers.PostgresqlServer | servers.MariadbServer,
    form: Form,
    figures: Figures,
    ringing: Inbox,
    ticket_system: Callable[..., Simulator],
    workers: Callable[..., Workers],
) -> None:
    numbers = form.restarted_database
    system = ticket_system(database)
    intruder = Intruder(database, system.url)
    tickets = preload(system, numbers.events)
    crew = workers(
        system,
        {"CustomerUser": people.sql_source()},
        tickets={
            "url": intruder.worker_url.render_as_string(hide_password=False),
            "lock_timeout": 1.0,
        },
    )
    worker = crew.start(children=2)
    crew.until(lambda: worker.ready, "the worker works")

    half, refused = 0, 0
    faults = FAULTS * numbers.times
    for fault, part in zip(faults, shares(tickets, len(faults)), strict=True):
        begin = sender(ringing, [created_event(ticket) for ticket in part])
        if fault == "entangle":
            refused += intruder.entangle(begin, *part[:2])
        else:
            getattr(intruder, fault)(begin)
        system.close()  # of its connections, too, not all may have survived
        half += len(torn(system, part))
    crew.rest(ringing)

    report = check(system)
    name = database.name
    figures.note(f"{name}: taken away", len(faults), "times")
    figures.note(f"{name}: deadlocks that the worker lost", refused, "deadlocks")
    outages = len(worker.lines("drain.interrupted"))
    figures.note(f"{name}: outages that the worker logged", outages, "outages")
    for kind in KINDS:
        figures.zero(f"{name}: {kind}", report[kind], "tickets")
    figures.zero(f"{name}: torn in between", half, "tickets")
    assert half == 0
    assert report.clean, report
    assert leftovers(ringing) == {}
    assert outages >= numbers.times, "the database was not taken away"


def preload(system: Simulator, count: int) -> list[int]:
    """Tickets of which every second one shows what an earlier customer user left."""
    logins = people.logins(count)
    people.fill_sql(system.engine, logins)
    return system.preload(
        logins, [f"user{n}-before" if n % 2 else people.ABSENT for n in range(count)]
    )


def shares(tickets: Sequence[int], count: int) -> Iterable[Sequence[int]]:
    """The tickets in as many parts, which differ by one at most."""
    return (
        tickets[len(tickets) * n // count : len(tickets) * (n + 1) // count] for n in range(count)
    )


def sender(inbox: Inbox, events: Sequence[Event]) -> Begin:
    """Appends events in one step, so that the first of them come in one batch, and rings."""

    def send() -> None:
        pipeline = inbox.client.pipeline(transaction=True)
        for event in events:
            pipeline.xadd(EVENTS, dict(event.items()))
        pipeline.execute()
        inbox.ring()

    return send
