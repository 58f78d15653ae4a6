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
from functools import lru_cache
from typing import Any, TypeAlias

import sqlalchemy
from sqlalchemy import ColumnElement, Connection, FromClause, Select, column

from directory.database import Database, DatabaseFault
from directory.folding import fold
from directory.halving import BATCH, ask_in_halves
from directory.membership import one_of, sent
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
                for key in groups[spelling]:
                    answer.found[key] = row

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
    schema, name = split_name(table)

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
    schema, _ = split_name(table)

    def inspect(connection: Connection) -> tuple[str, ...]:
        inspector = sqlalchemy.inspect(connection)
        names = (*inspector.get_table_names(schema=schema), *inspector.get_view_names(schema))
        return tuple(sorted(names))

    return database.ask(inspect, database.deadline())


def from_table(name: str) -> FromClause:
    """A table by its name, ``schema.table`` allowed; quoted where it must be."""
    schema, table = split_name(name)
    return sqlalchemy.table(table, schema=schema)


def split_name(table: str) -> tuple[str | None, str]:
    """The schema, if it is named, and the name of a table."""
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
        statement, parameters = _preselection(database, connection, table, asked)
        return connection.execute(statement, parameters).all()

    return _belonging(table, asked, database.ask(work, deadline))


def rows_in_transaction(
    database: Database,
    connection: Connection,
    table: KeyedTable,
    keys: Iterable[str],
    *,
    lock: bool = False,
) -> dict[str, list[Row]]:
    """The rows that belong to each key, by its spelling; a key without one is missing.

    Args:
        database: where the connection is from.
        connection: within a transaction, which a key that the column cannot hold breaks.
        table: the table.
        keys: any number.
        lock: nobody else may change the rows until the transaction ends.
    """
    groups: dict[str, list[str]] = {}
    for key in keys:
        groups.setdefault(table.spelling(key), []).append(key)
    found: dict[str, list[Row]] = {}
    waiting = list(groups)
    while waiting:
        asked = {spelling: groups[spelling] for spelling in waiting[:BATCH]}
        waiting = waiting[BATCH:]
        statement, parameters = _preselection(database, connection, table, asked)
        if lock:
            statement = statement.with_for_update()
        found |= _belonging(table, asked, connection.execute(statement, parameters).all())
    return found


def _belonging(
    table: KeyedTable, asked: Collection[str], rows: Sequence[sqlalchemy.Row[Any]]
) -> dict[str, list[Row]]:
    """Which rows really belong to what was asked for, in the server's order."""
    found: dict[str, list[Row]] = {}
    cells: Sequence[Any]
    for key, *cells in rows:
        text = to_text(key)
        if text is not None and (spelling := table.spelling(text)) in asked:
            found.setdefault(spelling, []).append(read_row(table.columns, cells))
    return found


def read_row(columns: Sequence[str], cells: Sequence[Any]) -> Row:
    """The values of a row's cells; most are text already, or NULL."""
    return {
        name: value
        for name, cell in zip(columns, cells, strict=True)
        if cell is not None and (value := cell if type(cell) is str else to_value(cell)) is not None
    }


def _preselection(
    database: Database,
    connection: Connection,
    table: KeyedTable,
    asked: Mapping[str, Sequence[str]],
) -> tuple[Select[Any], Mapping[str, Any]]:
    """A statement that no row of an asked key escapes, and its parameters."""
    backend = connection.dialect.name
    fold = ""
    keys: Collection[str] = [spelling for group in asked.values() for spelling in group]
    if table.exact:
        pass
    elif backend in {"mysql", "mariadb"} and database.ignores_case(
        connection, table.table, table.key
    ):
        keys = dict.fromkeys([*asked, *keys])
    elif isinstance(driver := connection.connection.driver_connection, sqlite3.Connection):
        fold, keys = _fold_in_sqlite(driver, asked), ()
    else:
        # The spellings as they are, too: the server may fold otherwise than we do.
        fold = "lower"
    parameters = {"folded": sent(asked, backend)} if fold else {}
    if keys:
        parameters["keys"] = sent(keys, backend)
    return _statement(table, backend, fold, as_spelt=bool(keys)), parameters


@lru_cache(maxsize=256)
def _statement(table: KeyedTable, backend: str, fold: str, *, as_spelt: bool) -> Select[Any]:
    """The key and the columns of rows whose key is asked for; built once, compiled once.

    Args:
        table: where they stand.
        backend: the dialect's name.
        fold: the server's function that folds case, for the parameter ``folded``; or none.
        as_spelt: keys are looked for as they are, too, for the parameter ``keys``.
    """
    key: ColumnElement[Any] = column(table.key)
    # CHAR(n) comes padded, unless it becomes text.
    text = sqlalchemy.cast(key, sqlalchemy.Text()) if backend == "postgresql" else key
    either = []
    if fold:
        folded: ColumnElement[Any] = sqlalchemy.Function(fold, text)
        either.append(one_of(folded, "folded", backend))
    if as_spelt:
        either.append(one_of(key, "keys", backend))
    return _select(table, text).where(sqlalchemy.or_(*either))


def _fold_in_sqlite(driver: sqlite3.Connection, asked: Iterable[str]) -> str:
    """The function that folds these keys: SQLite's own knows the letters of ASCII only."""
    # A spelling outside ASCII has no fold inside it, see directory.folding.
    if all(map(str.isascii, asked)):
        return "lower"
    driver.create_function("fieldfare_fold", 1, _fold_value, deterministic=True)
    return "fieldfare_fold"


def _fold_value(value: object) -> str | None:
    text = to_text(value)
    return None if text is None else fold(text)


def _impossible(key: str, table: KeyedTable) -> str | None:
    """Why no database could hold a key, without asking."""
    if table.integer_key and _INTEGER.fullmatch(key) is None:
        return "the key column holds integers"
    if not key.isascii():
        try:
            key.encode()
        except UnicodeEncodeError:
            return "not valid Unicode"
    return None
