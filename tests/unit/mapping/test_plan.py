"""Plans: what is written, kept or refused, and how it is told."""

from typing import Any

import pytest

from mapping import rules
from mapping.model import (
    Attributes,
    Change,
    Decision,
    DynamicField,
    EventHint,
    FieldDecision,
    Reason,
    TicketState,
    ValueRow,
)
from mapping.values import Several, texts_of
from tests.unit.mapping.builders import (
    applied,
    created,
    customer_set,
    field,
    planned,
    settings,
    ticket,
    written,
)

OLD = {"F": [ValueRow(value_text="old", id=7)]}


def test_a_found_value_is_written_with_everything_that_explain_shows() -> None:
    made = planned(ticket(rows=OLD), {"V": "new"})

    assert made.changes == (
        Change(field().id, "F", (7,), (ValueRow(value_text="new"),), "old", "new"),
    )
    assert made.decisions == (
        FieldDecision("F", Decision.WRITE, Reason.FOUND, ("V",), (), "", "old", "new"),
    )
    assert made.ticket_id == 1
    assert made.customer_user == "jdoe"
    assert made.history_id == 2
    assert made.watched == {field().id: (7,)}
    assert made.references == frozenset()


@pytest.mark.parametrize(
    ("state", "attributes", "decision", "reason"),
    [
        (ticket(rows=OLD), {"V": "old"}, Decision.UNCHANGED, Reason.FOUND),
        (ticket(rows=OLD), {"V": "0"}, Decision.WRITE, Reason.FOUND),
        (ticket(rows=OLD), {"V": "  "}, Decision.WRITE, Reason.FOUND),
        (ticket(rows=OLD), {"V": ""}, Decision.CLEAR, Reason.EMPTY),
        (ticket(rows=OLD), {"V": ()}, Decision.CLEAR, Reason.EMPTY),
        (ticket(rows=OLD), {"V": ("", "")}, Decision.CLEAR, Reason.EMPTY),
        (ticket(rows=OLD), {}, Decision.CLEAR, Reason.EMPTY),
        (ticket(), {}, Decision.UNCHANGED, Reason.EMPTY),
        (ticket(rows=OLD), None, Decision.CLEAR, Reason.UNKNOWN_CUSTOMER_USER),
        (ticket(), None, Decision.UNCHANGED, Reason.UNKNOWN_CUSTOMER_USER),
        (ticket(rows=OLD, customer_user=None), None, Decision.CLEAR, Reason.NO_CUSTOMER_USER),
        (ticket(rows=OLD, customer_user=""), None, Decision.CLEAR, Reason.NO_CUSTOMER_USER),
        (ticket(rows=OLD), {"V": b"\xff"}, Decision.REFUSE, Reason.NOT_TEXT),
        (ticket(rows=OLD), {"V": "a\0b"}, Decision.REFUSE, Reason.NOT_TEXT),
        (ticket(rows=OLD), {"V": "\ud83d"}, Decision.REFUSE, Reason.NOT_TEXT),
    ],
)
def test_each_value_has_its_decision_and_reason(
    state: TicketState, attributes: Attributes, decision: Decision, reason: Reason
) -> None:
    made = planned(state, attributes)

    assert [(item.decision, item.reason) for item in made.decisions] == [(decision, reason)]
    assert bool(made.changes) is (decision in {Decision.WRITE, Decision.CLEAR})


def test_decisions_come_in_code_point_order_of_the_fields() -> None:
    fields = [field("b"), field("Z"), field("a")]

    made = planned(attributes={"V": "x"}, ruleset=short("b", "Z", "a"), fields=fields)

    assert [item.field for item in made.decisions] == ["Z", "a", "b"]
    assert [item.field_name for item in made.changes] == ["Z", "a", "b"]


def short(*names: str) -> rules.Ruleset:
    return rules.build({}, [{"from": "V", "to": name} for name in names])


@pytest.mark.parametrize(
    ("item", "reason"),
    [
        (field("Other"), Reason.NO_SUCH_FIELD),
        (DynamicField(1, "F", "Text", valid=False), Reason.INVALID_FIELD),
        (DynamicField(1, "F", "Text", object_type="Article"), Reason.WRONG_OBJECT_TYPE),
        (DynamicField(1, "F", "Lens"), Reason.UNSUPPORTED_TYPE),
        (DynamicField(1, "F", "Dropdown"), Reason.INVALID_VALUE),
    ],
)
def test_a_field_that_cannot_be_a_target_is_refused_and_left_alone(
    item: DynamicField, reason: Reason
) -> None:
    made = planned(ticket(rows=OLD), {"V": "new"}, fields=[item])

    (decision,) = made.decisions
    assert (decision.decision, decision.reason) == (Decision.REFUSE, reason)
    assert decision.warning
    assert made.changes == ()
    assert made.watched == {}


@pytest.mark.parametrize("source", ["UserPassword", "{UserLogin} {UserPassword}"])
def test_a_password_is_never_written(source: str) -> None:
    ruleset = rules.build({}, [{"from": source, "to": "F"}])

    made = planned(attributes={"UserPassword": "hash", "UserLogin": "jdoe"}, ruleset=ruleset)

    assert made.decisions[0].reason is Reason.SECRET
    assert made.changes == ()


def test_one_fault_never_stops_the_other_fields() -> None:
    ruleset = rules.build(
        {"Photo": "A", "V": "C", "UserPassword": "D", "Day": "E"},
        [{"from": "V", "to": "B", "transform": {"date": {"from": "%Y"}}}],
    )
    fields = [field("A"), field("B"), field("C"), field("D"), field("E", "Date"), field("F")]

    made = planned(
        attributes={"Photo": b"\x89", "V": "x", "Day": "garbage", "UserPassword": "y"},
        ruleset=ruleset,
        fields=fields,
    )

    assert [(item.field, item.reason) for item in made.decisions] == [
        ("A", Reason.NOT_TEXT),
        ("B", Reason.TRANSFORM_FAILED),
        ("C", Reason.FOUND),
        ("D", Reason.SECRET),
        ("E", Reason.INVALID_VALUE),
    ]
    assert [change.field_name for change in made.changes] == ["C"]


def test_no_value_is_repeated_in_a_warning_or_a_repr() -> None:
    ruleset = rules.build(
        {"V": "A", "W": "E"}, [{"from": "V", "to": "B", "transform": {"date": {"from": "%Y"}}}]
    )
    fields = [field("A"), field("B"), field("E", "Date")]
    attributes: Attributes = {"V": "confidential", "W": "confidential"}

    state = ticket(rows={"A": [ValueRow(value_text="confidential old", id=1)]})

    made = planned(state, attributes, ruleset, fields)

    assert len(made.decisions) == 3
    assert repr(state) == "TicketState(id=1, number='2026010110', customer_user='jdoe')"
    assert "confidential" not in repr(made.decisions)
    assert "confidential" not in repr(made.changes)
    assert "confidential" not in " ".join(item.warning for item in made.decisions)


def test_transforms_and_their_names_are_told() -> None:
    ruleset = rules.build(
        {}, [{"from": "V", "to": "F", "transform": ["strip", "upper", {"truncate": 3}]}]
    )

    made = planned(attributes={"V": " jane "}, ruleset=ruleset)

    assert made.decisions[0].transforms == ("strip", "upper", "truncate(3)")
    assert made.decisions[0].new_text == "JAN"


def test_a_default_stands_in_for_an_empty_value_of_a_found_customer_user_only() -> None:
    ruleset = rules.build({}, [{"from": "V", "to": "F", "transform": "strip", "default": "none"}])

    found = planned(attributes={"V": "  "}, ruleset=ruleset)
    absent = planned(ticket(rows=OLD), None, ruleset)

    assert found.decisions[0].reason is Reason.DEFAULT
    assert found.decisions[0].new_text == "none"
    assert absent.decisions[0].reason is Reason.UNKNOWN_CUSTOMER_USER
    assert absent.decisions[0].decision is Decision.CLEAR


def test_a_template_is_one_value_and_tells_all_its_variables() -> None:
    ruleset = rules.build({}, [{"from": "{A} {B}", "to": "F"}])

    made = planned(attributes={"A": ("Jane", "J."), "B": "Doe"}, ruleset=ruleset)

    assert made.decisions[0].variables == ("A", "B")
    assert made.decisions[0].new_text == "Jane Doe"
    assert planned(attributes={"A": b"\xff"}, ruleset=ruleset).decisions[0].reason is (
        Reason.NOT_TEXT
    )
    assert planned(attributes={"A": ("", "")}, ruleset=ruleset).decisions[0].reason is Reason.EMPTY


@pytest.mark.parametrize(
    ("variable", "several", "transform", "expected"),
    [
        ("UserPhone", "first", [], "1"),
        ("UserPhone", "join", [], "1, 2"),
        ("DynamicField_Tags", "first", [], "1, 2"),
        ("UserPhone", "first", [{"join": "/"}], "1/2"),
        ("DynamicField_Tags", "join", ["first"], "1"),
    ],
)
def test_several_texts_become_one_by_their_source_or_by_the_rule(
    variable: str, several: Several, transform: list[Any], expected: Any
) -> None:
    ruleset = rules.build({}, [{"from": variable, "to": "F", "transform": transform}])

    made = planned(attributes={variable: ("1", "", "2")}, ruleset=ruleset, several=several)

    assert made.decisions[0].new_text == expected


@pytest.mark.parametrize(
    ("item", "rows"),
    [
        (field("F", "Multiselect"), (ValueRow(value_text="1"), ValueRow(value_text="2"))),
        (
            field("F", "Text", MultiValue=1),
            (ValueRow(value_text="1", index_value=0), ValueRow(value_text="2", index_value=1)),
        ),
    ],
)
def test_a_list_takes_all_texts(item: DynamicField, rows: tuple[ValueRow, ...]) -> None:
    made = planned(attributes={"V": ("1", "", "2")}, fields=[item])

    assert made.changes[0].insert == rows
    assert made.changes[0].new_text == "1, 2"


def test_one_text_in_a_multiselect_is_one_choice() -> None:
    made = planned(attributes={"V": "a, b; c"}, fields=[field("F", "Multiselect")])

    assert made.changes[0].insert == (ValueRow(value_text="a, b; c"),)


def test_a_split_text_fills_a_list() -> None:
    ruleset = rules.build({}, [{"from": "V", "to": "F", "transform": {"split": ";"}}])

    made = planned(attributes={"V": "a; b"}, ruleset=ruleset, fields=[field("F", "Multiselect")])

    assert made.changes[0].new_text == "a, b"


def test_an_overlong_text_is_cut_with_a_warning() -> None:
    attributes = {"V": "ä" * 3801}

    made = planned(attributes=attributes)

    assert made.changes[0].insert == (ValueRow(value_text="ä" * 3800),)
    assert made.decisions[0].warning == "cut to 3800 characters"
    again = planned(applied(ticket(), made), attributes)
    assert again.changes == ()
    assert again.decisions[0].warning == "cut to 3800 characters"


def test_an_overlong_text_can_keep_the_field() -> None:
    ruleset = rules.build({"V": "F"}, overlong="keep")

    made = planned(ticket(rows=OLD), {"V": "x" * 3801}, ruleset)

    assert (made.decisions[0].decision, made.decisions[0].reason) == (
        Decision.KEEP,
        Reason.OVERLONG,
    )
    assert made.changes == ()


@pytest.mark.parametrize(
    ("stored", "attribute", "new_text", "old_text"),
    [
        (1, "", "", "1"),
        (1, "0", "0", "1"),
        (0, "1", "1", "0"),
        (None, "0", "0", ""),
    ],
)
def test_a_checkbox_tells_zero_when_zero_is_stored_and_nothing_when_it_was_emptied(
    stored: Any, attribute: str, new_text: str, old_text: str
) -> None:
    rows = {} if stored is None else {"F": [ValueRow(value_int=stored, id=1)]}

    made = planned(ticket(rows=rows), {"V": attribute}, fields=[field("F", "Checkbox")])

    assert (made.changes[0].new_text, made.changes[0].old_text) == (new_text, old_text)


def test_rows_that_a_race_left_behind_are_healed() -> None:
    rows = [ValueRow(value_text="a", id=3), ValueRow(value_text="b", id=4)]

    made = planned(ticket(rows={"F": rows}), {"V": "a"})

    assert made.changes[0].delete_ids == (3, 4)
    assert made.changes[0].insert == (ValueRow(value_text="a"),)
    assert made.changes[0].old_text == "a"


def test_references_that_change_are_told_by_their_labels() -> None:
    rows = {"F": [ValueRow(value_int=1, id=1)], "G": [ValueRow(value_int=3, id=2)]}
    fields = [field("F", "Agent"), field("G", "Agent"), field("H", "CustomerUser")]
    attributes: Attributes = {"V": "3", "Login": "jdoe"}
    ruleset = rules.build({"Login": "H"}, [{"from": "V", "to": "F"}, {"from": "V", "to": "G"}])

    made = planned(ticket(rows=rows), attributes, ruleset, fields)

    assert made.references == {("Agent", "1"), ("Agent", "3"), ("CustomerUser", "jdoe")}
    labels = {("Agent", "1"): "Root", ("CustomerUser", "jdoe"): "Jane"}
    told = planned(ticket(rows=rows), attributes, ruleset, fields, labels=labels)
    assert [(item.field_name, item.old_text, item.new_text) for item in told.changes] == [
        ("F", "Root", ""),
        ("H", "", "Jane"),
    ]


def test_a_kept_field_tells_what_would_have_been_written() -> None:
    state = ticket(created(), customer_set(2), written(3), rows=OLD)

    made = planned(state, {"V": "new"})

    assert made.decisions == (
        FieldDecision("F", Decision.KEEP, Reason.WRITTEN_LATER, ("V",), (), "", "old", "new"),
    )
    assert made.changes == ()


def test_a_kept_field_is_kept_whatever_its_value() -> None:
    hint = EventHint(changed=True, fields=frozenset({"F"}))

    for attributes in (None, {}, {"V": "old"}, {"V": b"\xff"}):
        made = planned(ticket(rows=OLD), attributes, hints=[hint])
        assert (made.decisions[0].decision, made.decisions[0].reason) == (
            Decision.KEEP,
            Reason.SUBMITTED,
        )


def test_the_rule_says_whether_manual_edits_stay() -> None:
    state = ticket(created(), customer_set(2), written(3), customer_set(4), rows=OLD)
    keep = rules.build({}, [{"from": "V", "to": "F", "on_manual_edit": "keep"}])

    assert planned(state, {"V": "new"}).changes
    assert planned(state, {"V": "new"}, keep).decisions[0].reason is Reason.MANUAL_EDIT
    assert not planned(state, {"V": "new"}, keep).changes


def test_a_ticket_without_history_has_no_highest_line() -> None:
    made = planned(TicketState(1, "1", "jdoe", {}, ()), {"V": "x"}, precedence=settings())

    assert made.history_id == 0


def test_an_attribute_is_left_as_it_is_without_transforms() -> None:
    (rule,) = rules.build({"V": "F"}).rules.values()

    assert texts_of(rule, {"V": " a\r\n"}) == (" a\r\n",)
