"""The tickets of selections, on every kind of database."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from tests.otobo import Otobo
from worker.tickets import selection as selections
from worker.tickets.engine import for_reading, ticket_engine
from worker.tickets.selection import (
    OPEN_TYPES,
    Scope,
    Selection,
    TicketIndex,
    WrongSelection,
    scope_of,
)
from worker.tickets.store import TicketDatabaseUnavailable

NEW, CLOSED, OPEN = 1, 2, 4
RAW, JUNK = 2, 3


@pytest.fixture
def otobo(ticket_database: str) -> Iterator[Otobo]:
    system = Otobo(ticket_database)
    yield system
    system.close()


@pytest.fixture
def index(ticket_database: str) -> Iterator[TicketIndex]:
    engine = ticket_engine(ticket_database)
    yield TicketIndex(for_reading(engine))
    engine.dispose()


def ticket(otobo: Otobo, customer_user: str = "anna", **columns: Any) -> int:
    made = otobo.create_ticket(customer_user, "ACME")
    if columns:
        otobo.update_ticket(made, **columns)
    return made


def chosen(index: TicketIndex, most: int = 100, **asked: Any) -> list[int]:
    """All tickets of a selection, part by part."""
    return parts(index, index.resolve(Selection(**asked)), most)


def parts(index: TicketIndex, scope: Scope, most: int = 100) -> list[int]:
    found: list[int] = []
    reached = 0
    while reached < scope.last:
        part = index.part(scope, reached, most)
        assert len(part.ids) <= most
        assert part.reached > reached
        found += part.ids
        reached = part.reached
    return found


def test_all_tickets_come_part_by_part_in_the_order_of_their_ids(
    otobo: Otobo, index: TicketIndex
) -> None:
    tickets = [ticket(otobo) for _ in range(7)]

    assert chosen(index, most=3) == tickets
    assert index.count(index.resolve(Selection())) == 7


def test_a_ticket_that_is_created_later_does_not_belong(otobo: Otobo, index: TicketIndex) -> None:
    first = ticket(otobo)
    scope = index.resolve(Selection())
    ticket(otobo)

    assert parts(index, scope) == [first]
    assert index.count(scope) == 1


def test_a_system_without_tickets_has_none(index: TicketIndex) -> None:
    scope = index.resolve(Selection())

    assert (scope.last, index.count(scope), parts(index, scope)) == (0, 0, [])


def test_what_is_said_together_must_all_hold(otobo: Otobo, index: TicketIndex) -> None:
    ticket(otobo, "anna", queue_id=RAW, ticket_state_id=CLOSED)
    wanted = ticket(otobo, "anna", queue_id=JUNK, ticket_state_id=OPEN)
    ticket(otobo, "anna", queue_id=RAW, ticket_state_id=OPEN)
    ticket(otobo, "carl", queue_id=JUNK, ticket_state_id=OPEN)

    asked: Mapping[str, Any] = {
        "customer_users": ("anna",),
        "queues": ("Junk",),
        "state_types": OPEN_TYPES,
    }
    assert chosen(index, **asked) == [wanted]
    assert index.count(index.resolve(Selection(**asked))) == 1


def test_tickets_are_chosen_by_who_they_belong_to(otobo: Otobo, index: TicketIndex) -> None:
    anna = [ticket(otobo, "anna") for _ in range(3)]
    other = otobo.create_ticket("berta", "OTHER")
    ticket(otobo, "carl")

    assert chosen(index, most=2, customer_users=("anna", "berta")) == [*anna, other]
    assert chosen(index, customers=("OTHER",)) == [other]
    assert chosen(index, customer_users=("anna",), customers=("OTHER",)) == []


def test_tickets_are_chosen_by_queue_state_and_type_of_state(
    otobo: Otobo, index: TicketIndex
) -> None:
    new = ticket(otobo, queue_id=RAW, ticket_state_id=NEW)
    closed = ticket(otobo, queue_id=JUNK, ticket_state_id=CLOSED)

    assert chosen(index, queues=("Raw",)) == [new]
    assert chosen(index, queues=("Junk", "Raw")) == [new, closed]
    assert chosen(index, states=("closed successful",)) == [closed]
    assert chosen(index, state_types=("new", "closed")) == [new, closed]
    assert chosen(index, states=("new", "closed successful"), state_types=("new",)) == [new]


def test_tickets_are_chosen_by_when_they_were_created_and_changed(
    otobo: Otobo, index: TicketIndex
) -> None:
    old = ticket(otobo, create_time="2025-03-01 00:00:00", change_time="2025-03-09 12:00:00")
    new = ticket(otobo, create_time="2025-04-01 00:00:00", change_time="2025-04-01 00:00:00")

    assert chosen(index, created_from="2025-04-01 00:00:00") == [new]
    assert chosen(index, created_until="2025-04-01 00:00:00") == [old]
    assert chosen(index, changed_from="2025-03-09 12:00:00") == [old, new]
    assert chosen(index, changed_until="2025-03-09 12:00:00") == []
    assert chosen(index, created_from="2025-03-01 00:00:00", changed_until="2025-04-01 00:00:00")


def test_tickets_are_chosen_by_id_and_number(otobo: Otobo, index: TicketIndex) -> None:
    first, second, third = (ticket(otobo) for _ in range(3))
    number = otobo.ticket(second).tn

    assert chosen(index, most=1, tickets=(third, first, first)) == [first, third]
    assert chosen(index, tickets=(third,), numbers=(number,)) == [second, third]
    assert chosen(index, tickets=(first,), listed=(second, 987_654), queues=("Raw",)) == [
        *(first, second)
    ]
    assert index.count(index.resolve(Selection(listed=(first, 987_654)))) == 1


def test_tickets_are_chosen_by_fields_that_hold_nothing(otobo: Otobo, index: TicketIndex) -> None:
    for name in ("Phone", "City"):
        otobo.add_field(name)
    bare, half, whole, blank = (ticket(otobo) for _ in range(4))
    otobo.insert_value(half, "Phone", value_text="1")
    otobo.insert_value(whole, "Phone", value_text="1")
    otobo.insert_value(whole, "City", value_int=0)
    otobo.insert_value(blank, "Phone", value_text="")
    otobo.insert_value(blank, "Phone", value_text="")

    assert chosen(index, without_value=("Phone",)) == [bare, blank]
    assert chosen(index, without_value=("Phone", "City")) == [bare, half, blank]


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"queues": ("raw",)}, "there is no queue raw; there are Raw, Postmaster, Junk, Misc"),
        ({"states": ("opened",)}, "there is no state opened; there are open, "),
        ({"state_types": ("opened",)}, "there is no state type opened; there are open, "),
        ({"without_value": ("Phone",)}, "there is no dynamic field Phone"),
        ({"numbers": ("1", "2")}, "there is no ticket with the number 1, 2"),
        ({"states": ("open",), "state_types": ("new",)}, "no state is one of open and of a type"),
    ],
)
def test_a_name_that_there_is_not_is_refused(
    index: TicketIndex, asked: dict[str, Any], said: str
) -> None:
    with pytest.raises(WrongSelection) as refused:
        index.resolve(Selection(**asked))

    assert str(refused.value).startswith(said)


def test_windows_without_a_ticket_are_passed_over(
    otobo: Otobo, index: TicketIndex, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(selections, "WINDOW", 2)
    tickets = [ticket(otobo, queue_id=JUNK if n in {0, 8} else RAW) for n in range(9)]

    assert chosen(index, queues=("Junk",)) == [tickets[0], tickets[8]]
    assert index.count(index.resolve(Selection(queues=("Junk",)))) == 2
    assert index.part(index.resolve(Selection(queues=("Junk",))), 2, 5) == ((), 4)


def test_a_scope_survives_json(otobo: Otobo, index: TicketIndex) -> None:
    otobo.add_field("Phone")
    made = ticket(otobo)
    for asked in (
        Selection(),
        Selection(tickets=(made,), customer_users=("anna",), state_types=OPEN_TYPES),
        Selection(queues=("Raw",), created_from="2020-01-01 00:00:00", without_value=("Phone",)),
    ):
        scope = index.resolve(asked)
        assert scope_of(json.loads(json.dumps(scope.plain()))) == scope


def test_a_database_that_does_not_answer_is_unavailable() -> None:
    index = TicketIndex(ticket_engine("postgresql://nobody@127.0.0.1:1/otobo"))

    with pytest.raises(TicketDatabaseUnavailable):
        index.resolve(Selection())
