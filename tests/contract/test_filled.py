"""How many tickets have which fields filled, on every kind of database."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.otobo import Otobo
from worker.tickets import filled as counting
from worker.tickets.engine import for_reading, ticket_engine
from worker.tickets.filled import Filled, FilledFields, Group
from worker.tickets.selection import OPEN_TYPES, Selection, TicketIndex
from worker.tickets.store import TicketDatabaseUnavailable

CLOSED, OPEN = 2, 4
RAW, JUNK = 2, 3
FIELDS = ("Phone", "When", "Tick", "List")

JANUARY = Group("Raw", "2026-01", open=True)
FEBRUARY = Group("Raw", "2026-02", open=True)
CLOSED_JUNK = Group("Junk", "2026-01", open=False)


@pytest.fixture
def otobo(ticket_database: str) -> Iterator[Otobo]:
    system = Otobo(ticket_database)
    system.add_field("Phone")
    system.add_field("When", "Date")
    system.add_field("Tick", "Checkbox")
    system.add_field("List", "Multiselect")
    system.add_field("Other")
    system.add_field("OfArticles", object_type="Article")
    yield system
    system.close()


@pytest.fixture
def count(ticket_database: str) -> Iterator[Any]:
    engine = ticket_engine(ticket_database)

    def counted(fields: tuple[str, ...] = FIELDS, **asked: Any) -> Filled:
        scope = TicketIndex(for_reading(engine)).resolve(Selection(**asked))
        return FilledFields(for_reading(engine)).count(scope, fields, lambda *_: None)

    yield counted
    engine.dispose()


def ticket(otobo: Otobo, day: str, queue: int = RAW, state: int = OPEN) -> int:
    made = otobo.create_ticket("anna")
    time = f"{day} 00:00:00"
    otobo.update_ticket(made, create_time=time, queue_id=queue, ticket_state_id=state)
    return made


def test_tickets_are_counted_by_queue_month_and_whether_they_are_open(
    otobo: Otobo, count: Any
) -> None:
    for day in ("2026-01-01", "2026-01-31"):
        otobo.insert_value(ticket(otobo, day), "Phone", value_text="1")
    ticket(otobo, "2026-02-01")
    otobo.insert_value(ticket(otobo, "2026-01-02", JUNK, CLOSED), "Phone", value_text="1")

    found = count()

    assert found.tickets == {JANUARY: 2, FEBRUARY: 1, CLOSED_JUNK: 1}
    assert found.fields == {(JANUARY, "Phone"): 2, (CLOSED_JUNK, "Phone"): 1}


def test_a_field_is_filled_once_however_many_rows_it_has(otobo: Otobo, count: Any) -> None:
    one = ticket(otobo, "2026-01-01")
    for text in ("a", "b", ""):
        otobo.insert_value(one, "List", value_text=text)
    otobo.insert_value(one, "Phone", value_text="")
    otobo.insert_value(one, "When", value_date="2026-01-01 00:00:00")
    otobo.insert_value(one, "Tick", value_int=0)
    otobo.insert_value(one, "Other", value_text="not asked for")
    otobo.insert_value(one, "OfArticles", value_text="of an article with the same id")

    found = count((*FIELDS, "OfArticles", "NoSuchField"))

    assert found.fields == {(JANUARY, "List"): 1, (JANUARY, "When"): 1, (JANUARY, "Tick"): 1}


def test_only_the_tickets_that_are_asked_for_are_counted(otobo: Otobo, count: Any) -> None:
    ticket(otobo, "2026-01-01")
    ticket(otobo, "2026-01-02", JUNK, CLOSED)

    assert count(queues=("Junk",)).tickets == {CLOSED_JUNK: 1}
    assert count(state_types=OPEN_TYPES).tickets == {JANUARY: 1}
    assert count(created_from="2026-01-02 00:00:00").tickets == {CLOSED_JUNK: 1}
    assert count(created_from="2027-01-01 00:00:00").tickets == {}


def test_tickets_that_are_named_are_counted_alone(
    otobo: Otobo, count: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = [ticket(otobo, "2026-01-01") for _ in range(5)]
    other = ticket(otobo, "2026-01-02", JUNK, CLOSED)
    otobo.update_ticket(other, customer_user_id="berta", customer_id="OTHER")
    for one in (made[1], made[4], other):
        otobo.insert_value(one, "Phone", value_text="1")
    monkeypatch.setattr(counting, "NAMED", 2)

    of_anna = count(customer_users=("anna",))

    assert (of_anna.tickets, of_anna.fields) == ({JANUARY: 5}, {(JANUARY, "Phone"): 2})
    assert count(customers=("OTHER",)).fields == {(CLOSED_JUNK, "Phone"): 1}
    assert count(tickets=(made[0], made[4], other)).tickets == {JANUARY: 2, CLOSED_JUNK: 1}
    assert count(tickets=(made[0], other), queues=("Raw",)).tickets == {JANUARY: 1}
    assert count(listed=(987,)).tickets == {}


def test_many_tickets_are_counted_in_several_statements(
    otobo: Otobo, ticket_database: str, count: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(7):
        made = ticket(otobo, "2026-01-01")
        if number % 2:
            otobo.insert_value(made, "Phone", value_text="1")
    monkeypatch.setattr(counting, "SPAN", 3)

    found = count()

    assert (found.tickets, found.fields) == ({JANUARY: 7}, {(JANUARY, "Phone"): 3})


def test_tickets_are_put_into_their_groups(otobo: Otobo, ticket_database: str) -> None:
    first = ticket(otobo, "2026-01-01")
    second = ticket(otobo, "2026-01-01", queue=99, state=CLOSED)
    engine = ticket_engine(ticket_database)

    found = FilledFields(for_reading(engine)).groups([first, second, 987])
    engine.dispose()

    assert found == {first: JANUARY, second: Group("99", "2026-01", open=False)}


def test_a_database_that_is_away_is_told() -> None:
    engine = ticket_engine("postgresql://nobody@127.0.0.1:1/otobo")
    with pytest.raises(TicketDatabaseUnavailable):
        FilledFields(engine).groups([1])
