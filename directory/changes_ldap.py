"""Whose data changed in an LDAP tree since somebody last asked?"""

from datetime import UTC, datetime, timedelta

from directory.changes import Changes
from directory.config import LdapSourceConfig
from directory.ldap_ber import all_of, at_least, present
from directory.ldap_connection import compiled
from directory.ldap_messages import Search
from directory.ldap_pages import Ask, entries, texts_of

CLOCKS_DIFFER = timedelta(hours=1)
"""By how much this machine's clock may be ahead of a server's."""


def changes_of_tree(ask: Ask, config: LdapSourceConfig, stamp: str, since: str) -> Changes:
    """What an LDAP tree tells, page by page, by the server's own comparison (RFC 4517, 3.3.13).

    Args:
        ask: asks the server.
        config: the source's settings.
        stamp: the attribute that says when an entry was changed.
        since: as for ``ChangingSource.changes``; it begins some time ago by this machine's clock.

    Raises:
        SearchRefused: the server does not search.
        CutShort: it does not tell all.
    """
    if not since:
        return Changes({}, f"{datetime.now(UTC) - CLOCKS_DIFFER:%Y%m%d%H%M%S}.0Z")
    charset = config.source_charset
    filters = [present(config.customer_key), at_least(stamp, since.encode())]
    if config.always_filter:
        filters.append(compiled(f"(&{config.always_filter})"))
    names = (config.customer_key.lower(), stamp.lower())
    request = Search(config.base_dn, config.sscope, all_of(filters), names)
    stamps: dict[str, str] = {}
    for entry in entries(ask, request, config.customer_key, charset):
        moments = texts_of(entry, (stamp,), charset)
        if moments:
            logins = texts_of(entry, (config.customer_key,), charset)
            stamps |= dict.fromkeys(logins, moments[0])
    return Changes(stamps, max([*stamps.values(), since]))
