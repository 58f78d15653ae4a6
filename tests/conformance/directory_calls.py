"""Calls of the customer user directory: what Fieldfare's own directory answers, and what it means.

Fieldfare has no functions of OTOBO's names. What is compared is the meaning: who was found, with
which attributes; which customers; which sources.
"""

from collections.abc import Callable, Mapping
from typing import Any

from directory.model import Found, Unavailable
from directory.source_list import source_list
from tests.conformance import directory_searches, directory_writes
from tests.conformance.recordings import Json
from tests.conformance.said import Said
from worker.services import Services

NOT_COMPARED = frozenset({"Config", "CompanyConfig", "UserPassword"})
"""Keys of a customer user that Fieldfare never hands out: settings and password hashes (D18)."""

UNAVAILABLE = "unavailable"


def ask(services: Services, method: str, args: Json) -> Said:
    """Ask the directory what one of OTOBO's methods would tell."""
    if method not in _ASKED:
        return Said(f"unknown method {method}")
    return _ASKED[method](services, args)


def meaning(method: str, result: Any) -> Any:
    """What a recorded result means."""
    if method == "CustomerUserDataGet":
        return _attributes(result or {})
    if method == "CustomerIDList":
        # The order of ids that are equal in lower case is random (observed).
        return sorted(result or [], key=lambda text: (text.lower(), text))
    if method == "CustomerName":
        return result or ""
    if method == "CustomerSearchDetail":
        return [] if result is None else result
    return directory_writes.meaning(method, result)


def _attributes(given: Mapping[str, Any]) -> dict[str, Any]:
    """Attributes that have a value; a variable without a value is missing or empty."""
    plain = {name: _plain(value) for name, value in given.items() if name not in NOT_COMPARED}
    return {name: value for name, value in plain.items() if value not in ("", [], None)}


def _plain(value: Any) -> Any:
    match value:
        case list() | tuple():
            return [_plain(item) for item in value]
        case bytes():
            return {"bytes": len(value)}
        case None:
            return None
        case _:
            return str(value)


def _customer_user_data_get(services: Services, args: Json) -> Said:
    login = str(args.get("User") or "")
    answer = services.directory.find([login])[login]
    if isinstance(answer, Unavailable):
        return Said(UNAVAILABLE, answer.reason)
    if not isinstance(answer, Found):
        return Said({})
    return Said(_attributes(answer.customer_user.attributes))


def _customer_name(services: Services, args: Json) -> Said:
    login = str(args.get("UserLogin") or "")
    answer = services.directory.find([login], {"UserFullname"})[login]
    if isinstance(answer, Unavailable):
        return Said(UNAVAILABLE, answer.reason)
    if not isinstance(answer, Found):
        return Said("")
    return Said(answer.customer_user.attributes.get("UserFullname", ""))


def _customer_source_list(services: Services, args: Json) -> Said:
    read_only = None if args.get("ReadOnly") is None else bool(args["ReadOnly"])
    return Said(dict(source_list(services.settings.source_configs(), read_only=read_only)))


def _customer_ids(services: Services, args: Json) -> Said:
    ids = services.directory.customer_ids(str(args.get("User") or ""))
    if isinstance(ids, Unavailable):
        return Said(UNAVAILABLE, ids.reason)
    return Said(list(ids))


def _customer_id_list(services: Services, args: Json) -> Said:
    valid_only = args.get("Valid") is None or bool(args["Valid"])
    term = str(args.get("SearchTerm") or "")
    ids = services.directory.customer_id_list(term, valid_only=valid_only)
    if isinstance(ids, Unavailable):
        return Said(UNAVAILABLE, ids.reason)
    return Said(meaning("CustomerIDList", ids))


def _member_list(services: Services, args: Json) -> Said:
    assignments = services.directory.assignments
    if assignments is None:
        return Said(UNAVAILABLE, "there is nothing to read assignments from")
    if args.get("CustomerUserID"):
        return Said(list(assignments.customers_of(str(args["CustomerUserID"]))))
    if args.get("CustomerID"):
        return Said(list(assignments.customer_users_of(str(args["CustomerID"]))))
    return Said([])


_ASKED: Mapping[str, Callable[[Services, Json], Said]] = {
    "CustomerUserDataGet": _customer_user_data_get,
    "CustomerName": _customer_name,
    "CustomerSourceList": _customer_source_list,
    "CustomerIDs": _customer_ids,
    "CustomerIDList": _customer_id_list,
    "CustomerSearch": directory_searches.customer_search,
    "CustomerSearchDetail": directory_searches.customer_search_detail,
    "CustomerUserCustomerMemberList": _member_list,
}
