"""How is something written? In one transaction, in turn with all other writers of ours.

A look before a write ("is this login free?") holds only while nobody else writes. So whoever writes
to a table takes its turn first: a lock of PostgreSQL's or MariaDB's own that only Fieldfare asks
for; screens of the ticket system never wait for it. SQLite has one writer at a time by itself.

There is one deadline for all of it. Whether a COMMIT whose answer never came was done, nobody
knows: ``OutcomeUnknown`` says so, and nothing is pretended.
"""

import hashlib
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import TypeVar

from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from directory.database import Database, DatabaseFault
from directory.engines import WRITING

T = TypeVar("T")

WRITTEN_TO = frozenset({"sqlite", "postgresql", "mysql", "mariadb"})
"""The kinds of database whose locks are known here."""

PORTION = 100
"""Rows that one timeout is for."""

REPEATS = 5
"""How often a transaction is begun again that a deadlock has ended."""

WAITED_TOO_LONG = frozenset({"55P03", "57014", 1205, 1969, 3024})
"""Codes of a statement that was ended because it, or its wait for a lock, took too long."""

DEADLOCKS = frozenset({"40001", "40P01", 1020, 1213})
"""PostgreSQL's SQLSTATEs and MariaDB's numbers: the same transaction may pass when repeated."""


class OutcomeUnknown(DatabaseFault):
    """Whether something was written is not known: the answer to COMMIT never came."""

    def __init__(self, reason: str) -> None:
        super().__init__(
            f"the answer to COMMIT never came ({reason}): it may be written or not; look, and "
            "repeat it if not"
        )


def transact(
    database: Database,
    work: Callable[[Connection], T],
    *,
    turn: str,
    rows: int = 1,
) -> T:
    """Let ``work`` use a connection in a transaction, and commit.

    Args:
        database: where.
        work: may be called again after a deadlock, so it must leave nothing behind but rows.
            What it raises rolls everything back; a ``DirectoryError`` comes out as it is.
        turn: the name of the table that is written to; one writer of ours at a time.
        rows: how many it is about: for each ``PORTION`` all may take the database's timeout.

    Raises:
        OutcomeUnknown: it may be committed or not.
        DatabaseFault: the database refused it, or did not answer in time; nothing is committed.
    """
    until = database.deadline() + database.timeout * (rows // PORTION)
    for repeats_left in reversed(range(REPEATS + 1)):
        commit = _Commit()
        try:
            return database.ask(partial(_whole, work, turn, until, commit), until)
        except DatabaseFault as fault:
            if commit.forbid() and not _is_a_no(fault.cause):
                raise OutcomeUnknown(fault.reason) from None
            if not repeats_left or error_code(fault.cause) not in DEADLOCKS:
                raise
    raise AssertionError  # the last round returns or raises


@contextmanager
def savepoint(connection: Connection) -> Iterator[None]:
    """Take back what is done within if anything is raised, and nothing else of the transaction.

    MariaDB answers a deadlock by ending all of the transaction. The savepoint is gone then, and
    the deadlock is what is raised, not that there is no savepoint to go back to.
    """
    nested = connection.begin_nested()
    try:
        yield
    except Exception as error:
        try:
            nested.rollback()
        except DBAPIError:
            raise error from None
        raise
    nested.commit()


class _Commit:
    """Whether a commit may begin, and has: asked by two threads, decided once."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._begun = self._forbidden = False

    def begin(self) -> None:
        with self._lock:
            if self._forbidden:
                raise DatabaseFault("nobody waits for it any more")
            self._begun = True

    def forbid(self) -> bool:
        """Let no commit begin from now on; says whether one had begun before."""
        with self._lock:
            self._forbidden = True
            return self._begun


def _whole(
    work: Callable[[Connection], T],
    turn: str,
    deadline: float,
    commit: _Commit,
    connection: Connection,
) -> T:
    dialect = connection.dialect.name
    if dialect == "sqlite":
        connection.execution_options(**{WRITING: True})
    else:
        # What others have committed while we waited for our turn must be seen.
        connection.execution_options(isolation_level="READ COMMITTED")
    with _turn(connection, turn, deadline):
        with _patience(HELD):
            result = work(connection)
        commit.begin()
        connection.commit()
    return result


@contextmanager
def _turn(connection: Connection, name: str, deadline: float) -> Iterator[None]:
    """Be the only writer of ours; the transaction ends inside."""
    match connection.dialect.name:
        case "postgresql":
            digest = hashlib.sha256(f"fieldfare:{name}".encode()).digest()
            key = int.from_bytes(digest[:8], signed=True)
            with _patience(BUSY):
                connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": key})
            yield
        case "mysql" | "mariadb":
            # Else a server that is not strict cuts and replaces what does not fit.
            strict = "SET SESSION sql_mode = CONCAT(@@sql_mode, ',STRICT_ALL_TABLES')"
            connection.exec_driver_sql(strict)
            lock = {"name": f"fieldfare:{name}", "seconds": max(0.0, deadline - time.monotonic())}
            with _patience(BUSY):
                lock_it = text(f"SELECT GET_LOCK({_LOCK}, :seconds)")
                taken = connection.execute(lock_it, lock).scalar()
            if taken not in {1, "1"}:
                raise DatabaseFault(BUSY)
            try:
                yield
            finally:
                _give_back(connection, lock["name"])
        case _:
            connection.begin()  # which takes SQLite's lock now, not at the first statement
            yield


@contextmanager
def _patience(told: str) -> Iterator[None]:
    """Say in plain words what was waited for in vain."""
    try:
        yield
    except DBAPIError as error:
        if error_code(error) not in WAITED_TOO_LONG:
            raise
        raise DatabaseFault(told) from None


BUSY = "others were writing all the time; try again"

HELD = "it took too long: others hold the same rows, or the database is slow; try again"

_LOCK = "SHA1(CONCAT_WS('.', DATABASE(), :name))"
"""Locks have a name for the whole server, of at most 64 characters."""


def _give_back(connection: Connection, name: object) -> None:
    try:
        # Whoever comes next must not see what is not committed.
        connection.rollback()
        connection.execute(text(f"SELECT RELEASE_LOCK({_LOCK})"), {"name": name})
    except SQLAlchemyError:
        connection.invalidate()  # which gives the lock back, too


def _is_a_no(cause: BaseException | None) -> bool:
    """Whether the server itself said that it does not commit."""
    return isinstance(cause, DBAPIError) and not cause.connection_invalidated


def error_code(error: BaseException | None) -> str | int | None:
    """The code of an error in its driver's words: an SQLSTATE, a number, SQLite's own name."""
    original = error.orig if isinstance(error, DBAPIError) else error
    number = next(iter(getattr(original, "args", ())), None)
    if isinstance(number, int):
        return number  # MariaDB's own says more than its SQLSTATE
    named = getattr(original, "sqlstate", None) or getattr(original, "sqlite_errorname", None)
    return None if named is None else str(named)
