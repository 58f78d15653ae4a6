"""From ticket events to written fields: load, look up, plan, apply. One event or five hundred.

This is the only path there is. ``explain`` and a dry run are the same pass without the last
step; a resync is the same pass over many tickets.
"""

import dataclasses
import time
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, tzinfo
from functools import lru_cache, partial
from typing import Any, NamedTuple

import structlog

from directory.model import Absent, Answer, Found, Unavailable, source_name
from directory.watch import NO_OUTAGES
from mapping.model import Attributes, Decision, EventHint, Labels, Plan, TicketState
from mapping.plan import NO_LABELS, prepare
from mapping.restraint import only_empty, without_losses
from mapping.values import Several
from worker import logs, metrics, tracing
from worker.events import (
    DirectoryEvent,
    MalformedEventError,
    TicketCreated,
    TicketEvent,
    parse,
)
from worker.handlers.followers import announce
from worker.handlers.stale_copies import drop_stale_copies
from worker.inbox import Entry
from worker.labels import labels_for
from worker.manner import AS_FOR_EVENTS, Manner
from worker.outcomes import Kind, Outcome
from worker.services import Services
from worker.tickets.history import stamp
from worker.tickets.store import Applied, Conflict, Loaded, Refused, Result

log = structlog.get_logger("fieldfare")

Hints = Mapping[int, Sequence[EventHint]]
"""What the events of each ticket told, by ticket id."""

NO_REFRESH = "no field follows its customer user (mapping.refresh)"

NO_CUSTOMER_USER = Absent("the ticket has no customer user")

# As variables of their own: getting a member of an Enum costs more than what is done with it.
_DECISIONS = tuple(Decision)
_WRITE, _CLEAR, _UNCHANGED, _KEEP, _REFUSE = _DECISIONS


class Look(NamedTuple):
    """What one pass found out about a ticket, before anything is written.

    Attributes:
        answer: what the directory says of the ticket's customer user.
        plan: what is to be written; None while the directory is unavailable.
    """

    ticket: TicketState
    answer: Answer
    plan: Plan | None


class Verdict(NamedTuple):
    """How it ended for one ticket.

    Attributes:
        seen: the last look at it; None if there is no such ticket.
        reason: why, free of secrets and attribute values.
    """

    kind: Kind
    seen: Look | None = None
    reason: str = ""


@dataclass(frozen=True, slots=True)
class _Request:
    """The events of one ticket that came in one batch; they are handled as one (D5)."""

    entries: list[Entry] = field(default_factory=list)
    events: list[TicketEvent] = field(default_factory=list)


def enrich(entries: Sequence[Entry], services: Services) -> list[Outcome]:
    """Handle a batch of inbox entries.

    Returns:
        An outcome for each entry.

    Raises:
        TicketDatabaseUnavailable: nothing is known of the outcomes; the entries stay pending,
            and handling them again is harmless.
        WritingStopped: the same, until somebody has looked.
    """
    started = time.monotonic()
    requests, outcomes = _sorted_out(entries, services)
    hints = {ticket_id: _hints(request, services) for ticket_id, request in requests.items()}
    with tracing.batch(entries) as spans:
        verdicts = converge(hints, services) if hints else {}
    seconds = time.monotonic() - started
    lines: list[dict[str, Any]] = []
    for ticket_id, request in requests.items():
        verdict = verdicts[ticket_id]
        for entry, event in zip(request.entries, request.events, strict=True):
            outcomes.append(_outcome(entry, ticket_id, verdict))
            lines.append(_line(entry, event, verdict, seconds))
    logs.info_all("ticket.enriched", lines)
    seen = (verdict.seen for verdict in verdicts.values() if verdict.seen is not None)
    metrics.enriched(
        ((one.answer if one.ticket.customer_user else None, one.plan) for one in seen),
        len(entries),
        seconds,
    )
    spans.outcomes(outcomes)
    return outcomes


def _sorted_out(
    entries: Sequence[Entry], services: Services
) -> tuple[Mapping[int, _Request], list[Outcome]]:
    """What is asked for by ticket id, and an outcome for each entry that is about no ticket."""
    requests: dict[int, _Request] = defaultdict(_Request)
    outcomes: list[Outcome] = []
    followed: dict[str, DirectoryEvent] = {}
    for entry in entries:
        try:
            event = parse(entry.fields)
        except MalformedEventError as error:
            outcomes.append(Outcome(entry.id, None, Kind.MALFORMED, reason=error.problem))
            log.warning("event.malformed", entry=entry.id, problem=error.problem)
            continue
        if isinstance(event, TicketEvent):
            request = requests[event.ticket_id]
            request.entries.append(entry)
            request.events.append(event)
        else:
            followed[entry.id] = event
    if followed:
        scheduled = announce(followed.values(), services)
        kind, reason = (Kind.SCHEDULED, "") if scheduled else (Kind.IGNORED, NO_REFRESH)
        name = "event.scheduled" if scheduled else "event.ignored"
        for entry_id, event in followed.items():
            outcomes.append(Outcome(entry_id, None, kind, reason=reason))
            log.info(name, entry=entry_id, type=event.type, reason=reason)
    return requests, outcomes


def converge(
    hints: Hints, services: Services, manner: Manner = AS_FOR_EVENTS
) -> Mapping[int, Verdict]:
    """Write what is to be written, planning anew where somebody changed a ticket in between.

    Args:
        hints: what the events of each ticket told; nothing for a ticket without events.
        services: whom to ask, and where to write.
        manner: how to write.

    Returns:
        A verdict for each ticket id in ``hints``. A ticket that kept changing ends as a conflict.

    Raises:
        TicketDatabaseUnavailable: the ticket database does not answer.
        WritingStopped: too many fields would lose their values; what was not written waits.
    """
    services.guard.check()
    verdicts: dict[int, Verdict] = {}
    still_open = sorted(hints)
    holding = services.newcomers.holding()
    apply = partial(services.tickets.apply, traces=manner.traces)
    for _ in range(services.settings.inbox.max_conflicts):
        seen = look(still_open, services, hints, services.source_states.outages(), manner)
        services.source_states.note(services.directory.observed())
        plans = [one.plan for one in seen.values() if one.plan is not None]
        held = holding.conflicts(plans)
        ready = [plan for plan in plans if plan.ticket_id not in held]
        written = tracing.within("apply", services.guard.let, ready, apply)
        results = {**written, **held}
        services.added.remember(written)
        drop_stale_copies(
            [(one.ticket, one.plan, results[i]) for i, one in seen.items() if one.plan], services
        )
        verdicts |= {
            ticket_id: _verdict(seen.get(ticket_id), results.get(ticket_id))
            for ticket_id in still_open
        }
        still_open = [i for i in still_open if verdicts[i].kind is Kind.CONFLICT]
        if not still_open:
            break
        if held:
            holding.pause()
    return verdicts


def foresee(
    ticket_ids: Sequence[int], services: Services, manner: Manner = AS_FOR_EVENTS
) -> Mapping[int, Verdict]:
    """How ``converge`` would end for tickets without events; nothing is written.

    Raises:
        TicketDatabaseUnavailable: the ticket database does not answer.
    """
    seen = look(ticket_ids, services, {}, services.source_states.outages(), manner)
    services.source_states.note(services.directory.observed())

    def verdict(one: Look | None) -> Verdict:
        changes = one.plan.changes if one is not None and one.plan is not None else ()
        return _verdict(one, Applied(tuple([change.field_name for change in changes])))

    return {ticket_id: verdict(seen.get(ticket_id)) for ticket_id in ticket_ids}


def look(
    ticket_ids: Sequence[int],
    services: Services,
    hints: Hints,
    outages: Mapping[str, str] = NO_OUTAGES,
    manner: Manner = AS_FOR_EVENTS,
) -> dict[int, Look]:
    """Load tickets, ask the directory, plan; write nothing.

    The directory is asked with no transaction open, so no lock is ever held over it.

    Args:
        ticket_ids: of the tickets.
        services: whom to ask.
        hints: what the events of each ticket told.
        outages: who is not to be asked, as for ``Directory.find``.
        manner: how it would be written.

    Returns:
        A look at each ticket; one that does not exist is missing.

    Raises:
        TicketDatabaseUnavailable: the ticket database does not answer.
    """
    load = services.tickets.load
    loaded = tracing.within("load", load, ticket_ids, services.ruleset.rules)
    tickets = loaded.tickets.values()
    answers = _ask(tickets, services, outages)

    def plan_all(answers: Mapping[int, Answer], labels: Labels = NO_LABELS) -> dict[int, Look]:
        prepared = (loaded, services, hints, manner, labels)
        return tracing.within("plan", _plan_all, answers, *prepared)

    seen = plan_all(answers)
    # An absent that came from the cache is asked anew before it empties a field (D26).
    doubtful = [
        one.ticket
        for one in seen.values()
        if isinstance(one.answer, Absent) and one.answer.cached and one.plan and one.plan.changes
    ]
    if doubtful:
        answers = _ask(doubtful, services, outages, fresh=True)
        seen |= plan_all(answers)
    nameless = {i: one for i, one in seen.items() if one.plan and one.plan.references}
    if nameless:
        wanted = {key for one in nameless.values() if one.plan for key in one.plan.references}
        labels = labels_for(wanted, services, outages)
        answers = {i: one.answer for i, one in nameless.items()}
        seen |= plan_all(answers, labels)
    return seen


def _ask(
    tickets: Iterable[TicketState],
    services: Services,
    outages: Mapping[str, str],
    *,
    fresh: bool = False,
) -> dict[int, Answer]:
    """The directory's answer for each ticket's customer user; each login is asked for once."""
    logins = {ticket.id: ticket.customer_user for ticket in tickets}
    wanted = sorted({login for login in logins.values() if login})
    said: Mapping[str, Answer] = {}
    if wanted:
        find, variables = services.directory.find, services.ruleset.variables
        said = tracing.within("lookup", find, wanted, variables, fresh=fresh, outages=outages)
    return {
        ticket_id: said[login] if login else NO_CUSTOMER_USER for ticket_id, login in logins.items()
    }


def _plan_all(  # noqa: PLR0913, PLR0917 - all that a plan depends on
    answers: Mapping[int, Answer],
    loaded: Loaded,
    services: Services,
    hints: Hints,
    manner: Manner,
    labels: Labels,
) -> dict[int, Look]:
    precedence = dataclasses.replace(services.precedence(), overruled=manner.overruled)
    planner = prepare(services.ruleset, loaded.fields, precedence)
    seen = {}
    for ticket_id, answer in answers.items():
        ticket = loaded.tickets[ticket_id]
        made: Plan | None = None
        if not isinstance(answer, Unavailable):
            attributes, several = _attributes(answer, services)
            told = hints.get(ticket_id, ())
            made = planner.plan(ticket, attributes, told, labels, several=several)
            if isinstance(answer, Found) and answer.stale:
                made = without_losses(made)
            if manner.only_empty:
                made = only_empty(made)
        seen[ticket_id] = Look(ticket, answer, made)
    return seen


def _attributes(answer: Found | Absent, services: Services) -> tuple[Attributes | None, Several]:
    """What planning needs of an answer. An LDAP attribute gives its first value (D7)."""
    if isinstance(answer, Absent):
        return None, "first"
    source = services.settings.source(answer.customer_user.slot)
    return answer.customer_user.attributes, "first" if source.kind == "ldap" else "join"


def _verdict(seen: Look | None, result: Result | None) -> Verdict:
    if seen is None:
        return Verdict(Kind.NO_SUCH_TICKET, reason="there is no ticket with this id")
    if isinstance(seen.answer, Unavailable):
        return Verdict(Kind.WAITING, seen, seen.answer.reason)
    if isinstance(result, Conflict):
        return Verdict(Kind.CONFLICT, seen, result.reason)
    if isinstance(result, Refused):
        return Verdict(Kind.FAILED, seen, result.reason)
    return _done(seen, result)


def _done(seen: Look, result: Result | None) -> Verdict:
    """How it ended for a ticket that nothing stood in the way of."""
    if isinstance(seen.answer, Found) and seen.answer.stale:
        return Verdict(Kind.STALE, seen, seen.answer.stale)
    if isinstance(result, Applied) and result.fields:
        return Verdict(Kind.WRITTEN, seen)
    decisions = seen.plan.decisions if seen.plan else ()
    kept = any(decision.decision is Decision.KEEP for decision in decisions)
    return Verdict(Kind.KEPT if kept else Kind.UNCHANGED, seen)


def _outcome(entry: Entry, ticket_id: int, verdict: Verdict) -> Outcome:
    slot, error, history_id = None, "", None
    if verdict.seen is not None:
        if isinstance(verdict.seen.answer, Unavailable):
            slot = verdict.seen.answer.slot
        elif verdict.kind is Kind.STALE and isinstance(verdict.seen.answer, Found):
            slot = verdict.seen.answer.customer_user.slot
        elif verdict.kind is Kind.FAILED:
            error = Refused.__name__
        elif verdict.seen.plan is not None:
            history_id = verdict.seen.plan.history_id
    return Outcome(entry.id, ticket_id, verdict.kind, verdict.reason, slot, history_id, error)


def _hints(request: _Request, services: Services) -> tuple[EventHint, ...]:
    hints = []
    for entry, event in zip(request.entries, request.events, strict=True):
        happened = event.time.timestamp() if event.time else entry.seconds
        time_ = _local(int(happened), services.zone)
        created = isinstance(event, TicketCreated)
        hints.append(EventHint(created, not created, event.screen, frozenset(event.fields), time_))
    return tuple(hints)


@lru_cache(maxsize=1000)
def _local(second: int, zone: tzinfo) -> str:
    """A second since 1970 as the ticket history writes times, to be compared with them."""
    return stamp(datetime.fromtimestamp(second, UTC), zone)


def _line(entry: Entry, event: TicketEvent, verdict: Verdict, seconds: float) -> dict[str, Any]:
    """The canonical line of an event: names of fields, never their values."""
    fields: dict[str, list[str]] = {decision: [] for decision in _DECISIONS}
    source = ""
    if verdict.seen is not None:
        for one in verdict.seen.plan.decisions if verdict.seen.plan else ():
            fields[one.decision].append(one.field)
        answer = verdict.seen.answer
        if isinstance(answer, Found):
            source = source_name(answer.customer_user.slot)
        elif isinstance(answer, Unavailable):
            source = source_name(answer.slot)
    return {
        "ticket_id": event.ticket_id,
        "outcome": verdict.kind.value,
        "type": event.type,
        "entry": entry.id,
        "event_id": event.event_id,
        "user_id": event.user_id,
        "written": fields[_WRITE] + fields[_CLEAR],
        "kept": fields[_KEEP],
        "refused": fields[_REFUSE],
        "unchanged": len(fields[_UNCHANGED]),
        "source": source,
        "reason": verdict.reason,
        "duration_ms": round(seconds * 1000, 1),
    }
