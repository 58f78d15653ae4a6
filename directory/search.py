"""What is looked for? A term or criteria, as a small tree of conditions on a source's fields.

A term is parsed once. The tree is rendered to SQL (``search_sql``) and to LDAP (``search_ldap``),
where the server preselects, and decided here (``holds``), where every database means the same.
``*`` is the only wildcard (D25); a value that is missing fits nothing.
"""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TypeAlias

from directory.config import LdapSourceConfig, SourceConfig
from directory.folding import fold
from directory.model import AttributeValue, CustomerUser

PASSWORD = "UserPassword"  # noqa: S105 - the variable's name

_WILDCARDS = re.compile(r"\*+")
_PHRASE_OR_OPERATOR = re.compile(r'"([^"]+)"|(\+|(?:(?<=\s)|^)(?:AND|OR)(?=\s|$))')
_NEGATED = re.compile(r"\s*(\**)!+(.*)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Pattern:
    """What a value must look like.

    Attributes:
        pieces: the texts between the wildcards: ``("jane",)`` is exactly that, ``("", "jane", "")``
            is what holds it anywhere, ``("", "")`` is everything.
    """

    pieces: tuple[str, ...]

    @classmethod
    def of(cls, text: str) -> "Pattern":
        """The pattern that somebody wrote with ``*`` in it."""
        return cls(tuple(_WILDCARDS.split(text)))

    @property
    def exact(self) -> bool:
        """Whether there is no wildcard in it."""
        return len(self.pieces) == 1

    @property
    def everything(self) -> bool:
        """Whether there is nothing but wildcards in it."""
        return not self.exact and not any(self.pieces)

    def fits(self, text: str, *, exact: bool) -> bool:
        """Whether a text fits it.

        Args:
            text: the value.
            exact: whether case counts.
        """
        pieces = self.pieces
        if not exact:
            pieces, text = _folded(pieces), fold(text)
        if len(pieces) == 1:
            return text == pieces[0]
        first, *middle, last = pieces
        at, end = len(first), len(text) - len(last)
        if at > end or not text.startswith(first) or not text.endswith(last):
            return False
        for piece in middle:
            at = text.find(piece, at, end)
            if at < 0:
                return False
            at += len(piece)
        return True


@lru_cache(maxsize=64)
def _folded(pieces: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(map(fold, pieces))


@dataclass(frozen=True, slots=True)
class Fits:
    """One value at least of one of these fields fits the pattern.

    Attributes:
        as_spelt: case counts, also in a database source where it does not.
    """

    fields: tuple[str, ...]
    pattern: Pattern
    as_spelt: bool = False


@dataclass(frozen=True, slots=True)
class Between:
    """A value of the field is a time in this span, its ends included.

    Attributes:
        after: ``2026-11-01`` or ``2026-11-01 12:00:00``, and so is ``before``; empty for no end.
            A day as ``before`` means all of it.
    """

    field: str
    after: str = ""
    before: str = ""


@dataclass(frozen=True, slots=True)
class OneOf:
    """A value of the field is one of these texts, as they are spelt."""

    field: str
    texts: frozenset[str]


@dataclass(frozen=True, slots=True)
class And:
    """All of these hold; of none of them always true."""

    parts: tuple["Condition", ...] = ()


@dataclass(frozen=True, slots=True)
class Or:
    """One of these holds at least."""

    parts: tuple["Condition", ...]


@dataclass(frozen=True, slots=True)
class Not:
    """This does not hold."""

    part: "Condition"


Condition: TypeAlias = Fits | Between | OneOf | And | Or | Not
"""What must hold of a customer user; fields are a source's columns or attributes."""

ANYBODY = And()


def fields_of(condition: Condition) -> frozenset[str]:
    """The fields that a condition is about."""
    match condition:
        case And(parts) | Or(parts):
            return frozenset().union(*map(fields_of, parts))
        case Not(part):
            return fields_of(part)
        case Fits(fields, _):
            return frozenset(fields)
        case Between(name) | OneOf(name):
            return frozenset({name})


def has_spans(condition: Condition) -> bool:
    """Whether a condition is about times."""
    match condition:
        case And(parts) | Or(parts):
            return any(map(has_spans, parts))
        case Not(part):
            return has_spans(part)
        case _:
            return isinstance(condition, Between)


@dataclass(frozen=True, slots=True)
class Order:
    """By which field results are sorted: code point by code point, a missing value as an empty one.

    Attributes:
        field: the column or attribute.
    """

    field: str
    descending: bool = False


@dataclass(frozen=True, slots=True)
class Query:
    """What is asked of one source.

    Attributes:
        condition: what must hold.
        valid_only: leave out customer users that the source knows to be invalid.
        order: how the results are sorted, the first counts most; empty: as the source likes.
        limit: most results; None for all.
        variables: those that are read, UserLogin included in any case; None for all of the Map.
    """

    condition: Condition = ANYBODY
    valid_only: bool = True
    order: tuple[Order, ...] = ()
    limit: int | None = None
    variables: frozenset[str] | None = None


@dataclass(frozen=True, slots=True)
class Matches:
    """Whom a source found.

    Attributes:
        customer_users: each once, in the order asked for.
        more: there are more than the limit.
        reason: why there may be more than these although no limit was reached; else empty.
    """

    customer_users: tuple[CustomerUser, ...] = field(repr=False)
    more: bool = False
    reason: str = ""


# --- what somebody wrote ---


def term_condition(
    term: str, config: SourceConfig, fields: tuple[str, ...] | None = None
) -> Condition | None:
    """What a term looks for in a source: one word in any of its search fields, or several.

    ``jane+doe`` (or ``jane AND doe``) wants both, ``jane OR john`` one of them, ``!jane`` whoever
    has no such value, and quotes take their meaning from ``+``, ``!``, ``AND`` and ``OR``. For LDAP
    only ``+`` has a meaning, as in OTOBO (observed rules 53 and 54).

    Args:
        term: what was typed.
        config: the source's settings.
        fields: the fields to look in, instead of the search fields.

    Returns:
        None if there is nothing in it to look for.
    """
    searched = search_fields(config) if fields is None else fields
    prefix, suffix = config.customer_user_search_prefix, config.customer_user_search_suffix
    if isinstance(config, LdapSourceConfig):
        texts = (part.strip() for part in term.split("+"))
        parts = [Fits(searched, Pattern.of(f"{prefix}{text}{suffix}")) for text in texts if text]
        return joined(And, parts)
    return words_condition(term, searched, prefix=prefix, suffix=suffix)


def words_condition(
    term: str, fields: tuple[str, ...], *, prefix: str, suffix: str
) -> Condition | None:
    """What a term looks for in columns of a table; see ``term_condition``.

    Args:
        term: what was typed.
        fields: the columns to look in.
        prefix: put before every word.
        suffix: put behind every word.
    """

    def word(text: str) -> Condition:
        return Fits(fields, Pattern.of(f"{prefix}{text}{suffix}"))

    return joined(Or, filter(None, (joined(And, one) for one in _alternatives(term, word))))


def search_fields(config: SourceConfig) -> tuple[str, ...]:
    """The fields that a term is looked for in; an LDAP source without any has its key."""
    if not config.customer_user_search_fields and isinstance(config, LdapSourceConfig):
        return (config.customer_key,)
    return searchable(config.customer_user_search_fields, config)


def searchable(fields: Iterable[str], config: SourceConfig) -> tuple[str, ...]:
    """Those of some fields that are searched: no passwords."""
    secret = {row.storage.lower() for row in config.map if row.variable == PASSWORD}
    secret.add(PASSWORD.lower())
    return tuple(name for name in fields if name.lower() not in secret)


def joined(join: type[And] | type[Or], parts: Iterable[Condition]) -> Condition | None:
    """One condition of several; None of none."""
    found = tuple(parts)
    return found[0] if len(found) == 1 else join(found) if found else None


def _alternatives(term: str, word: Callable[[str], Condition]) -> Sequence[Sequence[Condition]]:
    """The words of a term: those that belong together by AND, for each side of an OR."""
    alternatives: list[list[Condition]] = [[]]
    segments: list[tuple[str, bool]] = []

    def close() -> None:
        negated, text = _word(segments)
        if text:
            alternatives[-1].append(Not(word(text)) if negated else word(text))
        segments.clear()

    at = 0
    for match in _PHRASE_OR_OPERATOR.finditer(term):
        segments.append((term[at : match.start()], False))
        at = match.end()
        if match[1]:
            segments.append((match[1], True))
            continue
        close()
        if match[2] == "OR":
            alternatives.append([])
    segments.append((term[at:], False))
    close()
    return alternatives


def _word(segments: Sequence[tuple[str, bool]]) -> tuple[bool, str]:
    """Whether a word is negated, and what it says; blanks count inside of quotes alone."""
    (first, _), *rest = segments
    match = _NEGATED.fullmatch(first)
    if match is not None:
        first = match[1] + match[2]
    texts = [first, *(text for text, _ in rest)]
    quoted = [False, *(quoted for _, quoted in rest)]
    plain = [
        text if is_quoted else re.sub(r"\s+", " ", text)
        for text, is_quoted in zip(texts, quoted, strict=True)
    ]
    plain[0] = plain[0].lstrip()
    plain[-1] = plain[-1].rstrip()
    return match is not None, "".join(plain)


# --- what is decided here ---


def holds(
    condition: Condition,
    values: Callable[[str], AttributeValue | None],
    *,
    exact: bool = False,
) -> bool:
    """Whether a condition holds of a customer user.

    Args:
        condition: what must hold.
        values: gives the value of a field; None if it has none.
        exact: whether case counts.
    """
    match condition:
        case And(parts):
            return all(holds(part, values, exact=exact) for part in parts)
        case Or(parts):
            return any(holds(part, values, exact=exact) for part in parts)
        case Not(part):
            return not holds(part, values, exact=exact)
        case Fits(fields, pattern, as_spelt):
            return pattern.everything or any(
                pattern.fits(text, exact=exact or as_spelt)
                for name in fields
                for text in texts(values(name))
            )
        case Between(name, after, before):
            return any(in_span(text, after, before) for text in texts(values(name)))
        case OneOf(name, wanted):
            return not wanted.isdisjoint(texts(values(name)))


def texts(value: AttributeValue | None) -> Sequence[str]:
    """The texts of a value; bytes that are not text have none."""
    match value:
        case str():
            return (value,)
        case tuple():
            return value
        case _:
            return ()


def matching(
    query: Query,
    people: Iterable[tuple[CustomerUser, Mapping[str, AttributeValue]]],
    *,
    exact: bool = False,
    ordered_already: bool = False,
) -> Matches:
    """Those of some people whom a query finds, in the order that it asks for.

    Args:
        query: what is asked.
        people: customer users, each with their values by field.
        exact: whether case counts.
        ordered_already: they come in the order that the query asks for.
    """
    found: dict[str, tuple[CustomerUser, Mapping[str, AttributeValue]]] = {}
    anybody = query.condition == ANYBODY
    for user, values in people:
        fits = anybody or holds(query.condition, values.get, exact=exact)
        if fits and user.login not in found:
            found[user.login] = user, values
    ordered = list(found.values())
    for order in () if ordered_already else reversed(query.order):
        ordered.sort(
            key=lambda pair, name=order.field: sort_key(pair[1].get(name)),  # type: ignore[misc]
            reverse=order.descending,
        )
    return cut(tuple(user for user, _ in ordered), query)


def cut(users: tuple[CustomerUser, ...], query: Query) -> Matches:
    """As many of those who were found as a query wants."""
    return Matches(users[: query.limit], more=query.limit is not None and len(users) > query.limit)


def sort_key(value: AttributeValue | None) -> str:
    """What a value is sorted by: its first text."""
    return next(iter(texts(value)), "")


_MOMENT = re.compile(
    r"(\d{4})-?(\d\d)-?(\d\d)(?:[ T]?(\d\d):?(\d\d)(?::?(\d\d))?)?(?:[.,]\d+)?(?:Z|[+-]\d\d:?\d*)?"
)


def moment(text: str) -> str | None:
    """A date or time as ``YYYY-MM-DD hh:mm:ss``, a date without a time; None if it is none.

    LDAP's ``20261101120000Z`` is read, too. Zones are not compared.
    """
    match = _MOMENT.fullmatch(text.strip())
    if match is None:
        return None
    day = "-".join(match.group(1, 2, 3))
    return f"{day} {match[4]}:{match[5]}:{match[6] or '00'}" if match[4] else day


def in_span(text: str, after: str, before: str) -> bool:
    """Whether a text is a time in a span; see ``Between``."""
    found = moment(text)
    if found is None:
        return False
    return (not after or found >= after) and (not before or found[: len(before)] <= before)
