"""Searches of the customer user directory: what Fieldfare's own find, and what that means.

Of OTOBO's ``CustomerSearch`` it is the logins with their mail strings that are compared, of
``CustomerSearchDetail`` the logins in their order, or their number.
"""

from collections.abc import Mapping
from typing import Any

from directory import finding
from directory.criteria import Criteria, Wanted, WrongCriteria, searched_storages, wanted
from directory.finding import Results
from tests.conformance.recordings import Json
from tests.conformance.said import Said
from worker.services import Services

LIST_PARAMETERS = frozenset({"ValidID"})
"""Fields with choices, of which OTOBO takes nothing but a list."""

UNLIMITED = 1_000_000


def customer_search(services: Services, args: Json) -> Said:
    """OTOBO's ``CustomerSearch``."""
    found = _searched(services, args)
    said = _mail_strings(found)
    reason = "; ".join(one.reason for one in found.unanswered)
    if not found.more:
        return Said(said, reason)
    # Which of them a limit lets through is up to the server.
    everybody = _searched(services, {**args, "Limit": UNLIMITED})
    return Said(said, reason, among=_mail_strings(everybody))


def customer_search_detail(services: Services, args: Json) -> Said:
    """OTOBO's ``CustomerSearchDetail``; nobody is found by a search that it refuses."""
    sources = services.directory.sources
    known = {name for source in sources for name in searched_storages(source.config)}
    fields: dict[str, Wanted] = {}
    for name in sorted(args.keys() & known):
        value = args[name]
        if name in LIST_PARAMETERS and not isinstance(value, list):
            return Said([])
        if value:
            texts = [str(one) for one in value] if isinstance(value, list) else str(value)
            fields[name] = wanted(name, texts)
    counted = args.get("Result") == "COUNT"
    try:
        criteria = Criteria(
            fields=fields,
            customer_ids=tuple(args.get("CustomerCompanySearchCustomerIDs") or ()),
            excluded_logins=tuple(args.get("ExcludeUserLogins") or ()),
            valid_only=_valid_only(args),
            order=_order(args),
            limit=None if counted else args.get("Limit"),
            count=counted,
        )
        found = finding.find_detailed(sources, criteria, services.directory.field_holders)
    except WrongCriteria as error:
        return Said([], str(error))
    if counted:
        return Said(str(found.total))
    reason = "; ".join(one.reason for one in found.unanswered)
    return Said([hit.customer_user.login for hit in found.hits], reason)


def _searched(services: Services, args: Json) -> Results:
    sources = services.directory.sources
    more: dict[str, Any] = {"valid_only": _valid_only(args), "limit": args.get("Limit")}
    holders = services.directory.field_holders
    if args.get("Search"):
        only = bool(args.get("CustomerUserOnly"))
        term = str(args["Search"])
        return finding.find_term(sources, term, person_only=only, holders=holders, **more)
    if args.get("PostMasterSearch"):
        address = str(args["PostMasterSearch"])
        return finding.find_email(sources, address, holders=holders, **more)
    if args.get("UserLogin"):
        return finding.find_login(sources, str(args["UserLogin"]), **more)
    if args.get("CustomerID"):
        return finding.find_customer(sources, str(args["CustomerID"]), **more)
    raw = str(args.get("CustomerIDRaw") or "")
    return finding.find_customer(sources, raw, wildcards=False, **more)


def _mail_strings(found: Results) -> Mapping[str, str]:
    return {hit.customer_user.login: hit.mail_string for hit in found.hits}


def _valid_only(args: Json) -> bool:
    return args.get("Valid") is None or bool(args["Valid"])


def _order(args: Json) -> tuple[tuple[str, bool], ...]:
    names = args.get("OrderBy") or ["UserLogin"]
    directions = [*(args.get("OrderByDirection") or ()), *["Down"] * len(names)]
    return tuple((name, directions[number] == "Down") for number, name in enumerate(names))
