"""How complete are the mapped fields, and why are those empty that are? Numbers, and no values.

How many fields are filled the database counts by itself. What the directory says of them takes the
same pass as ``enrich`` without its last step, over a random sample of the tickets or over all of
them. Nothing is written.
"""

import heapq
import random
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import chain

from directory.model import Found, Unavailable, source_name
from mapping.model import Decision, FieldDecision, Reason, TicketState, ValueRow
from worker.estimates import Estimate, estimate
from worker.handlers.enrich import Look, foresee
from worker.progress import Progress
from worker.services import Services
from worker.tickets.filled import Filled, Group
from worker.tickets.selection import WINDOW, Scope, Selection

CHUNK = 500
"""Tickets that are looked at together."""


class State(StrEnum):
    """How a field of a ticket stands to what the directory says now. Each has exactly one."""

    SAME = "same"  # it holds what the directory says
    MISSING = "missing"  # it is empty, and the directory has a value
    DIFFERENT = "different"  # it holds a value, and the directory has another one
    LEFTOVER = "leftover"  # it holds a value, and the directory has none
    NOTHING = "nothing"  # it is empty, and the directory has nothing for it
    UNKNOWN = "unknown"  # it is empty, and no source knows the customer user
    NO_CUSTOMER_USER = "no_customer_user"  # it is empty, and the ticket has no customer user
    KEPT = "kept"  # by precedence: it stays as it is, filled or empty
    REFUSED = "refused"  # the field cannot take what the directory says
    UNAVAILABLE = "unavailable"  # a source does not answer, so nobody can tell


DRIFT = (State.MISSING, State.DIFFERENT, State.LEFTOVER)
"""What differs from what the directory says now; a resync would write it."""

MEANING: Mapping[State, str] = {
    State.SAME: "holds what the directory says",
    State.MISSING: "empty, and the directory has a value",
    State.DIFFERENT: "holds another value than the directory has",
    State.LEFTOVER: "holds a value, and the directory has none",
    State.NOTHING: "empty, for the directory has nothing for it",
    State.UNKNOWN: "empty, for no source knows the customer user",
    State.NO_CUSTOMER_USER: "empty, for the ticket has no customer user",
    State.KEPT: "stays as it is, by precedence",
    State.REFUSED: "cannot take what the directory has",
    State.UNAVAILABLE: "not known, for a source does not answer",
}
"""What each state means, for people."""

_FOUND = frozenset({Reason.FOUND, Reason.DEFAULT})
_PRECEDENCE = frozenset(
    {Reason.WRITTEN_LATER, Reason.OWNED_BY_SCREEN, Reason.SUBMITTED, Reason.MANUAL_EDIT}
)


@dataclass(frozen=True, slots=True)
class FieldReport:
    """One mapped field in all tickets.

    Attributes:
        filled: tickets in which it holds a value; counted.
        states: tickets by state; estimates, unless all tickets were looked at.
        drift: the states of ``DRIFT`` together.
    """

    name: str
    filled: int
    states: Mapping[State, Estimate]
    drift: Estimate


@dataclass(frozen=True, slots=True)
class GroupReport:
    """One mapped field in the tickets of a queue and a month, open or closed.

    Attributes:
        tickets: all of them; counted.
        filled: counted.
        looked: how many of them were looked at.
        states: how many of those are in each state.
    """

    group: Group
    field: str
    tickets: int
    filled: int
    looked: int
    states: Mapping[State, int]


@dataclass(frozen=True, slots=True)
class Report:
    """How complete the fields of some tickets are.

    Attributes:
        tickets: how many there are.
        looked: at how many of them the directory was asked: a random sample, or all.
        fields: by name.
        groups: in the order of queue, month, open before closed, and field.
        unavailable: how many of the tickets that were looked at could not be told about, for their
            source did not answer; by source name.
    """

    tickets: int
    looked: int
    fields: tuple[FieldReport, ...]
    groups: tuple[GroupReport, ...]
    unavailable: Mapping[str, int]

    @property
    def full(self) -> bool:
        """Whether all tickets were looked at, so that nothing is an estimate."""
        return self.looked >= self.tickets


def report(
    services: Services, selection: Selection, *, sample: int | None, progress: Progress
) -> Report:
    """Count, look, and put together.

    Args:
        services: whom to ask.
        selection: which tickets; by queue, state and times.
        sample: at how many tickets to look; None for all.
        progress: is told now and then.

    Raises:
        WrongSelection: there is no such queue or state.
        TicketDatabaseUnavailable: the ticket database does not answer.
    """
    scope = services.ticket_index.resolve(selection)
    fields = sorted(services.ruleset.fields)

    def counting(done: int, total: int) -> None:
        progress("counting", done, total)

    filled = services.filled.count(scope, fields, counting)
    total = sum(filled.tickets.values())
    parts = _all(services, scope) if sample is None else _sample(services, scope, sample)
    seen = _Seen()
    for part in parts:
        _look(part, services, seen)
        progress("looking", sum(seen.looked.values()), total if sample is None else sample)
    return _report(filled, seen, fields)


class _Seen:
    """What was found so far.

    Attributes:
        looked: tickets by group.
        states: tickets by group, field and state.
        unavailable: tickets by source name.
    """

    def __init__(self) -> None:
        self.looked: Counter[Group] = Counter()
        self.states: Counter[tuple[Group, str, State]] = Counter()
        self.unavailable: Counter[str] = Counter()


def _all(services: Services, scope: Scope) -> Iterator[Sequence[int]]:
    """All tickets of a scope, some at a time."""
    reached = 0
    while reached < scope.last:
        part = services.ticket_index.part(scope, reached, CHUNK)
        reached = part.reached
        if part.ids:
            yield part.ids


def _sample(services: Services, scope: Scope, size: int) -> Iterator[Sequence[int]]:
    """Tickets of a scope, each as likely as any other, in the order of their ids.

    The same ones as long as the tickets are the same, so that two reports can be compared.
    """
    chance = random.Random(0)  # noqa: S311 - nobody gains by foreseeing it
    chosen: list[tuple[float, int]] = []
    reached = 0
    while reached < scope.last:
        part = services.ticket_index.part(scope, reached, WINDOW)
        reached = part.reached
        drawn = ((chance.random(), id_) for id_ in part.ids)
        chosen = heapq.nsmallest(size, chain(chosen, drawn))
    ids = sorted(id_ for _, id_ in chosen)
    for start in range(0, len(ids), CHUNK):
        yield ids[start : start + CHUNK]


def _look(ticket_ids: Sequence[int], services: Services, seen: _Seen) -> None:
    """Look at tickets, and count; those that are gone meanwhile are left out."""
    groups = services.filled.groups(ticket_ids)
    for ticket_id, verdict in foresee(ticket_ids, services).items():
        if verdict.seen is None or ticket_id not in groups:
            continue
        group = groups[ticket_id]
        seen.looked[group] += 1
        if silent := _silent(verdict.seen):
            seen.unavailable[silent] += 1
        for field, state in _states(verdict.seen, services.ruleset.fields):
            seen.states[group, field, state] += 1


def _silent(seen: Look) -> str:
    """The source that should know the customer user, and does not answer; empty if all do."""
    match seen.answer:
        case Unavailable(slot=slot):
            return source_name(slot)
        case Found(customer_user=customer_user, stale=reason) if reason:
            return source_name(customer_user.slot)
        case _:
            return ""


def _states(seen: Look, fields: frozenset[str]) -> Iterator[tuple[str, State]]:
    """The state of each mapped field of a ticket."""
    if _silent(seen) or seen.plan is None:
        for field in fields:
            yield field, State.UNAVAILABLE
        return
    for decision in seen.plan.decisions:
        yield decision.field, state_of(decision, seen.ticket)


def state_of(decision: FieldDecision, ticket: TicketState) -> State:
    """The state of a field that a plan decided on."""
    filled = any(map(_holds_something, ticket.rows.get(decision.field, ())))
    match decision.decision:
        case Decision.KEEP:
            return State.KEPT if decision.reason in _PRECEDENCE else State.REFUSED
        case Decision.REFUSE:
            return State.REFUSED
        case Decision.CLEAR:
            return State.LEFTOVER
        case Decision.WRITE:
            return State.DIFFERENT if filled else State.MISSING
        case _ if decision.reason in _FOUND:
            return State.SAME
        case _:
            return {
                Reason.UNKNOWN_CUSTOMER_USER: State.UNKNOWN,
                Reason.NO_CUSTOMER_USER: State.NO_CUSTOMER_USER,
            }.get(decision.reason, State.NOTHING)


def _holds_something(row: ValueRow) -> bool:
    return bool(row.value_text) or row.value_int is not None or row.value_date is not None


def _report(filled: Filled, seen: _Seen, fields: Sequence[str]) -> Report:
    tickets, looked = sum(filled.tickets.values()), sum(seen.looked.values())
    # Tickets that came or went meanwhile must not make a whole look like a sample.
    tickets = max(tickets, looked)
    by_state: Counter[tuple[str, State]] = Counter()
    by_field: Counter[str] = Counter()
    for (_, field, state), number in seen.states.items():
        by_state[field, state] += number
    for (_, field), number in filled.fields.items():
        by_field[field] += number
    return Report(
        tickets=tickets,
        looked=looked,
        fields=tuple(
            FieldReport(
                field,
                by_field[field],
                {one: estimate(by_state[field, one], looked, tickets) for one in State},
                estimate(sum(by_state[field, one] for one in DRIFT), looked, tickets),
            )
            for field in fields
        ),
        groups=tuple(
            GroupReport(
                group,
                field,
                number,
                filled.fields.get((group, field), 0),
                seen.looked[group],
                {one: seen.states[group, field, one] for one in State},
            )
            for group, number in sorted(filled.tickets.items(), key=_order)
            for field in fields
        ),
        unavailable=dict(seen.unavailable),
    )


def _order(counted: tuple[Group, int]) -> tuple[str, str, bool]:
    group = counted[0]
    return group.queue, group.month, not group.open
