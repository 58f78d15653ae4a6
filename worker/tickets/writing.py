"""How are plans written whole or not at all, and never over somebody (design section 1.3)?

OTOBO's ValueSet takes no lock: it deletes a field's rows, inserts new ones and then writes a
history line, each committed by itself. Against that stand, in this order: the row lock on the
ticket, values that are changed or deleted by the ids that were read and counted, and a look at
rows and lines before COMMIT.

A value that takes the place of another is written into its row. So a screen's DELETE that comes
while we hold the row waits for us and then takes our value along, and cannot deadlock with us;
had we deleted and inserted, PostgreSQL would let it pass by our new row, and both would stand.
Only where a row had to be added can a screen's INSERT come to stand beside it unseen: for those
fields ``take_back`` looks once more after COMMIT.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, Row, delete, literal, select, union_all, update

from mapping.model import Change, HistoryType, Plan, ValueRow
from worker.tickets import schema
from worker.tickets.history import field_update, may_name
from worker.tickets.rows import DATA, insert_rows, overwrite_values
from worker.tickets.store import Conflict
from worker.tickets.system import TicketSystem

DEFAULT_TYPE = 1
"""``type_id`` of a line where the ticket has none: the column of the history must have one."""


class Overtaken(Exception):
    """Somebody wrote in between; the transaction is rolled back and repeated without them.

    Attributes:
        conflicts: by ticket id; empty where only ``find_conflicts`` can tell, after rolling back.
    """

    def __init__(self, conflicts: Mapping[int, Conflict]) -> None:
        super().__init__("somebody else wrote in between")
        self.conflicts = conflicts


@dataclass(frozen=True, slots=True)
class Written:
    """What a transaction is about to commit.

    Attributes:
        conflicts: tickets that were not touched, because their state was another already.
        beside: for (ticket id, field id), where rows were added: the ids of all our rows.
    """

    conflicts: Mapping[int, Conflict]
    beside: Mapping[tuple[int, int], frozenset[int]]


@dataclass(slots=True)
class _Seen:
    """What the look before COMMIT found for one ticket."""

    rows: dict[int, set[int]] = field(default_factory=lambda: defaultdict(set))
    lines: list[Row[Any]] = field(default_factory=list)


def write(connection: Connection, system: TicketSystem, plans: Sequence[Plan], now: str) -> Written:
    """Write plans in the transaction at hand; the caller commits.

    Args:
        connection: in a writing transaction.
        system: the ids of this ticket system.
        plans: for different tickets, each with changes.
        now: ``YYYY-MM-DD HH:MM:SS`` in the ticket system's time zone.

    Raises:
        Overtaken: the caller must roll back.
    """
    locked = _lock(connection, plans)
    conflicts = {
        plan.ticket_id: conflict
        for plan in plans
        if (conflict := _stale(plan, locked.get(plan.ticket_id))) is not None
    }
    plans = [plan for plan in plans if plan.ticket_id not in conflicts]
    if not plans:
        return Written(conflicts, {})
    if not _write_values(connection, system, plans):
        # Whose row is gone cannot be seen among those that we have deleted ourselves.
        raise Overtaken({})
    ids = [plan.ticket_id for plan in plans]
    connection.execute(
        update(schema.ticket)
        .where(schema.ticket.c.id.in_(ids))
        .values(change_time=now, change_by=system.worker_id)
    )
    insert_rows(
        connection,
        schema.ticket_history,
        [
            _line(system, locked[plan.ticket_id], change, now)
            for plan in plans
            for change in plan.changes
        ],
    )
    seen = _look(connection, system, plans)
    if late := _compare(plans, seen, system, written=True):
        raise Overtaken(conflicts | late)
    beside = {
        (plan.ticket_id, change.field_id): frozenset(seen[plan.ticket_id].rows[change.field_id])
        for plan in plans
        for change in plan.changes
        if _added(change)
    }
    return Written(conflicts, beside)


def find_conflicts(
    connection: Connection, system: TicketSystem, plans: Sequence[Plan]
) -> Mapping[int, Conflict]:
    """Which tickets are no longer as their plans saw them, none of the plans being written?

    When all look untouched, whoever was in the way has gone: then all are planned anew.
    """
    found = _compare(plans, _look(connection, system, plans), system, written=False)
    return found or {plan.ticket_id: Conflict("rows_changed") for plan in plans}


def take_back(
    connection: Connection, ours: Mapping[tuple[int, int], frozenset[int]]
) -> Mapping[tuple[int, int], frozenset[int]]:
    """The second look, after COMMIT: which of our rows have a stranger beside them?

    Such a row was inserted by a screen whose DELETE came before our row could be seen; the
    screen is the later one, so ours has to go.

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


def delete_values(connection: Connection, ids: Iterable[int]) -> int:
    """Delete rows of ``dynamic_field_value`` by id; returns how many were still there."""
    value = schema.dynamic_field_value
    return connection.execute(delete(value).where(value.c.id.in_(sorted(ids)))).rowcount


def _lock(connection: Connection, plans: Sequence[Plan]) -> Mapping[int, Row[Any]]:
    """The tickets' rows, locked in the order of their ids, so that two workers cannot deadlock."""
    ticket = schema.ticket.c
    statement = (
        select(ticket.id, ticket.customer_user_id, ticket.type_id, ticket.queue_id)
        .add_columns(ticket.user_id, ticket.ticket_priority_id, ticket.ticket_state_id)
        .where(ticket.id.in_([plan.ticket_id for plan in plans]))
        .order_by(ticket.id)
        .with_for_update()
    )
    return {row.id: row for row in connection.execute(statement)}


def _stale(plan: Plan, row: Row[Any] | None) -> Conflict | None:
    if row is None:
        return Conflict("ticket_gone")
    # Compared here and not by the database: collations take different logins for the same.
    if (row.customer_user_id or "") != (plan.customer_user or ""):
        return Conflict("customer_user_changed")
    return None


def _added(change: Change) -> tuple[ValueRow, ...]:
    """The new rows that find no old row to be written into."""
    return change.insert[len(change.delete_ids) :]


def _write_values(connection: Connection, system: TicketSystem, plans: Sequence[Plan]) -> bool:
    """Bring the value rows into the planned state; False when rows that were read are gone."""
    present = {column.name for column in system.value_columns}
    columns = [name for name in DATA if name in present]
    overwritten: list[dict[str, Any]] = []
    removed: list[int] = []
    added: list[dict[str, Any]] = []
    for plan in plans:
        for change in plan.changes:
            # Rows are read in the order of their ids, so a list keeps its order.
            old = sorted(change.delete_ids)
            overwritten += [
                {"id": id_, **_data(row, columns)}
                for id_, row in zip(old, change.insert, strict=False)
            ]
            removed += old[len(change.insert) :]
            added += [
                {
                    "field_id": change.field_id,
                    "object_id": plan.ticket_id,
                    **_data(row, columns),
                }
                for row in _added(change)
            ]
    overwritten.sort(key=lambda row: int(row["id"]))
    if overwrite_values(connection, overwritten) != len(overwritten):
        return False
    if removed and delete_values(connection, removed) != len(removed):
        return False
    insert_rows(connection, schema.dynamic_field_value, added)
    return True


def _data(row: ValueRow, columns: Sequence[str]) -> dict[str, Any]:
    return {name: getattr(row, name) for name in columns}


def _line(system: TicketSystem, ticket: Row[Any], change: Change, now: str) -> dict[str, Any]:
    """A history line, with the ticket's queue, owner and so on copied as HistoryAdd does it."""
    return {
        "name": field_update(change.field_name, change.new_text, change.old_text),
        "history_type_id": system.type_id(HistoryType.FIELD_UPDATE),
        "ticket_id": ticket.id,
        "article_id": None,
        "type_id": ticket.type_id or DEFAULT_TYPE,
        "queue_id": ticket.queue_id,
        "owner_id": ticket.user_id,
        "priority_id": ticket.ticket_priority_id,
        "state_id": ticket.ticket_state_id,
        "create_time": now,
        "create_by": system.worker_id,
        "change_time": now,
        "change_by": system.worker_id,
    }


def _look(
    connection: Connection, system: TicketSystem, plans: Sequence[Plan]
) -> Mapping[int, _Seen]:
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
    seen: dict[int, _Seen] = defaultdict(_Seen)
    for row in connection.execute(union_all(rows, lines)):
        if row.is_line:
            seen[row.ticket_id].lines.append(row)
        else:
            seen[row.ticket_id].rows[row.kind].add(row.id)
    return seen


def _expected(plan: Plan, *, written: bool) -> Mapping[int, tuple[set[int], int]]:
    """For each field of a plan: the ids that must still be there, and how many must be new."""
    expected = {field_id: (set(ids), 0) for field_id, ids in plan.watched.items()}
    for change in plan.changes:
        old = sorted(change.delete_ids)
        kept = old[: len(change.insert)] if written else old
        expected[change.field_id] = (set(kept), len(_added(change)) if written else 0)
    return expected


def _compare(
    plans: Sequence[Plan], seen: Mapping[int, _Seen], system: TicketSystem, *, written: bool
) -> dict[int, Conflict]:
    """Which tickets are not as their plans say, before or after they are written?"""
    conflicts = {}
    for plan in plans:
        found = seen.get(plan.ticket_id, _Seen())
        # Our rows are there for sure, so counting tells whether there are foreign ones.
        if any(
            not kept <= found.rows[field_id] or len(found.rows[field_id] - kept) != new
            for field_id, (kept, new) in _expected(plan, written=written).items()
        ):
            conflicts[plan.ticket_id] = Conflict("rows_changed")
        elif _has_foreign_line(plan, found, system, ours=len(plan.changes) if written else 0):
            conflicts[plan.ticket_id] = Conflict("foreign_line")
    return conflicts


def _has_foreign_line(plan: Plan, found: _Seen, system: TicketSystem, *, ours: int) -> bool:
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
