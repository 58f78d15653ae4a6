"""How are many rows inserted, or overwritten with different values, in one statement each?

Every kind of database has its own way: PostgreSQL takes arrays, MariaDB and MySQL a derived
table, and SQLite, which has no network to save, runs a prepared statement for each row. Where rows
go to a driver one by one they go there as they are: SQLAlchemy's care for each value would cost a
quarter of a ticket's time.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import Any

from sqlalchemy import Connection, Dialect, String, Table, TextClause, text

from worker.tickets import schema
from worker.tickets.lists import POSTGRESQL, array

VALUES = schema.dynamic_field_value


def insert_rows(  # noqa: PLR0913, PLR0917 - what an INSERT consists of
    connection: Connection,
    table: Table,
    columns: Sequence[str],
    rows: Sequence[Sequence[Any]],
    same: Mapping[str, Any],
    returning: Sequence[str] = (),
) -> Sequence[Sequence[Any]] | None:
    """Insert rows in order.

    Args:
        connection: in a transaction.
        table: one of ``schema``.
        columns: the names of the columns that differ from row to row.
        rows: their values, in the order of ``columns``.
        same: the columns that all rows have in common, with their values.
        returning: the names of the columns to tell of each new row, in whatever order of rows.

    Returns:
        What was asked for; None from a database that does not tell.
    """
    if not rows:
        return ()
    if connection.dialect.name != POSTGRESQL:
        sql = _insert_one(connection.dialect, table, (*columns, *same))
        (common,) = _as_bound(connection.dialect, table, (*same,), [(*same.values(),)])
        different = _as_bound(connection.dialect, table, columns, rows)
        connection.exec_driver_sql(sql, [(*row, *common) for row in different])
        return None
    arrays = _arrays(columns, rows)
    statement = _insert_from_arrays(
        connection.dialect, table, tuple(arrays), tuple(same), tuple(returning)
    )
    result = connection.execute(statement, {**arrays, **same})
    return result.all() if returning else ()


def overwrite_values(
    connection: Connection, columns: Sequence[str], rows: Sequence[Sequence[Any]]
) -> int:
    """Give rows of ``dynamic_field_value`` new values.

    Args:
        connection: in a transaction.
        columns: the names of the columns that are set.
        rows: for each row its id, and then the values in the order of ``columns``.

    Returns:
        How many of the rows were still there.
    """
    if not rows:
        return 0
    dialect = connection.dialect
    if dialect.name == "sqlite":
        behind = [(*new, id_) for id_, *new in rows]
        together = [(*row,) for row in _as_bound(dialect, VALUES, columns, behind)]
        return connection.exec_driver_sql(_overwrite_one(tuple(columns)), together).rowcount
    if dialect.name != POSTGRESQL:
        return _overwrite_from_derived_table(connection, columns, rows)
    arrays = _arrays(["id", *columns], rows)
    empty = tuple(name for name in columns if name not in arrays)
    return connection.execute(
        _overwrite_from_arrays(dialect, tuple(arrays), empty), arrays
    ).rowcount


def _arrays(names: Sequence[str], rows: Sequence[Sequence[Any]]) -> dict[str, str]:
    """An array for each column that is not empty in all rows, by name."""
    columns = dict(zip(names, zip(*rows, strict=True), strict=True))
    return {
        name: array(values) for name, values in columns.items() if values.count(None) < len(values)
    }


@cache
def _insert_from_arrays(
    dialect: Dialect,
    table: Table,
    columns: tuple[str, ...],
    same: tuple[str, ...],
    returning: tuple[str, ...],
) -> TextClause:
    names = ", ".join(columns)
    told = f" RETURNING {', '.join(returning)}" if returning else ""
    common = "".join(f", CAST(:{name} AS {_type_of(dialect, table, name)})" for name in same)
    return text(
        f"INSERT INTO {table.name} ({', '.join([*columns, *same])}) "  # noqa: S608 - our own
        f"SELECT {names}{common} FROM unnest({_casts(dialect, table, columns)}) "
        f"WITH ORDINALITY AS news({names}, place) ORDER BY place{told}"
    )


@cache
def _overwrite_from_arrays(
    dialect: Dialect, names: tuple[str, ...], empty: tuple[str, ...]
) -> TextClause:
    changes = ", ".join(
        [*(f"{name} = news.{name}" for name in names[1:]), *(f"{name} = NULL" for name in empty)]
    )
    return text(
        f"UPDATE dynamic_field_value AS v SET {changes} "  # noqa: S608 - our own column names
        f"FROM unnest({_casts(dialect, VALUES, names)}) AS news({', '.join(names)}) "
        f"WHERE v.id = news.id"
    )


def _casts(dialect: Dialect, table: Table, names: Sequence[str]) -> str:
    """One typed array for each column: a statement of constant length, whatever the rows."""
    return ", ".join(f"CAST(:{name} AS {_type_of(dialect, table, name)}[])" for name in names)


def _type_of(dialect: Dialect, table: Table, name: str) -> str:
    kind = table.c[name].type
    # A cast to VARCHAR(n) would cut a text silently; as TEXT it is refused where it is too long.
    return "TEXT" if isinstance(kind, String) else kind.compile(dialect)


@cache
def _insert_one(dialect: Dialect, table: Table, names: tuple[str, ...]) -> str:
    mark = "?" if dialect.paramstyle == "qmark" else "%s"
    marks = ", ".join([mark] * len(names))
    return f"INSERT INTO {table.name} ({', '.join(names)}) VALUES ({marks})"  # noqa: S608 - our own


@cache
def _overwrite_one(columns: tuple[str, ...]) -> str:
    changes = ", ".join(f"{name} = ?" for name in columns)
    return f"UPDATE dynamic_field_value SET {changes} WHERE id = ?"  # noqa: S608 - as above


def _as_bound(
    dialect: Dialect, table: Table, names: Sequence[str], rows: Sequence[Sequence[Any]]
) -> Sequence[Sequence[Any]]:
    """Rows as the driver takes them: of our columns only times are bound as something else."""
    for place, process in _processors(dialect, table, tuple(names)):
        rows = [
            row if row[place] is None else (*row[:place], process(row[place]), *row[place + 1 :])
            for row in rows
        ]
    return rows


@cache
def _processors(
    dialect: Dialect, table: Table, names: tuple[str, ...]
) -> tuple[tuple[int, Callable[[Any], Any]], ...]:
    """What SQLAlchemy does to a value of a column before it is bound, by the column's place."""
    processors = [
        table.c[name].type.dialect_impl(dialect).bind_processor(dialect) for name in names
    ]
    return tuple((place, one) for place, one in enumerate(processors) if one is not None)


def _overwrite_from_derived_table(
    connection: Connection, columns: Sequence[str], rows: Sequence[Sequence[Any]]
) -> int:
    names = ["id", *columns]
    first = "SELECT " + ", ".join(f"%s AS {name}" for name in names)
    others = f" UNION ALL SELECT {', '.join(['%s'] * len(names))}" * (len(rows) - 1)
    changes = ", ".join(f"v.{name} = news.{name}" for name in columns)
    return connection.exec_driver_sql(
        f"UPDATE dynamic_field_value v JOIN ({first}{others}) news "  # noqa: S608 - as above
        f"ON v.id = news.id SET {changes}",
        tuple(value for row in rows for value in row),
    ).rowcount
