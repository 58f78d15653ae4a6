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

RESULT_NAMES: Mapping[int, str] = {
    SUCCESS: "success",
    OPERATIONS_ERROR: "operationsError",
    PROTOCOL_ERROR: "protocolError",
    3: "timeLimitExceeded",
    SIZE_LIMIT_EXCEEDED: "sizeLimitExceeded",
    5: "compareFalse",
    6: "compareTrue",
    7: "authMethodNotSupported",
    8: "strongerAuthRequired",
    REFERRAL: "referral",
    ADMIN_LIMIT_EXCEEDED: "adminLimitExceeded",
    12: "unavailableCriticalExtension",
    13: "confidentialityRequired",
    14: "saslBindInProgress",
    16: "noSuchAttribute",
    17: "undefinedAttributeType",
    INAPPROPRIATE_MATCHING: "inappropriateMatching",
    19: "constraintViolation",
    20: "attributeOrValueExists",
    INVALID_ATTRIBUTE_SYNTAX: "invalidAttributeSyntax",
    NO_SUCH_OBJECT: "noSuchObject",
    33: "aliasProblem",
    INVALID_DN_SYNTAX: "invalidDNSyntax",
    36: "aliasDereferencingProblem",
    48: "inappropriateAuthentication",
    49: "invalidCredentials",
    50: "insufficientAccessRights",
    BUSY: "busy",
    UNAVAILABLE: "unavailable",
    UNWILLING_TO_PERFORM: "unwillingToPerform",
    54: "loopDetected",
    64: "namingViolation",
    65: "objectClassViolation",
    66: "notAllowedOnNonLeaf",
    67: "notAllowedOnRDN",
    68: "entryAlreadyExists",
    69: "objectClassModsProhibited",
    71: "affectsMultipleDSAs",
    OTHER: "other",
}
"""The names of RFC 4511 for its result codes."""

LOST = frozenset({OPERATIONS_ERROR, PROTOCOL_ERROR, BUSY, UNAVAILABLE, UNWILLING_TO_PERFORM, OTHER})
"""Results after which the connection is not kept: the server, or its memory of our bind, is ill."""


@dataclass(frozen=True, slots=True)
class Page:
    """A part of an answer (RFC 2696).

    Attributes:
        size: most entries of it.
        cookie: the server's mark of where it begins; empty for the first.
    """

    size: int
    cookie: bytes = b""


@dataclass(frozen=True, slots=True)
class Search:
    """What is asked of a server.

    Attributes:
        filter: as ``directory.ldap_ber`` writes it.
        attributes: never empty: an empty list asks for all.
        size_limit: entries after which the server may stop; 0 for no limit of ours.
        page: the part that is wanted; None for all at once.
    """

    base: str
    scope: str
    filter: bytes
    attributes: tuple[str, ...]
    size_limit: int = 0
    page: Page | None = None


@dataclass(frozen=True, slots=True)
class Entry:
    """What a server says of one entry.

    Attributes:
        attributes: octets in the server's order, under lower-case attribute names.
        dn: the entry's distinguished name.
    """

    attributes: Mapping[str, Sequence[bytes]]
    dn: str = ""


@dataclass(frozen=True, slots=True)
class Reply:
    """How a search ended.

    Attributes:
        code: the result code of RFC 4511.
        name: its name there, e.g. ``noSuchObject``.
        entries: what came before the end, in the server's order.
        references: places that hold more, each with its interchangeable URIs.
        cookie: where the next page begins; empty if there is none.
    """

    code: int
    name: str
    entries: tuple[Entry, ...]
    references: tuple[tuple[str, ...], ...] = ()
    cookie: bytes = b""
