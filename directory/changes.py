"""Whose data changed since somebody last asked? Only some sources can tell.

A table can whose rows say when they were changed (``change_time``), and an LDAP server whose
entries do (``modifyTimestamp``, Active Directory's ``whenChanged``). What such a column holds is
kept as the source writes it, and only ever compared by the source itself or with itself.

Who was deleted is in no such answer, and neither is who was changed by somebody who leaves the
column as it was.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol, runtime_checkable

import sqlalchemy
from sqlalchemy import ColumnClause, column
from sqlalchemy.types import NullType

from directory.database import Database
from directory.rows import from_table
from directory.values import to_text

NO_WATCH = "nothing says when a customer user was changed; set watch"


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
