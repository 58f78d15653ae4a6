"""Old tickets filled: the same pass as for events, over tickets that no event told of.

``resync`` writes, ``compare`` only tells what it would write. Both take some hundred tickets at
once; which ones, and how far a job has come, is none of their business.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

import redis
import structlog
from celery.exceptions import SoftTimeLimitExceeded

from mapping.model import Decision, FieldDecision, Reason
from worker import tally
from worker.drain import OUTAGES
from worker.handlers.enrich import Verdict, converge, foresee
from worker.manner import Manner
from worker.outcomes import Kind
from worker.services import Services

log = structlog.get_logger("fieldfare")

NOBODY_IS_TO_BLAME = (*OUTAGES, redis.RedisError, SoftTimeLimitExceeded)
"""No ticket is: stop, and go on later where this was."""


class Done(NamedTuple):
    """What came of some tickets.

    Attributes:
        counts: as ``worker.tally`` counts.
        left: ids of tickets that are to be looked at in another run, by how it ended for them.
    """

    counts: Counter[str]
    left: Mapping[Kind, Sequence[int]]


class Difference(NamedTuple):
    """A field that a resync would write.

    Attributes:
        old: the readable text of what stands there.
        new: the readable text of what would stand there.
    """

    ticket_id: int
    number: str
    field: str
    decision: Decision
    reason: Reason
    old: str
    new: str

    def __repr__(self) -> str:
        return f"Difference(ticket_id={self.ticket_id}, field={self.field!r})"


def resync(ticket_ids: Sequence[int], services: Services, manner: Manner) -> Done:
    """Write what is to be written into some hundred tickets; doing it again changes nothing.

    Args:
        ticket_ids: of the tickets; one that does not exist is counted.
        services: whom to ask, and where to write.
        manner: how to write.

    Raises:
        TicketDatabaseUnavailable: nothing is known of these tickets; some may be written.
        WritingStopped: too many fields would lose their values.
    """
    return _done(_converged(ticket_ids, services, manner))


def compare(
    ticket_ids: Sequence[int], services: Services, manner: Manner
) -> tuple[Done, list[Difference]]:
    """What ``resync`` would do, and nothing is written.

    Raises:
        TicketDatabaseUnavailable: the ticket database does not answer.
    """
    verdicts = foresee(ticket_ids, services, manner)
    return _done(verdicts), list(_differences(verdicts))


def _converged(
    ticket_ids: Sequence[int], services: Services, manner: Manner
) -> Mapping[int, Verdict]:
    """A verdict for each ticket; one over which the pass stumbles does not hold up the others."""
    if not ticket_ids:
        return {}
    try:
        return converge(dict.fromkeys(ticket_ids, ()), services, manner)
    except NOBODY_IS_TO_BLAME:
        raise
    except Exception as error:  # noqa: BLE001 - whatever it is, it must not fail other tickets
        if len(ticket_ids) == 1:
            name = type(error).__name__  # its text may hold values
            log.error("resync.failed", ticket_id=ticket_ids[0], error=name)  # noqa: TRY400
            return {ticket_ids[0]: Verdict(Kind.FAILED, reason=name)}
    middle = len(ticket_ids) // 2
    first = _converged(ticket_ids[:middle], services, manner)
    return {**first, **_converged(ticket_ids[middle:], services, manner)}


def _done(verdicts: Mapping[int, Verdict]) -> Done:
    left = {
        kind: ids
        for kind in sorted(tally.LEFT)
        if (ids := [id_ for id_, verdict in verdicts.items() if verdict.kind is kind])
    }
    return Done(tally.count(verdicts.values()), left)


def _differences(verdicts: Mapping[int, Verdict]) -> Iterator[Difference]:
    for ticket_id, verdict in verdicts.items():
        if verdict.seen is None or verdict.seen.plan is None:
            continue
        for one in verdict.seen.plan.decisions:
            if one.decision in {Decision.WRITE, Decision.CLEAR}:
                yield _difference(ticket_id, verdict.seen.ticket.number, one)


def _difference(ticket_id: int, number: str, one: FieldDecision) -> Difference:
    return Difference(
        ticket_id, number, one.field, one.decision, one.reason, one.old_text, one.new_text
    )
