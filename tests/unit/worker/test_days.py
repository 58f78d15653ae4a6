"""Days by which tickets are chosen."""

import pytest

from worker.days import moment
from worker.tickets.selection import WrongSelection


@pytest.mark.parametrize(
    ("text", "begins", "ends"),
    [
        ("", "", ""),
        ("2026-01-31", "2026-01-31 00:00:00", "2026-02-01 00:00:00"),
        ("2026-01-31 13:00:00", "2026-01-31 13:00:00", "2026-01-31 13:00:01"),
    ],
)
def test_a_day_begins_and_ends(text: str, begins: str, ends: str) -> None:
    assert moment("--created-from", text) == begins
    assert moment("--created-to", text, behind=True) == ends


@pytest.mark.parametrize("text", ["yesterday", "2026-02-30", "2026-01-31T13:00:00+01:00"])
def test_what_is_no_day_is_refused_with_its_option(text: str) -> None:
    with pytest.raises(WrongSelection, match=r"--created-from .* is no day and no time"):
        moment("--created-from", text)
