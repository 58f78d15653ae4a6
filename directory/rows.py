"""Which rows of a table belong to which keys? Asked in one statement for some hundred keys.

The server only preselects, by rules of its own: MariaDB's collations ignore trailing blanks and
accents, PostgreSQL folds case as the collation says. Whether a row belongs to a key is decided here
(design 1.1). Where more than one row belongs to a key, the key is asked again alone, and the first
row in the server's order is taken (observed rule 27).
"""

import re
import sqlite3
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import sqlalchemy
from sqlalchemy import ColumnElement, Connection, FromClause, Select, column
from sqlalchemy.types import NullType

from directory.database import Database, DatabaseFault
from directory.folding import fold
from directory.halving import ask_in_halves
from directory.model import AttributeValue
from directory.values import to_text, to_value

Row: TypeAlias = Mapping[str, AttributeValue]
"""Values by column; NULLs are missing."""

_INTEGER = re.compile(r"-?[0-9]{1,18}")


@dataclass(frozen=True, slots=True)
class KeyedTable:
    """A table, its key column, and what is read of it.

    Attributes:
        table: the table's name, ``schema.table`` allowed.
        key: the key column.
        columns: the columns to read.
        exact: keys are compared with case.
        integer_key: the key column is known to hold integers.
    """

    table: str
    key: str
    columns: tuple[str, ...]
    exact: bool
    integer_key: bool = False

    def spelling(self, key: str) -> str:
        """The key as this table compares it."""
        return key if self.exact else fold(key)


@dataclass(slots=True)
class Rows:
    """What the table said.

    Attributes:
        found: the row of each key that was answered, under the spelling given; None is a no.
        refused: keys that the key column cannot hold, and why.
        unanswered: why all other keys have no answer; None if there are none.
    """

    found: dict[str, Row | None] = field(default_factory=dict)
    refused: dict[str, str] = field(default_factory=dict)
    unanswered: str | None = None


def find_rows(database: Database, table: KeyedTable, keys: Iterable[str]) -> Rows:
    """Find the row of each key; never raises for what a database does."""
    answer = Rows()
    groups: dict[str, list[str]] = {}
    for key in keys:
        reason = _impossible(key, table)
        if reason is None:
            groups.setdefault(table.spelling(key), []).append(key)
        else:
            answer.refused[key] = reason
    deadline = database.deadline()
    twins: list[str] = []

    def ask(batch: Sequence[str]) -> None:
        rows = _ask(database, table, {spelling: groups[spelling] for spelling in batch}, deadline)
        for spelling in batch:
            belonging = rows.get(spelling, [])
            if len(belonging) > 1 and len(batch) > 1:
                twins.append(spelling)
            else:
                row = belonging[0] if belonging else None
                answer.found |= dict.fromkeys(groups[spelling], row)

    def refuse(spelling: str, reason: str) -> None:
        answer.refused |= dict.fromkeys(groups[spelling], reason)

    try:
        ask_in_halves(groups, ask, refuse, lambda spelling: (spelling, *groups[spelling]))
        for spelling in twins:
            ask([spelling])
    except DatabaseFault as fault:
        answer.unanswered = fault.reason
    return answer


def probe(database: Database, table: KeyedTable) -> None:
    """Ask for no row at all: the table and its columns are there, and may be read.

    Raises:
        DatabaseFault: with the reason why not.
    """
    nothing = _select(table, column(table.key)).where(sqlalchemy.false())
    database.rows(nothing, database.deadline())


def missing_columns(
    database: Database, table: str, columns: Collection[str]
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Which of these columns a table lacks, and which columns it has.

    Raises:
        DatabaseFault: the database does not answer; ``cause`` is ``NoSuchTableError`` if it has
            no such table.
    """
    schema, name = _split(table)

    def inspect(connection: Connection) -> tuple[bool, tuple[str, ...]]:
        found = sqlalchemy.inspect(connection).get_columns(name, schema=schema)
        case_counts = connection.dialect.name == "postgresql"
        return case_counts, tuple(item["name"] for item in found)

    case_counts, existing = database.ask(inspect, database.deadline())
    known = {*existing} if case_counts else {item.lower() for item in existing}
    missing = (item for item in columns if (item if case_counts else item.lower()) not in known)
    return tuple(missing), existing


def existing_tables(database: Database, table: str) -> tuple[str, ...]:
    """The tables and views that stand where this one should."""
    schema, _ = _split(table)

    def inspect(connection: Connection) -> tuple[str, ...]:
        inspector = sqlalchemy.inspect(connection)
        names = (*inspector.get_table_names(schema=schema), *inspector.get_view_names(schema))
        return tuple(sorted(names))

    return database.ask(inspect, database.deadline())


def from_table(name: str) -> FromClause:
    """A table by its name, ``schema.table`` allowed; quoted where it must be."""
    schema, table = _split(name)
    return sqlalchemy.table(table, schema=schema)


def bound(values: Iterable[str]) -> sqlalchemy.BindParameter[Any]:
    """Texts for an IN, of no declared type: the server takes them as the column's own type."""
    return sqlalchemy.bindparam(None, list(values), type_=NullType(), expanding=True, unique=True)


def _split(table: str) -> tuple[str | None, str]:
    schema, _, name = table.rpartition(".")
    return schema or None, name


def _select(table: KeyedTable, key: ColumnElement[Any]) -> Select[Any]:
    columns: list[ColumnElement[Any]] = [column(name) for name in table.columns]
    return sqlalchemy.select(key, *columns).select_from(from_table(table.table))


def _ask(
    database: Database, table: KeyedTable, asked: Mapping[str, Sequence[str]], deadline: float
) -> dict[str, list[Row]]:
    """The rows that belong to each spelling, in the server's order."""

    def work(connection: Connection) -> Sequence[sqlalchemy.Row[Any]]:
        key, condition = _preselection(database, connection, table, asked)
        return connection.execute(_select(table, key).where(condition)).all()

    found: dict[str, list[Row]] = {}
    for key, *values in map(tuple, database.ask(work, deadline)):
        text = to_text(key)
        if text is not None and (spelling := table.spelling(text)) in asked:
            row = {
                name: value
                for name, raw in zip(table.columns, values, strict=True)
                if (value := to_value(raw)) is not None
            }
            found.setdefault(spelling, []).append(row)
    return found


def _preselection(
    database: Database,
    connection: Connection,
    table: KeyedTable,
    asked: Mapping[str, Sequence[str]],
) -> tuple[ColumnElement[Any], ColumnElement[bool]]:
    """The key as it is to be read, and a condition that no row of an asked key fails."""
    key: ColumnElement[Any] = column(table.key)
    spellings = [spelling for group in asked.values() for spelling in group]
    backend = connection.dialect.name
    # CHAR(n) comes padded, unless it becomes text.
    text = sqlalchemy.cast(key, sqlalchemy.Text()) if backend == "postgresql" else key
    if table.exact:
        return text, key.in_(bound(spellings))
    either = bound(dict.fromkeys([*asked, *spellings]))
    if backend in {"mysql", "mariadb"} and database.ignores_case(
        connection, table.table, table.key
    ):
        return text, key.in_(either)
    if backend == "sqlite":
        driver = connection.connection.driver_connection
        if isinstance(driver, sqlite3.Connection):
            # SQLite's own LOWER knows the letters of ASCII only.
            driver.create_function("fieldfare_fold", 1, _fold_value, deterministic=True)
            return text, sqlalchemy.func.fieldfare_fold(key).in_(bound(asked))
    folded = sqlalchemy.func.lower(text).in_(bound(asked))
    return text, sqlalchemy.or_(folded, key.in_(bound(spellings)))


def _fold_value(value: object) -> str | None:
    text = to_text(value)
    return None if text is None else fold(text)


def _impossible(key: str, table: KeyedTable) -> str | None:
    """Why no database could hold a key, without asking."""
    if table.integer_key and _INTEGER.fullmatch(key) is None:
        return "the key column holds integers"
    try:
        key.encode()
    except UnicodeEncodeError:
        return "not valid Unicode"
    return None
