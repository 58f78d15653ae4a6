"""Where are a source's customer users written to? Its Map and its table, as the rules need them."""

from collections.abc import Mapping
from typing import Any, TypeAlias

from directory.companions import Companions
from directory.config import SqlSourceConfig
from directory.customer_id_list import validity
from directory.source import WritableSource
from directory.sql import PASSWORD
from directory.write_rules import VALIDITY, Place, customer_users_of

Given: TypeAlias = Mapping[str, Any]
"""Values by variable: a text, or a list of texts for a dynamic field."""


def place_of(companions: Companions, source: WritableSource) -> Place:
    """The source's Map, and what the databases say of it.

    Raises:
        SourceUnavailable: the source does not answer.
        DatabaseFault: the ticket system's database does not answer.
    """
    lengths = {
        name: column.length
        for name, column in source.columns().items()
        if column.length is not None
    }
    known = VALIDITY if companions.tickets is None else validity(companions.tickets)
    return customer_users_of(source.config, lengths, known)


def password_column(config: SqlSourceConfig) -> str | None:
    """The column that passwords are kept in, if there is one."""
    columns = (entry.storage for entry in config.map if entry.variable == PASSWORD)
    return next(columns, None)
