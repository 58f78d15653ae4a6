"""Old tickets filled: what the pass writes, what it leaves, and what it tells."""

import dataclasses
from collections.abc import Sequence
from typing import Any

import pytest
from structlog.testing import capture_logs

from mapping.model import Decision, Plan, Reason
from tests.contract.ldap_source import LdapDirectory
from tests.integration.world import Interfering, World, interfered, ldap_people
from tests.otobo import AGENT, WORKER
from tests.servers import SlapdServer
from worker import tally
from worker.guard import MassChange
from worker.handlers.resync import Difference, Done, compare, resync
from worker.manner import AS_FOR_EVENTS, Manner
from worker.outcomes import Kind
from worker.services import Services
from worker.tickets.store import TicketDatabaseUnavailable, Traces

FIELDS = {"UserPhone": "Phone", "UserLastname": "Lastname"}


def outcomes(done: Done) -> dict[str, int]:
    return {kind.value: number for kind, number in tally.report(done.counts).tickets.items()}


def fields(done: Done) -> dict[str, tuple[int, int, int, dict[Reason, int]]]:
    return {
        one.name: (one.written, one.cleared, one.unchanged, dict(one.kept))
        for one in tally.report(done.counts).fields
    }


@pytest.fixture
def services(world: World) -> Services:
    return worker_in(world)


@pytest.fixture
def small(small_world: World) -> Services:
    return worker_in(small_world)


def worker_in(world: World) -> Services:
    world.otobo.add_fields(FIELDS.values())
    world.person("anna", "1", last_name="Berg")
    world.person("carl", "2", last_name="Dorn")
    return world.services(FIELDS)


def test_old_tickets_are_filled_once(world: World, services: Services) -> None:
    tickets = [world.ticket(who) for who in ("anna", "carl", "anna", "stranger", "")]

    done = resync([*tickets, 987_654], services, AS_FOR_EVENTS)

    assert outcomes(done) == {"no_such_ticket": 1, "unchanged": 2, "written": 3}
    assert [world.values(ticket) for ticket in tickets] == [
        {"Lastname": ["Berg"], "Phone": ["1"]},
        {"Lastname": ["Dorn"], "Phone": ["2"]},
        {"Lastname": ["Berg"], "Phone": ["1"]},
        {},
        {},
    ]
    assert tally.report(done.counts).sources == {
        "CustomerUser": {Kind.WRITTEN: 3},
        tally.NOBODY: {Kind.UNCHANGED: 2},
    }
    lines = [world.lines(ticket) for ticket in tickets]
    again = resync(tickets, services, AS_FOR_EVENTS)
    assert outcomes(again) == {"unchanged": 5}
    assert [world.lines(ticket) for ticket in tickets] == lines


def test_precedence_holds_as_for_events(world: World, services: Services) -> None:
    ticket = world.ticket("anna")
    world.otobo.set_value(ticket, "Phone", "typed", user_id=AGENT)

    done = resync([ticket], services, AS_FOR_EVENTS)

    assert world.values(ticket) == {"Lastname": ["Berg"], "Phone": ["typed"]}
    assert fields(done) == {
        "Lastname": (1, 0, 0, {}),
        "Phone": (0, 0, 0, {Reason.WRITTEN_LATER: 1}),
    }


def test_what_somebody_typed_is_overruled_on_demand(world: World, services: Services) -> None:
    ticket = world.ticket("anna")
    world.otobo.set_value(ticket, "Phone", "typed", user_id=AGENT)

    done = resync([ticket], services, Manner(overruled=True))

    assert outcomes(done) == {"written": 1}
    assert world.values(ticket) == {"Lastname": ["Berg"], "Phone": ["1"]}
    assert outcomes(resync([ticket], services, Manner(overruled=True))) == {"unchanged": 1}


def test_a_screen_that_owns_a_field_is_overruled_on_demand(small_world: World) -> None:
    worker_in(small_world)
    screens = {"AgentTicketPhone": {"Phone": 1}}
    services = small_world.services(FIELDS, precedence={"screens": screens})
    ticket = small_world.ticket("anna")

    kept = resync([ticket], services, AS_FOR_EVENTS)
    assert fields(kept)["Phone"] == (0, 0, 0, {Reason.OWNED_BY_SCREEN: 1})
    resync([ticket], services, Manner(overruled=True))
    assert small_world.values(ticket)["Phone"] == ["1"]


def test_only_empty_fields_are_filled_on_demand(small_world: World, small: Services) -> None:
    half, whole = small_world.ticket("anna"), small_world.ticket("stranger")
    for ticket in (half, whole):
        small_world.otobo.insert_value(ticket, "Phone", value_text="old")

    done = resync([half, whole], small, Manner(only_empty=True))

    assert small_world.values(half) == {"Phone": ["old"], "Lastname": ["Berg"]}
    assert small_world.values(whole) == {"Phone": ["old"]}
    assert fields(done)["Phone"] == (0, 0, 0, {Reason.NOT_EMPTY: 2})
    assert outcomes(done) == {"kept": 1, "written": 1}


def test_a_ticket_keeps_its_time_of_change_on_demand(world: World, services: Services) -> None:
    ticket = world.ticket("anna")
    before = world.otobo.ticket(ticket)

    resync([ticket], services, Manner(traces=Traces(change_time=False)))

    assert world.otobo.ticket(ticket) == before
    assert len(world.lines(ticket)) == 2


def test_history_lines_are_left_out_on_demand(world: World, services: Services) -> None:
    manner = Manner(traces=Traces(history=False))
    ticket, other = world.ticket("anna"), world.ticket("anna")
    world.otobo.insert_value(ticket, "Phone", value_text="old")

    assert outcomes(resync([ticket, other], services, manner)) == {"written": 2}

    assert world.values(ticket) == world.values(other)
    assert world.otobo.ticket(ticket).change_by == WORKER
    assert world.lines(ticket) == []
    assert outcomes(resync([ticket, other], services, manner)) == {"unchanged": 2}


def test_a_source_that_does_not_answer_erases_nothing(small_world: World) -> None:
    worker_in(small_world)
    services = small_world.services(FIELDS)
    ticket = small_world.ticket("anna")
    resync([ticket], services, AS_FOR_EVENTS)
    values = small_world.values(ticket)
    away = {**small_world.people, "table": "nothing"}
    broken = small_world.services(FIELDS, sources={"CustomerUser": away})

    done = resync([ticket, 987_654], broken, AS_FOR_EVENTS)

    assert outcomes(done) == {"no_such_ticket": 1, "waiting": 1}
    assert done.left == {Kind.WAITING: [ticket]}
    assert small_world.values(ticket) == values


def test_who_would_empty_too_much_is_stopped(small_world: World, small: Services) -> None:
    small = dataclasses.replace(
        small_world.services(FIELDS, guard={"erasures": {"number": 3, "share": 0.1}})
    )
    tickets = [small_world.ticket("stranger") for _ in range(4)]
    for ticket in tickets:
        small_world.otobo.insert_value(ticket, "Phone", value_text="1")

    with capture_logs(), pytest.raises(MassChange):
        resync(tickets, small, AS_FOR_EVENTS)

    assert all(small_world.values(ticket) == {"Phone": ["1"]} for ticket in tickets)


def test_a_ticket_that_changes_meanwhile_is_planned_anew(
    small_world: World, small: Services
) -> None:
    ticket = small_world.ticket("anna")
    acts = [lambda: small_world.otobo.set_customer(ticket, "carl")]

    done = resync([ticket], interfered(small, lambda: acts and acts.pop()()), AS_FOR_EVENTS)

    assert outcomes(done) == {"written": 1}
    assert small_world.values(ticket)["Lastname"] == ["Dorn"]


def test_a_ticket_that_the_pass_stumbles_over_holds_up_no_other(
    small_world: World, small: Services
) -> None:
    tickets = [small_world.ticket("anna") for _ in range(5)]

    class Stumbling(Interfering):
        def apply(self, plans: Sequence[Plan], *how: Any, **more: Any) -> Any:
            if any(plan.ticket_id == tickets[3] for plan in plans):
                message = "Berg"
                raise RuntimeError(message)
            return super().apply(plans, *how, **more)

    stumbling = dataclasses.replace(small, tickets=Stumbling(small.tickets, lambda: None))
    with capture_logs() as logs:
        done = resync(tickets, stumbling, AS_FOR_EVENTS)

    # Those of a half that was written before are found written when it is looked at again.
    assert outcomes(done) == {"failed": 1, "written": 4}
    assert done.left == {Kind.FAILED: [tickets[3]]}
    assert [line for line in logs if line["event"] == "resync.failed"] == [
        {
            "event": "resync.failed",
            "log_level": "error",
            "ticket_id": tickets[3],
            "error": "RuntimeError",
        }
    ]
    assert [bool(small_world.values(ticket)) for ticket in tickets] == [True] * 3 + [False, True]


def test_a_ticket_database_that_is_away_blames_no_ticket(
    small_world: World, small: Services
) -> None:
    def away() -> None:
        raise TicketDatabaseUnavailable("away")

    with pytest.raises(TicketDatabaseUnavailable):
        resync([small_world.ticket("anna")], interfered(small, away), AS_FOR_EVENTS)


def test_a_comparison_tells_what_would_be_written_and_writes_nothing(
    world: World, services: Services
) -> None:
    first, second, done = (world.ticket(who) for who in ("anna", "stranger", "carl"))
    resync([done], services, AS_FOR_EVENTS)
    world.otobo.insert_value(first, "Phone", value_text="old")
    world.otobo.insert_value(second, "Phone", value_text="old")
    before = [(world.values(ticket), world.lines(ticket)) for ticket in (first, second, done)]

    told, differences = compare([first, second, done, 987_654], services, AS_FOR_EVENTS)

    def number(ticket: int) -> str:
        return str(world.otobo.ticket(ticket).tn)

    why = Reason.UNKNOWN_CUSTOMER_USER
    found, write = Reason.FOUND, Decision.WRITE
    assert differences == [
        Difference(first, number(first), "Lastname", write, found, "", "Berg"),
        Difference(first, number(first), "Phone", write, found, "old", "1"),
        Difference(second, number(second), "Phone", Decision.CLEAR, why, "old", ""),
    ]
    assert "old" not in repr(differences)
    assert outcomes(told) == {"no_such_ticket": 1, "unchanged": 1, "written": 2}
    assert before == [
        (world.values(ticket), world.lines(ticket)) for ticket in (first, second, done)
    ]
    assert outcomes(resync([first, second, done, 987_654], services, AS_FOR_EVENTS)) == outcomes(
        told
    )


def test_customer_users_of_an_ldap_directory_are_looked_up_together(
    small_world: World, slapd: SlapdServer
) -> None:
    small_world.otobo.add_fields(FIELDS.values())
    LdapDirectory(slapd).add_person("jdoe", "Jane", "Doe", "a@b.c", "ACME", "7")
    services = small_world.services(FIELDS, sources={"CustomerUser": ldap_people(slapd)})
    tickets = [small_world.ticket("jdoe") for _ in range(3)]

    assert outcomes(resync(tickets, services, AS_FOR_EVENTS)) == {"written": 3}
    assert small_world.values(tickets[2])["Lastname"] == ["Doe"]
