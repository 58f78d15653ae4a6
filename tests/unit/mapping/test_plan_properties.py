"""What holds for every plan, whatever the ticket, the directory and the settings."""

from dataclasses import dataclass

from hypothesis import given
from hypothesis import strategies as st

from mapping import rules
from mapping.fields import KINDS
from mapping.model import (
    Attributes,
    Decision,
    DynamicField,
    EventHint,
    HistoryLine,
    Plan,
    Reason,
    TicketState,
    ValueRow,
)
from mapping.plan import plan
from mapping.precedence import Precedence, find_anchor
from mapping.rules import Ruleset
from tests.unit.mapping.builders import AGENT, WORKER, applied, field, second

NAMES = ["A", "AB", "ABC", "B"]
VARIABLES = ["V", "W", "DynamicField_X", "UserPassword"]
SCREENS = ["AgentTicketPhone", "AgentTicketEmail", "PostMaster", "AgentTicketCustomer"]
LOGINS = ["", "jdoe", "bob"]

texts = st.one_of(
    st.sampled_from(["", "0", "1", "a", "2024-02-29", "2024-02-29 10:11:12", "x" * 3801, "a\0"]),
    st.text(max_size=5),
)
attribute_values = st.one_of(texts, st.lists(texts, max_size=3).map(tuple), st.binary(max_size=3))
times = st.sampled_from(["", *(second(number) for number in range(8))])


@st.composite
def lines(draw: st.DrawFn) -> tuple[HistoryLine, ...]:
    history = []
    for number in range(1, draw(st.integers(0, 8)) + 1):
        kind = draw(
            st.sampled_from(
                ["NewTicket", "CustomerUpdate", "TicketDynamicFieldUpdate", "PhoneCallCustomer"]
            )
        )
        name = "%%"
        article_id = None
        if kind == "CustomerUpdate":
            name = draw(
                st.sampled_from(
                    [f"%%CustomerUser={login};" for login in LOGINS] + ["%%" + "c" * 198]
                )
            )
        elif kind == "TicketDynamicFieldUpdate":
            cut = draw(st.sampled_from(["", "[...]"]))
            name = f"%%FieldName%%{draw(st.sampled_from(NAMES))}{cut}%%Value%%a%%OldValue%%"
        elif kind == "PhoneCallCustomer" or draw(st.booleans()):
            article_id = draw(st.integers(1, 2))
        by = draw(st.sampled_from([AGENT, 9, WORKER]))
        history.append(HistoryLine(number, kind, name, by, article_id, draw(times)))
    return tuple(history)


hints = st.builds(
    EventHint,
    created=st.booleans(),
    changed=st.booleans(),
    screen=st.none() | st.sampled_from(SCREENS),
    fields=st.frozensets(st.sampled_from(NAMES)),
    time=st.none() | times,
)

precedences = st.builds(
    Precedence,
    worker_user_id=st.just(WORKER),
    enabled=st.booleans(),
    unknown_frontend=st.sampled_from(["keep", "write"]),
    screens=st.dictionaries(
        st.sampled_from(SCREENS), st.dictionaries(st.sampled_from(NAMES), st.integers(0, 2))
    ),
)

definitions = st.fixed_dictionaries(
    {},
    optional={
        name: st.builds(
            DynamicField,
            id=st.just(number),
            name=st.just(name),
            field_type=st.sampled_from([*KINDS, *KINDS, "Lens"]),
            valid=st.sampled_from([True, True, True, False]),
            config=st.sampled_from([{}, {"MultiValue": "1"}, {"PossibleValues": {"a": "Alpha"}}]),
        )
        for number, name in enumerate(NAMES, 1)
    },
)

value_rows = st.builds(
    ValueRow,
    value_text=st.none() | st.sampled_from(["", "a", "x" * 3800]),
    value_date=st.none() | st.just("2024-02-29 00:00:00"),
    value_int=st.none() | st.integers(0, 1),
    index_value=st.none() | st.integers(0, 2),
)


@st.composite
def stored(draw: st.DrawFn) -> dict[str, tuple[ValueRow, ...]]:
    rows = draw(st.dictionaries(st.sampled_from(NAMES), st.lists(value_rows, max_size=3)))
    number = 0
    numbered: dict[str, tuple[ValueRow, ...]] = {}
    for name, found in rows.items():
        numbered[name] = ()
        for row in found:
            number += 1
            numbered[name] += (
                ValueRow(
                    row.value_text, row.value_date, row.value_int, row.index_value, None, number
                ),
            )
    return numbered


@st.composite
def rulesets(draw: st.DrawFn) -> Ruleset:
    transforms = ["strip", "first", {"join": ", "}, {"split": ","}, {"date": {"from": "%Y-%m-%d"}}]
    long = [
        {
            "from": draw(st.sampled_from([*VARIABLES, "{V} {W}"])),
            "to": name,
            "transform": draw(st.lists(st.sampled_from(transforms), max_size=2)),
            "default": draw(st.sampled_from([None, "1"])),
            "on_manual_edit": draw(st.sampled_from(["overwrite", "keep"])),
        }
        for name in draw(st.lists(st.sampled_from(NAMES), unique=True, min_size=1))
    ]
    return rules.build({}, long, overlong=draw(st.sampled_from(["cut", "keep"])))


@dataclass(frozen=True)
class Scenario:
    """Everything that a plan is made from."""

    ticket: TicketState
    attributes: Attributes | None
    ruleset: Ruleset
    fields: dict[str, DynamicField]
    precedence: Precedence
    hints: tuple[EventHint, ...]

    def plan(self, state: TicketState | None = None) -> Plan:
        return plan(
            state or self.ticket,
            self.attributes,
            self.ruleset,
            self.fields,
            self.precedence,
            self.hints,
        )


scenarios = st.builds(
    Scenario,
    ticket=st.builds(
        TicketState,
        id=st.just(1),
        number=st.just("1"),
        customer_user=st.none() | st.sampled_from(LOGINS),
        rows=stored(),
        history=lines(),
    ),
    attributes=st.none()
    | st.dictionaries(st.sampled_from(VARIABLES), attribute_values, max_size=4),
    ruleset=rulesets(),
    fields=definitions,
    precedence=precedences,
    hints=st.lists(hints, max_size=2).map(tuple),
)


@given(scenarios)
def test_a_plan_that_was_applied_leaves_nothing_to_do(scenario: Scenario) -> None:
    made = scenario.plan()

    again = scenario.plan(applied(scenario.ticket, made))

    assert again.changes == ()
    assert [(item.field, item.reason) for item in again.decisions] == [
        (item.field, item.reason) for item in made.decisions
    ]


@given(scenarios)
def test_every_mapped_field_is_decided_on_once_in_order(scenario: Scenario) -> None:
    made = scenario.plan()

    assert [item.field for item in made.decisions] == sorted(scenario.ruleset.fields)
    assert [item.field_name for item in made.changes] == [
        item.field for item in made.decisions if item.decision in {Decision.WRITE, Decision.CLEAR}
    ]


@given(scenarios)
def test_a_change_deletes_all_rows_that_were_seen_and_watches_them(scenario: Scenario) -> None:
    made = scenario.plan()

    for change in made.changes:
        seen = tuple(row.id for row in scenario.ticket.rows.get(change.field_name, ()))
        assert change.delete_ids == seen == made.watched[change.field_id]
        assert all(row.id is None for row in change.insert)
        assert all(len(row.value_text or "") <= 3800 for row in change.insert)


@given(scenarios)
def test_a_field_that_somebody_else_wrote_behind_the_anchor_is_never_changed(
    scenario: Scenario,
) -> None:
    anchor = find_anchor(scenario.ticket.history, WORKER)
    last = scenario.ticket.history[-1].id if scenario.ticket.history else 0
    # By another user than the anchor's, so that no setting makes it a part of the request.
    line = HistoryLine(
        last + 1, "TicketDynamicFieldUpdate", "%%FieldName%%AB%%Value%%b%%OldValue%%", 77
    )
    state = scenario.ticket
    state = TicketState(1, "1", state.customer_user, state.rows, (*state.history, line))

    made = scenario.plan(state)

    assert anchor is None or anchor.create_by != 77
    assert "AB" not in [change.field_name for change in made.changes]


@given(scenarios)
def test_lines_of_the_worker_never_count(scenario: Scenario) -> None:
    state = scenario.ticket
    without = tuple(
        line
        for line in state.history
        if line.create_by != WORKER or line.type != "TicketDynamicFieldUpdate"
    )

    made = scenario.plan(TicketState(1, "1", state.customer_user, state.rows, without))

    assert made.decisions == scenario.plan().decisions


@given(scenarios)
def test_with_precedence_a_submitted_field_never_changes(scenario: Scenario) -> None:
    made = scenario.plan()

    submitted = {item.field for item in made.decisions if item.reason is Reason.SUBMITTED}
    assert submitted.isdisjoint(change.field_name for change in made.changes)
    assert not submitted or scenario.precedence.enabled


@given(scenarios)
def test_a_secret_is_never_written(scenario: Scenario) -> None:
    made = scenario.plan()

    for item in made.decisions:
        if "UserPassword" in item.variables:
            assert (item.decision, item.reason) == (Decision.REFUSE, Reason.SECRET)


@given(scenarios)
def test_more_events_only_ever_keep_more(scenario: Scenario) -> None:
    """With precedence on: what an event tells protects fields, and frees none.

    Except that a named screen ends the guessing about creating screens.
    """
    if not scenario.precedence.enabled or any(hint.screen for hint in scenario.hints):
        return
    silent = Scenario(
        scenario.ticket,
        scenario.attributes,
        scenario.ruleset,
        scenario.fields,
        scenario.precedence,
        (),
    )

    changed = {change.field_name for change in scenario.plan().changes}

    assert changed <= {change.field_name for change in silent.plan().changes}


@given(st.sampled_from(sorted(KINDS)), st.booleans(), st.lists(texts, max_size=3).map(tuple))
def test_every_type_converges_from_every_value_and_back_to_none(
    field_type: str, enabled: bool, values: tuple[str, ...]
) -> None:
    item = field("A", field_type, MultiValue="1" if enabled else "0")
    ruleset = rules.build({"V": "A"})
    state = TicketState(1, "1", "jdoe", {}, ())
    precedence = Precedence(worker_user_id=WORKER)

    full = plan(state, {"V": values}, ruleset, {"A": item}, precedence, ())
    state = applied(state, full)
    emptied = plan(state, {}, ruleset, {"A": item}, precedence, ())
    state = applied(state, emptied)
    restored = plan(state, {"V": values}, ruleset, {"A": item}, precedence, ())

    assert plan(state, {}, ruleset, {"A": item}, precedence, ()).changes == ()
    assert [change.insert for change in restored.changes] in (
        [change.insert for change in full.changes],
        [],  # a Checkbox that was emptied holds the 0 that is wanted
    )
