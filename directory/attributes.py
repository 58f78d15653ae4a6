"""Which keys does a found customer user carry? Those of OTOBO's ``CustomerUserDataGet``.

From the weakest to the strongest (observed 42 to 47): the company's, defaults of preferences that
are not set, the Map's with the stamps, UserID and UserMailString, preferences, UserFullname,
dynamic fields of the customer user, Source. Only what the wanted variables need is read, each kind
in one statement for all customer users.
"""

from collections.abc import Collection, Mapping
from functools import partial
from typing import NamedTuple

from directory.companions import Companions
from directory.database import DatabaseFault
from directory.model import AttributeValue, CustomerUser, Unavailable
from directory.names import FULL_NAME, MAIL_STRING, full_name, mail_string
from directory.readers import COMPANIES, DYNAMIC_FIELDS, PREFERENCES
from directory.sql import PASSWORD
from directory.supplier import Supplier
from directory.watch import Watch

CUSTOMER_ID = "UserCustomerID"
"""The variable that holds the id of a customer user's company."""


class Person(NamedTuple):
    """A customer user, and the source that supplied them."""

    supplier: Supplier
    customer_user: CustomerUser


def complete(
    people: Mapping[str, Person],
    companions: Companions,
    variables: Collection[str] | None,
    watch: Watch | None = None,
) -> Mapping[str, CustomerUser | Unavailable]:
    """Add all keys that ``variables`` needs to what the sources supplied.

    Args:
        people: by login as given.
        companions: what reads preferences, companies and dynamic fields.
        variables: the wanted keys; None for all.
        watch: knows which readers are not to be asked, and notes how the others answer.

    Returns:
        For each login the customer user, or ``Unavailable`` under the slot of their source if
        something wanted about them could not be read.
    """
    if variables is not None and not variables:
        return {login: person.customer_user for login, person in people.items()}
    watch = watch or Watch()
    failed: dict[str, Unavailable] = {}
    fields = _dynamic_fields(people, companions, variables, failed, watch)
    preferences = _preferences(people, companions, failed, watch)
    defaults = companions.preferences.config.defaults if companions.preferences else {}
    merged = {
        login: merge(
            person,
            variables,
            preferences=preferences.get(person.customer_user.login, {}),
            defaults=defaults,
            fields=fields.get(login, {}),
        )
        for login, person in people.items()
        if login not in failed
    }
    _add_companies(merged, people, companions, variables, failed, watch)
    done: dict[str, CustomerUser | Unavailable] = {**failed}
    for login, attributes in merged.items():
        if login not in failed:
            user = people[login].customer_user
            done[login] = CustomerUser(user.slot, user.login, attributes, user.by_storage)
    return done


def merge(
    person: Person,
    variables: Collection[str] | None,
    *,
    preferences: Mapping[str, str | None],
    defaults: Mapping[str, str],
    fields: Mapping[str, AttributeValue],
) -> dict[str, AttributeValue]:
    """All of a customer user's attributes but the company's.

    Args:
        person: the customer user as the source supplied them.
        variables: the wanted keys; None for all.
        preferences: by key; None takes a variable of that name away.
        defaults: values of preferences that are not set.
        fields: dynamic fields of the customer user, by variable.
    """
    supplier, user = person.supplier, person.customer_user
    merged = {**defaults, **user.attributes, "UserID": user.login}
    if (variables is None or MAIL_STRING in variables) and (
        mail := mail_string(supplier.naming, supplier.single_values(user.attributes))
    ):
        merged[MAIL_STRING] = mail
    for key, value in preferences.items():
        if value is not None:
            merged[key] = value
        elif key in defaults:
            merged[key] = defaults[key]
        else:
            merged.pop(key, None)
    merged |= fields
    merged["Source"] = supplier.source_name
    if variables is None or FULL_NAME in variables:
        # Of the source's own values: a preference named like one of them changes no name.
        values = {**supplier.single_values(user.attributes), **fields}
        if name := full_name(supplier.naming, values, supplier.single_values(user.by_storage)):
            merged[FULL_NAME] = name
    merged.pop(PASSWORD, None)
    return merged


def _dynamic_fields(
    people: Mapping[str, Person],
    companions: Companions,
    variables: Collection[str] | None,
    failed: dict[str, Unavailable],
    watch: Watch,
) -> Mapping[str, Mapping[str, AttributeValue]]:
    """Dynamic fields by login as given and by variable."""
    wanted = {
        login: names
        for login, person in people.items()
        if person.supplier.fields and (names := person.supplier.wanted_fields(variables))
    }
    if companions.dynamic_fields is None or not wanted:
        return {}
    logins = [people[login].customer_user.login for login in wanted]
    fields = {name for names in wanted.values() for name in names.values()}
    ask = partial(companions.dynamic_fields.read, logins, fields)
    try:
        values = watch.reader(DYNAMIC_FIELDS, ask)
    except DatabaseFault as fault:
        failed |= _unavailable(people, wanted, "dynamic fields of customer users", fault)
        return {}
    return {
        login: {
            variable: value
            for variable, name in names.items()
            if (value := values.get(people[login].customer_user.login, {}).get(name)) is not None
        }
        for login, names in wanted.items()
    }


def _preferences(
    people: Mapping[str, Person],
    companions: Companions,
    failed: dict[str, Unavailable],
    watch: Watch,
) -> Mapping[str, Mapping[str, str | None]]:
    """Preferences by the directory's login. They can replace any variable (observed 43)."""
    if companions.preferences is None or not people:
        return {}
    logins = [person.customer_user.login for person in people.values()]
    try:
        return watch.reader(PREFERENCES, partial(companions.preferences.read, logins))
    except DatabaseFault as fault:
        failed |= _unavailable(people, people, "customer user preferences", fault)
        return {}


def _add_companies(  # noqa: PLR0913, PLR0917 - what _dynamic_fields takes, and what to add to
    merged: dict[str, dict[str, AttributeValue]],
    people: Mapping[str, Person],
    companions: Companions,
    variables: Collection[str] | None,
    failed: dict[str, Unavailable],
    watch: Watch,
) -> None:
    """Add what is wanted of their customers, where nothing stronger has the same key."""
    if companions.companies is None:
        return
    known = companions.companies.variables
    suppliers = {person.supplier.slot: person.supplier for person in people.values()}
    wanting = {
        slot for slot, supplier in suppliers.items() if supplier.wants_companies(known, variables)
    }
    ids: dict[str, str] = {}
    for login, attributes in merged.items():
        supplier = people[login].supplier
        if supplier.slot in wanting:
            customer_id = supplier.single_value(attributes.get(CUSTOMER_ID))
            if isinstance(customer_id, str):
                ids[login] = customer_id
    if not ids:
        return
    try:
        companies = watch.reader(COMPANIES, partial(companions.companies.read, ids.values()))
    except DatabaseFault as fault:
        failed |= _unavailable(people, ids, "the customer (company)", fault)
        return
    for login, customer_id in ids.items():
        hidden = people[login].supplier.supplied
        attributes = merged[login]
        for name, value in companies.get(customer_id, {}).items():
            if name not in hidden:
                attributes.setdefault(name, value)


def _unavailable(
    people: Mapping[str, Person], logins: Collection[str], what: str, fault: DatabaseFault
) -> Mapping[str, Unavailable]:
    return {
        login: Unavailable(people[login].supplier.slot, f"{what} could not be read: {fault.reason}")
        for login in logins
    }
