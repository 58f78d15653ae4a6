"""How is a customer (company) added, changed, or made invalid? One row, checked, in its turn.

The id is the customer's name for good: customer users, assignments, groups and tickets in several
databases carry it, and no transaction takes in all of them. So an update that would change it is
refused, and says what to do instead.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

from directory.companies import CUSTOMER_ID, Company, CompanyDirectory, CompanySource
from directory.customer_id_list import validity
from directory.database import DatabaseFault, describe
from directory.map_values import Place
from directory.model import Attributes
from directory.refusals import Refused
from directory.rows import rows_in_transaction
from directory.sql import STAMPS
from directory.transactions import OutcomeUnknown, transact
from directory.write_rules import Verdict, check_add, check_update
from directory.write_sql import (
    RowGone,
    TableColumn,
    WritableTable,
    insert,
    table_columns,
    unique_columns,
    update,
)
from directory.writing import Author, version

VALID = "ValidID"


@dataclass(frozen=True, slots=True)
class Written:
    """A customer after a write.

    Attributes:
        source: ``CustomerCompany1``.
        customer_id: the id as the table spells it.
        fields: the variables that were written; none if nothing had to be.
        version: of what is stored now.
    """

    source: str
    customer_id: str
    fields: tuple[str, ...]
    version: str


def company_version(company: Company) -> str:
    """The version of a customer, for those who want to be told of changes in between."""
    return _version(company.attributes)


def add(
    customers: CompanyDirectory,
    values: Mapping[str, Any],
    author: Author,
    *,
    source: str | None = None,
) -> Written:
    """Add a customer.

    Args:
        customers: all sources.
        values: by variable; ValidID can be a name, and is ``valid`` if it is not given.
        author: for the stamps.
        source: its name; None for the first that can be written to.

    Raises:
        Refused: a value is against a rule, the id or another unique value is taken, or the source
            cannot be written to.
        DatabaseFault: a source that could know the id does not answer; nothing is written, unless
            it is an ``OutcomeUnknown``.
    """
    target = _writable(customers, source)
    with _named(target):
        columns = table_columns(target.database, target.config.table)
        place = _place(target, columns)
    if any(entry.variable == VALID for entry in place.entries):
        values = {VALID: "valid", **values}  # as the screen has it at first
    if isinstance(given := values.get(place.key), str):
        values = {**values, place.key: given.strip()}  # the screen takes blanks away, too
    verdict = check_add(place, values)
    _insist(verdict)
    key = target.config.customer_company_key
    customer_id = str(verdict.columns[key])
    taken = customers.get(customer_id)
    if taken is not None:
        raise _duplicate(taken, place.key)

    def work(connection: Connection) -> Attributes:
        added = _row(target, connection, customer_id)
        if added is not None:
            raise _duplicate(added, place.key)
        cells = [_cells(verdict.columns, columns)]
        for error in insert(connection, _table(target), cells, author).values():
            raise _refusal(target, connection, error, customer_id)
        return _stored(target, connection, customer_id)

    with _named(target):
        stored = transact(target.database, work, turn=target.config.table)
    return Written(target.name, customer_id, verdict.variables, _version(stored))


def update_company(  # noqa: PLR0913 - an update can be asked for in so many ways
    customers: CompanyDirectory,
    customer_id: str,
    values: Mapping[str, Any],
    author: Author,
    *,
    replace: bool = False,
    expected: str | None = None,
) -> Written:
    """Change a customer: the values given, and no others.

    Args:
        customers: all sources.
        customer_id: of the customer.
        values: by variable.
        author: for the stamps.
        replace: empty what is not given, as OTOBO's screen does; the id need not be given.
        expected: the version that the caller saw.

    Raises:
        Refused: a value is against a rule or taken, somebody changed the customer meanwhile, there
            is no such customer, the id would change, or the source cannot be written to.
        DatabaseFault: a source that could know the id does not answer; nothing is written, unless
            it is an ``OutcomeUnknown``.
    """
    company = customers.get(customer_id)
    if company is None:
        raise _unknown(customer_id)
    source = _writable(customers, company.source)
    with _named(source):
        columns = table_columns(source.database, source.config.table)
        place = _place(source, columns)
    if replace:
        values = {place.key: company.customer_id, **values}
    _keep_id(place, company, values)

    def work(connection: Connection) -> tuple[Verdict, Attributes]:
        row = _row(source, connection, company.customer_id)
        if row is None:
            raise _unknown(customer_id)
        if expected is not None and _version(row.attributes) != expected:
            raise Refused(
                "changed_meanwhile",
                f"the customer {row.customer_id} was changed meanwhile; read it again, and update "
                "what you find",
                source=source.name,
            )
        verdict = check_update(place, values, row.attributes, replace=replace)
        _insist(verdict)
        if not verdict.columns:
            return verdict, row.attributes
        cells = {row.customer_id: _cells(verdict.columns, columns)}
        for error in update(connection, _table(source), cells, author).values():
            raise _refusal(source, connection, error, row.customer_id)
        return verdict, _stored(source, connection, row.customer_id)

    with _named(source):
        verdict, stored = transact(source.database, work, turn=source.config.table)
    return Written(source.name, company.customer_id, verdict.variables, _version(stored))


def deactivate(
    customers: CompanyDirectory, customer_id: str, author: Author, *, temporarily: bool = False
) -> Written:
    """Make a customer invalid.

    Raises:
        Refused: there is no such customer, its source cannot be written to, or has no ValidID.
        DatabaseFault: as ``update_company``.
    """
    name = "invalid-temporarily" if temporarily else "invalid"
    return update_company(customers, customer_id, {VALID: name}, author)


def _writable(customers: CompanyDirectory, name: str | None) -> CompanySource:
    """A source that can be written to: the named one, or the first.

    Raises:
        Refused: there is none.
    """
    if name is not None:
        source = customers.source(name)
        if source.config.read_only:
            raise Refused(
                "read_only_source",
                f"{source.name} is read-only here (read_only); change the customer where it comes "
                "from",
                source=source.name,
            )
        return source
    for source in customers.sources:
        if not source.config.read_only:
            return source
    raise Refused(
        "read_only_source",
        "no source of customers can be written to; add the customer where they come from",
    )


@contextmanager
def _named(source: CompanySource) -> Iterator[None]:
    """Say which source it was that did not answer."""
    try:
        yield
    except OutcomeUnknown:
        raise
    except DatabaseFault as fault:
        raise source.fault(fault.reason) from None


def _place(source: CompanySource, columns: Mapping[str, TableColumn]) -> Place:
    config = source.config
    named = (row.variable for row in config.map if row.storage == config.customer_company_key)
    return Place(
        source=source.name,
        entries=tuple(row for row in config.map if row.storage_type != "dynamic_field"),
        key=next(named, CUSTOMER_ID),
        selections=config.selections,
        lengths={name: one.length for name, one in columns.items() if one.length is not None},
        validity=validity(source.tickets),
    )


def _keep_id(place: Place, company: Company, values: Mapping[str, Any]) -> None:
    given = values.get(place.key)
    if given is not None and given != company.customer_id:
        raise Refused(
            "read_only_field",
            f"{place.key} cannot be changed: customer users, assignments, groups and tickets carry "
            f"the id {company.customer_id}; add a customer with the new id, move its customer "
            "users there (customer_user.update with UserCustomerID), and deactivate this one",
            field=place.key,
            source=place.source,
        )


def _row(source: CompanySource, connection: Connection, customer_id: str) -> Company | None:
    """The customer as it is stored, locked until the transaction ends."""
    rows = rows_in_transaction(
        source.database, connection, source.table, [customer_id], lock=True
    ).get(source.table.spelling(customer_id), [])
    return source.company(rows[0]) if rows else None


def _stored(source: CompanySource, connection: Connection, customer_id: str) -> Attributes:
    found = _row(source, connection, customer_id)
    return {} if found is None else found.attributes


def _version(attributes: Attributes) -> str:
    return version({name: text for name, text in attributes.items() if name not in STAMPS})


def _table(source: CompanySource) -> WritableTable:
    config = source.config
    return WritableTable(config.table, config.customer_company_key, stamped=not config.foreign_db)


def _cells(
    row: Mapping[str, str | int], columns: Mapping[str, TableColumn]
) -> dict[str, str | int | None]:
    """The values as the columns can hold them: no number and no date is empty text."""
    return {
        name: None if value == "" and name in columns and not columns[name].text else value
        for name, value in row.items()
    }


def _insist(verdict: Verdict) -> None:
    for refusal in verdict.refusals:
        raise refusal


def _refusal(
    source: CompanySource,
    connection: Connection,
    error: DBAPIError | RowGone,
    customer_id: str,
) -> Refused:
    """Why the database refused a row, as its caller is to be told."""
    if isinstance(error, RowGone):
        return _unknown(customer_id)
    columns = unique_columns(connection, source.config.table, error)
    if columns is None:
        return Refused(
            "refused_by_database", f"{source.name}: {describe(error)}", source=source.name
        )
    variables = [name for name, column in source.columns.items() if column in columns]
    field = next(iter(variables), "")
    what = field or "a value that must be unique"
    return Refused(
        "duplicate_customer",
        f"another customer of {source.name} has the same {what}, or one that its database takes "
        "for the same; give another one",
        field=field,
        source=source.name,
    )


def _duplicate(taken: Company, field: str) -> Refused:
    return Refused(
        "duplicate_customer",
        f"there is a customer {taken.customer_id} already, in {taken.source}; give another id, "
        "or update that one",
        field=field,
        source=taken.source,
    )


def _unknown(customer_id: str) -> Refused:
    return Refused(
        "unknown_customer",
        f"there is no customer {customer_id}; look for it with customer_company.find",
        field=CUSTOMER_ID,
    )
