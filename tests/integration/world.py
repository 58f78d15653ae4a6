"""A whole worker in one process: its services over a ticket system, Redis, a CRM and slapd.

Services come from the composition root, so that what is tested is what runs in production.
"""

import dataclasses
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, event, make_url

from mapping.model import Plan
from tests.contract.ldap_source import MAP as LDAP_MAP
from tests.contract.sql_source import MAP, SqlDirectory
from tests.otobo import WORKER, Otobo
from tests.servers import RedisServer, SlapdServer
from worker import bootstrap
from worker.drain import Consumer, drain
from worker.events import CustomerChanged, TicketCreated, TicketEvent
from worker.handlers.enrich import enrich
from worker.inbox import Entry, Inbox
from worker.outcomes import Outcome
from worker.services import Services
from worker.settings import Settings
from worker.tickets.newcomers import Newcomers
from worker.tickets.store import ALL_TRACES, Result, TicketStore, Traces
from worker.waiting_room import REST_SECONDS, come_back

PHONE: Mapping[str, str] = {"UserPhone": "Phone"}

SETTINGS = """
[tickets]
url = "{tickets}"

[redis]
url = "{redis}"

[sources.CustomerUser]
kind = "sql"
url = "{people}"
table = "people"
foreign_db = true
customer_key = "login"
customer_id = "customer_id"
map = {{ UserLogin = "login", UserPhone = "phone" }}

[mapping.variables]
UserPhone = "Phone"
"""


class World:
    """A ticket system, a Redis and a CRM, and workers that are set up in it.

    Attributes:
        otobo: the ticket system at work.
        crm: customer users in an SQLite database of their own.
        people: settings of the source over ``crm``.
    """

    def __init__(self, ticket_url: str, redis: RedisServer, scratch: Path) -> None:
        self.ticket_url = ticket_url
        self.redis = redis
        self.otobo = Otobo(ticket_url)
        self.crm = SqlDirectory(f"sqlite:///{scratch / 'crm.sqlite'}", None, scratch)
        self.people: Mapping[str, Any] = {
            "kind": "sql",
            "url": self.crm.url,
            "table": "people",
            "foreign_db": True,
            "customer_key": "login",
            "customer_id": "customer_id",
            "map": MAP,
        }
        self._built: list[Services] = []

    def services(self, variables: Mapping[str, str] = PHONE, **sections: Any) -> Services:
        """A worker's services; ``sections`` are settings, the source over ``crm`` by default."""
        tree: dict[str, Any] = {
            "redis": {"url": self.redis.url},
            "sources": {"CustomerUser": self.people},
            "mapping": {"variables": variables},
            **sections,
            "tickets": {"url": self.ticket_url, **sections.get("tickets", {})},
        }
        built = bootstrap.build(Settings(**tree))
        self._built.append(built)
        # The bell of the product rings for Celery, and no worker of Celery is here.
        inbox = Inbox(built.inbox.client, lambda: None, built.settings.inbox)
        # Nor does any screen write in the middle of a batch, unless a test lets one.
        newcomers = Newcomers(built.tickets.newest_row_id, pause=lambda _: None)
        return dataclasses.replace(built, inbox=inbox, newcomers=newcomers)

    def write_settings(self, folder: Path) -> Path:
        """A settings file for commands: the phone of who is in ``crm`` goes into a field."""
        file = folder / "fieldfare.toml"
        urls = {"tickets": self.ticket_url, "people": self.crm.url, "redis": self.redis.url}
        file.write_text(SETTINGS.format(**urls))
        return file

    def person(self, login: str, phone: str | None = "1", **more: str) -> None:
        """A customer user in the CRM."""
        given = {
            "first_name": "Jane",
            "last_name": "Doe",
            "email": f"{login}@example.com",
            "customer_id": "ACME",
            **more,
        }
        self.crm.add_person(login=login, phone=phone, **given)

    def ticket(self, customer_user: str | None = None, **more: Any) -> int:
        """A ticket."""
        return self.otobo.create_ticket(customer_user, **more)

    def values(self, ticket_id: int) -> dict[str, list[object]]:
        """What stands in a ticket's fields."""
        return self.otobo.values(ticket_id)

    def lines(self, ticket_id: int) -> Sequence[str]:
        """The worker's lines in a ticket's history."""
        return self.otobo.lines(ticket_id, WORKER)

    def close(self) -> None:
        for built in self._built:
            built.tickets.close()
            built.directory.close()
            built.otobo_cache.close()
            built.inbox.client.close()
        self.crm.close()
        self.otobo.close()


def ldap_people(slapd: SlapdServer, **more: Any) -> dict[str, Any]:
    """Settings of a source over slapd."""
    return {
        "kind": "ldap",
        "host": slapd.uri,
        "base_dn": f"ou=people,{slapd.base_dn}",
        "customer_key": "uid",
        "customer_id": "o",
        "map": LDAP_MAP,
        **more,
    }


def let_back(services: Services) -> None:
    """Probe what is down, and let events back as if they had waited for long."""
    come_back(services, lambda work: work(), lambda: time.time() + 2 * REST_SECONDS)


def created(ticket_id: int, **more: Any) -> TicketCreated:
    return TicketCreated(ticket_id=ticket_id, **more)


def changed(ticket_id: int, **more: Any) -> CustomerChanged:
    return CustomerChanged(ticket_id=ticket_id, **more)


def handle(services: Services, *events: TicketEvent | Mapping[str, str]) -> list[Outcome]:
    """Send events through the inbox as one batch and settle them; outcomes in their order."""
    seen: list[Outcome] = []

    def noting(entries: Sequence[Entry]) -> Sequence[Outcome]:
        outcomes = enrich(entries, services)
        order = [entry.id for entry in entries]
        seen.extend(sorted(outcomes, key=lambda outcome: order.index(outcome.entry_id)))
        return outcomes

    services.inbox.publish_many(events)
    # Only what is there already: what goes behind all others is for the next call.
    drain(services.inbox, Consumer("test"), noting, _TwoSteps())
    return seen


class _TwoSteps:
    """A clock by which the time of a drain is up after its first batch."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        self.now += 10.0
        return self.now


class Interfering:
    """A ticket store with somebody at work between the look at tickets and their writing."""

    def __init__(self, store: TicketStore, act: Any) -> None:
        self._store = store
        self._act = act

    def apply(self, plans: Sequence[Plan], traces: Traces = ALL_TRACES) -> Mapping[int, Result]:
        self._act()
        return self._store.apply(plans, traces)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)


def interfered(services: Services, act: Any) -> Services:
    """The same services, with ``act`` called before anything is written."""
    return dataclasses.replace(services, tickets=Interfering(services.tickets, act))


@contextmanager
def statements() -> Iterator[Counter[str]]:
    """Counts statements by database; BEGIN, COMMIT and pings are not among them."""
    seen: Counter[str] = Counter()

    def note(connection: Any, _cursor: Any, statement: str, *_: object) -> None:
        if not statement.startswith("BEGIN"):
            seen[_name(str(connection.engine.url.database))] += 1

    event.listen(Engine, "before_cursor_execute", note)
    try:
        yield seen
    finally:
        event.remove(Engine, "before_cursor_execute", note)


def database_name(url: str) -> str:
    """A database as ``statements`` names it."""
    return _name(str(make_url(url).database))


def _name(database: str) -> str:
    return database.removeprefix("file:").rpartition("/")[2]
