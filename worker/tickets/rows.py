"""How are many rows inserted, or overwritten with different values, in one statement each?

Every kind of database has its own way: PostgreSQL takes arrays, MariaDB and MySQL a derived
table, and SQLite, which has no network to save, runs a prepared statement for each row.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Column, Connection, Dialect, String, Table, bindparam, insert, text, update

from worker.tickets import schema

DATA = ("value_text", "value_date", "value_int", "index_value", "index_set")


def insert_rows(connection: Connection, table: Table, rows: Sequence[Mapping[str, Any]]) -> None:
    """Insert rows in order; all of them have the same keys."""
    if not rows:
        return
    if connection.dialect.name == "postgresql":
        _insert_from_arrays(connection, table, rows)
    else:
        connection.execute(insert(table), list(rows))


def overwrite_values(connection: Connection, rows: Sequence[Mapping[str, Any]]) -> int:
    """Give rows of ``dynamic_field_value`` new values.

    Args:
        connection: in a transaction.
        rows: each with ``id``, ``field_id`` and the same columns of ``DATA``.

    Returns:
        How many of the rows were still there.
    """
    if not rows:
        return 0
    columns = ["field_id", *(name for name in DATA if name in rows[0])]
    if connection.dialect.name == "postgresql":
        return _overwrite_from_arrays(connection, columns, rows)
    if connection.dialect.name == "sqlite":
        table = schema.dynamic_field_value
        statement = update(table).where(table.c.id == bindparam("row_id"))
        return connection.execute(
            statement.values({name: bindparam(f"new_{name}") for name in columns}),
            [
                {"row_id": row["id"], **{f"new_{name}": row[name] for name in columns}}
                for row in rows
            ],
        ).rowcount
    return _overwrite_from_derived_table(connection, columns, rows)


def _insert_from_arrays(
    connection: Connection, table: Table, rows: Sequence[Mapping[str, Any]]
) -> None:
    names = list(rows[0])
    columns = ", ".join(names)
    connection.execute(
        text(
            f"INSERT INTO {table.name} ({columns}) "  # noqa: S608 - our own table and columns
            f"SELECT {columns} FROM unnest({_arrays(connection, table, names)}) "
            f"WITH ORDINALITY AS news({columns}, place) ORDER BY place"
        ),
        {name: [row[name] for row in rows] for name in names},
    )


def _overwrite_from_arrays(
    connection: Connection, columns: Sequence[str], rows: Sequence[Mapping[str, Any]]
) -> int:
    names = ["id", *columns]
    arrays = _arrays(connection, schema.dynamic_field_value, names)
    changes = ", ".join(f"{name} = news.{name}" for name in columns)
    statement = text(
        f"UPDATE dynamic_field_value AS v SET {changes} "  # noqa: S608 - our own column names
        f"FROM unnest({arrays}) AS news({', '.join(names)}) WHERE v.id = news.id"
    )
    return connection.execute(
        statement, {name: [row[name] for row in rows] for name in names}
    ).rowcount


def _arrays(connection: Connection, table: Table, names: Sequence[str]) -> str:
    """One typed array for each column: a statement of constant length, whatever the rows."""
    types = {name: _type_of(table.c[name], connection.dialect) for name in names}
    return ", ".join(f"CAST(:{name} AS {kind}[])" for name, kind in types.items())


def _type_of(column: Column[Any], dialect: Dialect) -> str:
    # A cast to VARCHAR(n) would cut a text silently; as TEXT it is refused where it is too long.
    if isinstance(column.type, String):
        return "TEXT"
    return column.type.compile(dialect)


def _overwrite_from_derived_table(
    connection: Connection, columns: Sequence[str], rows: Sequence[Mapping[str, Any]]
) -> int:
    names = ["id", *columns]
    first = "SELECT " + ", ".join(f"%s AS {name}" for name in names)
    others = "".join(f" UNION ALL SELECT {', '.join(['%s'] * len(names))}" for _ in rows[1:])
    changes = ", ".join(f"v.{name} = news.{name}" for name in columns)
    return connection.exec_driver_sql(
        f"UPDATE dynamic_field_value v JOIN ({first}{others}) news "  # noqa: S608 - as above
        f"ON v.id = news.id SET {changes}",
        tuple(row[name] for row in rows for name in names),
    ).rowcount
