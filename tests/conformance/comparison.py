"""Did a step end as it was recorded, or as ``deviations.toml`` says? What differs is told."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from tests.conformance import history_rules
from tests.conformance.deviations import Deviation
from tests.conformance.directory_calls import meaning
from tests.conformance.history_rules import Allowed
from tests.conformance.observation import Observation, canonical, recorded_rows
from tests.conformance.player import Player
from tests.conformance.recordings import Case, Json, Step, ticket_of

_MOST = 300
"""Characters of a value in a message."""


@dataclass(slots=True)
class Comparison:
    """The comparisons of a case, step by step.

    Attributes:
        rules: the rules that explain where a step differed.
        differing: fields whose value is not OTOBO's, by ticket.
        before: the tickets after the step before.
    """

    case: Case
    rules: set[str] = field(default_factory=set)
    differing: dict[str, set[str]] = field(default_factory=dict)
    before: dict[str, Observation] = field(default_factory=dict)

    def step(
        self,
        step: Step,
        player: Player,
        seen: Mapping[str, Observation],
        entries: Sequence[Deviation],
    ) -> Iterator[str]:
        """What differs in a step without a reason."""
        fields = {place: entry for entry in entries for place in entry.fields}
        tickets: Json = step.expect.get("tickets") or {}
        for ticket, name in fields:
            if name not in (tickets.get(ticket) or {}).get("fields", {}):
                yield f"{ticket}.{name} is listed, and the case has no such field here"
        for name, expected in tickets.items():
            if name in seen:
                yield from self._ticket(step, name, expected, seen[name], entries)
            else:
                yield f"there is no ticket {name}"
        self.before.update(seen)
        yield from self._results(step, player, [one for one in entries if one.result is not None])

    def _ticket(
        self,
        step: Step,
        name: str,
        expected: Json,
        seen: Observation,
        entries: Sequence[Deviation],
    ) -> Iterator[str]:
        """One ticket, all of it."""
        listed = {
            place[1]: (entry.rule, value)
            for entry in entries
            for place, value in entry.fields.items()
            if place[0] == name
        }
        for column, value in (expected.get("ticket") or {}).items():
            if column in seen.customer and seen.customer[column] != value:
                yield _differs(f"{name}.ticket.{column}", value, seen.customer[column])
        fields: Json = expected.get("fields") or {}
        differing = {one for one in fields if seen.fields.get(one) != canonical(fields[one])}
        for one in sorted(fields.keys() & listed.keys()):
            yield from self._listed(
                f"{name}.{one}", *listed[one], seen.fields.get(one), fields[one]
            )
        for one in sorted(differing - listed.keys()):
            yield _differs(f"{name}.{one}", canonical(fields[one]), seen.fields.get(one))
        if "rows" in expected:
            rows = recorded_rows(expected["rows"])
            for one in sorted({*fields, *rows} - differing - listed.keys()):
                theirs, ours = rows.get(one, []), list(seen.rows.get(one, []))
                if ours != theirs:
                    yield _differs(f"{name}.rows of {one}", theirs, ours)
        if "history" in expected:
            yield from self._history(step, name, expected, seen, entries, differing)
        self.differing[name] = differing

    def _listed(
        self, place: str, rule: str, instead: Any, ours: Any, recorded: Any
    ) -> Iterator[str]:
        """A field that is listed must differ, and must be what the list says."""
        if ours == canonical(recorded):
            yield f"{place} agrees with OTOBO, and is listed under {rule}"
        elif ours != canonical(instead):
            yield _differs(f"{place} ({rule})", canonical(instead), ours)
        else:
            self.rules.add(rule)

    def _history(  # noqa: PLR0913, PLR0917 - it depends on all of this
        self,
        step: Step,
        name: str,
        expected: Json,
        seen: Observation,
        entries: Sequence[Deviation],
        differing: set[str],
    ) -> Iterator[str]:
        theirs = [
            line["name"] for line in expected["history"] if line["type"] == history_rules.UPDATE
        ]
        listed = [entry for entry in entries if entry.history is not None and name == "T1"]
        for entry in listed:
            if sorted(seen.lines) == sorted(theirs):
                yield f"{name}.history agrees with OTOBO, and is listed under {entry.rule}"
            elif sorted(seen.lines) != sorted(entry.history or ()):
                yield _differs(f"{name}.history ({entry.rule})", entry.history, seen.lines)
            else:
                self.rules.add(entry.rule)
        if listed:
            return
        unlike = differing | self.differing.get(name, set())
        recorded, written = history_rules.by_field(theirs), history_rules.by_field(seen.lines)
        for one in dict.fromkeys([*recorded, *written]):
            ours = written.get(one, [])
            if one in unlike:
                yield from self._follows(name, one, ours, seen)
            elif not history_rules.agree(recorded.get(one, []), ours, self._allowed(step, one)):
                yield _differs(f"{name}.history of {one}", recorded.get(one, []), ours)

    def _follows(
        self, ticket: str, name: str, ours: Sequence[str], seen: Observation
    ) -> Iterator[str]:
        """Where values are not OTOBO's, lines must tell of a change just when there was one."""
        before = self.before.get(ticket)
        changed = (before.fields.get(name) if before else None) != seen.fields.get(name)
        if changed and not ours:
            yield f"{ticket}.{name} changed, and no line tells of it"
        if ours and not changed:
            yield f"{ticket}.{name} did not change, and a line tells that it did: {_short(ours)}"

    def _allowed(self, step: Step, name: str) -> Allowed:
        targets = list((self.case.config.get("mapping") or {}).values())
        kinds = {item["Name"]: item["FieldType"] for item in self.case.config["dynamic_fields"]}
        created = any(call.get("op") == "ticket_create" for call in step.calls)
        return Allowed(
            repeated=created or len(step.calls) > 1,
            several_rules=targets.count(name) > 1,
            checkbox=kinds.get(name) == "Checkbox",
        )

    def _results(self, step: Step, player: Player, listed: Sequence[Deviation]) -> Iterator[str]:
        for number, said in player.said.items():
            call = step.calls[number]
            recorded = step.expect.get("result")
            if step.several and isinstance(recorded, list):
                recorded = recorded[number]
            theirs = meaning(call["method"], recorded)
            place = f"result of {call['method']}"
            for entry in listed:
                instead = _instead(theirs, entry.result)
                if said.agrees(theirs):
                    yield f"{place} agrees with OTOBO, and is listed under {entry.rule}"
                elif said.result != instead:
                    yield _differs(f"{place} ({entry.rule})", instead, said.result)
                else:
                    self.rules.add(entry.rule)
            if not listed and not said.agrees(theirs):
                yield _differs(place, theirs, said.result) + (said.reason and f" ({said.reason})")
        if listed and not player.said:
            yield "a result is listed, and the step calls nothing that is compared"


def tickets_of(step: Step) -> set[str]:
    """The tickets that a step is about or is expected to show."""
    return {ticket_of(call) for call in step.calls} | set(step.expect.get("tickets") or {})


def _instead(theirs: Any, listed: Any) -> Any:
    """What a call means instead: of a customer user, the keys that differ."""
    if isinstance(theirs, Mapping) and isinstance(listed, Mapping):
        merged = {**theirs, **listed}
        return {name: value for name, value in merged.items() if value != ""}
    return listed


def _differs(place: str, expected: Any, came: Any) -> str:
    """The two values; where both are objects, only the keys that differ."""
    if isinstance(expected, Mapping) and isinstance(came, Mapping):
        keys = [key for key in {**expected, **came} if expected.get(key) != came.get(key)]
        expected = {key: expected.get(key) for key in keys}
        came = {key: came.get(key) for key in keys}
    return f"{place}: expected {_short(expected)}, came {_short(came)}"


def _short(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= _MOST else f"{text[:_MOST]}… ({len(text)} characters)"
