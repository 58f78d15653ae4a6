"""Customer users of a ticket system and of sources elsewhere, as those see them who write them."""

from collections.abc import Mapping, Sequence
from typing import Any
from zoneinfo import ZoneInfo

import sqlalchemy
from sqlalchemy import Table, make_url, select

from directory.companions import companions
from directory.config import CompanyConfig, PreferencesConfig, SqlSourceConfig
from directory.directory import Directory
from directory.source import CustomerUserSource
from directory.sql import SqlSource
from directory.writing import Author
from worker.tickets import schema
from worker.tickets.engine import for_reading, ticket_engine

AUTHOR = Author(7, "2026-11-23 08:15:00")
LONG_AGO = {
    "create_time": "2024-01-01 00:00:00",
    "create_by": 1,
    "change_time": "2024-01-01 00:00:00",
    "change_by": 1,
}

MAP: Mapping[str, Any] = {
    "UserTitle": "title",
    "UserFirstname": {"storage": "first_name", "required": True},
    "UserLastname": {"storage": "last_name", "required": True},
    "UserLogin": {"storage": "login", "required": True},
    "UserPassword": "pw",
    "UserEmail": {"storage": "email", "required": True},
    "UserCustomerID": {"storage": "customer_id", "required": True},
    "UserPhone": "phone",
    "UserCity": {"storage": "city", "readonly": True},
    "ValidID": {"storage": "valid_id", "storage_type": "int", "required": True},
    "DynamicField_Nick": {"storage": "Nick", "storage_type": "dynamic_field"},
}

JANE: Mapping[str, Any] = {
    "UserLogin": "jane",
    "UserFirstname": "Jane",
    "UserLastname": "Doe",
    "UserEmail": "jane@cust.test",
    "UserCustomerID": "acme",
    "ValidID": "valid",
}


def person(login: str, **values: Any) -> dict[str, Any]:
    """Values of a customer user, complete and right."""
    return {**JANE, "UserLogin": login, "UserEmail": f"{login}@cust.test".lower(), **values}


class World:
    """A ticket system with two customers, of which one is invalid, and its customer users.

    Args:
        url: of an empty ticket system's database.
    """

    def __init__(self, url: str) -> None:
        self.url = url
        self.engine = ticket_engine(make_url(url))
        self._reading = for_reading(self.engine)
        self._sources: list[SqlSource] = []
        self.insert(schema.customer_company, customer_id="acme", name="Acme", valid_id=1)
        self.insert(schema.customer_company, customer_id="gone", name="Gone", valid_id=2)
        self.insert(
            schema.dynamic_field,
            id=900,
            internal_field=0,
            name="Nick",
            label="Nick",
            field_order=1,
            field_type="Text",
            object_type="CustomerUser",
            config="---\n",
            valid_id=1,
        )

    def source(self, **overrides: Any) -> SqlSource:
        """A source over ``customer_user``, in the ticket database unless it has a ``url``."""
        settings = {
            "table": "customer_user",
            "customer_key": "login",
            "customer_id": "customer_id",
            "customer_company_support": True,
            "customer_user_email_uniq_check": True,
            "password_form": "sha2",
            "map": MAP,
            **overrides,
        }
        source = SqlSource(SqlSourceConfig.model_validate(settings), lambda: self._reading)
        self._sources.append(source)
        return source

    def directory(self, *sources: CustomerUserSource) -> Directory:
        return Directory(
            sources,
            companions(
                lambda: self._reading,
                PreferencesConfig(),
                [CompanyConfig()],
                ZoneInfo("Europe/Berlin"),
            ),
        )

    def insert(self, table: Table, **values: Any) -> None:
        stamped = {name: value for name, value in LONG_AGO.items() if name in table.c}
        with self.engine.begin() as connection:
            connection.execute(sqlalchemy.insert(table).values(**stamped, **values))

    def add(self, login: str, **columns: Any) -> None:
        """A customer user as an admin's screen left them."""
        values = {
            "login": login,
            "first_name": "Jane",
            "last_name": "Doe",
            "email": f"{login}@cust.test".lower(),
            "customer_id": "acme",
            "valid_id": 1,
            **columns,
        }
        self.insert(schema.customer_user, **values)

    def row(self, login: str) -> dict[str, Any]:
        """A customer user's row, with stamps as text."""
        rows = [row for row in self.rows(schema.customer_user) if row["login"] == login]
        (found,) = rows
        return found

    def rows(self, table: Table) -> Sequence[dict[str, Any]]:
        with self.engine.begin() as connection:
            return [dict(row) for row in connection.execute(select(table)).mappings()]

    def close(self) -> None:
        for source in self._sources:
            source.close()
        self.engine.dispose()
