"""Whose data changed since somebody last asked? Only some sources can tell.

A table can whose rows say when they were changed (``change_time``), and an LDAP server whose
entries do (``modifyTimestamp``, Active Directory's ``whenChanged``). What such a column holds is
kept as the source writes it, and only ever compared by the source itself or with itself.

Who was deleted is in no such answer, and neither is who was changed by somebody who leaves the
column as it was.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol, runtime_checkable

import sqlalchemy
from sqlalchemy import ColumnClause, column
from sqlalchemy.types import NullType

from directory.config import LdapSourceConfig
from directory.database import Database
from directory.ldap_ber import all_of, at_least, present
from directory.ldap_connection import compiled
from directory.ldap_messages import Search
from directory.ldap_pages import Ask, entries, texts_of
from directory.rows import from_table
from directory.values import to_text

NO_WATCH = "nothing says when a customer user was changed; set watch"

CLOCKS_DIFFER = timedelta(hours=1)
"""By how much this machine's clock may be ahead of a server's."""


@dataclass(frozen=True, slots=True)
class Changes:
    """What a source tells, whole.

    Attributes:
        stamps: when each customer user was changed last, by login as the source spells it.
        newest: the newest of all stamps, or what was asked with where there is none.
    """

    stamps: Mapping[str, str] = field(repr=False)
    newest: str


@runtime_checkable
class ChangingSource(Protocol):
    """A source that can tell what changed."""

    def changes(self, since: str) -> Changes:
        """Who was changed at a moment or later.

        Args:
            since: a stamp of this source. Empty: nobody is asked for, only ``newest`` is told, to
                begin with.

        Raises:
            SourceUnavailable: it does not answer, or not in full.
        """
        ...


def changes_of_table(database: Database, table: str, login: str, stamp: str, since: str) -> Changes:
    """What a table tells.

    Args:
        database: where it stands.
        table: its name.
        login: the column with logins.
        stamp: the column that says when a row was changed.
        since: as for ``ChangingSource.changes``.

    Raises:
        DatabaseFault: the database does not answer.
    """
    who: ColumnClause[Any] = column(login)
    when: ColumnClause[Any] = column(stamp)
    if not since:
        newest = sqlalchemy.select(sqlalchemy.func.max(when)).select_from(from_table(table))
        values = [to_text(value) for (value,) in database.rows(newest, database.deadline())]
        return Changes({}, values[0] or "")
    # No declared type: the server takes the text as the column's own type.
    asked = sqlalchemy.bindparam("since", since, type_=NullType())
    statement = sqlalchemy.select(who, when).select_from(from_table(table)).where(when >= asked)
    rows = database.rows(statement.order_by(when), database.deadline())
    pairs = [tuple(map(to_text, row)) for row in rows]
    stamps = {one: moment for one, moment in pairs if one and moment}
    return Changes(stamps, next((moment for _, moment in pairs[::-1] if moment), since))


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
