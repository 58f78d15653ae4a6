"""What the directory answers: a customer user, or one of the two ways of not having one.

*Absent* and *unavailable* are never confused here, because the first empties ticket fields and
the second must not touch them. All are made anew for each login, so they are NamedTuples: a frozen
dataclass takes three times as long to make.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple, TypeAlias

AttributeValue: TypeAlias = str | tuple[str, ...] | bytes
"""One attribute: a text, several texts (in the source's order), or bytes that are not text."""

Attributes: TypeAlias = Mapping[str, AttributeValue]
"""Attribute values by variable name (``UserFirstname``); a variable without a value is missing."""

_NOTHING: Attributes = MappingProxyType({})

SLOTS: tuple[str, ...] = ("", *(str(number) for number in range(1, 11)))
"""The eleven slots in the order in which they are asked (OTOBO's CustomerUser, CustomerUser1 …)."""


def source_name(slot: str) -> str:
    """The name of a slot's source as OTOBO writes it in the key ``Source``: ``CustomerUser3``."""
    return f"CustomerUser{slot}"


class CustomerUser(NamedTuple):
    """A customer user as one source knows them.

    Attributes:
        slot: the slot of the source that supplied everything: ``""``, ``"1"`` … ``"10"``.
        login: the login as the directory spells it, which may differ from the ticket's spelling.
        attributes: all values by variable name. They are personal data, so no repr shows them.
        by_storage: the values that UserFullname is made from, by column name, where a source
            can read them although no variable carries them (observed keys-11); may be empty.
    """

    slot: str
    login: str
    attributes: Attributes
    by_storage: Attributes = _NOTHING

    def __repr__(self) -> str:
        return f"CustomerUser(slot={self.slot!r}, login={self.login!r})"


class Found(NamedTuple):
    """A source knows the login.

    Attributes:
        customer_user: the person.
        cached: the answer came from the cache, not from the source.
        stale: why the source did not answer, where this is what it said some time before; empty
            where the answer is current. What a stale answer lacks must not empty a field.
    """

    customer_user: CustomerUser
    cached: bool = False
    stale: str = ""


class Absent(NamedTuple):
    """Every source that could know the login was asked, and each said no.

    Attributes:
        reason: why a login cannot exist in a source (text against an integer key), else empty.
        cached: at least one of the answers came from the cache. Such an answer is asked anew
            before it empties a field (deviation D26).
    """

    reason: str = ""
    cached: bool = False


class Unavailable(NamedTuple):
    """A source that could know the login did not answer; nothing may be concluded.

    Attributes:
        slot: the slot of the source that did not answer.
        reason: error class and message without secrets and without attribute values.
    """

    slot: str
    reason: str


Answer: TypeAlias = Found | Absent | Unavailable
