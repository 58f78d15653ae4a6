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
from operator import itemgetter
from typing import Any, NamedTuple

from sqlalchemy import Connection, TextClause, bindparam

from mapping.model import HistoryType, Plan
from worker.tickets import schema
from worker.tickets.history import field_update
from worker.tickets.interference import compare, is_ours_alone, look
from worker.tickets.lists import bound, statement
from worker.tickets.rows import insert_rows, overwrite_values
from worker.tickets.store import ALL_TRACES, Conflict, Traces
from worker.tickets.system import TicketSystem

DEFAULT_TYPE = 1
"""``type_id`` of a line where the ticket has none: the column of the history must have one."""


DATA = ("value_text", "value_date", "value_int")
"""The columns that hold a value, beside ``schema.INDEX_COLUMNS``: as in ``ValueRow``."""

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


def write(
    connection: Connection,
    system: TicketSystem,
    plans: Sequence[Plan],
    now: str,
    traces: Traces = ALL_TRACES,
) -> Written:
    """Write plans in the transaction at hand; the caller commits.

    Args:
        connection: in a writing transaction.
        system: the ids of this ticket system.
        plans: for different tickets, each with changes.
        now: ``YYYY-MM-DD HH:MM:SS`` in the ticket system's time zone.
        traces: what is left behind beside the values.

    Raises:
        Overtaken: the caller must roll back.
    """
    locked = lock_tickets(connection, [plan.ticket_id for plan in plans])
    conflicts = {
        plan.ticket_id: conflict
        for plan in plans
        if (conflict := _stale(plan, locked.get(plan.ticket_id))) is not None
    }
    plans = [plan for plan in plans if plan.ticket_id not in conflicts]
    if not plans:
        return Written(conflicts, {})
    columns = (*DATA, *schema.INDEX_COLUMNS) if system.has_indexes else DATA
    values = _values(plans, len(columns))
    added = _write_values(connection, columns, values)
    # Before the ticket is updated: the line's foreign key then finds the row that is locked, and
    # need not lock a new version of it.
    if traces.history:
        texts = (
            (
                locked[plan.ticket_id],
                field_update(change.field_name, change.new_text, change.old_text),
            )
            for plan in plans
            for change in plan.changes
        )
        write_lines(connection, system, HistoryType.FIELD_UPDATE, texts, now)
    if traces.change_time:
        dialect = connection.dialect.name
        connection.execute(
            _touch(dialect),
            {
                "tickets": bound(dialect, [plan.ticket_id for plan in plans]),
                "now": now,
                "worker": system.worker_id,
            },
        )
    lines = traces.history
    if added is not None:
        ours = [row[0] for row in values.overwritten]
        ours += [id_ for id_, _, _ in added]
        if is_ours_alone(connection, system, plans, ours, lines=lines):
            for id_, ticket_id, field_id in added:
                values.filled[ticket_id, field_id].append(id_)
            return Written(conflicts, {key: frozenset(ids) for key, ids in values.filled.items()})
    seen = look(connection, system, plans)
    if late := compare(plans, seen, system, written=True, lines=lines):
        raise Overtaken(conflicts | late)
    return Written(conflicts, {key: frozenset(seen.rows[key]) for key in values.filled})


def lock_tickets(connection: Connection, ids: Sequence[int]) -> Mapping[int, Sequence[Any]]:
    """The tickets' rows, locked in the order of their ids, so that two workers cannot deadlock.

    Returns:
        By id, without those that are gone: id, ``customer_user_id``, and ``COPIED``.
    """
    dialect = connection.dialect.name
    tickets = bound(dialect, ids)
    return {row[0]: row for row in connection.execute(_select(dialect), {"tickets": tickets}).all()}


def write_lines(
    connection: Connection,
    system: TicketSystem,
    type_: HistoryType,
    lines: Iterable[tuple[Sequence[Any], str]],
    now: str,
) -> None:
    """Write history lines by the worker's user, as HistoryAdd does.

    Args:
        connection: in a transaction.
        system: the ids of this ticket system.
        type_: of all lines.
        lines: for each the ticket's row from ``lock_tickets``, and the text.
        now: ``YYYY-MM-DD HH:MM:SS`` in the ticket system's time zone.
    """
    rows = [
        (name, ticket_id, type_id or DEFAULT_TYPE, *of_ticket)
        for (ticket_id, _, type_id, *of_ticket), name in lines
    ]
    worker = system.worker_id
    same = {
        "history_type_id": system.type_id(type_),
        "create_time": now,
        "create_by": worker,
        "change_time": now,
        "change_by": worker,
    }
    insert_rows(connection, schema.ticket_history, ("name", "ticket_id", *COPIED), rows, same)


def delete_values(connection: Connection, ids: Iterable[int]) -> int:
    """Delete rows of ``dynamic_field_value`` by id; returns how many were still there."""
    dialect = connection.dialect.name
    return connection.execute(_delete(dialect), {"ids": bound(dialect, sorted(ids))}).rowcount


def _stale(plan: Plan, row: Sequence[Any] | None) -> Conflict | None:
    if row is None:
        return Conflict("ticket_gone")
    # Compared here and not by the database: collations take different logins for the same.
    if (row[1] or "") != (plan.customer_user or ""):
        return Conflict("customer_user_changed")
    return None


class _Values(NamedTuple):
    """What becomes of the value rows of some plans.

    Attributes:
        overwritten: for each row that is kept its id, field id and value, in the order of ids.
        removed: ids of the rows that nothing takes the place of.
        added: for each new row its ticket id, field id and value.
        filled: for each field that gets more rows than it had, by (ticket id, field id), the ids
            of those among ``overwritten``.
    """

    overwritten: list[tuple[Any, ...]]
    removed: list[int]
    added: list[tuple[Any, ...]]
    filled: dict[tuple[int, int], list[int]]


def _values(plans: Sequence[Plan], width: int) -> _Values:
    """What becomes of the value rows; a value is the first ``width`` columns of a ``ValueRow``."""
    values = _Values([], [], [], {})
    overwritten, filled = values.overwritten, values.filled
    for plan in plans:
        spare: list[int] = []
        missing: list[tuple[Any, ...]] = []
        for field_id, _, delete_ids, insert, *_ in plan.changes:
            if len(delete_ids) == len(insert) == 1:  # what nearly every change is
                overwritten.append((delete_ids[0], field_id, *insert[0][:width]))
                continue
            # Rows are read in the order of their ids, so a list keeps its order.
            old = sorted(delete_ids)
            news = [(field_id, *row[:width]) for row in insert]
            overwritten += [(id_, *row) for id_, row in zip(old, news, strict=False)]
            spare += old[len(news) :]
            missing += news[len(old) :]
            if len(news) > len(old):
                filled[plan.ticket_id, field_id] = old
        # The row that one field gives up serves the next: a ticket never needs both a DELETE
        # and an INSERT, which keeps a single event within its statements.
        for id_, row in zip(spare, missing, strict=False):
            overwritten.append((id_, *row))
            filled[plan.ticket_id, row[0]].append(id_)
        values.removed.extend(spare[len(missing) :])
        values.added.extend([(plan.ticket_id, *row) for row in missing[len(spare) :]])
    overwritten.sort(key=itemgetter(0))
    return values


def _write_values(
    connection: Connection, columns: Sequence[str], values: _Values
) -> Sequence[Sequence[Any]] | None:
    """Bring the value rows into the planned state.

    Returns:
        For each row that was added its id, ticket id and field id; None from a database that does
        not tell.

    Raises:
        Overtaken: rows that were read are gone. Whose they were cannot be seen among those that
            we have deleted ourselves.
    """
    named = ("field_id", *columns)
    if overwrite_values(connection, named, values.overwritten) != len(values.overwritten):
        raise Overtaken({})
    if values.removed and delete_values(connection, values.removed) != len(values.removed):
        raise Overtaken({})
    told = ("id", "object_id", "field_id")
    table = schema.dynamic_field_value
    return insert_rows(connection, table, ("object_id", *named), values.added, {}, told)


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
