"""What is a ticket system with a worker beside it, and what does its log say of an outage?"""

import contextlib
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.faults import people
from tests.faults.checker import check, leftovers
from tests.faults.couriers import append
from tests.faults.simulator import Event, Simulator
from tests.faults.workers import Worker, Workers, settings
from tests.servers import RedisServer
from worker.inbox import Inbox, connect

PEOPLE = 20


@dataclass(frozen=True, slots=True)
class Site:
    """A ticket system with a worker beside it."""

    system: Simulator
    fleet: Workers
    inbox: Inbox
    redis_url: str
    folder: Path

    @property
    def worker(self) -> Worker:
        return self.fleet.all[-1]

    def tickets(self, count: int) -> list[int]:
        """New tickets, of which nothing is in the inbox."""
        known = people.logins(PEOPLE)
        return self.system.preload([known[number % PEOPLE] for number in range(count)])

    def change(self, tickets: Sequence[int]) -> list[Event]:
        """Have everybody's customer user changed; returns the events."""
        known = people.logins(PEOPLE)
        others = [known[(number + 7) % PEOPLE] for number in range(len(tickets))]
        return self.system.change_all(tickets, others)

    def send(self, events: Sequence[Event]) -> None:
        append(self.inbox.client)(events)

    def rest(self) -> None:
        """Everything is settled, nothing is dead, and every ticket is as it must be."""
        self.fleet.rest(self.inbox)
        report = check(self.system)
        assert report.clean, report
        assert leftovers(self.inbox) == {}

    def logged(self, event: str) -> list[dict[str, Any]]:
        return self.worker.lines(event)


@contextlib.contextmanager
def opened(url: str, server: RedisServer, folder: Path) -> Iterator[Site]:
    """A site in an empty database, with an empty inbox; its worker has been started.

    No other site may be open on this Redis: its worker would take the events of this one.
    """
    server.start()
    server.flush()
    with ExitStack() as stack:
        system = Simulator(url)
        stack.callback(system.close)
        people.fill_sql(system.engine, people.logins(PEOPLE))
        client = connect(server.url)
        stack.callback(client.close)
        config = settings(folder, url, server.url, {"CustomerUser": people.sql_source()})
        fleet = stack.enter_context(Workers(config, folder))
        fleet.start(1)
        yield Site(system, fleet, Inbox(client, lambda: None), server.url, folder)


def interrupted(site: Site, reason: str) -> list[dict[str, Any]]:
    """The lines that say that the drain was interrupted for this reason."""
    return [
        line
        for line in site.logged("drain.interrupted")
        if line["error"] == "TicketDatabaseUnavailable" and reason in line["reason"]
    ]
