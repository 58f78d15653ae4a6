"""How the ticket database is reached, as far as no server is needed to tell."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import psycopg
import pymysql
import pytest
from sqlalchemy.exc import DataError, IntegrityError, OperationalError

from worker.tickets.engine import WRITING, Fault, kind_of, reason, ticket_engine
from worker.tickets.store import TicketDatabaseMisfit


@pytest.mark.parametrize(
    ("url", "driver"),
    [
        ("postgresql://u:p@h/d", "psycopg"),
        ("postgresql+psycopg2://u:p@h/d", "psycopg"),
        ("postgresql://u:p@h/d?options=-csearch_path%3Dotobo", "psycopg"),
        ("mysql://u:p@h/d", "pymysql"),
        ("mariadb://u:p@h/d?charset=utf8mb4", "pymysql"),
        ("sqlite:///d", "pysqlite"),
    ],
)
def test_the_driver_is_chosen_by_the_kind_of_database(url: str, driver: str) -> None:
    assert ticket_engine(url).dialect.driver == driver


def test_another_kind_of_database_is_refused() -> None:
    with pytest.raises(TicketDatabaseMisfit, match="cannot be oracle"):
        ticket_engine("oracle://u:p@h/d")


def test_a_url_that_cannot_be_read_is_refused_without_its_password() -> None:
    with pytest.raises(TicketDatabaseMisfit) as caught:
        ticket_engine("postgresql//u:secret@h")

    assert "secret" not in str(caught.value)
    assert caught.value.__cause__ is None


@pytest.fixture
def sqlite_file(tmp_path: Path) -> Iterator[Path]:
    file = tmp_path / "tickets.sqlite"
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("CREATE TABLE t (a)")
        connection.commit()
    return file


def test_sqlite_writes_ahead_and_takes_its_lock_at_begin(sqlite_file: Path) -> None:
    engine = ticket_engine(f"sqlite:///{sqlite_file}", lock_timeout=0.01)
    writing = engine.execution_options(**{WRITING: True})

    with engine.connect() as reader:
        assert reader.exec_driver_sql("PRAGMA journal_mode").scalar() == "wal"
        with writing.begin(), pytest.raises(OperationalError) as caught, writing.begin():
            pass

    assert kind_of(caught.value) is Fault.REPEAT
    assert reason(caught.value) == "OperationalError (SQLITE_BUSY)"
    engine.dispose()


@pytest.mark.parametrize(
    ("original", "fault"),
    [
        (psycopg.errors.DeadlockDetected(), Fault.REPEAT),
        (psycopg.errors.SerializationFailure(), Fault.REPEAT),
        (psycopg.errors.LockNotAvailable(), Fault.REPEAT),
        (psycopg.errors.QueryCanceled(), Fault.AWAY),
        (psycopg.errors.ReadOnlySqlTransaction(), Fault.AWAY),
        (pymysql.err.OperationalError(1213, "deadlock"), Fault.REPEAT),
        (pymysql.err.OperationalError(1205, "lock wait"), Fault.REPEAT),
        (pymysql.err.OperationalError(1020, "record has changed"), Fault.REPEAT),
        (pymysql.err.OperationalError(2013, "lost connection"), Fault.AWAY),
        (pymysql.err.InterfaceError(), Fault.AWAY),
    ],
)
def test_errors_are_sorted_by_what_can_be_done(original: Exception, fault: Fault) -> None:
    assert kind_of(OperationalError("", None, original)) is fault


def test_values_that_are_refused_are_no_fault_of_the_database() -> None:
    too_long = psycopg.errors.StringDataRightTruncation("value: secret")

    assert kind_of(DataError("", None, too_long)) is Fault.ROWS
    assert kind_of(IntegrityError("", None, sqlite3.IntegrityError("secret"))) is Fault.ROWS
    assert reason(DataError("", None, too_long)) == "StringDataRightTruncation (22001)"


@pytest.mark.parametrize(
    ("original", "says"),
    [
        (psycopg.errors.ReadOnlySqlTransaction(), "(25006): it is read-only"),
        (psycopg.errors.DiskFull("of a table"), "DiskFull (53100): its disk is full"),
        (pymysql.err.OperationalError(1290, "--read-only"), "(1290): it is read-only"),
        (pymysql.err.OperationalError(1114, "t is full"), "(1114): its disk is full"),
    ],
)
def test_a_database_that_takes_no_writes_is_called_so(original: Exception, says: str) -> None:
    error = OperationalError("", None, original)

    assert reason(error).endswith(says)
    assert kind_of(error) is Fault.AWAY


@pytest.mark.parametrize(
    ("pragma", "says"),
    [
        ("query_only = 1", "OperationalError (SQLITE_READONLY): it is read-only"),
        ("max_page_count = 1", "OperationalError (SQLITE_FULL): its disk is full"),
    ],
)
def test_a_file_that_takes_no_writes_is_called_so(
    sqlite_file: Path, pragma: str, says: str
) -> None:
    engine = ticket_engine(f"sqlite:///{sqlite_file}")

    with engine.connect() as connection:
        connection.exec_driver_sql(f"PRAGMA {pragma}")
        with pytest.raises(OperationalError) as caught:
            connection.exec_driver_sql("INSERT INTO t VALUES (hex(zeroblob(100000)))")

    assert reason(caught.value) == says
    assert kind_of(caught.value) is Fault.AWAY
    engine.dispose()


@pytest.mark.parametrize(
    ("original", "says"),
    [
        (
            psycopg.OperationalError('failed: FATAL: no password for user "u"\nmore'),
            'OperationalError: failed: FATAL: no password for user "u"',
        ),
        (
            pymysql.err.OperationalError(1045, "Access denied for user 'u'@'h'"),
            "OperationalError (1045): Access denied for user 'u'@'h'",
        ),
    ],
)
def test_it_is_told_why_a_server_lets_nobody_in(original: Exception, says: str) -> None:
    assert reason(OperationalError("", None, original)) == says


def test_a_lost_connection_is_called_so() -> None:
    lost = OperationalError("", None, Exception("host and secret"), connection_invalidated=True)

    assert reason(lost) == "Exception (connection lost)"
    assert reason(ValueError("secret")) == "ValueError"
