"""Has somebody else written since a ticket was read, before COMMIT or beside it?

Rows are compared by id with those that the plan saw. Our own uncommitted rows and lines are
there for sure, so counting tells foreign ones from ours, on databases that cannot say which ids
they gave as well.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, Row, literal, select, union_all

from mapping.model import Change, HistoryType, Plan, ValueRow
from mapping.precedence import may_name
from worker.tickets import schema
from worker.tickets.store import Conflict
from worker.tickets.system import TicketSystem


@dataclass(slots=True)
class Seen:
    """What the look before COMMIT found for one ticket."""

    rows: dict[int, set[int]] = field(default_factory=lambda: defaultdict(set))
    lines: list[Row[Any]] = field(default_factory=list)


def added_rows(change: Change) -> tuple[ValueRow, ...]:
    """The new rows that find no old row to be written into."""
    return change.insert[len(change.delete_ids) :]


def look(connection: Connection, system: TicketSystem, plans: Sequence[Plan]) -> Mapping[int, Seen]:
    """The value rows of all watched fields, and the lines behind the plans, in one statement."""
    value, line = schema.dynamic_field_value.c, schema.ticket_history.c
    ids = [plan.ticket_id for plan in plans]
    watched = {id_ for plan in plans for id_ in _expected(plan, written=True)}
    rows = (
        select(value.object_id.label("ticket_id"), value.id.label("id"))
        .add_columns(value.field_id.label("kind"), literal(0).label("create_by"))
        .add_columns(literal("").label("name"), literal(0).label("is_line"))
        .where(value.object_id.in_(ids), value.field_id.in_(sorted(watched)))
    )
    types = [system.type_id(HistoryType.CUSTOMER_UPDATE), system.type_id(HistoryType.FIELD_UPDATE)]
    lines = (
        select(line.ticket_id, line.id, line.history_type_id, line.create_by, line.name, literal(1))
        .where(line.ticket_id.in_(ids), line.history_type_id.in_(types))
        .where(line.id > min(plan.history_id for plan in plans))
    )
    seen: dict[int, Seen] = defaultdict(Seen)
    for row in connection.execute(union_all(rows, lines)):
        if row.is_line:
            seen[row.ticket_id].lines.append(row)
        else:
            seen[row.ticket_id].rows[row.kind].add(row.id)
    return seen


def compare(
    plans: Sequence[Plan], seen: Mapping[int, Seen], system: TicketSystem, *, written: bool
) -> dict[int, Conflict]:
    """Which tickets are not as their plans say, before or after they are written?"""
    conflicts = {}
    for plan in plans:
        found = seen.get(plan.ticket_id, Seen())
        # Our rows are there for sure, so counting tells whether there are foreign ones.
        if any(
            not kept <= found.rows[field_id] or len(found.rows[field_id] - kept) != new
            for field_id, (kept, new) in _expected(plan, written=written).items()
        ):
            conflicts[plan.ticket_id] = Conflict("rows_changed")
        elif _has_foreign_line(plan, found, system, ours=len(plan.changes) if written else 0):
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
    screen is the later one, so ours has to go. What stays unseen is a screen that found no row
    to delete before our COMMIT and inserts only after this look: both rows stand then, until
    either side writes the field again.

    Args:
        connection: to the ticket database.
        ours: ``Written.beside``.

    Returns:
        The part of ``ours`` that must be deleted; costs no statement when nothing was added.
    """
    if not ours:
        return {}
    value = schema.dynamic_field_value.c
    present: dict[tuple[int, int], set[int]] = defaultdict(set)
    for row in connection.execute(
        select(value.object_id, value.field_id, value.id)
        .where(value.object_id.in_(sorted({ticket_id for ticket_id, _ in ours})))
        .where(value.field_id.in_(sorted({field_id for _, field_id in ours})))
    ):
        present[row.object_id, row.field_id].add(row.id)
    return {key: ids for key, ids in ours.items() if present[key] - ids}


def _expected(plan: Plan, *, written: bool) -> Mapping[int, tuple[set[int], int]]:
    """For each field of a plan: the ids that must still be there, and how many must be new."""
    expected = {field_id: (set(ids), 0) for field_id, ids in plan.watched.items()}
    for change in plan.changes:
        old = sorted(change.delete_ids)
        kept = old[: len(change.insert)] if written else old
        expected[change.field_id] = (set(kept), len(added_rows(change)) if written else 0)
    return expected


def _has_foreign_line(plan: Plan, found: Seen, system: TicketSystem, *, ours: int) -> bool:
    """Whether somebody wrote a line behind the plan that bears on what it decided."""
    names = {decision.field for decision in plan.decisions}
    names |= {change.field_name for change in plan.changes}
    lines = [line for line in found.lines if line.id > plan.history_id]
    updates = [line for line in lines if line.kind == system.type_id(HistoryType.FIELD_UPDATE)]
    by_worker = [line for line in updates if line.create_by == system.worker_id]
    return (
        # The customer user was set, maybe to the same one: that moves the anchor.
        len(lines) != len(updates)
        # Another worker wrote before we got the lock.
        or len(by_worker) != ours
        or any(
            may_name(line.name, name)
            for line in updates
            if line.create_by != system.worker_id
            for name in names
        )
    )
