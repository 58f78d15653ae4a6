"""How is the ticket database reached, and what do its errors mean?

``ticket_engine`` builds an engine for SQLite, PostgreSQL, MariaDB or MySQL on which no statement
and no wait for a lock takes longer than it may. ``kind_of`` sorts what the drivers raise into
the three things that can be done about it: repeat, wait for the database, or give up on the rows.
"""

import math
import select
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from enum import Enum, auto
from typing import Any

from sqlalchemy import URL, Connection, Dialect, Engine, create_engine, event, make_url
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import (
    ArgumentError,
    DataError,
    DBAPIError,
    DisconnectionError,
    IntegrityError,
    OperationalError,
    SQLAlchemyError,
)
from sqlalchemy.pool import ConnectionPoolEntry

from directory.database import message
from directory.database_tls import TlsOptionError, refusal, secure, secured
from directory.engines import WRITING
from worker.tickets.postgresql import ImpatientConnection
from worker.tickets.store import TicketDatabaseMisfit, TicketDatabaseUnavailable

DRIVERS = {
    "sqlite": "sqlite",
    "postgresql": "postgresql+psycopg",
    "mysql": "mysql+pymysql",
    "mariadb": "mysql+pymysql",
}
"""The driver for each kind of database; both MariaDB and MySQL announce themselves on connect."""

HAS_JIT = 110000
"""The first version of PostgreSQL that compiles statements, as its driver writes it."""

REPEATABLE_STATES = {"40001", "40P01", "55P03"}  # serialisation, deadlock, lock not available
REPEATABLE_NUMBERS = {1020, 1205, 1213}  # record changed, lock wait timeout, deadlock
_NOT_CONNECTED = {"", "2003", "2026"}
"""Codes with which a message is about the connection, and holds no value: none in PostgreSQL."""

_REFUSED = {"42501", "1040", "1044", "1045", "1049", "1130", "1142", "1143"}
"""Codes of servers that let nobody in, or not to this database, table or column."""

REPEATABLE_NAMES = ("SQLITE_BUSY", "SQLITE_LOCKED")

_READ_ONLY, _FULL = "it is read-only", "its disk is full"
_TAKES_NO_WRITES: Mapping[str, str] = {
    "25006": _READ_ONLY,  # PostgreSQL: read_only_sql_transaction, also of a standby
    "53100": _FULL,
    "1290": _READ_ONLY,  # MariaDB and MySQL: --read-only
    "1792": _READ_ONLY,  # in a read-only transaction
    "1836": _READ_ONLY,  # --innodb-read-only
    "28": _FULL,
    "1021": _FULL,
    "1114": _FULL,  # "the table is full" is what InnoDB calls it
    "SQLITE_READONLY": _READ_ONLY,
    "SQLITE_FULL": _FULL,
}
"""What a code means for everybody who wants to write."""


def ticket_engine(
    url: str | URL,
    *,
    statement_timeout: float = 5.0,
    lock_timeout: float = 2.0,
    connect_timeout: float = 5.0,
    pool_size: int = 1,
) -> Engine:
    """An engine that connects when first used; one for each process.

    A child process calls ``engine.dispose(close=False)`` before it uses an inherited one.

    Args:
        url: SQLAlchemy URL; the driver is chosen here, so ``postgresql://`` is enough.
        statement_timeout: seconds after which the server gives up on a statement.
        lock_timeout: seconds to wait for somebody else's row lock.
        connect_timeout: seconds to wait for a connection.
        pool_size: connections that are kept open.

    Raises:
        TicketDatabaseMisfit: the URL cannot be read or names a kind of database not known here.
    """
    try:
        address = make_url(url)
    except (ArgumentError, ValueError):
        # The message of the original would repeat the URL, and with it the password.
        raise TicketDatabaseMisfit(
            "the URL of the ticket database cannot be read; right: postgresql://user@host/otobo"
        ) from None
    backend = address.get_backend_name()
    if backend not in DRIVERS:
        raise TicketDatabaseMisfit(
            f"the ticket database cannot be {backend}; it must be one of "
            f"{', '.join(sorted(DRIVERS))}"
        )
    try:
        address = secured(given := address.set(drivername=DRIVERS[backend]))
    except TlsOptionError as error:
        raise TicketDatabaseMisfit(f"tickets.url asks for TLS, and {error}") from None
    settings: dict[str, Any] = {
        "hide_parameters": True,
        "pool_pre_ping": backend != "postgresql",  # there a look at the socket tells as much
        "pool_recycle": 1800,
        "pool_size": pool_size,
        "max_overflow": 9,
        "pool_timeout": connect_timeout,
    }
    if backend == "sqlite":
        # Waiting for the one writer is all the locking there is.
        engine = create_engine(address, connect_args={"timeout": lock_timeout}, **settings)
        event.listen(engine, "connect", _prepare_sqlite)
        event.listen(engine, "begin", _begin_sqlite)
        return engine
    # What is looked at again before COMMIT must show what others have committed meanwhile.
    settings["isolation_level"] = "READ COMMITTED"
    # For a server that stopped answering; where it answers, its own timeouts come first.
    deadline = math.ceil(statement_timeout + lock_timeout)
    if backend == "postgresql":
        more = address.query.get("options", "")
        options = more if isinstance(more, str) else " ".join(more)
        arguments = {
            "connect_timeout": math.ceil(connect_timeout),
            "application_name": "fieldfare",
            "client_encoding": "utf8",
            # All that is asked for has an index. PostgreSQL plans a statement once for each
            # connection, and would go on reading whole tables that were small or empty then.
            "options": f"-c enable_seqscan=off {options} "
            f"-c statement_timeout={round(statement_timeout * 1000)} "
            f"-c lock_timeout={round(lock_timeout * 1000)}",
        }
        engine = create_engine(address, connect_args=arguments, **settings)

        def connect(_: Dialect, __: object, args: Any, options: Any) -> ImpatientConnection:
            connection = ImpatientConnection.connect(*args, **options)
            connection.patience = deadline
            if connection.info.server_version >= HAS_JIT:
                # A statement without an index has to walk one, which is priced so high that the
                # server would compile it first, for half a second.
                connection.execute("SET jit = off")
                connection.commit()
            return connection

        event.listen(engine, "do_connect", connect)
        event.listen(engine, "checkout", _replace_closed)
        return engine
    engine = create_engine(
        address,
        connect_args={
            "charset": "utf8mb4",
            "connect_timeout": math.ceil(connect_timeout),
            "read_timeout": deadline,
            "write_timeout": deadline,
        },
        **settings,
    )

    def limit(connection: DBAPIConnection, _: ConnectionPoolEntry) -> None:
        _limit_mysql(connection, statement_timeout, lock_timeout)

    secure(engine, given)
    event.listen(engine, "connect", limit)
    return engine


def for_reading(engine: Engine) -> Engine:
    """The same connections, for statements that need no transaction around them.

    READ COMMITTED shows each statement what is committed by then, with a transaction or without
    one. On PostgreSQL that saves BEGIN and ROLLBACK, and at a ROLLBACK psycopg has the server
    forget the statements that it has prepared. Elsewhere a change of mode costs what it saves.
    """
    if engine.dialect.name != "postgresql":
        return engine
    return engine.execution_options(isolation_level="AUTOCOMMIT")


@contextmanager
def connected(engine: Engine, *, writing: bool = False, denied: str = "") -> Iterator[Connection]:
    """A connection, with the database's errors as the ports know them.

    Args:
        engine: from ``ticket_engine`` or ``for_reading``.
        writing: a transaction on it will write.
        denied: what to say where the database user lacks a right; a fault like others if empty.

    Raises:
        TicketDatabaseUnavailable: a statement of the block failed, or there is no connection.
        TicketDatabaseMisfit: a right is missing.
    """
    try:
        with engine.connect().execution_options(**{WRITING: writing}) as connection:
            yield connection
    except SQLAlchemyError as error:
        if denied and isinstance(error, DBAPIError) and is_denied(error):
            raise TicketDatabaseMisfit(denied) from None
        raise unavailable(error) from error


def _replace_closed(connection: ImpatientConnection, *_: object) -> None:
    """Have the pool open another connection where the server has closed this one.

    Such a connection can be read from, if only to its end. To look costs a hundredth of a
    question and its answer, and single events ask for a connection four times.
    """
    if not connection.closed:
        waiting = select.poll()
        waiting.register(connection.fileno(), select.POLLIN)
        if not waiting.poll(0):
            return
    msg = "the server has closed the connection"
    raise DisconnectionError(msg)


def _prepare_sqlite(connection: DBAPIConnection, _: ConnectionPoolEntry) -> None:
    # The driver would begin transactions by itself, and not where they must begin.
    connection.isolation_level = None
    connection.execute("PRAGMA journal_mode = WAL")


def _begin_sqlite(connection: Connection) -> None:
    writing = connection.get_execution_options().get(WRITING, False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writing else "BEGIN")


def _limit_mysql(
    connection: DBAPIConnection, statement_timeout: float, lock_timeout: float
) -> None:
    # MariaDB counts seconds for every statement, MySQL milliseconds and for SELECT only.
    limit = (
        f"max_statement_time = {statement_timeout:f}"
        if "MariaDB" in connection.get_server_info()
        else f"max_execution_time = {round(statement_timeout * 1000)}"
    )
    seconds = max(1, round(lock_timeout))
    with closing(connection.cursor()) as cursor:
        cursor.execute(
            f"SET SESSION innodb_lock_wait_timeout = {seconds}, lock_wait_timeout = {seconds}, "
            f"SESSION {limit}"
        )


class Fault(Enum):
    """What can be done about a database error."""

    REPEAT = auto()
    """Another transaction stood in the way: the same one may pass when tried again."""
    ROWS = auto()
    """The database refuses the values themselves; trying again would change nothing."""
    AWAY = auto()
    """Everything else: the database is away, or does not let us do what we must."""


def kind_of(error: SQLAlchemyError | UnicodeError) -> Fault:
    """Sort an error of the driver (PEP 249 classes, SQLSTATE, MySQL and SQLite codes)."""
    original = error.orig if isinstance(error, DBAPIError) else None
    if getattr(original, "sqlstate", None) in REPEATABLE_STATES:
        return Fault.REPEAT
    if isinstance(original, sqlite3.Error):
        name = getattr(original, "sqlite_errorname", "")
        if name.startswith(REPEATABLE_NAMES):
            return Fault.REPEAT
    elif original is not None and original.args and original.args[0] in REPEATABLE_NUMBERS:
        return Fault.REPEAT
    if isinstance(error, DataError | IntegrityError | UnicodeError):
        return Fault.ROWS
    return Fault.AWAY


def reason(error: Exception) -> str:
    """Class and code of an error, for a log, and its message where that is about access alone.

    Other messages of servers can quote values.
    """
    original, code = _coded(error)
    said = f"{type(original).__name__} ({code})" if code else type(original).__name__
    meant = takes_no_writes(error)
    if not meant and _is_about_access(error, code):
        meant = (refusal(original) if code in _NOT_CONNECTED else "") or message(original)
    return f"{said}: {meant}" if meant else said


def _is_about_access(error: Exception, code: str) -> bool:
    """Whether its message names servers, users and tables, and can name nothing else."""
    if code in _NOT_CONNECTED:
        return isinstance(error, OperationalError)
    return isinstance(error, DBAPIError) and code in _REFUSED


def takes_no_writes(error: Exception) -> str:
    """Why a database that answers takes no writes, in words; empty for any other error."""
    _, code = _coded(error)
    found = _TAKES_NO_WRITES.get(code, "")
    # Of SQLite's codes there are finer ones: SQLITE_READONLY_DIRECTORY.
    return found or (_READ_ONLY if code.startswith("SQLITE_READONLY") else "")


def _coded(error: Exception) -> tuple[BaseException, str]:
    """The error of the driver, and its code; empty where it has none."""
    original: BaseException = error
    if isinstance(error, DBAPIError) and error.orig is not None:
        original = error.orig
    code = getattr(original, "sqlstate", None) or getattr(original, "sqlite_errorname", None)
    if original.args and isinstance(original.args[0], int):
        code = str(original.args[0])  # MySQL's own number says more than its SQLSTATE
    if code is None and isinstance(error, DBAPIError) and error.connection_invalidated:
        code = "connection lost"
    return original, code or ""


def unavailable(error: SQLAlchemyError) -> TicketDatabaseUnavailable:
    """The error as the port knows it."""
    return TicketDatabaseUnavailable(reason(error))


def is_denied(error: DBAPIError) -> bool:
    """Whether the server understood, and the user lacks the right (SQLSTATE, MySQL's codes)."""
    original = error.orig
    if getattr(original, "sqlstate", None) == "42501":
        return True
    return bool(original and original.args and original.args[0] in {1142, 1143})
