"""The SQL source as the contract suite of all sources sees it: over a table of its own."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import sqlalchemy
from sqlalchemy import Column, Engine, Integer, MetaData, String, Table, Text

from directory.config import SqlSourceConfig
from directory.sql import SqlSource
from tests.servers import MariadbServer, PostgresqlServer

MAP = {
    "UserLogin": "login",
    "UserFirstname": "first_name",
    "UserLastname": "last_name",
    "UserEmail": "email",
    "UserCustomerID": "customer_id",
    "UserPhone": "phone",
}

METADATA = MetaData()
PEOPLE = Table(
    "people",
    METADATA,
    Column("id", Integer, primary_key=True),
    Column("login", String(200), nullable=False, index=True),
    Column("first_name", Text),
    Column("last_name", Text),
    Column("email", Text),
    Column("customer_id", String(150)),
    Column("phone", Text),
    mysql_charset="utf8mb4",
)


def no_ticket_engine() -> Engine:
    """Of a source with a database of its own, which must never ask the ticket system's."""
    raise AssertionError


def sql_config(**overrides: Any) -> SqlSourceConfig:
    """Settings of a source over ``people``; ``extra_map`` adds rows to the Map."""
    rows: Mapping[str, Any] = overrides.pop("extra_map", {})
    settings = {
        "table": "people",
        "foreign_db": True,
        "customer_key": "login",
        "customer_id": "customer_id",
        "map": MAP | dict(rows),
        **overrides,
    }
    return SqlSourceConfig.model_validate(settings)


class SqlDirectory:
    """A database with the table ``people``, and sources that ask it."""

    def __init__(
        self, url: str, server: PostgresqlServer | MariadbServer | None, scratch: Path
    ) -> None:
        self.url = url
        self._server = server
        self._away = scratch / "away.sqlite"
        self._sources: list[SqlSource] = []
        # A connection for each use: the server may be stopped and started in between.
        self._engine = sqlalchemy.create_engine(url, poolclass=sqlalchemy.NullPool)
        METADATA.create_all(self._engine)

    def source(self, **overrides: Any) -> SqlSource:
        source = SqlSource(sql_config(**{"url": self.url, **overrides}), no_ticket_engine)
        self._sources.append(source)
        return source

    def add_person(  # noqa: PLR0913, PLR0917 - a person has these attributes
        self,
        login: str,
        first_name: str,
        last_name: str,
        email: str,
        customer_id: str,
        phone: str | None = None,
    ) -> None:
        values = {
            "login": login,
            "first_name": first_name,
            "last_name": last_name,
            "email": email,
            "customer_id": customer_id,
            "phone": phone,
        }
        with self._engine.begin() as connection:
            connection.execute(sqlalchemy.insert(PEOPLE).values(values))

    def execute(self, *statements: str) -> None:
        with self._engine.begin() as connection:
            for statement in statements:
                connection.exec_driver_sql(statement)

    def stop(self) -> None:
        if self._server is None:
            os.rename(self._file, self._away)  # noqa: PTH104 - a rename is all it is
        else:
            self._server.stop()

    def start(self) -> None:
        if self._server is not None:
            self._server.start()
        elif self._away.exists():
            os.rename(self._away, self._file)  # noqa: PTH104 - a rename is all it is

    def close(self) -> None:
        for source in self._sources:
            source.close()
        self.start()

    @property
    def _file(self) -> str:
        return str(sqlalchemy.make_url(self.url).database)
