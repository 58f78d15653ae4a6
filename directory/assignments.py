"""Which further customers is a customer user assigned to? What ``customer_user_customer`` holds.

OTOBO keeps these relations in the ticket system's database, whichever source a customer user comes
from. Both sides are compared exactly, as given (observed rule 57). The table has no unique key:
that a relation stands there once is looked after here, where writers take turns.
"""

from collections.abc import Sequence
from typing import Any

import sqlalchemy
from sqlalchemy import ColumnClause, Connection, column, table

from directory.database import Database, describe
from directory.halving import ask_in_halves
from directory.membership import one_of, sent
from directory.refusals import Refused
from directory.transactions import transact
from directory.values import to_text
from directory.write_sql import WritableTable, insert, same, table_columns
from directory.writing import Author

TABLE = "customer_user_customer"

_USER: ColumnClause[str] = column("user_id")
_CUSTOMER: ColumnClause[str] = column("customer_id")
_RELATION = table(TABLE, _USER, _CUSTOMER)
_WRITABLE = WritableTable(TABLE, "user_id", stamped=True)


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

    def assign(self, login: str, customer_id: str, author: Author) -> None:
        """Assign a customer to a customer user.

        Args:
            login: as the directory spells it.
            customer_id: as the table of customers spells it.
            author: for the stamps.

        Raises:
            Refused: it is assigned already, or the table has no room for the login or the id.
            DatabaseFault: the ticket system's database does not answer, or refuses it.
        """
        self._check_room(login, customer_id)
        row = {"user_id": login, "customer_id": customer_id}

        def work(connection: Connection) -> None:
            if customer_id in _rows_of(connection, login):
                raise Refused(
                    "duplicate_assignment",
                    f"the customer {customer_id} is assigned to {login} already",
                    field="CustomerID",
                )
            for error in insert(connection, _WRITABLE, [row], author).values():
                problem = f"the table {TABLE} refuses it: {describe(error)}"
                raise Refused("refused_by_database", problem)

        transact(self._database, work, turn=TABLE)

    def unassign(self, login: str, customer_id: str) -> None:
        """Take a customer away from a customer user.

        Raises:
            Refused: it is not assigned.
            DatabaseFault: the ticket system's database does not answer, or refuses it.
        """

        def work(connection: Connection) -> None:
            if customer_id not in _rows_of(connection, login):
                raise Refused(
                    "not_assigned",
                    f"the customer {customer_id} is not assigned to {login}; what stands in "
                    "UserCustomerID or UserCustomerIDs is changed with customer_user.update",
                    field="CustomerID",
                )
            backend = connection.dialect.name
            wanted = {_USER: login, _CUSTOMER: customer_id}
            alike = (same(key, sqlalchemy.literal(text), backend) for key, text in wanted.items())
            connection.execute(sqlalchemy.delete(_RELATION).where(*alike))

        transact(self._database, work, turn=TABLE)

    def _check_room(self, login: str, customer_id: str) -> None:
        lengths = table_columns(self._database, TABLE)
        for text, name, variable in (
            (login, "user_id", "UserLogin"),
            (customer_id, "customer_id", "CustomerID"),
        ):
            most = lengths[name].length
            if most is not None and len(text) > most:
                raise Refused(
                    "too_long",
                    f"the ticket system's table {TABLE} holds {most} characters of {variable}, "
                    f"and {text} has {len(text)}; give it a shorter one, or enter the customer in "
                    "UserCustomerIDs if the source has that",
                    field=variable,
                )

    def _read(
        self, key: ColumnClause[str], wanted: str, other: ColumnClause[str]
    ) -> tuple[str, ...]:
        backend = self._database.backend
        statement = _relations(key, other, backend)
        deadline = self._database.deadline()
        found: set[str] = set()

        def ask(keys: Sequence[str]) -> None:
            rows = self._database.rows(statement, deadline, {"keys": sent(keys, backend)})
            pairs = (tuple(map(to_text, row)) for row in rows)
            # The server may find other spellings, too.
            found.update(text for is_, text in pairs if is_ == wanted and text)

        # What the table cannot hold has no relations there.
        ask_in_halves([wanted], ask)
        return tuple(sorted(found))


def _rows_of(connection: Connection, login: str) -> frozenset[str]:
    """Ids of the customers of a login, as they stand there now."""
    backend = connection.dialect.name
    statement = _relations(_USER, _CUSTOMER, backend)
    rows = connection.execute(statement, {"keys": sent([login], backend)})
    pairs = (tuple(map(to_text, row)) for row in rows)
    return frozenset(text for found, text in pairs if found == login and text)


def _relations(
    key: ColumnClause[str], other: ColumnClause[str], backend: str
) -> sqlalchemy.Select[Any]:
    """The relations of ``keys``, which the server compares more generously than we do."""
    columns: list[ColumnClause[Any]] = [key, other]
    statement = sqlalchemy.select(*columns).select_from(_RELATION)
    return statement.where(one_of(key, "keys", backend))
