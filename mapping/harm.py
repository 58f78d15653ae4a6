"""How much of what stands in the fields would plans take away, and is that more than a limit lets?

Counted are fields that hold a value and that the worker decides on: what it would empty, what it
would give another value, and what it leaves as it is. A field that is filled for the first time
takes nothing away, and a field that belongs to the frontend says nothing about the directory.
"""

from collections.abc import Iterable
from typing import NamedTuple

from mapping.model import Decision, FieldDecision, Plan, Reason

# In Python 3.11 getting a member of an Enum costs more than a call, and so does its hash.
_WRITE, _CLEAR, _UNCHANGED = Decision.WRITE, Decision.CLEAR, Decision.UNCHANGED
_FOUND, _DEFAULT = Reason.FOUND, Reason.DEFAULT


class Harm(NamedTuple):
    """Numbers of fields with a value.

    Attributes:
        erased: that would be emptied.
        changed: that would get another value.
        filled: all that the worker decides on: those, and the ones that stay as they are.
    """

    erased: int = 0
    changed: int = 0
    filled: int = 0


def measure(plan: Plan) -> Harm:
    """What one plan does to the fields of its ticket that hold a value."""
    erased = changed = kept = 0
    for one in plan.decisions:
        if one.decision is _UNCHANGED:
            # For every other reason the field is empty, and stays so.
            kept += one.reason is _FOUND or one.reason is _DEFAULT
        elif erases(one):
            erased += 1
        elif changes(one):
            changed += 1
    return Harm(erased, changed, erased + changed + kept)


def total(parts: Iterable[Harm]) -> Harm:
    """All of them together."""
    erased = changed = filled = 0
    for part in parts:
        erased += part[0]
        changed += part[1]
        filled += part[2]
    return Harm(erased, changed, filled)


def is_too_much(count: int, filled: int, number: int, share: float) -> bool:
    """Whether so many of the filled fields are beyond a limit.

    Args:
        count: fields that lose their value.
        filled: all fields with a value, those included.
        number: so many are never too many, however few there are.
        share: so much of the filled fields is never too much; from 0 to 1.
    """
    return count > number and count > share * filled


def erases(decision: FieldDecision) -> bool:
    """Whether a field loses its value."""
    return decision.decision is _CLEAR


def changes(decision: FieldDecision) -> bool:
    """Whether a field gets another value in place of one."""
    return decision.decision is _WRITE and decision.old_text != ""
