"""Who are the customer users, and what must a ticket of theirs show?

A login tells everything: ``values(login)`` gives the value of each mapped field, empty where the
customer user has none. A login that begins with ``nobody`` is in no source. So nothing needs to
be looked up to know what a field must be at rest, and a value tells whose it is.

``fill_sql`` and ``fill_ldap`` put the same people into a source; ``sql_source`` and
``ldap_source`` are its settings.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import Engine, insert

from tests.otobo import LONG_AGO
from tests.servers import SlapdServer
from worker.tickets import schema

MAPPING: Mapping[str, str] = {
    "UserFirstname": "CustomerFirstname",
    "UserLastname": "CustomerLastname",
    "UserPhone": "CustomerPhone",
    "UserCity": "CustomerCity",
}
"""The mapped fields, by variable."""

FIELDS: Sequence[str] = tuple(MAPPING.values())

OWNED = "CustomerPhone"
"""The field that the screen for phone tickets has, and so owns at their creation."""

PHONE_SCREEN = "AgentTicketPhone"
SCREENS: Mapping[str, Mapping[str, int]] = {PHONE_SCREEN: {OWNED: 1}}

ABSENT = "nobody"

NOTHING: Mapping[str, str] = dict.fromkeys(FIELDS, "")

_COLUMNS = ("first_name", "last_name", "phone", "city")
_ATTRIBUTES = ("givenName", "sn", "telephoneNumber", "l")


def logins(count: int, word: str = "user") -> list[str]:
    """``user0``, ``user1``, …; the word tells sources apart."""
    return [f"{word}{number}" for number in range(count)]


def values(login: str | None) -> Mapping[str, str]:
    """What each mapped field of a ticket of this customer user must hold; empty for nothing."""
    if not login or login.startswith(ABSENT):
        return NOTHING
    # Some have no phone, so that a change of the customer user also empties a field.
    phone = "" if login.endswith("7") else f"+49 {login}"
    texts = (f"First {login}", f"Last {login}", phone, f"City {login}")
    return dict(zip(FIELDS, texts, strict=True))


def fill_sql(engine: Engine, people: Iterable[str]) -> None:
    """Put people into the table ``customer_user``."""
    stamps = {"create_time": LONG_AGO, "create_by": 1, "change_time": LONG_AGO, "change_by": 1}
    rows = [
        {
            "login": login,
            "email": f"{login}@example.com",
            "customer_id": "ACME",
            "valid_id": 1,
            **dict(zip(_COLUMNS, values(login).values(), strict=True)),
            **stamps,
        }
        for login in people
    ]
    with engine.begin() as connection:
        connection.execute(insert(schema.customer_user), rows)


def sql_source(**more: Any) -> dict[str, Any]:
    """The table ``customer_user``, of the ticket database unless ``url`` names another one."""
    return {
        "kind": "sql",
        "table": "customer_user",
        "customer_key": "login",
        "customer_id": "customer_id",
        "customer_valid": "valid_id",
        "case_sensitive": True,
        "map": {"UserLogin": "login", **dict(zip(MAPPING, _COLUMNS, strict=True))},
        **more,
    }


def fill_ldap(slapd: SlapdServer, people: Iterable[str], unit: str = "people") -> None:
    """Put people into a unit of the LDAP server; it is stopped and started again for that."""
    slapd.load("\n".join(_entry(slapd.base_dn, unit, login) for login in people))


def ldap_source(slapd: SlapdServer, unit: str = "people", **more: Any) -> dict[str, Any]:
    """One unit of the LDAP server."""
    return {
        "kind": "ldap",
        "host": slapd.uri,
        "base_dn": f"ou={unit},{slapd.base_dn}",
        "customer_key": "uid",
        "customer_id": "o",
        "map": {"UserLogin": "uid", **dict(zip(MAPPING, _ATTRIBUTES, strict=True))},
        **more,
    }


def _entry(base_dn: str, unit: str, login: str) -> str:
    given = zip(_ATTRIBUTES, values(login).values(), strict=True)
    attributes = "\n".join(f"{name}: {value}" for name, value in given if value)
    return (
        f"dn: uid={login},ou={unit},{base_dn}\nobjectClass: inetOrgPerson\nuid: {login}\n"
        f"cn: {login}\no: ACME\n{attributes}\n"
    )
