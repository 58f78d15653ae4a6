"""The small ticket system that the tests play with; the demo plays with the same."""

import functools
from collections.abc import Sequence

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
    engine = sqlalchemy.create_engine(url)
    try:
        with engine.begin() as connection:
            for statement in _tables(url.partition(":")[0]):
                connection.exec_driver_sql(statement)
        seed(engine)
    finally:
        engine.dispose()


@functools.cache
def _tables(driver: str) -> Sequence[str]:
    """The statements that make the tables: compiled once, not for each test anew."""
    statements: list[str] = []

    def note(clause: DDLElement, *_: object, **__: object) -> None:
        statements.append(str(clause.compile(dialect=engine.dialect)))

    engine = sqlalchemy.create_mock_engine(f"{driver}://", note)
    schema.metadata.create_all(engine, checkfirst=False)
    return statements
