"""What follows from a call? The audit keeps who asked; of a write everybody is told.

A write is done by then, and nothing here can undo it. Where Redis does not do its part, the
caller is told what was not done, and the log says it as well.
"""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

import redis
import structlog

from worker import audit
from worker.call_errors import MAY_BE_DONE
from worker.events import CustomerCompanyChanged, CustomerUserChanged, DirectoryEvent
from worker.handlers.changes import Change
from worker.services import Services
from worker.tickets.otobo_cache import OtoboCacheError, customer_types, customer_user_types

NOTHING = "nothing"

_NO_LINE = "the audit has no line of this call, the log has"

_AWAY = (redis.ConnectionError, redis.TimeoutError)

log = structlog.get_logger("fieldfare")


def of_change(change: Change, call: str, who: str, services: Services) -> list[str]:
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
    warnings = _forgotten(change, call, services)
    return warnings + _done(
        _telling(change, services) | {_NO_LINE: lambda: _keep(line, services)}, call
    )


def of_nothing(
    arguments: Mapping[str, Any], told: Mapping[str, Any], call: str, who: str, services: Services
) -> list[str]:
    """Keep who asked for a write that did not come to pass: it was refused, or not needed.

    Args:
        arguments: of the call, unchecked.
        told: to the caller.
        call: its name.
        who: who asked.
        services: what the call works with.
    """
    line = audit.Line(
        who=who,
        call=call,
        customer_users=_named(arguments, "login", "UserLogin"),
        customers=_named(arguments, "customer_id", "CustomerID"),
        source=str(told.get("source") or ""),
        fields=(str(told["field"]),) if told.get("field") else (),
        outcome=told.get("error") or NOTHING,
    )
    _log(line)
    steps: dict[str, Callable[[], object]] = {_NO_LINE: lambda: _keep(line, services)}
    if line.outcome in MAY_BE_DONE:
        # Dropping a copy too many and an event too many are harmless; one too few is not.
        possible = Change({}, line.source, line.customer_users, line.customers)
        steps = _telling(possible, services) | steps
    return _done(steps, call)


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
        _keep(line, services)
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


def _telling(change: Change, services: Services) -> dict[str, Callable[[], object]]:
    """How everybody gets to know of a change, by what it means if one of these is not done."""
    return {
        "what the workers remember was not dropped, and may be written into tickets until it "
        "expires": lambda: services.directory.forget(change.customer_users),
        "no event was published, so nobody else heard of the change": lambda: (
            services.inbox.publish_many(events(change))
        ),
    }


def _forgotten(change: Change, call: str, services: Services) -> list[str]:
    """Have OTOBO forget what it found before; a warning if it cannot be reached."""
    users = customer_user_types() if change.customer_users else frozenset()
    customers = customer_types() if change.customers else frozenset()
    try:
        services.otobo_cache.forget(users | customers)
    except OtoboCacheError as error:
        log.warning("otobo_cache.not_dropped", call=call, reason=error.reason)
        return [f"{error}; OTOBO shows the old values until they expire there"]
    return []


def _done(steps: Mapping[str, Callable[[], object]], call: str) -> list[str]:
    """Take each step; the texts of those that failed. A Redis that is away is asked only once."""
    warnings: list[str] = []
    away = ""
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
            log.error("admin.incomplete", call=call, error=error, missed=missed)
    return warnings


def _keep(line: audit.Line, services: Services) -> None:
    audit.write(services.inbox.client, line, services.settings.audit.lines)


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


_LONGEST = 200


def _named(arguments: Mapping[str, Any], argument: str, variable: str) -> tuple[str, ...]:
    """Whom a call that came to nothing was about, as far as it says so; cut."""
    values = arguments.get("values")
    inner = values.get(variable) if isinstance(values, Mapping) else None
    named = arguments.get(argument, inner)
    return (named[:_LONGEST],) if isinstance(named, str) and named else ()
