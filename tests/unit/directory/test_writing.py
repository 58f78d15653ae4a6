"""The version of a customer user: another one as soon as a value is."""

import pytest

from directory.model import Attributes
from directory.writing import version

JANE: Attributes = {"UserLogin": "jane", "UserPhone": "1", "Photo": b"\xff", "Tags": ("a", "b")}


def test_the_order_of_values_does_not_matter() -> None:
    assert version(JANE) == version(dict(reversed(JANE.items())))
    assert len(version(JANE)) == 16


@pytest.mark.parametrize(
    "other",
    [
        {**JANE, "UserPhone": "2"},
        {**JANE, "UserPhone": ""},
        {name: value for name, value in JANE.items() if name != "UserPhone"},
        {**JANE, "Photo": b"\xfe"},
        {**JANE, "Tags": ("b", "a")},
        {**JANE, "Tags": "a, b"},
    ],
)
def test_any_other_value_makes_it_another_version(other: Attributes) -> None:
    assert version(other) != version(JANE)
