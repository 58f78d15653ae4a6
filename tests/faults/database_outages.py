"""How is a ticket database taken away from a worker that is halfway through a transaction?

An intruder, a second client, stands in the worker's way on purpose, gives it something to do, sees
it wait, and only then does harm. So each fault hits a transaction that has written values and no
history line yet, or that holds some of its tickets; chance has no part in it.
"""

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from threading import Event
from typing import Final, TypeVar

from sqlalchemy import Connection, NullPool, create_engine, text
from sqlalchemy.engine import URL
from sqlalchemy.exc import DBAPIError, OperationalError

from tests.servers import MariadbServer, PostgresqlServer

WORKER: Final = "fault_worker"
PASSWORD: Final = "throw-away"
HEAVY: Final = 500
"""Rows that make our transaction the one that MariaDB would rather keep."""

PATIENCE: Final = 60.0
TICK: Final = 0.01

_MAKE_ROLE: Final = (
    f"DO $$ BEGIN CREATE ROLE {WORKER} LOGIN PASSWORD '{PASSWORD}'; "
    "EXCEPTION WHEN duplicate_object THEN NULL; END $$"
)
_ADMIT: Final = {
    "postgresql": (
        _MAKE_ROLE,
        f"GRANT ALL ON ALL TABLES IN SCHEMA public TO {WORKER}",
        f"GRANT ALL ON ALL SEQUENCES IN SCHEMA public TO {WORKER}",
        "CREATE TABLE ballast (number integer)",
    ),
    "mysql": (
        f"CREATE USER IF NOT EXISTS '{WORKER}'@'127.0.0.1' IDENTIFIED BY '{PASSWORD}'",
        "GRANT ALL PRIVILEGES ON `{database}`.* TO " + f"'{WORKER}'@'127.0.0.1'",
        "CREATE TABLE ballast (number integer)",
    ),
}
_SESSIONS: Final = {
    "postgresql": "SELECT pid FROM pg_stat_activity "
    f"WHERE datname = current_database() AND usename = '{WORKER}'",
    "mysql": "SELECT id FROM information_schema.processlist "
    f"WHERE db = DATABASE() AND user = '{WORKER}'",
}
_END: Final = {"postgresql": "SELECT pg_terminate_backend({0})", "mysql": "KILL {0}"}
_GONE_BY_ITSELF: Final = 1094
"""MariaDB's number for a session that is not there (any more)."""

_HOLD_LINES: Final = {
    "postgresql": "LOCK TABLE ticket_history IN SHARE MODE",
    "mysql": "LOCK TABLES ticket_history READ",
}
_WAITS_FOR_LINES: Final = {
    "postgresql": "SELECT pid, extract(epoch FROM query_start) FROM pg_stat_activity "
    f"WHERE usename = '{WORKER}' AND wait_event_type = 'Lock'",
    "mysql": "SELECT id, query_id FROM information_schema.processlist "
    f"WHERE user = '{WORKER}' AND state LIKE 'Waiting for table%'",
}
"""Session and something that tells its statement from the next one."""

_WAIT_FOR_ROWS: Final = {
    "postgresql": "SELECT count(*) FROM pg_locks WHERE NOT granted",
    # InnoDB's table of transactions would not do: who asks it often is told the same again.
    "mysql": "SELECT CAST(variable_value AS INTEGER) FROM information_schema.global_status "
    "WHERE variable_name = 'innodb_row_lock_current_waits'",
}


Begin = Callable[[], object]
T = TypeVar("T")


class NotSeen(Exception):
    """What was waited for did not come to pass."""


def until(condition: Callable[[], T], what: str) -> T:
    """Wait for a condition; returns what it gave when it held.

    Raises:
        NotSeen: it did not hold in time.
    """
    deadline = time.monotonic() + PATIENCE
    pause = Event()
    while not (seen := condition()):
        if time.monotonic() > deadline:
            raise NotSeen(f"not within {PATIENCE:g} s: {what}")
        pause.wait(TICK)
    return seen


class Intruder:
    """A second client of a ticket database, which the worker enters as a user of its own.

    Every fault takes ``begin``, which is called when the worker's way is blocked and must give it
    something to write.

    Args:
        server: where the database is; running.
        url: of the database, with the name of a user who may do everything.
    """

    def __init__(self, server: PostgresqlServer | MariadbServer, url: str) -> None:
        self._server = server
        self._engine = create_engine(url, poolclass=NullPool)  # a fault takes connections along
        self._dialect = self._engine.dialect.name
        database = self._engine.url.database
        with self._free() as connection:
            for statement in _ADMIT[self._dialect]:
                connection.exec_driver_sql(statement.format(database=database))
            if self._dialect == "postgresql":
                # Of two that block each other, the one that has waited for so long is refused.
                connection.exec_driver_sql(
                    f"ALTER ROLE {WORKER} IN DATABASE {database} SET deadlock_timeout = '100ms'"
                )

    @property
    def worker_url(self) -> URL:
        """The database as the worker is to enter it."""
        return self._engine.url.set(username=WORKER, password=PASSWORD)

    def restart(self, begin: Begin) -> None:
        """Stop the server while the worker is halfway, and start it again on its port."""
        with self._lines_held(begin):
            self._server.stop()
        self._server.start()

    def cut(self, begin: Begin) -> None:
        """Have the server end all sessions of the worker while one of them is halfway."""
        with self._lines_held(begin), self._free() as connection:
            for (session,) in connection.exec_driver_sql(_SESSIONS[self._dialect]).all():
                try:
                    connection.exec_driver_sql(_END[self._dialect].format(session))
                except OperationalError as error:
                    if error.orig is None or error.orig.args[0] != _GONE_BY_ITSELF:
                        raise

    def outwait(self, begin: Begin) -> None:
        """Let nobody write a history line until the worker, halfway, has waited for too long."""
        with self._lines_held(begin) as first:
            until(lambda: first.items() - self._waits().items(), "the wait for a lock is given up")

    def entangle(self, begin: Begin, first: int, second: int) -> bool:
        """Lock two tickets in the order opposite to the worker's.

        Args:
            begin: the worker must come to write both in one transaction.
            first: the ticket that the worker locks first.
            second: the one that it locks then.

        Returns:
            Whether it was the worker whom the server refused.
        """
        lock = text("SELECT id FROM ticket WHERE id = :ticket FOR UPDATE")
        with self._engine.connect() as connection, connection.begin() as transaction:
            connection.execute(
                text("INSERT INTO ballast VALUES (:number)"),
                [{"number": number} for number in range(HEAVY)],
            )
            connection.execute(lock, {"ticket": second})
            begin()
            until(self._somebody_waits_for_rows, "the worker waits for a ticket")
            try:
                connection.execute(lock, {"ticket": first})
            except OperationalError:
                return False
            finally:
                transaction.rollback()
        return True

    @contextmanager
    def _lines_held(self, begin: Begin) -> Iterator[Mapping[int, object]]:
        """Let nobody write a history line; gives who waits for one, and for which statement."""
        connection = self._engine.connect()
        try:
            connection.exec_driver_sql(_HOLD_LINES[self._dialect])
            begin()
            yield until(self._waits, "the worker waits to write its history lines")
        finally:
            with suppress(DBAPIError):  # the server may be gone
                if self._dialect == "mysql":
                    connection.exec_driver_sql("UNLOCK TABLES")
            connection.invalidate()
            connection.close()

    @contextmanager
    def _free(self) -> Iterator[Connection]:
        """A connection on which every statement is committed by itself."""
        with self._engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            yield connection

    def _waits(self) -> dict[int, object]:
        """Sessions of the worker that wait to write a line, and what tells their statements."""
        with self._free() as connection:
            rows = connection.execute(text(_WAITS_FOR_LINES[self._dialect])).all()
        return {row[0]: row[1] for row in rows}

    def _somebody_waits_for_rows(self) -> bool:
        with self._free() as connection:
            return bool(connection.exec_driver_sql(_WAIT_FOR_ROWS[self._dialect]).scalar())
