"""What engine speaks with a database outside the ticket system? One connection, short timeouts.

Values come as the server writes them wherever the driver lets us, as OTOBO's driver hands them on.
"""

import contextlib
import math
import os.path
from functools import partial
from typing import Any
from urllib.parse import quote

import pymysql.converters
import sqlalchemy
from psycopg.types.string import TextLoader
from sqlalchemy import URL, Connection, Engine, event

from directory.database_tls import secure, secured

TEXT_TYPES = (
    *("date", "time", "timetz", "timestamp", "timestamptz", "interval", "numeric"),
    *("float4", "float8", "json", "jsonb", "uuid", "inet", "cidr", "macaddr", "money"),
    *("int4range", "int8range", "numrange", "daterange", "tsrange", "tstzrange"),
    *("int4multirange", "int8multirange", "nummultirange", "datemultirange"),
    *("tsmultirange", "tstzmultirange"),
)
"""PostgreSQL's types that are taken as the server writes them, as OTOBO's driver does: Python has
no ``infinity`` among its dates, and one such row would make a batch fail."""

WRITING = "fieldfare_writing"
"""The execution option of a transaction that will write: SQLite then takes its lock at BEGIN."""

RECYCLE_SECONDS = 1800
"""A connection older than this is replaced: firewalls forget idle ones."""


def make_engine(url: URL, timeout: float) -> Engine:
    """An engine with one connection, and the timeouts that its driver and server know.

    Args:
        url: the database's address.
        timeout: seconds for connecting, and for each statement.
    """
    kind = url.get_backend_name()
    milliseconds = math.ceil(timeout * 1000)
    arguments: dict[str, Any] = {}
    match url.drivername:
        case "postgresql+psycopg":
            arguments = {
                "connect_timeout": math.ceil(timeout),
                "tcp_user_timeout": milliseconds,
                "prepare_threshold": None,  # a pooler hands the session to others
                "application_name": "fieldfare",
            }
            if "options" not in url.query:
                arguments["options"] = f"-c statement_timeout={milliseconds}"
        case "mysql+pymysql":
            arguments = {
                "connect_timeout": math.ceil(timeout),
                "read_timeout": timeout,
                "write_timeout": timeout,
                # No decoders: values come as the server writes them, 0000-00-00 included.
                "conv": pymysql.converters.encoders.copy(),
            }
        case "sqlite":
            arguments = {"timeout": timeout}
            url = _existing_file(url)
        case _:
            pass
    pool: dict[str, Any] = {
        "pool_size": 1,
        "max_overflow": 0,
        "pool_timeout": timeout,
        "pool_pre_ping": True,
        "pool_recycle": RECYCLE_SECONDS,
    }
    if kind == "sqlite":
        # A file that is replaced by a newer one would be read from the old one for ever.
        pool = {"poolclass": sqlalchemy.NullPool}
    engine = sqlalchemy.create_engine(
        secured(url),
        connect_args=arguments,
        isolation_level="AUTOCOMMIT",
        hide_parameters=True,
        **pool,
    )
    secure(engine, url)
    if kind == "sqlite":
        event.listen(engine, "begin", _begin_sqlite)
    if kind == "postgresql":
        event.listen(engine, "connect", _take_text)
    if kind == "mysql":
        event.listen(engine, "connect", partial(limit_statements, timeout))
    return engine


def _existing_file(url: URL) -> URL:
    """SQLite makes a file that is not there; a missing source must stay missing."""
    if url.database in (None, "", ":memory:") or str(url.database).startswith("file:"):
        return url
    path = quote(os.path.abspath(str(url.database)))  # noqa: PTH100 - must not resolve links
    return url.set(database=f"file:{path}").update_query_dict({"mode": "rw", "uri": "true"})


def _begin_sqlite(connection: Connection) -> None:
    """Everything is committed by itself, unless somebody wants a transaction to write in."""
    if connection.get_execution_options().get(WRITING, False):
        connection.exec_driver_sql("BEGIN IMMEDIATE")


def _take_text(connection: Any, _record: object) -> None:
    for name in TEXT_TYPES:
        connection.adapters.register_loader(name, TextLoader)


def limit_statements(timeout: float, connection: Any, _record: object) -> None:
    """MariaDB counts seconds, MySQL milliseconds; both under names of their own."""
    if "MariaDB" in connection.get_server_info():
        statement = f"SET SESSION max_statement_time = {timeout:f}"
    else:
        statement = f"SET SESSION max_execution_time = {math.ceil(timeout * 1000)}"
    with contextlib.closing(connection.cursor()) as cursor:
        cursor.execute(statement)
