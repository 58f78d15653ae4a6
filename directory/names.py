"""What is a customer user called? ``UserMailString`` and ``UserFullname`` say it.

They are put together as OTOBO does (observed 45, 46), from the values of one source (D19).
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from operator import itemgetter

from directory.config import LdapSourceConfig, SourceConfig
from directory.model import Attributes, AttributeValue

MAIL_STRING = "UserMailString"
FULL_NAME = "UserFullname"

_NAME_AND_ADDRESS = re.compile(r"(.*)\s(.+?@.+?\..+?)\s?")


@dataclass(frozen=True, slots=True)
class Naming:
    """How the customer users of one source are named, read out of its settings once.

    Attributes:
        listed: the variables of the list fields; the address stands last. Dynamic fields do not
            count.
        name: the name fields, each as column (or LDAP attribute) and variable. The variable is
            empty where the Map has none.
        join: what joins the parts of a name.
    """

    listed: tuple[str, ...]
    name: tuple[tuple[str, str], ...]
    join: str

    @classmethod
    def of(cls, config: SourceConfig) -> "Naming":
        """The naming that a source's settings ask for."""
        # LDAP's attribute names have no case: the default givenname is the Map's givenName.
        spelling = str.lower if isinstance(config, LdapSourceConfig) else str
        variables = {spelling(entry.storage): entry.variable for entry in config.map}
        columns = {
            spelling(entry.storage): entry.variable
            for entry in config.map
            if entry.storage_type != "dynamic_field"
        }
        return cls(
            tuple(columns.get(spelling(field), "") for field in config.list_fields),
            tuple((field, variables.get(spelling(field), "")) for field in config.name_fields),
            config.customer_user_name_fields_join,
        )


def mail_string(naming: Naming, attributes: Attributes) -> str:
    """``"Jane Doe" <jane@example.org>``: the list fields that the Map has, the address last.

    Without a name or without an address it stays as it is.

    Args:
        naming: says which variables are the list fields.
        attributes: the attributes of the Map, before preferences replace any of them.
    """
    return _addressed(" ".join(_texts(attributes.get(variable) for variable in naming.listed)))


def listed_fields(config: SourceConfig) -> tuple[tuple[str, str], ...]:
    """The list fields of a source, each as column (or LDAP attribute) and variable.

    The variable is empty where the Map has none: lists show such a field all the same. The default
    fields count only where the Map has them: a foreign table may lack them.
    """
    naming = Naming.of(config)
    named = config.customer_user_list_fields is not None or isinstance(config, LdapSourceConfig)
    hidden = {
        entry.storage
        for entry in config.map
        if entry.storage_type == "dynamic_field" or entry.variable == "UserPassword"
    }
    return tuple(
        (field, variable)
        for field, variable in zip(config.list_fields, naming.listed, strict=True)
        if (variable or named) and field not in hidden
    )


def listed_strings(
    fields: Sequence[tuple[str, str]], people: Iterable[tuple[Attributes, Attributes]]
) -> list[str]:
    """How customer users stand in lists: the list fields, mapped or not, the address last.

    Args:
        fields: see ``listed_fields``.
        people: of each the attributes of the Map, and what the source read beside them, which goes
            first.
    """
    names = [name for _, name in fields]
    mapped = itemgetter(*names) if len(names) > 1 else None
    told = []
    for attributes, by_storage in people:
        text = ""
        if mapped and not by_storage:
            try:
                values = mapped(attributes)
                text = "" if "" in values else " ".join(values)  # nearly always, and lists are long
            except (KeyError, TypeError):
                pass  # one is missing, or no text
        if not text:
            found = (by_storage.get(field) or attributes.get(name) for field, name in fields)
            text = " ".join(_texts(found))
        told.append(_addressed(text))
    return told


def _addressed(text: str) -> str:
    if "@" not in text:
        return text
    name, blank, address = text.rpartition(" ")
    if blank and text.isprintable():
        # Nearly always, and lists are long: no blank of another kind is in it.
        person, _, domain = address.partition("@")
        if person and "." in domain[1:-1]:
            return f'"{name}" <{address}>'
    match = _NAME_AND_ADDRESS.fullmatch(text)
    return f'"{match[1]}" <{match[2]}>' if match else text


def full_name(naming: Naming, attributes: Attributes, by_storage: Attributes) -> str:
    """The name fields that are not empty, joined.

    Args:
        naming: says which columns are the name fields, and what joins them.
        attributes: the attributes of the Map, with dynamic fields, before preferences replace
            any of them.
        by_storage: what the source read for names (``CustomerUser.by_storage``); it goes first.
    """
    return naming.join.join(
        _texts(by_storage.get(field, attributes.get(variable)) for field, variable in naming.name)
    )


def _texts(values: Iterable[AttributeValue | None]) -> list[str]:
    """The values as text, the items of a list joined with a blank; nothing for bytes."""
    texts = (" ".join(value) if isinstance(value, tuple) else value for value in values)
    return [text for text in texts if isinstance(text, str) and text]
