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

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row, delete, select, update

from mapping.model import Change, HistoryType, Plan, ValueRow
from worker.tickets import schema
from worker.tickets.history import field_update
from worker.tickets.interference import added_rows, compare, look
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
    seen = look(connection, system, plans)
    if late := compare(plans, seen, system, written=True):
        raise Overtaken(conflicts | late)
    beside = {
        (plan.ticket_id, change.field_id): frozenset(seen[plan.ticket_id].rows[change.field_id])
        for plan in plans
        for change in plan.changes
        if added_rows(change)
    }
    return Written(conflicts, beside)


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


def _write_values(connection: Connection, system: TicketSystem, plans: Sequence[Plan]) -> bool:
    """Bring the value rows into the planned state; False when rows that were read are gone."""
    present = {column.name for column in system.value_columns}
    columns = [name for name in DATA if name in present]
    overwritten: list[dict[str, Any]] = []
    removed: list[int] = []
    added: list[dict[str, Any]] = []
    for plan in plans:
        spare: list[int] = []
        missing: list[dict[str, Any]] = []
        for change in plan.changes:
            field_id = change.field_id
            # Rows are read in the order of their ids, so a list keeps its order.
            old = sorted(change.delete_ids)
            overwritten += [
                {"id": id_, "field_id": field_id, **_data(row, columns)}
                for id_, row in zip(old, change.insert, strict=False)
            ]
            spare += old[len(change.insert) :]
            missing += [{"field_id": field_id, **_data(row, columns)} for row in added_rows(change)]
        # The row that one field gives up serves the next: a ticket never needs both a DELETE
        # and an INSERT, which keeps a single event within its statements.
        overwritten += [{"id": id_, **row} for id_, row in zip(spare, missing, strict=False)]
        removed += spare[len(missing) :]
        added += [{"object_id": plan.ticket_id, **row} for row in missing[len(spare) :]]
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
