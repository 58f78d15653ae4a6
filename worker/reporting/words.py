"""How are the numbers of a report written, and what are its states called?"""

from collections.abc import Mapping

from worker.estimates import Estimate
from worker.handlers.report import State

WORDS: Mapping[State, str] = {
    State.SAME: "as the directory says",
    State.MISSING: "missing",
    State.DIFFERENT: "different",
    State.LEFTOVER: "left over",
    State.NOTHING: "nothing there",
    State.UNKNOWN: "customer user unknown",
    State.NO_CUSTOMER_USER: "no customer user",
    State.KEPT: "kept by precedence",
    State.REFUSED: "refused",
    State.UNAVAILABLE: "source away",
}
"""What each state is called in tables and charts."""


def number(value: int) -> str:
    """A number as people read it: ``12 345``."""
    return f"{value:,}".replace(",", "\N{NARROW NO-BREAK SPACE}")


def percent(part: int, whole: int) -> str:
    """A share as people read it: ``81.2 %``; nothing where there is nothing to share."""
    return f"{100 * part / whole:.1f} %" if whole else ""


def about(value: Estimate, total: int) -> str:
    """An estimate as people read it: ``81.2 % ± 2.4``, or the number where it is known."""
    if value.low == value.high:
        return f"{number(value.number)} ({percent(value.number, total)})"
    off = max(value.high - value.number, value.number - value.low)
    return f"{percent(value.number, total)} ± {100 * off / max(total, 1):.1f}"
