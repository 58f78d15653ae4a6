"""Databases that cannot stand here, and errors as they are told."""

import math
from typing import Any

import pymysql
import pytest
import sqlalchemy
from sqlalchemy import make_url
from sqlalchemy.exc import DataError, NoSuchTableError, OperationalError

from directory.config import DatabaseConfig
from directory.database import DatabaseFault, break_off, describe, open_database
from directory.engines import limit_statements, make_engine


def no_ticket_engine() -> sqlalchemy.Engine:
    raise AssertionError


class Driver:
    """A driver's connection: what it is told."""

    def __init__(self, version: str = "") -> None:
        self.version = version
        self.told: list[str] = []

    def get_server_info(self) -> str:
        return self.version

    def cursor(self) -> "Driver":
        return self

    def execute(self, statement: str) -> None:
        self.told.append(statement)

    def close(self) -> None:
        self.told.append("close")

    def cancel(self) -> None:
        self.told.append("cancel")


@pytest.mark.parametrize(
    ("version", "statement"),
    [
        ("10.11.14-MariaDB-0+deb12u2", "SET SESSION max_statement_time = 2.500000"),
        ("8.4.3", "SET SESSION max_execution_time = 2500"),
    ],
)
def test_mariadb_and_mysql_are_told_the_limit_in_their_own_units(
    version: str, statement: str
) -> None:
    driver = Driver(version)

    limit_statements(2.5, driver, None)

    assert driver.told == [statement, "close"]


def test_a_driver_that_can_cancel_is_told_to_when_time_is_up() -> None:
    driver = Driver()

    break_off(driver)
    break_off(None)
    break_off(object())

    assert driver.told == ["cancel"]


def test_a_deadline_that_has_passed_asks_nothing() -> None:
    config = DatabaseConfig.model_validate({"table": "t", "url": "sqlite://", "timeout": 2})
    database = open_database(config, no_ticket_engine)

    with pytest.raises(DatabaseFault, match="no answer within 2 s"):
        database.rows(sqlalchemy.select(sqlalchemy.literal(1)), -math.inf)


@pytest.mark.parametrize(
    ("given", "database"),
    [
        ("sqlite://", None),
        ("sqlite:///file:/x/y?uri=true", "file:/x/y"),
        ("sqlite:////x/a b?.db", "file:/x/a%20b"),
    ],
)
def test_a_file_of_sqlite_is_opened_and_never_made(given: str, database: str | None) -> None:
    engine = make_engine(make_url(given), 1.0)

    assert engine.url.database == database
    assert engine.url.query.get("mode") == ("rw" if "a b" in given else None)


def wrapped(kind: type[Any], error: BaseException) -> BaseException:
    made: BaseException = kind("SELECT 1", {"login": "jdoe"}, error)
    return made


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (NoSuchTableError("people"), "no such table"),
        (UnicodeEncodeError("utf-8", "jdoe", 0, 1, "secret"), "UnicodeEncodeError"),
        (
            wrapped(DataError, pymysql.err.DataError(1366, "Incorrect string value: 'jdoe'")),
            "DataError (1366)",
        ),
        (
            wrapped(OperationalError, pymysql.err.OperationalError(2003, "Can't connect\nmore")),
            "OperationalError: Can't connect (2003)",
        ),
        (
            wrapped(OperationalError, pymysql.err.OperationalError("gone")),
            "OperationalError: gone",
        ),
        (wrapped(OperationalError, pymysql.err.OperationalError()), "OperationalError"),
        (sqlalchemy.exc.TimeoutError("QueuePool limit"), "TimeoutError: QueuePool limit"),
    ],
)
def test_an_error_is_told_by_class_and_by_what_cannot_hold_a_value(
    error: BaseException, reason: str
) -> None:
    assert describe(error) == reason
