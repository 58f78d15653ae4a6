"""Values become the text that OTOBO's driver gives."""

import math
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest

from directory.values import to_text, to_value, without_zero_fraction


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("", ""),
        ("  x ", "  x "),
        (True, "1"),
        (False, "0"),
        (0, "0"),
        (-42, "-42"),
        (Decimal("12.50"), "12.50"),
        (Decimal("0E-10"), "0.0000000000"),
        (Decimal("1E+3"), "1000"),
        (12.5, "12.5"),
        (100000.0, "100000"),
        (-0.25, "-0.25"),
        (1e20, "1e+20"),
        (math.inf, "Infinity"),
        (-math.inf, "-Infinity"),
        (math.nan, "NaN"),
        (date(2024, 2, 29), "2024-02-29"),
        (date(33, 4, 3), "0033-04-03"),
        (datetime(2024, 2, 29, 10, 11, 12), "2024-02-29 10:11:12"),  # noqa: DTZ001 - as it comes
        (datetime(2024, 2, 29, 10, 11, 12, 500000, UTC), "2024-02-29 10:11:12.5+00"),
        (
            datetime(2024, 2, 29, 10, 11, 12, tzinfo=timezone(timedelta(hours=5, minutes=30))),
            "2024-02-29 10:11:12+05:30",
        ),
        (
            datetime(2024, 2, 29, 10, 11, 12, tzinfo=timezone(-timedelta(hours=3, minutes=30))),
            "2024-02-29 10:11:12-03:30",
        ),
        (time(9, 5, 0), "09:05:00"),
        (time(9, 5, 0, 20, UTC), "09:05:00.00002+00"),
        (timedelta(hours=25, minutes=1, seconds=2), "25:01:02"),
        (-timedelta(hours=838, minutes=59, seconds=59), "-838:59:59"),
        (timedelta(microseconds=1500), "00:00:00.0015"),
        ({"a": "ü"}, '{"a": "ü"}'),
        (UUID(int=1), "00000000-0000-0000-0000-000000000001"),
        (b"\xc3\xbc", "ü"),
        (memoryview(b"abc"), "abc"),
    ],
)
def test_a_value_becomes_the_text_that_the_driver_of_otobo_gives(value: Any, text: str) -> None:
    assert to_value(value) == text
    assert to_text(value) == text


def test_null_is_no_value() -> None:
    assert to_value(None) is None


def test_bytes_that_are_not_text_stay_bytes() -> None:
    assert to_value(memoryview(b"\xff\xd8")) == b"\xff\xd8"
    assert to_text(b"\xff\xd8") is None


def test_an_array_becomes_a_tuple_without_its_nulls() -> None:
    assert to_value([1, None, "b"]) == ("1", "b")


@pytest.mark.parametrize(
    ("stored", "shown"),
    [
        ("2024-01-01 00:00:00.000000", "2024-01-01 00:00:00"),
        ("2024-01-01 00:00:00.5", "2024-01-01 00:00:00.5"),
        ("2024-01-01 00:00:00", "2024-01-01 00:00:00"),
        ("1.000", "1.000"),
    ],
)
def test_only_the_fraction_of_a_time_that_is_zero_is_left_out(stored: str, shown: str) -> None:
    assert without_zero_fraction(stored) == shown
