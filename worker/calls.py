"""What can an admin worker be asked for? One table of calls, and one way in for all of them.

Tasks and commands come in here and nowhere else. A call never raises: what is against a rule, and
what does not answer, is told as data. The audit says who asked; after a write the
copies that the workers keep are dropped, and an event says what changed.
"""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

import structlog

from worker import call_errors, consequences
from worker.arguments import misfit
from worker.audit import DONE
from worker.handlers import (
    assignments,
    customer_user_writes,
    customer_users,
    customers,
    imports,
    permissions,
    searches,
    sources,
)
from worker.handlers.changes import Change
from worker.services import Services

Handler: TypeAlias = Callable[..., Mapping[str, Any] | Change]
"""Takes ``services`` first and the call's arguments by name; see ``worker.handlers.changes``."""

MAX_WHO = 200
"""Most characters of who asks."""

log = structlog.get_logger("fieldfare")


@dataclass(frozen=True, slots=True)
class Call:
    """Something that can be asked for.

    Attributes:
        name: of the task.
        handler: does it; its signature says which arguments there are.
        writes: whether it changes anything.
    """

    name: str
    handler: Handler
    writes: bool = False


_TABLE = (
    Call("customer_user.get", customer_users.get),
    Call("customer_user.find", searches.find),
    Call("customer_user.list", searches.list_),
    Call("customer_user.add", customer_user_writes.add, writes=True),
    Call("customer_user.update", customer_user_writes.update, writes=True),
    Call("customer_user.rename", customer_user_writes.rename, writes=True),
    Call("customer_user.activate", customer_user_writes.activate, writes=True),
    Call("customer_user.deactivate", customer_user_writes.deactivate, writes=True),
    Call("customer_user.set_password", customer_user_writes.set_password, writes=True),
    Call("customer_user.generate_password", customer_user_writes.generate_password),
    Call("customer_user.delete", customer_user_writes.delete, writes=True),
    Call(imports.CALL, imports.import_, writes=True),
    Call("customer_user.customers", assignments.customers),
    Call("customer_user.assign", assignments.assign, writes=True),
    Call("customer_user.unassign", assignments.unassign, writes=True),
    Call("customer_user.permissions", permissions.permissions),
    Call("customer_company.get", customers.get),
    Call("customer_company.find", customers.find),
    Call("customer_company.list", customers.list_),
    Call("customer_company.add", customers.add, writes=True),
    Call("customer_company.update", customers.update, writes=True),
    Call("customer_company.deactivate", customers.deactivate, writes=True),
    Call("source.list", sources.list_),
    Call("source.test", sources.try_),
)

CALLS: Mapping[str, Call] = {call.name: call for call in _TABLE}
"""All calls by name."""


def perform(
    name: str,
    arguments: Mapping[str, Any],
    who: object,
    services: Services,
    seconds: float | None = None,
) -> dict[str, Any]:
    """Do what a call asks for.

    Args:
        name: one of ``CALLS``.
        arguments: by name; they are checked here.
        who: who asks, as the caller claims.
        services: what handlers work with.
        seconds: after which the call is not at work any more, for those who look for calls that
            nobody saw end; if None, what an admin worker lets it take.

    Returns:
        What the handler tells; or ``error``, a code, with ``message``, and where they are known
        ``field`` and ``source``. After a write there may be ``warnings``: texts that say what was
        not done beside it.
    """
    call = CALLS[name]
    began = time.monotonic()
    asking = who[:MAX_WHO] if isinstance(who, str) else ""
    beginning = consequences.NO_BEGINNING
    if call.writes and not arguments.get("dry_run"):
        beginning = consequences.before(arguments, name, asking, services, seconds)
    answer = _answer(call, arguments, who, services)
    warnings: list[str] = []
    if isinstance(answer, Change):
        told = dict(answer.told)
        warnings = consequences.of_change(answer, name, asking, services, beginning)
    else:
        told = dict(answer)
        if call.writes:
            warnings = consequences.of_nothing(arguments, told, name, asking, services, beginning)
        else:
            consequences.of_question(told, name, asking, services)
    if warnings:
        told["warnings"] = [*told.get("warnings", ()), *warnings]
    log.info(
        "admin.called",
        call=name,
        who=asking,
        outcome=told.get("error", DONE),
        duration_ms=round((time.monotonic() - began) * 1000, 1),
    )
    return told


def _answer(
    call: Call, arguments: Mapping[str, Any], who: object, services: Services
) -> Mapping[str, Any] | Change:
    """What the handler gives, or what stands in its way as data."""
    if not isinstance(who, str) or len(who) > MAX_WHO:
        problem = f"requested_by must be a text of at most {MAX_WHO} characters"
        return call_errors.data("wrong_arguments", problem, field="requested_by")
    if wrong := misfit(call.handler, arguments):
        return call_errors.data("wrong_arguments", wrong.problem, field=wrong.name)
    try:
        return call.handler(services, **arguments)
    except Exception as error:  # noqa: BLE001 - whatever it is, the caller is told, and nothing more
        return call_errors.told(error, call.name)
