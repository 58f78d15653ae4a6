"""Which tickets are meant? A selection in the ticket system's words, and its tickets part by part.

A selection is resolved once: names of queues, states and fields become ids, and a name that there
is not is refused. Then its tickets are given in the order of their ids, each part behind the last
one, so that who was cut off goes on where they came to.

No statement looks through more than ``WINDOW`` tickets: of ten million tickets only the last ones
may be in the queue that was asked for. Where tickets or customers are named, the ticket system's
own indexes lead to them.
"""

from bisect import bisect_right
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any, NamedTuple

from sqlalchemy import (
    Column,
    ColumnElement,
    Connection,
    Engine,
    Select,
    Table,
    distinct,
    func,
    or_,
    select,
)

from worker.tickets import schema
from worker.tickets.engine import connected

OPEN_TYPES = ("new", "open", "pending auto", "pending reminder")
"""State types of tickets that are not done with, as OTOBO ships Ticket::ViewableStateType."""

_DENIED = (
    "the database user may not read all that tickets are chosen by; it needs SELECT on ticket, "
    "queue, ticket_state, ticket_state_type, dynamic_field and dynamic_field_value"
)

WINDOW = 50_000
"""Ids of tickets that one statement looks through at most."""

_PORTION = 500


class WrongSelection(ValueError):
    """There is no such queue, state, ticket or field; the message names it, and what there is."""


@dataclass(frozen=True, slots=True)
class Selection:
    """Tickets in the ticket system's words. All that is said must hold; of several texts, one.

    Attributes:
        tickets: ids.
        listed: ids, too, of tickets that were there once and may be gone.
        numbers: ``ticket.tn``.
        customer_users: ``ticket.customer_user_id``.
        customers: ``ticket.customer_id``.
        queues: names, in full: ``Support::Hotline``.
        states: names.
        state_types: names.
        created_from: ``YYYY-MM-DD HH:MM:SS`` in the ticket system's zone, inclusive.
        created_until: the same, exclusive.
        changed_from: the same for the last change, inclusive.
        changed_until: the same, exclusive.
        without_value: names of dynamic fields, of which at least one is empty.
    """

    tickets: tuple[int, ...] = ()
    listed: tuple[int, ...] = ()
    numbers: tuple[str, ...] = ()
    customer_users: tuple[str, ...] = ()
    customers: tuple[str, ...] = ()
    queues: tuple[str, ...] = ()
    states: tuple[str, ...] = ()
    state_types: tuple[str, ...] = ()
    created_from: str = ""
    created_until: str = ""
    changed_from: str = ""
    changed_until: str = ""
    without_value: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Scope:
    """A selection with ids for names, and an end: tickets created later do not belong to it.

    Attributes:
        tickets: ids in their order; None for all.
        last: the highest ticket id that there was.
    """

    last: int
    tickets: tuple[int, ...] | None = None
    customer_users: tuple[str, ...] = ()
    customers: tuple[str, ...] = ()
    queues: tuple[int, ...] = ()
    states: tuple[int, ...] = ()
    created_from: str = ""
    created_until: str = ""
    changed_from: str = ""
    changed_until: str = ""
    without_value: tuple[int, ...] = ()

    def plain(self) -> dict[str, Any]:
        """As plain data, for ``scope_of``; what says nothing is left out."""
        return {name: value for name, value in asdict(self).items() if value not in {"", (), None}}


def scope_of(data: Mapping[str, Any]) -> Scope:
    """A scope from ``Scope.plain``, also when that went through JSON."""
    given: dict[str, Any] = {one.name: data[one.name] for one in fields(Scope) if one.name in data}
    lists = {name: tuple(value) for name, value in given.items() if isinstance(value, list)}
    return Scope(**{**given, **lists})


class Part(NamedTuple):
    """The next tickets of a scope.

    Attributes:
        ids: in their order; there may be none, though others follow.
        reached: the id behind which the next part begins.
    """

    ids: Sequence[int]
    reached: int


class TicketIndex:
    """The tickets of selections. Connects when first asked; used by one thread at a time."""

    def __init__(self, engine: Engine) -> None:
        """Nothing is read yet.

        Args:
            engine: from ``ticket_engine``, for reading.
        """
        self._engine = engine

    def resolve(self, selection: Selection) -> Scope:
        """The scope of a selection, as of now.

        Raises:
            WrongSelection: there is no such queue, state, field or ticket.
            TicketDatabaseMisfit: a table may not be read.
            TicketDatabaseUnavailable: the database does not answer.
        """
        with connected(self._engine, denied=_DENIED) as connection:
            queues = _ids(connection, schema.queue, "queue", selection.queues)
            return Scope(
                last=connection.execute(select(func.max(schema.ticket.c.id))).scalar() or 0,
                tickets=_named(connection, selection),
                customer_users=selection.customer_users,
                customers=selection.customers,
                queues=queues,
                states=_states(connection, selection),
                created_from=selection.created_from,
                created_until=selection.created_until,
                changed_from=selection.changed_from,
                changed_until=selection.changed_until,
                without_value=_ids(
                    connection, schema.dynamic_field, "dynamic field", selection.without_value
                ),
            )

    def part(self, scope: Scope, after: int, most: int) -> Part:
        """The next tickets of a scope, by one statement.

        Args:
            scope: from ``resolve``.
            after: the id behind which they begin: 0 first, then ``Part.reached``. At ``scope.last``
                there are no more.
            most: most tickets to give.

        Raises:
            TicketDatabaseUnavailable: the database does not answer.
        """
        id_ = schema.ticket.c.id
        statement = matching(scope).with_only_columns(id_).limit(most)
        if scope.tickets is not None:
            start = bisect_right(scope.tickets, after)
            named = scope.tickets[start : start + min(most, _PORTION)]
            if not named:
                return Part((), scope.last)
            more = start + len(named) < len(scope.tickets)
            end = named[-1] if more else max(named[-1], scope.last)
            statement = statement.where(id_.in_(named)).order_by(id_)
        elif scope.customer_users or scope.customers:
            # By what a customer's index gives: in the order of ids all tickets would be read.
            end = scope.last
            statement = statement.where(id_ > after, id_ <= end).order_by(id_ + 0)
        else:
            end = min(after + WINDOW, scope.last)
            statement = statement.where(id_ > after, id_ <= end).order_by(id_)
        with connected(self._engine, denied=_DENIED) as connection:
            ids = tuple(connection.execute(statement).scalars())
        if scope.tickets is None and len(ids) == most:
            end = ids[-1]
        return Part(ids, end)

    def count(self, scope: Scope) -> int:
        """How many tickets a scope has now.

        Raises:
            TicketDatabaseUnavailable: the database does not answer.
        """
        id_ = schema.ticket.c.id
        counted = matching(scope).with_only_columns(func.count())
        if scope.tickets is not None:
            portions = range(0, len(scope.tickets), _PORTION)
            parts: list[ColumnElement[bool]] = [
                id_.in_(scope.tickets[start : start + _PORTION]) for start in portions
            ]
        elif scope.customer_users or scope.customers:
            parts = [id_ <= scope.last]
        else:
            parts = [
                id_.between(start + 1, min(start + WINDOW, scope.last))
                for start in range(0, scope.last, WINDOW)
            ]
        with connected(self._engine, denied=_DENIED) as connection:
            found = (connection.execute(counted.where(part)).scalar() for part in parts)
            return sum(one or 0 for one in found)


def matching(scope: Scope) -> Select[Any]:
    """All tickets of a scope but for the limits of ids."""
    ticket = schema.ticket.c
    lists: tuple[tuple[Column[Any], Sequence[Any]], ...] = (
        (ticket.customer_user_id, scope.customer_users),
        (ticket.customer_id, scope.customers),
        (ticket.queue_id, scope.queues),
        (ticket.ticket_state_id, scope.states),
    )
    found = select(schema.ticket).where(*(column.in_(one) for column, one in lists if one))
    for column, since, until in (
        (ticket.create_time, scope.created_from, scope.created_until),
        (ticket.change_time, scope.changed_from, scope.changed_until),
    ):
        found = found.where(column >= since) if since else found
        found = found.where(column < until) if until else found
    if scope.without_value:
        found = found.where(_filled(scope.without_value) < len(scope.without_value))
    return found


def _filled(field_ids: Collection[int]) -> ColumnElement[int]:
    """How many of some fields hold a value; a row with an empty text is none."""
    value = schema.dynamic_field_value.c
    holds = or_(value.value_text != "", value.value_int.is_not(None), value.value_date.is_not(None))
    return (
        select(func.count(distinct(value.field_id)))
        .where(value.object_id == schema.ticket.c.id, value.field_id.in_(field_ids), holds)
        .correlate(schema.ticket)
        .scalar_subquery()
    )


def _named(connection: Connection, selection: Selection) -> tuple[int, ...] | None:
    """The ids of the tickets that are named by id or number; None where none are."""
    if not (selection.tickets or selection.listed or selection.numbers):
        return None
    ticket = schema.ticket.c
    known: set[int] = set()
    for start in range(0, len(selection.tickets), _PORTION):
        named = selection.tickets[start : start + _PORTION]
        known.update(connection.execute(select(ticket.id).where(ticket.id.in_(named))).scalars())
    _insist("id", selection.tickets, known)
    found: dict[str, int] = {}
    for start in range(0, len(selection.numbers), _PORTION):
        part = selection.numbers[start : start + _PORTION]
        rows = connection.execute(select(ticket.tn, ticket.id).where(ticket.tn.in_(part))).all()
        found |= dict(map(tuple, rows))
    _insist("number", selection.numbers, found)
    return tuple(sorted({*known, *selection.listed, *found.values()}))


def _insist(what: str, named: Sequence[Any], known: Collection[Any]) -> None:
    """Refuse tickets that there are not."""
    if missing := [str(one) for one in named if one not in known]:
        shown = ", ".join(missing[:5]) + (" …" if len(missing) > 5 else "")  # noqa: PLR2004
        msg = f"there is no ticket with the {what} {shown}"
        raise WrongSelection(msg)


def _states(connection: Connection, selection: Selection) -> tuple[int, ...]:
    """The ids of states, named by themselves or by their types; of both, those in both."""
    states = set(_ids(connection, schema.ticket_state, "state", selection.states))
    types = _ids(connection, schema.ticket_state_type, "state type", selection.state_types)
    if not types:
        return tuple(sorted(states))
    state = schema.ticket_state.c
    of_types = set(connection.execute(select(state.id).where(state.type_id.in_(types))).scalars())
    both = of_types & states if selection.states else of_types
    if not both:
        msg = (
            f"no state is one of {', '.join(selection.states) or 'all'} and of a type out of "
            f"{', '.join(selection.state_types)}"
        )
        raise WrongSelection(msg)
    return tuple(sorted(both))


def _ids(connection: Connection, table: Table, kind: str, names: Sequence[str]) -> tuple[int, ...]:
    """The ids that a table has for names."""
    if not names:
        return ()
    rows = connection.execute(select(table.c.name, table.c.id)).all()
    known: dict[str, int] = dict(map(tuple, rows))
    for name in names:
        if name not in known:
            near = sorted(known, key=lambda one: (_unlike(one, name), one))[:5]
            others = f"; there are {', '.join(near)}" if near else ""
            more = " and others" if len(known) > len(near) else ""
            msg = f"there is no {kind} {name}{others}{more}"
            raise WrongSelection(msg)
    return tuple(sorted({known[name] for name in names}))


def _unlike(one: str, wanted: str) -> float:
    """How little a name is like what was written, from 0 to 1."""
    from difflib import SequenceMatcher  # noqa: PLC0415 - only where somebody mistyped a name

    return 1 - SequenceMatcher(None, one.casefold(), wanted.casefold()).ratio()
