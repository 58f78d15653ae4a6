"""Did a screen's row come to stand beside one that we added, some time after our COMMIT?

OTOBO's ValueSet deletes, and inserts a moment later, each committed by itself. Where its DELETE
found nothing, for our row was not there yet, and its INSERT comes after everything that ``apply``
does, two rows stand for a field with one value, and OTOBO shows ours, the older one. The screen is
the later writer, so ours has to go.

Some seconds later the screen's history line is there, too. Only where that is the field's newest
line, ours is taken out: another worker, or this one, may have added rows of its own meanwhile.
"""

from collections import defaultdict
from functools import cache

from sqlalchemy import Connection, TextClause

from mapping.model import HistoryType
from mapping.precedence import may_name
from worker.tickets.lists import TICKETS, bound, statement
from worker.tickets.store import Added
from worker.tickets.system import TicketSystem

_CROWDED = """
SELECT object_id, field_id, COUNT(*) FROM dynamic_field_value
WHERE object_id {tickets} AND field_id {fields}
GROUP BY object_id, field_id HAVING COUNT(*) > 1
"""

_ROWS = """
SELECT object_id, field_id, id FROM dynamic_field_value
WHERE object_id {tickets} AND field_id {fields}
"""

_LINES = """
SELECT ticket_id, create_by, name FROM ticket_history
WHERE ticket_id {tickets} AND history_type_id = :field_update ORDER BY id
"""

_NAMES = "SELECT id, name FROM dynamic_field WHERE id {fields}"

_LOCK = "SELECT id FROM ticket WHERE id {tickets} ORDER BY id"


def crowded(connection: Connection, added: Added) -> Added:
    """The part of ``added`` where more rows stand than ours; one statement, and usually no row."""
    if not added:
        return {}
    dialect = connection.dialect.name
    found = connection.execute(_statement(dialect, _CROWDED), _asked(dialect, added)).all()
    counts = {(ticket_id, field_id): count for ticket_id, field_id, count in found}
    return {key: ids for key, ids in added.items() if counts.get(key, 0) > len(ids)}


def strangers_beside(connection: Connection, system: TicketSystem, added: Added) -> Added:
    """The part of ``added`` whose rows must go; the tickets are locked against other workers.

    Args:
        connection: in a writing transaction.
        system: the ids of this ticket system.
        added: what ``crowded`` gave.
    """
    dialect = connection.dialect.name
    asked = _asked(dialect, added)
    lock = _LOCK if dialect == "sqlite" else f"{_LOCK} FOR UPDATE"
    connection.execute(_statement(dialect, lock), {"tickets": asked["tickets"]}).all()
    present: dict[tuple[int, int], set[int]] = defaultdict(set)
    for ticket_id, field_id, id_ in connection.execute(_statement(dialect, _ROWS), asked).all():
        present[ticket_id, field_id].add(id_)
    named = connection.execute(_statement(dialect, _NAMES), {"fields": asked["fields"]}).all()
    names: dict[int, str] = dict(map(tuple, named))
    lines: dict[int, list[tuple[int, str]]] = defaultdict(list)
    asked_lines = {
        "tickets": asked["tickets"],
        "field_update": system.type_id(HistoryType.FIELD_UPDATE),
    }
    for ticket_id, author, name in connection.execute(_statement(dialect, _LINES), asked_lines):
        lines[ticket_id].append((author, name))

    def newest_is_foreign(ticket_id: int, field_id: int) -> bool:
        field = names.get(field_id, "")
        authors = [author for author, line in lines[ticket_id] if may_name(line, field)]
        return bool(authors) and authors[-1] != system.worker_id

    return {
        key: present[key] & set(ids)
        for key, ids in added.items()
        if present[key] & set(ids) and present[key] - set(ids) and newest_is_foreign(*key)
    }


def _asked(dialect: str, added: Added) -> dict[str, object]:
    return {
        "tickets": bound(dialect, sorted({ticket_id for ticket_id, _ in added})),
        "fields": bound(dialect, sorted({field_id for _, field_id in added})),
    }


@cache
def _statement(dialect: str, sql: str) -> TextClause:
    lists = {**TICKETS, "fields": "BIGINT"}
    return statement(
        dialect, sql, {name: kind for name, kind in lists.items() if f"{{{name}}}" in sql}
    )
