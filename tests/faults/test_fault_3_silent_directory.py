"""slapd hangs, is gone, is late, drips or is busy for half of the events: nothing is emptied.

Half of the tickets belong to people in SQL, half to people in LDAP, who come second. Must hold: no
field is emptied or wrong; tickets that SQL answers keep nine tenths of their rate; no lookup takes
longer than its source's timeout and half a second; all is right a minute after slapd is back.

The rate is measured once the workers know that LDAP does not answer: to find that out costs some
timeouts, which is told as a figure of its own. It is compared in the long form alone, for the few
events of the short one are over in a moment.
"""

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from itertools import chain
from typing import NamedTuple

from directory.config import LdapSourceConfig
from directory.ldap import LdapSource
from directory.model import Answer, Unavailable
from tests.faults import people
from tests.faults.checker import KINDS, check, leftovers
from tests.faults.figures import Figures
from tests.faults.forms import Form
from tests.faults.ldap_front import Front
from tests.faults.ldap_outages import OUTAGES, outage
from tests.faults.midway import touched
from tests.faults.pace import Pace
from tests.faults.simulator import Simulator, created_event
from tests.faults.workers import Workers
from tests.inbox_stats import stats
from tests.servers import PostgresqlServer, SlapdServer
from tests.stopwatch import Stopwatch
from worker import handled, source_states
from worker.inbox import Inbox
from worker.settings import load

TIMEOUT = 1.0
"""Seconds that LDAP is given to answer."""

GRACE = 0.5
"""Seconds that a lookup may take beyond that."""

BACK_WITHIN = 60.0
KEPT_RATE = 0.9

SLOT = "1"

PORTION = 6
"""Events that come at once while the workers do not know yet that LDAP does not answer."""


class Share(NamedTuple):
    """Some tickets: of people in SQL, and as many of people in LDAP, every tenth being nobody's."""

    of_sql: Sequence[int]
    of_ldap: Sequence[int]


class Lookup(NamedTuple):
    """One question to LDAP while it was in trouble."""

    seconds: float
    answer: Answer


class Round(NamedTuple):
    """What was seen of one kind of trouble.

    Attributes:
        before: tickets that were handled before it.
        first: tickets that came while the workers did not know of it.
        then: tickets that came when they knew.
        touched: tickets that had to wait, and were written to all the same.
        found_out: seconds until the workers knew.
        back: seconds from its end until nothing was left to do.
    """

    before: Share
    first: Share
    then: Share
    touched: Sequence[int]
    found_out: float
    back: float


@dataclass(frozen=True, slots=True)
class World:
    """A ticket system whose customer users are in SQL and LDAP, and its workers."""

    system: Simulator
    slapd: SlapdServer
    front: Front
    crew: Workers
    inbox: Inbox

    def send(self, count: int) -> Share:
        """Make tickets of both kinds in turn, which show old values, and send their events.

        Each is of somebody whom nobody has asked for yet, so that no cache knows them.
        """
        used = len(self.system.tickets) // 2
        logins = [
            login
            for number in range(used, used + count // 2)
            for login in (f"user{number}", f"{'nobody' if number % 10 == 9 else 'staff'}{number}")
        ]
        tickets = self.system.preload(logins, [f"was-{login}" for login in logins])
        self.inbox.publish_many(created_event(ticket) for ticket in tickets)
        return Share(tickets[::2], tickets[1::2])

    def handle(self, count: int) -> Share:
        """The same; returns when those that SQL answers are handled."""
        sent, client = self.send(count), self.inbox.client
        self.crew.until(
            lambda: len(handled.read(client, sent.of_sql)) == len(sent.of_sql),
            "tickets that SQL answers are handled",
        )
        return sent

    def knows(self) -> bool:
        """Whether the workers know that LDAP does not answer, and so do not ask it."""
        known = source_states.read(self.inbox.client)
        return SLOT in known and known[SLOT].open


@contextmanager
def asked(source: LdapSource, seen: list[Lookup]) -> Iterator[None]:
    """Ask a source again and again for as long as the block lasts, once at least."""
    over = threading.Event()

    def ask() -> None:
        while True:
            with Stopwatch() as watch:
                answer = source.find(["staff1"])["staff1"]
            seen.append(Lookup(watch.seconds, answer))
            if over.wait(0.1):
                return

    thread = threading.Thread(target=ask)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def suffer(world: World, trouble: str, size: int, seen: list[Lookup]) -> Round:
    """Have events handled, the second half of them while slapd is in trouble, and wait for all."""
    before = world.handle(size)
    world.crew.rest(world.inbox)
    config = load(world.crew.config, env_file=None).source(SLOT)
    assert isinstance(config, LdapSourceConfig)
    with (
        closing(LdapSource(config)) as source,
        outage(trouble, world.slapd, world.front, TIMEOUT),
        asked(source, seen),
    ):
        first = Share([], [])
        with Stopwatch() as found_out:
            while not world.knows() and 2 * len(first.of_sql) + PORTION < size:
                more = world.handle(PORTION)
                first = Share([*first.of_sql, *more.of_sql], [*first.of_ldap, *more.of_ldap])
            world.crew.until(world.knows, "LDAP is not asked any more")
        then = world.handle(size - 2 * len(first.of_sql))
        world.crew.until(lambda: not stats(world.inbox).length, "only waiting events are left")
        written = touched(world.system, [*first.of_ldap, *then.of_ldap])
    with Stopwatch() as back:
        world.crew.rest(world.inbox)
    return Round(before, first, then, written, found_out.seconds, back.seconds)


def test_a_directory_in_trouble_empties_nothing_and_holds_up_nobody_else(  # noqa: PLR0913, PLR0917 - fixtures
    form: Form,
    figures: Figures,
    postgresql_server: PostgresqlServer,
    slapd: SlapdServer,
    ticket_system: Callable[[PostgresqlServer], Simulator],
    workers: Callable[..., Workers],
    ringing: Inbox,
) -> None:
    size = form.silent_directory.events // len(OUTAGES) // 2
    lookups: dict[str, list[Lookup]] = {trouble: [] for trouble in OUTAGES}
    with Front(slapd.port) as front:
        ldap = people.ldap_source(slapd, host=front.uri, timeout=TIMEOUT)
        system = ticket_system(postgresql_server)
        people.fill_sql(system.engine, people.logins(form.silent_directory.events))
        people.fill_ldap(slapd, people.logins(form.silent_directory.events, "staff"))
        crew = workers(system, {"CustomerUser": people.sql_source(), "CustomerUser1": ldap})
        world = World(system, slapd, front, crew, ringing)
        worker = crew.start()
        world.handle(20)  # the first tickets wait for what is done but once
        rounds = {name: suffer(world, name, size, seen) for name, seen in lookups.items()}
    report, pace = check(system), Pace(worker)

    kept = pace.rate([one.then.of_sql for one in rounds.values()]) / pace.rate(
        [one.before.of_sql for one in rounds.values()]
    )
    slowest = max(one.seconds for seen in lookups.values() for one in seen)
    back = max(one.back for one in rounds.values())
    emptied = [ticket for one in rounds.values() for ticket in one.touched]
    unlike = [one for seen in lookups.values() for one in seen if not is_unavailable(one)]
    for trouble, one in rounds.items():
        figures.note(f"{trouble}: until the workers know", one.found_out, "s")
        longest = pace.longest(chain(*one.first, *one.then))
        figures.note(f"{trouble}: longest batch", longest, "s")
        figures.note(f"{trouble}: lookups", len(lookups[trouble]), "lookups")
        figures.note(f"{trouble}: all right again after", one.back, "s")
    must = f"at most {BACK_WITHIN:g}"
    figures.note("until all is right again", back, "s", must, held=back <= BACK_WITHIN)
    must = f"at most {TIMEOUT + GRACE:g}"
    figures.note("longest lookup", slowest, "s", must, held=slowest <= TIMEOUT + GRACE)
    held = kept >= KEPT_RATE if form.name == "long" else None
    must = "" if held is None else f"at least {KEPT_RATE:g}"
    figures.note("rate that SQL's tickets keep", kept, "times", must, held=held)
    figures.zero("written to while LDAP was in trouble", len(emptied), "tickets")
    for kind in KINDS:
        figures.zero(kind, report[kind], "tickets")
    assert unlike == [], "these were answered, though LDAP was in trouble"
    assert emptied == []
    assert report.clean, report
    assert leftovers(ringing) == {}
    assert back <= BACK_WITHIN
    assert slowest <= TIMEOUT + GRACE
    assert held is not False, f"SQL's tickets keep {kept:.2f} of their rate"


def is_unavailable(lookup: Lookup) -> bool:
    return isinstance(lookup.answer, Unavailable)
