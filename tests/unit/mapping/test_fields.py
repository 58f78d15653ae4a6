"""The dynamic field types: canonical values, stored rows, readable texts."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mapping import fields
from mapping.fields import KINDS
from mapping.model import DynamicField, Reason, ValueRow
from tests.unit.mapping.builders import field


@pytest.mark.parametrize(
    ("field_type", "texts", "expected"),
    [
        ("Text", (" a\r\n",), (" a\r\n",)),
        ("TextArea", ("0",), ("0",)),
        ("RichText", ("<b>x</b>",), ("<b>x</b>",)),
        ("Dropdown", ("not a possible value",), ("not a possible value",)),
        ("Multiselect", ("a, b", "c", "a, b"), ("a, b", "c")),
        ("Checkbox", ("1",), (1,)),
        ("Checkbox", ("0",), (0,)),
        ("Checkbox", ("yes",), None),
        ("Checkbox", ("true",), None),
        ("Checkbox", ("2",), None),
        ("Checkbox", ("01",), None),
        ("Checkbox", ("|",), None),
        ("Date", ("2024-02-29",), ("2024-02-29 00:00:00",)),
        ("Date", ("2024-02-29 00:00:00",), ("2024-02-29 00:00:00",)),
        ("Date", ("2024-02-29 00:00:01",), None),
        ("Date", ("2024-02-30",), None),
        ("Date", ("2024-13-01",), None),
        ("Date", ("0000-00-00",), None),
        ("Date", ("29.02.2024",), None),
        ("Date", ("20240229",), None),
        ("Date", ("2024-02-29\n",), None),
        ("Date", ("२०२४-०२-२९",), None),
        ("DateTime", ("2024-02-29 10:11:12",), ("2024-02-29 10:11:12",)),
        ("DateTime", ("2024-02-29",), None),
        ("DateTime", ("2024-02-30 10:00:00",), None),
        ("DateTime", ("2024-02-29 25:00:00",), None),
        ("DateTime", ("2024-02-29T10:11:12",), None),
        ("DateTime", ("2024-02-29 10:11",), None),
        ("DateTime", ("2024-02-29 10:11:12.5",), None),
        ("DateTime", ("2024-02-29 10:11:12+02",), None),
        ("CustomerUser", ("nobody",), ("nobody",)),
        ("CustomerCompany", ("acme",), ("acme",)),
        ("Agent", ("1",), (1,)),
        ("Agent", ("007",), (7,)),
        ("Agent", ("-9223372036854775808",), (-(2**63),)),
        ("Agent", ("9223372036854775808",), None),
        ("Agent", ("9" * 5000,), None),
        ("Agent", ("x",), None),
        ("Text", (), ()),
    ],
)
def test_a_type_accepts_a_value_or_refuses_it(
    field_type: str, texts: tuple[str, ...], expected: Any
) -> None:
    assert fields.accept(field(field_type=field_type), texts) == expected


def test_a_list_with_one_refused_text_is_refused() -> None:
    assert fields.accept(field(field_type="Checkbox", MultiValue=1), ("1", "yes")) is None


@pytest.mark.parametrize(
    ("field_type", "texts", "stored"),
    [
        ("Text", ("x",), ValueRow(value_text="x")),
        ("Dropdown", ("a",), ValueRow(value_text="a")),
        ("Checkbox", ("0",), ValueRow(value_int=0)),
        ("Date", ("2024-02-29",), ValueRow(value_date="2024-02-29 00:00:00")),
        ("DateTime", ("2024-02-29 10:11:12",), ValueRow(value_date="2024-02-29 10:11:12")),
        ("CustomerUser", ("jdoe",), ValueRow(value_text="jdoe")),
        ("CustomerCompany", ("acme",), ValueRow(value_text="acme")),
        ("Agent", ("3",), ValueRow(value_int=3)),
    ],
)
def test_one_value_stands_in_one_row_without_an_index(
    field_type: str, texts: tuple[str, ...], stored: Any
) -> None:
    item = field(field_type=field_type)
    value = fields.accept(item, texts)

    assert value is not None
    assert fields.rows_for(item, value, existing=False) == (stored,)


def test_a_multiselect_stands_in_rows_without_an_index() -> None:
    item = field(field_type="Multiselect", MultiValue="1")

    assert fields.rows_for(item, ("a", "b"), existing=False) == (
        ValueRow(value_text="a"),
        ValueRow(value_text="b"),
    )


def test_a_multi_value_field_numbers_its_rows() -> None:
    item = field(field_type="Date", MultiValue="1")

    assert fields.rows_for(item, ("2024-01-01 00:00:00", "2023-01-01 00:00:00"), existing=True) == (
        ValueRow(value_date="2024-01-01 00:00:00", index_value=0),
        ValueRow(value_date="2023-01-01 00:00:00", index_value=1),
    )


@pytest.mark.parametrize(
    ("field_type", "expected"),
    [
        ("Text", ()),
        ("TextArea", ()),
        ("RichText", ()),
        ("Dropdown", ()),
        ("Multiselect", ()),
        ("CustomerUser", ()),
        ("CustomerCompany", ()),
        ("Agent", ()),
        ("Checkbox", (ValueRow(value_int=0),)),
        ("Date", (ValueRow(),)),
        ("DateTime", (ValueRow(),)),
    ],
)
def test_an_emptied_field_leaves_what_its_type_leaves_and_nothing_where_nothing_was(
    field_type: str, expected: Any
) -> None:
    item = field(field_type=field_type)

    assert fields.rows_for(item, (), existing=True) == expected
    assert fields.rows_for(item, (), existing=False) == ()
    assert fields.holds(item, expected, ())
    assert fields.holds(item, (), ())


def test_an_emptied_multi_value_field_leaves_no_row() -> None:
    item = field(field_type="Date", MultiValue=1)

    assert fields.rows_for(item, (), existing=True) == ()


def test_rows_left_behind_by_a_race_read_as_the_lowest_id_and_hold_nothing() -> None:
    item = field()
    rows = (ValueRow(value_text="a", id=3), ValueRow(value_text="b", id=4))

    assert fields.read(item, rows) == ("a",)
    assert not fields.holds(item, rows, ("a",))
    assert not fields.holds(item, rows, ("b",))
    assert not fields.holds(item, rows, ())


def test_a_race_that_emptied_a_field_twice_is_healed_too() -> None:
    rows = (ValueRow(id=1), ValueRow(id=2))

    assert not fields.holds(field(field_type="Date"), rows, ())


def test_a_multi_value_field_is_read_by_its_indexes() -> None:
    item = field(MultiValue=1)
    rows = (
        ValueRow(value_text="c", index_value=3, id=1),
        ValueRow(value_text="a", index_value=0, id=2),
        ValueRow(value_text=None, index_value=1, id=3),
    )

    assert fields.read(item, rows) == ("a", "c")
    assert fields.holds(item, rows, ("a", "c"))
    assert not fields.holds(item, rows, ("c", "a"))


def test_two_rows_at_one_index_hold_nothing() -> None:
    item = field(MultiValue=1)
    rows = (ValueRow(value_text="a", index_value=0, id=1), ValueRow(value_text="a", id=2))

    assert not fields.holds(item, rows, ("a", "a"))


def test_a_multiselect_with_a_row_twice_is_different() -> None:
    item = field(field_type="Multiselect")
    rows = (ValueRow(value_text="a", id=1), ValueRow(value_text="a", id=2))

    assert not fields.holds(item, rows, ("a",))


@pytest.mark.parametrize(
    ("field_type", "stored", "value", "expected"),
    [
        ("Text", ValueRow(value_text=""), (), True),
        ("Text", ValueRow(value_text="1"), ("01",), False),
        ("Checkbox", ValueRow(value_int=0), (0,), True),
        ("Checkbox", ValueRow(value_int=0), (), True),
        ("Checkbox", ValueRow(value_int=1), (), False),
        ("Checkbox", ValueRow(), (0,), False),
        ("Date", ValueRow(value_date="2024-02-29 00:00:00"), ("2024-02-29 00:00:00",), True),
        ("Date", ValueRow(value_date="2024-02-29 10:00:00"), ("2024-02-29 00:00:00",), False),
        ("Date", ValueRow(value_date="2024-02-29 00:00:00"), (), False),
    ],
)
def test_values_are_compared_in_their_canonical_form(
    field_type: str, stored: Any, value: Any, expected: Any
) -> None:
    assert fields.holds(field(field_type=field_type), (stored,), value) is expected


@pytest.mark.parametrize(
    ("field_type", "value", "expected"),
    [
        ("Text", ("x",), "x"),
        ("Text", (), ""),
        ("Dropdown", ("a",), "a"),
        ("Multiselect", ("a", "b"), "a, b"),
        ("Checkbox", (1,), "1"),
        ("Checkbox", (0,), "0"),
        ("Checkbox", (), ""),
        ("Date", ("2024-02-29 00:00:00",), "2024-02-29"),
        ("DateTime", ("2024-02-29 10:11:12",), "2024-02-29 10:11:12"),
        ("CustomerUser", ("jdoe",), '"Jane Doe" <jdoe@example.com>'),
        ("CustomerUser", ("nobody",), ""),
        ("CustomerCompany", ("acme",), ""),
        ("Agent", (1,), '"- -" <root@localhost>'),
    ],
)
def test_the_history_shows_a_readable_text(field_type: str, value: Any, expected: Any) -> None:
    labels = {
        ("CustomerUser", "jdoe"): '"Jane Doe" <jdoe@example.com>',
        ("Agent", "1"): '"- -" <root@localhost>',
    }

    assert fields.readable(field(field_type=field_type), value, labels) == expected


def test_references_are_named_by_type_and_key() -> None:
    assert fields.references(field(field_type="Agent"), (3,)) == (("Agent", "3"),)
    assert fields.references(field(field_type="Text"), ("3",)) == ()


@pytest.mark.parametrize(
    ("item", "reason"),
    [
        (None, Reason.NO_SUCH_FIELD),
        (DynamicField(1, "F", "Text", object_type="Article"), Reason.WRONG_OBJECT_TYPE),
        (DynamicField(1, "F", "Text", valid=False), Reason.INVALID_FIELD),
        (DynamicField(1, "F", "Text", internal=True), Reason.UNSUPPORTED_TYPE),
        (DynamicField(1, "F", "ScriptTemplateToolkit"), Reason.UNSUPPORTED_TYPE),
        (DynamicField(1, "F", "Lens"), Reason.UNSUPPORTED_TYPE),
        (DynamicField(1, "F", "Set"), Reason.UNSUPPORTED_TYPE),
        (DynamicField(1, "F", "Title"), Reason.UNSUPPORTED_TYPE),
        (DynamicField(1, "F", "ProcessID"), Reason.UNSUPPORTED_TYPE),
        (DynamicField(1, "F", "Database"), Reason.UNSUPPORTED_TYPE),
        (DynamicField(1, "F", "Ticket"), Reason.UNSUPPORTED_TYPE),
        (DynamicField(1, "F", "Dropdown"), Reason.INVALID_VALUE),
    ],
)
def test_a_field_that_cannot_be_a_target_is_refused(item: DynamicField, reason: Reason) -> None:
    refused = fields.refusal(item)

    assert refused is not None
    assert refused[0] is reason
    assert refused[1]


@pytest.mark.parametrize("field_type", sorted(KINDS))
def test_a_field_of_a_known_type_can_be_a_target(field_type: str) -> None:
    assert fields.refusal(field(field_type=field_type)) is None


def test_a_dropdown_with_an_empty_list_of_possible_values_can_be_a_target() -> None:
    assert fields.refusal(field(field_type="Dropdown", PossibleValues={})) is None


@pytest.mark.parametrize(
    ("config", "expected"), [({}, False), ({"MultiValue": "0"}, False), ({"MultiValue": "1"}, True)]
)
def test_multi_value_makes_a_list(config: dict[str, Any], expected: Any) -> None:
    assert fields.is_list(field(**config)) is expected
    assert fields.is_list(field(field_type="Multiselect", **config))


def test_only_texts_can_be_overlong() -> None:
    assert fields.is_overlong(field(), ("x" * 3801,))
    assert not fields.is_overlong(field(), ("😀" * 3800,))
    assert not fields.is_overlong(field(field_type="Date"), ("x" * 3801,))


TEXTS = {
    "value_text": st.text(min_size=1),
    "Checkbox": st.sampled_from(["0", "1"]),
    "Agent": st.integers(-(2**63), 2**63 - 1).map(str),
    "Date": st.dates().map(str),
    "DateTime": st.datetimes().map(lambda moment: moment.replace(microsecond=0).isoformat(" ")),
}


@st.composite
def accepted(draw: st.DrawFn) -> tuple[DynamicField, tuple[str, ...]]:
    """A field of any type, and texts that it accepts."""
    field_type = draw(st.sampled_from(sorted(KINDS)))
    item = field(field_type=field_type, MultiValue=draw(st.sampled_from(["0", "1"])))
    text = TEXTS.get(field_type, TEXTS["value_text"])
    texts = draw(st.lists(text, max_size=4 if fields.is_list(item) else 1))
    return item, tuple(texts)


@given(accepted())
def test_what_is_stored_is_read_back(case: Any) -> None:
    item, texts = case
    value = fields.accept(item, texts)
    assert value is not None

    rows = fields.rows_for(item, value, existing=False)

    assert fields.read(item, rows) == value
    assert fields.holds(item, rows, value)


@given(accepted(), accepted())
def test_a_value_holds_no_other_value(case: Any, stored: Any) -> None:
    item, texts = case
    value = fields.accept(item, texts) or ()
    other = fields.accept(item, stored[1])
    if not other:
        return
    rows = fields.rows_for(item, value, existing=False)

    assert fields.holds(item, rows, other) is (value == other)


@given(accepted())
def test_an_emptied_field_holds_no_value_and_stays_as_it_is(case: Any) -> None:
    item, texts = case
    rows = fields.rows_for(item, fields.accept(item, texts) or (), existing=False)

    emptied = fields.rows_for(item, (), existing=bool(rows))

    assert fields.holds(item, emptied, ())
    assert len(emptied) <= len(rows)


ROWS = st.lists(
    st.builds(
        ValueRow,
        value_text=st.none() | st.text(max_size=2),
        value_date=st.none() | st.text(max_size=2),
        value_int=st.none() | st.integers(0, 2),
        index_value=st.none() | st.integers(0, 2),
    ),
    max_size=3,
).map(tuple)


@given(st.sampled_from(sorted(KINDS)), st.sampled_from(["0", "1"]), ROWS)
def test_any_rows_can_be_read(field_type: str, text: str, rows: tuple[ValueRow, ...]) -> None:
    item = field(field_type=field_type, MultiValue=text)

    value = fields.read(item, rows)

    assert isinstance(fields.readable(item, value, {}), str)
    assert isinstance(fields.holds(item, rows, value), bool)
