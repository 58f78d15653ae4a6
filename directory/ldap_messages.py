"""What is asked of an LDAP server, and what it answers: values, and RFC 4511's result codes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

SUCCESS = 0
OPERATIONS_ERROR = 1
PROTOCOL_ERROR = 2
SIZE_LIMIT_EXCEEDED = 4
REFERRAL = 10
ADMIN_LIMIT_EXCEEDED = 11
INAPPROPRIATE_MATCHING = 18
INVALID_ATTRIBUTE_SYNTAX = 21
NO_SUCH_OBJECT = 32
INVALID_DN_SYNTAX = 34
BUSY = 51
UNAVAILABLE = 52
UNWILLING_TO_PERFORM = 53
OTHER = 80

LOST = frozenset({OPERATIONS_ERROR, PROTOCOL_ERROR, BUSY, UNAVAILABLE, UNWILLING_TO_PERFORM, OTHER})
"""Results after which the connection is not kept: the server, or its memory of our bind, is ill."""


@dataclass(frozen=True, slots=True)
class Search:
    """What is asked of a server.

    Attributes:
        attributes: never empty: an empty list asks for all.
        size_limit: entries after which the server may stop; 0 for no limit of ours.
    """

    base: str
    scope: str
    filter: str
    attributes: tuple[str, ...]
    size_limit: int = 0


@dataclass(frozen=True, slots=True)
class Entry:
    """What a server says of one entry: octets in its order, under lower-case attribute names."""

    attributes: Mapping[str, Sequence[bytes]]


@dataclass(frozen=True, slots=True)
class Reply:
    """How a search ended.

    Attributes:
        code: the result code of RFC 4511.
        name: its name there, e.g. ``noSuchObject``.
        entries: what came before the end, in the server's order.
        references: places that hold more, each with its interchangeable URIs.
    """

    code: int
    name: str
    entries: tuple[Entry, ...]
    references: tuple[tuple[str, ...], ...] = ()
