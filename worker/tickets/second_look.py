"""Was a screen in the middle of writing a field when we added a row to it?

OTOBO's ValueSet deletes, and inserts a moment later, each committed by itself. Where its DELETE
found nothing, for our row was not there yet, and its INSERT comes after everything that ``apply``
does, two rows stand for a field with one value, and OTOBO shows ours, the older one. Where the
screen empties the field it inserts nothing, and our row stands alone. The screen is the later
writer, so ours has to go.

Some seconds later the screen's history line is there, too. Only where that is the field's newest
line, ours is taken out: another worker, or this one, may have added rows of its own meanwhile. And
a row that stands alone goes only if that line says that the field is empty.
"""

from collections import defaultdict
from functools import cache

from sqlalchemy import Connection, TextClause

from mapping.model import HistoryType
from mapping.precedence import may_name
from worker.tickets.history import FIELD_MARK, OLD_MARK, VALUE_MARK
from worker.tickets.lists import TICKETS, bound, statement
from worker.tickets.store import Added
from worker.tickets.system import TicketSystem

_DOUBTFUL = """
SELECT object_id, field_id, COUNT(*) FROM dynamic_field_value
WHERE object_id {tickets} AND field_id {fields}
GROUP BY object_id, field_id HAVING COUNT(*) > 1
UNION ALL
SELECT DISTINCT ours.ticket_id, 0, 0
FROM ticket_history ours JOIN ticket_history theirs
ON theirs.ticket_id = ours.ticket_id AND theirs.id > ours.id
WHERE ours.ticket_id {tickets}
AND ours.history_type_id + 0 = :field_update AND ours.create_by = :worker
AND theirs.history_type_id + 0 = :field_update AND theirs.create_by <> :worker
"""
# By the tickets' index, never by that of the types: where many lines have just been written, the
# database does not know yet how many have this one.

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


def doubtful(connection: Connection, system: TicketSystem, added: Added) -> Added:
    """The part of ``added`` that must be looked at closely; one statement, and usually no row.

    More rows stand there than ours, or somebody wrote a field of the ticket after us.
    """
    if not added:
        return {}
    dialect = connection.dialect.name
    asked = {
        **_asked(dialect, added),
        "field_update": system.type_id(HistoryType.FIELD_UPDATE),
        "worker": system.worker_id,
    }
    found = connection.execute(_statement(dialect, _DOUBTFUL), asked).all()
    counts = {(ticket_id, field_id): count for ticket_id, field_id, count in found}
    overwritten = {ticket_id for ticket_id, field_id, _ in found if not field_id}
    return {
        key: ids
        for key, ids in added.items()
        if key[0] in overwritten or counts.get(key, 0) > len(ids)
    }


def overruled(connection: Connection, system: TicketSystem, added: Added) -> Added:
    """The part of ``added`` whose rows must go; the tickets are locked against other workers.

    Args:
        connection: in a writing transaction.
        system: the ids of this ticket system.
        added: what ``doubtful`` gave.
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

    def is_overruled(key: tuple[int, int], *, alone: bool) -> bool:
        ticket_id, field_id = key
        field = names.get(field_id, "")
        of_field = [(author, line) for author, line in lines[ticket_id] if may_name(line, field)]
        if not of_field or of_field[-1][0] == system.worker_id:
            return False
        return not alone or of_field[-1][1].startswith(_emptied(field))

    return {
        key: ours
        for key, ids in added.items()
        if (ours := present[key] & set(ids)) and is_overruled(key, alone=present[key] == ours)
    }


def _emptied(field: str) -> str:
    """How a line begins that says that a field has no value any more."""
    return f"{FIELD_MARK}{field}{VALUE_MARK}{OLD_MARK}"


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
