import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mapping.precedence import may_name
from worker.tickets.history import field_update

RECORDED = json.loads(Path(__file__).with_name("recorded_cut_lines.json").read_text())
"""Every line that a real OTOBO 11 was seen to cut, with what it was made of."""


@pytest.mark.parametrize("recorded", RECORDED, ids=lambda recorded: recorded["case"])
def test_lines_are_cut_as_a_real_otobo_cut_them(recorded: dict[str, str]) -> None:
    line = field_update(recorded["field"], recorded["new"], recorded["old"])

    assert line == recorded["line"]


def test_a_short_line_is_not_cut() -> None:
    expected = "%%FieldName%%Phone%%Value%%1%%OldValue%%"

    assert field_update("Phone", "1", "") == expected


def test_166_characters_still_fit() -> None:
    assert field_update("F" * 6, "n" * 80, "o" * 80) == (
        f"%%FieldName%%FFFFFF%%Value%%{'n' * 80}%%OldValue%%{'o' * 80}"
    )


def test_a_long_old_value_is_cut_to_50_characters_first() -> None:
    assert field_update("F" * 6, "n" * 80, "o" * 81) == (
        f"%%FieldName%%FFFFFF%%Value%%{'n' * 80}%%OldValue%%{'o' * 50}[...]"
    )


def test_a_name_that_still_fits_gets_the_mark_all_the_same() -> None:
    assert field_update("N" * 60, "s", "o" * 150) == (
        f"%%FieldName%%{'N' * 60}[...]%%Value%%s%%OldValue%%{'o' * 50}[...]"
    )


def test_name_and_new_value_share_the_room_when_both_are_too_long() -> None:
    assert field_update("N" * 90, "v" * 90, "") == (
        f"%%FieldName%%{'N' * 78}[...]%%Value%%{'v' * 78}[...]%%OldValue%%"
    )


@given(st.text(min_size=1, max_size=191), st.text(max_size=4000), st.text(max_size=4000))
def test_no_line_is_longer_than_the_column(name: str, new: str, old: str) -> None:
    assert len(field_update(name, new, old)) <= 200


@given(st.text("abcXYZ019", min_size=1, max_size=191), st.text(max_size=300), st.text(max_size=300))
def test_a_line_always_names_its_own_field(name: str, new: str, old: str) -> None:
    assert may_name(field_update(name, new, old), name)
