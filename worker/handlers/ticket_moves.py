"""Have the tickets of a customer user follow a new login, and have OTOBO see it."""

import structlog

from worker.services import Services
from worker.tickets.otobo_cache import OtoboCacheError

log = structlog.get_logger("fieldfare")


def move_tickets(services: Services, login: str, new_login: str, *, exact: bool) -> int:
    """Give the tickets of a login the new one; returns how many got it.

    Called again after it was cut off, it goes on with those that are left.

    Args:
        services: the ticket system.
        login: the old login.
        new_login: the new one.
        exact: the source compares logins with case.

    Raises:
        TicketDatabaseUnavailable: the ticket database does not answer; some may have got it.
        TicketDatabaseMisfit: the worker's agent cannot be used, or may not do this.
    """
    moved = 0
    for ids in services.ticket_moves.move(login, new_login, exact=exact):
        moved += len(ids)
        try:
            services.otobo_cache.drop(dict.fromkeys(ids, ()))
        except OtoboCacheError as error:
            log.warning("otobo_cache.not_dropped", tickets=list(ids), reason=error.reason)
    return moved
