"""How does a statement take many values at once, and stay the same statement?

PostgreSQL takes an array, as one text: the statement never changes, so it is planned once, and
nothing is bound value by value. The array stands in a SELECT of its own, so that the plan is made
for a few keys that nobody knows: for two hundred known ones PostgreSQL would rather read all of
``ticket_history``, and does so until it has planned the statement ten times. MariaDB, MySQL and
SQLite take a list that grows with the values.
"""

from collections.abc import Collection, Mapping, Sequence
from types import MappingProxyType
from typing import Any, TypeAlias, cast

from sqlalchemy import BindParameter, TextClause, bindparam, text

from directory import membership

POSTGRESQL = membership.TAKES_LISTS

BY_TICKET = " + 0"
"""What keeps PostgreSQL from choosing rows by their field, behind a column that holds a field's id.

While it has no statistics of ``dynamic_field_value`` it would read all values of the fields, of
every ticket there is, instead of some values of the tickets asked for.
"""

TICKETS: Mapping[str, str] = MappingProxyType({"tickets": "BIGINT"})
"""The list that nearly every statement has: ids of tickets."""

Scalar: TypeAlias = int | str | None


def statement(dialect: str, sql: str, lists: Mapping[str, str] = TICKETS) -> TextClause:
    """A statement with lists in it, to be made once and executed often.

    Args:
        dialect: the name of the database's dialect.
        sql: with ``{name}`` behind a column where it is compared with a list.
        lists: PostgreSQL's type of each list; ``bound`` gives what is bound to its name. One that
            is named ``fields`` stands beside a list of tickets, which chooses the rows.
    """
    if dialect == POSTGRESQL:
        arrays = {
            name: f"{BY_TICKET * (name == 'fields')} = ANY(CAST((SELECT :{name}) AS {kind}[]))"
            for name, kind in lists.items()
        }
        return text(sql.format(**arrays))
    growing: list[BindParameter[Any]] = [bindparam(name, expanding=True) for name in lists]
    return text(sql.format(**{name: f"IN :{name}" for name in lists})).bindparams(*growing)


def bound(dialect: str, values: Collection[int] | Collection[str]) -> Any:
    """What is bound to a list."""
    return array(tuple(values)) if dialect == POSTGRESQL else list(values)


def array(values: Sequence[Scalar]) -> str:
    """A PostgreSQL array as text, to be cast to its type (PostgreSQL manual, 8.15.6).

    Args:
        values: numbers or texts, not both; None stands among either.
    """
    if None not in values:
        if values and isinstance(values[0], str):
            return membership.array(cast(Sequence[str], values))
        return f"{{{','.join(map(str, values))}}}"
    return f"{{{','.join(map(_element, values))}}}"


def _element(value: Scalar) -> str:
    if value is None:
        return "NULL"
    return membership.array([value])[1:-1] if isinstance(value, str) else str(value)
