"""Logins that are made: of the minute, with a prefix, and nobody else's."""

from collections.abc import Collection

import pytest

from directory import automatic_logins as module
from directory.automatic_logins import automatic_logins
from directory.refusals import Refused

MOMENT = "2026-11-23 08:15:42"


def test_a_login_tells_its_prefix_and_its_minute() -> None:
    made = automatic_logins(3, "auto", MOMENT, lambda _: ())

    assert len({*made}) == 3
    assert all(login.startswith("auto-202611230815") for login in made)


def test_what_somebody_has_is_drawn_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "NUMBERS", 2)

    def taken(logins: Collection[str]) -> Collection[str]:
        return [login for login in logins if login.endswith("0")]

    # Of two numbers one is taken; that twenty draws miss the other is one in a million.
    assert automatic_logins(1, "a", MOMENT, taken)[0] == "a-2026112308151"


def test_where_none_is_left_it_is_said() -> None:
    with pytest.raises(Refused, match="no automatic login is left"):
        automatic_logins(1, "a", MOMENT, lambda logins: logins)
