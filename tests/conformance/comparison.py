"""Did a step end as it was recorded, or as ``deviations.toml`` says? What differs is told."""

import dataclasses
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from tests.conformance import directory_writes, history_rules
from tests.conformance.deviations import Deviation
from tests.conformance.directory_calls import meaning
from tests.conformance.directory_writes import Rows
from tests.conformance.history_rules import Allowed
from tests.conformance.observation import Observation, canonical, recorded_rows
from tests.conformance.player import Player
from tests.conformance.recordings import Case, Json, Step, ticket_of
from tests.conformance.said import Said
from tests.otobo import WORKER

NOW = "{NOW}"
"""What stands in a recording for the moment of the run."""

ASSIGNMENTS = "customer_user_customer"
"""The table of further customers of customer users."""

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
        if self.case.topic == directory_writes.TOPIC:
            yield from self._tables(step, player, entries)
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
        for number, answer in player.said.items():
            call = step.calls[number]
            recorded = step.expect.get("result")
            if step.several and isinstance(recorded, list):
                recorded = recorded[number]
            name = str(call.get("method") or call.get("do") or call["op"])
            theirs, said = self._without_provenance(meaning(name, recorded), answer)
            place = f"result of {name}"
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

    def _without_provenance(self, theirs: Any, said: Said) -> tuple[Any, Said]:
        """What was said of rows that were written, without who wrote them, and when.

        It is the worker's user here, whoever asked (D27).
        """
        ours = said.result
        if self.case.topic != directory_writes.TOPIC or not isinstance(ours, Mapping):
            return theirs, said
        varying = {name for name, value in (theirs or {}).items() if value == NOW}
        for name in ("CreateBy", "ChangeBy"):
            if name in ours and ours[name] == str(WORKER):
                varying.add(name)
                self.rules.add("D27")
        kept = {name: value for name, value in ours.items() if name not in varying}
        left = {name: value for name, value in (theirs or {}).items() if name not in varying}
        return left, dataclasses.replace(said, result=kept)

    def _tables(self, step: Step, player: Player, entries: Sequence[Deviation]) -> Iterator[str]:
        """The rows of all tables that were recorded."""
        tables: Json = step.expect.get("tables") or {}
        listed = {name: entry for entry in entries for name in entry.tables}
        for name in listed.keys() - tables.keys():
            yield f"rows of {name} are listed, and the case has none here"
        for name, recorded in tables.items():
            theirs = [directory_writes.canonical(row) for row in recorded]
            columns = {key for row in recorded for key in row}
            ours = directory_writes.rows_of(player, name, columns)
            self._compare_passwords(theirs, ours)
            if name == ASSIGNMENTS:
                self._take_along(theirs, player.renamed)
            entry = listed.get(name)
            instead = theirs if entry is None else _listed_rows(theirs, entry.tables[name])
            expected, came = map(directory_writes.in_order, (instead, ours))
            if entry is not None and came == directory_writes.in_order(theirs):
                yield f"rows of {name} agree with OTOBO, and are listed under {entry.rule}"
            elif came != expected:
                lacking = [row for row in expected if row not in came]
                surplus = [row for row in came if row not in expected]
                yield _differs(f"rows of {name}", lacking, surplus)
            elif entry is not None:
                self.rules.add(entry.rule)

    def _take_along(self, theirs: Rows, renamed: Mapping[str, str]) -> None:
        """OTOBO leaves the assignments of a renamed customer user behind; here they move (D24)."""
        for row in theirs:
            if row["user_id"] in renamed:
                row["user_id"] = renamed[row["user_id"]]
                self.rules.add("D24")

    def _compare_passwords(self, theirs: Rows, ours: Rows) -> None:
        """A hash is another one with each run; that it has another form is D13."""
        stored = {row.get("login"): row for row in ours}
        for row in theirs:
            told = re.fullmatch(r"\{HASH .*len (\d+)\}", row.get("pw", ""))
            mine = stored.get(row.get("login"), {})
            if told is not None and "pw" in mine:
                if len(mine["pw"]) != int(told[1]):
                    self.rules.add("D13")
                row["pw"] = mine["pw"] = "{HASH}"


def _listed_rows(theirs: Rows, listed: Mapping[str, Any]) -> Rows:
    """Recorded rows with what is listed of them by login; ``false`` stands for no row."""
    rows = {row["login"]: row for row in theirs}
    for login, columns in listed.items():
        if columns is False:
            rows.pop(login, None)
        else:
            merged = {"login": login, **rows.get(login, {}), **columns}
            rows[login] = {name: value for name, value in merged.items() if value != ""}
    return [*rows.values()]


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
