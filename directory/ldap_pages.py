"""Which entries does a search find, however many there are? Page by page, and over a limit.

A server that ends a search after some hundred entries, although it was asked for pages (RFC 2696),
is asked again for the keys that begin with each letter that it showed, and then for the rest.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

from directory.ldap_ber import all_of, holds, negated
from directory.ldap_messages import (
    ADMIN_LIMIT_EXCEEDED,
    SIZE_LIMIT_EXCEEDED,
    SUCCESS,
    Entry,
    Page,
    Reply,
    Search,
)
from directory.ldap_text import text_or_none

LIMITS = frozenset({SIZE_LIMIT_EXCEEDED, ADMIN_LIMIT_EXCEEDED})

ENTRIES_PER_PAGE = 500
"""Half of what Active Directory hands out at once."""

MOST_BEGINNINGS = 5_000
"""Searches by the beginnings of keys, before nobody believes any more that there is an end."""

Ask = Callable[[Search], Reply]


class SearchRefused(Exception):
    """The server ended a search with something else than success or a limit."""

    def __init__(self, reply: Reply) -> None:
        super().__init__(reply.name)
        self.reply = reply


class CutShort(Exception):
    """A server's limit hides some, and no other way of asking shows them."""

    def __init__(self) -> None:
        super().__init__("the server ends a search before it has told all")


def entries(ask: Ask, request: Search, key: str, charset: str) -> Iterator[Entry]:
    """All entries that a search finds, each once, in the server's order.

    Args:
        ask: asks the server.
        request: the search; it reads the attribute ``key``.
        key: an attribute that every entry has, whose beginnings the server can compare.
        charset: the source's charset.

    Raises:
        SearchRefused: the server does not search.
        CutShort: it stops before the end, whatever it is asked; some entries came before that.
    """
    told: set[str] = set()
    beginnings = [""]
    asked = 0
    while beginnings:
        beginning = beginnings.pop(0)
        letters: set[str] = set()
        while True:
            asked += 1
            narrowed = _narrowed(request, key, beginning, letters, charset)
            seen: set[str] = set()
            seen_any = False
            try:
                for entry in _pages(ask, narrowed):
                    seen_any = True
                    seen |= _next_letters(entry, key, beginning, charset)
                    if entry.dn not in told:
                        told.add(entry.dn)
                        yield entry
                if beginning and not letters and not seen_any:
                    raise CutShort  # there are some, so the server cannot compare beginnings
                break
            except _Limited:
                if not seen - letters or asked > MOST_BEGINNINGS:
                    raise CutShort from None
            beginnings += [beginning + letter for letter in sorted(seen - letters)]
            letters |= seen


def texts_of(entry: Entry, names: Sequence[str], charset: str) -> Sequence[str]:
    """The texts of some attributes, their variants with options included."""
    return [
        text
        for name in map(str.lower, names)
        for attribute, values in entry.attributes.items()
        if attribute == name or attribute.startswith(f"{name};")
        for octets in values
        if (text := text_or_none(octets, charset)) is not None
    ]


class _Limited(Exception):
    """The server's limit ended a search."""


def _pages(ask: Ask, request: Search) -> Iterator[Entry]:
    page = Page(ENTRIES_PER_PAGE)
    while True:
        reply = ask(replace(request, page=page))
        if reply.code not in {SUCCESS, *LIMITS}:
            raise SearchRefused(reply)
        yield from reply.entries
        if reply.code in LIMITS:
            raise _Limited
        if not reply.cookie:
            return
        page = replace(page, cookie=reply.cookie)


def _narrowed(
    request: Search, key: str, beginning: str, not_behind: set[str], charset: str
) -> Search:
    """The search for those keys alone that begin so, and do not go on with these letters."""
    filters = [request.filter]
    if beginning:
        filters.append(holds(key, (beginning.encode(charset), b"")))
    filters += [
        negated(holds(key, ((beginning + letter).encode(charset), b"")))
        for letter in sorted(not_behind)
    ]
    return replace(request, filter=all_of(filters))


def _next_letters(entry: Entry, key: str, beginning: str, charset: str) -> set[str]:
    """The letters that stand behind a beginning in an entry's keys, small ones."""
    keys = (text.lower() for text in texts_of(entry, (key,), charset))
    at = len(beginning)
    return {text[at] for text in keys if text.startswith(beginning) and len(text) > at}
