"""Erasure on request: what the worker wrote of a customer user is taken out of all tickets again.

A value goes if the newest line about its field is the worker's, from a time when the ticket was
this customer user's. What somebody else wrote stays, and is counted. The worker's own lines that
hold such values are overwritten. Each step can be repeated: who was cut off runs it again, and it
goes on with what is left.

The guard against mass changes does not count this: somebody has named the person, seen the numbers,
and confirmed them. A guard that counted it would stop the events of everybody else.
"""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

import structlog

from directory.model import Answer, Found, Unavailable, source_name
from mapping import fields as kinds
from mapping.model import Change, DynamicField, Plan, TicketState
from worker import audit, renames
from worker.progress import Progress
from worker.services import Services
from worker.settings import ForgetSettings
from worker.tickets.otobo_cache import OtoboCacheError
from worker.tickets.provenance import ERASED, Holder, Traces, trace
from worker.tickets.store import Applied, Conflict, Result

PORTION = 100
"""Tickets that are read together."""

log = structlog.get_logger("fieldfare")


class PlaceholderRefused(Exception):
    """A field cannot hold the text that is to stand in it."""

    def __init__(self, name: str, problem: str) -> None:
        super().__init__(f"forget.placeholder.{name}: {problem}")


@dataclass(slots=True)
class Forgotten:
    """What was forgotten, or would be; numbers and names of fields, no values.

    Attributes:
        tickets: that the customer user has or had.
        emptied: fields that lost their value, by name.
        replaced: fields in which the placeholder stands now.
        kept: fields that the settings leave alone, and that hold a value of theirs.
        others: fields of their tickets that hold what somebody else wrote; it stays.
        refused: fields that hold a value of theirs and cannot be written.
        lines: lines of the worker in which values were overwritten.
        foreign: lines by others that may hold values of theirs, and the tickets that these are in.
        naming: tickets in whose history the login stands.
        left: ids of tickets that kept changing; run it again.
        audit: lines of the audit that named them.
        known: the source that still knows them; empty if none does.
        silent: the source that does not answer, so that nobody knows whether one does.
        cached: why copies could not be dropped; empty if they were.
    """

    tickets: int = 0
    emptied: Counter[str] = field(default_factory=Counter)
    replaced: Counter[str] = field(default_factory=Counter)
    kept: Counter[str] = field(default_factory=Counter)
    others: Counter[str] = field(default_factory=Counter)
    refused: Counter[str] = field(default_factory=Counter)
    lines: int = 0
    foreign: tuple[int, int] = (0, 0)
    naming: int = 0
    left: list[int] = field(default_factory=list)
    audit: int = 0
    known: str = ""
    silent: str = ""
    cached: list[str] = field(default_factory=list)


def forget(services: Services, login: str, *, dry_run: bool, progress: Progress) -> Forgotten:
    """Take what the worker wrote of a customer user out of all tickets that they have or had.

    Args:
        services: where.
        login: as tickets have it; the directory's spelling counts, too.
        dry_run: find out what there is, and write nothing.
        progress: is told now and then.

    Raises:
        PlaceholderRefused: a placeholder of the settings cannot be written; nothing was.
        TicketDatabaseMisfit: the database user may not overwrite lines; nothing was written.
        TicketDatabaseUnavailable: the ticket database does not answer; run it again.
        redis.RedisError: Redis does not answer, so copies may still be there; run it again.
    """
    if not dry_run:
        services.erasing.check()
    done = Forgotten()
    logins = {login, *_ask(services, login, done)}
    # Looked for first: without Redis nothing shall be begun.
    done.audit = audit.forget(services.inbox.client, logins, dry_run=True)

    def searching(read: int, total: int) -> None:
        progress("searching", read, total)

    ids = services.erasing.tickets(logins, searching)
    done.tickets = len(ids)
    _check(services, ids[:1])
    for start in range(0, len(ids), PORTION):
        progress("forgetting", start, len(ids))
        part = ids[start : start + PORTION]
        for _ in range(services.settings.inbox.max_conflicts):
            part = _portion(part, services, logins, done, dry_run=dry_run)
            if not part:
                break
        done.left += part
    progress("forgetting", len(ids), len(ids))
    if not dry_run:
        services.directory.forget(sorted(logins))
        audit.forget(services.inbox.client, logins)
        renames.forget(services.inbox.client, logins)
        log.info("forget.done", tickets=done.tickets, lines=done.lines, left=len(done.left))
    return done


def _check(services: Services, ticket: Sequence[int]) -> None:
    """Make sure that the fields can hold the placeholders; definitions are read with a ticket."""
    texts = services.settings.forget.placeholder if ticket else {}
    known = services.tickets.load(ticket, texts).fields
    for name, text in texts.items():
        field_ = known.get(name)
        if refusal := kinds.refusal(field_):
            raise PlaceholderRefused(name, refusal[1])
        if field_ is not None and kinds.accept(field_, (text,)) is None:
            raise PlaceholderRefused(
                name, f"not a value for a field of the type {field_.field_type}"
            )


def _ask(services: Services, login: str, done: Forgotten) -> Collection[str]:
    """Note whether the directory still knows them; their login as it spells it."""
    answer: Answer = services.directory.find([login], (), fresh=True)[login]
    match answer:
        case Found(customer_user=customer_user, stale=""):
            done.known = source_name(customer_user.slot)
            return (customer_user.login,)
        case Found(customer_user=customer_user):
            done.silent = source_name(customer_user.slot)
            return (customer_user.login,)
        case Unavailable(slot=slot):
            done.silent = source_name(slot)
    return ()


@dataclass(frozen=True, slots=True)
class _Seen:
    """A ticket, what its lines tell, and what is to be written."""

    ticket: TicketState
    traces: Traces
    plan: Plan
    counts: Mapping[str, Counter[str]]


def _portion(
    ids: Sequence[int],
    services: Services,
    logins: Collection[str],
    done: Forgotten,
    *,
    dry_run: bool,
) -> list[int]:
    """Forget them in some tickets; returns the tickets that somebody changed meanwhile."""
    seen = _look(ids, services, logins)
    results: Mapping[int, Result] = {id_: Applied(()) for id_ in seen}
    if not dry_run:
        results = services.tickets.apply([one.plan for one in seen.values()])
        services.added.remember(results)
    finished = {id_: one for id_, one in seen.items() if isinstance(results[id_], Applied)}
    texts = {id_: one.traces.erased for id_, one in finished.items()}
    if dry_run:
        done.lines += sum(map(len, texts.values()))
    else:
        done.lines += services.erasing.overwrite(texts)
        _drop(finished.values(), services, done)
    for one in finished.values():
        _count(one, done)
    for id_, one in seen.items():
        if id_ not in finished and not isinstance(results[id_], Conflict):
            done.refused.update(change.field_name for change in one.plan.changes)
    return [id_ for id_, result in results.items() if isinstance(result, Conflict)]


def _count(one: _Seen, done: Forgotten) -> None:
    for what, counter in one.counts.items():
        getattr(done, what).update(counter)
    lines, tickets = done.foreign
    done.foreign = lines + len(one.traces.foreign), tickets + bool(one.traces.foreign)
    done.naming += one.traces.naming


def _look(ids: Sequence[int], services: Services, logins: Collection[str]) -> dict[int, _Seen]:
    """Read tickets, and plan; a ticket that is gone is missing."""
    settings = services.settings.forget
    worker = services.tickets.worker_user_id()
    # What is written behind the plan's newest line is a conflict: so the tickets are read first.
    states = services.tickets.load(ids, ()).tickets
    lines = services.erasing.lines(ids)
    traces = {
        id_: trace(
            lines.get(id_, ()),
            worker=worker,
            logins=logins,
            customer_user=state.customer_user or "",
            keep=settings.keep,
            placeholders=settings.placeholder.values(),
        )
        for id_, state in states.items()
    }
    # Also what an earlier mapping filled.
    names = {*services.ruleset.fields, *(name for one in traces.values() for name in one.names())}
    loaded = services.tickets.load(ids, names)
    return {
        id_: _plan(
            loaded.tickets[id_]._replace(history=state.history),
            traces[id_],
            loaded.fields,
            settings,
        )
        for id_, state in states.items()
        if id_ in loaded.tickets
    }


def _plan(
    ticket: TicketState,
    traces: Traces,
    fields: Mapping[str, DynamicField],
    settings: ForgetSettings,
) -> _Seen:
    """What becomes of the fields of a ticket."""
    counts = {what: Counter[str]() for what in ("emptied", "replaced", "kept", "others", "refused")}
    changes: list[Change] = []
    watched: dict[int, tuple[int, ...]] = {}
    for name, field_ in sorted(fields.items()):
        rows = ticket.rows.get(name, ())
        if not rows or field_.object_type != "Ticket":
            continue
        refused = kinds.refusal(field_) is not None
        if not refused and not kinds.read(field_, rows):
            continue
        if (holder := traces.holder(name)) is not Holder.THEIRS:
            counts["others"][name] += holder is Holder.SOMEBODYS
        elif name in settings.keep:
            counts["kept"][name] += 1
        elif refused:
            counts["refused"][name] += 1
        else:
            text = settings.placeholder.get(name)
            value = (kinds.accept(field_, (text,)) or ()) if text else ()
            if kinds.holds(field_, rows, value):
                continue
            ids = tuple(row.id for row in rows if row.id is not None)
            watched[field_.id] = ids
            insert = kinds.rows_for(field_, value, existing=True)
            new = kinds.readable(field_, value, {})
            changes.append(Change(field_.id, name, ids, insert, ERASED, new))
            counts["replaced" if text else "emptied"][name] += 1
    behind = ticket.history[-1].id if ticket.history else 0
    plan = Plan(ticket.id, ticket.customer_user, behind, (), tuple(changes), watched)
    return _Seen(ticket, traces, plan, {what: +counter for what, counter in counts.items()})


def _drop(seen: Collection[_Seen], services: Services, done: Forgotten) -> None:
    """Have OTOBO forget its copies of what was written."""
    written = {
        one.ticket.id: [change.field_id for change in one.plan.changes]
        for one in seen
        if one.plan.changes
    }
    if not written:
        return
    try:
        services.otobo_cache.drop(written)
    except OtoboCacheError as error:
        if str(error) not in done.cached:
            done.cached.append(str(error))
        log.warning("otobo_cache.not_dropped", tickets=list(written), reason=error.reason)
