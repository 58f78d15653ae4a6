"""Where does Fieldfare differ from a recording on purpose? What ``deviations.toml`` lists.

Each entry names a case, a step (or several), the rule, and what Fieldfare gives instead::

    [[deviation]]
    case = "source_down-03"
    step = 2
    rule = "D1"
    fields = { CFirst = "Jane", "T2.CPhone" = "" }   # an empty text is no value
    result = { UserFullname = "Jane Doe" }           # of a call: the keys that differ, or all of it
    history = ["%%FieldName%%…"]                     # all field lines of the step, of ticket T1
    tables.customer_user.jdoe = { title = "Dr." }    # what differs of a row; false = there is none

An entry whose case agrees after all fails, and so does one without a rule.
"""

import re
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.conformance.recordings import UnreadableCases

FILE = "deviations.toml"

_RULE = re.compile(r"D([1-9]|[12][0-9]|3[0-2])")
_KEYS = frozenset(
    {"case", "step", "rule", "why", "fields", "result", "history", "tables", "database"}
)


@dataclass(frozen=True, slots=True)
class Deviation:
    """One entry for one step.

    Attributes:
        fields: values by ticket and field; empty = no value.
        result: what a call means here; None if its result agrees.
        history: names of the field lines of ticket T1; None if they follow the rules.
        tables: columns that differ, by table and login; no columns at all where there is no row.
        database: the entry counts only with the ticket system's database there.
    """

    case: str
    step: int
    rule: str
    fields: Mapping[tuple[str, str], Any] = field(default_factory=dict)
    result: Any = None
    history: Sequence[str] | None = None
    tables: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    database: str = ""


@dataclass(frozen=True, slots=True)
class Listed:
    """All entries of a folder.

    Attributes:
        problems: what is wrong with entries, by case.
    """

    entries: Sequence[Deviation]
    problems: Mapping[str, Sequence[str]]

    def of(self, case: str, step: int, database: str) -> Sequence[Deviation]:
        """The entries for a step."""
        return [
            entry
            for entry in self.entries
            if (entry.case, entry.step) == (case, step) and entry.database in {"", database}
        ]

    def unknown(self, cases: Iterable[str]) -> list[str]:
        """Cases that are listed and do not exist."""
        known = set(cases)
        return sorted(({entry.case for entry in self.entries} | set(self.problems)) - known)


def load(folder: Path) -> Listed:
    """The list of a folder; one without the file differs nowhere.

    Raises:
        UnreadableCases: the file is not TOML.
    """
    path = folder / FILE
    if not path.exists():
        return Listed([], {})
    try:
        listed = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        msg = f"{FILE}: {error}"
        raise UnreadableCases(msg) from error
    entries: list[Deviation] = []
    surplus = [f"{key} is not [[deviation]]" for key in listed if key != "deviation"]
    problems: dict[str, list[str]] = {FILE: surplus}
    for number, raw in enumerate(listed.get("deviation", []), start=1):
        case = str(raw.get("case") or f"{FILE}: entry {number}")
        found = list(_problems(raw))
        problems.setdefault(case, []).extend(found)
        if not found:
            steps = raw["step"] if isinstance(raw["step"], list) else [raw["step"]]
            entries += [_entry(case, step, raw) for step in steps]
    return Listed(entries, {case: found for case, found in problems.items() if found})


def _problems(raw: Mapping[str, Any]) -> Iterable[str]:
    if not raw.get("case"):
        yield "an entry names no case"
    if not raw.get("step"):
        yield "an entry names no step"
    if not _RULE.fullmatch(str(raw.get("rule") or "")):
        yield "an entry names no rule (D1 … D32)"
    if not raw.keys() & {"fields", "result", "history", "tables"}:
        yield "an entry says nothing of what comes instead (fields, result, history, tables)"
    for key in sorted(raw.keys() - _KEYS):
        yield f"an entry has an unknown key {key}"


def _entry(case: str, step: int, raw: Mapping[str, Any]) -> Deviation:
    fields = {}
    for name, value in raw.get("fields", {}).items():
        ticket, dot, rest = name.partition(".")
        fields[(ticket, rest) if dot else ("T1", name)] = value
    return Deviation(
        case=case,
        step=step,
        rule=raw["rule"],
        fields=fields,
        result=raw.get("result"),
        history=raw.get("history"),
        tables=raw.get("tables", {}),
        database=raw.get("database", ""),
    )
