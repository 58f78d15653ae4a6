"""What text is an SQL value? The text that OTOBO's database driver (Perl's DBI) gives for it.

Recorded in the cases values-26 to values-28: booleans are ``1`` and ``0``, numbers keep their
decimals, times have a fraction only if there is one, and a zone the way PostgreSQL writes it.
"""

import json
import math
import re
from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from types import NoneType
from typing import Any

from directory.model import AttributeValue

LARGEST_PLAIN_FLOAT = 1e15
"""From here on PostgreSQL writes a float with an exponent."""

_ZERO_FRACTION = re.compile(r"(\d\d:\d\d:\d\d)\.0+$")


def to_value(value: Any) -> AttributeValue | None:
    """Turn a value of a row into an attribute's value.

    Returns:
        None for NULL, bytes for bytes that are not UTF-8, a tuple for an array (without its
        NULLs), else text.
    """
    usual = _USUAL.get(type(value))
    if usual is not None:
        return usual(value)
    if isinstance(value, list | tuple):
        texts = (to_text(item) for item in value)
        return tuple(text for text in texts if text is not None)
    if isinstance(value, bytes | bytearray | memoryview):
        raw = bytes(value)
        try:
            return raw.decode()
        except UnicodeDecodeError:
            return raw
    return to_text(value)


def to_values(cells: Sequence[Any]) -> tuple[Sequence[AttributeValue | None], bool]:
    """Turn the values of a column into attributes' values, as ``to_value`` does.

    Returns:
        the values, and whether a NULL is among them.
    """
    kinds = set(map(type, cells))
    nulls = NoneType in kinds
    kinds.discard(NoneType)
    if kinds <= {str}:
        return cells, nulls
    convert = _USUAL.get(kinds.pop(), to_value) if len(kinds) == 1 else to_value
    if nulls:
        return [None if cell is None else convert(cell) for cell in cells], True
    return list(map(convert, cells)), False


def to_text(value: Any) -> str | None:  # noqa: C901, PLR0911 - one line for each kind
    """Turn a value of a row into text; bytes that are not UTF-8 have none, like NULL."""
    match value:
        case None | str():
            return value
        case bool():
            return "1" if value else "0"
        case datetime():
            return _moment(value)
        case float():
            return _float(value)
        case Decimal():
            return format(value, "f")
        case date():
            return value.isoformat()
        case time():
            return f"{_time(value)}{_offset(value)}"
        case timedelta():
            return _duration(value)
        case dict():
            return json.dumps(value, ensure_ascii=False)
        case bytes() | bytearray() | memoryview():
            text = to_value(value)
            return text if isinstance(text, str) else None
        case _:
            return str(value)


def without_zero_fraction(text: str) -> str:
    """A time stamp without ``.000000``, which SQLite keeps because it keeps times as text."""
    return _ZERO_FRACTION.sub(r"\1", text) if "." in text else text


def _float(value: float) -> str:
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "Infinity" if value > 0 else "-Infinity"
    if value.is_integer() and abs(value) < LARGEST_PLAIN_FLOAT:
        return str(int(value))
    return repr(value)


def _fraction(microseconds: int) -> str:
    return f".{microseconds:06}".rstrip("0") if microseconds else ""


def _moment(value: datetime) -> str:
    if value.microsecond == 0 and value.tzinfo is None:
        return value.isoformat(" ")
    return f"{value.date().isoformat()} {_time(value.timetz())}{_offset(value)}"


def _time(value: time) -> str:
    return f"{value.replace(microsecond=0, tzinfo=None).isoformat()}{_fraction(value.microsecond)}"


def _offset(value: datetime | time) -> str:
    """``+00``, ``-03:30``: minutes only if there are any, as PostgreSQL writes them."""
    offset = value.utcoffset()
    if offset is None:
        return ""
    sign = "-" if offset < timedelta(0) else "+"
    hours, minutes = divmod(abs(offset) // timedelta(minutes=1), 60)
    return f"{sign}{hours:02}" + (f":{minutes:02}" if minutes else "")


def _duration(value: timedelta) -> str:
    """``-838:59:59``, as MariaDB writes its type TIME."""
    sign = "-" if value < timedelta(0) else ""
    size = abs(value)
    minutes, seconds = divmod(size // timedelta(seconds=1), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{sign}{hours:02}:{minutes:02}:{seconds:02}{_fraction(size.microseconds)}"


_USUAL: Mapping[type, Callable[[Any], AttributeValue]] = {str: str, int: str, datetime: _moment}
"""What nearly all values of nearly all tables are; asked for by type, since there are so many."""
