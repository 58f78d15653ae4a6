"""Who is this customer user, by a table of an SQL database?

The database is the ticket system's own or any other. One statement answers some hundred logins;
it connects when it is first asked and recovers by itself (OTOBO's ``CustomerUser::DB``).
"""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import TypeVar

from sqlalchemy import Connection
from sqlalchemy.exc import NoSuchTableError

from directory.changes import NO_WATCH, Changes, changes_of_table
from directory.columns import Columns
from directory.config import SqlSourceConfig
from directory.customer_id_list import ids_in_table, valid_ids
from directory.database import Database, DatabaseFault, TicketEngine, open_database
from directory.dsn import DsnError
from directory.errors import SourceMisconfigured, SourceOutcomeUnknown, SourceUnavailable
from directory.model import Absent, Answer, AttributeValue, CustomerUser, Found, Unavailable
from directory.names import Naming, listed_fields
from directory.rows import (
    KeyedTable,
    Row,
    existing_tables,
    find_rows,
    missing_columns,
    probe,
)
from directory.search import Matches, Query
from directory.search_sql import SearchedTable, find_in_table, read_columns
from directory.source_transaction import SourceTransaction
from directory.transactions import OutcomeUnknown, transact
from directory.values import without_zero_fraction
from directory.write_sql import TableColumn, table_columns
from directory.writing import Author

T = TypeVar("T")

PASSWORD = "UserPassword"  # noqa: S105 - the variable's name
"""Never read (D18)."""

STAMPS: Mapping[str, str] = {
    "CreateTime": "create_time",
    "CreateBy": "create_by",
    "ChangeTime": "change_time",
    "ChangeBy": "change_by",
}
"""What a table of OTOBO's own says about its rows."""

DATED = ("CreateTime", "ChangeTime")
"""The variables of times."""


def stamps_of(foreign_db: bool) -> Mapping[str, str]:
    """Columns by variable of the stamps that a table has."""
    return {} if foreign_db else STAMPS


def values_of(row: Row, columns: Mapping[str, str]) -> dict[str, AttributeValue]:
    """Values by variable; a variable whose column is NULL is missing."""
    values = {variable: row[storage] for variable, storage in columns.items() if storage in row}
    for variable in DATED:
        _shorten(values, variable)
    return values


def _shorten(values: dict[str, AttributeValue], variable: str) -> None:
    """Have a time stand there as OTOBO shows it."""
    stamp = values.get(variable)
    if isinstance(stamp, str) and "." in stamp:
        values[variable] = without_zero_fraction(stamp)


class SqlSource:
    """A customer user source in an SQL database; see ``CustomerUserSource`` for its contract.

    Args:
        config: the source's settings.
        ticket_engine: gives the engine of the ticket system's database, where the table
            stands unless the settings have an address.

    Raises:
        SourceMisconfigured: the address cannot be understood, or its driver is missing.
    """

    def __init__(self, config: SqlSourceConfig, ticket_engine: TicketEngine) -> None:
        self._config = config
        try:
            self._database = open_database(config, ticket_engine)
        except DsnError as error:
            raise SourceMisconfigured(config.slot, error.problem) from None
        self._tickets = Database(ticket_engine, config.timeout, shared=True)
        stamps = stamps_of(config.foreign_db)
        self._variables = {**config.storages, **stamps}
        self._times = frozenset(stamps[name] for name in DATED if name in stamps)
        self._login_column = self._variables.get("UserLogin", config.customer_key)
        self._name_columns = _name_columns(config)
        listed = listed_fields(config)
        self._shown_columns = tuple(
            dict.fromkeys([*self._name_columns, *(field for field, _ in listed)])
        )
        self._unmapped_columns = frozenset(
            column
            for column, variable in (*listed, *Naming.of(config).name)
            if column in self._shown_columns and self._variables.get(variable) != column
        )
        types = {entry.storage: entry.storage_type for entry in config.map}
        self._table = KeyedTable(
            table=config.table,
            key=config.customer_key,
            columns=tuple(
                dict.fromkeys([config.customer_key, *self._variables.values(), *self._name_columns])
            ),
            exact=config.compares_case,
            integer_key=types.get(config.customer_key) == "int",
        )
        self._defined: Mapping[str, TableColumn] | None = None

    @property
    def config(self) -> SqlSourceConfig:
        """The settings of this source."""
        return self._config

    def find(self, logins: Sequence[str]) -> Mapping[str, Answer]:
        """Look up logins; see ``CustomerUserSource.find``."""
        rows = find_rows(self._database, self._table, logins)
        answers: dict[str, Answer] = {}
        if rows.unanswered is not None:
            answers |= dict.fromkeys(logins, Unavailable(self._config.slot, rows.unanswered))
        answers |= {login: self._answer(row) for login, row in rows.found.items()}
        answers |= {login: Absent(reason) for login, reason in rows.refused.items()}
        return answers

    def login_key(self, login: str) -> str:
        """The login as this source compares it."""
        return self._table.spelling(login)

    def customer_ids(self, term: str = "", *, valid_only: bool = True) -> frozenset[str]:
        """The customer ids of its customer users; see ``directory.customer_id_list``.

        Raises:
            SourceUnavailable: the database does not answer.
        """
        try:
            valid = valid_ids(self._tickets) if valid_only and self._config.customer_valid else None
            return ids_in_table(self._database, self._config, term, valid)
        except DatabaseFault as fault:
            raise SourceUnavailable(self._config.slot, fault.reason) from None

    def search(self, query: Query) -> Matches:
        """Find customer users; see ``CustomerUserSource.search`` and ``directory.search_sql``.

        Raises:
            SourceUnavailable: the database does not answer.
        """
        config = self._config
        keys = (config.customer_key, self._login_column)
        columns = read_columns(query, self._variables, self._shown_columns, keys)
        table = SearchedTable(
            config.table,
            columns,
            config.compares_case,
            config.customer_valid or "",
            self._login_column,
            self._times,
        )
        try:
            valid = None if config.in_ticket_database else partial(valid_ids, self._tickets)
            return find_in_table(self._database, table, query, valid, self._customer_users)
        except DatabaseFault as fault:
            raise SourceUnavailable(config.slot, fault.reason) from None

    def columns(self) -> Mapping[str, TableColumn]:
        """The columns of the table; see ``WritableSource.columns``.

        Raises:
            SourceUnavailable: the database does not answer, or lacks the table.
        """
        if self._defined is None:
            try:
                self._defined = table_columns(self._database, self._config.table)
            except DatabaseFault as fault:
                raise SourceUnavailable(self._config.slot, fault.reason) from None
        return self._defined

    def transact(
        self, work: Callable[[SourceTransaction], T], author: Author, *, rows: int = 1
    ) -> T:
        """Write to the table; see ``WritableSource.transact``.

        Raises:
            SourceUnavailable: nothing was written. ``SourceOutcomeUnknown``: that is not known.
            DatabaseFault: another database did not answer that ``work`` asked.
        """
        config, columns = self._config, self.columns()
        not_ours: list[DatabaseFault] = []

        def within(connection: Connection) -> T:
            transaction = SourceTransaction(
                config=config,
                connection=connection,
                author=author,
                database=self._database,
                keyed=self._table,
                columns=columns,
            )
            try:
                return work(transaction)
            except DatabaseFault as fault:
                not_ours.append(fault)
                raise

        try:
            return transact(self._database, within, turn=config.table, rows=rows)
        except OutcomeUnknown as fault:
            raise SourceOutcomeUnknown(config.slot, fault.reason) from None
        except DatabaseFault as fault:
            if fault in not_ours:
                raise
            raise SourceUnavailable(config.slot, fault.reason) from None

    def changes(self, since: str) -> Changes:
        """Who was changed; see ``directory.changes.ChangingSource``.

        Raises:
            SourceUnavailable: the database does not answer; there is no column to tell from.
        """
        config = self._config
        if not config.watch:
            raise SourceUnavailable(config.slot, NO_WATCH)
        try:
            return changes_of_table(
                self._database, config.table, self._login_column, config.watch, since
            )
        except DatabaseFault as fault:
            raise SourceUnavailable(config.slot, fault.reason) from None

    def ping(self) -> None:
        """Ask for no row at all.

        Raises:
            SourceUnavailable: the database does not answer, or lacks the table or a column.
        """
        try:
            probe(self._database, self._table)
        except DatabaseFault as fault:
            raise SourceUnavailable(self._config.slot, fault.reason) from None

    def check(self) -> None:
        """Compare the settings with the table.

        Raises:
            SourceMisconfigured: names the columns that are missing and those that exist.
            SourceUnavailable: the database does not answer.
        """
        slot = self._config.slot
        try:
            problem = self._misfit()
        except DatabaseFault as fault:
            raise SourceUnavailable(slot, fault.reason) from None
        if problem is not None:
            raise SourceMisconfigured(slot, problem)
        self.ping()

    def close(self) -> None:
        """Close connections; the next ``find`` opens them again."""
        self._database.close()

    def _misfit(self) -> str | None:
        """What the table lacks of what the settings name."""
        table = self._config.table
        try:
            missing, existing = missing_columns(self._database, table, self._table.columns)
        except DatabaseFault as fault:
            if not isinstance(fault.cause, NoSuchTableError):
                raise
            tables = ", ".join(existing_tables(self._database, table)) or "no table at all"
            return f"there is no table {table}; the database has: {tables}"
        if not missing:
            return None
        hint = ""
        if not self._config.foreign_db and set(missing) & set(STAMPS.values()):
            hint = "; a table without create_time and its like needs foreign_db (ForeignDB)"
        return (
            f"table {table} has no column {', '.join(missing)}; it has: {', '.join(existing)}{hint}"
        )

    def _answer(self, row: Row | None) -> Answer:
        if row is None:
            return Absent()
        attributes = values_of(row, self._variables)
        login = row.get(self._login_column)
        if not isinstance(login, str) or not login:
            return Absent()  # one without a login is none (spec 4.7)
        by_storage = {name: row[name] for name in self._name_columns if name in row}
        return Found(CustomerUser(self._config.slot, login, attributes, by_storage))

    def _customer_users(self, columns: Columns) -> Sequence[CustomerUser | None]:
        """Those whose rows a search read; see ``_answer``."""
        slot, logins = self._config.slot, columns.cells[self._login_column]
        attributes = columns.rows(self._variables)
        for variable in DATED:
            stamps = columns.cells.get(self._variables.get(variable, ""), ())
            if any(isinstance(stamp, str) and "." in stamp for stamp in stamps):
                for values in attributes:
                    _shorten(values, variable)
        unmapped = columns.rows({name: name for name in self._unmapped_columns})
        return [
            CustomerUser(slot, login, values, shown) if isinstance(login, str) and login else None
            for login, values, shown in zip(logins, attributes, unmapped, strict=True)
        ]


def _name_columns(config: SqlSourceConfig) -> tuple[str, ...]:
    """Columns of UserFullname: OTOBO reads them as they are, mapped or not (observed keys-11).

    The default names count only where the Map has them: a foreign table may lack them.
    """
    fields = {entry.storage for entry in config.map if entry.storage_type == "dynamic_field"}
    secret = {entry.storage for entry in config.map if entry.variable == PASSWORD}
    mapped = {entry.storage for entry in config.map}
    return tuple(
        name
        for name in config.name_fields
        if name not in fields | secret
        and (name in mapped or config.customer_user_name_fields is not None)
    )
