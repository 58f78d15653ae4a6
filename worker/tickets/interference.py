"""Has somebody else written since a ticket was read, before COMMIT or beside it?

Rows are compared by id with those that the plan saw. Our own uncommitted rows and lines are
there for sure, so counting tells foreign ones from ours, on databases that cannot say which ids
they gave as well. PostgreSQL counts by itself: ``is_ours_alone`` spares reading every row and line
of a batch in which nobody interfered, as it nearly always is.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any, NamedTuple

from sqlalchemy import Connection, TextClause

from mapping.model import HistoryType, Plan
from mapping.precedence import may_name
from worker.tickets.lists import POSTGRESQL, TICKETS, bound, statement
from worker.tickets.store import Conflict
from worker.tickets.system import TicketSystem

_LOOK = """
SELECT object_id, id, field_id, 0, '', 0 FROM dynamic_field_value
WHERE object_id {tickets} AND field_id {fields}
UNION ALL
SELECT ticket_id, id, history_type_id, create_by, name, 1 FROM ticket_history
WHERE ticket_id {tickets} AND id > :behind
AND history_type_id + 0 IN (:customer_update, :field_update)
"""

# With the line of each plan instead of the first line of all of them: half as many rows to read.
_LOOK_BEHIND_EACH = """
SELECT object_id, id, field_id, 0, '', 0 FROM dynamic_field_value
WHERE object_id {tickets} AND field_id {fields}
UNION ALL
SELECT ticket_id, id, history_type_id, create_by, name, 1
FROM unnest(CAST(:tickets AS BIGINT[]), CAST(:behind AS BIGINT[])) AS plan(ticket, behind)
JOIN ticket_history ON ticket_id = ticket AND id > behind
WHERE history_type_id + 0 IN (:customer_update, :field_update)
"""

_COUNT = """
SELECT count(*), count(*) FILTER (WHERE id IN (SELECT unnest(CAST(:known AS BIGINT[])))), (
    SELECT count(*)
    FROM unnest(CAST(:tickets AS BIGINT[]), CAST(:behind AS BIGINT[])) AS plan(ticket, behind)
    JOIN ticket_history ON ticket_id = ticket AND id > behind
    WHERE history_type_id + 0 IN (:customer_update, :field_update))
FROM dynamic_field_value WHERE object_id {tickets} AND field_id {fields}
"""

_STRANGERS = """
SELECT object_id, field_id FROM dynamic_field_value
WHERE object_id {tickets} AND field_id {fields} AND NOT id {ours}
"""

# Here a list of ids is made a table, which is searched in one step and not from its beginning.
_STRANGERS_POSTGRESQL = """
SELECT object_id, field_id FROM dynamic_field_value
WHERE object_id {tickets} AND field_id {fields}
AND id NOT IN (SELECT unnest(CAST(:ours AS BIGINT[])))
"""


class Line(NamedTuple):
    """A line of ``ticket_history`` behind the one that a plan rests on."""

    id: int
    type_id: int
    create_by: int
    name: str


@dataclass(frozen=True, slots=True)
class Seen:
    """What a look found.

    Attributes:
        rows: ids of value rows, by ticket id and field id.
        lines: by ticket id.
    """

    rows: dict[tuple[int, int], list[int]] = field(default_factory=lambda: defaultdict(list))
    lines: dict[int, list[Line]] = field(default_factory=lambda: defaultdict(list))


def look(connection: Connection, system: TicketSystem, plans: Sequence[Plan]) -> Seen:
    """The value rows of all watched fields, and the lines behind the plans, in one statement."""
    dialect = connection.dialect.name
    sql = _LOOK_BEHIND_EACH if dialect == POSTGRESQL else _LOOK
    seen = Seen()
    rows, lines = seen.rows, seen.lines
    found = connection.execute(_statement(dialect, sql), _asked(dialect, system, plans)).all()
    for ticket_id, id_, kind, author, name, is_line in found:
        if is_line:
            lines[ticket_id].append(Line(id_, kind, author, name))
        else:
            rows[ticket_id, kind].append(id_)
    return seen


def is_ours_alone(
    connection: Connection,
    system: TicketSystem,
    plans: Sequence[Plan],
    ours: Sequence[int],
    *,
    lines: bool,
) -> bool:
    """Whether the fields of written plans hold the rows that were read, and nobody wrote a line.

    Nothing is concluded from a no: ``look`` tells more, and so it does on databases other than
    PostgreSQL, where the answer is always no.

    Args:
        connection: in the transaction that wrote.
        system: the ids of this ticket system.
        plans: all that the transaction wrote.
        ours: ids of the value rows that hold the new values.
        lines: whether a line was written for each change.
    """
    dialect = connection.dialect.name
    if dialect != POSTGRESQL:
        return False
    known = list(ours)
    for plan in plans:
        changed = {change.field_id for change in plan.changes}
        if changed != plan.watched.keys():
            for field_id, ids in plan.watched.items():
                known += ids if field_id not in changed else ()
    asked = _asked(dialect, system, plans) | {"known": bound(dialect, known)}
    rows, found_again, found = connection.execute(_statement(dialect, _COUNT), asked).one()
    written = sum([len(plan.changes) for plan in plans]) if lines else 0
    return bool(rows == found_again == len(known) and found == written)


def compare(
    plans: Sequence[Plan], seen: Seen, system: TicketSystem, *, written: bool, lines: bool = True
) -> dict[int, Conflict]:
    """Which tickets are not as their plans say, before or after they are written?

    Args:
        plans: for different tickets.
        seen: what stands there.
        system: the ids of this ticket system.
        written: whether the plans were written.
        lines: whether a line was written for each change then.
    """
    conflicts = {}
    for plan in plans:
        if _has_foreign_row(plan, seen, written=written):
            conflicts[plan.ticket_id] = Conflict("rows_changed")
        elif _has_foreign_line(plan, seen, system, len(plan.changes) if written and lines else 0):
            conflicts[plan.ticket_id] = Conflict("foreign_line")
    return conflicts


def find_conflicts(
    connection: Connection, system: TicketSystem, plans: Sequence[Plan]
) -> Mapping[int, Conflict]:
    """Which tickets are no longer as their plans saw them, none of the plans being written?

    When all look untouched, whoever was in the way has gone: then all are planned anew.
    """
    found = compare(plans, look(connection, system, plans), system, written=False)
    return found or {plan.ticket_id: Conflict("rows_changed") for plan in plans}


def take_back(
    connection: Connection, ours: Mapping[tuple[int, int], frozenset[int]]
) -> Mapping[tuple[int, int], frozenset[int]]:
    """The second look, after COMMIT: which of our rows have a stranger beside them?

    Such a row was inserted by a screen whose DELETE came before our row could be seen; the
    screen is the later one, so ours has to go. A screen that found no row to delete before our
    COMMIT and inserts only after this look is seen by ``second_look``, some seconds later.

    Args:
        connection: to the ticket database.
        ours: ``Written.beside``.

    Returns:
        The part of ``ours`` that must be deleted.
    """
    dialect = connection.dialect.name
    asked = {
        "tickets": bound(dialect, sorted({ticket_id for ticket_id, _ in ours})),
        "fields": bound(dialect, sorted({field_id for _, field_id in ours})),
        "ours": bound(dialect, [id_ for ids in ours.values() for id_ in ids]),
    }
    sql = _STRANGERS_POSTGRESQL if dialect == POSTGRESQL else _STRANGERS
    found = connection.execute(_statement(dialect, sql), asked).all()
    joined = set(map(tuple, found))
    return {key: ids for key, ids in ours.items() if key in joined}


def _asked(dialect: str, system: TicketSystem, plans: Sequence[Plan]) -> dict[str, Any]:
    """What is bound to a statement about the watched fields and the lines behind the plans."""
    fields: set[int] = set()
    for plan in plans:
        fields.update(plan.watched)
        fields.update([change.field_id for change in plan.changes])
    behind = [plan.history_id for plan in plans]
    return {
        "tickets": bound(dialect, [plan.ticket_id for plan in plans]),
        "fields": bound(dialect, sorted(fields)),
        "behind": bound(dialect, behind) if dialect == POSTGRESQL else min(behind),
        "customer_update": system.type_id(HistoryType.CUSTOMER_UPDATE),
        "field_update": system.type_id(HistoryType.FIELD_UPDATE),
    }


@cache
def _statement(dialect: str, sql: str) -> TextClause:
    lists = {**TICKETS, "fields": "BIGINT", "ours": "BIGINT"}
    return statement(
        dialect, sql, {name: kind for name, kind in lists.items() if f"{{{name}}}" in sql}
    )


def _has_foreign_row(plan: Plan, seen: Seen, *, written: bool) -> bool:
    """Whether other rows stand in the plan's fields than those that were read, and ours.

    Our rows are there for sure, so counting tells whether there are foreign ones.
    """
    rows, ticket_id = seen.rows, plan.ticket_id
    kept: dict[int, Sequence[int]] = dict(plan.watched)
    new: dict[int, int] = {}
    for change in plan.changes:
        old: Sequence[int] = change.delete_ids
        if written and len(old) != len(change.insert):
            old = sorted(old)[: len(change.insert)]
            new[change.field_id] = len(change.insert) - len(old)
        kept[change.field_id] = old
    for field_id, ids in kept.items():
        found = rows.get((ticket_id, field_id), ())
        if len(found) != len(ids) + new.get(field_id, 0):
            return True
        for id_ in ids:
            if id_ not in found:
                return True
    return False


def _has_foreign_line(plan: Plan, seen: Seen, system: TicketSystem, ours: int) -> bool:
    """Whether somebody wrote a line behind the plan that bears on what it decided."""
    lines = [line for line in seen.lines.get(plan.ticket_id, ()) if line.id > plan.history_id]
    updates = [line for line in lines if line.type_id == system.type_id(HistoryType.FIELD_UPDATE)]
    foreign = [line for line in updates if line.create_by != system.worker_id]
    if len(lines) != len(updates):
        return True  # the customer user was set, maybe to the same one: that moves the anchor
    if len(updates) - len(foreign) != ours:
        return True  # another worker wrote before we got the lock
    if not foreign:
        return False
    names = {decision.field for decision in plan.decisions}
    names |= {change.field_name for change in plan.changes}
    return any(may_name(line.name, name) for line in foreign for name in names)
