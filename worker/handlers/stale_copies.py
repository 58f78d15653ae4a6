"""Which of OTOBO's cached copies are stale after a pass? They are dropped (design 1.8).

Those of the fields that were written; and those that an earlier pass may have written without
getting so far as to drop them: it was cut off behind its COMMIT, the events came again, and now
there is nothing left to write. Only the worker's line in the history tells of it.
"""

from collections.abc import Collection, Iterable

import structlog

from mapping.model import Plan, TicketState
from mapping.precedence import find_anchor
from worker.services import Services
from worker.tickets.otobo_cache import OtoboCacheError
from worker.tickets.store import Applied, Result

log = structlog.get_logger("fieldfare")


def drop_stale_copies(
    handled: Iterable[tuple[TicketState, Plan, Result]], services: Services
) -> None:
    """Drop them; OTOBO's cache failing is logged and does not undo what was written."""
    worker = services.precedence().worker_user_id
    written = {
        ticket.id: fields
        for ticket, made, result in handled
        if (fields := _fields(ticket, made, result, worker))
    }
    if not written:
        return
    try:
        services.otobo_cache.drop(written)
    except OtoboCacheError as error:
        log.warning("otobo_cache.not_dropped", tickets=list(written), reason=error.reason)


def _fields(ticket: TicketState, made: Plan, result: Result, worker: int) -> Collection[int]:
    """The ids of a ticket's fields whose copies may be stale."""
    if not isinstance(result, Applied):
        return ()
    if made.changes:
        return [change.field_id for change in made.changes] if result.fields else ()
    anchor = find_anchor(ticket.history, worker)
    behind = anchor.id if anchor is not None else 0
    mine = any(line.create_by == worker and line.id > behind for line in ticket.history)
    return tuple(made.watched) if mine else ()
