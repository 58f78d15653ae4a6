"""Have the tickets of a customer user follow a new login, and have OTOBO see it."""

import time
from collections.abc import Callable
from dataclasses import dataclass

import structlog

from worker.services import Services
from worker.tickets.otobo_cache import OtoboCacheError
from worker.tickets.store import TicketDatabaseMisfit, TicketDatabaseUnavailable

SECONDS = 30.0
"""How long tickets are moved at the most: a call has its limits, and can be repeated."""

log = structlog.get_logger("fieldfare")


@dataclass(frozen=True, slots=True)
class MovedTickets:
    """How far the tickets have followed.

    Attributes:
        count: how many got the new login.
        left: why some may have the old one yet; empty if none has.
    """

    count: int = 0
    left: str = ""


def move_tickets(
    services: Services,
    login: str,
    new_login: str,
    *,
    exact: bool,
    clock: Callable[[], float] = time.monotonic,
) -> MovedTickets:
    """Give the tickets of a login the new one.

    The customer user has the new login by then, so nothing is raised for a database that does not
    do its part. Called again, it goes on with the tickets that are left.

    Args:
        services: the ticket system.
        login: the old login.
        new_login: the new one.
        exact: the source compares logins with case.
        clock: gives seconds.
    """
    end = clock() + SECONDS
    count = 0
    try:
        for ids in services.ticket_moves.move(login, new_login, exact=exact):
            count += len(ids)
            try:
                services.otobo_cache.drop(dict.fromkeys(ids, ()))
            except OtoboCacheError as error:
                log.warning("otobo_cache.not_dropped", tickets=list(ids), reason=error.reason)
            if clock() >= end:
                return MovedTickets(count, f"there are too many for {SECONDS:g} s")
    except (TicketDatabaseUnavailable, TicketDatabaseMisfit) as error:
        return MovedTickets(count, f"{error}")
    return MovedTickets(count)
