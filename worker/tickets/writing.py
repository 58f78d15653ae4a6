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
from functools import cache
from operator import attrgetter, itemgetter
from typing import Any

from sqlalchemy import Connection, TextClause, bindparam

from mapping.model import HistoryType, Plan
from worker.tickets import schema
from worker.tickets.history import field_update
from worker.tickets.interference import added_rows, compare, look
from worker.tickets.lists import bound, statement
from worker.tickets.rows import insert_rows, overwrite_values
from worker.tickets.store import Conflict
from worker.tickets.system import TicketSystem

DEFAULT_TYPE = 1
"""``type_id`` of a line where the ticket has none: the column of the history must have one."""


DATA = ("value_text", "value_date", "value_int")
"""The columns that hold a value, beside ``schema.INDEX_COLUMNS``."""

COPIED = ("type_id", "queue_id", "owner_id", "priority_id", "state_id")
"""What a history line repeats of its ticket."""


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
    # Before the ticket is updated: the line's foreign key then finds the row that is locked, and
    # need not lock a new version of it.
    _write_lines(connection, system, [(locked[plan.ticket_id], plan) for plan in plans], now)
    dialect = connection.dialect.name
    connection.execute(
        _touch(dialect),
        {
            "tickets": bound(dialect, [plan.ticket_id for plan in plans]),
            "now": now,
            "worker": system.worker_id,
        },
    )
    seen = look(connection, system, plans)
    if late := compare(plans, seen, system, written=True):
        raise Overtaken(conflicts | late)
    beside = {
        (plan.ticket_id, change.field_id): frozenset(seen.rows[plan.ticket_id, change.field_id])
        for plan in plans
        for change in plan.changes
        if added_rows(change)
    }
    return Written(conflicts, beside)


def delete_values(connection: Connection, ids: Iterable[int]) -> int:
    """Delete rows of ``dynamic_field_value`` by id; returns how many were still there."""
    dialect = connection.dialect.name
    return connection.execute(_delete(dialect), {"ids": bound(dialect, sorted(ids))}).rowcount


def _lock(connection: Connection, plans: Sequence[Plan]) -> Mapping[int, Sequence[Any]]:
    """The tickets' rows, locked in the order of their ids, so that two workers cannot deadlock."""
    dialect = connection.dialect.name
    tickets = bound(dialect, [plan.ticket_id for plan in plans])
    return {row[0]: row for row in connection.execute(_select(dialect), {"tickets": tickets}).all()}


def _stale(plan: Plan, row: Sequence[Any] | None) -> Conflict | None:
    if row is None:
        return Conflict("ticket_gone")
    # Compared here and not by the database: collations take different logins for the same.
    if (row[1] or "") != (plan.customer_user or ""):
        return Conflict("customer_user_changed")
    return None


def _write_values(connection: Connection, system: TicketSystem, plans: Sequence[Plan]) -> bool:
    """Bring the value rows into the planned state; False when rows that were read are gone."""
    columns = (*DATA, *schema.INDEX_COLUMNS) if system.has_indexes else DATA
    data = attrgetter(*columns)
    overwritten: list[tuple[Any, ...]] = []
    removed: list[int] = []
    added: list[tuple[Any, ...]] = []
    for plan in plans:
        spare: list[int] = []
        missing: list[tuple[Any, ...]] = []
        for change in plan.changes:
            # Rows are read in the order of their ids, so a list keeps its order.
            old = sorted(change.delete_ids)
            news = [(change.field_id, *data(row)) for row in change.insert]
            overwritten += [(id_, *row) for id_, row in zip(old, news, strict=False)]
            spare += old[len(news) :]
            missing += news[len(old) :]
        # The row that one field gives up serves the next: a ticket never needs both a DELETE
        # and an INSERT, which keeps a single event within its statements.
        overwritten += [(id_, *row) for id_, row in zip(spare, missing, strict=False)]
        removed += spare[len(missing) :]
        added += [(plan.ticket_id, *row) for row in missing[len(spare) :]]
    overwritten.sort(key=itemgetter(0))
    if overwrite_values(connection, ("field_id", *columns), overwritten) != len(overwritten):
        return False
    if removed and delete_values(connection, removed) != len(removed):
        return False
    named = ("object_id", "field_id", *columns)
    insert_rows(connection, schema.dynamic_field_value, named, added, {})
    return True


def _write_lines(
    connection: Connection,
    system: TicketSystem,
    changed: Sequence[tuple[Sequence[Any], Plan]],
    now: str,
) -> None:
    """A history line for each change, with the ticket's queue and so on as HistoryAdd copies it."""
    rows = []
    for (ticket_id, _, type_id, *of_ticket), plan in changed:
        copied = (ticket_id, type_id or DEFAULT_TYPE, *of_ticket)
        rows += [
            (field_update(change.field_name, change.new_text, change.old_text), *copied)
            for change in plan.changes
        ]
    worker = system.worker_id
    same = {
        "history_type_id": system.type_id(HistoryType.FIELD_UPDATE),
        "create_time": now,
        "create_by": worker,
        "change_time": now,
        "change_by": worker,
    }
    insert_rows(connection, schema.ticket_history, ("name", "ticket_id", *COPIED), rows, same)


@cache
def _select(dialect: str) -> TextClause:
    lock = "" if dialect == "sqlite" else "FOR UPDATE"
    return statement(
        dialect,
        f"""
        SELECT id, customer_user_id, type_id, queue_id, user_id, ticket_priority_id, ticket_state_id
        FROM ticket WHERE id {{tickets}} ORDER BY id {lock}
        """,  # noqa: S608 - our own words
    )


@cache
def _touch(dialect: str) -> TextClause:
    sql = "UPDATE ticket SET change_time = :now, change_by = :worker WHERE id {tickets}"
    return statement(dialect, sql).bindparams(bindparam("now", type_=schema.Stamp()))


@cache
def _delete(dialect: str) -> TextClause:
    sql = "DELETE FROM dynamic_field_value WHERE id {ids}"
    return statement(dialect, sql, {"ids": "BIGINT"})
