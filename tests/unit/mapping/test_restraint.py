"""What a plan from an answer that is out of date may do."""

import pytest

from mapping.model import Change, Decision, FieldDecision, Plan, Reason, ValueRow
from mapping.restraint import only_empty, without_losses

ROWS = (ValueRow(value_text="new"),)


def decision(field: str, what: Decision, why: Reason) -> FieldDecision:
    return FieldDecision(field, what, why, ("UserPhone",), old_text="old", new_text="new")


def plan(*fields: tuple[FieldDecision, tuple[int, ...], tuple[ValueRow, ...]]) -> Plan:
    changing = {Decision.WRITE, Decision.CLEAR}
    return Plan(
        ticket_id=1,
        customer_user="anna",
        history_id=7,
        decisions=tuple(one for one, _, _ in fields),
        changes=tuple(
            Change(number, one.field, deleted, inserted, "old", "new")
            for number, (one, deleted, inserted) in enumerate(fields)
            if one.decision in changing
        ),
        watched={},
    )


WRITE = (decision("A", Decision.WRITE, Reason.FOUND), (1,), ROWS)
NEW_DEFAULT = (decision("B", Decision.WRITE, Reason.DEFAULT), (), ROWS)
SAME = (decision("C", Decision.UNCHANGED, Reason.EMPTY), (), ())
CLEAR = (decision("D", Decision.CLEAR, Reason.EMPTY), (2,), ())
OTHER_DEFAULT = (decision("E", Decision.WRITE, Reason.DEFAULT), (3,), ROWS)


def test_values_are_written() -> None:
    made = plan(WRITE, NEW_DEFAULT, SAME)

    assert without_losses(made) is made


@pytest.mark.parametrize("losing", [CLEAR, OTHER_DEFAULT])
def test_what_would_take_a_value_away_keeps_it(
    losing: tuple[FieldDecision, tuple[int, ...], tuple[ValueRow, ...]],
) -> None:
    kept = without_losses(plan(WRITE, losing, SAME))

    assert [(one.decision, one.reason) for one in kept.decisions] == [
        (Decision.WRITE, Reason.FOUND),
        (Decision.KEEP, Reason.STALE),
        (Decision.UNCHANGED, Reason.EMPTY),
    ]
    assert [change.field_name for change in kept.changes] == ["A"]
    assert (kept.ticket_id, kept.customer_user, kept.history_id) == (1, "anna", 7)


def test_only_empty_fields_are_filled() -> None:
    def row(field: str, what: Decision, old: str) -> FieldDecision:
        return FieldDecision(field, what, Reason.FOUND, (), old_text=old, new_text="new")

    made = plan(
        (row("A", Decision.WRITE, ""), (), ROWS),
        (row("B", Decision.WRITE, ""), (4,), ROWS),  # a row with an empty text
        (row("C", Decision.WRITE, "old"), (5,), ROWS),
        (row("D", Decision.CLEAR, "old"), (6,), ()),
        (row("E", Decision.UNCHANGED, "new"), (7,), ()),
    )

    filling = only_empty(made)

    assert [(one.decision, one.reason) for one in filling.decisions] == [
        (Decision.WRITE, Reason.FOUND),
        (Decision.WRITE, Reason.FOUND),
        (Decision.KEEP, Reason.NOT_EMPTY),
        (Decision.KEEP, Reason.NOT_EMPTY),
        (Decision.UNCHANGED, Reason.FOUND),
    ]
    assert [change.field_name for change in filling.changes] == ["A", "B"]
    assert only_empty(filling) is filling
