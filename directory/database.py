"""How is a database asked? Within one deadline, whatever its server does.

A statement runs in another thread, since no driver can be trusted to come back in time: a
name server hangs before there is a socket, libpq has no timeout for reading, and a dripping server
resets every timeout that counts from the last byte. When time is up the thread is left behind
and its connection is broken off, so that it ends, too. Errors are told without the values and
passwords that they may hold.
"""

import contextlib
import contextvars
import os
import socket
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Generic, TypeAlias, TypeVar

import psycopg
import pymysql
import sqlalchemy
from sqlalchemy import Connection, Dialect, Engine, Row, event
from sqlalchemy.exc import (
    DataError,
    DBAPIError,
    IntegrityError,
    NoSuchTableError,
    SQLAlchemyError,
)

from directory.config import DatabaseConfig
from directory.dsn import database_url
from directory.engines import make_engine
from directory.errors import DirectoryError
from directory.runners import Runners

T = TypeVar("T")

RUNNERS = Runners()
"""Those that run the statements of all databases."""

TicketEngine: TypeAlias = Callable[[], Engine]
"""Gives this process's engine for the ticket system's own database."""


_LOCALE = sqlalchemy.text("""
SELECT COALESCE(NULLIF(c.collcollate, ''), d.datcollate)
FROM pg_attribute a
JOIN pg_collation c ON c.oid = a.attcollation
JOIN pg_database d ON d.datname = current_database()
WHERE a.attrelid = to_regclass(:table) AND a.attname = :column
  AND CASE c.collprovider WHEN 'd' THEN COALESCE(to_jsonb(d) ->> 'datlocprovider', 'c')
      ELSE c.collprovider::text END = 'c'
""")
"""The locale by which the C library sorts a column; no row where something else sorts it."""

_PLAIN = frozenset({"C", "POSIX", "C.UTF-8", "C.utf8"})
"""Locales that sort code point by code point."""


class DatabaseFault(DirectoryError):
    """A database did not answer a statement.

    Attributes:
        reason: error class and message, free of secrets and of values.
        cause: the driver's own error; None when time ran out.
    """

    def __init__(self, reason: str, cause: BaseException | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.cause = cause


@dataclass(slots=True)
class _Attempt(Generic[T]):
    """What the asking thread and the waiting one tell each other."""

    done: threading.Event = field(default_factory=threading.Event)
    given_up: bool = False
    driver: Any = None
    result: T | None = None
    error: BaseException | None = None


class Database:
    """A database that customer users, companies or preferences are read from.

    Connects when first asked, again in each process after a fork, and again after its server
    was away.

    Args:
        engine: makes the engine, or hands out the ticket system's.
        timeout: seconds that ``deadline`` grants.
        shared: the engine belongs to somebody else, who also disposes of it.
    """

    def __init__(self, engine: TicketEngine, timeout: float, *, shared: bool) -> None:
        self.timeout = timeout
        self._make = engine
        self._shared = shared
        self._engine: Engine | None = None
        self._pid = 0
        self._driver: Any = None
        self._ignores_case: dict[tuple[str, str], bool] = {}
        self._sorts_by_code_point: dict[tuple[str, str], bool] = {}

    def deadline(self) -> float:
        """The moment (``time.monotonic``) until which a question that begins now may take."""
        return time.monotonic() + self.timeout

    @property
    def backend(self) -> str:
        """What kind of database it is, by SQLAlchemy's name: ``postgresql``, ``mysql``."""
        return self._current_engine().dialect.name

    def rows(
        self,
        statement: sqlalchemy.Select[Any],
        deadline: float,
        parameters: Mapping[str, Any] | None = None,
    ) -> Sequence[Row[Any]]:
        """Run one statement.

        Raises:
            DatabaseFault: the database refused it, or did not answer in time.
        """
        return self.ask(
            lambda connection: connection.execute(statement, parameters).all(), deadline
        )

    def ask(self, work: Callable[[Connection], T], deadline: float) -> T:
        """Let ``work`` use a connection, and wait for it until the deadline at the most.

        A ``DirectoryError`` that ``work`` raises comes out as it is.

        Raises:
            DatabaseFault: the database refused it, or did not answer in time.
        """
        attempt: _Attempt[T] = _Attempt()
        remaining = deadline - time.monotonic()
        if remaining <= 0:
            raise self._late()
        engine = self._current_engine()
        run = partial(contextvars.copy_context().run, self._run, engine, work, attempt)
        RUNNERS.run(run)
        if not attempt.done.wait(remaining):
            attempt.given_up = True
            # A connection that hangs in the pool's own ping was never handed out.
            break_off(attempt.driver or self._driver)
            if not self._shared:
                self._engine = None
                if attempt.done.is_set():
                    engine.dispose()
            raise self._late()
        if isinstance(attempt.error, DirectoryError):
            raise attempt.error
        if attempt.error is not None:
            raise DatabaseFault(describe(attempt.error), attempt.error) from None
        return attempt.result  # type: ignore[return-value]  # set whenever there is no error

    def ignores_case(self, connection: Connection, table: str, column: str) -> bool:
        """Whether a MariaDB or MySQL column compares without case by itself.

        Then ``column IN (…)`` finds every spelling and can use an index, which ``LOWER(column)``
        cannot. Asked once for each column.
        """
        known = self._ignores_case.get((table, column))
        if known is None:
            cursor = connection.connection.cursor()
            with contextlib.closing(cursor):
                *schema, name = table.split(".")
                cursor.execute(
                    "SELECT collation_name FROM information_schema.columns WHERE table_schema = "
                    "COALESCE(%s, DATABASE()) AND table_name = %s AND column_name = %s",
                    (schema[0] if schema else None, name, column),
                )
                row = cursor.fetchone()
            known = self._ignores_case[table, column] = bool(row and f"{row[0]}".endswith("_ci"))
        return known

    def sorts_by_code_point(self, connection: Connection, table: str, column: str) -> bool:
        """Whether a PostgreSQL column is sorted code point by code point by itself.

        Then an index on it gives rows in that order, and none of them has to be sorted. Asked once
        for each column.
        """
        known = self._sorts_by_code_point.get((table, column))
        if known is None:
            names = {"table": table, "column": column}
            row = connection.execute(_LOCALE, names).first()
            known = self._sorts_by_code_point[table, column] = row is not None and row[0] in _PLAIN
        return known

    def close(self) -> None:
        """Close connections; the next question opens them again."""
        engine, self._engine = self._engine, None
        if engine is not None and not self._shared and self._pid == os.getpid():
            engine.dispose()

    def _current_engine(self) -> Engine:
        if self._shared:
            return self._make()
        if self._engine is None or self._pid != os.getpid():
            if self._engine is not None:
                # The parent process still speaks through these sockets.
                self._engine.dispose(close=False)
            self._engine, self._pid = self._make(), os.getpid()
            self._driver = None
            event.listen(self._engine, "do_connect", partial(self._connect, self._engine))
        return self._engine

    def _connect(
        self,
        engine: Engine,
        dialect: Dialect,
        _record: object,
        arguments: Sequence[Any],
        settings: Mapping[str, Any],
    ) -> Any:
        """Connect, and know the connection as early as it can hang, so that it can be broken off.

        PyMySQL waits for each octet of the greeting by itself; psycopg limits all of connecting.
        """
        if dialect.driver != "pymysql":
            driver = dialect.connect(*arguments, **settings)
            self._remember(engine, driver)
            return driver
        line = pymysql.Connection(*arguments, **settings, defer_connect=True)
        self._remember(engine, line)
        line.connect()
        return line

    def _remember(self, engine: Engine, driver: Any) -> None:
        if engine is self._engine:  # else it was given up while it connected
            self._driver = driver

    def _run(self, engine: Engine, work: Callable[[Connection], T], attempt: "_Attempt[T]") -> None:
        try:
            with engine.connect() as connection:
                attempt.driver = connection.connection.driver_connection
                attempt.result = work(connection)
        except BaseException as error:  # noqa: BLE001 - the waiting thread decides about it
            attempt.error = error
        finally:
            attempt.done.set()
            if attempt.given_up and not self._shared:
                engine.dispose()

    def _late(self) -> DatabaseFault:
        return DatabaseFault(f"no answer within {self.timeout:g} s")


def open_database(config: DatabaseConfig, ticket_engine: TicketEngine) -> Database:
    """The database of a configuration; nothing is connected yet.

    Raises:
        DsnError: its address cannot be understood, or its driver is not installed.
    """
    if config.in_ticket_database:
        return Database(ticket_engine, config.timeout, shared=True)
    make = partial(make_engine, database_url(config), config.timeout)
    return Database(make, config.timeout, shared=False)


QUOTING = frozenset({"P0001", 1644})
"""Codes of what a trigger says: it may quote what was sent, as messages about data do."""


def describe(error: BaseException) -> str:
    """An error's class and, where it cannot hold values, its message."""
    if isinstance(error, NoSuchTableError):
        return "no such table"
    cause = (error.orig or error) if isinstance(error, DBAPIError) else error
    name = type(cause).__name__
    # (number, text) is PyMySQL's form.
    number = next((item for item in cause.args[:1] if isinstance(item, int)), None)
    code = getattr(cause, "sqlstate", None) or number
    quotes = isinstance(error, DataError | IntegrityError) or QUOTING & {code, number}
    if quotes or not isinstance(error, SQLAlchemyError):
        return f"{name} ({code})" if code else name
    told = f"{name}: {said}" if (said := message(cause)) else name
    return told if number is None else f"{told} ({number})"


def message(cause: BaseException) -> str:
    """The first line of what a driver's own error says, without its number; it may hold values."""
    text = getattr(getattr(cause, "diag", None), "message_primary", None)
    if text is None:
        numbered = bool(cause.args) and isinstance(cause.args[0], int)  # PyMySQL's form
        text = str(next(iter(cause.args[1:]), "") if numbered else cause)
    return next(iter(text.strip().splitlines()), "")


def break_off(driver: Any) -> None:
    """Make whatever waits on a connection fail now, from another thread."""
    if driver is None:
        return  # still connecting; the driver's own timeout ends that
    with contextlib.suppress(OSError, psycopg.Error):
        if isinstance(driver, psycopg.Connection):
            with socket.socket(fileno=os.dup(driver.fileno())) as copy:
                copy.shutdown(socket.SHUT_RDWR)
        elif isinstance(driver, pymysql.Connection):
            line = getattr(driver, "_sock", None)  # PyMySQL has no public way
            if line is not None:
                line.shutdown(socket.SHUT_RDWR)
        elif hasattr(driver, "interrupt"):
            driver.interrupt()
        elif hasattr(driver, "cancel"):
            driver.cancel()
