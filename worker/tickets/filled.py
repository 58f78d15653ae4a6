"""Which dynamic fields hold a value, in how many tickets? Counted by the database, in groups.

No statement looks at more than ``SPAN`` ids of tickets, so that each ends well within its time,
however many tickets there are. Nothing is read but numbers, and the ids of tickets that are chosen
by themselves or by their customers. A field is filled if one of its rows holds something; the zero
of a Checkbox is a value.
"""

from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple, TypeAlias

from sqlalchemy import (
    Column,
    ColumnElement,
    Connection,
    Engine,
    Row,
    Select,
    and_,
    distinct,
    extract,
    func,
    or_,
    select,
)

from worker.tickets import schema
from worker.tickets.engine import connected
from worker.tickets.selection import OPEN_TYPES, WINDOW, Scope, TicketIndex, matching

SPAN = 20_000
"""Ids of tickets that one statement looks at. A ticket can have dozens of values."""

NAMED = 500
"""Tickets that one statement names."""

TICKET = "Ticket"


class Group(NamedTuple):
    """Tickets that are counted together.

    Attributes:
        queue: the queue's name in full.
        month: of creation, ``2026-01`` in the ticket system's zone; empty where there is none.
        open: whether the state is of a type that the ticket system calls viewable.
    """

    queue: str
    month: str
    open: bool


@dataclass(frozen=True, slots=True)
class Filled:
    """Numbers of tickets.

    Attributes:
        tickets: all, by group.
        fields: those in which a field holds a value, by group and field name.
    """

    tickets: Mapping[Group, int]
    fields: Mapping[tuple[Group, str], int]


Progress: TypeAlias = Callable[[int, int], None]
"""Is told how much is done, and how much there is in all."""


class FilledFields:
    """Counts filled fields. Connects when first asked; used by one thread at a time."""

    def __init__(self, engine: Engine) -> None:
        """Nothing is read yet.

        Args:
            engine: from ``ticket_engine``, for reading.
        """
        self._engine = engine

    def count(self, scope: Scope, fields: Collection[str], progress: Progress) -> Filled:
        """Count the tickets of a scope, and those of them in which each field is filled.

        Args:
            scope: from ``TicketIndex.resolve``.
            fields: names of dynamic fields; one that there is not, or that does not belong to
                tickets, is never filled.
            progress: is told of ids of tickets.

        Raises:
            TicketDatabaseUnavailable: the database does not answer.
        """
        tickets: Counter[Group] = Counter()
        filled: Counter[tuple[Group, str]] = Counter()
        with connected(self._engine) as connection:
            group = _grouping(connection)
            names = _field_names(connection, fields)
            for within, reached in _stretches(scope, TicketIndex(self._engine)):
                for row in connection.execute(_tickets(scope, within)):
                    tickets[group(row)] += row.tickets
                for row in connection.execute(_filled(scope, within, names)) if names else ():
                    filled[group(row), names[row.field_id]] += row.tickets
                progress(reached, scope.last)
        progress(scope.last, scope.last)
        return Filled(tickets, filled)

    def groups(self, ticket_ids: Collection[int]) -> Mapping[int, Group]:
        """The group of each ticket; one that does not exist is missing.

        Args:
            ticket_ids: a few hundred at most.

        Raises:
            TicketDatabaseUnavailable: the database does not answer.
        """
        ticket = schema.ticket.c
        statement = select(ticket.id, *_parts()).where(ticket.id.in_(sorted(ticket_ids)))
        with connected(self._engine) as connection:
            group = _grouping(connection)
            return {row.id: group(row) for row in connection.execute(statement)}


def holds_something() -> ColumnElement[bool]:
    """Whether a row of ``dynamic_field_value`` holds a value; one with an empty text holds none."""
    value = schema.dynamic_field_value.c
    return or_(value.value_text != "", value.value_int.is_not(None), value.value_date.is_not(None))


def _parts() -> tuple[ColumnElement[Any], ...]:
    """What tells the group of a ticket."""
    ticket = schema.ticket.c
    return (
        ticket.queue_id.label("queue_id"),
        ticket.ticket_state_id.label("state_id"),
        extract("year", ticket.create_time).label("year"),
        extract("month", ticket.create_time).label("month"),
    )


Within: TypeAlias = Callable[[Column[Any]], ColumnElement[bool]]
"""Some ids of tickets, as a condition for a column that holds such ids."""


def _stretches(scope: Scope, index: TicketIndex) -> Iterator[tuple[Within, int]]:
    """Ids for one statement after the other, and the last of them, in their order.

    Tickets that an index leads to, by their ids or their customers, are named; spans of ids would
    look through all others as well.
    """
    if scope.tickets is None and not (scope.customer_users or scope.customers):
        for start in range(0, scope.last, SPAN):
            end = min(start + SPAN, scope.last)
            yield partial(_between, start=start, end=end), end
        return
    reached = 0
    while reached < scope.last:
        ids, reached = index.part(scope, reached, WINDOW)
        for first in range(0, len(ids), NAMED):
            named = ids[first : first + NAMED]
            yield partial(_among, ids=named), named[-1]


def _between(column: Column[Any], *, start: int, end: int) -> ColumnElement[bool]:
    return and_(column > start, column <= end)


def _among(column: Column[Any], *, ids: Sequence[int]) -> ColumnElement[bool]:
    return column.in_(ids)


def _tickets(scope: Scope, within: Within) -> Select[Any]:
    parts = _parts()
    return (
        matching(scope)
        .with_only_columns(*parts, func.count().label("tickets"))
        .where(within(schema.ticket.c.id))
        .group_by(*parts)
    )


def _filled(scope: Scope, within: Within, names: Mapping[int, str]) -> Select[Any]:
    parts = _parts()
    ticket, value = schema.ticket.c, schema.dynamic_field_value.c
    # The ids stand at both tables, and no index leads from the fields, so that PostgreSQL reads
    # no more than this part of either, whatever it knows of the tables (BY_TICKET in ``lists``).
    return (
        matching(scope)
        .join(schema.dynamic_field_value, value.object_id == ticket.id)
        .with_only_columns(*parts, value.field_id, func.count(distinct(ticket.id)).label("tickets"))
        .where(within(ticket.id), within(value.object_id))
        .where((value.field_id + 0).in_(sorted(names)))
        .where(holds_something())
        .group_by(*parts, value.field_id)
    )


def _field_names(connection: Connection, names: Collection[str]) -> Mapping[int, str]:
    """The names of those that are fields of tickets, by id."""
    field = schema.dynamic_field.c
    rows = connection.execute(select(field.id, field.name).where(field.object_type == TICKET))
    return {id_: name for id_, name in rows if name in names}


def _grouping(connection: Connection) -> Callable[[Row[Any]], Group]:
    """What makes a group of a row with ``_parts``."""
    queue, state, type_ = schema.queue.c, schema.ticket_state.c, schema.ticket_state_type.c
    queues: dict[int, str] = dict(map(tuple, connection.execute(select(queue.id, queue.name))))
    opened = set(
        connection.execute(
            select(state.id)
            .join(schema.ticket_state_type, type_.id == state.type_id)
            .where(type_.name.in_(OPEN_TYPES))
        ).scalars()
    )

    def group(row: Row[Any]) -> Group:
        # A queue that was deleted by hand still has its id.
        name = queues.get(row.queue_id, str(row.queue_id))
        month = f"{int(row.year):04d}-{int(row.month):02d}" if row.year and row.month else ""
        return Group(name, month, row.state_id in opened)

    return group
