"""The small ticket system that the tests play with; the demo plays with the same."""

import functools
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import sqlalchemy
from sqlalchemy.schema import DDLElement

from worker.demo.ticket_system import (
    AGENT,
    HISTORY_TYPES,
    LONG_AGO,
    ROOT,
    WORKER,
    WORKER_LOGIN,
    Otobo,
    seed,
)
from worker.tickets import schema

__all__ = [
    "AGENT",
    "HISTORY_TYPES",
    "LONG_AGO",
    "ROOT",
    "WORKER",
    "WORKER_LOGIN",
    "Otobo",
    "install",
    "seed",
]


def install(url: str) -> None:
    """Make OTOBO's tables in an empty database, with their seed rows."""
    if url.startswith("sqlite:"):
        # A copy waits for the disk once, and not for each table.
        Path(sqlalchemy.make_url(url).database or "").write_bytes(_file())
        return
    engine = sqlalchemy.create_engine(url)
    try:
        _fill(engine)
    finally:
        engine.dispose()


@functools.cache
def _file() -> bytes:
    """The content of a file of SQLite's with all of it."""
    with closing(sqlite3.connect(":memory:")) as memory:
        _fill(sqlalchemy.create_engine("sqlite://", creator=lambda: memory))
        return memory.serialize()


def _fill(engine: sqlalchemy.Engine) -> None:
    with engine.begin() as connection:
        for statement in _tables(engine.url.drivername):
            connection.exec_driver_sql(statement)
    seed(engine)


@functools.cache
def _tables(driver: str) -> Sequence[str]:
    """The statements that make the tables: compiled once, not for each test anew."""
    statements: list[str] = []

    def note(clause: DDLElement, *_: object, **__: object) -> None:
        statements.append(str(clause.compile(dialect=engine.dialect)))

    engine = sqlalchemy.create_mock_engine(f"{driver}://", note)
    schema.metadata.create_all(engine, checkfirst=False)
    return statements
