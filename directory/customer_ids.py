"""Which customers does a customer user belong to? OTOBO's ``CustomerIDs``, in its order.

The ids of the variable UserCustomerIDs, then the primary id, then the customers that the customer
user is assigned to and that are not named yet (observed rule 57).
"""

import re
from collections.abc import Iterable

from directory.attributes import CUSTOMER_ID
from directory.config import SourceConfig
from directory.model import Attributes, AttributeValue

FURTHER_IDS = "UserCustomerIDs"
"""The variable that holds further customer ids in one text."""

SEPARATORS = (";", ",", "|")


def customer_ids(
    config: SourceConfig | None, attributes: Attributes, assigned: Iterable[str]
) -> tuple[str, ...]:
    """The customer ids of one customer user; an id can come twice, as in OTOBO.

    Args:
        config: the source that knows the customer user; None if no source does.
        attributes: the customer user's attributes.
        assigned: ids that the ticket system assigns to the login.
    """
    ids: list[str] = []
    if config is not None:
        ids += split(first_text(attributes.get(FURTHER_IDS)))
        primary = first_text(attributes.get(CUSTOMER_ID))
        if primary and not config.customer_user_exclude_primary_customer_id:
            ids.append(primary)
    return (*ids, *(id_ for id_ in assigned if id_ not in ids))


def split(text: str) -> list[str]:
    """Ids at the first kind of separator that occurs, without blanks around them.

    Empty ids stay where separators follow one another; those at the end are dropped, as Perl does.
    """
    separator = next((mark for mark in SEPARATORS if mark in text), None)
    if separator is None:
        return [text.strip()] if text else []
    ids = [part.strip() for part in re.split(re.escape(separator), text)]
    while ids and not ids[-1]:
        ids.pop()
    return ids


def first_text(value: AttributeValue | None) -> str:
    """The text of a value, of several the first; empty if there is none."""
    if isinstance(value, tuple):
        value = value[0] if value else ""
    return value if isinstance(value, str) else ""
