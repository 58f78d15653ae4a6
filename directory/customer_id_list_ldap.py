"""Which customer ids are there in an LDAP tree? ``directory.customer_id_list`` asks tables."""

from functools import partial

from directory.config import LdapSourceConfig
from directory.errors import SourceUnavailable
from directory.ldap_connection import LdapClient, NoAnswer, compiled
from directory.ldap_messages import Search
from directory.ldap_pages import CutShort, SearchRefused, entries
from directory.ldap_text import text_or_none
from directory.ldap_wire import Deadline
from directory.wildcards import fitting, ldap_assertion, pattern


def ids_in_ldap(
    client: LdapClient, config: LdapSourceConfig, term: str, *, valid_only: bool
) -> frozenset[str]:
    """Customer ids of a tree's entries, all values of the attribute.

    Args:
        client: asks the server.
        config: the source's settings.
        term: with ``*`` as wildcard; empty for all.
        valid_only: entries count that CustomerUserValidFilter lets pass.

    Raises:
        SourceUnavailable: the server does not answer, or does not answer in full.
    """
    attribute, key = config.customer_id.lower(), config.customer_key.lower()
    wanted = pattern(term, config) if term else "*"
    filters = [f"({attribute}={ldap_assertion(wanted, config.source_charset)})"]
    filters += [config.always_filter] if config.always_filter else []
    if valid_only and config.customer_user_valid_filter:
        filters.append(config.customer_user_valid_filter)
    try:
        wanted_ones = compiled(f"(&{''.join(filters)})")
        request = Search(config.base_dn, config.sscope, wanted_ones, (attribute, key))
        ask = partial(client.search, deadline=Deadline.after(config.timeout))
        found = tuple(entries(ask, request, key, config.source_charset))
    except (NoAnswer, ValueError) as error:
        raise SourceUnavailable(config.slot, str(error)) from error
    except SearchRefused as refused:
        reply = refused.reply
        raise SourceUnavailable(config.slot, f"{reply.name} (result {reply.code})") from refused
    except CutShort as cut:
        raise SourceUnavailable(config.slot, str(cut)) from cut
    texts = (
        text_or_none(octets, config.source_charset)
        for entry in found
        for octets in entry.attributes.get(attribute, ())
    )
    return fitting(texts, term, config)
