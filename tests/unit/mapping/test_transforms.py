"""Transforms: what they do, and what the settings are told when one is written wrong."""

from datetime import date
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mapping.errors import TransformError, TransformFailed
from mapping.transforms import EXAMPLES, Transform, build, build_all


@pytest.mark.parametrize(
    ("spec", "value", "expected"),
    [
        ("strip", "  Jane \t", "Jane"),
        ("strip", (" a ", "b "), ("a", "b")),
        ("lower", "ÄBC", "äbc"),
        ("upper", "äbc", "ÄBC"),
        ("first", ("a", "b"), "a"),
        ("first", (), ""),
        ("first", "a", "a"),
        ({"join": ", "}, ("a", "", "b"), "a, b"),
        ({"join": ", "}, "a", "a"),
        ({"split": ";"}, "a; b;;c ", ("a", "b", "c")),
        ({"split": ";"}, ("a;b", "c"), ("a", "b", "c")),
        ({"split": ";"}, "", ()),
        ({"replace": ["+49", "0"]}, "+49 30", "0 30"),
        ({"replace": ("a", "")}, ("abc", "cba"), ("bc", "cb")),
        ({"truncate": 2}, "äöü", "äö"),
        ({"lookup": {"DE": "Germany"}}, "DE", "Germany"),
        ({"lookup": {"DE": "Germany"}}, "FR", "FR"),
        ({"lookup": {"DE": "Germany"}, "default": "elsewhere"}, "FR", "elsewhere"),
        ({"lookup": {"DE": "Germany"}, "default": "elsewhere"}, "", ""),
        ({"lookup": {"": "none", "DE": "Germany"}}, ("", "DE"), ("none", "Germany")),
        ({"date": {"from": "%d.%m.%Y"}}, "29.02.2024", "2024-02-29"),
        ({"date": {"from": "%d.%m.%Y %H:%M"}}, "29.02.2024 00:00", "2024-02-29 00:00:00"),
        ({"date": {"from": "%d.%m.%Y", "to": "%Y"}}, "29.02.2024", "2024"),
        ({"date": {"from": "%Y%m%d%H%M%S%z"}}, "20240229233000-0100", "2024-03-01 00:30:00"),
        ({"date": {"from": "%Y"}}, "", ""),
        ({"date": {"from": "%Y"}}, ("2024", "2025"), ("2024-01-01", "2025-01-01")),
    ],
)
def test_a_transform_changes_a_value(spec: Any, value: Any, expected: Any) -> None:
    assert build(spec)(value) == expected


@pytest.mark.parametrize(
    ("spec", "text"),
    [
        ({"date": {"from": "%d.%m.%Y"}}, "30.02.2024"),
        ({"date": {"from": "%d.%m.%Y"}}, "secret"),
        ({"date": {"from": "%Y-%m-%d %z"}}, "0001-01-01 +2359"),
    ],
)
def test_a_date_that_cannot_be_read_fails_without_repeating_it(spec: Any, text: str) -> None:
    with pytest.raises(TransformFailed) as caught:
        build(spec)(text)

    assert text not in str(caught.value)
    assert caught.value.transform == f"date({spec['date']['from']!r})"
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__


@pytest.mark.parametrize(
    ("spec", "problem", "example"),
    [
        ("stripp", "no transform 'stripp'", "strip, lower"),
        ("truncate", "needs an argument", "{ truncate = 20 }"),
        (7, "a name or a table", "{ truncate = 20 }"),
        ({}, "names one transform, this one has none", "{ truncate = 20 }"),
        ({"strip": True, "lower": True}, "this one has lower, strip", "{ truncate = 20 }"),
        ({"strip": True}, "takes no argument", '"strip"'),
        ({"truncate": 20, "default": "x"}, "has nothing named default", "{ truncate = 20 }"),
        ({"truncate": 0}, "1 or more", "{ truncate = 20 }"),
        ({"truncate": True}, "1 or more", "{ truncate = 20 }"),
        ({"truncate": "5"}, "1 or more", "{ truncate = 20 }"),
        ({"join": 1}, "the text that joins", '{ join = ", " }'),
        ({"split": ""}, "the text that separates", '{ split = ";" }'),
        ({"split": 3}, "the text that separates", '{ split = ";" }'),
        ({"replace": "ab"}, "two texts", '{ replace = ["+49", "0"] }'),
        ({"replace": ["", "b"]}, "two texts", '{ replace = ["+49", "0"] }'),
        ({"replace": ["a"]}, "two texts", '{ replace = ["+49", "0"] }'),
        ({"lookup": "DE"}, "a table of texts", "{ DE = "),
        ({"lookup": {"DE": 1}}, "a table of texts", "{ DE = "),
        ({"lookup": {}, "default": 1}, "a text as default", "{ DE = "),
        ({"date": "%Y"}, "a table with from", 'from = "%d.%m.%Y"'),
        ({"date": {"to": "%Y"}}, "a table with from", 'from = "%d.%m.%Y"'),
        ({"date": {"from": "%Y", "zone": "UTC"}}, "a table with from", 'from = "%d.%m.%Y"'),
        ({"date": {"from": "%Y", "to": 1}}, "a text in to", 'from = "%d.%m.%Y"'),
        ({"date": {"from": "%Q"}}, "cannot read with the format '%Q'", 'from = "%d.%m.%Y"'),
        ({"date": {"from": "%Y %Y"}}, "cannot read with the format", 'from = "%d.%m.%Y"'),
        ({"date": {"from": "%Y", "to": "\ud800"}}, "cannot read with", 'from = "%d.%m.%Y"'),
    ],
)
def test_a_wrong_spec_is_told_what_is_wrong_and_shown_what_is_right(
    spec: Any, problem: str, example: str
) -> None:
    with pytest.raises(TransformError) as caught:
        build(spec)

    assert problem in caught.value.problem
    assert example in caught.value.problem


@pytest.mark.parametrize(
    ("spec", "name"),
    [
        ("strip", "strip"),
        ({"truncate": 20}, "truncate(20)"),
        ({"replace": ["a", "b"]}, "replace('a', 'b')"),
        ({"lookup": {"DE": "Germany"}, "default": "x"}, "lookup"),
        ({"date": {"from": "%Y"}}, "date('%Y')"),
        ({"date": {"from": "%Y", "to": "%y"}}, "date('%Y', '%y')"),
    ],
)
def test_a_transform_has_a_name_for_people(spec: Any, name: str) -> None:
    assert build(spec).name == name


def test_transforms_are_values() -> None:
    assert build({"lookup": {"a": "b"}}) == Transform("lookup", ((("a", "b"),), None))
    assert len({build("strip"), build("strip"), build("lower")}) == 2


def test_one_spec_or_a_list_in_order() -> None:
    assert build_all("strip") == (Transform("strip"),)
    assert build_all({"truncate": 3}) == (Transform("truncate", (3,)),)
    assert build_all(["strip", {"truncate": 3}]) == (
        Transform("strip"),
        Transform("truncate", (3,)),
    )
    assert build_all(()) == ()


TOTAL = [
    "strip",
    "lower",
    "upper",
    "first",
    {"join": "-"},
    {"split": ","},
    {"replace": ["a", "b"]},
    {"truncate": 3},
    {"lookup": {"a": "b"}, "default": "c"},
]


@given(
    st.sampled_from(TOTAL),
    st.one_of(st.text(), st.lists(st.text(), max_size=4).map(tuple)),
)
def test_only_dates_can_fail(spec: Any, value: Any) -> None:
    changed = build(spec)(value)

    assert isinstance(changed, str | tuple)


@given(st.one_of(st.text(), st.lists(st.text(), max_size=4).map(tuple)))
def test_a_date_is_read_or_fails_and_nothing_else(value: Any) -> None:
    transform = build({"date": {"from": "%d.%m.%Y"}})

    try:
        changed = transform(value)
    except TransformFailed:
        return
    assert changed == value == "" or all(text == "" for text in changed)


@given(st.dates())
def test_a_written_date_is_read_back(day: date) -> None:
    transform = build({"date": {"from": "%d.%m.%Y"}})

    assert transform(f"{day.day:02d}.{day.month:02d}.{day.year:04d}") == day.isoformat()


def test_every_transform_has_an_example() -> None:
    assert sorted(EXAMPLES) == [
        "date",
        "first",
        "join",
        "lookup",
        "lower",
        "replace",
        "split",
        "strip",
        "truncate",
        "upper",
    ]
