"""Sources that go away and come back: who is asked how often, and which events come back when."""

import dataclasses
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy
from structlog.testing import capture_logs

from directory.ldap import LdapSource
from directory.model import Answer, Found, Unavailable
from directory.sql import SqlSource
from mapping.model import Decision, Reason
from tests.contract.ldap_source import LdapDirectory
from tests.contract.sql_source import SqlDirectory
from tests.integration.world import World, changed, handle, ldap_people, let_back
from tests.servers import PostgresqlServer, SlapdServer
from worker.drain import Consumer, drain
from worker.handlers import customer_users
from worker.handlers.enrich import enrich
from worker.handlers.explain import explain
from worker.inbox import Entry
from worker.outcomes import Kind, Outcome
from worker.services import Services
from worker.source_states import SourceStates
from worker.waiting_room import REST_SECONDS, come_back


class Clock:
    """Real time, and what a test adds to it."""

    def __init__(self) -> None:
        self.ahead = 0.0

    def __call__(self) -> float:
        return time.time() + self.ahead


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many logins each question held that reached a source."""
    seen: list[int] = []
    for kind in (LdapSource, SqlSource):
        original = kind.find

        def find(
            self: Any, logins: Sequence[str], original: Callable[..., Any] = original
        ) -> Mapping[str, Answer]:
            seen.append(len(logins))
            answers: Mapping[str, Answer] = original(self, logins)
            return answers

        monkeypatch.setattr(kind, "find", find)
    return seen


def at_once(work: Callable[[], None]) -> None:
    work()


def timed(services: Services, clock: Clock) -> Services:
    limits = services.settings.breaker.limits()
    states = SourceStates(services.inbox.client, clock, limits)
    return dataclasses.replace(services, source_states=states)


def kinds(outcomes: Sequence[Outcome]) -> list[Kind]:
    return [outcome.kind for outcome in outcomes]


def states(services: Services) -> dict[str, tuple[bool, bool]]:
    """Whether each source is up, and whether its circuit is open."""
    return {slot: (one.up, one.open) for slot, one in services.source_states.read().items()}


def emptied(services: Services) -> list[int]:
    """Drain the inbox; the tickets in the order in which they were handled."""
    seen: list[int] = []

    def noting(entries: Sequence[Entry]) -> Sequence[Outcome]:
        seen.extend(int(entry.fields["ticket_id"]) for entry in entries)
        return enrich(entries, services)

    drain(services.inbox, Consumer("test"), noting)
    return seen


def test_a_source_that_hangs_is_asked_some_times_and_then_no_more(
    small_world: World, slapd: SlapdServer, clock: Clock, asked: list[int]
) -> None:
    world = small_world
    world.otobo.add_field("Phone")
    people = LdapDirectory(slapd)
    tickets = []
    for number in range(6):
        people.add_person(f"user{number}", "A", "B", "a@b.c", "ACME", str(number))
        tickets.append(world.ticket(f"user{number}"))
    sources = {"CustomerUser": ldap_people(slapd, timeout=0.3)}
    services, other = (timed(world.services(sources=sources), clock) for _ in range(2))
    slapd.freeze()

    outcomes = [handle(services, changed(ticket)) for ticket in tickets]

    assert len(asked) == 3
    assert {kind for one in outcomes for kind in kinds(one)} == {Kind.WAITING}
    assert outcomes[0][0].reason == "TimeoutError: no answer within 0.3 s"
    assert outcomes[5][0].reason == (
        "not asked for now, since it did not answer: TimeoutError: no answer within 0.3 s"
    )
    assert kinds(handle(other, changed(tickets[0]))) == [Kind.WAITING]
    assert len(asked) == 3, "what one process saw is known to the others"

    assert come_back(services, at_once, clock)
    assert len(asked) == 4, "a probe"
    assert come_back(other, at_once, clock)
    assert len(asked) == 4, "the next one is not due"
    assert services.inbox.lengths() == (0, {"": 7})

    slapd.thaw()
    clock.ahead += 1.0
    assert not come_back(other, at_once, clock)
    assert states(services)[""] == (True, False)
    assert emptied(services) == [*tickets, tickets[0]]
    assert [world.values(ticket) for ticket in tickets] == [
        {"Phone": [str(number)]} for number in range(6)
    ]
    assert services.inbox.lengths() == (0, {})
    assert asked[4:] == [1, 6], "a probe, and all that waited"


def test_a_database_that_was_stopped_is_taken_into_use_again(
    small_world: World,
    postgresql_server: PostgresqlServer,
    tmp_path: Path,
    clock: Clock,
    asked: list[int],
) -> None:
    world = small_world
    world.otobo.add_field("Phone")
    postgresql_server.start()
    crm = SqlDirectory(postgresql_server.create_database(), postgresql_server, tmp_path)
    crm.add_person("anna", "A", "B", "a@b.c", "ACME", "1")
    sources = {"CustomerUser": {**world.people, "url": crm.url}}
    services = timed(world.services(sources=sources), clock)
    ticket = world.ticket("anna")

    crm.stop()
    for _ in range(5):
        assert kinds(handle(services, changed(ticket))) == [Kind.WAITING]
    assert len(asked) == 3
    come_back(services, at_once, clock)
    crm.start()
    clock.ahead += 1.0
    come_back(services, at_once, clock)

    assert len(emptied(services)) == 5
    assert world.values(ticket) == {"Phone": ["1"]}
    services.directory.close()
    crm.close()


def test_a_probe_in_the_background_holds_up_nobody(
    small_world: World, slapd: SlapdServer, clock: Clock
) -> None:
    world = small_world
    sources = {"CustomerUser": ldap_people(slapd, timeout=0.3), "CustomerUser1": world.people}
    services = timed(world.services(sources=sources), clock)
    slapd.freeze()
    for _ in range(3):
        handle(services, changed(world.ticket("anna")))

    assert come_back(services, clock=clock)
    (probe,) = [one for one in threading.enumerate() if one.name == "fieldfare-probe"]
    assert services.source_states.read()[""].is_probed(clock())
    slapd.thaw()
    probe.join(10)

    assert states(services)[""] == (True, False)
    come_back(services, clock=clock)
    assert services.inbox.lengths() == (3, {})


def test_events_come_back_in_portions_while_the_inbox_is_short(
    small_world: World, clock: Clock
) -> None:
    world = small_world
    services = timed(world.services(inbox={"batch": 5}), clock)
    ticket = world.ticket("anna")
    services.inbox.publish_many([changed(ticket)] * 120)
    while entries := services.inbox.read("a"):
        services.inbox.wait(entries, "", "away")
    clock.ahead = REST_SECONDS + 1

    assert come_back(services, at_once, clock)
    assert services.inbox.lengths() == (50, {"": 70})
    assert come_back(services, at_once, clock), "the inbox is not short"
    assert services.inbox.lengths() == (50, {"": 70})

    services.inbox.settle([entry.id for entry in services.inbox.read("a", 30)])
    assert come_back(services, at_once, clock)
    assert services.inbox.lengths() == (50, {"": 40})

    services.inbox.settle([entry.id for entry in services.inbox.read("a", 50)])
    assert not come_back(services, at_once, clock)
    assert services.inbox.lengths() == (40, {})


def test_a_source_that_fails_again_keeps_the_rest_waiting(
    small_world: World, clock: Clock, asked: list[int]
) -> None:
    world = small_world
    services = timed(world.services(inbox={"batch": 5}, preferences={"enabled": False}), clock)
    ticket = world.ticket("anna")
    world.crm.stop()
    for _ in range(12):
        handle(services, *[changed(ticket)] * 5)
    world.crm.start()
    assert come_back(services, at_once, clock)
    assert services.inbox.lengths() == (50, {"": 10})
    asked.clear()

    world.crm.stop()
    clock.ahead += 1.0
    assert len(emptied(services)) == 50
    assert come_back(services, at_once, clock)

    assert asked == [1], "on trial one failure is enough"
    assert services.inbox.lengths() == (0, {"": 60})
    clock.ahead += 1.0
    world.crm.start()
    come_back(services, at_once, clock)
    assert services.inbox.lengths() == (50, {"": 10})


def test_what_waits_for_a_fault_of_its_own_rests(small_world: World, clock: Clock) -> None:
    world = small_world
    services = timed(world.services(), clock)
    services.inbox.publish(changed(world.ticket("anna")))
    services.inbox.wait(services.inbox.read("a"), "", "its entry cannot be read")

    assert come_back(services, at_once, clock)
    assert services.inbox.lengths() == (0, {"": 1})
    clock.ahead = REST_SECONDS + 1
    assert not come_back(services, at_once, clock)
    assert services.inbox.lengths() == (1, {})


def test_a_database_of_customers_that_is_away_is_not_asked_either_and_holds_up_no_other(
    small_world: World, tmp_path: Path, clock: Clock
) -> None:
    world = small_world
    world.otobo.add_field("Phone")
    companies = SqlDirectory(f"sqlite:///{tmp_path / 'erp.sqlite'}", None, tmp_path)
    companies.execute(
        "CREATE TABLE customer_company (customer_id TEXT, name TEXT, valid_id INTEGER)",
        "INSERT INTO customer_company VALUES ('ACME', 'Acme Ltd', 1)",
    )
    company = {
        "url": companies.url,
        "foreign_db": True,
        "map": {"CustomerID": "customer_id", "CustomerCompanyName": "name"},
    }
    supported = {**world.people, "customer_company_support": True}
    other = {**world.people, "map": {"UserLogin": "login", "UserPhone": "phone"}}
    services = timed(
        world.services(
            {"CustomerCompanyName": "Phone"},
            sources={"CustomerUser": supported, "CustomerUser1": other},
            companies={"CustomerCompany": company},
        ),
        clock,
    )
    world.person("anna")
    ticket = world.ticket("anna")

    companies.stop()
    reasons = [handle(services, changed(ticket))[0].reason for _ in range(4)]
    assert "the customer (company) could not be read: OperationalError" in reasons[0]
    assert "not asked for now" in reasons[3]
    assert states(services)["companies"] == (False, True)
    assert states(services)[""] == (True, False)
    services.inbox.publish(changed(ticket))
    services.inbox.wait(services.inbox.read("a"), "1", "away")
    clock.ahead = REST_SECONDS + 1

    assert come_back(services, at_once, clock)
    assert services.inbox.lengths() == (1, {"": 4}), "the other source needs no company"
    emptied(services)

    companies.start()
    clock.ahead += 1.0
    assert not come_back(services, at_once, clock)
    emptied(services)
    assert world.values(ticket) == {"Phone": ["Acme Ltd"]}
    companies.close()


def test_events_of_a_slot_that_was_renamed_come_back_once(small_world: World, clock: Clock) -> None:
    world = small_world
    world.otobo.add_field("Phone")
    world.person("anna", "1")
    tickets = [world.ticket("anna") for _ in range(3)]
    before = timed(world.services(sources={"CustomerUser3": world.people}), clock)
    world.crm.stop()
    handle(before, *map(changed, tickets))
    assert before.inbox.lengths() == (0, {"3": 3})
    world.crm.start()
    workers = [
        timed(world.services(sources={"CustomerUser1": world.people}), clock) for _ in range(2)
    ]
    clock.ahead = REST_SECONDS + 1

    with capture_logs() as logs:
        for worker in workers:
            come_back(worker, at_once, clock)

    assert [(line["source"], line["events"], line["configured"]) for line in logs] == [
        ("CustomerUser3", 3, False)
    ]
    assert emptied(workers[0]) == tickets
    assert [world.values(ticket) for ticket in tickets] == [{"Phone": ["1"]}] * 3


def test_commands_ask_a_source_whose_circuit_is_open(
    small_world: World, clock: Clock, asked: list[int]
) -> None:
    world = small_world
    world.person("anna", "1")
    services = timed(world.services(), clock)
    world.crm.stop()
    for _ in range(3):
        handle(services, changed(world.ticket("anna")))
    world.crm.start()
    asked.clear()

    answer = services.directory.find(["anna"], fresh=True)["anna"]

    assert asked == [1]
    assert type(answer).__name__ == "Found"
    assert states(services)[""] == (False, True), "what a command saw is nobody's business"


def test_a_probe_is_a_real_search(small_world: World, clock: Clock) -> None:
    world = small_world
    services = timed(world.services(preferences={"enabled": False}), clock)
    handle(services, changed(world.ticket("anna")))
    engine = sqlalchemy.create_engine(world.crm.url)
    with engine.begin() as connection:
        connection.exec_driver_sql("ALTER TABLE people RENAME TO moved")
    engine.dispose()
    for _ in range(3):
        handle(services, changed(world.ticket("anna")))

    assert services.probe("").reason.startswith("OperationalError: no such table")
    assert services.probe("7").reason == "", "nobody waits for a source that is not there"
    assert services.probe("preferences").reason == ""


# -- what the source said before


STALE_PHONE = {"UserPhone": "Phone", "UserFirstname": "Firstname"}


def aging(slapd: SlapdServer, **more: Any) -> dict[str, Any]:
    return ldap_people(slapd, timeout=0.3, stale_if_unavailable="24h", **more)


@pytest.mark.parametrize("cache_ttl", [0, 60])
def test_what_a_source_said_before_is_written_and_looked_at_again(
    small_world: World, slapd: SlapdServer, clock: Clock, cache_ttl: int
) -> None:
    world = small_world
    world.otobo.add_field("Phone")
    world.otobo.add_field("Firstname")
    people = LdapDirectory(slapd)
    people.add_person("anna", "Anna", "Berg", "a@b.c", "ACME", "1")
    sources = {"CustomerUser": aging(slapd, cache_ttl=cache_ttl), "CustomerUser1": world.people}
    services = timed(world.services(STALE_PHONE, sources=sources), clock)
    assert kinds(handle(services, changed(world.ticket("anna")))) == [Kind.WRITTEN]
    if cache_ttl:
        with world.redis.client() as client:
            client.delete(*[k for k in client.keys("fieldfare:cache:*") if "stale" not in str(k)])
    known, unknown = world.ticket("anna"), world.ticket("emma")

    slapd.freeze()
    with capture_logs() as logs:
        outcomes = [handle(services, changed(known), changed(unknown)) for _ in range(4)]

    assert [kinds(one) for one in outcomes] == [[Kind.STALE, Kind.WAITING]] * 4
    assert [one[0].slot for one in outcomes] == [""] * 4
    assert world.values(known) == {"Phone": ["1"], "Firstname": ["Anna"]}
    assert world.values(unknown) == {}
    told = next(line for line in logs if line["event"] == "ticket.enriched")
    assert (told["outcome"], told["source"]) == ("stale", "CustomerUser")
    assert told["written"] == ["Firstname", "Phone"]
    assert told["reason"] == "TimeoutError: no answer within 0.3 s"
    assert services.inbox.lengths() == (0, {"": 8})

    slapd.thaw()
    people.server.clear()
    people.add_person("anna", "Anna", "Berg", "a@b.c", "ACME", "2")
    come_back(services, at_once, clock)
    assert kinds(handle(services)) == [Kind.WRITTEN, Kind.UNCHANGED] * 4
    assert world.values(known) == {"Phone": ["2"], "Firstname": ["Anna"]}
    assert services.inbox.lengths() == (0, {})


def test_what_a_source_said_before_empties_nothing(
    small_world: World, slapd: SlapdServer, clock: Clock
) -> None:
    world = small_world
    world.otobo.add_field("Phone")
    world.otobo.add_field("Firstname")
    people = LdapDirectory(slapd)
    people.add_person("anna", "Anna", "Berg", "a@b.c", "ACME")
    services = timed(world.services(STALE_PHONE, sources={"CustomerUser": aging(slapd)}), clock)
    handle(services, changed(world.ticket("anna")))
    ticket = world.ticket("anna")
    world.otobo.insert_value(ticket, "Phone", value_text="typed")

    slapd.stop()
    (outcome,) = handle(services, changed(ticket))
    assert outcome.kind is Kind.STALE
    assert world.values(ticket) == {"Phone": ["typed"], "Firstname": ["Anna"]}
    explained = explain(ticket, services)
    assert explained is not None
    assert (explained.answer, explained.source) == ("stale", "CustomerUser")
    assert {one.field: (one.decision, one.reason) for one in explained.fields}["Phone"] == (
        Decision.KEEP,
        Reason.STALE,
    )

    slapd.start()
    let_back(services)
    assert kinds(handle(services)) == [Kind.WRITTEN]
    assert world.values(ticket) == {"Firstname": ["Anna"]}


def test_who_asks_for_a_program_is_not_told_what_was_said_before(
    small_world: World, slapd: SlapdServer
) -> None:
    world = small_world
    LdapDirectory(slapd).add_person("anna", "Anna", "Berg", "a@b.c", "ACME")
    services = world.services(sources={"CustomerUser": aging(slapd)})
    assert customer_users.get(services, login="anna")["answer"] == "found"
    assert services.directory.customer_ids("anna") == ("ACME",)

    slapd.stop()
    try:
        told = customer_users.get(services, login="anna")
        ids = services.directory.customer_ids("anna")
    finally:
        slapd.start()

    assert (told["answer"], told["source"]) == ("unavailable", "CustomerUser")
    assert isinstance(ids, Unavailable)


def test_a_source_that_may_be_skipped_gives_its_older_answer_first(
    small_world: World, slapd: SlapdServer
) -> None:
    world = small_world
    world.person("anna", "of the next source")
    world.person("emma", "of the next source")
    LdapDirectory(slapd).add_person("anna", "Anna", "Berg", "a@b.c", "ACME", "1")
    sources = {
        "CustomerUser": aging(slapd, on_unavailable="skip"),
        "CustomerUser1": world.people,
    }
    services = world.services(sources=sources)
    services.directory.find(["anna"])

    slapd.stop()
    try:
        said = services.directory.find(["anna", "emma", "nobody"])
    finally:
        slapd.start()

    assert {
        login: (one.customer_user.slot, bool(one.stale))
        for login, one in said.items()
        if isinstance(one, Found)
    } == {"anna": ("", True), "emma": ("1", False)}
    assert isinstance(said["nobody"], Unavailable)
