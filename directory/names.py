"""What is a customer user called? ``UserMailString`` and ``UserFullname`` say it.

They are put together as OTOBO does (observed 45, 46), from the values of one source (D19).
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass

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
    text = " ".join(_texts(attributes.get(variable) for variable in naming.listed))
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
