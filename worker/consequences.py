"""What follows from a call? The audit keeps who asked; of a write everybody is told.

A write is done by then, and nothing here can undo it. Where Redis does not do its part, the
caller is told what was not done. Before a call writes, it is kept that it begins; whoever was
killed before what follows was done leaves that behind, and it is made up for: by the next call that
writes, and by admin workers in between (``look_back``).
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import redis
import structlog

from directory.database import DatabaseFault
from worker import admin_queue, audit, begun
from worker.begun import Begun
from worker.call_errors import MAY_BE_DONE
from worker.customer_user_values import touched
from worker.events import CustomerCompanyChanged, CustomerUserChanged, DirectoryEvent
from worker.handlers.changes import Change
from worker.named import all_logins, cut, named
from worker.services import Services
from worker.tickets.otobo_cache import OtoboCacheError, customer_types, customer_user_types

NOTHING = "nothing"

INCOMPLETE = "admin.incomplete"
"""What the log has of each warning, where nobody sees it: who looks at a terminal is told."""

_NO_LINE = "the audit has no line of this call"

_AWAY = (redis.ConnectionError, redis.TimeoutError)

log = structlog.get_logger("fieldfare")


@dataclass(frozen=True, slots=True)
class Beginning:
    """What was kept before a call that writes.

    Attributes:
        id: of the call among those that have begun; empty if Redis did not keep it.
        earlier: calls that nobody saw end.
        waited: Redis was waited for in vain, and is not waited for again.
    """

    id: str = ""
    earlier: Sequence[Begun] = ()
    waited: str = ""


NO_BEGINNING = Beginning()


def before(
    arguments: Mapping[str, Any], call: str, who: str, services: Services, seconds: float | None
) -> Beginning:
    """Keep that a call begins; where Redis does not, the call is done all the same.

    Args:
        arguments: of the call, unchecked.
        call: its name.
        who: who asked.
        services: what the call works with.
        seconds: after which it is not at work any more; if None, what an admin worker lets it take.
    """
    most = admin_queue.time_limit(services.settings) if seconds is None else seconds
    line = audit.Line(
        who=who,
        call=call,
        customer_users=all_logins(arguments),
        customers=named(arguments, "customer_id", "CustomerID"),
        source=cut(arguments.get("source")),
        outcome=audit.UNKNOWN,
    )
    try:
        id_, earlier = begun.begin(services.inbox.client, line, most)
    except redis.RedisError as error:
        log.info("admin.not_begun", call=call, error=type(error).__name__)
        waited = isinstance(error, redis.TimeoutError)
        return Beginning(waited=type(error).__name__ if waited else "")
    return Beginning(id_, earlier)


def of_change(
    change: Change, call: str, who: str, services: Services, beginning: Beginning = NO_BEGINNING
) -> list[str]:
    """Do what follows from a write; what could not be done is told in warnings."""
    line = audit.Line(
        who=who,
        call=call,
        customer_users=change.customer_users,
        customers=change.customers,
        source=change.source,
        fields=change.fields,
    )
    _log(line)
    warnings = _forgotten(change, services)
    steps = _telling(change, services) | {_NO_LINE: lambda: _keep(line, services, beginning)}
    warnings += _done(steps, beginning.waited)
    _make_up_for(beginning.earlier, services)
    return warnings


def of_nothing(  # noqa: PLR0913, PLR0917 - what is known of a call
    arguments: Mapping[str, Any],
    told: Mapping[str, Any],
    call: str,
    who: str,
    services: Services,
    beginning: Beginning = NO_BEGINNING,
) -> list[str]:
    """Keep who asked for a write that did not come to pass: it was refused, or not needed.

    Args:
        arguments: of the call, unchecked.
        told: to the caller.
        call: its name.
        who: who asked.
        services: what the call works with.
        beginning: what was kept before it.
    """
    may_be_done = told.get("error") in MAY_BE_DONE
    line = audit.Line(
        who=who,
        call=call,
        customer_users=(
            all_logins(arguments) if may_be_done else named(arguments, "login", "UserLogin")
        ),
        customers=named(arguments, "customer_id", "CustomerID"),
        source=str(told.get("source") or ""),
        fields=(str(told["field"]),) if told.get("field") else (),
        outcome=told.get("error") or NOTHING,
    )
    _log(line)
    steps: dict[str, Callable[[], object]] = {_NO_LINE: lambda: _keep(line, services, beginning)}
    if may_be_done:
        steps = _telling(_possible(line), services) | steps
    warnings = _done(steps, beginning.waited)
    _make_up_for(beginning.earlier, services)
    return warnings


def look_back(services: Services) -> None:
    """Make up for what did not follow from calls that nobody saw end."""
    try:
        calls = begun.left_over(services.inbox.client)
    except redis.RedisError as error:
        log.info("admin.not_looked_back", error=type(error).__name__)
        return
    _make_up_for(calls, services)


def of_question(told: Mapping[str, Any], call: str, who: str, services: Services) -> None:
    """Keep who asked a question, and not about whom: what was asked may be anything.

    An answer needs no Redis, so it is not worth a warning if there is none; the log has the line.

    Args:
        told: to the caller.
        call: its name.
        who: who asked.
        services: what the call works with.
    """
    outcome = told.get("error") or audit.DONE
    source = str(told.get("source") or "")
    line = audit.Line(who=who, call=call, source=source, outcome=outcome, writes=False)
    _log(line)
    try:
        audit.write(services.inbox.client, line, services.settings.audit.lines)
    except redis.RedisError as error:
        log.info("admin.not_kept", call=call, error=type(error).__name__)


def events(change: Change) -> list[DirectoryEvent]:
    """What to tell everybody of a change; of one that was renamed one event tells both logins."""
    now = datetime.now(UTC)
    logins = change.customer_users[:1] if change.renamed else change.customer_users
    common: dict[str, Any] = {"time": now, "source": change.source or None}
    return [
        *(
            CustomerUserChanged(
                login=login, fields=change.fields, renamed_to=change.renamed or None, **common
            )
            for login in logins
        ),
        *(
            CustomerCompanyChanged(customer_id=customer, fields=change.fields, **common)
            for customer in change.customers
        ),
    ]


def _possible(line: audit.Line) -> Change:
    """What may be written after a call that did not come to its end.

    Dropping a copy too many and an event too many are harmless; one too few is not.
    """
    return Change({}, line.source, line.customer_users, line.customers)


def _make_up_for(calls: Iterable[Begun], services: Services) -> None:
    """Do what should have followed; what cannot be done now is done another time."""
    for one in calls:
        line = one.line
        log.warning("admin.unfinished", call=line.call, who=line.who)
        change = _possible(line)
        missed = _done(_telling(change, services))
        for warning in [*_forgotten(change, services), *missed]:
            log.warning(INCOMPLETE, call=line.call, missed=warning)
        if missed:
            return
        try:
            if begun.settle(services.inbox.client, one, services.settings.audit.lines):
                _log(line)
        except redis.RedisError as error:
            log.info("admin.not_kept", call=line.call, error=type(error).__name__)
            return


def _telling(change: Change, services: Services) -> dict[str, Callable[[], object]]:
    """How everybody gets to know of a change, by what it means if one of these is not done."""
    return {
        "what the workers remember was not dropped, and may be written into tickets until it "
        "expires": lambda: services.directory.forget(change.customer_users),
        "no event was published, so nobody else heard of the change": lambda: (
            services.inbox.publish_many(events(change))
        ),
    }


def _forgotten(change: Change, services: Services) -> list[str]:
    """Have OTOBO forget what it found before; a warning if it cannot be reached."""
    users = customer_user_types() if change.customer_users else frozenset()
    customers = customer_types() if change.customers else frozenset()
    try:
        services.otobo_cache.forget(users | customers)
        if change.customer_users and services.settings.tickets.otobo_cache.kind != "none":
            services.otobo_cache.drop_values(touched(change, services))
    except DatabaseFault as error:
        return [f"{OtoboCacheError(str(error))}; OTOBO shows the old values of dynamic fields yet"]
    except OtoboCacheError as error:
        return [f"{error}; OTOBO shows the old values until they expire there"]
    return []


def _done(steps: Mapping[str, Callable[[], object]], away: str = "") -> list[str]:
    """Take each step; the texts of those that failed. A Redis that is away is asked only once."""
    warnings: list[str] = []
    for missed, do in steps.items():
        error = away
        if not away:
            try:
                do()
            except redis.RedisError as failure:
                error = type(failure).__name__
                away = error if isinstance(failure, _AWAY) else ""
        if error:
            warnings.append(f"Redis did not do its part ({error}): {missed}")
    return warnings


def _keep(line: audit.Line, services: Services, beginning: Beginning) -> None:
    """Keep the line of a call that came to its end, and that it did."""
    pipeline = services.inbox.client.pipeline()
    audit.write(pipeline, line, services.settings.audit.lines)
    if beginning.id:
        begun.end(pipeline, beginning.id)
    pipeline.execute()


def _log(line: audit.Line) -> None:
    log.info(
        "admin.audit",
        who=line.who,
        call=line.call,
        customer_users=line.customer_users,
        customers=line.customers,
        source=line.source,
        fields=line.fields,
        outcome=line.outcome,
        writes=line.writes,
    )
