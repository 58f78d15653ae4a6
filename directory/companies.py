"""Which customers (companies) are there? Those of ordered tables; the first that has an id wins.

Each table stands in the ticket system's database or in one of its own. A search that a table could
not answer says so beside its results; a question about one customer is not answered at all then,
since an earlier table may know another customer under the id.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial

from directory.columns import Columns
from directory.config import CompanyConfig
from directory.customer_id_list import valid_ids
from directory.database import Database, DatabaseFault
from directory.model import Attributes, CustomerUser
from directory.refusals import Refused
from directory.rows import KeyedTable, Row, find_rows
from directory.search import (
    ANYBODY,
    Matches,
    Order,
    Query,
    words_condition,
)
from directory.search_sql import SearchedTable, find_in_table
from directory.sql import stamps_of, values_of

CUSTOMER_ID = "CustomerID"
"""The variable that holds a customer's own id."""


@dataclass(frozen=True, slots=True)
class Company:
    """One customer.

    Attributes:
        source: ``CustomerCompany``, ``CustomerCompany1`` …
        customer_id: the id as the table spells it.
        name: the values of CustomerCompanyListFields: ``acme Acme Ltd``.
        attributes: values by variable, with the stamps where the table has them.
    """

    source: str
    customer_id: str
    name: str
    attributes: Attributes = field(repr=False)


@dataclass(frozen=True, slots=True)
class CompaniesFound:
    """What a search found.

    Attributes:
        companies: each id once.
        more: sources that know more than was asked for.
        unanswered: reasons by source, of those that were not searched.
    """

    companies: tuple[Company, ...]
    more: tuple[str, ...] = ()
    unanswered: tuple[tuple[str, str], ...] = ()


class CompanySourceUnavailable(DatabaseFault):
    """A table of customers did not answer.

    Attributes:
        source: the source's name: ``CustomerCompany1``.
    """

    def __init__(self, source: str, reason: str) -> None:
        super().__init__(f"{source} did not answer: {reason}")
        self.source = source


class CompanySource:
    """One table of customers.

    Args:
        config: its settings.
        database: where it stands.
        tickets: the ticket system's database, which knows what is valid.
    """

    def __init__(self, config: CompanyConfig, database: Database, tickets: Database) -> None:
        self.config = config
        self.database = database
        self.tickets = tickets
        self.columns = company_columns(config)
        key = config.customer_company_key
        read = tuple(dict.fromkeys([key, *self.columns.values()]))
        self.table = KeyedTable(config.table, key, read, exact=config.compares_case)
        self._listed = self._own_columns("customer_company_list_fields")
        self._searched = self._own_columns("customer_company_search_fields")

    @property
    def name(self) -> str:
        """The source's name: ``CustomerCompany``, ``CustomerCompany1`` and so on."""
        return self.config.source_name

    def read(self, customer_ids: Iterable[str]) -> Mapping[str, Company]:
        """Customers by id as given; an id that the table does not know is missing.

        Raises:
            DatabaseFault: the database does not answer.
        """
        rows = find_rows(self.database, self.table, customer_ids)
        if rows.unanswered is not None:
            raise self.fault(rows.unanswered)
        known = ((id_, self.company(row)) for id_, row in rows.found.items() if row is not None)
        return {id_: company for id_, company in known if company is not None}

    @property
    def validity(self) -> str:
        """The variable that says whether a customer is valid; empty if there is none."""
        column = self.config.customer_company_valid
        named = (name for name, storage in self.columns.items() if storage == column)
        return next(named, "")

    def term_query(self, term: str, limit: int | None, *, valid_only: bool) -> Query | None:
        """What a term asks of this table; None if there is nothing in it to look for."""
        config = self.config
        condition = words_condition(
            term,
            self._searched,
            prefix=config.customer_company_search_prefix,
            suffix=config.customer_company_search_suffix,
        )
        if condition is None:
            return None
        most = config.customer_company_search_list_limit if limit is None else limit
        return Query(condition, valid_only=valid_only, order=self._by_id(), limit=most)

    def list_query(self, limit: int, *, valid_only: bool) -> Query:
        """What asks for the first of this table's customers, by their ids."""
        return Query(ANYBODY, valid_only=valid_only, order=self._by_id(), limit=limit)

    def search(self, query: Query) -> Matches:
        """The customers that a query finds, each as the customer user that a search gives.

        Raises:
            DatabaseFault: the database does not answer.
        """
        config = self.config
        validity = config.customer_company_valid or ""
        columns = tuple(dict.fromkeys([*self.table.columns, *self._listed]))
        table = SearchedTable(config.table, columns, config.compares_case, validity)

        def found(read: Columns) -> Sequence[CustomerUser | None]:
            return [self._found(row) for row in read.rows({name: name for name in columns})]

        return find_in_table(self.database, table, query, partial(valid_ids, self.tickets), found)

    def fault(self, reason: str) -> CompanySourceUnavailable:
        """What to raise where this table was asked for one customer, and did not answer."""
        return CompanySourceUnavailable(self.name, reason)

    def company(self, row: Row) -> Company | None:
        """The customer of a row; one without an id is none."""
        customer_id = row.get(self.config.customer_company_key)
        if not isinstance(customer_id, str) or not customer_id:
            return None
        shown = (row.get(name) for name in self._listed)
        return Company(
            self.name,
            customer_id,
            " ".join(text for text in shown if isinstance(text, str) and text),
            values_of(row, self.columns),
        )

    def _found(self, row: Row) -> CustomerUser | None:
        """A row as searches know it: they tell customers apart by what stands for the login."""
        company = self.company(row)
        if company is None:
            return None
        named = {"": company.name}
        return CustomerUser(self.config.slot, company.customer_id, company.attributes, named)

    def _own_columns(self, option: str) -> tuple[str, ...]:
        """The columns that an option names; the default ones only where the Map has them."""
        named: tuple[str, ...] = getattr(self.config, option)
        fields = {row.storage for row in self.config.map if row.storage_type == "dynamic_field"}
        asked_for = option in self.config.model_fields_set
        return tuple(
            name
            for name in named
            if name not in fields and (asked_for or name in self.table.columns)
        )

    def _by_id(self) -> tuple[Order, ...]:
        return (Order(self.config.customer_company_key),)


class CompanyDirectory:
    """All sources of customers.

    Args:
        sources: in the order in which they are asked.
    """

    def __init__(self, sources: Sequence[CompanySource]) -> None:
        self.sources = tuple(sources)

    def read(self, customer_ids: Iterable[str]) -> Mapping[str, Company]:
        """Customers by id as given, each as the first source has it; unknown ids are missing.

        Raises:
            DatabaseFault: a source that could know an id does not answer.
        """
        still_open = [one for one in dict.fromkeys(customer_ids) if one]
        found: dict[str, Company] = {}
        for source in self.sources:
            if still_open:
                found |= source.read(still_open)
                still_open = [one for one in still_open if one not in found]
        return found

    def get(self, customer_id: str) -> Company | None:
        """The customer with an id; None if no source knows it.

        Raises:
            DatabaseFault: a source that could know the id does not answer.
        """
        return self.read([customer_id]).get(customer_id)

    def valid_among(self, companies: Iterable[Company]) -> Sequence[Company]:
        """Those customers that may be used; where a table does not say so, all of its own.

        Raises:
            DatabaseFault: the ticket system's database does not answer.
        """
        asked = [(company, self.source(company.source)) for company in companies]
        telling = [source for _, source in asked if source.validity]
        valid = valid_ids(telling[0].tickets) if telling else frozenset()
        return [
            company
            for company, source in asked
            if not source.validity or company.attributes.get(source.validity) in valid
        ]

    def is_valid(self, company: Company) -> bool:
        """Whether a customer may be used; see ``valid_among``."""
        return bool(self.valid_among([company]))

    def source(self, name: str) -> CompanySource:
        """The source of a name: ``CustomerCompany1``, or its slot.

        Raises:
            Refused: there is none of that name.
        """
        slot = name.removeprefix("CustomerCompany")
        for source in self.sources:
            if source.config.slot == slot:
                return source
        known = ", ".join(source.name for source in self.sources) or "none at all"
        raise Refused(
            "unknown_source", f"there is no source {name} of customers; there are {known}"
        )

    def find(
        self, term: str, *, limit: int | None = None, valid_only: bool = True
    ) -> CompaniesFound:
        """The customers that have a term in one of the search fields of their table.

        Args:
            term: as in searches for customer users: ``*``, ``+``, ``!``, quotes, AND, OR.
            limit: most of each source, instead of its CustomerCompanySearchListLimit.
            valid_only: leave out invalid ones.
        """
        return self._search(
            self.sources,
            lambda source: source.term_query(term, limit, valid_only=valid_only),
        )

    def list(self, *, limit: int, offset: int = 0, valid_only: bool = True) -> CompaniesFound:
        """A page of all customers, sorted by their ids.

        Args:
            limit: most of the page.
            offset: how many come before it.
            valid_only: leave out invalid ones.

        Returns:
            ``more``: the sources that know customers behind the page.
        """
        end = offset + limit
        found = self._search(
            self.sources, lambda source: source.list_query(end, valid_only=valid_only)
        )
        companies = sorted(found.companies, key=lambda company: company.customer_id)
        behind = (company.source for company in companies[end:])
        return CompaniesFound(
            tuple(companies[offset:end]),
            tuple(dict.fromkeys([*found.more, *behind])),
            found.unanswered,
        )

    def _search(
        self,
        sources: Iterable[CompanySource],
        query_of: Callable[[CompanySource], Query | None],
    ) -> CompaniesFound:
        """Ask each source, and put together what they say."""
        found: list[Company] = []
        more: list[str] = []
        unanswered: list[tuple[str, str]] = []
        earlier: list[tuple[CompanySource, set[str]]] = []
        for source in sources:
            query = query_of(source)
            try:
                matches = Matches(()) if query is None else source.search(query)
            except DatabaseFault as fault:
                unanswered.append((source.name, fault.reason))
                continue
            if matches.more:
                more.append(source.name)
            ids = [user.login for user in matches.customer_users]
            for user in matches.customer_users:
                hidden = (before.table.spelling(user.login) in known for before, known in earlier)
                if not any(hidden):
                    shown = str(user.by_storage[""])
                    found.append(Company(source.name, user.login, shown, user.attributes))
            earlier.append((source, {source.table.spelling(one) for one in ids}))
        return CompaniesFound(tuple(found), tuple(more), tuple(unanswered))


def company_columns(config: CompanyConfig) -> Mapping[str, str]:
    """The columns of a table of customers by variable; the last entry for a variable wins."""
    mapped = {
        entry.variable: entry.storage
        for entry in config.map
        if entry.storage_type != "dynamic_field"
    }
    return {**mapped, **stamps_of(config.foreign_db)}
