"""Which customer ids are there among the customer users of a source? OTOBO's ``CustomerIDList``.

The term is looked for with the source's search prefix and suffix around it. The server preselects;
what fits is decided here.
"""

from collections.abc import Collection, Mapping
from typing import Any

import sqlalchemy
from sqlalchemy import ColumnClause, column, table

from directory.config import SqlSourceConfig
from directory.database import Database
from directory.membership import one_of, sent
from directory.rows import from_table
from directory.values import to_text
from directory.wildcards import ESCAPE, fitting, like, pattern

_VALID = table("valid", column("id"), column("name"))
VALID_IDS = sqlalchemy.select(_VALID.c.id).where(_VALID.c.name == "valid")
"""The ids that mean valid, in the ticket system's database."""


def valid_ids(tickets: Database) -> frozenset[str]:
    """The ids that mean valid, as the ticket system has them.

    Raises:
        DatabaseFault: the ticket system's database does not answer.
    """
    rows = tickets.rows(VALID_IDS, tickets.deadline())
    return frozenset(text for (id_,) in rows if (text := to_text(id_)) is not None)


def validity(tickets: Database) -> Mapping[str, str]:
    """The ids of the ticket system's table ``valid`` by name: ``invalid-temporarily`` is ``3``.

    Raises:
        DatabaseFault: the ticket system's database does not answer.
    """
    rows = tickets.rows(sqlalchemy.select(_VALID.c.name, _VALID.c.id), tickets.deadline())
    pairs = (map(to_text, row) for row in rows)
    return {name: id_ for name, id_ in pairs if name is not None and id_ is not None}


def ids_in_table(
    database: Database, config: SqlSourceConfig, term: str, valid: Collection[str] | None
) -> frozenset[str]:
    """Customer ids of a table's rows.

    Args:
        database: where the table stands.
        config: the source's settings.
        term: with ``*`` as wildcard; empty for all.
        valid: rows count whose CustomerValid is one of these; None for all rows.

    Raises:
        DatabaseFault: the database does not answer.
    """
    customer: ColumnClause[str] = column(config.customer_id)
    statement = sqlalchemy.select(customer).distinct().select_from(from_table(config.table))
    parameters = {}
    if valid is not None and config.customer_valid:
        column_valid: ColumnClause[Any] = column(config.customer_valid)
        statement = statement.where(one_of(column_valid, "valid", database.backend))
        parameters["valid"] = sent(sorted(valid), database.backend)
    wanted = pattern(term, config)
    if term:
        searched = like(wanted) if config.compares_case else like(wanted).lower()
        key = customer if config.compares_case else sqlalchemy.func.lower(customer)
        statement = statement.where(key.like(searched, escape=ESCAPE))
    rows = database.rows(statement, database.deadline(), parameters)
    texts = (to_text(value) for (value,) in rows)
    return fitting(texts, term, config, exact=config.compares_case)
