"""What can be done with a source's customer users within one writing transaction?

They are read and locked, looked for by address, added and changed. Whether that is allowed is
decided by who holds the transaction (``directory.adding``, ``directory.updating``).
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

from directory.config import SqlSourceConfig
from directory.database import Database, DatabaseFault, describe
from directory.field_search import dynamic_fields
from directory.halving import ask_in_halves
from directory.kept_otherwise import KeptOtherwise
from directory.model import Attributes
from directory.refusals import Refused
from directory.rows import KeyedTable, Row, rows_in_transaction
from directory.search import searchable
from directory.transactions import savepoint
from directory.write_sql import (
    RowGone,
    TableColumn,
    WritableTable,
    insert,
    unique_columns,
    update,
)
from directory.writing import Author

LOGIN, EMAIL = "UserLogin", "UserEmail"


@dataclass(frozen=True, slots=True)
class Stored:
    """A customer user as the source has them now.

    Attributes:
        login: as the source spells it.
        attributes: of the Map's variables, without stamps and without the password.
    """

    login: str
    attributes: Attributes = field(repr=False)


@dataclass(frozen=True, slots=True)
class SourceTransaction:
    """A source's table while it is written to; see ``directory.source.WritableSource``.

    Attributes:
        config: the source's settings.
        connection: to the source's database, within the transaction.
        author: who writes.
    """

    config: SqlSourceConfig
    connection: Connection
    author: Author
    database: Database
    keyed: KeyedTable
    columns: Mapping[str, TableColumn]

    def find(self, logins: Iterable[str]) -> Mapping[str, Sequence[Stored]]:
        """Whoever has one of these logins, by ``spelling``; nobody is missing.

        Args:
            logins: any number that the column can hold.
        """
        rows = rows_in_transaction(self.database, self.connection, self.keyed, logins)
        return {spelling: self._stored(found) for spelling, found in rows.items()}

    def read(self, logins: Iterable[str], *, lock: bool = False) -> Mapping[str, Sequence[Stored]]:
        """Whoever has exactly these logins, by login; an index finds them, whatever case counts.

        Args:
            logins: as the source spells them.
            lock: nobody else may change them until the transaction ends.
        """
        exactly = replace(self.keyed, exact=True)
        rows = rows_in_transaction(self.database, self.connection, exactly, logins, lock=lock)
        return {login: self._stored(found) for login, found in rows.items()}

    def written(self, logins: Collection[str]) -> Mapping[str, Stored]:
        """Those who were just written, as they stand there now, by login.

        Raises:
            KeptOtherwise: the database keeps some logins otherwise than they were given.
        """
        found = self.read(logins)
        if otherwise := [login for login in logins if len(found.get(login, ())) != 1]:
            raise KeptOtherwise(self._kept_otherwise(otherwise))
        return {login: rows[0] for login, rows in found.items()}

    def _kept_otherwise(self, logins: Sequence[str]) -> Mapping[str, Refused]:
        source = self.config.source_name
        may_be = {login: (login.lower(), login.upper(), login.strip()) for login in logins}
        there = self.read({guess for guesses in may_be.values() for guess in guesses})
        refusals = {}
        for login, guesses in may_be.items():
            kept = next((guess for guess in guesses if guess in there), None)
            advice = f"give it as {kept}" if kept else "take another, or have the trigger leave it"
            message = f"{source} does not keep the login {login} as it is given; a trigger may"
            refusals[login] = Refused(
                "refused_by_database",
                f"{message} change it: {advice}",
                field=LOGIN,
                source=source,
            )
        return refusals

    def _stored(self, rows: Sequence[Row]) -> Sequence[Stored]:
        columns = self.config.storages
        return [
            Stored(
                str(row[self.keyed.key]),
                {name: row[column] for name, column in columns.items() if column in row},
            )
            for row in rows
        ]

    def spelling(self, login: str) -> str:
        """The login as the source compares it."""
        return self.keyed.spelling(login)

    def owners(self, addresses: Iterable[str]) -> Mapping[str, frozenset[str]]:
        """Logins of those who have an email address, invalid ones too, by ``fold`` of the address.

        The addresses are looked for where a PostMaster search looks, as OTOBO does.
        """
        ours = searchable(self.config.customer_user_post_master_search_fields, self.config)
        elsewhere = dynamic_fields(self.config)
        fields = [name for name in ours if name not in elsewhere]
        email = self.config.storages.get(EMAIL)
        asked = [one for one in dict.fromkeys(addresses) if one]
        owners: dict[str, set[str]] = {}
        for column in fields or (email,):
            if column is None:
                continue
            table = KeyedTable(self.keyed.table, column, (self.keyed.key,), exact=False)

            def ask(batch: Sequence[str], table: KeyedTable = table) -> None:
                try:
                    with savepoint(self.connection):
                        rows = rows_in_transaction(self.database, self.connection, table, batch)
                except DBAPIError as error:
                    raise DatabaseFault(describe(error), error) from None
                for address, belonging in rows.items():
                    logins = (str(row.get(self.keyed.key, "")) for row in belonging)
                    owners.setdefault(address, set()).update(logins)

            # An address that the column cannot hold is nobody's yet.
            ask_in_halves(asked, ask)
        return {address: frozenset(logins) for address, logins in owners.items()}

    def insert(self, rows: Sequence[Mapping[str, str | int]]) -> Mapping[int, Refused]:
        """Add customer users, with one statement for all that have the same columns.

        Args:
            rows: values by column.

        Returns:
            Why the database refused some, by their place; all others are added.
        """
        cells = [self._cells(row) for row in rows]
        refused = insert(self.connection, self._table, cells, self.author)
        return {
            place: self._refused(error, str(rows[place].get(self.keyed.key, "")))
            for place, error in refused.items()
        }

    def update(self, rows: Mapping[str, Mapping[str, str | int]]) -> Mapping[str, Refused]:
        """Change customer users that were found and locked in this transaction.

        Args:
            rows: the new values by column, by login as the source spells it.

        Returns:
            Why the database refused some, by login; all others are changed.
        """
        cells = {login: self._cells(row) for login, row in rows.items()}
        refused = update(self.connection, self._table, cells, self.author)
        return {
            login: self._refused(error, str(rows[login].get(self.keyed.key, login)))
            for login, error in refused.items()
        }

    @property
    def _table(self) -> WritableTable:
        return WritableTable(self.keyed.table, self.keyed.key, not self.config.foreign_db)

    def _cells(self, row: Mapping[str, str | int]) -> dict[str, str | int | None]:
        """The values as the columns can hold them: no number and no date is empty text."""
        return {
            name: None if value == "" and not self._holds_text(name) else value
            for name, value in row.items()
        }

    def _holds_text(self, column: str) -> bool:
        known = self.columns.get(column)
        return known is None or known.text

    def _refused(self, error: DBAPIError | RowGone, login: str) -> Refused:
        source = self.config.source_name
        if isinstance(error, RowGone):
            message = f"{login} was changed meanwhile; look again, and repeat it"
            return Refused("changed_meanwhile", message, source=source)
        columns = unique_columns(self.connection, self.keyed.table, error)
        if columns is None:
            message = f"the database refused it: {describe(error)}"
            return Refused("refused_by_database", message, source=source)
        if columns == (self.keyed.key,):
            message = (
                f"the table has the login {login} already, or one that its index takes for the "
                "same; take another login"
            )
            return Refused("duplicate_login", message, field=LOGIN, source=source)
        if columns == (self.config.storages.get(EMAIL),):
            return duplicate_email(source)
        variables = [name for name, column in self.config.storages.items() if column in columns]
        what = ", ".join(variables) or "some value"
        message = f"the database has another row with the same {what}, and takes only one"
        return Refused("refused_by_database", message, field="".join(variables[:1]), source=source)


def duplicate_login(login: str, source: str) -> Refused:
    """Somebody in a source has this login already."""
    message = f"{source} has a customer user {login} already; take another login"
    return Refused("duplicate_login", message, field=LOGIN, source=source)


def duplicate_email(source: str) -> Refused:
    """Somebody in the source has this address already."""
    message = (
        f"another customer user of {source} has this email address, maybe an invalid one; take "
        "another address (customer_user_email_uniq_check)"
    )
    return Refused("duplicate_email", message, field=EMAIL, source=source)
