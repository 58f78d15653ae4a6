"""Which customers does a customer user belong to, and how are further ones assigned?

The primary customer and those in UserCustomerIDs are attributes of the customer user, and are
changed there. All others are rows of ``customer_user_customer`` in the ticket system's database,
whichever source the customer user comes from.
"""

from typing import Any

from directory.assignments import Assignments
from directory.attributes import CUSTOMER_ID
from directory.customer_ids import FURTHER_IDS, customer_ids, first_text, split
from directory.database import DatabaseFault
from directory.refusals import Refused
from worker.handlers.authoring import author
from worker.handlers.belonging import Known, known, look_up, unknown
from worker.handlers.changes import Change
from worker.services import Services


def customers(services: Services, *, login: str) -> dict[str, Any]:
    """The customers that a customer user belongs to.

    Args:
        services: of this process.
        login: the login. One that no source knows may have left assignments behind.

    Returns:
        ``login`` as its source spells it, ``source`` (None if no source knows it), ``primary``,
        ``from_attributes`` (those of UserCustomerIDs), ``assigned``, and ``customers``: all of
        them, each once, in the order of OTOBO. Without ``primary`` where the source is set to
        leave it out (CustomerUserExcludePrimaryCustomerID).

    Raises:
        Refused: nobody has this login, and no customer is assigned to it.
        SourceUnavailable: a source that could know the login does not answer.
        DatabaseFault: the ticket system's database does not answer.
    """
    found = look_up(services, login)
    spelt = login if found is None else found.customer_user.login
    assigned = _assignments(services).customers_of(spelt)
    if found is None and not assigned:
        raise unknown(login)
    attributes = {} if found is None else found.customer_user.attributes
    primary, further = (attributes.get(name) for name in (CUSTOMER_ID, FURTHER_IDS))
    everything = customer_ids(None if found is None else found.config, attributes, assigned)
    return {
        "login": spelt,
        "source": None if found is None else found.source,
        "primary": first_text(primary),
        "from_attributes": [one for one in split(first_text(further)) if one],
        "assigned": list(assigned),
        "customers": list(dict.fromkeys(filter(None, everything))),
    }


def assign(services: Services, *, login: str, customer_id: str) -> Change:
    """Have a customer user belong to one more customer.

    Args:
        services: of this process.
        login: of the customer user.
        customer_id: of a customer that exists and is valid.

    Returns:
        What is told: ``login`` and ``customer_id`` as they are written.

    Raises:
        Refused: there is no such customer user or customer, the customer is not valid, it is
            assigned already, or the login is too long for the table.
        SourceUnavailable: a source that could know the login does not answer.
        DatabaseFault: a source of customers or the ticket system's database does not answer.
        TicketDatabaseUnavailable: the ticket system's database does not answer.
    """
    found = known(services, login)
    company = services.directory.customers.get(customer_id)
    if company is None:
        raise Refused(
            "unknown_customer",
            f"there is no customer {customer_id}; add it first (customer_company.add)",
            field="CustomerID",
        )
    if not services.directory.customers.is_valid(company):
        raise Refused(
            "invalid_customer",
            f"the customer {company.customer_id} is not valid; make it valid first "
            "(customer_company.update with ValidID)",
            field="CustomerID",
            source=company.source,
        )
    spelt = found.customer_user.login
    _assignments(services).assign(spelt, company.customer_id, author(services))
    return _change(found, spelt, company.customer_id)


def unassign(services: Services, *, login: str, customer_id: str) -> Change:
    """Have a customer user not belong to an assigned customer any more.

    Args:
        services: of this process.
        login: of the customer user; one that no source knows counts as it is given.
        customer_id: as it is assigned.

    Raises:
        Refused: the customer is not assigned.
        SourceUnavailable: a source that could know the login does not answer.
        DatabaseFault: the ticket system's database does not answer.
    """
    found = look_up(services, login)
    spelt = login if found is None else found.customer_user.login
    _assignments(services).unassign(spelt, customer_id)
    return _change(found, spelt, customer_id)


def _change(found: Known | None, login: str, customer_id: str) -> Change:
    return Change(
        {"login": login, "customer_id": customer_id},
        "" if found is None else found.source,
        customer_users=(login,),
        fields=("CustomerIDs",),
    )


def _assignments(services: Services) -> Assignments:
    assignments = services.directory.assignments
    if assignments is None:
        raise DatabaseFault("this directory has no ticket system, and so no assignments")
    return assignments
