"""Who fits, all sources considered? Each login once, and the first source that has it wins (D25).

Every source is asked, each for as many as its own limit says (observed rule 55). One that does not
answer, or cannot search, stands beside the results with its reason: they are not all there is then.
"""

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, field, replace

from directory.config import LdapSourceConfig, SourceConfig
from directory.criteria import Criteria, query_of
from directory.database import DatabaseFault
from directory.errors import SourceUnavailable
from directory.field_search import Holders, dynamic_fields, without_fields
from directory.folding import fold
from directory.model import CustomerUser, Unavailable
from directory.names import listed_fields, listed_strings
from directory.search import (
    Condition,
    Fits,
    Matches,
    Pattern,
    Query,
    fields_of,
    search_fields,
    searchable,
    sort_key,
    term_condition,
)
from directory.source import CustomerUserSource
from directory.supplier import Supplier


@dataclass(frozen=True, slots=True)
class Hit:
    """One customer user that was found.

    Attributes:
        customer_user: as the source knows them, without what the ticket system adds.
        mail_string: ``"Jane Doe" <jane@example.org>`` of the source's list fields, or as much of
            it as there is.
    """

    customer_user: CustomerUser
    mail_string: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Results:
    """What all sources together found.

    Attributes:
        hits: each login once.
        unanswered: the sources that were not searched, or not to the end, with the reason.
        more: slots of sources that know more than their limit let them tell; of a detailed search
            the slots that have more than the page shows.
        total: how many there are in all, if a detailed search was to count them.
    """

    hits: tuple[Hit, ...]
    unanswered: tuple[Unavailable, ...] = ()
    more: tuple[str, ...] = ()
    total: int | None = None


class CannotSearch(Exception):
    """A source's settings lack what a search needs; the message says what."""


def find_term(  # noqa: PLR0913 - as OTOBO lets it be asked
    sources: Iterable[CustomerUserSource],
    term: str,
    *,
    valid_only: bool = True,
    limit: int | None = None,
    person_only: bool = False,
    holders: Holders | None = None,
) -> Results:
    """Whoever has a term in one of a source's search fields; see ``search.term_condition``.

    In a dynamic field of a customer user each word may stand anywhere, as in OTOBO.

    Args:
        sources: in their order.
        term: what was typed; one without a word finds nobody.
        valid_only: leave out invalid ones. LDAP sources with a CustomerUserValidFilter always do,
            as in OTOBO (observed rule 54).
        limit: most results of each source, instead of its CustomerUserSearchListLimit.
        person_only: do not look into a column ``customer_id``, as OTOBO's CustomerUserOnly.
        holders: knows whose dynamic fields fit; without it such fields cannot be searched.
    """
    ignored = {"customer_id"} if person_only else set()

    def query(config: SourceConfig) -> Query | None:
        fields = tuple(name for name in search_fields(config) if name not in ignored)
        _insist(fields, "customer_user_search_fields", config)
        condition = term_condition(term.strip(), config, fields)
        return _limited(condition, config, limit, valid_only=valid_only)

    return _found(sources, query, holders, anywhere=True)


def find_login(
    sources: Iterable[CustomerUserSource],
    login: str,
    *,
    valid_only: bool = True,
    limit: int | None = None,
) -> Results:
    """Whoever has these letters in the login; to LDAP it must be all of it (observed rule 54)."""

    def query(config: SourceConfig) -> Query | None:
        whole = isinstance(config, LdapSourceConfig)
        pattern = Pattern((login,)) if whole else Pattern.of(f"*{login.strip()}*")
        condition = Fits((config.customer_key,), pattern) if login.strip() else None
        return _limited(condition, config, limit, valid_only=valid_only)

    return _found(sources, query)


def find_customer(
    sources: Iterable[CustomerUserSource],
    customer_id: str,
    *,
    wildcards: bool = True,
    valid_only: bool = True,
    limit: int | None = None,
) -> Results:
    """Whoever belongs to a customer by the source's own customer id.

    Args:
        sources: in their order.
        customer_id: the id; ``*`` stands for anything, but not to LDAP.
        wildcards: False takes ``*`` as a letter.
        valid_only: as in ``find_term``.
        limit: as in ``find_term``.
    """

    def query(config: SourceConfig) -> Query | None:
        plain = not wildcards or isinstance(config, LdapSourceConfig)
        pattern = Pattern((customer_id,)) if plain else Pattern.of(customer_id)
        condition = Fits((config.customer_id,), pattern) if customer_id else None
        return _limited(condition, config, limit, valid_only=valid_only)

    return _found(sources, query)


def find_email(
    sources: Iterable[CustomerUserSource],
    address: str,
    *,
    valid_only: bool = True,
    limit: int | None = None,
    holders: Holders | None = None,
) -> Results:
    """Whose address this is, in the fields for PostMaster searches: who wrote an email.

    The address must be all of a value; only to LDAP ``*`` stands for anything (observed rule 54).
    """

    def query(config: SourceConfig) -> Query | None:
        fields = searchable(config.customer_user_post_master_search_fields, config)
        _insist(fields, "customer_user_post_master_search_fields", config)
        wild = isinstance(config, LdapSourceConfig)
        pattern = Pattern.of(address) if wild else Pattern((address,))
        condition = Fits(fields, pattern) if address else None
        return _limited(condition, config, limit, valid_only=valid_only)

    return _found(sources, query, holders)


def find_detailed(
    sources: Iterable[CustomerUserSource], criteria: Criteria, holders: Holders | None = None
) -> Results:
    """Whoever fits some criteria, in their order, page by page.

    A source whose Map lacks a field of the criteria has nobody who fits them.

    Raises:
        WrongCriteria: no source knows a field, or a value is not among those that can be chosen.
    """
    asked = list(sources)
    queries = query_of(criteria, [source.config for source in asked])
    if criteria.count or (len(queries) > 1 and not criteria.by_login):
        # Who is hidden by an earlier source is not known before all were asked.
        queries = {slot: replace(query, limit=None) for slot, query in queries.items()}
    found = _found(asked, lambda config: queries.get(config.slot), holders)
    hits = list(found.hits)
    if len(queries) > 1:
        for variable, descending in reversed(criteria.order):
            hits.sort(
                key=lambda hit, name=variable: _sorted_by(hit.customer_user, name),  # type: ignore[misc]
                reverse=descending,
            )
    end = None if criteria.limit is None else criteria.offset + criteria.limit
    beyond = tuple(dict.fromkeys(hit.customer_user.slot for hit in hits[end:])) if end else ()
    return replace(
        found,
        hits=tuple(hits[criteria.offset : end]),
        more=tuple(dict.fromkeys((*found.more, *beyond))),
        total=len(hits) if criteria.count else None,
    )


def _sorted_by(user: CustomerUser, variable: str) -> str:
    return user.login if variable == "UserLogin" else sort_key(user.attributes.get(variable))


def _insist(fields: Sequence[str], option: str, config: SourceConfig) -> None:
    if not fields:
        raise CannotSearch(f"{option} of {config.source_name} names no field to search in")


def _limited(
    condition: Condition | None, config: SourceConfig, limit: int | None, *, valid_only: bool
) -> Query | None:
    if condition is None:
        return None
    return Query(
        condition,
        valid_only=valid_only or isinstance(config, LdapSourceConfig),
        limit=config.customer_user_search_list_limit if limit is None else limit,
    )


def _key(source: CustomerUserSource, login: str) -> str:
    """What a login of a later source must not share with one of this source to be shown.

    To most LDAP servers case does not count; which ones they are is not known here.
    """
    return fold(login) if isinstance(source.config, LdapSourceConfig) else source.login_key(login)


def _hits(users: Collection[CustomerUser], config: SourceConfig) -> Iterable[Hit]:
    single = Supplier.of(config).single_values
    people = [(single(user.attributes), single(user.by_storage)) for user in users]
    return map(Hit, users, listed_strings(listed_fields(config), people))


def _without_fields(
    query: Query | None, config: SourceConfig, holders: Holders | None, anywhere: bool
) -> Query | None:
    """A query that a source can be asked: it knows no dynamic fields.

    Raises:
        CannotSearch: nobody can be asked about them.
    """
    if query is None or fields_of(query.condition).isdisjoint(dynamic_fields(config)):
        return query
    if holders is None:
        raise CannotSearch("dynamic fields of customer users cannot be searched here")
    try:
        condition = without_fields(query.condition, config, holders, anywhere=anywhere)
    except DatabaseFault as fault:
        reason = f"dynamic fields of customer users could not be read: {fault.reason}"
        raise CannotSearch(reason) from None
    return replace(query, condition=condition)


def _found(
    sources: Iterable[CustomerUserSource],
    query_of: Callable[[SourceConfig], Query | None],
    holders: Holders | None = None,
    *,
    anywhere: bool = False,
) -> Results:
    """Ask each source, and put together what they say."""
    hits: list[Hit] = []
    unanswered: list[Unavailable] = []
    more: list[str] = []
    earlier: list[tuple[CustomerUserSource, tuple[CustomerUser, ...]]] = []
    for source in sources:
        slot = source.config.slot
        try:
            query = _without_fields(query_of(source.config), source.config, holders, anywhere)
            matches = Matches(()) if query is None else source.search(query)
        except SourceUnavailable as error:
            unanswered.append(Unavailable(slot, error.reason))
            continue
        except CannotSearch as error:
            unanswered.append(Unavailable(slot, str(error)))
            continue
        if matches.reason:
            unanswered.append(Unavailable(slot, matches.reason))
        if matches.more:
            more.append(slot)
        users: Collection[CustomerUser] = matches.customer_users
        for before, known in earlier:
            keys = {_key(before, user.login) for user in known}
            users = [user for user in users if _key(before, user.login) not in keys]
        hits += _hits(users, source.config)
        earlier.append((source, matches.customer_users))
    return Results(tuple(hits), tuple(unanswered), tuple(more))
