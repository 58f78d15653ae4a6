"""What does the ticket system itself know about customer users that a source has found?

Their preferences, their customer (company), their dynamic fields, and the customers that they are
assigned to. Each reader answers for
many customer users in one statement, and raises ``DatabaseFault`` if it cannot be asked. How
the answers are put together is the business of ``directory.attributes``.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from functools import lru_cache
from typing import Any

import sqlalchemy
from sqlalchemy import ColumnClause, column

from directory.assignments import Assignments
from directory.companies import CompanyDirectory, CompanySource
from directory.config import CompanyConfig, PreferencesConfig
from directory.database import Database, DatabaseFault, TicketEngine, open_database
from directory.dsn import DsnError
from directory.dynamic_fields import DynamicFields
from directory.errors import SourceMisconfigured
from directory.halving import ask_in_halves
from directory.membership import one_of, sent
from directory.model import Attributes
from directory.rows import find_rows, from_table
from directory.sql import PASSWORD, values_of
from directory.values import to_text

COMPANY_VALID = "CustomerCompanyValidID"
"""The company's ValidID, under a name that the customer user's does not hide."""


class Preferences:
    """The table of preferences, each row a key and a value of one customer user.

    Args:
        config: its settings.
        database: where it stands.
        zone: the ticket system's time zone (OTOBOTimeZone), for UserLastLoginTimestamp.
    """

    def __init__(self, config: PreferencesConfig, database: Database, zone: tzinfo = UTC) -> None:
        self.config = config
        self._database = database
        self._zone = zone

    def read(self, logins: Iterable[str]) -> Mapping[str, Mapping[str, str | None]]:
        """Preferences by login and key; None where the table has a NULL.

        Logins are compared exactly, in the directory's spelling (observed 29). A customer user
        without preferences is missing. Defaults are not filled in.
        """
        config = self.config
        found: dict[str, dict[str, str | None]] = {}
        deadline = self._database.deadline()
        backend = self._database.backend
        statement = _preferences_of(config.table, config.user_id, config.key, config.value, backend)

        def ask(batch: Sequence[str]) -> None:
            asked = frozenset(batch)
            for row in self._database.rows(statement, deadline, {"logins": sent(batch, backend)}):
                login, name, text = map(to_text, row)
                # The server may find other spellings, too.
                if login in asked and name and name != PASSWORD:
                    found.setdefault(login, {})[name] = text

        # A login that the table cannot hold has no preferences there.
        ask_in_halves(logins, ask)
        for preferences in found.values():
            preferences.update(self._last_login(preferences.get("UserLastLogin")))
        return found

    def _last_login(self, seconds: str | None) -> Mapping[str, str]:
        """``UserLastLoginTimestamp`` beside a ``UserLastLogin`` that is a moment."""
        if not seconds or not seconds.isdecimal():
            return {}
        try:
            moment = datetime.fromtimestamp(int(seconds), self._zone)
        except (OverflowError, ValueError, OSError):
            return {}
        return {"UserLastLoginTimestamp": f"{moment:%Y-%m-%d %H:%M:%S}"}


class Companies:
    """The tables of customers, asked in the order in which they are given.

    The first that knows a customer id supplies everything; invalid customers count, too
    (observed 44).
    """

    def __init__(self, sources: Sequence[CompanySource]) -> None:
        self._sources = [(source.database, source.table, source.columns) for source in sources]
        self.variables = frozenset(
            name for _, _, variables in self._sources for name in (*variables, COMPANY_VALID)
        )

    def read(self, customer_ids: Iterable[str]) -> Mapping[str, Attributes]:
        """Attributes by customer id as given; an id that no table knows is missing."""
        open_ids = [customer_id for customer_id in dict.fromkeys(customer_ids) if customer_id]
        found: dict[str, Attributes] = {}
        for database, table_, variables in self._sources:
            if not open_ids:
                break
            rows = find_rows(database, table_, open_ids)
            if rows.unanswered is not None:
                raise DatabaseFault(rows.unanswered)
            for customer_id, row in rows.found.items():
                if row is not None:
                    attributes = values_of(row, variables)
                    if "ValidID" in attributes:
                        attributes[COMPANY_VALID] = attributes["ValidID"]
                    found[customer_id] = attributes
            open_ids = [customer_id for customer_id in open_ids if customer_id not in found]
        return found

    def close(self) -> None:
        """Close connections; the next question opens them again."""
        for database, _, _ in self._sources:
            database.close()


@dataclass(frozen=True, slots=True)
class Companions:
    """The readers; None where there is nothing to read or it is switched off.

    Attributes:
        tickets: the ticket system's database.
        customers: the sources of customers, for those who administer them; ``companies`` reads
            the same tables for many customer users at once.
    """

    tickets: Database | None = None
    preferences: Preferences | None = None
    companies: Companies | None = None
    dynamic_fields: DynamicFields | None = None
    assignments: Assignments | None = None
    customers: CompanyDirectory | None = None

    def close(self) -> None:
        """Close connections of their own; the next question opens them again."""
        if self.companies is not None:
            self.companies.close()


def companions(
    ticket_engine: TicketEngine,
    preferences: PreferencesConfig,
    companies: Sequence[CompanyConfig] = (),
    zone: tzinfo = UTC,
) -> Companions:
    """All readers over the ticket system's database; nothing is connected yet.

    Args:
        ticket_engine: gives the engine of the ticket system's database.
        preferences: the settings of the table of preferences.
        companies: in the order in which they are asked.
        zone: the ticket system's time zone (OTOBOTimeZone).

    Raises:
        SourceMisconfigured: the address of a company's database cannot be understood.
    """
    database = Database(ticket_engine, preferences.timeout, shared=True)
    opened = []
    for config in companies:
        try:
            opened.append(CompanySource(config, open_database(config, ticket_engine), database))
        except DsnError as error:
            problem = f"CustomerCompany{config.slot}: {error.problem}"
            raise SourceMisconfigured(config.slot, problem) from None
    return Companions(
        tickets=database,
        preferences=Preferences(preferences, database, zone) if preferences.enabled else None,
        companies=Companies(opened) if opened else None,
        dynamic_fields=DynamicFields(database),
        assignments=Assignments(database),
        customers=CompanyDirectory(opened),
    )


@lru_cache(maxsize=16)
def _preferences_of(
    table_: str, user_id: str, key: str, value: str, backend: str
) -> sqlalchemy.Select[Any]:
    """Login, key and value of the preferences of ``logins``."""
    columns: list[ColumnClause[Any]] = [column(user_id), column(key), column(value)]
    statement = sqlalchemy.select(*columns).select_from(from_table(table_))
    return statement.where(one_of(columns[0], "logins", backend))
