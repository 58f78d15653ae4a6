"""From events to fields, with everything real: inbox, directory, ticket database."""

import dataclasses
import json
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import redis
from sqlalchemy import Table, insert, text
from structlog.testing import capture_logs

from mapping.model import Plan
from tests.contract.ldap_source import LdapDirectory
from tests.inbox_stats import stats
from tests.integration.world import (
    PHONE,
    Interfering,
    World,
    changed,
    created,
    database_name,
    handle,
    interfered,
    ldap_people,
    let_back,
    statements,
)
from tests.otobo import AGENT, LONG_AGO, WORKER
from tests.servers import SlapdServer
from worker import dead_letters, handled
from worker.handlers.enrich import converge
from worker.outcomes import Kind, Outcome
from worker.tickets import schema
from worker.tickets.store import Result, TicketDatabaseUnavailable

PERSON = {
    "UserFirstname": "Firstname",
    "UserLastname": "Lastname",
    "UserEmail": "Mail",
    "UserPhone": "Phone",
}

STAMPS = {"create_time": LONG_AGO, "create_by": 1, "change_time": LONG_AGO, "change_by": 1}


def kinds(outcomes: list[Outcome]) -> list[Kind]:
    return [outcome.kind for outcome in outcomes]


# -- the main job


def test_a_created_ticket_gets_its_customer_users_attributes(world: World) -> None:
    world.otobo.add_fields(PERSON.values())
    world.person("anna", "+49 30 1", first_name="Änne", last_name="O'Berg")
    ticket = world.ticket("anna")

    (outcome,) = handle(world.services(PERSON), created(ticket))

    assert (outcome.kind, outcome.ticket_id) == (Kind.WRITTEN, ticket)
    assert world.values(ticket) == {
        "Firstname": ["Änne"],
        "Lastname": ["O'Berg"],
        "Mail": ["anna@example.com"],
        "Phone": ["+49 30 1"],
    }
    assert world.lines(ticket) == [
        "%%FieldName%%Firstname%%Value%%Änne%%OldValue%%",
        "%%FieldName%%Lastname%%Value%%O'Berg%%OldValue%%",
        "%%FieldName%%Mail%%Value%%anna@example.com%%OldValue%%",
        "%%FieldName%%Phone%%Value%%+49 30 1%%OldValue%%",
    ]
    assert world.otobo.ticket(ticket).change_by == WORKER


def test_another_customer_user_brings_other_values_and_no_others(world: World) -> None:
    world.otobo.add_fields(["Phone", "Lastname"])
    world.person("anna", "1", last_name="Same")
    world.person("carl", "2", last_name="Same")
    ticket = world.ticket("anna")
    services = world.services({"UserPhone": "Phone", "UserLastname": "Lastname"})
    handle(services, created(ticket))
    world.otobo.set_customer(ticket, "carl")

    assert kinds(handle(services, changed(ticket))) == [Kind.WRITTEN]

    assert world.values(ticket) == {"Phone": ["2"], "Lastname": ["Same"]}
    assert world.lines(ticket)[2:] == ["%%FieldName%%Phone%%Value%%2%%OldValue%%1"]


@pytest.mark.parametrize("login", ["nobody@example.net", "", None])
def test_an_unknown_customer_user_or_none_empties_what_stood_there(
    world: World, login: str | None
) -> None:
    world.otobo.add_fields(["Phone", "Other"])
    ticket = world.ticket(login)
    world.otobo.insert_value(ticket, "Phone", value_text="1")
    world.otobo.insert_value(ticket, "Other", value_text="not mapped")

    assert kinds(handle(world.services(), changed(ticket))) == [Kind.WRITTEN]

    assert world.values(ticket) == {"Other": ["not mapped"]}
    assert world.lines(ticket) == ["%%FieldName%%Phone%%Value%%%%OldValue%%1"]


def test_an_event_that_comes_again_changes_nothing(world: World) -> None:
    world.otobo.add_field("Phone")
    world.person("anna")
    ticket = world.ticket("anna")
    services = world.services()
    handle(services, created(ticket))
    history, row = world.otobo.history(ticket), world.otobo.ticket(ticket)

    assert kinds(handle(services, created(ticket), changed(ticket))) == [Kind.UNCHANGED] * 2

    assert world.otobo.history(ticket) == history
    assert world.otobo.ticket(ticket) == row


def test_events_in_the_wrong_order_end_with_the_ticket_as_it_is_now(world: World) -> None:
    world.otobo.add_field("Phone")
    world.person("anna", "1")
    world.person("carl", "2")
    ticket = world.ticket("anna")
    world.otobo.set_customer(ticket, "carl")
    services = world.services()

    handle(services, changed(ticket))
    handle(services, created(ticket))

    assert world.values(ticket) == {"Phone": ["2"]}
    assert len(world.lines(ticket)) == 1


def test_several_events_of_a_ticket_are_handled_as_one(world: World) -> None:
    world.otobo.add_field("Phone")
    world.person("anna")
    ticket, other = world.ticket("anna"), world.ticket("anna")
    services = world.services()

    with statements() as seen:
        outcomes = handle(
            services, created(ticket), changed(other), changed(ticket), changed(ticket)
        )

    assert [outcome.ticket_id for outcome in outcomes] == [ticket, other, ticket, ticket]
    assert kinds(outcomes) == [Kind.WRITTEN] * 4
    assert seen["crm.sqlite"] == 1
    assert len(world.lines(ticket)) == len(world.lines(other)) == 1
    assert stats(services.inbox).length == 0


def test_a_settled_ticket_is_marked_with_the_line_that_was_looked_at(world: World) -> None:
    world.otobo.add_field("Phone")
    world.person("anna")
    ticket = world.ticket()
    line = world.otobo.set_customer(ticket, "anna")
    services = world.services()

    (outcome,) = handle(services, created(ticket))

    assert outcome.history_id == line
    assert handled.read(services.inbox.client, [ticket]) == {ticket: line}


def test_a_ticket_without_customer_user_asks_nobody(world: World) -> None:
    world.otobo.add_field("Phone")

    with statements() as seen:
        assert kinds(handle(world.services(), created(world.ticket()))) == [Kind.UNCHANGED]

    assert seen["crm.sqlite"] == 0


# -- absent and unavailable


def two_sources(world: World, slapd: SlapdServer, **ldap: Any) -> dict[str, Any]:
    return {
        "CustomerUser": ldap_people(slapd, timeout=0.5, **ldap),
        "CustomerUser1": world.people,
    }


@pytest.mark.parametrize("outage", [SlapdServer.stop, SlapdServer.freeze])
def test_while_a_source_is_away_nothing_is_written_and_no_later_source_is_asked(
    world: World, slapd: SlapdServer, outage: Callable[[SlapdServer], None]
) -> None:
    world.otobo.add_field("Phone")
    world.person("anna", "from the wrong source")
    LdapDirectory(slapd).add_person("anna", "Anna", "Berg", "a@b.c", "ACME", "2")
    ticket = world.ticket("anna")
    world.otobo.insert_value(ticket, "Phone", value_text="1")
    services = world.services(sources=two_sources(world, slapd))
    outage(slapd)

    with statements() as seen:
        (outcome,) = handle(services, created(ticket))

    assert (outcome.kind, outcome.slot) == (Kind.WAITING, "")
    assert outcome.reason
    assert seen["crm.sqlite"] == 0
    assert world.values(ticket) == {"Phone": ["1"]}
    assert stats(services.inbox).waiting == {"": 1}

    slapd.start()
    slapd.thaw()
    let_back(services)
    assert kinds(handle(services)) == [Kind.WRITTEN]
    assert world.values(ticket) == {"Phone": ["2"]}


def test_a_ticket_of_a_source_that_is_away_does_not_hold_up_the_others(
    world: World, slapd: SlapdServer
) -> None:
    world.otobo.add_field("Phone")
    world.person("anna", "1")
    known, open_ = world.ticket("anna"), world.ticket("emma")
    services = world.services(
        sources={"CustomerUser": world.people, "CustomerUser1": ldap_people(slapd)}
    )
    slapd.stop()

    outcomes = handle(services, created(open_), created(known))

    assert [(outcome.kind, outcome.slot) for outcome in outcomes] == [
        (Kind.WAITING, "1"),
        (Kind.WRITTEN, None),
    ]


def test_a_source_that_may_be_skipped_lets_a_later_one_answer_but_nobody_empty(
    world: World, slapd: SlapdServer
) -> None:
    world.otobo.add_field("Phone")
    world.person("anna", "2")
    known, unknown = world.ticket("anna"), world.ticket("nobody")
    for ticket in (known, unknown):
        world.otobo.insert_value(ticket, "Phone", value_text="1")
    services = world.services(sources=two_sources(world, slapd, on_unavailable="skip"))
    slapd.stop()

    outcomes = handle(services, created(known), created(unknown))

    assert kinds(outcomes) == [Kind.WRITTEN, Kind.WAITING]
    assert world.values(known) == {"Phone": ["2"]}
    assert world.values(unknown) == {"Phone": ["1"]}


def test_a_cached_no_is_asked_anew_before_it_empties_a_field(world: World) -> None:
    world.otobo.add_field("Phone")
    empty, filled = world.ticket("anna"), world.ticket("anna")
    world.otobo.insert_value(filled, "Phone", value_text="1")
    services = world.services(sources={"CustomerUser": {**world.people, "cache_ttl": 60}})
    assert kinds(handle(services, created(empty))) == [Kind.UNCHANGED]
    world.person("anna", "2")

    with statements() as seen:
        assert kinds(handle(services, created(empty))) == [Kind.UNCHANGED]
    assert seen["crm.sqlite"] == 0, "nothing is at stake, so the cache is believed"

    assert kinds(handle(services, created(filled))) == [Kind.WRITTEN]
    assert world.values(filled) == {"Phone": ["2"]}


def test_a_cached_no_that_cannot_be_asked_anew_empties_nothing(world: World) -> None:
    world.otobo.add_field("Phone")
    empty, filled = world.ticket("anna"), world.ticket("anna")
    world.otobo.insert_value(filled, "Phone", value_text="1")
    services = world.services(sources={"CustomerUser": {**world.people, "cache_ttl": 60}})
    handle(services, created(empty))
    world.crm.stop()

    assert kinds(handle(services, created(filled))) == [Kind.WAITING]
    assert world.values(filled) == {"Phone": ["1"]}


# -- others at work


def test_a_ticket_that_changes_before_it_is_written_is_planned_anew(world: World) -> None:
    world.otobo.add_field("Phone")
    world.person("anna", "1")
    world.person("carl", "2")
    ticket = world.ticket("anna")
    once = iter([True])
    services = interfered(
        world.services(),
        lambda: next(once, False) and world.otobo.set_customer(ticket, "carl", user_id=AGENT),
    )

    assert kinds(handle(services, created(ticket))) == [Kind.WRITTEN]

    assert world.values(ticket) == {"Phone": ["2"]}
    assert world.lines(ticket) == ["%%FieldName%%Phone%%Value%%2%%OldValue%%"]


def test_a_ticket_that_keeps_changing_goes_back_and_holds_up_no_other(world: World) -> None:
    world.otobo.add_field("Phone")
    for number in range(10):
        world.person(f"user{number}", str(number))
    ticket, calm = world.ticket("user0"), world.ticket("user0")
    numbers = iter(range(1, 10))
    services = world.services(inbox={"max_conflicts": 3})
    troubled = interfered(
        services, lambda: world.otobo.set_customer(ticket, f"user{next(numbers)}", user_id=AGENT)
    )

    outcomes = handle(troubled, created(ticket), created(calm))

    assert [(o.kind, o.reason) for o in outcomes] == [
        (Kind.CONFLICT, "customer_user_changed"),
        (Kind.WRITTEN, ""),
    ]
    assert next(numbers) == 4, "tried three times"
    assert world.values(ticket) == {}
    assert world.values(calm) == {"Phone": ["0"]}
    assert kinds(handle(services)) == [Kind.WRITTEN]
    assert world.values(ticket) == {"Phone": ["3"]}


def test_a_ticket_that_is_deleted_meanwhile_is_no_ticket_any_more(world: World) -> None:
    world.otobo.add_field("Phone")
    world.person("anna")
    ticket = world.ticket("anna")
    services = interfered(world.services(), lambda: world.otobo.delete_ticket(ticket))

    assert kinds(handle(services, created(ticket))) == [Kind.NO_SUCH_TICKET]


REFUSING = {
    "sqlite": "CREATE TRIGGER refuse BEFORE INSERT ON dynamic_field_value "
    "WHEN new.value_text LIKE '%☃%' BEGIN SELECT RAISE(ABORT, 'no snow'); END",
    "postgresql": "ALTER TABLE dynamic_field_value ADD CHECK (value_text NOT LIKE '%☃%')",
    "mysql": "ALTER TABLE dynamic_field_value MODIFY value_text TEXT CHARACTER SET latin1",
}


def test_a_value_that_the_database_refuses_holds_up_no_other_ticket(world: World) -> None:
    world.otobo.add_field("Phone")
    world.person("anna", "1")
    world.person("snow", "☃ 2")
    world.person("carl", "3")
    with world.otobo.engine.connect() as connection:
        connection.execute(text(REFUSING[connection.dialect.name]))
    tickets = [world.ticket(login) for login in ("anna", "snow", "carl")]
    services = world.services(inbox={"max_attempts": 2})

    with capture_logs() as logs:
        outcomes = handle(services, *map(created, tickets))

    assert kinds(outcomes) == [Kind.WRITTEN, Kind.FAILED, Kind.WRITTEN]
    assert [world.values(ticket) for ticket in tickets] == [{"Phone": ["1"]}, {}, {"Phone": ["3"]}]
    assert outcomes[1].error == "Refused"
    assert "☃" not in outcomes[1].reason + json.dumps(logs, ensure_ascii=False)

    assert kinds(handle(services)) == [Kind.FAILED], "the second of two attempts"
    (letter,) = dead_letters.read(services.inbox)
    assert (letter.reason, letter.attempts) == ("failed", 2)
    assert "☃" not in letter.message


# -- what events tell


SCREENS = {"screens": {"AgentTicketPhone": {"Phone": 1}}}


def test_a_field_that_is_enabled_on_the_screen_keeps_the_frontends_value(world: World) -> None:
    world.otobo.add_fields(["Phone", "Lastname"])
    world.person("anna", "1", last_name="Berg")
    ticket = world.ticket("anna", user_id=AGENT)
    services = world.services(
        {"UserPhone": "Phone", "UserLastname": "Lastname"}, precedence=SCREENS
    )

    (outcome,) = handle(services, created(ticket, screen="AgentTicketPhone"))

    assert outcome.kind is Kind.WRITTEN
    assert world.values(ticket) == {"Lastname": ["Berg"]}


def test_a_field_that_the_request_submitted_keeps_its_value(world: World) -> None:
    world.otobo.add_field("Phone")
    world.person("anna", "1")
    ticket = world.ticket("anna", user_id=AGENT)

    (outcome,) = handle(world.services(), created(ticket, fields=("Phone",)))

    assert (outcome.kind, world.values(ticket)) == (Kind.KEPT, {})


def test_a_hint_about_the_creation_does_not_hold_for_a_later_customer_user(world: World) -> None:
    world.otobo.add_field("Phone")
    world.person("carl", "2")
    ticket = world.ticket("anna", user_id=AGENT)
    world.otobo.set_customer(ticket, "carl", user_id=AGENT + 1)

    (outcome,) = handle(world.services(), created(ticket, fields=("Phone",)))

    assert (outcome.kind, world.values(ticket)) == (Kind.WRITTEN, {"Phone": ["2"]})


def test_a_hint_that_is_older_than_the_customer_user_does_not_hold(world: World) -> None:
    world.otobo.add_field("Phone")
    world.person("anna", "1")
    ticket = world.ticket("anna", user_id=AGENT)
    before = datetime.now(UTC) - timedelta(minutes=10)

    (outcome,) = handle(world.services(), changed(ticket, fields=("Phone",), time=before))

    assert (outcome.kind, world.values(ticket)) == (Kind.WRITTEN, {"Phone": ["1"]})


def test_times_of_events_are_compared_in_the_ticket_systems_zone(world: World) -> None:
    world.otobo.add_field("Phone")
    world.person("anna", "1")
    ticket = world.ticket("anna", user_id=AGENT)
    services = world.services(tickets={"time_zone": "America/New_York"})
    ahead = datetime.now(UTC) + timedelta(hours=6)

    early = handle(services, changed(ticket, fields=("Phone",), time=datetime.now(UTC)))
    late = handle(services, changed(ticket, fields=("Phone",), time=ahead))

    # The lines say UTC, and are read as New York's time: four or five hours later than they were.
    assert kinds([*early, *late]) == [Kind.WRITTEN, Kind.KEPT]


def test_what_an_agent_wrote_since_stays(world: World) -> None:
    world.otobo.add_field("Phone")
    world.person("anna", "1")
    ticket = world.ticket("anna")
    world.otobo.set_value(ticket, "Phone", "typed", user_id=AGENT)

    (outcome,) = handle(world.services(), changed(ticket))

    assert (outcome.kind, world.values(ticket)) == (Kind.KEPT, {"Phone": ["typed"]})


# -- malformed, missing


def test_what_is_no_event_is_parked_and_holds_up_no_other(world: World) -> None:
    world.otobo.add_field("Phone")
    world.person("anna")
    ticket = world.ticket("anna")
    services = world.services()

    outcomes = handle(
        services,
        {"type": "ticket.created", "ticket_id": "secret"},
        {"type": "TicketCreate", "ticket_id": str(ticket)},
        {"ticket_id": "1"},
    )

    assert kinds(outcomes) == [Kind.MALFORMED, Kind.WRITTEN, Kind.MALFORMED]
    letters = dead_letters.read(services.inbox)
    assert [letter.reason for letter in letters] == ["malformed", "malformed"]
    assert "secret" not in letters[0].message
    assert stats(services.inbox).length == 0


def test_an_event_of_no_ticket_ends_in_its_own_outcome(world: World) -> None:
    world.otobo.add_field("Phone")
    services = world.services()

    outcomes = handle(services, created(987_654_321), created(2**63 - 1))

    assert kinds(outcomes) == [Kind.NO_SUCH_TICKET] * 2
    assert stats(services.inbox).length == 0


# -- OTOBO's cache


def test_otobo_sees_what_was_written(world: World) -> None:
    field = world.otobo.add_field("Phone")
    world.person("anna")
    ticket, calm = world.ticket("anna"), world.ticket()
    with redis.Redis.from_url(world.redis.url) as cache:
        stale = f"DynamicFieldValue:ValueGet::ObjectID::{ticket}"
        search = f"DynamicFieldValue:ValueSearch::{field}"
        other = f"DynamicFieldValue:ValueGet::ObjectID::{calm}"
        cache.mset(dict.fromkeys([stale, search, other], "1"))
        services = world.services(
            tickets={"otobo_cache": {"kind": "redis", "url": world.redis.url}}
        )

        handle(services, created(ticket), created(calm))

        assert cache.exists(stale, search) == 0
        assert cache.exists(other) == 1


def test_otobo_sees_what_was_written_by_a_pass_that_was_cut_off(world: World) -> None:
    world.otobo.add_field("Phone")
    world.person("anna")
    ticket = world.ticket("anna")
    services = world.services(tickets={"otobo_cache": {"kind": "redis", "url": world.redis.url}})

    class CutOff(Interfering):
        def apply(self, plans: Sequence[Plan], *how: Any, **more: Any) -> Mapping[int, Result]:
            super().apply(plans, *how, **more)
            raise TicketDatabaseUnavailable("away")

    with redis.Redis.from_url(world.redis.url) as cache:
        stale = f"DynamicFieldValue:ValueGet::ObjectID::{ticket}"
        cache.set(stale, 1)
        store = CutOff(services.tickets, lambda: None)
        assert handle(dataclasses.replace(services, tickets=store), created(ticket)) == []
        assert world.values(ticket) == {"Phone": ["1"]}
        assert cache.exists(stale) == 1

        assert kinds(handle(services)) == [Kind.UNCHANGED]

        assert cache.exists(stale) == 0


def test_an_otobo_cache_that_is_away_does_not_undo_what_was_written(world: World) -> None:
    world.otobo.add_field("Phone")
    world.person("anna")
    ticket = world.ticket("anna")
    services = world.services(
        tickets={"otobo_cache": {"kind": "redis", "url": "redis://127.0.0.1:1/0"}}
    )

    with capture_logs() as logs:
        outcomes = handle(services, created(ticket))

    assert kinds(outcomes) == [Kind.WRITTEN]
    assert world.values(ticket) == {"Phone": ["1"]}
    (warning,) = [line for line in logs if line["event"] == "otobo_cache.not_dropped"]
    assert warning["tickets"] == [ticket]


# -- keys and field types


def test_labels_of_references_stand_in_the_history(world: World) -> None:
    for name, kind in (("Boss", "Agent"), ("Deputy", "CustomerUser"), ("Firm", "CustomerCompany")):
        world.otobo.add_field(name, kind)
    world.person("anna", str(AGENT), last_name="Berg", customer_id="ACME")
    add_company(world)
    ticket = world.ticket("anna")
    services = world.services(
        {"UserPhone": "Boss", "UserLogin": "Deputy", "UserCustomerID": "Firm"},
        sources={
            "CustomerUser": {
                **world.people,
                "customer_user_list_fields": ["first_name", "last_name", "email"],
            }
        },
    )

    assert kinds(handle(services, created(ticket))) == [Kind.WRITTEN]

    assert world.values(ticket) == {"Boss": [AGENT], "Deputy": ["anna"], "Firm": ["ACME"]}
    assert world.lines(ticket) == [
        '%%FieldName%%Boss%%Value%%"Ada Lovelace" <ada@example.com>%%OldValue%%',
        '%%FieldName%%Deputy%%Value%%"Jane Berg" <anna@example.com>%%OldValue%%',
        "%%FieldName%%Firm%%Value%%Acme Corp.%%OldValue%%",
    ]


def test_references_that_nobody_can_name_are_written_all_the_same(world: World) -> None:
    for name, kind in (("Boss", "Agent"), ("Firm", "CustomerCompany")):
        world.otobo.add_field(name, kind)
    world.person("anna", "4711", customer_id="NONE")
    ticket = world.ticket("anna")

    handle(world.services({"UserPhone": "Boss", "UserCustomerID": "Firm"}), created(ticket))

    assert world.values(ticket) == {"Boss": [4711], "Firm": ["NONE"]}


def add_rows(world: World, rows: Mapping[Table, Mapping[str, object]]) -> None:
    with world.otobo.engine.connect() as connection:
        for table, row in rows.items():
            stamps = STAMPS if "change_by" in table.c else {}
            connection.execute(insert(table).values({**row, **stamps}))


def add_company(world: World) -> None:
    company = {"customer_id": "ACME", "name": "Acme Corp.", "city": "Lund", "valid_id": 1}
    add_rows(world, {schema.customer_company: company})


def test_company_preferences_and_dynamic_fields_of_the_customer_user_arrive(world: World) -> None:
    wanted = {
        "CustomerCompanyCity": "City",
        "UserLanguage": "Language",
        "DynamicField_Floor": "Floor",
        "UserFullname": "Name",
        "Source": "Source",
    }
    world.otobo.add_fields(wanted.values())
    floor = world.otobo.add_field("CU_Floor", object_type="CustomerUser")
    add_company(world)
    add_rows(
        world,
        {
            schema.customer_user: {
                "login": "anna",
                "email": "anna@example.com",
                "customer_id": "ACME",
                "first_name": "Anna",
                "last_name": "Berg",
                "valid_id": 1,
            },
            schema.customer_preferences: {
                "user_id": "anna",
                "preferences_key": "UserLanguage",
                "preferences_value": "sv",
            },
            schema.dynamic_field_obj_id_name: {
                "object_id": 77,
                "object_name": "anna",
                "object_type": "CustomerUser",
            },
            schema.dynamic_field_value: {"field_id": floor, "object_id": 77, "value_text": "3rd"},
        },
    )
    ticket = world.ticket("ANNA")
    services = world.services(
        wanted,
        sources={
            "CustomerUser": {
                "kind": "sql",
                "table": "customer_user",
                "customer_key": "login",
                "customer_id": "customer_id",
                "customer_company_support": True,
                "map": [
                    ["UserLogin", "Login", "login", 1, 1, "var"],
                    ["UserFirstname", "First", "first_name", 1, 1, "var"],
                    ["UserLastname", "Last", "last_name", 1, 1, "var"],
                    ["UserEmail", "Mail", "email", 1, 1, "var"],
                    ["UserCustomerID", "Customer", "customer_id", 0, 1, "var"],
                    ["DynamicField_Floor", "Floor", "CU_Floor", 0, 0, "dynamic_field"],
                ],
            }
        },
    )

    assert kinds(handle(services, created(ticket))) == [Kind.WRITTEN]

    assert world.values(ticket) == {
        "City": ["Lund"],
        "Language": ["sv"],
        "Floor": ["3rd"],
        "Name": ["Anna Berg"],
        "Source": ["CustomerUser"],
    }


def test_every_field_type_takes_its_value_once(world: World, slapd: SlapdServer) -> None:
    dropdown = {"PossibleValues": {"gold": "Gold"}}
    for name, kind, config in (
        ("Area", "TextArea", {}),
        ("Box", "Checkbox", {}),
        ("Day", "Date", {}),
        ("Level", "Dropdown", dropdown),
        ("List", "Text", {"MultiValue": 1}),
        ("Moment", "DateTime", {}),
        ("Phones", "Multiselect", {"PossibleValues": {"1": "one"}}),
        ("Phone", "Text", {}),
    ):
        world.otobo.add_field(name, kind, config)
    LdapDirectory(slapd).add_entry(
        "Anna",
        uid="anna",
        telephoneNumber=["1", "22"],
        description="gold",
        title="2024-02-29",
        employeeType="2024-02-29 23:59:58",
        employeeNumber="1",
        street="x" * 3801,
    )
    names = {
        "UserPhone": "telephoneNumber",
        "UserLevel": "description",
        "UserDay": "title",
        "UserMoment": "employeeType",
        "UserBox": "employeeNumber",
        "UserStreet": "street",
    }
    variables = {
        "UserLevel": "Level",
        "UserDay": "Day",
        "UserMoment": "Moment",
        "UserBox": "Box",
        "UserStreet": "Area",
    }
    rules = [{"from": "UserPhone", "to": name} for name in ("List", "Phones", "Phone")]
    services = world.services(
        sources={"CustomerUser": ldap_people(slapd, map={"UserLogin": "uid", **names})},
        mapping={"variables": variables, "rules": rules},
    )
    ticket = world.ticket("anna")

    assert kinds(handle(services, created(ticket))) == [Kind.WRITTEN]

    values = world.values(ticket)
    phones = values["Phone"]
    assert sorted(map(str, values.pop("List"))) == ["1", "22"]
    assert sorted(map(str, values.pop("Phones"))) == ["1", "22"]
    assert phones in (["1"], ["22"]), "the first as the server sends them"
    assert str(values.pop("Day")[0]).startswith("2024-02-29 00:00:00")
    assert str(values.pop("Moment")[0]).startswith("2024-02-29 23:59:58")
    assert values == {"Area": ["x" * 3800], "Box": [1], "Level": ["gold"], "Phone": phones}
    assert len(world.lines(ticket)) == 8
    assert kinds(handle(services, changed(ticket))) == [Kind.UNCHANGED]


def test_fields_of_every_type_are_emptied_as_otobo_leaves_them(world: World) -> None:
    for name, kind in (("Box", "Checkbox"), ("Day", "Date"), ("Phone", "Text")):
        world.otobo.add_field(name, kind)
    ticket = world.ticket("nobody")
    world.otobo.insert_value(ticket, "Box", value_int=1)
    world.otobo.insert_value(ticket, "Day", value_date="2024-02-29 00:00:00")
    world.otobo.insert_value(ticket, "Phone", value_text="1")
    services = world.services({"UserBox": "Box", "UserDay": "Day", "UserPhone": "Phone"})

    assert kinds(handle(services, changed(ticket))) == [Kind.WRITTEN]

    assert world.values(ticket) == {"Box": [0], "Day": [None]}
    assert kinds(handle(services, changed(ticket))) == [Kind.UNCHANGED]


# -- the log


def test_the_canonical_line_names_fields_and_never_a_value(world: World) -> None:
    world.otobo.add_fields(["Phone", "Lastname", "Mail"])
    world.otobo.add_field("Day", "Date")
    world.person("anna", "SECRET-1", first_name="SECRET-2", last_name="SECRET-3")
    ticket = world.ticket("anna", user_id=AGENT)
    world.otobo.insert_value(ticket, "Mail", value_text="anna@example.com")
    services = world.services(
        {"UserPhone": "Phone", "UserLastname": "Lastname", "UserEmail": "Mail"},
        mapping={
            "variables": {"UserPhone": "Phone", "UserLastname": "Lastname", "UserEmail": "Mail"},
            "rules": [{"from": "UserFirstname", "to": "Day"}, {"from": "UserLogin", "to": "None"}],
        },
    )

    with capture_logs() as logs:
        handle(services, created(ticket, fields=("Phone",), event_id="x-1", user_id=AGENT))

    (line,) = [line for line in logs if line["event"] == "ticket.enriched"]
    assert line.pop("duration_ms") > 0
    assert line.pop("entry")
    assert line == {
        "event": "ticket.enriched",
        "log_level": "info",
        "ticket_id": ticket,
        "outcome": "written",
        "type": "ticket.created",
        "event_id": "x-1",
        "user_id": AGENT,
        "written": ["Lastname"],
        "kept": ["Phone"],
        "refused": ["Day", "None"],
        "unchanged": 1,
        "source": "CustomerUser",
        "reason": "",
    }
    assert "SECRET" not in json.dumps(logs)
    assert "example.com" not in json.dumps(logs)


def test_the_line_of_a_waiting_event_names_the_source(world: World) -> None:
    world.otobo.add_field("Phone")
    ticket = world.ticket("anna")
    services = world.services()
    world.crm.stop()

    with capture_logs() as logs:
        handle(services, created(ticket), created(ticket + 1))

    waiting, missing = [line for line in logs if line["event"] == "ticket.enriched"]
    assert (waiting["outcome"], waiting["source"]) == ("waiting", "CustomerUser")
    assert waiting["reason"]
    assert (missing["outcome"], missing["source"]) == ("no_such_ticket", "")


# -- the pass itself


def test_converging_tells_how_it_ended_for_each_ticket(world: World) -> None:
    world.otobo.add_field("Phone")
    world.person("anna")
    ticket, gone = world.ticket("anna"), 987_654_321

    verdicts = converge({gone: (), ticket: ()}, world.services())

    assert {id_: verdict.kind for id_, verdict in verdicts.items()} == {
        ticket: Kind.WRITTEN,
        gone: Kind.NO_SUCH_TICKET,
    }


def test_the_databases_of_a_world_can_be_told_apart(world: World) -> None:
    world.otobo.add_field("Phone")
    world.person("anna")
    ticket = world.ticket("anna")
    services = world.services(PHONE)

    with statements() as seen:
        handle(services, created(ticket))

    assert seen[database_name(world.ticket_url)] > 2
    assert seen["crm.sqlite"] == 1
