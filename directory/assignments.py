"""Which further customers is a customer user assigned to? What ``customer_user_customer`` holds.

OTOBO keeps these relations in the ticket system's database, whichever source a customer user comes
from. Both sides are compared exactly, as given (observed rule 57).
"""

from typing import Any

import sqlalchemy
from sqlalchemy import ColumnClause, column, table

from directory.database import Database
from directory.membership import one_of, sent
from directory.values import to_text

_USER: ColumnClause[str] = column("user_id")
_CUSTOMER: ColumnClause[str] = column("customer_id")
_RELATION = table("customer_user_customer", _USER, _CUSTOMER)


class Assignments:
    """The relations between customer users and customers.

    Args:
        database: the ticket system's.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def customers_of(self, login: str) -> tuple[str, ...]:
        """Ids of the customers that a customer user is assigned to, sorted.

        Raises:
            DatabaseFault: the ticket system's database does not answer.
        """
        return self._read(_USER, login, _CUSTOMER)

    def customer_users_of(self, customer_id: str) -> tuple[str, ...]:
        """Logins of the customer users that are assigned to a customer, sorted.

        Raises:
            DatabaseFault: the ticket system's database does not answer.
        """
        return self._read(_CUSTOMER, customer_id, _USER)

    def _read(
        self, key: ColumnClause[str], wanted: str, other: ColumnClause[str]
    ) -> tuple[str, ...]:
        columns: list[ColumnClause[Any]] = [key, other]
        statement = sqlalchemy.select(*columns).select_from(_RELATION)
        backend = self._database.backend
        asked = statement.where(one_of(key, "keys", backend))
        keys = {"keys": sent([wanted], backend)}
        rows = self._database.rows(asked, self._database.deadline(), keys)
        pairs = (tuple(map(to_text, row)) for row in rows)
        # The server may find other spellings, too.
        return tuple(sorted({text for found, text in pairs if found == wanted and text}))
