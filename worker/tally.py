"""What came of the tickets of a resync? Numbers, by outcome, field, reason and source; no values.

The numbers of the parts of a job are added up in Redis, each under a key of its own.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TypeAlias

from directory.model import Found, Unavailable, source_name
from mapping.model import Decision, Reason
from worker.handlers.enrich import Verdict
from worker.outcomes import Kind

Counts: TypeAlias = Mapping[str, int]
"""``ticket/KIND``, ``source/KIND/SOURCE`` and ``field/DECISION/REASON/NAME`` -> how many."""

LEFT = frozenset({Kind.WAITING, Kind.STALE, Kind.CONFLICT, Kind.FAILED})
"""How it ended for tickets that are to be looked at again, in another run."""

NOBODY = "-"
"""Stands for the source of tickets whose customer user no source knows."""


@dataclass(frozen=True, slots=True)
class Field:
    """What came of one field in all tickets.

    Attributes:
        kept: by the precedence rule that keeps the field's value.
        refused: by why nothing can be written.
    """

    name: str
    written: int
    cleared: int
    unchanged: int
    kept: Mapping[Reason, int]
    refused: Mapping[Reason, int]


@dataclass(frozen=True, slots=True)
class Report:
    """What came of all tickets.

    Attributes:
        tickets: by outcome.
        fields: by name.
        sources: tickets by source name and outcome.
    """

    tickets: Mapping[Kind, int]
    fields: tuple[Field, ...]
    sources: Mapping[str, Mapping[Kind, int]]

    @property
    def seen(self) -> int:
        """Tickets that were looked at."""
        return sum(self.tickets.values())


def count(verdicts: Iterable[Verdict]) -> Counter[str]:
    """The numbers of some tickets."""
    counts: Counter[str] = Counter()
    for verdict in verdicts:
        counts[f"ticket/{verdict.kind}"] += 1
        if verdict.seen is None:
            continue
        counts[f"source/{verdict.kind}/{_source(verdict)}"] += 1
        for one in verdict.seen.plan.decisions if verdict.seen.plan else ():
            counts[f"field/{one.decision}/{one.reason}/{one.field}"] += 1
    return counts


def report(counts: Counts) -> Report:
    """The numbers, sorted out; what another version counted besides is left out."""
    tickets: Counter[Kind] = Counter()
    sources: dict[str, Counter[Kind]] = defaultdict(Counter)
    fields: dict[str, dict[Decision, Counter[Reason]]] = defaultdict(lambda: defaultdict(Counter))
    for key, number in counts.items():
        match key.split("/", 3):
            case ["ticket", kind]:
                tickets[Kind(kind)] += number
            case ["source", kind, name]:
                sources[name][Kind(kind)] += number
            case ["field", decision, reason, name]:
                fields[name][Decision(decision)][Reason(reason)] += number
    return Report(
        dict(sorted(tickets.items())),
        tuple(
            Field(
                name,
                written=found[Decision.WRITE].total(),
                cleared=found[Decision.CLEAR].total(),
                unchanged=found[Decision.UNCHANGED].total(),
                kept=dict(found[Decision.KEEP]),
                refused=dict(found[Decision.REFUSE]),
            )
            for name, found in sorted(fields.items())
        ),
        {name: dict(found) for name, found in sorted(sources.items())},
    )


def _source(verdict: Verdict) -> str:
    answer = verdict.seen.answer if verdict.seen else None
    if isinstance(answer, Found):
        return source_name(answer.customer_user.slot)
    return source_name(answer.slot) if isinstance(answer, Unavailable) else NOBODY
