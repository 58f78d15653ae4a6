"""How does each type of dynamic field hold a customer user's value? As OTOBO's drivers do (spec 3).

Unlike OTOBO, which leaves that to its forms, choices, lengths and the patterns that a form asks for
(RegExList) are checked before a value is written.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal, TypeAlias

import yaml

from directory.map_values import Texts, listed
from directory.patterns import readable
from directory.refusals import Refusal
from directory.values import to_text, without_zero_fraction

MAX_TEXT = 3800
"""Characters that ``value_text`` holds (observed rule 10)."""

_DATE = re.compile(r"([0-9]{4}-[0-9]{2}-[0-9]{2})(?: 00:00:00)?")
_DATE_TIME = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2} [0-9]{2}:[0-9]{2}:[0-9]{2}")

_Column: TypeAlias = Literal["value_text", "value_date", "value_int"]


def _date(text: str) -> str | None:
    match = _DATE.fullmatch(text)
    return _date_time(f"{match[1]} 00:00:00") if match else None


def _date_time(text: str) -> str | None:
    try:
        return str(datetime.fromisoformat(text)) if _DATE_TIME.fullmatch(text) else None
    except ValueError:  # 2024-02-30
        return None


def _tick(text: str) -> str | None:
    return text if text in {"0", "1"} else None


@dataclass(frozen=True, slots=True)
class _Kind:
    """What the driver of a field type does.

    Attributes:
        column: where its values stand.
        holds_list: every field of the type holds a list.
        chooses: its values are keys of PossibleValues.
        accept: a text as it is stored; None if it is refused.
        takes: what it takes instead, for people.
        emptied: what stays of a field that is emptied: a row with NULLs, with 0, or none.
        fits: its form asks for patterns.
    """

    column: _Column = "value_text"
    holds_list: bool = False
    chooses: bool = False
    accept: Callable[[str], str | None] = str
    takes: str = ""
    emptied: Literal["no row", "nulls", "zero"] = "no row"
    fits: bool = False


_KINDS: Mapping[str, _Kind] = {
    "Text": _Kind(fits=True),
    "TextArea": _Kind(fits=True),
    "RichText": _Kind(),
    "Dropdown": _Kind(chooses=True),
    "Multiselect": _Kind(holds_list=True, chooses=True),
    "Checkbox": _Kind("value_int", accept=_tick, takes="1 or 0", emptied="zero"),
    "Date": _Kind("value_date", accept=_date, takes="a date like 2026-01-31", emptied="nulls"),
    "DateTime": _Kind(
        "value_date",
        accept=_date_time,
        takes="a date and time like 2026-01-31 14:30:00",
        emptied="nulls",
    ),
    "CustomerUser": _Kind(),
    "CustomerCompany": _Kind(),
}
"""The field types that are written."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What a form asks of a text.

    Attributes:
        pattern: Perl's; it may fit anywhere in the text.
        message: what the form says if it does not.
    """

    pattern: str
    message: str


@dataclass(frozen=True, slots=True)
class Definition:
    """A valid dynamic field of customer users.

    Attributes:
        id: its id.
        kind: its type, ``Text``.
        several: it holds a list.
        choices: labels by key, for a type with PossibleValues.
        asked: all of them, for a type whose form asks for patterns (RegExList).
    """

    id: int
    kind: str
    several: bool = False
    choices: Mapping[str, str] = field(default_factory=dict)
    asked: tuple[Asked, ...] = ()

    @property
    def indexed(self) -> bool:
        """Whether its values are numbered, which those of a Multiselect are not."""
        return self.several and not _KINDS[self.kind].holds_list


def definition(id_: int, kind: str, config: str | None) -> Definition:
    """The definition that a row of ``dynamic_field`` holds, its config a YAML document."""
    try:
        # Every scalar is a text, as Perl has it.
        settings = yaml.load(config or "", Loader=yaml.BaseLoader)  # noqa: S506
    except yaml.YAMLError:
        settings = None
    settings = settings if isinstance(settings, Mapping) else {}
    choices = settings.get("PossibleValues")
    holds_list = kind in _KINDS and _KINDS[kind].holds_list
    return Definition(
        id_,
        kind,
        several=holds_list or settings.get("MultiValue", "0") not in {"", "0", "~"},
        choices={str(key): str(label) for key, label in choices.items()}
        if isinstance(choices, Mapping)
        else {},
        asked=_asked(settings.get("RegExList")) if kind in _KINDS and _KINDS[kind].fits else (),
    )


def _asked(listed_: object) -> tuple[Asked, ...]:
    entries = listed_ if isinstance(listed_, list) else []
    return tuple(
        Asked(str(one["Value"]), str(one.get("ErrorMessage") or ""))
        for one in entries
        if isinstance(one, Mapping) and one.get("Value")
    )


def problem(found: Definition | None, name: str, texts: Texts) -> tuple[Refusal, str] | None:
    """Why a field cannot take texts: a code, and what to do; None if it can.

    Args:
        found: the field's definition, if there is a valid field of that name.
        name: its name.
        texts: none = to be emptied.
    """
    if found is None:
        told = f"needs the dynamic field {name}, which is not there or not valid; leave it out"
        return "unknown_field", told
    if found.kind not in _KINDS:
        told = f"is of the type {found.kind}, which is not written from here; leave it out"
        return "read_only_field", told
    if len(texts) > 1 and not found.several:
        return "wrong_arguments", "holds one value; give a text, or a list of one"
    problems = (
        _problem_of_text(_KINDS[found.kind], found.choices, text) or _misfit(found.asked, text)
        for text in texts
    )
    return next(filter(None, problems), None)


def _misfit(asked: Sequence[Asked], text: str) -> tuple[Refusal, str] | None:
    """Why a text is not what a form asks for; an empty one is not asked."""
    for one in asked if text else ():
        pattern = readable(one.pattern)
        if pattern is None:
            told = (
                f"must fit the pattern {one.pattern}, which only Perl can read; write the field in "
                "OTOBO, or give it a pattern that Python reads, too"
            )
            return "no_match", told
        if pattern.search(text) is None:
            said = f" ({one.message})" if one.message else ""
            return "no_match", f"must fit the pattern {one.pattern}{said}"
    return None


def _problem_of_text(
    kind: _Kind, choices: Mapping[str, str], text: str
) -> tuple[Refusal, str] | None:
    if kind.chooses and text not in choices:
        offered = (key if key == label else f"{key} ({label})" for key, label in choices.items())
        return "not_a_choice", f"is one of {listed(offered) or 'nothing: it has no choices'}"
    if kind.accept(text) is None:
        return (
            "not_a_date" if kind.column == "value_date" else "not_a_choice"
        ), f"takes {kind.takes}"
    if len(text) > MAX_TEXT:
        return (
            "too_long",
            f"holds {MAX_TEXT} characters, and this value has {len(text)}; shorten it",
        )
    return None


def rows_for(found: Definition, texts: Texts, *, existing: bool) -> list[dict[str, Any]]:
    """The rows that hold texts.

    Args:
        found: the field's definition.
        texts: that it takes; none = to be emptied.
        existing: whether it has rows: emptying creates nothing where nothing was (observed 11).
    """
    kind = _KINDS[found.kind]
    values = [_cell(kind, text) for text in texts]
    if kind.holds_list:
        values = [*dict.fromkeys(values)]
    if not values and existing and kind.emptied != "no row" and not found.several:
        values = [0 if kind.emptied == "zero" else None]
    same = {"field_id": found.id}
    if not found.indexed:
        return [{**same, kind.column: value} for value in values]
    return [
        {**same, kind.column: value, "index_value": place} for place, value in enumerate(values)
    ]


def _cell(kind: _Kind, text: str) -> Any:
    accepted = kind.accept(text)
    if kind.column == "value_date":
        return None if accepted is None else datetime.fromisoformat(accepted)
    return accepted if kind.column == "value_text" else int(accepted or 0)


def is_held(
    found: Definition, rows: Sequence[Mapping[str, Any]], news: Sequence[Mapping[str, Any]]
) -> bool:
    """Whether the stored rows are the new ones already."""
    name = _KINDS[found.kind].column

    def told(row: Mapping[str, Any]) -> tuple[str | None, int]:
        # A row that was written before the field held a list has no index; it is the first.
        place = int(row.get("index_value") or 0) if found.indexed else 0
        text = to_text(row[name])
        return None if text is None else without_zero_fraction(text), place

    return [told(row) for row in rows] == [told(new) for new in news]
