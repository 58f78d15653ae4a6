"""Which other servers hold the rest of an answer, and what they say.

Referrals are off by default. OTOBO follows none, and following one shows the source's password to
the server that is named.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from urllib.parse import unquote, urlsplit

from directory.ldap_messages import REFERRAL, SUCCESS, Reply, Search
from directory.ldap_wire import PORTS, Endpoint

MOST_REFERRALS = 10
SCOPES = frozenset({"base", "one", "sub"})


class BadReferral(Exception):
    """A referral cannot be followed; the message says why."""


def followed(reply: Reply, request: Search, ask: Callable[[Endpoint, Search], Reply]) -> Reply:
    """The reply with what the servers that it refers to add; each place is asked once.

    Args:
        reply: what the first server said.
        request: what it was asked.
        ask: asks another server.

    Returns:
        The entries of all, or the first refusal of one, without entries.

    Raises:
        BadReferral: no URI of a referral is readable, or there is no end of them.
    """
    entries = list(reply.entries)
    waiting = list(reply.references)
    asked: set[tuple[Endpoint, str]] = set()
    while waiting:
        place, far = _read(waiting.pop(0), request)
        if (place, far.base.lower()) in asked:
            continue
        if len(asked) == MOST_REFERRALS:
            raise BadReferral(f"more than {MOST_REFERRALS} referrals for one search")
        asked.add((place, far.base.lower()))
        more = ask(place, far)
        if more.code not in {SUCCESS, REFERRAL}:
            return replace(more, entries=())
        entries += more.entries
        waiting += more.references
    if reply.code == REFERRAL and asked:
        return Reply(SUCCESS, "success", tuple(entries))
    return replace(reply, entries=tuple(entries), references=())


def _read(uris: Sequence[str], request: Search) -> tuple[Endpoint, Search]:
    """The first readable of a referral's interchangeable URIs (RFC 4516)."""
    for uri in uris:
        try:
            parts = urlsplit(uri)
            host, port = parts.hostname, parts.port
        except ValueError:
            continue
        if parts.scheme in PORTS and host:
            _, scope, *_ = [*parts.query.split("?"), "", ""]
            return Endpoint(parts.scheme, host, port or PORTS[parts.scheme]), replace(
                request,
                base=unquote(parts.path.lstrip("/")) or request.base,
                scope=scope if scope in SCOPES else request.scope,
            )
    raise BadReferral("a referral without a readable URI")
