"""When is a source not asked, and when is it asked again? The circuit as a machine of its own."""

from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from directory.breaker import OVERDUE_SECONDS, SLOW_SECONDS, Circuit, Limits, Observation

LIMITS = Limits(failures=3, window=60.0, longest_pause=15.0)
QUICK = Observation("refused", 0.01)
SLOW = Observation("no answer within 5 s", 5.0)
PROBE = 30.0


def down(circuit: Circuit, now: float, times: int = 3) -> Circuit:
    for _ in range(times):
        circuit = circuit.failed(QUICK, now, LIMITS)
    return circuit


def probed(circuit: Circuit, now: float, seen: Observation) -> Circuit:
    begun = circuit.probe(now, PROBE, LIMITS)
    assert begun != circuit
    return begun.probed(seen, now, LIMITS)


def test_some_failures_in_a_row_open_a_circuit() -> None:
    twice = down(Circuit(), 100.0, times=2)
    assert (twice.up, twice.open, twice.lets_through(100.0)) == (False, False, True)

    opened = twice.failed(QUICK, 101.0, LIMITS)
    assert (opened.open, opened.lets_through(101.0)) == (True, False)
    assert (opened.since, opened.reason) == (100.0, "refused")


def test_what_held_up_a_batch_counts_twice() -> None:
    assert Circuit().failed(SLOW, 100.0, LIMITS).failed(SLOW, 105.0, LIMITS).open
    assert SLOW.seconds >= SLOW_SECONDS


def test_an_answer_in_between_begins_the_row_anew() -> None:
    circuit = down(Circuit(), 100.0, times=2).answered(101.0)

    assert circuit == Circuit(since=101.0)
    assert not down(circuit, 102.0, times=2).open


def test_failures_that_are_far_apart_are_no_row() -> None:
    circuit = Circuit()
    for number in range(10):
        circuit = circuit.failed(QUICK, 100.0 + number * (LIMITS.window + 1), LIMITS)

    assert not circuit.open
    assert circuit.since == 100.0


def test_a_probe_that_is_answered_closes_the_circuit() -> None:
    closed = probed(down(Circuit(), 100.0), 101.0, Observation())

    assert (closed.up, closed.open, closed.since, closed.closed_at) == (True, False, 101.0, 101.0)
    assert closed.lets_through(101.0)


def test_a_probe_that_fails_opens_a_circuit_at_once() -> None:
    assert probed(down(Circuit(), 100.0, times=1), 101.0, QUICK).open


def test_pauses_grow_up_to_the_longest() -> None:
    circuit, now, pauses = down(Circuit(), 100.0), 100.0, []
    for _ in range(7):
        circuit = probed(circuit, now, QUICK)
        pauses.append(circuit.probe_at - now)
        now = circuit.probe_at

    assert pauses == [1.0, 2.0, 4.0, 8.0, 15.0, 15.0, 15.0]
    assert circuit.since == 100.0


def test_only_one_probes_at_a_time() -> None:
    circuit = down(Circuit(), 100.0)
    begun = circuit.probe(100.0, PROBE, LIMITS)

    assert begun.is_probed(129.0)
    assert begun.probe(129.0, PROBE, LIMITS) is begun
    assert begun.probe(130.0, PROBE, LIMITS).probing_until == 160.0


def test_after_a_probe_one_failure_opens_it_again_and_the_pauses_go_on_growing() -> None:
    circuit, now, pauses = down(Circuit(), 100.0), 100.0, []
    for _ in range(6):
        circuit = probed(circuit, now, Observation()).failed(QUICK, now + 0.1, LIMITS)
        assert circuit.open
        pauses.append(round(circuit.probe_at - circuit.failed_at))
        now = circuit.probe_at

    assert pauses == [1, 2, 4, 8, 15, 15]


def test_a_real_answer_ends_the_trial() -> None:
    closed = probed(down(Circuit(), 100.0), 101.0, Observation())

    proven = closed.answered(102.0)

    assert (proven.trials, proven.since) == (0, 101.0)
    assert not proven.failed(QUICK, 103.0, LIMITS).open
    assert proven.answered(103.0) is proven


def test_who_asked_before_the_end_of_an_outage_tells_nothing_of_the_time_after() -> None:
    closed = probed(down(Circuit(), 100.0), 101.0, Observation())

    assert closed.failed(Observation("no answer within 5 s", 5.0), 103.0, LIMITS) is closed


def test_what_failed_while_nobody_should_ask_changes_nothing() -> None:
    opened = down(Circuit(), 100.0)

    assert opened.failed(SLOW, 101.0, LIMITS) is opened


def test_a_straggler_that_was_answered_closes_it_and_the_probe_keeps_that() -> None:
    probing = down(Circuit(), 100.0).probe(100.0, PROBE, LIMITS)

    answered = probing.answered(101.0)

    assert (answered.up, answered.closed_at, answered.trials) == (True, 101.0, 0)
    assert answered.probed(QUICK, 102.0, LIMITS) is answered


def test_without_anybody_to_probe_questions_are_let_through() -> None:
    circuit = down(Circuit(), 100.0)

    assert not circuit.lets_through(100.0 + OVERDUE_SECONDS)
    assert circuit.lets_through(100.1 + OVERDUE_SECONDS)


@given(ahead=st.floats(100.0, 1e9))
def test_a_clock_that_is_ahead_elsewhere_keeps_nobody_from_probing(ahead: float) -> None:
    failing = probed(down(Circuit(), 100.0 + ahead), 100.0 + ahead, QUICK)
    probing = down(Circuit(), 100.0 + ahead).probe(100.0 + ahead, PROBE, LIMITS)

    for circuit in (failing, probing):
        assert circuit.probe(100.0, PROBE, LIMITS) != circuit


class Machine(RuleBasedStateMachine):
    """Whatever happens in whatever order."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 1000.0
        self.circuit = Circuit()

    @rule(seconds=st.floats(0.0, 200.0))
    def wait(self, seconds: float) -> None:
        self.now += seconds

    @rule()
    def answer(self) -> None:
        self.circuit = self.circuit.answered(self.now)
        assert self.circuit.up
        assert self.circuit.lets_through(self.now)

    @rule(seconds=st.floats(0.0, 600.0))
    def fail(self, seconds: float) -> None:
        before = self.circuit
        self.circuit = before.failed(Observation("away", seconds), self.now, LIMITS)
        assert before.open <= self.circuit.open

    @rule()
    def begin_probe(self) -> None:
        before = self.circuit
        self.circuit = before.probe(self.now, PROBE, LIMITS)
        again = self.circuit.probe(self.now, PROBE, LIMITS)
        assert self.circuit == before or again is self.circuit

    @precondition(lambda self: self.circuit.is_probed(self.now))
    @rule(reason=st.sampled_from(["", "away"]))
    def end_probe(self, reason: str) -> None:
        self.circuit = self.circuit.probed(Observation(reason), self.now, LIMITS)
        assert self.circuit.up is not bool(reason)

    @invariant()
    def an_open_circuit_is_down_for_a_reason(self) -> None:
        if self.circuit.open:
            assert not self.circuit.up
            assert self.circuit.reason
        if self.circuit.up:
            assert not self.circuit.reason

    @invariant()
    def it_is_never_long_until_somebody_may_probe(self) -> None:
        if not self.circuit.up:
            soon = self.now + max(LIMITS.longest_pause, PROBE)
            begun = self.circuit.probe(soon, PROBE, LIMITS)
            assert begun != self.circuit
            back = begun.probed(Observation(), soon, LIMITS)
            assert back.up
            assert back.lets_through(soon)

    @invariant()
    def times_are_not_in_the_future(self) -> None:
        past = (self.circuit.since, self.circuit.failed_at, self.circuit.closed_at)
        assert max(past) <= self.now


TestMachine = Machine.TestCase
