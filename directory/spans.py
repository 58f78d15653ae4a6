"""Which rows of a table have a time in a span? Decided by the server where a column holds times.

Elsewhere (text, and all of SQLite, which keeps times as the text that it was given) nobody knows
how they are written; they are compared here, when they have come.
"""

from collections.abc import Mapping
from datetime import date, datetime, timedelta
from typing import Any

import sqlalchemy
from sqlalchemy import ColumnElement, Connection, bindparam, column
from sqlalchemy.exc import NoSuchTableError
from sqlalchemy.types import NullType

from directory.rows import split_name
from directory.search import Between

TYPED = frozenset({"postgresql", "mysql", "mariadb"})
"""Databases that compare times as times."""


def time_columns(connection: Connection, table: str) -> Mapping[str, bool]:
    """The columns of a table that hold times, each with whether these are days alone."""
    if connection.dialect.name not in TYPED:
        return {}
    schema, name = split_name(table)
    try:
        found = sqlalchemy.inspect(connection).get_columns(name, schema=schema)
    except NoSuchTableError:
        return {}  # the search itself will say so
    return {
        one["name"]: isinstance(one["type"], sqlalchemy.Date)
        for one in found
        if isinstance(one["type"], sqlalchemy.Date | sqlalchemy.DateTime)
    }


def in_span(between: Between, *, days: bool) -> ColumnElement[bool]:
    """The condition that a time is in a span, and perhaps some that are not.

    Args:
        between: the span.
        days: the column holds days alone.
    """
    held: ColumnElement[Any] = column(between.field)
    parts: list[ColumnElement[bool]] = []
    first, last = between.after[:10] if days else between.after, between.before
    if _read(first) is not None:
        parts.append(held >= bindparam(None, first, type_=NullType()))
    end = _behind(last[:10] if days else last)
    if end is not None:
        parts.append(held < bindparam(None, end, type_=NullType()))
    return sqlalchemy.and_(sqlalchemy.true(), *parts)


def _behind(text: str) -> str | None:
    """The first moment behind a day or a second; None if there is none."""
    read = _read(text)
    step = timedelta(seconds=1) if isinstance(read, datetime) else timedelta(days=1)
    try:
        return None if read is None else str(read + step)
    except OverflowError:
        return None


def _read(text: str) -> date | datetime | None:
    """A day or a moment; None for none, and for those that no calendar has."""
    try:
        return date.fromisoformat(text) if len(text) == len("2026-11-01") else _moment(text)
    except ValueError:
        return None


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text)
