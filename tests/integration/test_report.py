"""How complete fields are, and why: numbers that add up, over real tickets and sources."""

from collections.abc import Mapping
from typing import Any

import pytest

from tests.contract.ldap_source import LdapDirectory
from tests.integration.world import World, created, handle, ldap_people
from tests.otobo import AGENT
from tests.servers import SlapdServer
from worker.estimates import Estimate
from worker.handlers.report import DRIFT, Report, State, report
from worker.services import Services
from worker.tickets.filled import Group
from worker.tickets.selection import Selection, WrongSelection


def quiet(what: str, done: int, total: int) -> None:
    assert 0 <= done <= max(total, done)


def reported(services: Services, sample: int | None = None, **asked: Any) -> Report:
    return report(services, Selection(**asked), sample=sample, progress=quiet)


def states(found: Report, field: str = "Phone") -> Mapping[State, int]:
    """How many tickets are in each state, where any is."""
    (one,) = (one for one in found.fields if one.name == field)
    return {state: value.number for state, value in one.states.items() if value.number}


def test_each_ticket_has_one_state_for_each_field(world: World) -> None:
    world.otobo.add_field("Phone")
    world.person("anna", "1")
    world.person("empty", "")
    services = world.services()
    same, kept = world.ticket("anna"), world.ticket("anna")
    handle(services, created(same), created(kept))
    world.otobo.set_value(kept, "Phone", "2", user_id=AGENT)
    world.ticket("anna")
    world.otobo.insert_value(world.ticket("anna"), "Phone", value_text="old")
    world.otobo.insert_value(world.ticket("empty"), "Phone", value_text="old")
    world.ticket("empty")
    world.ticket("stranger")
    world.ticket()

    found = reported(services)

    assert states(found) == dict.fromkeys(
        (
            State.SAME,
            State.KEPT,
            State.MISSING,
            State.DIFFERENT,
            State.LEFTOVER,
            State.NOTHING,
            State.UNKNOWN,
            State.NO_CUSTOMER_USER,
        ),
        1,
    )
    assert (found.tickets, found.looked, found.full) == (8, 8, True)
    (field,) = found.fields
    assert (field.filled, field.drift) == (4, Estimate(3, 3, 3))
    assert found.unavailable == {}


def test_a_report_writes_nothing(small_world: World) -> None:
    small_world.otobo.add_field("Phone")
    small_world.person("anna", "1")
    ticket = small_world.ticket("anna")
    before = small_world.otobo.ticket(ticket), small_world.otobo.history(ticket)

    reported(small_world.services())

    assert small_world.values(ticket) == {}
    assert (small_world.otobo.ticket(ticket), small_world.otobo.history(ticket)) == before


def test_what_no_field_can_take_is_refused(small_world: World) -> None:
    small_world.otobo.add_field("Phone", "Date")
    small_world.person("anna", "no date")
    small_world.ticket("anna")

    found = reported(small_world.services({"UserPhone": "Phone", "UserEmail": "NoSuchField"}))

    assert states(found) == {State.REFUSED: 1}
    assert states(found, "NoSuchField") == {State.REFUSED: 1}


def test_a_source_that_does_not_answer_makes_no_field_empty(
    small_world: World, slapd: SlapdServer
) -> None:
    small_world.otobo.add_field("Phone")
    small_world.person("anna", "1")
    people = {"CustomerUser": small_world.people, "CustomerUser1": ldap_people(slapd)}
    services = small_world.services(sources=people)
    small_world.otobo.insert_value(small_world.ticket("anna"), "Phone", value_text="1")
    for _ in range(2):
        small_world.ticket("of-ldap")
    slapd.stop()

    found = reported(services)

    assert states(found) == {State.SAME: 1, State.UNAVAILABLE: 2}
    assert found.unavailable == {"CustomerUser1": 2}


def test_an_older_answer_that_stands_in_is_no_answer(
    small_world: World, slapd: SlapdServer
) -> None:
    small_world.otobo.add_field("Phone")
    directory = LdapDirectory(slapd)
    directory.add_person("anna", "Anna", "Berg", "a@example.com", "ACME", "1")
    directory.close()
    people = {"CustomerUser": ldap_people(slapd, cache_ttl=1, stale_if_unavailable=60)}
    services = small_world.services(sources=people)
    small_world.ticket("anna")
    assert states(reported(services)) == {State.MISSING: 1}
    slapd.stop()
    for key in services.inbox.client.keys("fieldfare:cache:*"):
        if not key.endswith(b":stale"):
            services.inbox.client.delete(key)

    found = reported(services)

    assert states(found) == {State.UNAVAILABLE: 1}
    assert found.unavailable == {"CustomerUser": 1}


def test_groups_add_up_to_the_whole(small_world: World) -> None:
    small_world.otobo.add_field("Phone")
    small_world.person("anna", "1")
    for number in range(9):
        ticket = small_world.ticket("anna")
        columns = {"queue_id": 2 + number % 2, "ticket_state_id": 2 + 2 * (number % 3 > 0)}
        time = f"2026-0{1 + number % 2}-01 00:00:00"
        small_world.otobo.update_ticket(ticket, create_time=time, **columns)
        if number % 3:
            small_world.otobo.insert_value(ticket, "Phone", value_text="1")

    found = reported(small_world.services())

    (field,) = found.fields
    assert sum(one.tickets for one in found.groups) == found.tickets == 9
    assert sum(one.filled for one in found.groups) == field.filled == 6
    for state, value in field.states.items():
        assert sum(one.states[state] for one in found.groups) == value.number
    assert [one.group for one in found.groups] == [
        Group("Junk", "2026-02", open=True),
        Group("Junk", "2026-02", open=False),
        Group("Raw", "2026-01", open=True),
        Group("Raw", "2026-01", open=False),
    ]


def test_a_sample_is_the_same_again_and_tells_its_error(small_world: World) -> None:
    small_world.otobo.add_field("Phone")
    small_world.person("anna", "1")
    for number in range(40):
        ticket = small_world.ticket("anna")
        if number % 2:
            small_world.otobo.insert_value(ticket, "Phone", value_text="1")
    services = small_world.services()

    first, second = reported(services, sample=10), reported(services, sample=10)

    assert first == second
    assert (first.tickets, first.looked, first.full) == (40, 10, False)
    (field,) = first.fields
    assert field.filled == 20, "counted, not estimated"
    same = field.states[State.SAME]
    assert same.low < same.number < same.high
    assert field.drift == field.states[State.MISSING]
    assert {state for state in State if field.states[state].number} == {State.SAME, State.MISSING}
    assert State.MISSING in DRIFT


def test_a_sample_of_more_than_there_are_is_all_of_them(small_world: World) -> None:
    small_world.otobo.add_field("Phone")
    small_world.ticket("anna")

    assert reported(small_world.services(), sample=1000).full


def test_a_report_of_some_tickets(small_world: World) -> None:
    small_world.otobo.add_field("Phone")
    small_world.ticket("anna")
    services = small_world.services()

    assert reported(services, queues=("Raw",)).tickets == 1
    assert reported(services, queues=("Junk",)) == Report(
        0, 0, reported(services, queues=("Junk",)).fields, (), {}
    )
    with pytest.raises(WrongSelection, match="there is no queue Row; there are Raw"):
        reported(services, queues=("Row",))
