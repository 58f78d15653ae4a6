"""Why does a field hold what it holds? The same pass as ``enrich``, without writing.

For each mapped field: what stands there, what would stand there, which source, variable,
transforms and rule decide, and who wrote it so far.
"""

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass

from directory.model import Absent, Answer, Found, Unavailable, source_name
from mapping.model import Decision, EventHint, Reason
from mapping.precedence import may_name
from worker.handlers.enrich import look
from worker.services import Services
from worker.tickets.past import FieldLine, read_update


@dataclass(frozen=True, slots=True)
class PastWrite:
    """A line of the ticket's history that says that a field was written, or may say so.

    Attributes:
        line: the line's id.
        time: ``YYYY-MM-DD HH:MM:SS`` in the ticket system's zone.
        by: login of who wrote it; the user's id where there is no such user.
        ours: the worker's user wrote it.
        old: readable old value; the ticket system cuts long ones. None if the line tells none.
        new: readable new value, the same.
        certain: False where the line's name of the field is cut, and can be another field's.
    """

    line: int
    time: str
    by: str
    ours: bool
    old: str | None = dataclasses.field(repr=False)
    new: str | None = dataclasses.field(repr=False)
    certain: bool


@dataclass(frozen=True, slots=True)
class FieldExplanation:
    """One mapped field of one ticket.

    Attributes:
        current: the readable text of what stands in the field.
        proposed: the readable text of what would be written; equal to ``current`` where nothing
            would be.
        offered: the readable text of what the rule makes of the directory's answer, written or
            not.
        source: the name of the source that supplies the customer user, empty if none does.
        past: who wrote the field, the oldest first.
    """

    field: str
    decision: Decision
    reason: Reason
    current: str = dataclasses.field(repr=False)
    proposed: str = dataclasses.field(repr=False)
    offered: str = dataclasses.field(repr=False)
    source: str
    variables: tuple[str, ...]
    transforms: tuple[str, ...]
    warning: str
    past: tuple[PastWrite, ...] = ()


@dataclass(frozen=True, slots=True)
class Explanation:
    """A ticket and all its mapped fields.

    Attributes:
        answer: what the directory says: ``found``, ``absent``, ``unavailable``, or ``stale``: the
            source does not answer, and what it said before stands in.
        detail: the reason of an answer that is not ``found``.
    """

    ticket_id: int
    number: str
    customer_user: str
    answer: str
    source: str
    detail: str
    fields: tuple[FieldExplanation, ...]


def explain(
    ticket_id: int, services: Services, hints: Sequence[EventHint] = ()
) -> Explanation | None:
    """Explain a ticket's mapped fields as they would be handled now; None if there is no ticket.

    Raises:
        TicketDatabaseUnavailable: the ticket database does not answer.
    """
    seen = look([ticket_id], services, {ticket_id: hints}).get(ticket_id)
    if seen is None:
        return None
    answer, source, detail = _said(seen.answer)
    decisions = seen.plan.decisions if seen.plan else ()
    lines = services.past.of_ticket(ticket_id)
    return Explanation(
        ticket_id=seen.ticket.id,
        number=seen.ticket.number,
        customer_user=seen.ticket.customer_user or "",
        answer=answer,
        source=source,
        detail=detail,
        fields=tuple(
            FieldExplanation(
                field=decision.field,
                decision=decision.decision,
                reason=decision.reason,
                current=decision.old_text,
                proposed=(
                    decision.new_text
                    if decision.decision in {Decision.WRITE, Decision.CLEAR}
                    else decision.old_text
                ),
                offered=decision.new_text,
                source=source,
                variables=decision.variables,
                transforms=decision.transforms,
                warning=decision.warning,
                past=_past(decision.field, lines),
            )
            for decision in decisions
        ),
    )


def _past(field: str, lines: Sequence[FieldLine]) -> tuple[PastWrite, ...]:
    """The lines that are about a field, or could be: a cut name stands for all that begin so."""
    found = []
    for line in lines:
        if may_name(line.text, field):
            told = read_update(line.text)
            by = line.author or str(line.author_id)
            found.append(
                PastWrite(line.id, line.time, by, line.ours, told.old, told.new, not told.cut)
            )
    return tuple(found)


def _said(answer: Answer) -> tuple[str, str, str]:
    match answer:
        case Found(customer_user=customer_user, stale=reason) if reason:
            return "stale", source_name(customer_user.slot), reason
        case Found(customer_user=customer_user):
            return "found", source_name(customer_user.slot), ""
        case Absent(reason=reason):
            return "absent", "", reason
        case Unavailable(slot=slot, reason=reason):
            return "unavailable", source_name(slot), reason
