"""Whom does a query find in an LDAP tree? The server's matching rules decide, as in OTOBO.

A telephone number is found without its blanks, and to Active Directory accents do not count. What
is excluded, and what must be exactly so, is decided here as well (design 1.1).
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import islice

from directory.config import LdapSourceConfig
from directory.ldap_ber import all_of, any_of, equals, holds, negated, present
from directory.ldap_connection import compiled
from directory.ldap_messages import Entry, Search
from directory.ldap_pages import Ask, CutShort, entries, texts_of
from directory.ldap_text import attribute_value, prepared
from directory.model import AttributeValue, CustomerUser
from directory.preselection import MOST_COMPARISONS, comparisons, preselection
from directory.search import (
    ANYBODY,
    And,
    Between,
    Condition,
    Fits,
    Matches,
    Not,
    OneOf,
    Or,
    Pattern,
    Query,
    fields_of,
    in_span,
    matching,
)

LOGINS_PER_SEARCH = 200
"""Members of a group that are asked for at once; slapd takes 500 alternatives."""

ANY_ENTRY = present("objectClass")
NOBODY = negated(ANY_ENTRY)
MEMBER = "memberUid"


def find_in_tree(
    ask: Ask,
    config: LdapSourceConfig,
    attributes: Sequence[str],
    query: Query,
    customer_user: Callable[[Entry], CustomerUser | None],
) -> Matches:
    """The customer users whose entries a query finds.

    Args:
        ask: asks the server.
        config: the source's settings.
        attributes: what is read of each entry, the key included.
        query: what is asked.
        customer_user: makes one of an entry; None of an entry that is none.

    Raises:
        SearchRefused: the server does not search.
    """
    fields = {*fields_of(query.condition), *(order.field for order in query.order)}
    request = Search(
        config.base_dn,
        config.sscope,
        all_of([present(config.customer_key), *_filters(config, query)]),
        tuple(dict.fromkeys((*attributes, *sorted(map(str.lower, fields))))),
    )
    people: dict[str, tuple[CustomerUser, Mapping[str, AttributeValue]]] = {}
    reason = ""
    try:
        for entry, user in _persons(ask, config, request, query, customer_user):
            people.setdefault(user.login, (user, _values(entry, fields, config.source_charset)))
            if not query.order and query.limit is not None and len(people) > query.limit:
                break
    except CutShort as cut:
        reason = str(cut)
    decided = replace(query, condition=ANYBODY)
    return replace(matching(decided, people.values()), reason=reason)


def _filters(config: LdapSourceConfig, query: Query) -> Iterator[bytes]:
    simpler = preselection(query.condition)
    if simpler != ANYBODY:
        yield _rendered(simpler, config.source_charset)
    if config.always_filter:
        yield compiled(f"(&{config.always_filter})")
    if query.valid_only and config.customer_user_valid_filter:
        yield compiled(f"(&{config.customer_user_valid_filter})")


def _persons(
    ask: Ask,
    config: LdapSourceConfig,
    request: Search,
    query: Query,
    customer_user: Callable[[Entry], CustomerUser | None],
) -> Iterator[tuple[Entry, CustomerUser]]:
    """Entries that were asked for, of members of the group if there is one."""
    charset = config.source_charset
    found = (
        (entry, user)
        for entry in entries(ask, request, config.customer_key, charset)
        if agrees(query.condition, entry, charset) and (user := customer_user(entry)) is not None
    )
    if not config.group_dn:
        yield from found
        return
    while batch := list(islice(found, LOGINS_PER_SEARCH)):
        members = _members(ask, config, [user.login for _, user in batch])
        yield from ((entry, user) for entry, user in batch if user.login in members)


def _members(ask: Ask, config: LdapSourceConfig, logins: Sequence[str]) -> frozenset[str]:
    """Those of some logins that are a memberUid of a group below GroupDN."""
    charset = config.source_charset
    wanted = any_of([equals(MEMBER, login.encode(charset)) for login in logins])
    request = Search(config.group_dn or "", config.sscope, wanted, (MEMBER,))
    groups = entries(ask, request, MEMBER, charset)
    return frozenset(text for group in groups for text in texts_of(group, (MEMBER,), charset))


def _values(entry: Entry, fields: Iterable[str], charset: str) -> Mapping[str, AttributeValue]:
    found = (
        (name, attribute_value(entry.attributes.get(name.lower(), ()), charset)) for name in fields
    )
    return {name: value for name, value in found if value is not None}


def agrees(condition: Condition, entry: Entry, charset: str) -> bool:
    """Whether an entry that the server preselected is one that was asked for.

    Args:
        condition: what was asked.
        entry: what came, with the fields of the condition.
        charset: the source's charset.
    """
    return _agrees(condition, entry, charset, compared=comparisons(condition) <= MOST_COMPARISONS)


def _agrees(condition: Condition, entry: Entry, charset: str, *, compared: bool) -> bool:
    """As ``agrees``; ``compared`` says that the server knew all that it could know."""
    if isinstance(condition, And):
        return all(_agrees(part, entry, charset, compared=compared) for part in condition.parts)
    if compared and preselection(condition) == condition:
        return _may_hold(condition, entry, charset)
    return _holds(condition, entry, charset)


def _may_hold(condition: Condition, entry: Entry, charset: str) -> bool:
    """Whether what the server said can be so: what must be exactly so is compared here, too."""
    match condition:
        case And(parts):
            return all(_may_hold(part, entry, charset) for part in parts)
        case Or(parts):
            return any(_may_hold(part, entry, charset) for part in parts)
        case Fits(fields, pattern) if pattern.exact:
            found = texts_of(entry, fields, charset)
            return not found or any(_fits(pattern, text) for text in found)
        case OneOf():
            return _holds(condition, entry, charset)
        case _:
            return True


def _holds(condition: Condition, entry: Entry, charset: str) -> bool:
    """Whether a condition holds of which the server knew nothing."""
    match condition:
        case And(parts):
            return all(_holds(part, entry, charset) for part in parts)
        case Or(parts):
            return any(_holds(part, entry, charset) for part in parts)
        case Not(part):
            return not _holds(part, entry, charset)
        case Fits(fields, pattern):
            found = texts_of(entry, fields, charset)
            return pattern.everything or any(_fits(pattern, text) for text in found)
        case Between(name, after, before):
            return any(in_span(one, after, before) for one in texts_of(entry, (name,), charset))
        case OneOf(name, texts):
            return not texts.isdisjoint(texts_of(entry, (name,), charset))


def _fits(pattern: Pattern, text: str) -> bool:
    """As RFC 4518 compares, blanks and hyphens aside: telephone numbers have them anywhere."""
    bare = tuple(map(_bare, pattern.pieces))
    if any(piece and not left for piece, left in zip(pattern.pieces, bare, strict=True)):
        return pattern.fits(text, exact=False)  # nothing is left of it: it means itself
    return Pattern(bare).fits(_bare(text), exact=True)


def _bare(text: str) -> str:
    return prepared(text).replace(" ", "").replace("-", "")


def _rendered(condition: Condition, charset: str) -> bytes:  # noqa: PLR0911 - one for each kind
    match condition:
        case And(parts):
            return all_of([_rendered(part, charset) for part in parts])
        case Or(parts):
            return any_of([_rendered(part, charset) for part in parts]) if parts else NOBODY
        case Fits(fields, pattern):
            try:
                pieces = [piece.encode(charset) for piece in pattern.pieces]
            except UnicodeEncodeError:
                return NOBODY
            if not fields or any(b"\0" in piece for piece in pieces):
                return NOBODY
            return any_of([holds(name, pieces) for name in fields])
        case OneOf(name, texts):
            sendable = (_encoded(text, charset) for text in sorted(texts))
            wanted = [equals(name, octets) for octets in sendable if octets]
            return any_of(wanted) if wanted else NOBODY
        case _:
            return ANY_ENTRY


def _encoded(text: str, charset: str) -> bytes:
    """A text as the server has it; nothing for what it cannot have."""
    try:
        return b"" if "\0" in text else text.encode(charset)
    except UnicodeEncodeError:
        return b""
