"""What does somebody ask a resync for? Options of command and task, judged in one place."""

from collections.abc import Sequence
from dataclasses import dataclass

import redis

from worker import jobs
from worker.choice import Choice, words
from worker.manner import Manner
from worker.services import Services
from worker.tickets.selection import Selection, WrongSelection
from worker.tickets.store import Traces

SLOWEST = 0.1
"""Tickets in a second."""


@dataclass(frozen=True, slots=True)
class Request:
    """What is asked for.

    Attributes:
        fields: only these dynamic fields; empty for all that are mapped.
        rate: most tickets in a second; 0 for as many as there can be.
        asked: the same in words.
    """

    selection: Selection
    manner: Manner
    fields: tuple[str, ...]
    rate: float
    asked: str


def request(  # noqa: PLR0913 - what can be asked for
    services: Services,
    *,
    all_tickets: bool = False,
    ticket: Sequence[int] = (),
    number: Sequence[str] = (),
    customer_user: Sequence[str] = (),
    customer: Sequence[str] = (),
    queue: Sequence[str] = (),
    state: Sequence[str] = (),
    state_type: Sequence[str] = (),
    open_tickets: bool = False,
    created_from: str = "",
    created_to: str = "",
    changed_from: str = "",
    changed_to: str = "",
    field: Sequence[str] = (),
    only_empty: bool = False,
    left_by: int | None = None,
    overwrite_manual: bool = False,
    keep_change_time: bool = False,
    rate: float | None = None,
) -> Request:
    """What is asked for, in the words of the ticket system.

    Args:
        services: with the settings, and the Redis that has the jobs.
        all_tickets: no ticket is left out; else something must be said that chooses some.
        ticket: ids.
        number: numbers.
        customer_user: logins, as tickets have them.
        customer: customer ids, as tickets have them.
        queue: names, in full.
        state: names.
        state_type: names.
        open_tickets: those that are not done with.
        created_from: a day, or a time in the ticket system's zone; inclusive, as the others are.
        created_to: the last day or second.
        changed_from: of the last change.
        changed_to: of the last change.
        field: write only these dynamic fields.
        only_empty: choose tickets in which one of the fields is empty, and fill only those.
        left_by: the tickets that another job left for another run.
        overwrite_manual: the directory wins over the frontend.
        keep_change_time: leave the ticket's time of change.
        rate: most tickets in a second; None for what the settings say.

    Raises:
        WrongSelection: it cannot be asked for like that.
        redis.RedisError: Redis does not answer.
    """
    choice = Choice(
        ticket=ticket,
        number=number,
        customer_user=customer_user,
        customer=customer,
        queue=queue,
        state=state,
        state_type=state_type,
        open_tickets=open_tickets,
        created_from=created_from,
        created_to=created_to,
        changed_from=changed_from,
        changed_to=changed_to,
    )
    given = {
        "--all": all_tickets,
        **choice.given(),
        "--left-by": left_by,
        "--only-empty": only_empty,
    }
    manners = {
        "--field": field,
        "--overwrite-manual": overwrite_manual,
        "--keep-change-time": keep_change_time,
    }
    if not any(given.values()):
        msg = "say which tickets, e.g. --open, --queue Raw, --created-from 2026-01-01; or --all"
        raise WrongSelection(msg)
    if all_tickets and any(value for name, value in given.items() if name[2:] not in _WITH_ALL):
        msg = "--all is every ticket; leave it out, or what chooses some of them"
        raise WrongSelection(msg)
    if rate is not None and rate and rate < SLOWEST:
        msg = f"a rate must be at least {SLOWEST} tickets in a second, or 0 for no limit"
        raise WrongSelection(msg)
    if unknown := [name for name in field if name not in services.ruleset.rules]:
        known = ", ".join(sorted(services.ruleset.rules)) or "none"
        msg = f"no rule of the mapping fills the field {unknown[0]}; those that are filled: {known}"
        raise WrongSelection(msg)
    fields = tuple(dict.fromkeys(field))
    empty = fields or tuple(sorted(services.ruleset.rules))
    selection = choice.selection(
        listed=() if left_by is None else _left(left_by, services.inbox.client),
        without_value=empty if only_empty else (),
    )
    traces = Traces(change_time=not keep_change_time, history=services.settings.resync.history)
    manner = Manner(overwrite_manual, only_empty, traces)
    most = services.settings.resync.tickets_per_second if rate is None else rate
    return Request(selection, manner, fields, most, words({**given, **manners}))


_WITH_ALL = frozenset({"all", "only-empty"})


def _left(job_id: int, client: redis.Redis) -> tuple[int, ...]:
    if jobs.read(client, job_id) is None:
        msg = f"there is no job {job_id}; fieldfare resync list shows those that there are"
        raise WrongSelection(msg)
    left = tuple(jobs.left_by(client, job_id))
    if not left:
        msg = f"job {job_id} has left no ticket for another run"
        raise WrongSelection(msg)
    return left
