"""Tickets follow their customer user: the same pass as for events, over the tickets of somebody.

Which tickets and which fields follow, each mapping rule says (``refresh``). Events go first: this
runs behind a drain, some tickets at a time, and stops as soon as an event waits. Where a source
does not answer, somebody's tickets are looked at again from the first on; nothing is written of
them meanwhile.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

import structlog

from directory.criteria import Criteria
from directory.finding import find_detailed
from directory.model import source_name
from worker.handlers.resync import resync
from worker.inbox import EVENTS
from worker.manner import AS_FOR_EVENTS
from worker.outcomes import Kind
from worker.refresh_room import LATER, Place
from worker.services import Services
from worker.tickets.selection import OPEN_TYPES, Selection

SECONDS = 1.0
"""So long a drain goes on with refreshing, if no event waits."""

TICKETS = 50
"""Tickets at once: an event that comes meanwhile waits for so many."""

_LATER = frozenset({Kind.WAITING, Kind.STALE, Kind.CONFLICT})
"""A source is away, or somebody keeps changing the ticket."""

log = structlog.get_logger("fieldfare")


def refresh(services: Services, clock: Callable[[], float] = time.monotonic) -> int:
    """Refresh some tickets, at least a few if there are any; returns how many were looked at.

    Raises:
        TicketDatabaseUnavailable: the ticket database does not answer; it goes on later.
        WritingStopped: too many fields would lose their values; the same.
    """
    if not services.ruleset.refreshed("open", "all").rules:
        return 0
    end, done = clock() + SECONDS, 0
    while place := services.refresh_room.take():
        try:
            done += _refresh(place, services, lambda: _is_wanted_elsewhere(services, clock, end))
        except BaseException:
            services.refresh_room.give_back(place, LATER)
            raise
        if _is_wanted_elsewhere(services, clock, end):
            break
    return done


def _is_wanted_elsewhere(services: Services, clock: Callable[[], float], end: float) -> bool:
    return clock() >= end or bool(services.inbox.client.xlen(EVENTS))


def _refresh(place: Place, services: Services, is_enough: Callable[[], bool]) -> int:
    """Go on with somebody's tickets until all are refreshed or it is enough."""
    room = services.refresh_room
    if place.kind == "customer":
        if _spread(place, services):
            room.leave(place)
        else:
            room.give_back(place, LATER)
        return 0
    done = 0
    while True:
        rules = services.ruleset.refreshed("all", *(() if place.closed else ("open",)))
        for ids, reached in _parts(place, services):
            left = resync(ids, replace(services, ruleset=rules), AS_FOR_EVENTS).left
            done += len(ids)
            if held_up := {kind: len(some) for kind, some in left.items() if kind in _LATER}:
                # All of it again, a while later.
                log.info("refresh.held_up", tickets=held_up)
                room.move(replace(place, closed=False, after=0))
                room.give_back(place, LATER)
                return done
            place = replace(place, after=reached)
            if not room.move(place) or is_enough():
                room.give_back(place)
                return done
        if place.closed or not services.ruleset.refreshed("all").rules:
            room.leave(place)
            log.info("refresh.done", tickets=done)
            return done
        place = replace(place, closed=True, after=0)


def _parts(place: Place, services: Services) -> Iterator[tuple[Sequence[int], int]]:
    """Somebody's tickets that are left, some at a time, and what is reached with them."""
    index = services.ticket_index
    types = () if place.closed else OPEN_TYPES
    scope = index.resolve(Selection(customer_users=(place.key,), state_types=types))
    reached = place.after
    while reached < scope.last:
        ids, reached = index.part(scope, reached, TICKETS)
        yield ids, reached


def _spread(place: Place, services: Services) -> bool:
    """Have the tickets of all customer users of a customer follow; whether all are known."""
    wanted = Criteria(
        customer_ids=(place.key,), valid_only=False, variables=frozenset({"UserLogin"})
    )
    found = find_detailed(services.directory.sources, wanted)
    if found.unanswered:
        sources = [source_name(one.slot) for one in found.unanswered]
        log.info("refresh.held_up", unanswered=sources)
        return False
    services.refresh_room.add(("customer_user", hit.customer_user.login) for hit in found.hits)
    return True
