"""Which sources can be written to, and what is to be done where one cannot?"""

from collections.abc import Sequence

from directory.config import LdapSourceConfig, SourceConfig, SqlSourceConfig
from directory.dsn import database_url
from directory.model import SLOTS
from directory.refusals import Refused
from directory.source import CustomerUserSource, WritableSource
from directory.transactions import WRITTEN_TO

LOGIN = "UserLogin"


def why_not(source: CustomerUserSource) -> str:
    """What keeps a source from being written to, and what to do instead; empty if nothing does."""
    config = source.config
    name = config.source_name
    if config.read_only:
        return f"{name} is set read_only; change it where its data come from"
    if isinstance(config, LdapSourceConfig):
        return f"{name} is an LDAP directory, which is only read; change it there"
    if not isinstance(config, SqlSourceConfig):
        return _kind(config)
    if not config.in_ticket_database:
        backend = database_url(config).get_backend_name()
        if backend not in WRITTEN_TO:
            return (
                f"{name} stands in a database of the kind {backend}, which is only read; change "
                "it where its data come from"
            )
    if config.storages.get(LOGIN, config.customer_key) != config.customer_key:
        return (
            f"{name} is only read, since its customer_key {config.customer_key} is not the column "
            f"of {LOGIN}; let both name one column, or change it where its data come from"
        )
    return "" if isinstance(source, WritableSource) else _kind(config)


def _kind(config: SourceConfig) -> str:
    return f"{config.source_name} is of the kind {config.kind}, which is only read; change it there"


def as_writable(source: CustomerUserSource) -> WritableSource:
    """The source as one that is written to.

    Raises:
        Refused: it is only read; says what to do instead.
    """
    reason = why_not(source)
    if reason or not isinstance(source, WritableSource):
        raise Refused("read_only_source", reason, source=source.config.source_name)
    return source


def chosen(sources: Sequence[CustomerUserSource], name: str | None) -> WritableSource:
    """The source that is named, or else the first that can be written to.

    Args:
        sources: in their order.
        name: ``CustomerUser1``, or its slot.

    Raises:
        Refused: there is no such source, or it is only read.
    """
    if name is None:
        for source in sources:
            if not why_not(source):
                return as_writable(source)
        reasons = "; ".join(map(why_not, sources)) or "there is none"
        raise Refused("read_only_source", f"no source can be written to: {reasons}")
    slot = name.removeprefix("CustomerUser")
    for source in sources:
        if slot in SLOTS and source.config.slot == slot:
            return as_writable(source)
    names = ", ".join(source.config.source_name for source in sources)
    raise Refused("unknown_source", f"there is no source {name}; there are {names}", field="source")
