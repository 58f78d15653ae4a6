"""How does each dynamic field type hold a value? Its canonical form, rows and readable text.

A canonical value is a tuple of what stands in the type's column; the empty tuple is no value.
Values are compared in this form (deviation D4): where OTOBO compares a list with a text, or a date
with a date and time, and writes again what stands there already, equal here means nothing to do.
The rules for each type are those of OTOBO's drivers (observed rules 10, 11, 17 to 23).
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType
from typing import Literal, TypeAlias

from mapping.model import DynamicField, Labels, Reason, ValueRow

Scalar: TypeAlias = str | int
Canonical: TypeAlias = tuple[Scalar, ...]
"""A field's value: texts, ``YYYY-MM-DD HH:MM:SS`` or integers; empty = no value."""

MAX_TEXT = 3800
"""Characters that ``value_text`` holds on every database (observed rule 10)."""

_BIGINT = 2**63
_DATE = re.compile(r"([0-9]{4}-[0-9]{2}-[0-9]{2})(?: 00:00:00)?")
_DATE_TIME = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2} [0-9]{2}:[0-9]{2}:[0-9]{2}")
_INTEGER = re.compile(r"-?[0-9]{1,19}")


def _date(text: str) -> str | None:
    """A bare date, or one with midnight; stored with midnight (observed rule 17)."""
    match = _DATE.fullmatch(text)
    return _date_time(f"{match[1]} 00:00:00") if match else None


def _date_time(text: str) -> str | None:
    if not _DATE_TIME.fullmatch(text):
        return None
    try:
        datetime.fromisoformat(text)
    except ValueError:  # 2024-02-30
        return None
    return text


def _tick(text: str) -> int | None:
    return {"1": 1, "0": 0}.get(text)


def _integer(text: str) -> int | None:
    if not _INTEGER.fullmatch(text) or not -_BIGINT <= int(text) < _BIGINT:
        return None
    return int(text)


def _day(value: Scalar) -> str:
    return str(value)[:10]


@dataclass(frozen=True, slots=True)
class Kind:
    """What the driver of a field type does.

    Attributes:
        column: the column of ``dynamic_field_value`` that holds the value.
        accept: the canonical form of one text; None if the type refuses it. A type without it
            takes every text as it is.
        emptied: the row that stays when a field with a value is emptied; None = no row.
        holds_list: every field of the type holds a list, in rows without ``index_value``.
        refers: the value is the key of something that has a label.
        readable: the text of one value in history lines.
    """

    column: Literal["value_text", "value_date", "value_int"]
    accept: Callable[[str], Scalar | None] | None = None
    emptied: ValueRow | None = None
    holds_list: bool = False
    refers: bool = False
    readable: Callable[[Scalar], str] = str


_TEXT = Kind("value_text")
_REFERENCE = Kind("value_text", refers=True)

KINDS: Mapping[str, Kind] = MappingProxyType(
    {
        "Text": _TEXT,
        "TextArea": _TEXT,
        "RichText": _TEXT,
        "Dropdown": _TEXT,  # the key; PossibleValues are neither checked nor shown (rule 21)
        "Multiselect": Kind("value_text", holds_list=True),
        "Checkbox": Kind("value_int", _tick, emptied=ValueRow(value_int=0)),
        "Date": Kind("value_date", _date, emptied=ValueRow(), readable=_day),
        "DateTime": Kind("value_date", _date_time, emptied=ValueRow()),
        "CustomerUser": _REFERENCE,
        "CustomerCompany": _REFERENCE,
        "Agent": Kind("value_int", _integer, refers=True),
    }
)
"""The field types that are written; every other type is refused (deviation D17)."""


def refusal(  # noqa: PLR0911 - one return for each reason
    field: DynamicField | None,
) -> tuple[Reason, str] | None:
    """Why nothing is ever written into a field, with an explanation; None if it can be a target."""
    if field is None:
        return Reason.NO_SUCH_FIELD, "no dynamic field has this name; case matters"
    if field.object_type != "Ticket":
        return Reason.WRONG_OBJECT_TYPE, f"the field belongs to {field.object_type}, not to Ticket"
    if not field.valid:
        return Reason.INVALID_FIELD, "the field is set invalid"
    if field.internal:
        return Reason.UNSUPPORTED_TYPE, "the field is internal to the ticket system"
    if field.field_type not in KINDS:
        return Reason.UNSUPPORTED_TYPE, f"fields of the type {field.field_type} are not written"
    if field.field_type == "Dropdown" and field.config.get("PossibleValues") is None:
        return Reason.INVALID_VALUE, "the Dropdown's configuration has no PossibleValues"
    return None


def is_list(field: DynamicField) -> bool:
    """Whether the field holds any number of values."""
    return KINDS[field.field_type].holds_list or field.multi_value


def is_overlong(field: DynamicField, texts: Sequence[str]) -> bool:
    """Whether a text does not fit into the column (deviation D15)."""
    for text in texts:
        if len(text) > MAX_TEXT:
            return KINDS[field.field_type].column == "value_text"
    return False


def accept(field: DynamicField, texts: Sequence[str]) -> Canonical | None:
    """The canonical value of texts, none of them empty; None if the type refuses one of them.

    A Multiselect is a choice of keys: a key counts once.
    """
    kind = KINDS[field.field_type]
    if kind.holds_list:
        texts = tuple(dict.fromkeys(texts))
    if kind.accept is None:
        return tuple(texts)
    value: list[Scalar] = []
    for text in texts:
        scalar = kind.accept(text)
        if scalar is None:
            return None
        value.append(scalar)
    return tuple(value)


def read(field: DynamicField, rows: Sequence[ValueRow]) -> Canonical:
    """The canonical value of stored rows, given in id order, as OTOBO reads them.

    Of several rows of a field with one value (two requests at once can leave them behind) the
    lowest id counts.
    """
    kind = KINDS[field.field_type]
    if not (kind.holds_list or field.multi_value):
        scalar = getattr(rows[0], kind.column) if rows else None
        return () if scalar is None or scalar == "" else (scalar,)
    counted = rows if kind.holds_list else sorted(rows, key=_position)
    scalars = [getattr(row, kind.column) for row in counted]
    return tuple([scalar for scalar in scalars if scalar is not None and scalar != ""])


def rows_for(field: DynamicField, value: Canonical, *, existing: bool) -> tuple[ValueRow, ...]:
    """The rows that hold a value.

    Args:
        field: a field that ``refusal`` lets pass.
        value: the canonical value.
        existing: whether the field has rows now: an empty value leaves what the type leaves
            behind, and creates nothing where nothing was (observed rule 11).
    """
    kind = KINDS[field.field_type]
    if not value:
        if kind.emptied is None or field.multi_value or not existing:
            return ()
        return (kind.emptied,)
    if len(value) == 1 and not field.multi_value:
        return (_row(kind, value[0]),)
    indexed = field.multi_value and not kind.holds_list
    return tuple(
        [_row(kind, scalar, place if indexed else None) for place, scalar in enumerate(value)]
    )


def holds(field: DynamicField, rows: Sequence[ValueRow], value: Canonical) -> bool:
    """Whether the rows hold the value, so that nothing needs to be written."""
    return is_settled(field, rows, read(field, rows), value)


def is_settled(
    field: DynamicField, rows: Sequence[ValueRow], current: Canonical, value: Canonical
) -> bool:
    """The same as ``holds`` where it is known that the rows read as ``current``.

    Rows that a race left behind twice never hold a value; writing heals them.
    """
    if value and current != value:
        return False
    if not _is_sound(field, rows):
        return False
    return bool(value) or current == read(field, rows_for(field, (), existing=bool(rows)))


def readable(field: DynamicField, value: Canonical, labels: Labels) -> str:
    """The text of a value in history lines; several joined with ``", "``.

    A reference is shown by its label, a reference without a known label as nothing.
    """
    kind = KINDS[field.field_type]
    if kind.refers:
        return ", ".join(labels.get(key, "") for key in references(field, value))
    if len(value) == 1:
        return kind.readable(value[0])
    return ", ".join([kind.readable(scalar) for scalar in value])


def references(field: DynamicField, value: Canonical) -> tuple[tuple[str, str], ...]:
    """The keys of ``Labels`` that the readable text of a value needs."""
    if not KINDS[field.field_type].refers:
        return ()
    return tuple((field.field_type, str(scalar)) for scalar in value)


def _is_sound(field: DynamicField, rows: Sequence[ValueRow]) -> bool:
    """Whether no two rows stand in one place."""
    if KINDS[field.field_type].holds_list:
        return True  # a row too many is a value too many
    if not field.multi_value:
        return len(rows) <= 1
    return len({_position(row) for row in rows}) == len(rows)


def _position(row: ValueRow) -> int:
    """A row that was written before the field held a list has no index; it is the first."""
    return row.index_value or 0


def _row(kind: Kind, scalar: Scalar, index: int | None = None) -> ValueRow:
    if kind.column == "value_int":
        return ValueRow(None, None, int(scalar), index)
    if kind.column == "value_date":
        return ValueRow(None, str(scalar), None, index)
    return ValueRow(str(scalar), None, None, index)
