"""What may a customer user see? The groups and customers of OTOBO's widget, and through what."""

from typing import Any

from directory.customer_ids import customer_ids
from directory.directory import COMPANY_NAME
from worker.handlers.belonging import known
from worker.services import Services

DIRECT = "customer"
"""Where access to a customer comes from that the customer user belongs to."""

UNREADABLE = (
    "whether CustomerGroupSupport is on cannot be read in the ticket system's configuration; this "
    "is what holds if it is, without CustomerGroupAlwaysGroups; set tickets.customer_groups.support"
)


def permissions(services: Services, *, login: str) -> dict[str, Any]:
    """What a customer user has access to, as the ticket system decides it.

    Args:
        services: of this process.
        login: the login.

    Returns:
        ``login`` as its source spells it, and ``source``. ``groups``: of each ``group`` (its name),
        ``ro``, ``rw`` and ``from``, a list of ``login``, ``customer acme`` or a setting's name.
        ``customers``: of each customer that exists and is valid ``customer_id``, ``name`` and
        ``from``, a list of ``customer`` (one of the customer user's own) and ``group users``.
        ``group_support``: whether groups decide at all; None if the configuration cannot be read,
        and ``note`` says what that means.

    Raises:
        Refused: nobody has this login.
        SourceUnavailable: a source that could know it does not answer.
        DatabaseFault: assignments or customers cannot be read.
        TicketDatabaseMisfit: groups cannot be read.
        TicketDatabaseUnavailable: the ticket database does not answer.
    """
    found = known(services, login)
    user, directory = found.customer_user, services.directory
    assignments = directory.assignments
    assigned = () if assignments is None else assignments.customers_of(user.login)
    own = tuple(dict.fromkeys(filter(None, customer_ids(found.config, user.attributes, assigned))))
    allowed = services.customer_groups.permissions(user.login, own)
    origins: dict[str, list[str]] = {customer_id: [DIRECT] for customer_id in own}
    for customer_id, groups in allowed.others.items():
        origins.setdefault(customer_id, []).extend(f"group {group}" for group in groups)
    return {
        "login": user.login,
        "source": found.source,
        "group_support": None if allowed.settings is None else allowed.settings.support,
        "note": UNREADABLE if allowed.settings is None else "",
        "groups": [
            {"group": one.group, "ro": one.ro, "rw": one.rw, "from": list(one.origins)}
            for one in allowed.groups
        ],
        "customers": _customers(services, origins),
    }


def _customers(services: Services, origins: dict[str, list[str]]) -> list[dict[str, Any]]:
    """Those of some customers that exist and are valid."""
    customers = services.directory.customers
    found = customers.read(origins)
    valid = {company.customer_id: company for company in customers.valid_among(found.values())}
    told: dict[str, list[str]] = {}
    for customer_id, origin in origins.items():
        company = found.get(customer_id)
        if company is not None and company.customer_id in valid:
            told.setdefault(company.customer_id, []).extend(origin)
    return [
        {
            "customer_id": customer_id,
            "name": valid[customer_id].attributes.get(COMPANY_NAME, ""),
            "from": list(dict.fromkeys(origin)),
        }
        for customer_id, origin in sorted(told.items())
    ]
