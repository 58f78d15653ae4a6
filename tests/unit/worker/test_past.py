"""Lines of the ticket history, read as they were written."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mapping.precedence import may_name
from worker.tickets.history import CUT, OLD_MARK, field_update
from worker.tickets.past import FieldUpdate, read_update

RECORDED = json.loads(Path(__file__).with_name("recorded_cut_lines.json").read_text())

NAMES = st.text("AbcXyz09", min_size=1, max_size=190)
VALUES = st.text(max_size=220).filter(lambda value: OLD_MARK not in value)


def begins(text: str | None, whole: str) -> bool:
    return text is not None and whole.startswith(text.removesuffix(CUT))


@pytest.mark.parametrize("recorded", RECORDED, ids=lambda recorded: recorded["case"])
def test_what_a_real_otobo_cut_is_read_as_beginnings(recorded: dict[str, str]) -> None:
    told = read_update(recorded["line"])

    assert begins(told.field, recorded["field"])
    assert begins(told.new, recorded["new"])
    assert begins(told.old, recorded["old"])
    assert told.cut == recorded["line"].startswith(f"%%FieldName%%{told.field}{CUT}")


@given(NAMES, VALUES, VALUES)
def test_what_was_written_is_read_again(name: str, new: str, old: str) -> None:
    told = read_update(line := field_update(name, new, old))

    assert may_name(line, name)
    assert begins(told.field, name)
    if len(name) + len(new) + len(old) <= 166:
        assert told == FieldUpdate(name, cut=False, new=new, old=old)


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("", FieldUpdate("", cut=True, new=None, old=None)),
        ("%%Phone%%1", FieldUpdate("", cut=True, new=None, old=None)),
        ("%%FieldName%%Pho", FieldUpdate("Pho", cut=True, new=None, old=None)),
        ("%%FieldName%%Phone%%Value%%1", FieldUpdate("Phone", cut=False, new=None, old=None)),
    ],
)
def test_a_line_of_another_form_tells_no_values(line: str, told: FieldUpdate) -> None:
    assert read_update(line) == told


def test_no_value_is_seen_in_a_repr() -> None:
    assert "secret" not in repr(read_update(field_update("Phone", "secret", "secret")))
