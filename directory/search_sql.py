"""Whom does a query find in a table? The server preselects by LIKE, and code decides.

What goes to the server hides nobody (``directory.preselection``, ``directory.like``), and what it
says too much is left out here. Where something was left out, the server is asked for more, until
there are as many as wanted.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, TypeAlias

import psycopg
import sqlalchemy
from sqlalchemy import ColumnElement, Connection, Select, column
from sqlalchemy.exc import DataError

from directory.columns import Columns
from directory.customer_id_list import VALID_IDS
from directory.database import Database, DatabaseFault
from directory.halving import MIXED_COLLATIONS
from directory.like import as_text, fits
from directory.membership import one_of, sent
from directory.model import CustomerUser
from directory.preselection import preselection
from directory.rows import from_table
from directory.search import (
    ANYBODY,
    And,
    Between,
    Condition,
    Fits,
    Matches,
    OneOf,
    Or,
    Query,
    cut,
    fields_of,
    has_spans,
    matching,
)
from directory.spans import in_span, time_columns

SORTS_AS_WE_DO = frozenset({"postgresql", "mysql", "mariadb", "sqlite"})
"""Databases that can be told to sort code point by code point."""

GROWTH = 8
"""How much more is asked for when too many were left out."""

CustomerUsers: TypeAlias = Callable[[Columns], Sequence[CustomerUser | None]]
"""Makes a customer user of each row; None of a row that is none."""


@dataclass(frozen=True, slots=True)
class SearchedTable:
    """A table as it is searched.

    Attributes:
        table: its name, ``schema.table`` allowed.
        columns: the columns to read, all that a query is about included.
        exact: case counts.
        validity: the column with valid ids; empty if there is none.
        times: columns known to hold times, which the server may write itself.
        key: the column with the login, without which a row is nobody's; empty if there is none.
    """

    table: str
    columns: tuple[str, ...]
    exact: bool
    validity: str = ""
    key: str = ""
    times: frozenset[str] = frozenset()


def read_columns(
    query: Query, columns: Mapping[str, str], shown: Sequence[str], keys: Sequence[str]
) -> tuple[str, ...]:
    """The columns that a query needs, each once.

    Args:
        query: what is asked.
        columns: by variable.
        shown: columns that a name is made of.
        keys: columns that are needed in any case.
    """
    wanted = columns.keys() if query.variables is None else query.variables & columns.keys()
    asked_about = {*fields_of(query.condition), *(order.field for order in query.order)}
    read = (columns[name] for name in sorted(wanted))
    return tuple(dict.fromkeys([*keys, *read, *shown, *sorted(asked_about)]))


def find_in_table(
    database: Database,
    table: SearchedTable,
    query: Query,
    valid_ids: Callable[[], frozenset[str]] | None,
    customer_users: CustomerUsers,
) -> Matches:
    """The customer users whose rows a query finds.

    Args:
        database: where the table stands.
        table: what is searched.
        query: what is asked.
        valid_ids: gives the ids that mean valid; asked only if the query wants to know. None where
            the ticket system's table of them stands beside this one.
        customer_users: makes them of rows.

    Raises:
        DatabaseFault: the database, or ``valid_ids``, does not answer.
    """
    valid = valid_ids() if query.valid_only and table.validity and valid_ids else None
    backend = database.backend
    sorted_there = not query.order or backend in SORTS_AS_WE_DO
    wanted = query.limit + 1 if query.limit is not None and sorted_there else None
    deadline = database.deadline()
    wide = True
    spans = has_spans(query.condition)

    def work(connection: Connection) -> Sequence[sqlalchemy.Row[Any]]:
        in_order = _in_order(database, connection, table, query)
        times = time_columns(connection, table.table) if spans else {}
        place = _Place(
            table, backend, wide, in_order, tuple(times.items()), _writes_times(connection)
        )
        made = _list_statement if query.condition == ANYBODY else _statement
        statement = made(place, query, wanted, valid_given=valid is not None)
        parameters = {} if valid is None else {"valid": sent(sorted(valid), backend)}
        with nullcontext() if _by_index(query, place) else _planned_for_a_search(connection):
            return connection.execute(statement, parameters).all()

    while True:
        try:
            rows = database.ask(work, deadline)
        except DatabaseFault as fault:
            if not wide or not _lacks_letters(fault.cause):
                raise
            wide = False
            continue
        found = _decided(table, query, rows, customer_users, ordered=sorted_there)
        if wanted is None or len(rows) < wanted or found.more:
            return found
        wanted *= GROWTH


def _decided(
    table: SearchedTable,
    query: Query,
    rows: Sequence[Any],
    customer_users: CustomerUsers,
    *,
    ordered: bool,
) -> Matches:
    columns = Columns.of(table.columns, rows)
    users = customer_users(columns)
    if ordered and query.condition == ANYBODY:
        # Lists are long, and nothing is left to be decided about them.
        first: dict[str, CustomerUser] = {}
        for user in users:
            if user is not None:
                first.setdefault(user.login, user)
        return cut(tuple(first.values()), query)
    by_column = columns.rows({name: name for name in table.columns})
    pairs = zip(users, by_column, strict=True)
    people = ((user, row) for user, row in pairs if user is not None)
    return matching(query, people, exact=table.exact, ordered_already=ordered)


def _by_index(query: Query, place: "_Place") -> bool:
    """Whether an index gives what is wanted: the first ones in the order of their logins."""
    keys = place.in_order & {place.table.key}
    return (
        query.condition == ANYBODY
        and query.limit is not None
        and len(query.order) == 1
        and query.order[0].field in keys
    )


@contextmanager
def _planned_for_a_search(connection: Connection) -> Iterator[None]:
    """Have PostgreSQL read whole tables, and know what is looked for when it plans.

    A search is often for what no index has, whatever the engine is set to for look-ups.
    """
    if connection.dialect.name != "postgresql":
        yield
        return
    try:
        connection.exec_driver_sql(
            "SET enable_seqscan = on; SET plan_cache_mode = force_custom_plan"
        )
        yield
        connection.exec_driver_sql("RESET enable_seqscan; RESET plan_cache_mode")
    except BaseException:
        connection.invalidate()  # it must not go back to the pool with these settings
        raise


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a query is rendered for.

    Attributes:
        table: the table.
        backend: the dialect's name.
        wide: letters outside ASCII may be sent.
        in_order: columns that the server sorts as we do without being told.
        times: columns that hold times, each with whether these are days alone.
        writes_times: the server writes times as OTOBO shows them.
    """

    table: SearchedTable
    backend: str
    wide: bool
    in_order: frozenset[str]
    times: tuple[tuple[str, bool], ...]
    writes_times: bool


def _in_order(
    database: Database, connection: Connection, table: SearchedTable, query: Query
) -> frozenset[str]:
    """The columns that are to be sorted, and that PostgreSQL sorts as we do without being told."""
    if connection.dialect.name != "postgresql":
        return frozenset()
    columns = {order.field for order in query.order}
    return frozenset(
        name for name in columns if database.sorts_by_code_point(connection, table.table, name)
    )


def _writes_times(connection: Connection) -> bool:
    """Whether the server writes times as ``directory.values`` does."""
    driver = connection.connection.driver_connection
    if not isinstance(driver, psycopg.Connection):
        return False
    return (driver.info.parameter_status("DateStyle") or "").startswith("ISO")


def _statement(place: _Place, query: Query, limit: int | None, *, valid_given: bool) -> Select[Any]:
    """The rows that may be wanted, in the order wanted.

    Args:
        place: where it is asked.
        query: what is asked.
        limit: most rows; None for all.
        valid_given: the ids that mean valid come as the parameter ``valid``.
    """
    table, backend = place.table, place.backend
    columns = [_read(name, place) for name in table.columns]
    statement = sqlalchemy.select(*columns).select_from(from_table(table.table))
    condition = preselection(query.condition, in_table=True)
    if condition != ANYBODY:
        statement = statement.where(_rendered(condition, place))
    if query.valid_only and table.validity and not valid_given:
        statement = statement.where(column(table.validity).in_(VALID_IDS))
    if valid_given:
        statement = statement.where(one_of(column(table.validity), "valid", backend))
    if backend in SORTS_AS_WE_DO:
        for order in query.order:
            text = as_text(order.field, backend)
            if order.field != table.key:  # without a login a row is nobody's
                text = sqlalchemy.func.coalesce(text, "")
            key = text if order.field in place.in_order else _binary(text, backend)
            statement = statement.order_by(key.desc() if order.descending else key)
    return statement.limit(limit)


_list_statement = lru_cache(maxsize=64)(_statement)
"""Lists are asked for again and again, by the same statement."""


def _read(name: str, place: _Place) -> ColumnElement[Any]:
    """A column as it is read. To make texts of times takes Python longer than all of their rows."""
    if name in place.table.times and place.writes_times:
        return sqlalchemy.cast(column(name), sqlalchemy.Text())
    return column(name)


def _rendered(condition: Condition, place: _Place) -> ColumnElement[bool]:
    match condition:
        case And(parts):
            return sqlalchemy.and_(*(_rendered(one, place) for one in parts))
        case Or(parts):
            alternatives = (_rendered(one, place) for one in parts)
            return sqlalchemy.or_(sqlalchemy.false(), *alternatives)
        case Fits(fields, pattern):
            backend, exact, wide = place.backend, place.table.exact, place.wide
            likes = (fits(name, pattern, backend, exact=exact, wide=wide) for name in fields)
            return sqlalchemy.or_(sqlalchemy.false(), *likes)
        case OneOf(name, texts):
            sendable = sorted(text for text in texts if _sendable(text, wide=place.wide))
            return as_text(name, place.backend).in_(sendable)
        case Between(name) if name in (times := dict(place.times)):
            return in_span(condition, days=times[name])
        case _:
            return sqlalchemy.true()


def _sendable(text: str, *, wide: bool) -> bool:
    """Whether a database can hold a text at all."""
    if text.isascii():
        return "\0" not in text
    return wide and not any("\ud800" <= letter <= "\udfff" for letter in text)


def _binary(key: ColumnElement[Any], backend: str) -> ColumnElement[Any]:
    """A text that is sorted code point by code point."""
    match backend:
        case "postgresql":
            return sqlalchemy.collate(key, "C")
        case "sqlite":
            return sqlalchemy.collate(key, "BINARY")
        case _:
            return sqlalchemy.cast(key, sqlalchemy.LargeBinary())


def _lacks_letters(cause: BaseException | None) -> bool:
    """Whether a statement was refused because of a letter that the database does not hold."""
    arguments: tuple[object, ...] = getattr(getattr(cause, "orig", None), "args", ())
    return isinstance(cause, DataError) or bool(MIXED_COLLATIONS.intersection(arguments[:1]))
