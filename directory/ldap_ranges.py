"""How is an attribute read that has more values than a server tells at once? Range by range.

Active Directory tells the first 1,500 values of an attribute as ``memberOf;range=0-1499``, and the
others to whoever asks for ``memberOf;range=1500-*`` of that entry; the last range ends in ``*``.
"""

from collections.abc import Callable, Iterator
from dataclasses import replace

from directory.ldap_ber import present
from directory.ldap_messages import SUCCESS, Entry, Reply, Search

RANGE = ";range="


class _Refused(Exception):
    """The server does not tell the rest."""

    def __init__(self, reply: Reply) -> None:
        super().__init__()
        self.reply = reply


def whole(reply: Reply, ask: Callable[[Search], Reply]) -> Reply:
    """The reply with all values of every attribute, under the attribute's own name.

    Args:
        reply: what the server said.
        ask: asks it for more.

    Returns:
        If the server does not tell the rest: its refusal, without entries.
    """
    if not any(RANGE in name for entry in reply.entries for name in entry.attributes):
        return reply
    try:
        return replace(reply, entries=tuple([_whole(entry, ask) for entry in reply.entries]))
    except _Refused as refused:
        return replace(refused.reply, entries=())


def _whole(entry: Entry, ask: Callable[[Search], Reply]) -> Entry:
    attributes = {name: values for name, values in entry.attributes.items() if RANGE not in name}
    for name, values in entry.attributes.items():
        if RANGE in name:
            attributes[name.partition(RANGE)[0]] = (*values, *_rest(entry.dn, name, ask))
    return Entry(attributes, entry.dn)


def _rest(dn: str, name: str, ask: Callable[[Search], Reply]) -> Iterator[bytes]:
    """The values behind the range that this name tells."""
    attribute, _, told = name.partition(RANGE)
    last = told.partition("-")[2]
    while last.isdecimal():
        wanted = f"{attribute}{RANGE}{int(last) + 1}-*"
        reply = ask(Search(dn, "base", present("objectClass"), (wanted,)))
        if reply.code != SUCCESS:
            raise _Refused(reply)
        last = ""
        for more, values in (pair for entry in reply.entries for pair in entry.attributes.items()):
            if more.startswith(attribute + RANGE):
                yield from values
                last = more.rpartition("-")[2]
