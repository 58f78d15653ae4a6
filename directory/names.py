"""What is a customer user called? ``UserMailString`` and ``UserFullname`` say it.

They are put together as OTOBO does (observed 45, 46), from the values of one source (D19).
"""

import re
from collections.abc import Callable, Iterable

from directory.config import LdapSourceConfig, SourceConfig
from directory.model import Attributes, AttributeValue

_NAME_AND_ADDRESS = re.compile(r"(.*)\s(.+?@.+?\..+?)\s?")


def mail_string(config: SourceConfig, attributes: Attributes) -> str:
    """``"Jane Doe" <jane@example.org>``: the list fields that the Map has, the address last.

    Without a name or without an address it stays as it is. Dynamic fields do not count.

    Args:
        config: says which columns are the list fields.
        attributes: the attributes of the Map, before preferences replace any of them.
    """
    variable = _variables(config, dynamic_fields=False)
    text = " ".join(_texts(attributes.get(variable(name)) for name in config.list_fields))
    match = _NAME_AND_ADDRESS.fullmatch(text)
    return f'"{match[1]}" <{match[2]}>' if match else text


def full_name(config: SourceConfig, attributes: Attributes, by_storage: Attributes) -> str:
    """The name fields that are not empty, joined.

    Args:
        config: says which columns are the name fields, and what joins them.
        attributes: the attributes of the Map, with dynamic fields, before preferences replace
            any of them.
        by_storage: what the source read for names (``CustomerUser.by_storage``); it goes first.
    """
    variable = _variables(config, dynamic_fields=True)
    values = (by_storage.get(name, attributes.get(variable(name))) for name in config.name_fields)
    return config.customer_user_name_fields_join.join(_texts(values))


def _variables(config: SourceConfig, *, dynamic_fields: bool) -> Callable[[str], str]:
    """Which variable shows a column or attribute; the empty name where none does."""
    # LDAP's attribute names have no case: the default givenname is the Map's givenName.
    spelling = str.lower if isinstance(config, LdapSourceConfig) else str
    variables = {
        spelling(entry.storage): entry.variable
        for entry in config.map
        if dynamic_fields or entry.storage_type != "dynamic_field"
    }
    return lambda name: variables.get(spelling(name), "")


def _texts(values: Iterable[AttributeValue | None]) -> list[str]:
    """The values as text, the items of a list joined with a blank; nothing for bytes."""
    texts = (" ".join(value) if isinstance(value, tuple) else value for value in values)
    return [text for text in texts if isinstance(text, str) and text]
