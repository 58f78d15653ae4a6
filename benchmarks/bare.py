"""What do the rows cost by themselves? Scripts that write them and do nothing else.

They know all ids and values beforehand, ask nobody and check nothing: they lock fifty tickets,
write their values and history lines from arrays, stamp the tickets and commit. No worker that asks
and compares can be quicker.
"""

import time
from collections.abc import Sequence
from multiprocessing import get_context
from typing import Any

import psycopg
from sqlalchemy import make_url

from benchmarks import world
from tests.otobo import WORKER

BATCH = 50
PROCESSES = 2

_LOCK = "SELECT id FROM ticket WHERE id = ANY(%s) ORDER BY id FOR UPDATE"
_ADD = """
INSERT INTO dynamic_field_value (field_id, object_id, value_text)
SELECT * FROM unnest(%s::int[], %s::bigint[], %s::text[])
"""
_OVERWRITE = """
UPDATE dynamic_field_value AS v SET value_text = new.text
FROM unnest(%s::bigint[], %s::text[]) AS new(id, text) WHERE v.id = new.id
"""
_LINES = f"""
INSERT INTO ticket_history (name, ticket_id, history_type_id, type_id, queue_id, owner_id,
    priority_id, state_id, create_time, create_by, change_time, change_by)
SELECT name, id, 28, 1, 1, 1, 3, 1, now(), {WORKER}, now(), {WORKER}
FROM unnest(%s::text[], %s::bigint[]) AS line(name, id)
"""
_TOUCH = f"UPDATE ticket SET change_time = now(), change_by = {WORKER} WHERE id = ANY(%s)"


def fill_rate(system: world.TicketSystem, per_customer_user: int) -> float:
    """Tickets a second of one process that fills empty fields.

    Args:
        system: its tickets belong to as many customer users in turn.
        per_customer_user: how many tickets each of them has.
    """
    with psycopg.connect(_address(system)) as connection:
        known: dict[str, int] = dict(
            connection.execute("SELECT name, id FROM dynamic_field").fetchall()
        )
        connection.commit()
        begin = time.perf_counter()
        for first in range(1, system.size + 1, BATCH):
            ids = list(range(first, min(first + BATCH, system.size + 1)))
            rows = [
                (known[field], id_, f"{column}-0-user{(id_ - 1) // per_customer_user + 1}", field)
                for id_ in ids
                for field, column in zip(world.FIELDS, world.COLUMNS, strict=True)
            ]
            fields, objects, values, names = (list(column) for column in zip(*rows, strict=True))
            lines = [_line(*one) for one in zip(names, values, strict=True)]
            connection.execute(_LOCK, (ids,))
            connection.execute(_ADD, (fields, objects, values))
            connection.execute(_LINES, (lines, objects))
            connection.execute(_TOUCH, (ids,))
            connection.commit()
        return system.size / (time.perf_counter() - begin)


def change_rate(system: world.TicketSystem, word: str) -> float:
    """Tickets a second of two processes that give every field another value.

    Args:
        system: its fields are filled.
        word: what tells the new values apart.
    """
    context = get_context("spawn")  # what was opened here already must not be shared
    ready = context.Barrier(PROCESSES + 1)
    scripts = [
        context.Process(target=_change, args=(_address(system), system.size, word, part, ready))
        for part in range(PROCESSES)
    ]
    for script in scripts:
        script.start()
    ready.wait()
    begin = time.perf_counter()
    for script in scripts:
        script.join()
    taken = time.perf_counter() - begin
    assert all(script.exitcode == 0 for script in scripts)
    return system.size / taken


def _change(address: str, tickets: int, word: str, part: int, ready: Any) -> None:
    """Work on every other batch, once both processes have made their values."""
    with psycopg.connect(address) as connection:
        batches = [
            _changes(connection, range(first, min(first + BATCH, tickets + 1)), word)
            for first in range(1 + part * BATCH, tickets + 1, PROCESSES * BATCH)
        ]
        connection.commit()
        ready.wait()
        for ids, rows, objects, values, lines in batches:
            connection.execute(_LOCK, (ids,))
            connection.execute(_OVERWRITE, (rows, values))
            connection.execute(_LINES, (lines, objects))
            connection.execute(_TOUCH, (ids,))
            connection.commit()


def _changes(
    connection: psycopg.Connection[Any], tickets: range, word: str
) -> tuple[Sequence[Any], ...]:
    """Ids of tickets and of their rows, and for each row its ticket, new value and line."""
    rows = connection.execute(
        "SELECT v.id, v.object_id, f.name, v.value_text "
        "FROM dynamic_field_value v JOIN dynamic_field f ON f.id = v.field_id "
        "WHERE v.object_id = ANY(%s) ORDER BY v.id",
        (list(tickets),),
    ).fetchall()
    columns = dict(zip(world.FIELDS, world.COLUMNS, strict=True))
    values = [f"{columns[field]}-{word}-user{ticket}" for _, ticket, field, _ in rows]
    lines = [
        _line(field, value, old) for (_, _, field, old), value in zip(rows, values, strict=True)
    ]
    return list(tickets), [row[0] for row in rows], [row[1] for row in rows], values, lines


def _line(field: str, value: str, old: str = "") -> str:
    return f"%%FieldName%%{field}%%Value%%{value}%%OldValue%%{old}"


def _address(system: world.TicketSystem) -> str:
    url = make_url(system.url).set(drivername="postgresql")
    return url.render_as_string(hide_password=False)
