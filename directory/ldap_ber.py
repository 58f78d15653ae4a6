"""How are searches and their answers written? In RFC 4511's BER, as far as a search needs it.

ldap3 reads and writes all of LDAP, in ten times the time: a lookup of 200 customer users is 200
alternatives in a filter and some thousand values in the answer. What comes from a server is trusted
in nothing: whatever is not written as it must be is ``Malformed``, and never a shorter answer.
"""

from collections.abc import Iterator, Sequence
from typing import Final, TypeAlias

from directory.ldap_messages import REFERRAL, RESULT_NAMES, Entry, Reply, Search

INTEGER: Final = 0x02
OCTETS: Final = 0x04
ENUMERATED: Final = 0x0A
SEQUENCE: Final = 0x30
SET: Final = 0x31

SEARCH_REQUEST: Final = 0x63
SEARCH_ENTRY: Final = 0x64
SEARCH_DONE: Final = 0x65
SEARCH_REFERENCE: Final = 0x73
INTERMEDIATE: Final = 0x79

ALL_OF: Final = 0xA0
ANY_OF: Final = 0xA1
EQUALITY: Final = 0xA3
PRESENT: Final = 0x87

REFERRED_TO: Final = 0xA3
UNSOLICITED: Final = 0
"""The message number of what a server says without being asked: that it hangs up."""

SCOPES: Final = {"base": 0, "one": 1, "sub": 2}
FINDING_BASE: Final = 2
"""Aliases are followed to the base, and not below it: Net::LDAP's default."""

LONGEST_LENGTH: Final = 4
"""Octets of a length: no answer has more than 4 GiB."""

NO_LDAP: Final = "an answer that is no LDAP"
NOT_WRITTEN_SO: Final = "an answer that is not written as LDAP is"

Span: TypeAlias = tuple[int, int]
"""Where the content of an element begins, and where it ends."""


class Malformed(ValueError):
    """What came is no answer to a search; the message quotes nothing of it."""


class SessionEnded(Exception):
    """The server says that it ends the session."""


# --- what is sent ---


def element(tag: int, content: bytes) -> bytes:
    """One element: its tag, its length, its content."""
    size = len(content)
    if size < 0x80:  # noqa: PLR2004 - longer ones say first how long their length is
        return bytes((tag, size)) + content
    length = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes((tag, 0x80 | len(length))) + length + content


def equals(attribute: str, value: bytes) -> bytes:
    """The filter for entries that have a value, as the attribute's matching rule compares it."""
    return element(EQUALITY, element(OCTETS, attribute.encode()) + element(OCTETS, value))


def present(attribute: str) -> bytes:
    """The filter for entries that have an attribute."""
    return element(PRESENT, attribute.encode())


def any_of(filters: Sequence[bytes]) -> bytes:
    """The filter for what fits one of these at least."""
    return filters[0] if len(filters) == 1 else element(ANY_OF, b"".join(filters))


def all_of(filters: Sequence[bytes]) -> bytes:
    """The filter for what fits all of these."""
    return filters[0] if len(filters) == 1 else element(ALL_OF, b"".join(filters))


def search_message(number: int, request: Search, seconds: int) -> bytes:
    """The message that asks for a search.

    Args:
        number: the message's number, which the answers repeat.
        request: what is asked.
        seconds: after which the server may stop.
    """
    attributes = b"".join([element(OCTETS, name.encode()) for name in request.attributes])
    operation = b"".join(
        (
            element(OCTETS, request.base.encode()),
            element(ENUMERATED, bytes((SCOPES[request.scope],))),
            element(ENUMERATED, bytes((FINDING_BASE,))),
            _integer(request.size_limit),
            _integer(seconds),
            b"\x01\x01\x00",  # values, too, and not the names of attributes alone
            request.filter,
            element(SEQUENCE, attributes),
        )
    )
    return element(SEQUENCE, _integer(number) + element(SEARCH_REQUEST, operation))


def _integer(value: int) -> bytes:
    return element(INTEGER, value.to_bytes(value.bit_length() // 8 + 1, "big"))


# --- what comes ---


class Incoming:
    """The answer to one search while it comes in.

    Args:
        number: the number of the message that asked.
    """

    def __init__(self, number: int) -> None:
        self._number = number
        self._waiting = bytearray()
        self._entries: list[Entry] = []
        self._references: list[tuple[str, ...]] = []

    def take(self, octets: bytes) -> Reply | None:
        """Take what came, which can end anywhere.

        Returns:
            The whole answer, once its end has come; else None.

        Raises:
            Malformed: it is no answer to this search.
            SessionEnded: the server says so.
        """
        self._waiting += octets
        if _message_end(self._waiting, 0) is None:
            return None
        whole, at = bytes(self._waiting), 0
        while (end := _message_end(whole, at)) is not None:
            message, at = _next(whole, at, end, SEQUENCE)
            reply = self._read(whole, *message)
            if reply is not None:
                return reply
        del self._waiting[:at]
        return None

    def _read(self, octets: bytes, start: int, end: int) -> Reply | None:
        number, start = _number(octets, start, end, INTEGER)
        if number == UNSOLICITED:
            raise SessionEnded
        if number != self._number or start == end:
            raise Malformed("an answer to something else")
        tag = octets[start]
        content, _ = _next(octets, start, end, tag)
        if tag == SEARCH_ENTRY:
            self._entries.append(_entry(octets, *content))
        elif tag == SEARCH_DONE:
            return self._reply(octets, *content)
        elif tag == SEARCH_REFERENCE:
            self._references.append(_texts(octets, *content))
        elif tag != INTERMEDIATE:
            raise Malformed("an answer that is none to a search")
        return None

    def _reply(self, octets: bytes, start: int, end: int) -> Reply:
        code, start = _number(octets, start, end, ENUMERATED)
        _, start = _next(octets, start, end, OCTETS)
        _, start = _next(octets, start, end, OCTETS)
        if code == REFERRAL:
            places, _ = _next(octets, start, end, REFERRED_TO) if start < end else ((0, 0), end)
            self._references.insert(0, _texts(octets, *places))
        name = RESULT_NAMES.get(code, "unknown result")
        return Reply(code, name, tuple(self._entries), tuple(self._references))


def _message_end(octets: bytes | bytearray, at: int) -> int | None:
    """Where the message that begins at ``at`` ends, if all of it is there."""
    if len(octets) < at + 2:
        return None
    if octets[at] != SEQUENCE:
        raise Malformed(NO_LDAP)
    size = octets[at + 1]
    start = at + 2
    if size > 0x7F:  # noqa: PLR2004 - the number of octets in which the length follows
        width, start = size - 0x80, start + size - 0x80
        if not 1 <= width <= LONGEST_LENGTH:
            raise Malformed(NO_LDAP)
        if len(octets) < start:
            return None
        size = int.from_bytes(octets[start - width : start], "big")
    end = start + size
    return end if end <= len(octets) else None


def _next(octets: bytes, at: int, limit: int, tag: int) -> tuple[Span, int]:
    """The content of the element at ``at``, and where the next one begins.

    Raises:
        Malformed: it has another tag, or reaches over the limit.
    """
    start = at + 2
    if start > limit or octets[at] != tag:
        raise Malformed(NOT_WRITTEN_SO)
    size = octets[at + 1]
    if size > 0x7F:  # noqa: PLR2004 - the number of octets in which the length follows
        width, start = size - 0x80, start + size - 0x80
        if width == 0:
            raise Malformed(NOT_WRITTEN_SO)
        size = int.from_bytes(octets[start - width : start], "big")
    end = start + size
    if end > limit:
        raise Malformed(NOT_WRITTEN_SO)
    return (start, end), end


def _all(octets: bytes, start: int, end: int, tag: int) -> Iterator[Span]:
    """The contents of the elements that stand between two places, all with one tag."""
    while start < end:
        span, start = _next(octets, start, end, tag)
        yield span


def _entry(octets: bytes, start: int, end: int) -> Entry:
    (first, last), start = _next(octets, start, end, OCTETS)
    rows, _ = _next(octets, start, end, SEQUENCE)
    attributes = {}
    for row, row_end in _all(octets, *rows, SEQUENCE):
        name, after = _next(octets, row, row_end, OCTETS)
        values, _ = _next(octets, after, row_end, SET)
        attributes[_text(octets, *name).lower()] = tuple(
            [octets[begin:finish] for begin, finish in _all(octets, *values, OCTETS)]
        )
    return Entry(attributes, _text(octets, first, last))


def _number(octets: bytes, at: int, limit: int, tag: int) -> tuple[int, int]:
    (start, end), after = _next(octets, at, limit, tag)
    if start == end:
        raise Malformed(NOT_WRITTEN_SO)
    return int.from_bytes(octets[start:end], "big"), after


def _texts(octets: bytes, start: int, end: int) -> tuple[str, ...]:
    return tuple([_text(octets, *span) for span in _all(octets, start, end, OCTETS)])


def _text(octets: bytes, start: int, end: int) -> str:
    try:
        return octets[start:end].decode()
    except UnicodeDecodeError:
        raise Malformed("a name that is not UTF-8") from None
