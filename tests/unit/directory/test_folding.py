"""Two spellings are one login only where they differ in the case of letters."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from directory.folding import fold


@pytest.mark.parametrize(
    ("spelling", "login"),
    [("JDoe", "jdoe"), ("ÜBER", "über"), ("ΟΔΟΣ", "οδοσ"), ("ИВАН", "иван"), ("42", "42")],
)
def test_case_does_not_count(spelling: str, login: str) -> None:
    assert fold(spelling) == login


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("straße", "strasse"),
        ("STRASSE", "straße"),
        ("\u0130", "i"),  # capital I with a dot
        ("\u0130", "i\u0307"),
        ("\u0131", "i"),  # small i without a dot
        ("\u212a", "k"),  # Kelvin sign
        ("\u212b", "å"),  # Angstrom sign
        ("\u1e9e", "ß"),  # capital sharp s
        ("\u03c2", "\u03c3"),
        ("jdoe ", "jdoe"),
        ("jöe", "joe"),
        ("\u00fc", "u\u0308"),  # composed and decomposed
        ("\ufb01", "fi"),  # ligature
    ],
)
def test_nothing_but_case_is_overlooked(one: str, other: str) -> None:
    assert fold(one) != fold(other)


@given(st.text())
def test_a_fold_is_as_long_as_its_spelling_and_stays_when_folded_again(text: str) -> None:
    assert len(fold(text)) == len(text)
    assert fold(fold(text)) == fold(text)


@given(st.characters(), st.characters())
def test_at_most_a_capital_and_its_small_letter_are_one(one: str, other: str) -> None:
    if one != other and fold(one) == fold(other):
        assert {one, other} == {fold(one), fold(one).upper()}


def test_no_third_letter_is_taken_for_one_of_a_pair() -> None:
    every = "".join(map(chr, range(0x110000)))
    letters: dict[str, list[str]] = {}
    for letter, small in zip(every, fold(every), strict=True):
        letters.setdefault(small, []).append(letter)

    assert [group for group in letters.values() if len(group) > 2] == []
