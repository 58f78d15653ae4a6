"""Rules: the short form, the long form, templates."""

from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mapping import rules, templates
from mapping.errors import MappingError
from mapping.rules import Rule
from mapping.transforms import Transform


def test_the_short_form_is_variable_to_field() -> None:
    built = rules.build({"UserFirstname": "First", "UserLastname": "Last"})

    assert built.rules == {
        "First": Rule("First", ("UserFirstname",)),
        "Last": Rule("Last", ("UserLastname",)),
    }
    assert built.overlong == "cut"
    assert built.fields == {"First", "Last"}
    assert built.variables == {"UserFirstname", "UserLastname"}


def test_of_several_variables_for_one_field_the_last_in_code_point_order_wins() -> None:
    built = rules.build({"aaa": "All", "UserLogin": "All", "Zeta": "All"})

    assert built.rules["All"].variables == ("aaa",)


def test_the_long_form_says_everything() -> None:
    built = rules.build(
        {},
        [
            {
                "from": "{UserFirstname} {UserLastname}",
                "to": "Name",
                "transform": ["strip", {"truncate": 20}],
                "default": "nobody",
                "on_manual_edit": "keep",
            }
        ],
        overlong="keep",
    )

    rule = built.rules["Name"]
    assert rule.variables == ("UserFirstname", "UserLastname")
    assert rule.template == templates.parse("{UserFirstname} {UserLastname}")
    assert rule.transforms == (Transform("strip"), Transform("truncate", (20,)))
    assert rule.default == "nobody"
    assert rule.on_manual_edit == "keep"
    assert built.overlong == "keep"


def test_the_long_form_needs_only_from_and_to() -> None:
    built = rules.build(
        {}, [{"from": "UserPhone", "to": "Phone", "transform": (), "default": None}]
    )

    assert built.rules == {"Phone": Rule("Phone", ("UserPhone",))}


def test_one_variable_may_feed_several_fields() -> None:
    built = rules.build(
        {"UserPhone": "A"},
        [{"from": "UserPhone", "to": "B"}, {"from": "UserPhone", "to": "C", "transform": "strip"}],
    )

    assert sorted(built.rules) == ["A", "B", "C"]
    assert built.variables == {"UserPhone"}


@pytest.mark.parametrize(
    ("short", "long", "first"),
    [
        ({}, [{"from": "V", "to": "F"}, {"from": "W", "to": "F"}], '{ from = "V", to = "F" }'),
        ({"V": "F"}, [{"from": "W", "to": "F"}], 'V = "F"'),
    ],
)
def test_two_rules_for_one_field_are_both_named(
    short: dict[str, str], long: list[dict[str, Any]], first: str
) -> None:
    with pytest.raises(MappingError) as caught:
        rules.build(short, long)

    assert f'two rules fill the field F: {first} and {{ from = "W", to = "F" }}' in str(
        caught.value
    )


@pytest.mark.parametrize(
    ("table", "problem"),
    [
        ({"to": "F"}, 'right: { from = "UserPhone", to = "CustomerPhone"'),
        ({"from": "V"}, "a text in from and one in to"),
        ({"from": "", "to": "F"}, "a text in from and one in to"),
        ({"from": ["V"], "to": "F"}, "a text in from and one in to"),
        (
            {"from": "V", "to": "F", "transforms": []},
            "nothing named transforms; there are from, to",
        ),
        ({"from": "V", "to": "F", "default": 0}, 'right: default = "0"'),
        ({"from": "V", "to": "F", "on_manual_edit": "no"}, '"overwrite" or "keep"'),
        ({"from": "V", "to": "F", "transform": ["nope"]}, "no transform 'nope'"),
    ],
)
def test_a_wrong_rule_is_told_what_is_wrong(table: dict[str, Any], problem: str) -> None:
    with pytest.raises(MappingError) as caught:
        rules.build({}, [table])

    assert problem in caught.value.problem


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("{UserFirstname", "without its partner"),
        ("UserFirstname}", "without its partner"),
        ("{}", "something else than the name"),
        ("{A!r}", "something else than the name"),
        ("{A:>3}", "something else than the name"),
        ("{{A}}", "reads no variable"),
    ],
)
def test_a_wrong_template_is_told_what_is_wrong(text: str, problem: str) -> None:
    with pytest.raises(MappingError) as caught:
        rules.build({}, [{"from": text, "to": "F"}])

    assert problem in caught.value.problem
    assert '"{UserFirstname} {UserLastname}"' in caught.value.problem


@pytest.mark.parametrize(
    ("text", "values", "expected"),
    [
        ("{A} {B}", {"A": "Jane", "B": "Doe"}, "Jane Doe"),
        ("{A} {B}", {"A": "Jane"}, "Jane"),
        ("{A} {B}", {"B": "Doe"}, "Doe"),
        ("{A} {B} {C}", {"A": "Jane", "C": "Doe"}, "Jane Doe"),
        ("{A} {B} {C}", {"C": "Doe"}, "Doe"),
        ("{A} {B} {C}", {"A": "Jane"}, "Jane"),
        ("{A}  {B}", {"A": "Jane", "B": "Doe"}, "Jane  Doe"),
        ("{A} {B}", {"A": " Jane ", "B": "Doe"}, " Jane  Doe"),
        ("{A} {B}", {"A": "Jane "}, "Jane "),
        ("{A}{B} x", {"A": "Jane"}, "Jane x"),
        ("Dr. {A} {B}", {"B": "Doe"}, "Dr. Doe"),
        ("{A} ({B})", {"A": "Jane", "B": "x"}, "Jane (x)"),
        ("{A} {{{B}}}", {"A": "Jane", "B": "x"}, "Jane {x}"),
        ("Dr. {A} {B}!", {}, ""),
        ("{A} and {A}", {"A": "x"}, "x and x"),
        ("{A}, {B}", {"A": "x", "B": "0"}, "x, 0"),
    ],
)
def test_a_template_makes_one_text(text: str, values: dict[str, str], expected: Any) -> None:
    assert templates.render(templates.parse(text), values) == expected


def test_a_template_reads_each_variable_once() -> None:
    assert templates.parse("{B} {A} {B}").variables == ("B", "A")


NAMES = st.text(alphabet="ABCabc_1", min_size=1, max_size=5)


@given(st.dictionaries(NAMES, st.text(min_size=1, alphabet="xyz"), min_size=1, max_size=4))
def test_values_without_gaps_come_out_as_written(values: dict[str, str]) -> None:
    text = " - ".join(f"{{{name}}}" for name in values)

    assert templates.render(templates.parse(text), values) == " - ".join(values.values())


@given(st.dictionaries(NAMES, NAMES, max_size=6), st.randoms())
def test_the_order_in_which_variables_are_written_does_not_matter(
    short: dict[str, str], random: Random
) -> None:
    shuffled = list(short.items())
    random.shuffle(shuffled)

    assert rules.build(dict(shuffled)) == rules.build(short)


@given(st.lists(NAMES, unique=True, max_size=5), st.randoms())
def test_the_order_in_which_rules_are_written_does_not_matter(
    targets: list[str], random: Random
) -> None:
    long = [{"from": "V", "to": to} for to in targets]
    shuffled = list(long)
    random.shuffle(shuffled)

    assert rules.build({}, shuffled) == rules.build({}, long)


@given(st.text())
def test_any_text_is_a_template_or_a_mapping_error(text: str) -> None:
    try:
        parsed = templates.parse(text)
    except MappingError:
        return
    assert parsed.variables
