"""When do lines of a field's history say the same, though OTOBO wrote more of them?

Where OTOBO writes again what stands there already (D4, D5), writes several variables into one
field one after the other (D8), or writes what the same request then replaces (D28), Fieldfare
writes once or not at all. Authors differ always and are not looked at (D27).
"""

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from worker.tickets.history import field_update

UPDATE = "TicketDynamicFieldUpdate"

_NAME = re.compile(r"%%FieldName%%(.*?)(?:%%Value%%|$)", re.DOTALL)
_LINE = re.compile(
    r"%%FieldName%%(?P<name>.*?)%%Value%%(?P<new>.*)%%OldValue%%(?P<old>.*)", re.DOTALL
)


@dataclass(frozen=True, slots=True)
class Allowed:
    """Which of the rules can apply to a field in a step.

    Attributes:
        repeated: OTOBO ran more than once, for one creation or for several calls (D5, D28).
        several_rules: several variables feed the field (D8).
        checkbox: empty and 0 are one value.
    """

    repeated: bool
    several_rules: bool
    checkbox: bool


def by_field(lines: Collection[str]) -> Mapping[str, list[str]]:
    """Lines by the name that stands in them, which may be cut."""
    found: dict[str, list[str]] = {}
    for line in lines:
        match = _NAME.match(line)
        found.setdefault(match[1] if match else line, []).append(line)
    return found


def agree(theirs: Sequence[str], ours: Sequence[str], allowed: Allowed) -> bool:
    """Whether our lines of a field say what OTOBO's say, by the rules that can apply."""
    changes = [line for line in theirs if not _says_nothing(line, checkbox=allowed.checkbox)]
    if sorted(ours) in (sorted(theirs), sorted(changes)):
        return True
    if not (allowed.repeated or allowed.several_rules):
        return False
    states = _states(changes)
    return states is not None and _leads(ours, states, 0, allowed)


def _says_nothing(line: str, *, checkbox: bool) -> bool:
    """Whether a line tells that a value took its own place (D4)."""
    match = _LINE.fullmatch(line)
    if match is None:
        return False
    return match["new"] == match["old"] or (checkbox and {match["new"], match["old"]} == {"", "0"})


def _states(lines: Sequence[str]) -> tuple[str, list[str]] | None:
    """The field's name, and the values that it had one after the other."""
    matches = [_LINE.fullmatch(line) for line in lines]
    if not matches or matches[0] is None:
        return None
    values = [matches[0]["old"]]
    for match in matches:
        if match is None or match["old"] != values[-1]:
            return None
        values.append(match["new"])
    return matches[0]["name"], values


def _leads(
    ours: Sequence[str], states: tuple[str, list[str]], begin: int, allowed: Allowed
) -> bool:
    """Whether our lines lead from a value to the last, and leave out only what lies between."""
    name, values = states
    if not ours:
        empty = {"", "0"} if allowed.checkbox else set()
        return values[begin] == values[-1] or {values[begin], values[-1]} == empty
    return any(
        ours[0] == field_update(name, values[end], values[begin])
        and _leads(ours[1:], states, end, allowed)
        for end in range(begin + 1, len(values))
    )
