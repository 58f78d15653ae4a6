"""How are rows of customer users or customers added to a table, and how are they changed?

Whatever a server is asked, it decides by rules of its own which rows a key means; here only the row
whose key has exactly the spelling that was read is changed, and it is counted. Rows of a batch
that the database refuses do not keep the others from being written.
"""

import re
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, TypeVar

import sqlalchemy
from sqlalchemy import ColumnElement, Connection, bindparam, column
from sqlalchemy.exc import DataError, DBAPIError, IntegrityError
from sqlalchemy.types import NullType, String

from directory.database import QUOTING, Database
from directory.rows import split_name
from directory.transactions import error_code, savepoint
from directory.writing import Author

K = TypeVar("K", bound=Hashable)

CREATED = ("create_time", "create_by")
CHANGED = ("change_time", "change_by")

ROWS_FAULT = QUOTING | {"23514", 1364, 3819, 4025}
"""Codes of refusals that are about a row, beside those that a driver calls data or integrity:
a CHECK that fails, and a column without a default that got no value."""

UNIQUE = frozenset({"23505", 1062, "SQLITE_CONSTRAINT_UNIQUE", "SQLITE_CONSTRAINT_PRIMARYKEY"})
"""Codes of a row that there may be only one of."""


class RowGone(Exception):
    """The row is not there any more, or there are two of it."""


@dataclass(frozen=True, slots=True)
class TableColumn:
    """What a table's own definition says of a column.

    Attributes:
        length: most characters; None if there is no limit.
        text: it holds text. Elsewhere an empty text cannot stand; NULL stands for it.
    """

    length: int | None
    text: bool


@dataclass(frozen=True, slots=True)
class WritableTable:
    """A table whose rows are written.

    Attributes:
        name: the table's name, ``schema.table`` allowed.
        key: the column that rows are known by.
        stamped: it has the columns create_time, create_by, change_time and change_by.
    """

    name: str
    key: str
    stamped: bool


def table_columns(database: Database, table: str) -> Mapping[str, TableColumn]:
    """The columns of a table by name, as its definition says.

    Raises:
        DatabaseFault: the database does not answer, or has no such table.
    """
    return database.ask(lambda connection: columns_in(connection, table), database.deadline())


def columns_in(connection: Connection, table: str) -> Mapping[str, TableColumn]:
    """The columns of a table by name, asked for over a connection."""
    schema, name = split_name(table)
    found = sqlalchemy.inspect(connection).get_columns(name, schema=schema)
    return {one["name"]: _column(one["type"]) for one in found}


def insert(
    connection: Connection,
    table: WritableTable,
    rows: Sequence[Mapping[str, Any]],
    author: Author,
) -> Mapping[int, DBAPIError]:
    """Add rows, one statement for all that have the same columns, unless some are refused.

    Args:
        connection: in a transaction.
        table: the table.
        rows: values by column.
        author: for the stamps.

    Returns:
        Why rows were refused, by their place; all others are added.
    """
    stamps = dict(zip((*CREATED, *CHANGED), 2 * (author.moment, author.user_id), strict=True))
    more: Mapping[str, Any] = stamps if table.stamped else {}
    alike: dict[tuple[str, ...], list[int]] = {}
    for place, row in enumerate(rows):
        alike.setdefault((*row,), []).append(place)
    refused: dict[int, DBAPIError] = {}
    for names, places in alike.items():
        statement = sqlalchemy.insert(_named(table.name, (*names, *more)))

        def add(part: Sequence[int], statement: sqlalchemy.Insert = statement) -> None:
            connection.execute(statement, [{**rows[place], **more} for place in part])

        refused |= _in_halves(connection, places, add)
    return refused


def update(
    connection: Connection,
    table: WritableTable,
    rows: Mapping[str, Mapping[str, Any]],
    author: Author,
) -> Mapping[str, DBAPIError | RowGone]:
    """Change rows that were read, and locked, in this transaction.

    Args:
        connection: in that transaction.
        table: the table.
        rows: the new values of columns, by key as it was read.
        author: for the stamps.

    Returns:
        Why rows were refused, by key; all others are changed.
    """
    stamps = dict(zip(CHANGED, (author.moment, author.user_id), strict=True))
    stamps = stamps if table.stamped else {}
    alike: dict[tuple[str, ...], list[str]] = {}
    for key, cells in rows.items():
        alike.setdefault(tuple(cells), []).append(key)
    refused: dict[str, DBAPIError | RowGone] = {}
    for names, keys in alike.items():
        statement = _update(table, names, connection.dialect.name)

        def change(
            part: Sequence[str], names: Sequence[str] = names, statement: Any = statement
        ) -> None:
            told = {f"to_{name}": value for name, value in stamps.items()}
            sent = [
                {"of_key": key, **{f"to_{name}": rows[key][name] for name in names}, **told}
                for key in part
            ]
            # The sum is enough: a row that is locked cannot be gone, so nothing makes up for one
            # that came to stand beside another.
            if connection.execute(statement, sent).rowcount != len(part):
                raise RowGone

        refused |= _in_halves(connection, keys, change)
    return refused


def unique_columns(connection: Connection, table: str, error: DBAPIError) -> tuple[str, ...] | None:
    """The columns that no two rows may have in common, if that is why a row was refused.

    Returns:
        None if it was refused for another reason; empty if the columns cannot be told.
    """
    if error_code(error) not in UNIQUE:
        return None
    original = error.orig
    schema, name = split_name(table)
    if connection.dialect.name == "sqlite":
        return tuple(re.findall(rf"{re.escape(name)}\.(\w+)", str(original)))
    constraint = getattr(getattr(original, "diag", None), "constraint_name", None)
    if constraint is None:
        message = str(getattr(original, "args", ("",))[-1])
        found = re.search(r"for key '(?:[^']*\.)?([^'.]+)'$", message)
        constraint = found and found[1]
    inspector = sqlalchemy.inspect(connection)
    primary = inspector.get_pk_constraint(name, schema=schema)
    if constraint in {primary.get("name") or "PRIMARY", "PRIMARY"}:
        return tuple(primary["constrained_columns"])
    for index in inspector.get_indexes(name, schema=schema):
        if index["name"] == constraint:
            return tuple(one for one in index["column_names"] if one is not None)
    return ()


def same(key: ColumnElement[Any], value: ColumnElement[Any], backend: str) -> ColumnElement[bool]:
    """The condition that a key has exactly a spelling, whatever the server's collations say."""
    if backend in {"mysql", "mariadb"}:
        # Most of its collations ignore case, accents and blanks at the end.
        octets = (sqlalchemy.func.hex(_utf8(one)) for one in (key, value))
        return sqlalchemy.and_(key == value, next(octets) == next(octets))
    return key == value


def _utf8(text: ColumnElement[Any]) -> ColumnElement[Any]:
    return sqlalchemy.Function("CONVERT", text.op("USING")(sqlalchemy.text("utf8mb4")))


def _in_halves(
    connection: Connection, keys: Sequence[K], write: Callable[[Sequence[K]], None]
) -> dict[K, Any]:
    """Write all keys; where some are refused, halve until those are alone."""
    refused: dict[K, DBAPIError | RowGone] = {}
    waiting = [keys]
    while waiting:
        part = waiting.pop(0)
        try:
            with savepoint(connection):
                write(part)
        except (DBAPIError, RowGone) as error:
            if isinstance(error, DBAPIError) and not _is_a_rows(error):
                raise
            if len(part) == 1:
                refused[part[0]] = error
            else:
                half = len(part) // 2
                waiting[:0] = [part[:half], part[half:]]
    return refused


def _is_a_rows(error: DBAPIError) -> bool:
    """Whether a statement was refused because of what a row holds."""
    return isinstance(error, DataError | IntegrityError) or error_code(error) in ROWS_FAULT


@lru_cache(maxsize=256)
def _update(table: WritableTable, names: tuple[str, ...], backend: str) -> sqlalchemy.Update:
    stamps = CHANGED if table.stamped else ()
    target = _named(table.name, (table.key, *names, *stamps))
    return (
        sqlalchemy.update(target)
        .values({name: bindparam(f"to_{name}", type_=NullType()) for name in (*names, *stamps)})
        .where(same(target.c[table.key], bindparam("of_key", type_=NullType()), backend))
    )


def _named(table: str, columns: Sequence[str]) -> sqlalchemy.TableClause:
    schema, name = split_name(table)
    return sqlalchemy.table(name, *map(column, dict.fromkeys(columns)), schema=schema)


def _column(kind: Any) -> TableColumn:
    text = isinstance(kind, String | NullType)
    return TableColumn(length=getattr(kind, "length", None) if text else None, text=text)
