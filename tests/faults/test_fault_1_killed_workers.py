"""Fault 1: worker processes are killed in the middle of their work, again and again.

Must hold: no event is lost and no ticket is wrong. No sweep helps.
"""

import os
import signal
from collections.abc import Callable
from random import Random

from tests.faults import people
from tests.faults.checker import check, leftovers
from tests.faults.couriers import append, shuffled
from tests.faults.figures import Figures
from tests.faults.forms import Form
from tests.faults.simulator import Simulator
from tests.faults.workers import Workers, holders
from tests.servers import PostgresqlServer
from worker.inbox import Inbox

SEED = 1
PEOPLE = 200


def kill_one(inbox: Inbox, random: Random) -> bool:
    """SIGKILL to one child that holds events just now; False if none does."""
    if not (pids := holders(inbox)):
        return False
    os.kill(random.choice(pids), signal.SIGKILL)
    return True


def test_no_event_is_lost_when_workers_are_killed(  # noqa: PLR0913, PLR0917 - fixtures
    form: Form,
    figures: Figures,
    postgresql_server: PostgresqlServer,
    ticket_system: Callable[[PostgresqlServer], Simulator],
    workers: Callable[..., Workers],
    inbox: Inbox,
) -> None:
    numbers, random = form.killed_workers, Random(SEED)
    system = ticket_system(postgresql_server)
    known = people.logins(PEOPLE)
    people.fill_sql(system.engine, known)
    anybody = [*known, "nobody1"]
    tickets = system.preload(
        random.choices(anybody, k=numbers.events), before=random.choices(known, k=numbers.events)
    )
    events = system.change_all(tickets, random.choices(anybody, k=numbers.events))
    append(inbox.client)(shuffled(events, random, copies=0))
    fleet = workers(system, {"CustomerUser": people.sql_source()})

    fleet.start()
    fleet.start()
    for number in range(1, numbers.kills + 1):
        # Spread over the work that there is; each of them hits somebody who holds events.
        fleet.left(inbox, numbers.events * (numbers.kills + 1 - number) // (numbers.kills + 1))
        if number % 3:
            fleet.until(lambda: kill_one(inbox, random), "somebody holds events")
        else:
            fleet.until(lambda: fleet.holding(inbox), "somebody holds events")
            random.choice(fleet.holding(inbox) or fleet.running).kill()
            fleet.start()
    fleet.rest(inbox)

    report = check(system)
    figures.note("kills", numbers.kills, "processes")
    figures.note("events", numbers.events, "events")
    figures.zero("lost", report["lost"], "tickets")
    figures.zero("wrong", report["wrong"] + report["erased"] + report["two_rows"], "tickets")
    figures.zero("written twice", report["written_twice"], "tickets")
    figures.zero("half-written", report["half_written"], "tickets")
    assert report.clean, report
    assert leftovers(inbox) == {}
