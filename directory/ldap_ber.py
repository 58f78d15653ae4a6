"""How are searches and their answers written? In RFC 4511's BER, as far as a search needs it.

ldap3 reads and writes all of LDAP, in ten times the time: a lookup of 200 customer users is 200
alternatives in a filter and some thousand values in the answer. What comes from a server is trusted
in nothing: whatever is not written as it must be is ``Malformed``, and never a shorter answer.
"""

from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache
from typing import Final

from directory.ldap_messages import REFERRAL, RESULT_NAMES, Entry, Page, Reply, Search

BOOLEAN: Final = 0x01
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
NONE_OF: Final = 0xA2
EQUALITY: Final = 0xA3
GREATER_OR_EQUAL: Final = 0xA5
SUBSTRINGS: Final = 0xA4
PRESENT: Final = 0x87

INITIAL: Final = 0x80
ANYWHERE: Final = 0x81
ENDING: Final = 0x82

CONTROLS: Final = 0xA0
PAGED_RESULTS: Final = b"1.2.840.113556.1.4.319"

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


def at_least(attribute: str, value: bytes) -> bytes:
    """The filter for entries that have a value like this or greater, by its ordering rule."""
    return element(GREATER_OR_EQUAL, element(OCTETS, attribute.encode()) + element(OCTETS, value))


def present(attribute: str) -> bytes:
    """The filter for entries that have an attribute."""
    return element(PRESENT, attribute.encode())


def holds(attribute: str, pieces: Sequence[bytes]) -> bytes:
    """The filter for entries with a value that holds these pieces, with anything between them.

    The first piece begins the value and the last ends it, unless they are empty. One piece alone is
    the whole value; nothing but empty ones is any value.
    """
    if len(pieces) == 1:
        return equals(attribute, pieces[0])
    first, *middle, last = pieces
    places = [(INITIAL, first), *((ANYWHERE, piece) for piece in middle), (ENDING, last)]
    content = b"".join([element(tag, piece) for tag, piece in places if piece])
    if not content:
        return present(attribute)
    return element(SUBSTRINGS, element(OCTETS, attribute.encode()) + element(SEQUENCE, content))


def negated(one: bytes) -> bytes:
    """The filter for what does not fit this one."""
    return element(NONE_OF, one)


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
            element(OCTETS, request.base.encode(errors="surrogateescape")),
            element(ENUMERATED, bytes((SCOPES[request.scope],))),
            element(ENUMERATED, bytes((FINDING_BASE,))),
            _integer(request.size_limit),
            _integer(seconds),
            b"\x01\x01\x00",  # values, too, and not the names of attributes alone
            request.filter,
            element(SEQUENCE, attributes),
        )
    )
    controls = b"" if request.page is None else element(CONTROLS, _paged(request.page))
    return element(SEQUENCE, _integer(number) + element(SEARCH_REQUEST, operation) + controls)


def _paged(page: Page) -> bytes:
    """The control that asks for a page; a server that does not know it answers at once."""
    wanted = element(SEQUENCE, _integer(page.size) + element(OCTETS, page.cookie))
    return element(SEQUENCE, element(OCTETS, PAGED_RESULTS) + element(OCTETS, wanted))


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
            start, at = _content(whole, at, end, SEQUENCE)
            reply = self._read(whole, start, end)
            if reply is not None:
                return reply
        del self._waiting[:at]
        return None

    def _read(self, octets: bytes, at: int, end: int) -> Reply | None:
        number, at = _number(octets, at, end, INTEGER)
        if number == UNSOLICITED:
            raise SessionEnded
        if number != self._number or at == end:
            raise Malformed("an answer to something else")
        tag, message_end = octets[at], end
        start, end = _content(octets, at, end, tag)
        if tag == SEARCH_ENTRY:
            self._entries.append(_entry(octets, start, end))
        elif tag == SEARCH_DONE:
            return replace(
                self._reply(octets, start, end), cookie=_cookie(octets, end, message_end)
            )
        elif tag == SEARCH_REFERENCE:
            self._references.append(_texts(octets, start, end))
        elif tag != INTERMEDIATE:
            raise Malformed("an answer that is none to a search")
        return None

    def _reply(self, octets: bytes, at: int, end: int) -> Reply:
        code, at = _number(octets, at, end, ENUMERATED)
        _, at = _content(octets, at, end, OCTETS)
        _, at = _content(octets, at, end, OCTETS)
        if code == REFERRAL:
            start, end = _content(octets, at, end, REFERRED_TO) if at < end else (at, at)
            self._references.insert(0, _texts(octets, start, end))
        name = RESULT_NAMES.get(code, "unknown result")
        return Reply(code, name, tuple(self._entries), tuple(self._references))


def _cookie(octets: bytes, at: int, limit: int) -> bytes:
    """Where the next page begins, by the controls that stand behind an answer, if any do."""
    if at == limit:
        return b""
    at, end = _content(octets, at, limit, CONTROLS)
    while at < end:
        start, at = _content(octets, at, end, SEQUENCE)
        name, value = _content(octets, start, at, OCTETS)
        if octets[name:value] != PAGED_RESULTS or value == at:
            continue
        if octets[value] == BOOLEAN:  # whether it is critical
            _, value = _content(octets, value, at, BOOLEAN)
        start, last = _content(octets, value, at, OCTETS)
        start, last = _content(octets, start, last, SEQUENCE)
        _, start = _content(octets, start, last, INTEGER)
        start, last = _content(octets, start, last, OCTETS)
        return octets[start:last]
    return b""


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


def _content(octets: bytes, at: int, limit: int, tag: int) -> tuple[int, int]:
    """Where the content of the element at ``at`` begins, and where it ends: the next one's place.

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
    return start, end


def _entry(octets: bytes, at: int, end: int) -> Entry:
    name, name_end = _content(octets, at, end, OCTETS)
    # Nobody reads it, but it can be asked for; some servers write it in a charset of their own.
    dn = octets[name:name_end].decode(errors="surrogateescape")
    at, end = _content(octets, name_end, end, SEQUENCE)
    attributes = {}
    while at < end:
        row, at = _content(octets, at, end, SEQUENCE)
        name, name_end = _content(octets, row, at, OCTETS)
        value, last = _content(octets, name_end, at, SET)
        values = []
        while value < last:
            start, value = _content(octets, value, last, OCTETS)
            values.append(octets[start:value])
        attributes[_attribute_name(octets[name:name_end])] = tuple(values)
    return Entry(attributes, dn)


def _number(octets: bytes, at: int, limit: int, tag: int) -> tuple[int, int]:
    """A number, and where the next element begins."""
    start, end = _content(octets, at, limit, tag)
    if start == end:
        raise Malformed(NOT_WRITTEN_SO)
    return int.from_bytes(octets[start:end], "big"), end


def _texts(octets: bytes, at: int, end: int) -> tuple[str, ...]:
    texts = []
    while at < end:
        start, at = _content(octets, at, end, OCTETS)
        texts.append(_text(octets[start:at]))
    return tuple(texts)


@lru_cache(maxsize=1024)
def _attribute_name(octets: bytes) -> str:
    return _text(octets).lower()


def _text(octets: bytes) -> str:
    try:
        return octets.decode()
    except UnicodeDecodeError:
        raise Malformed("a name that is not UTF-8") from None
