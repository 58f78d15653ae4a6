"""Which customer users does the directory find? Plain data, for commands and for other programs.

A source that was not searched is named in ``unanswered``: the customer users are not all then.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from directory import finding
from directory.criteria import Criteria, WrongCriteria, wanted
from directory.directory import Directory
from directory.finding import Results
from directory.model import SLOTS, source_name
from directory.source import CustomerUserSource
from worker.handlers.customer_users import plain
from worker.services import Services

LIST_LIMIT = 1000
"""Customer users that a list shows unless more are asked for."""

MOST = 100_000
"""Customer users of one answer."""


def find(
    services: Services,
    *,
    term: str,
    limit: int | None = None,
    invalid: bool = False,
    source: str | None = None,
) -> dict[str, Any]:
    """Look a term up in the search fields of each source; see ``directory.search``.

    Args:
        services: with the directory.
        term: what was typed.
        limit: most results of each source, instead of its CustomerUserSearchListLimit.
        invalid: invalid ones, too. LDAP sources with a CustomerUserValidFilter leave them out.
        source: only this one: ``CustomerUser1``, or its slot.

    Returns:
        ``customer_users``: of each ``login``, ``source``, ``name`` and ``attributes`` (see
        ``customer_user.get``). ``more``: sources that know more than their limit.
        ``unanswered``: of each source that was not searched, ``source`` and ``reason``.

    Raises:
        WrongCriteria: there is nothing in the term to look for, or no such source.
    """
    if not term.strip().strip("+!").strip():
        raise WrongCriteria("the term is empty; right: jane, j*doe, jane+doe")
    found = finding.find_term(
        _chosen(services.directory, source),
        term,
        valid_only=not invalid,
        limit=_limit(limit),
        holders=services.directory.field_holders,
    )
    return _told(found)


def list_(  # noqa: PLR0913 - a list can be asked for in so many ways
    services: Services,
    *,
    fields: Mapping[str, Any] | None = None,
    order: Sequence[str] = ("UserLogin",),
    limit: int = LIST_LIMIT,
    offset: int = 0,
    invalid: bool = False,
    count: bool = False,
    source: str | None = None,
) -> dict[str, Any]:
    """List customer users, all or those with certain values, in order and page by page.

    Args:
        services: with the directory.
        fields: by variable a text with ``*``, a list of which one must fit, or a table of
            ``any_of``, ``all_of``, ``after`` and ``before``; see ``directory.criteria``.
        order: variables to sort by; ``-UserLogin`` is from the highest down.
        limit: most of a page.
        offset: how many come before the page.
        invalid: invalid ones, too.
        count: say in ``total`` how many there are in all.
        source: only this one: ``CustomerUser1``, or its slot.

    Returns:
        As ``find`` does, with ``total``: a number if ``count``, else None.

    Raises:
        WrongCriteria: no source has a field, a value is of no known form, or no such source.
    """
    if not 0 <= offset <= MOST:
        raise WrongCriteria(f"offset must be from 0 to {MOST}")
    criteria = Criteria(
        fields={name: wanted(name, said) for name, said in (fields or {}).items()},
        valid_only=not invalid,
        order=tuple((name.removeprefix("-"), name.startswith("-")) for name in order),
        limit=_limit(limit),
        offset=offset,
        count=count,
    )
    found = finding.find_detailed(
        _chosen(services.directory, source), criteria, services.directory.field_holders
    )
    return {**_told(found), "total": found.total}


def _told(found: Results) -> dict[str, Any]:
    names = {slot: source_name(slot) for slot in SLOTS}
    return {
        "customer_users": [
            {
                "login": hit.customer_user.login,
                "source": names[hit.customer_user.slot],
                "name": hit.mail_string,
                "attributes": plain(hit.customer_user.attributes),
            }
            for hit in found.hits
        ],
        "more": [source_name(slot) for slot in found.more],
        "unanswered": [
            {"source": source_name(one.slot), "reason": one.reason} for one in found.unanswered
        ],
    }


def _chosen(directory: Directory, source: str | None) -> Sequence[CustomerUserSource]:
    """All sources, or the one that is named."""
    if source is None:
        return directory.sources
    slot = source.removeprefix("CustomerUser")
    chosen = [one for one in directory.sources if slot in SLOTS and one.config.slot == slot]
    if not chosen:
        names = ", ".join(one.config.source_name for one in directory.sources)
        raise WrongCriteria(f"there is no source {source}; there are {names}")
    return chosen


def _limit(limit: int | None) -> int | None:
    if limit is not None and not 1 <= limit <= MOST:
        raise WrongCriteria(f"limit must be from 1 to {MOST}")
    return limit
