"""The contract of the ticket store, on every kind of database."""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import event, make_url, text

from mapping.model import Change, Decision, FieldDecision, Plan, Reason, TicketState, ValueRow
from tests import servers
from tests.contract.proxy import Line
from tests.otobo import AGENT, ROOT, WORKER, WORKER_LOGIN, Otobo
from worker.tickets.engine import ticket_engine
from worker.tickets.sql import SqlTicketStore
from worker.tickets.store import (
    Applied,
    Conflict,
    Loaded,
    Refused,
    TicketDatabaseMisfit,
    TicketDatabaseUnavailable,
    Traces,
)

NOON = datetime(2026, 11, 22, 12, 0, 0, tzinfo=UTC)
FIVE = ("City", "Fax", "Mobile", "Name", "Phone")


@pytest.fixture
def otobo(ticket_database: str) -> Iterator[Otobo]:
    system = Otobo(ticket_database)
    yield system
    system.close()


def new_store(url: str, **settings: Any) -> SqlTicketStore:
    options = {"worker_user": WORKER_LOGIN, "now": lambda: NOON, **settings}
    return SqlTicketStore(ticket_engine(url), **options)


@pytest.fixture
def store(ticket_database: str) -> Iterator[SqlTicketStore]:
    ticket_store = new_store(ticket_database)
    yield ticket_store
    ticket_store.close()


def plan(loaded: Loaded, ticket_id: int, new: dict[str, Any]) -> Plan:
    """A plan that sets text fields: a text, several texts, or None for none."""
    state = loaded.tickets[ticket_id]
    changes, decisions, watched = [], [], {}
    for name, field in sorted(loaded.fields.items()):
        rows = state.rows[name]
        watched[field.id] = tuple(row.id for row in rows if row.id is not None)
        if name in new:
            value = new[name]
            texts = (value,) if isinstance(value, str) else tuple(value or ())
            changes.append(
                Change(
                    field_id=field.id,
                    field_name=name,
                    delete_ids=watched[field.id],
                    insert=tuple(ValueRow(value_text=item) for item in texts),
                    old_text=", ".join(row.value_text or "" for row in rows),
                    new_text=", ".join(texts),
                )
            )
        decisions.append(FieldDecision(name, Decision.WRITE, Reason.FOUND, ()))
    return Plan(
        ticket_id=ticket_id,
        customer_user=state.customer_user,
        history_id=max((line.id for line in state.history), default=0),
        decisions=tuple(decisions),
        changes=tuple(changes),
        watched=watched,
    )


@contextmanager
def statements(store: SqlTicketStore) -> Iterator[list[str]]:
    """The statements of a store's connection, without those that begin and end transactions."""
    seen: list[str] = []

    def note(_c: object, _cur: object, statement: str, *_: object) -> None:
        if not statement.startswith("BEGIN"):
            seen.append(statement)

    event.listen(store._engine, "before_cursor_execute", note)
    yield seen
    event.remove(store._engine, "before_cursor_execute", note)


# -- load


def test_a_ticket_is_read_with_its_history_in_the_order_of_ids(
    otobo: Otobo, store: SqlTicketStore
) -> None:
    otobo.add_field("Phone")
    ticket_id = otobo.create_ticket("jdoe", "ACME", user_id=AGENT)
    article_id = otobo.add_article(ticket_id, "PhoneCallCustomer", user_id=AGENT)
    otobo.add_line(ticket_id, "PriorityUpdate", "%%3 normal%%3%%5 very high%%5")
    otobo.set_value(ticket_id, "Phone", "1")

    state = store.load([ticket_id], ["Phone"]).tickets[ticket_id]

    assert state.id == ticket_id
    assert state.customer_user == "jdoe"
    assert state.number == otobo.ticket(ticket_id).tn
    assert [(line.type, line.create_by, line.article_id) for line in state.history] == [
        ("NewTicket", AGENT, None),
        ("CustomerUpdate", AGENT, None),
        ("PhoneCallCustomer", AGENT, article_id),
        ("TicketDynamicFieldUpdate", AGENT, None),
    ]
    assert state.history[1].name == "%%CustomerID=ACME;CustomerUser=jdoe;"
    assert re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d", state.history[0].create_time)
    assert [line.id for line in state.history] == sorted(line.id for line in state.history)


def test_values_come_by_field_name_with_all_their_columns(
    otobo: Otobo, store: SqlTicketStore
) -> None:
    for name in ("Day", "Box", "List", "Empty", "Other"):
        otobo.add_field(name)
    ticket_id = otobo.create_ticket()
    day = otobo.insert_value(ticket_id, "Day", value_date="2026-02-28 23:59:59")
    box = otobo.insert_value(ticket_id, "Box", value_int=1)
    first = otobo.insert_value(ticket_id, "List", value_text=" a ", index_value=0)
    second = otobo.insert_value(ticket_id, "List", value_text="ü", index_value=1, index_set=2)
    otobo.insert_value(ticket_id, "Other", value_text="not asked for")

    loaded = store.load([ticket_id], ["Day", "Box", "List", "Empty"])

    assert loaded.tickets[ticket_id].rows == {
        "Day": (ValueRow(value_date="2026-02-28 23:59:59", id=day),),
        "Box": (ValueRow(value_int=1, id=box),),
        "List": (
            ValueRow(value_text=" a ", index_value=0, id=first),
            ValueRow(value_text="ü", index_value=1, index_set=2, id=second),
        ),
        "Empty": (),
    }


def test_a_ticket_that_does_not_exist_is_missing(otobo: Otobo, store: SqlTicketStore) -> None:
    ticket_id = otobo.create_ticket()

    loaded = store.load([ticket_id, 987_654_321], ["Phone"])

    assert list(loaded.tickets) == [ticket_id]
    assert loaded.tickets[ticket_id].customer_user is None


def test_a_ticket_without_a_history_is_read_all_the_same(
    otobo: Otobo, store: SqlTicketStore
) -> None:
    ticket_id = otobo.create_ticket("jdoe")
    with otobo.engine.connect() as connection:
        connection.execute(text("DELETE FROM ticket_history"))

    assert store.load([ticket_id], []).tickets[ticket_id].history == ()


def test_nothing_is_found_where_nothing_is_asked_for(store: SqlTicketStore) -> None:
    assert store.load([], []) == Loaded({}, {})


def test_field_names_are_compared_exactly(otobo: Otobo, store: SqlTicketStore) -> None:
    otobo.add_field("Phone")
    ticket_id = otobo.create_ticket()

    assert set(store.load([ticket_id], ["Phone"]).fields) == {"Phone"}
    assert store.load([ticket_id], ["phone", "PHONE", "Phone ", "Phöne"]).fields == {}


def test_definitions_are_read_again_when_they_change(otobo: Otobo, store: SqlTicketStore) -> None:
    field_id = otobo.add_field("Level", "Dropdown", {"PossibleValues": {"1": "low"}})
    otobo.add_field("Address", "TextArea", object_type="Article", valid_id=2, internal=True)
    ticket_id = otobo.create_ticket()

    before = store.load([ticket_id], ["Level", "Address"]).fields
    otobo.change_field(field_id, config="---\nPossibleValues:\n  '1': lowest\n")
    after = store.load([ticket_id], ["Level"]).fields

    assert before["Level"].field_type == "Dropdown"
    assert before["Level"].config == {"PossibleValues": {"1": "low"}}
    assert after["Level"].config == {"PossibleValues": {"1": "lowest"}}
    assert (before["Address"].object_type, before["Address"].valid) == ("Article", False)
    assert before["Address"].internal


def test_a_definition_is_read_as_texts(otobo: Otobo, store: SqlTicketStore) -> None:
    values = "{0000-00-00: none, no: No, 12:30: noon, 007: ~, '': -}"
    otobo.add_field("Odd", "Dropdown", f"---\nMultiValue: 1\nPossibleValues: {values}\nLink:\n")
    ticket_id = otobo.create_ticket()

    field = store.load([ticket_id], ["Odd"]).fields["Odd"]

    assert field.valid
    assert field.multi_value
    assert field.config["PossibleValues"] == {
        "0000-00-00": "none",
        "no": "No",
        "12:30": "noon",
        "007": None,
        "": "-",
    }
    assert field.config["Link"] is None


@pytest.mark.parametrize("config", ["{not: [yaml", "- a list", "just text"])
def test_a_definition_that_cannot_be_read_makes_its_field_invalid(
    otobo: Otobo, store: SqlTicketStore, config: str
) -> None:
    otobo.add_field("Broken", config=config)
    otobo.add_field("Whole")
    ticket_id = otobo.create_ticket()

    fields = store.load([ticket_id], ["Broken", "Whole"]).fields

    assert not fields["Broken"].valid
    assert fields["Whole"].valid


def test_a_load_costs_two_statements_whatever_the_number_of_tickets(
    otobo: Otobo, store: SqlTicketStore
) -> None:
    otobo.add_fields(FIVE)
    ids = [otobo.create_ticket(f"user{number}") for number in range(20)]
    store.load(ids[:1], FIVE)

    with statements(store) as seen:
        loaded = store.load(ids, FIVE)

    assert len(loaded.tickets) == 20
    assert len(seen) == 2


def test_more_tickets_than_fit_into_one_statement_are_all_read(
    otobo: Otobo, store: SqlTicketStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("worker.tickets.sql.LOAD_SIZE", 2)
    otobo.add_field("Phone")
    ids = [otobo.create_ticket() for _ in range(5)]

    assert sorted(store.load(ids, ["Phone"]).tickets) == ids


# -- apply


def test_a_plan_is_written_whole(otobo: Otobo, store: SqlTicketStore) -> None:
    otobo.add_fields(FIVE)
    ticket_id = otobo.create_ticket("jdoe", user_id=AGENT)
    otobo.set_value(ticket_id, "Phone", "1")
    otobo.set_value(ticket_id, "Fax", "2")
    otobo.update_ticket(ticket_id, queue_id=7, ticket_priority_id=5, ticket_state_id=6, type_id=3)
    loaded = store.load([ticket_id], FIVE)

    results = store.apply([plan(loaded, ticket_id, {"Phone": "11", "Fax": None, "City": "Köln"})])

    assert results == {ticket_id: Applied(("City", "Fax", "Phone"))}
    assert otobo.values(ticket_id) == {"Phone": ["11"], "City": ["Köln"]}
    ticket = otobo.ticket(ticket_id)
    assert (ticket.change_by, ticket.change_time) == (WORKER, "2026-11-22 12:00:00")
    assert otobo.lines(ticket_id, WORKER) == [
        "%%FieldName%%City%%Value%%Köln%%OldValue%%",
        "%%FieldName%%Fax%%Value%%%%OldValue%%2",
        "%%FieldName%%Phone%%Value%%11%%OldValue%%1",
    ]
    with otobo.engine.connect() as connection:
        line = connection.execute(
            text("SELECT * FROM ticket_history WHERE create_by = 2 ORDER BY id")
        ).first()
    assert line is not None
    assert (line.type_id, line.queue_id, line.owner_id) == (3, 7, AGENT)
    assert (line.priority_id, line.state_id, line.article_id) == (5, 6, None)
    assert (line.history_type_id, line.change_by) == (28, WORKER)
    assert str(line.create_time).startswith("2026-11-22 12:00:00")


@pytest.mark.parametrize("change_time", [False, True])
@pytest.mark.parametrize("history", [False, True])
def test_what_is_left_beside_the_values_can_be_chosen(
    otobo: Otobo, store: SqlTicketStore, change_time: bool, history: bool
) -> None:
    otobo.add_fields(FIVE)
    adding, overwriting = otobo.create_ticket("jdoe"), otobo.create_ticket("jdoe")
    otobo.set_value(overwriting, "Phone", "1")
    before = {id_: otobo.ticket(id_) for id_ in (adding, overwriting)}
    traces = Traces(change_time=change_time, history=history)

    for ticket_id, ticket in before.items():
        loaded = store.load([ticket_id], FIVE)
        made = plan(loaded, ticket_id, {"Phone": "11"})
        assert store.apply([made], traces) == {ticket_id: Applied(("Phone",))}

        assert otobo.values(ticket_id) == {"Phone": ["11"]}
        assert len(otobo.lines(ticket_id, WORKER)) == history
        assert (otobo.ticket(ticket_id) != ticket) is change_time


def test_every_column_of_a_row_is_written_and_overwritten(
    otobo: Otobo, store: SqlTicketStore
) -> None:
    field_id = otobo.add_field("Many")
    ticket_id = otobo.create_ticket()
    rows = (
        ValueRow("a", "2026-01-02 03:04:05", 7, 0, None),
        ValueRow(None, None, -(2**62), 1, 3),
        ValueRow("''\"\\ %s :x ü 🦜", None, None, 2, None),
    )

    def write(new: tuple[ValueRow, ...]) -> tuple[ValueRow, ...]:
        loaded = store.load([ticket_id], ["Many"])
        old = tuple(row.id or 0 for row in loaded.tickets[ticket_id].rows["Many"])
        change = Change(field_id, "Many", old, new, "", "")
        made = plan(loaded, ticket_id, {})
        changed = Plan(ticket_id, None, made.history_id, (), (change,), made.watched)
        assert store.apply([changed]) == {ticket_id: Applied(("Many",))}
        return store.load([ticket_id], ["Many"]).tickets[ticket_id].rows["Many"]

    def stored(found: tuple[ValueRow, ...]) -> tuple[ValueRow, ...]:
        return tuple(
            ValueRow(r.value_text, r.value_date, r.value_int, r.index_value, r.index_set)
            for r in found
        )

    assert stored(write(rows[:1])) == rows[:1]
    assert stored(write(rows[1:])) == rows[1:]
    assert stored(write(rows)) == rows
    assert stored(write((ValueRow(),))) == (ValueRow(),)
    assert stored(write(())) == ()


def test_applying_a_plan_again_is_a_conflict_and_changes_nothing(
    otobo: Otobo, store: SqlTicketStore
) -> None:
    otobo.add_field("Phone")
    ticket_id = otobo.create_ticket("jdoe")
    made = plan(store.load([ticket_id], ["Phone"]), ticket_id, {"Phone": "1"})
    store.apply([made])
    history = otobo.history(ticket_id)

    assert store.apply([made]) == {ticket_id: Conflict("rows_changed")}
    assert otobo.values(ticket_id) == {"Phone": ["1"]}
    assert otobo.history(ticket_id) == history


def test_a_plan_without_changes_writes_nothing(otobo: Otobo, store: SqlTicketStore) -> None:
    otobo.add_field("Phone")
    ticket_id = otobo.create_ticket("jdoe")
    made = plan(store.load([ticket_id], ["Phone"]), ticket_id, {})
    with statements(store) as seen:
        assert store.apply([made]) == {ticket_id: Applied(())}

    assert seen == []


def test_a_ticket_that_was_deleted_holds_up_no_other(otobo: Otobo, store: SqlTicketStore) -> None:
    otobo.add_field("Phone")
    gone, there = otobo.create_ticket("a"), otobo.create_ticket("b")
    loaded = store.load([gone, there], ["Phone"])
    otobo.delete_ticket(gone)

    results = store.apply([plan(loaded, i, {"Phone": "1"}) for i in (there, gone)])

    assert results == {gone: Conflict("ticket_gone"), there: Applied(("Phone",))}
    assert otobo.values(there) == {"Phone": ["1"]}


@pytest.mark.parametrize("other", ["JDOE", "jdoe ", "jdoé", "", "someone"])
def test_a_ticket_with_another_customer_user_is_not_written(
    otobo: Otobo, store: SqlTicketStore, other: str
) -> None:
    otobo.add_field("Phone")
    ticket_id = otobo.create_ticket("jdoe")
    made = plan(store.load([ticket_id], ["Phone"]), ticket_id, {"Phone": "1"})
    otobo.update_ticket(ticket_id, customer_user_id=other)

    assert store.apply([made]) == {ticket_id: Conflict("customer_user_changed")}
    assert otobo.values(ticket_id) == {}
    assert otobo.ticket(ticket_id).change_by == ROOT


def test_no_customer_user_and_an_empty_one_are_the_same(
    otobo: Otobo, store: SqlTicketStore
) -> None:
    otobo.add_field("Phone")
    ticket_id = otobo.create_ticket()
    made = plan(store.load([ticket_id], ["Phone"]), ticket_id, {"Phone": "1"})
    otobo.update_ticket(ticket_id, customer_user_id="")

    assert store.apply([made]) == {ticket_id: Applied(("Phone",))}


def test_times_are_written_in_the_ticket_systems_time_zone(
    otobo: Otobo, ticket_database: str
) -> None:
    otobo.add_field("Phone")
    ticket_id = otobo.create_ticket()
    store = new_store(ticket_database, zone=ZoneInfo("Europe/Berlin"))
    store.apply([plan(store.load([ticket_id], ["Phone"]), ticket_id, {"Phone": "1"})])
    store.close()

    assert otobo.ticket(ticket_id).change_time == "2026-11-22 13:00:00"


MIXES = {
    "nothing before": ({}, dict.fromkeys(FIVE, "new"), 6),
    "all replaced": (dict.fromkeys(FIVE, "old"), dict.fromkeys(FIVE, "new"), 5),
    "all emptied": (dict.fromkeys(FIVE, "old"), dict.fromkeys(FIVE), 5),
    "some replaced, some filled": (
        dict.fromkeys(FIVE[:3], "old"),
        dict.fromkeys(FIVE, "new"),
        7,
    ),
    "replaced, emptied and filled": (
        dict.fromkeys(FIVE[:3], "old"),
        {**dict.fromkeys(FIVE, "new"), "City": None},
        7,
    ),
    "one emptied, one filled: the row moves": (
        {"City": "old"},
        {"City": None, "Phone": "new"},
        6,
    ),
}


@pytest.mark.parametrize("mix", MIXES)
def test_one_ticket_with_five_changed_fields_costs_at_most_nine_statements(
    otobo: Otobo, store: SqlTicketStore, mix: str
) -> None:
    before, after, applying = MIXES[mix]
    otobo.add_fields(FIVE)
    ticket_id = otobo.create_ticket("jdoe")
    for name, value in before.items():
        otobo.set_value(ticket_id, name, value)
    store.load([ticket_id], FIVE)

    with statements(store) as seen:
        loaded = store.load([ticket_id], FIVE)
        results = store.apply([plan(loaded, ticket_id, after)])

    assert results == {ticket_id: Applied(tuple(name for name in FIVE if name in after))}
    assert otobo.values(ticket_id) == {k: [v] for k, v in after.items() if v is not None}
    assert len(seen) == 2 + applying


def test_a_hundred_tickets_cost_no_more_than_two_transactions(
    otobo: Otobo, store: SqlTicketStore
) -> None:
    otobo.add_fields(FIVE)
    ids = [otobo.create_ticket(f"user{number}") for number in range(100)]
    for ticket_id in ids[::2]:
        otobo.insert_value(ticket_id, "Phone", value_text="old")
        otobo.insert_value(ticket_id, "Fax", value_text="old")
    store.load(ids[:1], FIVE)

    with statements(store) as seen:
        loaded = store.load(ids, FIVE)
        plans = [
            plan(
                loaded, i, {name: f"{name} {i}" for name in FIVE} | ({"Fax": None} if i % 2 else {})
            )
            for i in ids
        ]
        results = store.apply(plans)

    assert set(results.values()) == {Applied(FIVE)}
    assert all(otobo.values(i)["Phone"] == [f"Phone {i}"] for i in ids)
    assert len(seen) == 2 + 2 * 7


def test_several_batches_are_written_in_the_order_of_ids(
    otobo: Otobo, ticket_database: str
) -> None:
    otobo.add_field("Phone")
    ids = [otobo.create_ticket() for _ in range(5)]
    store = new_store(ticket_database, batch_size=2)
    loaded = store.load(ids, ["Phone"])
    results = store.apply([plan(loaded, i, {"Phone": str(i)}) for i in reversed(ids)])
    store.close()

    assert list(results) == ids
    assert [otobo.values(i) for i in ids] == [{"Phone": [str(i)]} for i in ids]


def test_a_value_that_the_database_refuses_holds_up_no_other_ticket(
    otobo: Otobo, store: SqlTicketStore
) -> None:
    otobo.add_field("Phone")
    ids = [otobo.create_ticket(f"user{number}") for number in range(5)]
    loaded = store.load(ids, ["Phone"])
    plans = [plan(loaded, i, {"Phone": "1"}) for i in ids]
    # Half a surrogate pair is no character in any database.
    plans[2] = plan(loaded, ids[2], {"Phone": "secret \ud800"})

    results = store.apply(plans)

    assert [type(results[i]) for i in ids] == [Applied, Applied, Refused, Applied, Applied]
    assert "secret" not in repr(results[ids[2]])
    assert [otobo.values(i) for i in ids] == [{"Phone": ["1"]}] * 2 + [{}] + [{"Phone": ["1"]}] * 2
    assert otobo.lines(ids[2], WORKER) == []


@pytest.mark.parametrize("table", ["ticket", "ticket_history", "dynamic_field_value"])
def test_nothing_is_half_written_when_a_statement_fails(
    otobo: Otobo, store: SqlTicketStore, table: str
) -> None:
    otobo.add_fields(["Fax", "Phone"])
    ticket_id = otobo.create_ticket("jdoe")
    otobo.set_value(ticket_id, "Phone", "old")
    loaded = store.load([ticket_id], ["Fax", "Phone"])
    before = (otobo.values(ticket_id), otobo.history(ticket_id), otobo.ticket(ticket_id))

    def fail(_c: Any, _cur: Any, statement: str, parameters: Any, *_: Any) -> Any:
        return re.sub(
            rf"^(INSERT INTO|UPDATE) {table}\b", r"\1 no_such_table", statement
        ), parameters

    event.listen(store._engine, "before_cursor_execute", fail, retval=True)
    with pytest.raises(TicketDatabaseUnavailable):
        store.apply([plan(loaded, ticket_id, {"Phone": "new", "Fax": "new"})])
    event.remove(store._engine, "before_cursor_execute", fail)

    after = (otobo.values(ticket_id), otobo.history(ticket_id), otobo.ticket(ticket_id))
    assert after == before


# -- the index columns


def test_a_database_without_index_columns_is_read_and_written(
    otobo: Otobo, ticket_database: str
) -> None:
    with otobo.engine.connect() as connection:
        for column in ("index_value", "index_set"):
            connection.execute(text(f"ALTER TABLE dynamic_field_value DROP COLUMN {column}"))
    otobo.add_fields(["Fax", "Phone"])
    ticket_id = otobo.create_ticket("jdoe")
    otobo.insert_value(ticket_id, "Phone", value_text="old")
    store = new_store(ticket_database)
    store.check_schema()
    loaded = store.load([ticket_id], ["Fax", "Phone"])
    results = store.apply([plan(loaded, ticket_id, {"Phone": "new", "Fax": ["a", "b"]})])
    store.close()

    assert results == {ticket_id: Applied(("Fax", "Phone"))}
    assert otobo.values(ticket_id) == {"Phone": ["new"], "Fax": ["a", "b"]}


# -- labels


def test_agents_are_named_as_otobo_names_them(store: SqlTicketStore) -> None:
    references = {
        ("Agent", "1"),
        ("Agent", "3"),
        ("Agent", "99"),
        ("Agent", "x"),
        ("CustomerUser", "3"),
    }

    assert store.labels(references) == {
        ("Agent", "1"): '"- -" <root@localhost>',
        ("Agent", "3"): '"Ada Lovelace" <ada@example.com>',
    }


def test_no_agent_asked_for_costs_no_statement(store: SqlTicketStore) -> None:
    with statements(store) as seen:
        assert store.labels([("CustomerUser", "jdoe")]) == {}

    assert seen == []


# -- is it the right database?


def test_a_ticket_system_passes_the_check(store: SqlTicketStore) -> None:
    store.check_schema()

    assert store.worker_user_id() == WORKER


@pytest.mark.parametrize("worker_user", [WORKER_LOGIN, WORKER])
def test_the_workers_agent_goes_by_login_or_id(
    ticket_database: str, worker_user: str | int
) -> None:
    store = new_store(ticket_database, worker_user=worker_user)

    assert store.worker_user_id() == WORKER

    store.close()


@pytest.mark.parametrize(
    ("worker_user", "told"),
    [
        ("root@localhost", "agent 1"),
        (ROOT, "agent 1"),
        ("nobody", "no agent 'nobody'"),
        ("FIELDFARE", "no agent 'FIELDFARE'"),
        (99, "no agent 99"),
    ],
)
def test_an_agent_that_cannot_be_the_workers_is_refused(
    ticket_database: str, worker_user: str | int, told: str
) -> None:
    store = new_store(ticket_database, worker_user=worker_user)

    with pytest.raises(TicketDatabaseMisfit, match=told):
        store.check_schema()

    store.close()


def test_an_invalid_agent_cannot_be_the_workers(otobo: Otobo, store: SqlTicketStore) -> None:
    with otobo.engine.connect() as connection:
        connection.execute(text("UPDATE users SET valid_id = 2 WHERE id = 2"))

    with pytest.raises(TicketDatabaseMisfit, match="not valid"):
        store.check_schema()


@pytest.mark.parametrize(
    ("damage", "told"),
    [
        ("DROP TABLE user_preferences", "no table user_preferences"),
        ("ALTER TABLE dynamic_field RENAME COLUMN config TO settings", "no column config"),
        ("UPDATE ticket_history_type SET name = 'x' WHERE id = 28", "no TicketDynamicFieldUpdate"),
    ],
)
def test_a_database_that_is_no_ticket_system_is_refused(
    otobo: Otobo, store: SqlTicketStore, damage: str, told: str
) -> None:
    with otobo.engine.connect() as connection:
        connection.execute(text(damage))

    with pytest.raises(TicketDatabaseMisfit, match=told):
        store.check_schema()


def test_the_ids_of_history_types_are_read_from_the_database(
    otobo: Otobo, store: SqlTicketStore
) -> None:
    otobo.add_field("Phone")
    with otobo.engine.connect() as connection:
        connection.execute(text("UPDATE ticket_history_type SET id = 128 WHERE id = 28"))
    ticket_id = otobo.create_ticket("jdoe")
    store.apply([plan(store.load([ticket_id], ["Phone"]), ticket_id, {"Phone": "1"})])

    types = [line.type for line in store.load([ticket_id], []).tickets[ticket_id].history]
    assert types == ["NewTicket", "CustomerUpdate", "TicketDynamicFieldUpdate"]


# -- the database goes and comes back


@pytest.mark.parametrize("kind", ["postgresql", "mariadb"])
def test_a_database_that_was_away_is_used_again(
    kind: str, request: pytest.FixtureRequest, database_of: Callable[[str], str]
) -> None:
    url = database_of(kind)
    server: servers.PostgresqlServer = request.getfixturevalue(f"{kind}_server")
    otobo, store = Otobo(url), new_store(url)
    otobo.add_field("Phone")
    ticket_id = otobo.create_ticket("jdoe")
    made = plan(store.load([ticket_id], ["Phone"]), ticket_id, {"Phone": "1"})
    otobo.close()

    server.stop()
    try:
        with pytest.raises(TicketDatabaseUnavailable) as loading:
            store.load([ticket_id], ["Phone"])
        with pytest.raises(TicketDatabaseUnavailable):
            store.apply([made])
        with pytest.raises(TicketDatabaseUnavailable):
            store.labels([("Agent", "1")])
        with pytest.raises(TicketDatabaseUnavailable):
            store.check_schema()
    finally:
        server.start()

    assert "throw-away" not in str(loading.value)
    assert store.apply([made]) == {ticket_id: Applied(("Phone",))}
    assert otobo.values(ticket_id) == {"Phone": ["1"]}
    store.close()
    otobo.close()


def test_a_connection_that_was_closed_while_nobody_used_it_is_replaced_unnoticed(
    database_of: Callable[[str], str],
) -> None:
    url = database_of("postgresql")
    otobo, store = Otobo(url), new_store(url)
    otobo.add_field("Phone")
    ticket_id = otobo.create_ticket("jdoe")
    made = plan(store.load([ticket_id], ["Phone"]), ticket_id, {"Phone": "1"})
    with store._engine.connect() as kept:
        pid: int = kept.scalar(text("SELECT pg_backend_pid()"))

    with otobo.engine.connect() as other:
        assert other.scalar(text(f"SELECT pg_terminate_backend({pid}, 10000)"))

    assert store.apply([made]) == {ticket_id: Applied(("Phone",))}
    assert otobo.values(ticket_id) == {"Phone": ["1"]}
    store.close()
    otobo.close()


@pytest.mark.parametrize("kind", ["postgresql", "mariadb"])
def test_a_database_that_falls_silent_is_not_waited_for(
    kind: str, database_of: Callable[[str], str]
) -> None:
    url = make_url(database_of(kind))
    otobo = Otobo(url.render_as_string(hide_password=False))
    otobo.add_field("Phone")
    ticket_id = otobo.create_ticket("jdoe")
    with Line(url.port or 0) as line:
        engine = ticket_engine(
            url.set(host="127.0.0.1", port=line.port), statement_timeout=1.0, lock_timeout=1.0
        )
        store = SqlTicketStore(engine, worker_user=WORKER_LOGIN)
        made = plan(store.load([ticket_id], ["Phone"]), ticket_id, {"Phone": "1"})

        line.hold()
        with pytest.raises(TicketDatabaseUnavailable):
            store.load([ticket_id], ["Phone"])
        with pytest.raises(TicketDatabaseUnavailable):
            store.apply([made])
        line.release()

        assert store.apply([made]) == {ticket_id: Applied(("Phone",))}
        store.close()
    otobo.close()


@pytest.fixture
def database_of(request: pytest.FixtureRequest) -> Iterator[Callable[[str], str]]:
    """A seeded database of one kind, for tests that need its server."""
    from sqlalchemy import create_engine  # noqa: PLC0415

    from tests.otobo import seed  # noqa: PLC0415
    from worker.tickets.schema import create_all  # noqa: PLC0415

    made = []

    def create(kind: str) -> str:
        server = request.getfixturevalue(f"{kind}_server")
        url: str = server.create_database()
        made.append((server, url))
        engine = create_engine(url)
        create_all(engine)
        seed(engine)
        engine.dispose()
        return url

    yield create
    for server, url in made:
        server.drop_database(url)


def test_a_connection_that_is_lost_in_the_middle_rolls_everything_back(
    database_of: Callable[[str], str],
) -> None:
    url = database_of("postgresql")
    otobo, store = Otobo(url), new_store(url)
    otobo.add_field("Phone")
    ticket_id = otobo.create_ticket("jdoe")
    made = plan(store.load([ticket_id], ["Phone"]), ticket_id, {"Phone": "1"})

    def kill(connection: Any, _cur: Any, statement: str, *_: Any) -> None:
        if statement.startswith("INSERT INTO ticket_history"):
            pid = connection.connection.dbapi_connection.info.backend_pid
            with otobo.engine.connect() as other:
                other.execute(text(f"SELECT pg_terminate_backend({pid})"))

    event.listen(store._engine, "before_cursor_execute", kill)
    with pytest.raises(TicketDatabaseUnavailable):
        store.apply([made])
    event.remove(store._engine, "before_cursor_execute", kill)

    assert otobo.values(ticket_id) == {}
    assert store.apply([made]) == {ticket_id: Applied(("Phone",))}
    store.close()
    otobo.close()


def test_state_reprs_show_no_values(otobo: Otobo, store: SqlTicketStore) -> None:
    otobo.add_field("Phone")
    ticket_id = otobo.create_ticket("jdoe")
    otobo.set_value(ticket_id, "Phone", "a private number")

    state: TicketState = store.load([ticket_id], ["Phone"]).tickets[ticket_id]

    assert "private" not in repr(state)


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
def test_postgresql_does_not_compile_look_ups(database_url: str) -> None:
    engine = ticket_engine(database_url)
    with engine.connect() as connection:
        assert connection.exec_driver_sql("SHOW jit").scalar() == "off"
        connection.rollback()
        assert connection.exec_driver_sql("SHOW jit").scalar() == "off"
    engine.dispose()
