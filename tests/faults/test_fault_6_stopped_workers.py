"""Fault 6: workers are told to stop while they are at work, as at every upgrade.

Must hold: each finishes what it holds and ends in time, nothing is lost, and nothing is written a
second time. The workers all have a successor, and no sweep helps.
"""

import time
from collections.abc import Callable
from pathlib import Path
from random import Random

import yaml

from tests.faults import people
from tests.faults.checker import check, leftovers
from tests.faults.couriers import append, shuffled
from tests.faults.figures import Figures
from tests.faults.forms import Form
from tests.faults.simulator import Simulator
from tests.faults.workers import Workers
from tests.inbox_stats import stats
from tests.servers import PostgresqlServer
from worker.inbox import Inbox

SEED = 6
PEOPLE = 200
COMPOSE = Path(__file__).parents[2] / "docker-compose.yml"


def grace() -> float:
    """Seconds that a ticket worker is given between SIGTERM and SIGKILL where it is deployed."""
    given = yaml.safe_load(COMPOSE.read_text())["services"]["worker"]["stop_grace_period"]
    return float(given.removesuffix("s"))


def test_a_stopped_worker_finishes_what_it_holds_and_nothing_more(  # noqa: PLR0913, PLR0917 - fixtures
    form: Form,
    figures: Figures,
    postgresql_server: PostgresqlServer,
    ticket_system: Callable[[PostgresqlServer], Simulator],
    workers: Callable[..., Workers],
    inbox: Inbox,
) -> None:
    numbers, random, patience = form.stopped_workers, Random(SEED), grace()
    system = ticket_system(postgresql_server)
    known = people.logins(PEOPLE)
    people.fill_sql(system.engine, known)
    tickets = system.preload(
        random.choices(known, k=numbers.events), before=random.choices(known, k=numbers.events)
    )
    events = system.change_all(tickets, random.choices(known, k=numbers.events))
    mixed = shuffled(events, random)
    share = len(mixed) // (numbers.stops + 1) + 1
    send = append(inbox.client)
    fleet = workers(system, {"CustomerUser": people.sql_source()})

    slowest, unfinished = 0.0, 0
    for number in range(numbers.stops):
        send(mixed[number * share : (number + 1) * share])  # so that there is work for everybody
        worker = fleet.start()
        fleet.until(lambda: stats(inbox).pending, "it holds events")
        told = time.monotonic()
        worker.terminate()
        assert worker.ended(patience) == 0, worker.said()[-4000:]
        slowest = max(slowest, time.monotonic() - told)
        unfinished += sum(stats(inbox).pending.values())
    send(mixed[numbers.stops * share :])
    fleet.start()
    fleet.rest(inbox)

    report = check(system)
    figures.note("stops", numbers.stops, "workers")
    figures.note(
        "slowest end", round(slowest, 2), "s", f"<= {patience:g}", held=slowest <= patience
    )
    figures.zero("left in a stopped worker's hands", unfinished, "events")
    figures.zero("lost", report["lost"], "tickets")
    figures.zero("written twice", report["written_twice"], "tickets")
    assert report.clean, report
    assert unfinished == 0
    assert leftovers(inbox) == {}
