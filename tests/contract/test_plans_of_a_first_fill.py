"""PostgreSQL goes by the tickets, also while its statistics know nothing of what was just written.

Before a first fill there are no values and no lines of the worker. The statistics say so until
autovacuum comes, and what they take for rare looks like the best way in: the lines of a type or
of an agent, the values of a field. A batch would read every ticket that was filled before it.
"""

import re
from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import Connection, event, insert, select, text

from tests.contract.test_interleavings import plan_for
from tests.otobo import WORKER, WORKER_LOGIN, Otobo, install
from tests.servers import PostgresqlServer
from worker.tickets import schema
from worker.tickets.engine import ticket_engine
from worker.tickets.sql import SqlTicketStore
from worker.tickets.store import Applied

FILLED = 3000
BATCH = 20
LARGE = ("ticket_history", "dynamic_field_value")

BY_TICKET = {"field_values", "ix_ticket_history_ticket_id"}
"""The indexes of these tables that lead to the rows of some tickets."""

INDEX = re.compile(r"Index (?:Only )?Scan using (\w+) on (?:ticket_history|dynamic_field_value) ")
BITMAP = re.compile(r"Bitmap Index Scan on (\w+)")
WHOLE = re.compile(r"Seq Scan on (ticket_history|dynamic_field_value) ")

_LINES = f"""
INSERT INTO ticket_history (name, history_type_id, ticket_id, type_id, queue_id, owner_id,
    priority_id, state_id, create_time, create_by, change_time, change_by)
SELECT '%%FieldName%%Phone%%Value%%1%%OldValue%%', 28, id, 1, 1, 1, 3, 1,
    now(), {WORKER}, now(), {WORKER} FROM ticket
"""
_VALUES = """
INSERT INTO dynamic_field_value (field_id, object_id, value_text)
SELECT f.id, t.id, 'x' || t.id FROM ticket t, dynamic_field f
"""


@pytest.fixture
def otobo(postgresql_server: PostgresqlServer) -> Iterator[Otobo]:
    url = postgresql_server.create_database(install)
    system = Otobo(url)
    system.add_fields(["Fax", "Phone"])
    yield system
    system.close()
    postgresql_server.drop_database(url)


@pytest.fixture
def batch(otobo: Otobo) -> list[int]:
    """Tickets to be filled, among many that were filled since the statistics were taken."""
    tickets = [otobo.create_ticket("jdoe") for _ in range(BATCH)]
    columns = [column for column in schema.ticket.c if column.name not in {"id", "tn"}]
    copies = select(text("'x' || ticket.id || '-' || n"), *columns).select_from(
        schema.ticket, text(f"generate_series(1, {FILLED // BATCH}) n")
    )
    with otobo.engine.connect() as connection:
        for table in LARGE:
            connection.execute(text(f"ALTER TABLE {table} SET (autovacuum_enabled = off)"))
        connection.execute(insert(schema.ticket).from_select(["tn", *columns], copies))
        connection.execute(text("ANALYZE"))
        only_copies = f"WHERE {{}} NOT IN ({', '.join(map(str, tickets))})"
        connection.execute(text(_LINES + only_copies.format("id")))
        connection.execute(text(_VALUES + only_copies.format("t.id")))
    return tickets


def explained(connection: Connection, statement: str, parameters: Any) -> str:
    with connection.connection.cursor() as cursor:
        cursor.execute("EXPLAIN " + statement, parameters)
        return "\n".join(row[0] for row in cursor.fetchall())


def test_a_batch_reads_its_own_tickets_alone(otobo: Otobo, batch: list[int]) -> None:
    engine = ticket_engine(otobo.engine.url)
    store = SqlTicketStore(engine, worker_user=WORKER_LOGIN)
    plans: dict[str, str] = {}

    def explain(connection: Connection, _: object, statement: str, *rest: Any) -> None:
        if any(table in statement for table in LARGE):
            plans[statement] = explained(connection, statement, rest[0])

    event.listen(engine, "before_cursor_execute", explain)

    made = [plan_for(store, ticket_id, Phone="1", Fax="2") for ticket_id in batch]
    results = store.apply(made)
    added = {
        (ticket_id, field_id): ids
        for ticket_id, result in results.items()
        if isinstance(result, Applied)
        for field_id, ids in result.added.items()
    }
    assert len(added) == 2 * BATCH
    assert store.take_out(added) == {}
    store.close()

    told = "\n".join(plans.values())
    assert {*INDEX.findall(told), *BITMAP.findall(told)} == BY_TICKET, told
    assert not WHOLE.findall(told), told
