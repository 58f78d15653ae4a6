"""What plans take away is counted as what stands in the fields before and after them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mapping.fields import KINDS, read
from mapping.harm import Harm, is_too_much, measure, total
from mapping.model import Decision, EventHint, TicketState, ValueRow
from tests.unit.mapping.builders import applied, field, planned, settings, ticket
from tests.unit.mapping.test_plan_properties import Scenario, scenarios

OLD = {"F": [ValueRow(value_text="old", id=7)]}
NUMBERS = st.integers(0, 1000)


@pytest.mark.parametrize(
    ("state", "attributes", "harm"),
    [
        (ticket(rows=OLD), None, Harm(erased=1, filled=1)),
        (ticket(rows=OLD), {"V": ""}, Harm(erased=1, filled=1)),
        (ticket(rows=OLD), {"V": "new"}, Harm(changed=1, filled=1)),
        (ticket(rows=OLD), {"V": "old"}, Harm(filled=1)),
        (ticket(), {"V": "new"}, Harm()),
        (ticket(), None, Harm()),
        (ticket(rows=OLD), {"V": b"\xff"}, Harm()),
    ],
    ids=["unknown", "no value", "another", "the same", "filled", "stays empty", "refused"],
)
def test_only_a_value_can_be_taken_away(
    state: TicketState, attributes: dict[str, str] | None, harm: Harm
) -> None:
    assert measure(planned(state, attributes)) == harm


def test_a_field_that_the_frontend_owns_is_not_counted() -> None:
    owned = EventHint(changed=True, fields=frozenset("F"))

    made = planned(ticket(rows=OLD), None, hints=[owned], precedence=settings())

    assert [one.decision for one in made.decisions] == [Decision.KEEP]
    assert measure(made) == Harm()


@given(scenarios)
def test_erased_are_the_fields_that_held_something_and_then_hold_nothing(
    scenario: Scenario,
) -> None:
    made = scenario.plan()
    after = applied(scenario.ticket, made)
    held = {
        name: bool(read(kind, scenario.ticket.rows.get(name, ())))
        for name, kind in scenario.fields.items()
        if kind.field_type in KINDS
    }
    holds = {name: bool(read(scenario.fields[name], after.rows.get(name, ()))) for name in held}
    # What a race left behind twice is tidied up, and a tick that is taken off is no empty field.
    certain = [
        name
        for name in held
        if len(scenario.ticket.rows.get(name, ())) <= 1
        and scenario.fields[name].field_type != "Checkbox"
    ]
    lost = [name for name in certain if held[name] and not holds[name]]
    cleared = [one.field for one in made.decisions if one.decision is Decision.CLEAR]

    assert [name for name in cleared if name in certain] == sorted(lost)
    assert measure(made).erased == len(cleared)


@given(scenarios)
def test_a_plan_that_was_written_does_no_harm_again(scenario: Scenario) -> None:
    once = measure(scenario.plan())

    again = measure(scenario.plan(applied(scenario.ticket, scenario.plan())))

    assert (again.erased, again.changed) == (0, 0)
    assert once.erased + once.changed <= once.filled


@given(st.lists(st.builds(Harm, NUMBERS, NUMBERS, NUMBERS)))
def test_a_total_is_the_sum_of_each_number(parts: list[Harm]) -> None:
    sums = total(parts)

    assert sums == Harm(*(sum(part[place] for part in parts) for place in range(3)))


@pytest.mark.parametrize(
    ("count", "filled", "too_much"),
    [(10, 10, False), (11, 11, True), (11, 22, False), (11, 21, True), (500, 1000, False)],
)
def test_too_much_is_beyond_the_number_and_beyond_the_share(
    count: int, filled: int, too_much: bool
) -> None:
    assert is_too_much(count, filled, number=10, share=0.5) is too_much


@given(NUMBERS, NUMBERS, NUMBERS, st.floats(0, 0.99))
def test_more_of_what_is_too_much_is_too_much(
    count: int, others: int, number: int, share: float
) -> None:
    if is_too_much(count, count + others, number, share):
        assert is_too_much(count + 1, count + 1 + others, number, share)
        assert others == 0 or is_too_much(count, count + others - 1, number, share)


def test_many_plans_are_measured_together() -> None:
    plans = [
        planned(ticket(rows=OLD), None),
        planned(ticket(rows=OLD), {"V": "new"}),
        planned(ticket(rows={"F": [ValueRow(value_text="old", id=7)]}), {"V": "old"}),
        planned(ticket(), {"V": "new"}, fields=[field()]),
    ]

    assert total(map(measure, plans)) == Harm(erased=1, changed=1, filled=3)
