"""A screen writes before, between and after our statements; the screen is never lost.

OTOBO's ValueSet is DELETE, INSERT, history line, each committed by itself and without a lock.
A test acts at an exact moment by way of the store's own connection, and never waits by the clock.
"""

import re
import threading
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import pytest
from sqlalchemy import event, text

from mapping.model import Change, Decision, FieldDecision, Plan, Reason, ValueRow
from tests.otobo import AGENT, ROOT, WORKER, WORKER_LOGIN, Otobo, install
from worker.tickets.engine import ticket_engine
from worker.tickets.sql import SqlTicketStore
from worker.tickets.store import Applied, Conflict, Result, TicketDatabaseUnavailable

Act = Callable[[], object]

FIELD_UPDATE = "TicketDynamicFieldUpdate"

ANY_VALUES = r"(UPDATE|INSERT INTO|DELETE FROM) dynamic_field_value"
STAMP = r"UPDATE ticket "
LOOK = r"SELECT (object_id, id, field_id.* UNION ALL SELECT |count)"
SECOND_LOOK = r"SELECT object_id, field_id FROM dynamic_field_value"


@pytest.fixture
def otobo(ticket_database: str) -> Iterator[Otobo]:
    system = Otobo(ticket_database)
    system.add_fields(["Fax", "Phone"])
    yield system
    system.close()


@pytest.fixture
def store(ticket_database: str) -> Iterator[SqlTicketStore]:
    ticket_store = SqlTicketStore(ticket_engine(ticket_database), worker_user=WORKER_LOGIN)
    yield ticket_store
    ticket_store.close()


@pytest.fixture(params=["postgresql", "mariadb"])
def ticket_database(request: pytest.FixtureRequest) -> Iterator[str]:
    """Databases that let others write while a transaction is open; SQLite never does."""
    server = request.getfixturevalue(f"{request.param}_server")
    url = server.create_database(install)
    yield url
    server.drop_database(url)


def plan_for(store: SqlTicketStore, ticket_id: int, **new: str | tuple[str, ...] | None) -> Plan:
    """A plan for both fields, made from what stands there now."""
    loaded = store.load([ticket_id], ["Fax", "Phone"])
    state = loaded.tickets[ticket_id]
    watched = {
        field.id: tuple(row.id or 0 for row in state.rows[name])
        for name, field in loaded.fields.items()
    }
    changes = []
    for name, value in new.items():
        field = loaded.fields[name]
        texts = (value,) if isinstance(value, str) else value or ()
        rows = tuple(ValueRow(value_text=item) for item in texts)
        changes.append(Change(field.id, name, watched[field.id], rows, "", ", ".join(texts)))
    return Plan(
        ticket_id=ticket_id,
        customer_user=state.customer_user,
        history_id=max(line.id for line in state.history),
        decisions=tuple(
            FieldDecision(name, Decision.WRITE, Reason.FOUND, ()) for name in loaded.fields
        ),
        changes=tuple(changes),
        watched=watched,
    )


@contextmanager
def before(store: SqlTicketStore, pattern: str, act: Act) -> Iterator[None]:
    """Act once, just before the store's first statement of a kind."""
    acted = []

    def hook(_c: object, _cur: object, statement: str, *_: object) -> None:
        if not acted and re.match(pattern, " ".join(statement.split())):
            acted.append(statement)
            act()

    event.listen(store._engine, "before_cursor_execute", hook)
    yield
    event.remove(store._engine, "before_cursor_execute", hook)
    assert acted, f"no statement like {pattern}"


@contextmanager
def before_commit(store: SqlTicketStore, act: Act) -> Iterator[None]:
    """Act once, after the look and just before COMMIT."""
    acted = []

    def hook(_connection: object) -> None:
        if not acted:
            acted.append(True)
            act()

    event.listen(store._engine, "commit", hook)
    yield
    event.remove(store._engine, "commit", hook)
    assert acted


def wait_until_somebody_waits(otobo: Otobo) -> None:
    """Return when a statement is seen to wait for a lock."""
    # InnoDB's table of transactions would not do: who asks it often is told the same again.
    waiting = {
        "postgresql": "SELECT count(*) FROM pg_locks WHERE NOT granted",
        "mysql": "SELECT CAST(variable_value AS INTEGER) FROM information_schema.global_status "
        "WHERE variable_name = 'innodb_row_lock_current_waits'",
    }[otobo.engine.dialect.name]
    deadline = time.monotonic() + 20
    with otobo.engine.connect() as connection:
        while not connection.execute(text(waiting)).scalar():
            assert time.monotonic() < deadline, "nobody waits"


# -- before our transaction


@pytest.mark.parametrize("old", ["old", None])
def test_a_value_that_a_screen_set_after_the_plan_stays(
    otobo: Otobo, store: SqlTicketStore, old: str | None
) -> None:
    ticket_id = otobo.create_ticket("jdoe")
    if old:
        otobo.insert_value(ticket_id, "Phone", value_text=old)
    plan = plan_for(store, ticket_id, Phone="ours", Fax="ours")
    otobo.set_value(ticket_id, "Phone", "screen")

    assert store.apply([plan]) == {ticket_id: Conflict("rows_changed")}
    assert otobo.values(ticket_id) == {"Phone": ["screen"]}
    assert otobo.lines(ticket_id, WORKER) == []


@pytest.mark.parametrize("new", ["ours", None])
def test_a_screen_between_its_delete_and_its_insert_is_not_written_over(
    otobo: Otobo, store: SqlTicketStore, new: str | None
) -> None:
    ticket_id = otobo.create_ticket("jdoe")
    otobo.insert_value(ticket_id, "Phone", value_text="old")
    plan = plan_for(store, ticket_id, Phone=new)
    otobo.delete_value(ticket_id, "Phone")

    assert store.apply([plan]) == {ticket_id: Conflict("rows_changed")}

    otobo.insert_value(ticket_id, "Phone", value_text="screen")
    assert otobo.values(ticket_id) == {"Phone": ["screen"]}


def test_a_change_of_a_field_that_was_only_looked_at_is_a_conflict(
    otobo: Otobo, store: SqlTicketStore
) -> None:
    ticket_id = otobo.create_ticket("jdoe")
    plan = plan_for(store, ticket_id, Phone="ours")
    otobo.insert_value(ticket_id, "Fax", value_text="screen")

    assert store.apply([plan]) == {ticket_id: Conflict("rows_changed")}
    assert otobo.values(ticket_id) == {"Fax": ["screen"]}


@pytest.mark.parametrize(
    ("line", "result"),
    [
        (("CustomerUpdate", "%%CustomerUser=jdoe;", ROOT), Conflict("foreign_line")),
        ((FIELD_UPDATE, "%%FieldName%%Fax%%Value%%%%OldValue%%", AGENT), Conflict("foreign_line")),
        ((FIELD_UPDATE, "%%FieldName%%Fax%%Value%%%%OldValue%%", WORKER), Conflict("foreign_line")),
        ((FIELD_UPDATE, "%%not to be read", AGENT), Conflict("foreign_line")),
        ((FIELD_UPDATE, "%%FieldName%%Room%%Value%%1%%OldValue%%", AGENT), Applied(("Phone",))),
        (("PriorityUpdate", "%%3 normal%%3%%5 very high%%5", AGENT), Applied(("Phone",))),
    ],
)
def test_a_line_behind_the_plan_counts_if_it_bears_on_it(
    otobo: Otobo, store: SqlTicketStore, line: tuple[str, str, int], result: object
) -> None:
    ticket_id = otobo.create_ticket("jdoe")
    plan = plan_for(store, ticket_id, Phone="ours")
    type_, name, user_id = line
    otobo.add_line(ticket_id, type_, name, user_id=user_id)

    assert store.apply([plan]) == {ticket_id: result}
    assert otobo.values(ticket_id) == ({"Phone": ["ours"]} if result == Applied(("Phone",)) else {})


def test_a_screen_that_writes_while_a_ticket_is_read_makes_the_plan_conflict(
    otobo: Otobo, store: SqlTicketStore
) -> None:
    ticket_id = otobo.create_ticket("jdoe")
    otobo.insert_value(ticket_id, "Phone", value_text="old")
    plan_for(store, ticket_id)
    with before(
        store,
        r"SELECT v\.value_text",
        lambda: otobo.set_value(ticket_id, "Phone", "screen"),
    ):
        plan = plan_for(store, ticket_id, Phone="ours")

    assert store.apply([plan]) == {ticket_id: Conflict("foreign_line")}
    assert otobo.values(ticket_id) == {"Phone": ["screen"]}


# -- between our statements


@pytest.mark.parametrize("moment", [ANY_VALUES, STAMP, LOOK])
@pytest.mark.parametrize("new", ["ours", ("a", "b")])
def test_a_row_that_a_screen_inserts_before_the_look_is_not_joined_by_ours(
    otobo: Otobo, store: SqlTicketStore, moment: str, new: str | tuple[str, ...]
) -> None:
    ticket_id = otobo.create_ticket("jdoe")
    plan = plan_for(store, ticket_id, Phone=new, Fax="ours")
    otobo.delete_value(ticket_id, "Phone")
    with before(store, moment, lambda: otobo.insert_value(ticket_id, "Phone", value_text="screen")):
        results = store.apply([plan])

    assert results == {ticket_id: Conflict("rows_changed")}
    assert otobo.values(ticket_id) == {"Phone": ["screen"]}
    assert otobo.lines(ticket_id, WORKER) == []


@pytest.mark.parametrize("new", ["ours", None])
def test_a_row_that_a_screen_replaces_under_our_lock_is_not_written_over(
    otobo: Otobo, store: SqlTicketStore, new: str | None
) -> None:
    ticket_id = otobo.create_ticket("jdoe")
    otobo.insert_value(ticket_id, "Phone", value_text="old")
    plan = plan_for(store, ticket_id, Phone=new)

    def screen() -> None:
        otobo.delete_value(ticket_id, "Phone")
        otobo.insert_value(ticket_id, "Phone", value_text="screen")

    with before(store, ANY_VALUES, screen):
        results = store.apply([plan])

    assert results == {ticket_id: Conflict("rows_changed")}
    assert otobo.values(ticket_id) == {"Phone": ["screen"]}


def test_a_screen_that_gave_up_in_the_middle_makes_everybody_plan_anew(
    otobo: Otobo, store: SqlTicketStore
) -> None:
    ticket_id = otobo.create_ticket("jdoe")
    row_id = otobo.insert_value(ticket_id, "Phone", value_text="old")
    plan = plan_for(store, ticket_id, Phone="ours")

    def put_back() -> None:
        otobo.insert_value(ticket_id, "Phone", value_text="old", id=row_id)

    with (
        before(store, ANY_VALUES, lambda: otobo.delete_value(ticket_id, "Phone")),
        before(store, LOOK, put_back),
    ):
        results = store.apply([plan])

    assert results == {ticket_id: Conflict("rows_changed")}
    assert otobo.values(ticket_id) == {"Phone": ["old"]}


def test_a_conflict_on_one_ticket_does_not_hold_up_the_others(
    otobo: Otobo, store: SqlTicketStore
) -> None:
    ids = [otobo.create_ticket(f"user{number}") for number in range(4)]
    for ticket_id in ids[:2]:
        otobo.insert_value(ticket_id, "Phone", value_text="old")
    plans = [plan_for(store, i, Phone="ours", Fax="ours") for i in ids]

    def screens() -> None:
        otobo.delete_value(ids[0], "Phone")
        otobo.insert_value(ids[2], "Phone", value_text="screen")

    with before(store, ANY_VALUES, screens):
        results = store.apply(plans)

    assert results == {
        ids[0]: Conflict("rows_changed"),
        ids[1]: Applied(("Phone", "Fax")),
        ids[2]: Conflict("rows_changed"),
        ids[3]: Applied(("Phone", "Fax")),
    }
    assert [otobo.values(i) for i in ids] == [
        {},
        {"Phone": ["ours"], "Fax": ["ours"]},
        {"Phone": ["screen"]},
        {"Phone": ["ours"], "Fax": ["ours"]},
    ]
    assert [len(otobo.lines(i, WORKER)) for i in ids] == [0, 2, 0, 2]
    assert otobo.ticket(ids[0]).change_by == ROOT


# -- after the look


def test_our_row_is_taken_back_where_a_screens_insert_came_before_commit(
    otobo: Otobo, store: SqlTicketStore
) -> None:
    ticket_id = otobo.create_ticket("jdoe")
    plan = plan_for(store, ticket_id, Phone="ours", Fax="ours")
    otobo.delete_value(ticket_id, "Phone")
    with before_commit(store, lambda: otobo.insert_value(ticket_id, "Phone", value_text="screen")):
        results = store.apply([plan])

    assert results == {ticket_id: Applied(("Fax",))}
    assert otobo.values(ticket_id) == {"Fax": ["ours"], "Phone": ["screen"]}


def test_our_row_is_taken_back_where_a_screens_insert_came_after_commit(
    otobo: Otobo, store: SqlTicketStore
) -> None:
    ticket_id = otobo.create_ticket("jdoe")
    plan = plan_for(store, ticket_id, Phone=("a", "b"))
    otobo.delete_value(ticket_id, "Phone")
    with before(
        store,
        SECOND_LOOK,
        lambda: otobo.insert_value(ticket_id, "Phone", value_text="screen"),
    ):
        results = store.apply([plan])

    assert results == {ticket_id: Applied(())}
    assert otobo.values(ticket_id) == {"Phone": ["screen"]}


def test_a_screen_that_writes_after_us_needs_no_help(otobo: Otobo, store: SqlTicketStore) -> None:
    ticket_id = otobo.create_ticket("jdoe")
    plan = plan_for(store, ticket_id, Phone="ours")
    with before(store, SECOND_LOOK, lambda: otobo.set_value(ticket_id, "Phone", "screen")):
        store.apply([plan])

    assert otobo.values(ticket_id) == {"Phone": ["screen"]}


@pytest.mark.parametrize("new", ["ours", None])
def test_a_delete_that_waited_for_our_commit_takes_our_value_along(
    otobo: Otobo, store: SqlTicketStore, new: str | None
) -> None:
    ticket_id = otobo.create_ticket("jdoe")
    otobo.insert_value(ticket_id, "Phone", value_text="old")
    plan = plan_for(store, ticket_id, Phone=new)
    with ThreadPoolExecutor(1) as threads:
        screens = []

        def begin_to_delete() -> None:
            screens.append(threads.submit(otobo.delete_value, ticket_id, "Phone"))
            wait_until_somebody_waits(otobo)

        with before(store, STAMP, begin_to_delete):
            results = store.apply([plan])
        # The INSERT comes as late as it can: after everything that apply does.
        screens[0].result()
        otobo.insert_value(ticket_id, "Phone", value_text="screen")

    assert results == {ticket_id: Applied(("Phone",))}
    assert otobo.values(ticket_id) == {"Phone": ["screen"]}


# -- two writers


def test_of_two_workers_with_the_same_plan_one_writes(
    otobo: Otobo, store: SqlTicketStore, ticket_database: str
) -> None:
    ids = [otobo.create_ticket(f"user{number}") for number in range(10)]
    other = SqlTicketStore(ticket_engine(ticket_database), worker_user=WORKER_LOGIN)
    plans = [plan_for(store, i, Phone="ours") for i in ids]
    start = threading.Barrier(2)

    def work(worker: SqlTicketStore) -> Any:
        start.wait(10)
        return worker.apply(plans)

    with ThreadPoolExecutor(2) as threads:
        first, second = threads.map(work, (store, other))
    other.close()

    for ticket_id in ids:
        outcomes = {type(first[ticket_id]), type(second[ticket_id])}
        assert outcomes == {Applied, Conflict}
        assert otobo.values(ticket_id) == {"Phone": ["ours"]}
        assert len(otobo.lines(ticket_id, WORKER)) == 1


def test_the_loser_of_a_deadlock_begins_again(otobo: Otobo, store: SqlTicketStore) -> None:
    ids = [otobo.create_ticket(f"user{number}") for number in range(2)]
    plans = [plan_for(store, i, Phone="ours") for i in ids]
    begun = []
    event.listen(store._engine, "begin", begun.append)
    holding = threading.Event()

    def turn_around() -> None:
        """Lock the tickets in the order of their ids turned around, as an OTOBO may do."""
        engine = otobo.engine.execution_options(isolation_level="READ COMMITTED")
        with engine.begin() as connection:
            stamp = text("UPDATE ticket SET title = 'mine' WHERE id = :id")
            connection.execute(stamp, {"id": ids[1]})
            holding.set()
            wait_until_somebody_waits(otobo)
            connection.execute(stamp, {"id": ids[0]})

    with ThreadPoolExecutor(1) as threads:
        other = threads.submit(turn_around)
        assert holding.wait(10)
        begun.clear()
        results = store.apply(plans)
        other.result()

    assert set(results.values()) == {Applied(("Phone",))}
    assert len(begun) >= 2 + 1  # two transactions and the second look
    assert [otobo.values(i) for i in ids] == [{"Phone": ["ours"]}] * 2


def test_a_lock_that_is_never_given_up_makes_the_database_unavailable(
    otobo: Otobo, ticket_database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("worker.tickets.sql.REPEATS", 1)
    engine = ticket_engine(ticket_database, lock_timeout=0.1)
    store = SqlTicketStore(engine, worker_user=WORKER_LOGIN)
    ticket_id = otobo.create_ticket("jdoe")
    plan = plan_for(store, ticket_id, Phone="ours")
    holder = otobo.engine.execution_options(isolation_level="READ COMMITTED")
    with holder.begin() as connection:
        connection.execute(text("UPDATE ticket SET title = 'mine'"))
        with pytest.raises(TicketDatabaseUnavailable, match=r"55P03|1205"):
            store.apply([plan])

    assert store.apply([plan]) == {ticket_id: Applied(("Phone",))}
    store.close()


def test_a_statement_that_takes_too_long_makes_the_database_unavailable(
    otobo: Otobo, ticket_database: str
) -> None:
    engine = ticket_engine(ticket_database, statement_timeout=1.0, lock_timeout=60)
    store = SqlTicketStore(engine, worker_user=WORKER_LOGIN)
    ticket_id = otobo.create_ticket("jdoe")
    plan = plan_for(store, ticket_id, Phone="ours")
    holder = otobo.engine.execution_options(isolation_level="READ COMMITTED")
    with holder.begin() as connection:
        connection.execute(text("UPDATE ticket SET title = 'mine'"))
        with pytest.raises(TicketDatabaseUnavailable, match=r"57014|1969"):
            store.apply([plan])
    store.close()


# -- long after COMMIT


def added(results: Mapping[int, Result]) -> dict[tuple[int, int], Collection[int]]:
    """What a second look is to be told."""
    return {
        (ticket_id, field_id): ids
        for ticket_id, result in results.items()
        if isinstance(result, Applied)
        for field_id, ids in result.added.items()
    }


@pytest.mark.parametrize("new", ["ours", ("a", "b")])
def test_our_row_is_taken_out_where_a_screens_insert_came_after_all_that_apply_does(
    otobo: Otobo, store: SqlTicketStore, new: str | tuple[str, ...]
) -> None:
    ticket_id = otobo.create_ticket("jdoe")
    plan = plan_for(store, ticket_id, Phone=new, Fax="ours")
    if otobo.engine.dialect.name == "postgresql":
        # The screen's DELETE passes by our row, which is not committed yet.
        with before_commit(store, lambda: otobo.delete_value(ticket_id, "Phone")):
            results = store.apply([plan])
    else:
        # It would wait for us, and take our row along. One that came before found nothing.
        assert otobo.delete_value(ticket_id, "Phone") == 0
        results = store.apply([plan])
    otobo.insert_value(ticket_id, "Phone", value_text="screen")
    assert len(otobo.values(ticket_id)["Phone"]) == len(plan.changes[0].insert) + 1

    assert store.take_out(added(results)) == {}, "its history line is not there yet"
    otobo.add_line(
        ticket_id, FIELD_UPDATE, "%%FieldName%%Phone%%Value%%screen%%OldValue%%", user_id=AGENT
    )
    taken = store.take_out(added(results))

    phone = plan.changes[0].field_id
    assert taken == {(ticket_id, phone): set(added(results)[ticket_id, phone])}
    assert otobo.values(ticket_id) == {"Fax": ["ours"], "Phone": ["screen"]}
    assert store.take_out(added(results)) == {}


def test_our_row_is_taken_out_of_a_field_that_a_screen_had_begun_to_empty(
    otobo: Otobo, store: SqlTicketStore
) -> None:
    ticket_id = otobo.create_ticket("jdoe")
    otobo.insert_value(ticket_id, "Phone", value_text="old")
    plan = plan_for(store, ticket_id, Phone="ours", Fax="ours")
    otobo.delete_value(ticket_id, "Phone")  # the screen's, and it inserts nothing
    assert isinstance(store.apply([plan])[ticket_id], Conflict)
    plan = plan_for(store, ticket_id, Phone="ours", Fax="ours")
    results = store.apply([plan])
    ours = added(results)
    assert {field_id for _, field_id in ours} == {change.field_id for change in plan.changes}

    assert store.take_out(ours) == {}, "its history line is not there yet"
    for line in (
        "%%FieldName%%PhoneExtension%%Value%%%%OldValue%%old",
        "%%FieldName%%Pho[...]%%Value%%%%OldValue%%old",
    ):
        otobo.add_line(ticket_id, FIELD_UPDATE, line, user_id=AGENT)
        assert store.take_out(ours) == {}, "nobody can say that it is about this field"
    line = "%%FieldName%%Phone%%Value%%%%OldValue%%old"
    otobo.add_line(ticket_id, FIELD_UPDATE, line, user_id=AGENT)
    taken = store.take_out(ours)

    phone = plan.changes[0].field_id
    assert taken == {(ticket_id, phone): set(ours[ticket_id, phone])}
    assert otobo.values(ticket_id) == {"Fax": ["ours"]}


def test_our_row_stays_where_a_screen_wrote_before_us(otobo: Otobo, store: SqlTicketStore) -> None:
    ticket_id = otobo.create_ticket("jdoe")
    line = "%%FieldName%%Phone%%Value%%%%OldValue%%old"
    otobo.add_line(ticket_id, FIELD_UPDATE, line, user_id=AGENT)
    results = store.apply([plan_for(store, ticket_id, Phone="ours")])

    assert store.take_out(added(results)) == {}
    assert otobo.values(ticket_id) == {"Phone": ["ours"]}


def test_a_second_look_waits_for_a_worker_who_writes(
    otobo: Otobo, store: SqlTicketStore, ticket_database: str
) -> None:
    ticket_id = otobo.create_ticket("jdoe")
    results = store.apply([plan_for(store, ticket_id, Phone="ours")])
    otobo.insert_value(ticket_id, "Phone", value_text="screen")
    otobo.add_line(
        ticket_id, FIELD_UPDATE, "%%FieldName%%Phone%%Value%%screen%%OldValue%%", user_id=AGENT
    )
    other = SqlTicketStore(ticket_engine(ticket_database), worker_user=WORKER_LOGIN)
    plan = plan_for(other, ticket_id, Phone="newer")
    with ThreadPoolExecutor(1) as threads:
        looks = []

        def begin_to_look() -> None:
            looks.append(threads.submit(store.take_out, added(results)))
            wait_until_somebody_waits(otobo)

        with before(other, STAMP, begin_to_look):
            other.apply([plan])
        assert looks[0].result() == {}, "the newest line is a worker's"
    other.close()

    assert otobo.values(ticket_id) == {"Phone": ["newer"]}
