"""Which keys does a found customer user carry? Those of OTOBO's ``CustomerUserDataGet``.

From the weakest to the strongest (observed 42 to 47): the company's, defaults of preferences that
are not set, the Map's with the stamps, UserID and UserMailString, preferences, UserFullname,
dynamic fields of the customer user, Source. Only what the wanted variables need is read, each kind
in one statement for all customer users.
"""

import dataclasses
from collections.abc import Collection, Mapping
from dataclasses import dataclass

from directory.companions import Companions
from directory.config import LdapSourceConfig, SourceConfig, SqlSourceConfig
from directory.database import DatabaseFault
from directory.model import Attributes, AttributeValue, CustomerUser, Unavailable
from directory.names import full_name, mail_string
from directory.sql import PASSWORD, STAMPS

CUSTOMER_ID = "UserCustomerID"
"""The variable that holds the id of a customer user's company."""


@dataclass(frozen=True, slots=True)
class Person:
    """A customer user, and the settings of the source that supplied them."""

    config: SourceConfig
    customer_user: CustomerUser


def complete(
    people: Mapping[str, Person], companions: Companions, variables: Collection[str] | None
) -> Mapping[str, CustomerUser | Unavailable]:
    """Add all keys that ``variables`` needs to what the sources supplied.

    Args:
        people: by login as given.
        companions: what reads preferences, companies and dynamic fields.
        variables: the wanted keys; None for all.

    Returns:
        For each login the customer user, or ``Unavailable`` under the slot of their source if
        something wanted about them could not be read.
    """
    if variables is not None and not variables:
        return {login: person.customer_user for login, person in people.items()}
    done: dict[str, CustomerUser | Unavailable] = {}
    fields = _dynamic_fields(people, companions, variables, done)
    preferences = _preferences(people, companions, done)
    defaults = companions.preferences.config.defaults if companions.preferences else {}
    merged: dict[str, Person] = {}
    for login, person in people.items():
        if login not in done:
            user = person.customer_user
            attributes = merge(
                person,
                preferences=preferences.get(user.login, {}),
                defaults=defaults,
                fields=fields.get(login, {}),
            )
            merged[login] = Person(person.config, dataclasses.replace(user, attributes=attributes))
    return {**done, **_with_companies(merged, companions, variables)}


def merge(
    person: Person,
    *,
    preferences: Mapping[str, str | None],
    defaults: Mapping[str, str],
    fields: Mapping[str, AttributeValue],
) -> Attributes:
    """All of a customer user's attributes but the company's.

    Args:
        person: the customer user as the source supplied them.
        preferences: by key; None takes a variable of that name away.
        defaults: values of preferences that are not set.
        fields: dynamic fields of the customer user, by variable.
    """
    config, user = person.config, person.customer_user
    single = _single_values(config, user.attributes)
    own = {**user.attributes, "UserID": user.login}
    if mail := mail_string(config, single):
        own["UserMailString"] = mail
    merged = {
        **defaults,
        **{key: value for key, value in own.items() if key not in preferences},
        **{key: value for key, value in preferences.items() if value is not None},
        **fields,
        "Source": config.source_name,
    }
    # Of the source's own values: a preference named like one of them changes no name.
    by_storage = _single_values(config, user.by_storage)
    if name := full_name(config, {**single, **fields}, by_storage):
        merged["UserFullname"] = name
    merged.pop(PASSWORD, None)
    return merged


def _single_values(config: SourceConfig, values: Attributes) -> Attributes:
    """What stands for one value: the first of an LDAP attribute's (observed 32, D7)."""
    if not isinstance(config, LdapSourceConfig):
        return values
    return {name: value[0] if isinstance(value, tuple) else value for name, value in values.items()}


def supplied(config: SourceConfig) -> frozenset[str]:
    """The variables that a source answers for, also by a NULL: they hide the company's."""
    stamps = STAMPS if isinstance(config, SqlSourceConfig) and not config.foreign_db else ()
    return frozenset({entry.variable for entry in config.map} | set(stamps))


def wanted_fields(config: SourceConfig, variables: Collection[str] | None) -> Mapping[str, str]:
    """Names of the customer user's dynamic fields that are wanted, by variable."""
    fullname = variables is not None and "UserFullname" in variables
    return {
        entry.variable: entry.storage
        for entry in config.map
        if entry.storage_type == "dynamic_field"
        and (
            variables is None
            or entry.variable in variables
            or (fullname and entry.storage in config.name_fields)
        )
    }


def _dynamic_fields(
    people: Mapping[str, Person],
    companions: Companions,
    variables: Collection[str] | None,
    done: dict[str, CustomerUser | Unavailable],
) -> Mapping[str, Mapping[str, AttributeValue]]:
    """Dynamic fields by login as given and by variable."""
    wanted = {login: wanted_fields(person.config, variables) for login, person in people.items()}
    wanted = {login: names for login, names in wanted.items() if names}
    if companions.dynamic_fields is None or not wanted:
        return {}
    try:
        values = companions.dynamic_fields.read(
            [people[login].customer_user.login for login in wanted],
            {name for names in wanted.values() for name in names.values()},
        )
    except DatabaseFault as fault:
        done |= _unavailable(people, wanted, "dynamic fields of customer users", fault)
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
    done: dict[str, CustomerUser | Unavailable],
) -> Mapping[str, Mapping[str, str | None]]:
    """Preferences by the directory's login. They can replace any variable (observed 43)."""
    if companions.preferences is None or not people:
        return {}
    try:
        return companions.preferences.read(person.customer_user.login for person in people.values())
    except DatabaseFault as fault:
        done |= _unavailable(people, people, "customer user preferences", fault)
        return {}


def _with_companies(
    people: Mapping[str, Person], companions: Companions, variables: Collection[str] | None
) -> Mapping[str, CustomerUser | Unavailable]:
    done: dict[str, CustomerUser | Unavailable] = {
        login: person.customer_user for login, person in people.items()
    }
    if companions.companies is None:
        return done
    ids: dict[str, str] = {}
    for login, person in people.items():
        shown = companions.companies.variables - supplied(person.config)
        if variables is not None:
            shown &= frozenset(variables)
        user = _single_values(person.config, person.customer_user.attributes)
        customer_id = user.get(CUSTOMER_ID)
        if person.config.customer_company_support and shown and isinstance(customer_id, str):
            ids[login] = customer_id
    if not ids:
        return done
    try:
        companies = companions.companies.read(ids.values())
    except DatabaseFault as fault:
        return {**done, **_unavailable(people, ids, "the customer (company)", fault)}
    for login, customer_id in ids.items():
        person = people[login]
        hidden = supplied(person.config)
        company = companies.get(customer_id, {})
        added = {name: value for name, value in company.items() if name not in hidden}
        attributes = {**added, **person.customer_user.attributes}
        done[login] = dataclasses.replace(person.customer_user, attributes=attributes)
    return done


def _unavailable(
    people: Mapping[str, Person], logins: Collection[str], what: str, fault: DatabaseFault
) -> Mapping[str, Unavailable]:
    return {
        login: Unavailable(people[login].config.slot, f"{what} could not be read: {fault.reason}")
        for login in logins
    }
