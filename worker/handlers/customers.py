"""What does an admin do with customers (companies)? Find, list, add, change and deactivate them."""

from collections.abc import Mapping
from typing import Any

from directory import company_writing
from directory.companies import CompaniesFound, Company
from directory.company_writing import Written, company_version
from directory.criteria import WrongCriteria
from worker.handlers.authoring import author
from worker.handlers.changes import Change
from worker.handlers.customer_users import plain
from worker.handlers.searches import LIST_LIMIT, MOST
from worker.services import Services


def get(services: Services, *, customer_id: str) -> dict[str, Any]:
    """What is known of one customer.

    Returns:
        ``customer_id`` as given, ``answer``: ``found`` or ``absent``, and ``source``
        (``CustomerCompany1``; None when absent). Found: ``customer`` (the id as the table spells
        it), ``attributes``, ``valid``, ``writable``, and ``version`` for an update that wants to
        be told of changes in between.

    Raises:
        DatabaseFault: a source that could know the id does not answer.
    """
    customers = services.directory.customers
    company = customers.get(customer_id)
    if company is None:
        return {"customer_id": customer_id, "answer": "absent", "source": None}
    return {
        "customer_id": customer_id,
        "answer": "found",
        "source": company.source,
        "customer": company.customer_id,
        "attributes": plain(company.attributes),
        "valid": customers.is_valid(company),
        "writable": not customers.source(company.source).config.read_only,
        "version": company_version(company),
    }


def find(
    services: Services, *, term: str, limit: int | None = None, invalid: bool = False
) -> dict[str, Any]:
    """Look a term up in the search fields of each source; see ``directory.search``.

    Args:
        services: of this process.
        term: what was typed.
        limit: most results of each source, instead of its CustomerCompanySearchListLimit.
        invalid: invalid ones, too.

    Returns:
        ``customers``: of each ``customer_id``, ``source``, ``name`` (what OTOBO's lists show) and
        ``attributes``. ``more``: sources that know more than their limit. ``unanswered``: of each
        source that was not searched, ``source`` and ``reason``.

    Raises:
        WrongCriteria: there is nothing in the term to look for, or the limit makes no sense.
    """
    if not term.strip().strip("+!").strip():
        raise WrongCriteria("the term is empty; right: acme, a*e, acme+ltd")
    if limit is not None and not 1 <= limit <= MOST:
        raise WrongCriteria(f"limit must be from 1 to {MOST}")
    return _told(services.directory.customers.find(term, limit=limit, valid_only=not invalid))


def list_(
    services: Services, *, limit: int = LIST_LIMIT, offset: int = 0, invalid: bool = False
) -> dict[str, Any]:
    """List customers by their ids, page by page.

    Args:
        services: of this process.
        limit: most of a page.
        offset: how many come before the page.
        invalid: invalid ones, too.

    Returns:
        As ``find`` does; ``more`` names the sources that know customers behind the page.

    Raises:
        WrongCriteria: limit or offset makes no sense.
    """
    if not 1 <= limit <= MOST or not 0 <= offset <= MOST:
        raise WrongCriteria(f"limit must be from 1 to {MOST}, and offset from 0 to {MOST}")
    found = services.directory.customers.list(limit=limit, offset=offset, valid_only=not invalid)
    return _told(found)


def add(services: Services, *, values: Mapping[str, Any], source: str | None = None) -> Change:
    """Add a customer; see ``directory.company_writing.add``.

    Returns:
        What is told: ``customer_id``, ``source``, ``fields`` and ``version``.

    Raises:
        Refused: a value is against a rule or taken, or the source cannot be written to.
        DatabaseFault: a source of customers does not answer.
        TicketDatabaseUnavailable: the ticket system's database does not answer.
    """
    customers = services.directory.customers
    return _change(company_writing.add(customers, values, author(services), source=source))


def update(
    services: Services,
    *,
    customer_id: str,
    values: Mapping[str, Any],
    replace: bool = False,
    expected: str | None = None,
) -> Change:
    """Change a customer; see ``directory.company_writing.update_company``.

    Returns:
        As ``add``; without ``fields`` if all values stood there already.

    Raises:
        Refused: as ``add``; there is no such customer, it was changed meanwhile, or it would get
            another id.
        DatabaseFault: a source of customers does not answer.
        TicketDatabaseUnavailable: the ticket system's database does not answer.
    """
    return _change(
        company_writing.update_company(
            services.directory.customers,
            customer_id,
            values,
            author(services),
            replace=replace,
            expected=expected,
        )
    )


def deactivate(services: Services, *, customer_id: str, temporarily: bool = False) -> Change:
    """Make a customer invalid; its customer users stay as they are, as in OTOBO.

    Raises:
        Refused: there is no such customer, or its source cannot be written to.
        DatabaseFault: a source of customers does not answer.
        TicketDatabaseUnavailable: the ticket system's database does not answer.
    """
    customers = services.directory.customers
    return _change(
        company_writing.deactivate(
            customers, customer_id, author(services), temporarily=temporarily
        )
    )


def _change(written: Written) -> Change:
    told = {
        "customer_id": written.customer_id,
        "source": written.source,
        "fields": list(written.fields),
        "version": written.version,
    }
    return Change(told, written.source, customers=(written.customer_id,), fields=written.fields)


def _told(found: CompaniesFound) -> dict[str, Any]:
    return {
        "customers": [_shown(company) for company in found.companies],
        "more": list(found.more),
        "unanswered": [{"source": source, "reason": reason} for source, reason in found.unanswered],
    }


def _shown(company: Company) -> dict[str, Any]:
    return {
        "customer_id": company.customer_id,
        "source": company.source,
        "name": company.name,
        "attributes": plain(company.attributes),
    }
