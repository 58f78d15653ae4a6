"""How are many rows inserted, or overwritten with different values, in one statement each?

Every kind of database has its own way: PostgreSQL takes arrays, MariaDB and MySQL a derived
table, and SQLite, which has no network to save, runs a prepared statement for each row.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, Table, bindparam, insert, text, update

from worker.tickets import schema

DATA = ("value_text", "value_date", "value_int", "index_value", "index_set")
_ARRAYS = {
    "id": "bigint[]",
    "field_id": "integer[]",
    "value_text": "text[]",
    "value_date": "timestamp[]",
    "value_int": "bigint[]",
    "index_value": "smallint[]",
    "index_set": "smallint[]",
}


def insert_rows(connection: Connection, table: Table, rows: Sequence[Mapping[str, Any]]) -> None:
    """Insert rows in order; all of them have the same keys."""
    if not rows:
        return
    statement = insert(table)
    if connection.dialect.name == "postgresql":
        # Asking for something back makes SQLAlchemy send rows together instead of one by one.
        connection.execute(statement.returning(table.c.id), list(rows)).all()
    else:
        connection.execute(statement, list(rows))


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


def _overwrite_from_arrays(
    connection: Connection, columns: Sequence[str], rows: Sequence[Mapping[str, Any]]
) -> int:
    names = ["id", *columns]
    arrays = ", ".join(f"CAST(:{name} AS {_ARRAYS[name]})" for name in names)
    changes = ", ".join(f"{name} = news.{name}" for name in columns)
    statement = text(
        f"UPDATE dynamic_field_value AS v SET {changes} "  # noqa: S608 - our own column names
        f"FROM unnest({arrays}) AS news({', '.join(names)}) WHERE v.id = news.id"
    )
    return connection.execute(
        statement, {name: [row[name] for row in rows] for name in names}
    ).rowcount


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
