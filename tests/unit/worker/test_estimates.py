"""What a sample tells of all tickets."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.estimates import Estimate, estimate


@given(st.integers(0, 300), st.integers(0, 300), st.integers(0, 100_000))
def test_the_bounds_hold_the_guess_and_what_was_seen(found: int, others: int, rest: int) -> None:
    looked, total = found + others, found + others + rest

    told = estimate(found, looked, total)

    assert 0 <= found <= told.low <= told.high <= total - others
    if looked:
        assert told.low <= told.number <= told.high


def test_nothing_is_an_estimate_where_all_were_looked_at() -> None:
    assert estimate(3, 10, 10) == Estimate(3, 3, 3)
    assert estimate(0, 0, 0) == Estimate(0, 0, 0)


def test_who_looked_at_none_knows_nothing() -> None:
    assert estimate(0, 0, 50) == Estimate(0, 0, 50)


@pytest.mark.parametrize(
    ("found", "looked", "total", "told"),
    [
        # Wilson's bounds as in Newcombe (1998), table I: 81 of 263 and 0 of 20 of very many.
        (81, 263, 10**9, (0.2553, 0.3662)),
        (0, 20, 10**9, (0.0, 0.1611)),
    ],
)
def test_the_bounds_are_those_of_the_literature(
    found: int, looked: int, total: int, told: tuple[float, float]
) -> None:
    bounds = estimate(found, looked, total)

    assert (bounds.low / total, bounds.high / total) == pytest.approx(told, abs=0.0001)


def test_of_a_hundred_samples_nearly_all_hold_the_truth() -> None:
    chance = random.Random(7)
    tickets = [1] * 300 + [0] * 1700
    right = 0
    for _ in range(200):
        told = estimate(sum(chance.sample(tickets, 200)), 200, len(tickets))
        right += told.low <= 300 <= told.high

    assert 180 <= right <= 200
