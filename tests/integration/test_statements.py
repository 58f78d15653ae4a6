"""What does the pass cost? Statements on each database and searches on slapd, counted."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from sqlalchemy import insert, update

from directory import ldap_connection
from directory.ldap_messages import Search
from tests.contract.ldap_source import LdapDirectory
from tests.integration.world import (
    World,
    changed,
    created,
    database_name,
    handle,
    ldap_people,
    statements,
)
from tests.otobo import LONG_AGO
from tests.servers import SlapdServer
from worker.outcomes import Kind
from worker.services import Services
from worker.tickets import schema

FIVE = {
    "UserFirstname": "Firstname",
    "UserLastname": "Lastname",
    "UserEmail": "Mail",
    "UserLogin": "Login",
    "UserPhone": "Phone",
}
OWN_TABLE = {
    "kind": "sql",
    "table": "customer_user",
    "customer_key": "login",
    "customer_id": "customer_id",
    "map": {
        "UserLogin": "login",
        "UserFirstname": "first_name",
        "UserLastname": "last_name",
        "UserEmail": "email",
        "UserCustomerID": "customer_id",
        "UserPhone": "phone",
    },
}


@contextmanager
def searches() -> Iterator[list[Search]]:
    """Every search that goes out to a server, seen on its way."""
    seen: list[Search] = []
    ask = ldap_connection._ask

    def spy(connection: Any, request: Search, deadline: Any) -> Any:
        seen.append(request)
        return ask(connection, request, deadline)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ldap_connection, "_ask", spy)
        yield seen


def warmed_up(world: World, services: Services) -> Services:
    """The ids of the ticket system and the definitions of fields are read once in a process."""
    handle(services, created(world.ticket("warm")))
    return services


def customer_user(login: str) -> dict[str, object]:
    return {
        "login": login,
        "email": f"{login}@example.com",
        "customer_id": "ACME",
        "first_name": "Jane",
        "last_name": login,
        "phone": "1",
        "valid_id": 1,
        "create_time": LONG_AGO,
        "create_by": 1,
        "change_time": LONG_AGO,
        "change_by": 1,
    }


@pytest.mark.parametrize("before", ["empty", "filled"])
def test_one_event_with_five_changed_fields_costs_ten_statements_at_most(
    world: World, before: str
) -> None:
    world.otobo.add_fields(FIVE.values())
    world.person("anna")
    services = warmed_up(world, world.services(FIVE))
    ticket = world.ticket("anna")
    if before == "filled":
        for name in FIVE.values():
            world.otobo.insert_value(ticket, name, value_text="old")

    with statements() as seen:
        (outcome,) = handle(services, created(ticket))

    assert outcome.kind is Kind.WRITTEN
    assert len(world.lines(ticket)) == 5
    assert seen["crm.sqlite"] == 1
    assert seen[database_name(world.ticket_url)] <= 10


def test_a_source_in_the_ticket_database_costs_one_statement_more(world: World) -> None:
    world.otobo.add_fields(FIVE.values())
    with world.otobo.engine.connect() as connection:
        connection.execute(insert(schema.customer_user), [customer_user("anna")])
    services = world.services(FIVE, sources={"CustomerUser": OWN_TABLE})
    warmed_up(world, services)
    ticket = world.ticket("anna")

    with statements() as seen:
        (outcome,) = handle(services, created(ticket))

    assert outcome.kind is Kind.WRITTEN
    assert len(world.lines(ticket)) == 5
    assert sum(seen.values()) == seen[database_name(world.ticket_url)] <= 11


def test_a_hundred_tickets_of_a_hundred_customer_users_cost_25_statements_for_50_tickets(
    world: World,
) -> None:
    world.otobo.add_fields(FIVE.values())
    for number in range(100):
        world.person(f"user{number}", str(number))
    services = warmed_up(world, world.services(FIVE))
    tickets = [world.ticket(f"user{number}") for number in range(100)]

    with statements() as seen:
        outcomes = handle(services, *map(created, tickets))

    assert [outcome.kind for outcome in outcomes] == [Kind.WRITTEN] * 100
    assert world.values(tickets[73])["Phone"] == ["73"]
    assert seen["crm.sqlite"] == 1
    assert seen[database_name(world.ticket_url)] <= 2 * 25


def test_a_hundred_customer_users_cost_one_search(world: World, slapd: SlapdServer) -> None:
    world.otobo.add_fields(FIVE.values())
    people = LdapDirectory(slapd)
    for number in range(100):
        people.add_person(f"user{number}", "Jane", "Doe", "a@b.c", "ACME", str(number))
    sources = {"CustomerUser": ldap_people(slapd)}
    services = warmed_up(world, world.services(FIVE, sources=sources))
    tickets = [world.ticket(f"user{number}") for number in range(100)]

    with statements() as seen, searches() as sent:
        outcomes = handle(services, *map(created, tickets))

    assert [outcome.kind for outcome in outcomes] == [Kind.WRITTEN] * 100
    assert world.values(tickets[73])["Phone"] == ["73"]
    assert len(sent) == 1
    assert seen[database_name(world.ticket_url)] <= 2 * 25


def test_a_later_source_is_asked_once_and_only_for_whom_the_first_does_not_know(
    world: World, slapd: SlapdServer
) -> None:
    world.otobo.add_field("Phone")
    world.person("anna", "1")
    LdapDirectory(slapd).add_person("emma", "Emma", "Falk", "a@b.c", "ACME", "2")
    sources = {"CustomerUser": world.people, "CustomerUser1": ldap_people(slapd)}
    services = warmed_up(world, world.services(sources=sources))
    first, second, third = (world.ticket(login) for login in ("anna", "emma", "anna"))

    with statements() as seen, searches() as sent:
        handle(services, created(first), created(third))
        assert (seen["crm.sqlite"], len(sent)) == (1, 0)
        handle(services, created(second))
        assert (seen["crm.sqlite"], len(sent)) == (2, 1)

    assert world.values(second) == {"Phone": ["2"]}


def test_unchanged_tickets_cost_no_write(world: World) -> None:
    world.otobo.add_fields(FIVE.values())
    world.person("anna")
    services = warmed_up(world, world.services(FIVE))
    tickets = [world.ticket("anna") for _ in range(100)]
    handle(services, *map(created, tickets))

    with statements() as seen:
        outcomes = handle(services, *map(changed, tickets))

    assert {outcome.kind for outcome in outcomes} == {Kind.UNCHANGED}
    assert seen["crm.sqlite"] == 1
    # The tickets, their values, and the preferences of their customer user.
    assert seen[database_name(world.ticket_url)] == 3


def test_known_answers_cost_no_search(world: World, slapd: SlapdServer) -> None:
    world.otobo.add_field("Phone")
    LdapDirectory(slapd).add_person("emma", "Emma", "Falk", "a@b.c", "ACME", "2")
    sources = {"CustomerUser": ldap_people(slapd, cache_ttl=60)}
    services = warmed_up(world, world.services(sources=sources))
    first, second = world.ticket("emma"), world.ticket("emma")
    handle(services, created(first))

    with searches() as sent:
        handle(services, created(second))

    assert len(sent) == 0
    assert world.values(second) == {"Phone": ["2"]}


@pytest.mark.parametrize("ticket_database", ["postgresql"], indirect=True)
def test_postgresql_plans_what_is_asked_again_and_again_only_once(world: World) -> None:
    world.otobo.add_fields(FIVE.values())
    with world.otobo.engine.begin() as connection:
        connection.execute(insert(schema.customer_user), [customer_user("anna")])
    services = world.services(FIVE, sources={"CustomerUser": OWN_TABLE})
    ticket = world.ticket("anna")

    for phone in range(8):  # each time something is read, and something is written
        with world.otobo.engine.begin() as connection:
            connection.execute(update(schema.customer_user).values(phone=str(phone)))
        (outcome,) = handle(services, changed(ticket))
        assert outcome.kind is Kind.WRITTEN

    with services.tickets._reading.connect() as connection:  # type: ignore[attr-defined]
        kept = connection.exec_driver_sql("SELECT statement FROM pg_prepared_statements").scalars()
        words = {word for text in kept for word in re.findall(r"\w+", text)}
    assert {"customer_user", "customer_preferences", "ticket_history"} <= words
