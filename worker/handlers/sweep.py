"""What happened that no event told us of? The ticket history knows; a sweep asks it.

The history is an append-only log. A sweep reads the window behind its cursor again, by time and
by ids, because ids can become visible late and leave gaps, and appends what nobody has looked at
yet. That makes the loss of Redis, of an event or of a producer harmless, and with
``source = "history"`` it is the only source of events (design section 2).
"""

import time
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from secrets import token_hex

import structlog

from mapping.model import HistoryType
from worker import handled, metrics
from worker.events import CustomerChanged, TicketCreated, TicketEvent
from worker.services import Services
from worker.swept import CURSOR, LOCK, read_cursor
from worker.tickets.history import Happening

ANNOUNCED = "fieldfare:announced"
TRIMMED = "fieldfare:sweep:trimmed"

LOCK_SECONDS = 60
"""A sweep that dies holds the lock for so long; a living one renews it with each page."""

OVERLAP = 60
"""Seconds behind the cursor that are read again: how late a line may become visible."""

SWEEP_SECONDS = 15.0
"""A sweep that takes longer goes on with the next one, where it came to: a task has its limits."""

TRIM_SECONDS = 3600
"""How often marks that the look-back no longer reaches are forgotten."""

_NEVER = 2**63 - 1  # no line has an id behind this one

log = structlog.get_logger("fieldfare")

# Only the holder may renew or open the lock, and only from where it read may it move the cursor.
_RENEW = """
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
redis.call('EXPIRE', KEYS[1], ARGV[2])
return 1
"""
_RELEASE = """
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
return redis.call('DEL', KEYS[1])
"""
_MOVE = """
local at = redis.call('HMGET', KEYS[1], 'time', 'id')
if (at[1] or '') ~= ARGV[1] or (at[2] or '0') ~= ARGV[2] then return 0 end
redis.call('HSET', KEYS[1], 'time', ARGV[3], 'id', ARGV[4])
return 1
"""


def sweep(services: Services, clock: Callable[[], float] = time.monotonic) -> int:
    """Append events for what is in the history and was not looked at; returns how many.

    Only one sweep runs at a time; a second one returns at once. A long window, as after a loss of
    Redis, may take several sweeps.

    Raises:
        TicketDatabaseUnavailable: the ticket database does not answer; the cursor stays.
    """
    client = services.inbox.client
    token = token_hex(8)
    if not client.set(LOCK, token, nx=True, ex=LOCK_SECONDS):
        return 0
    try:
        found = _sweep(services, token, clock)
    finally:
        client.eval(_RELEASE, 1, LOCK, token)
    if found:
        metrics.swept(found)
        log.info("history.swept", events=found)
    return found


def _sweep(services: Services, token: str, clock: Callable[[], float]) -> int:
    end = clock() + SWEEP_SECONDS
    settings = services.settings.sweep
    client = services.inbox.client
    before = read_cursor(client)
    now = services.history.database_now()
    oldest = _earlier(now, settings.look_back)
    since = max(oldest, _earlier(before.time, OVERLAP)) if before.time else oldest
    settled = _earlier(now, settings.settle)
    reached, newest, found, page_after = settled, before.id, 0, 0
    while True:
        lines = services.history.read_window(
            since, before.id or _NEVER, settings.limit, page_after=page_after
        )
        # A ticket that was touched just now may be in the middle of a request: the next sweep.
        ripe = [line for line in lines if line.newest_time <= settled]
        reached = min(
            [reached, *(line.create_time for line in lines if line.newest_time > settled)]
        )
        newest = max([newest, *(line.id for line in ripe)])
        found += _announce(services, ripe)
        if len(lines) < settings.limit:
            break
        page_after = lines[-1].id
        if clock() >= end:
            # What was not read has later ids than what was, so the next window holds it.
            reached = min(reached, lines[-1].create_time)
            break
        if not client.eval(_RENEW, 1, LOCK, token, LOCK_SECONDS):
            return found  # somebody took over; the cursor is theirs to move
    client.eval(_MOVE, 1, CURSOR, before.time, before.id, reached, newest)
    _trim(services, oldest)
    return found


def _announce(services: Services, lines: Iterable[Happening]) -> int:
    """Append an event for each ticket whose newest line nobody has looked at."""
    client = services.inbox.client
    newest = {line.ticket_id: line for line in sorted(lines, key=lambda line: line.id)}
    looked_at = handled.read(client, list(newest))
    announced = handled.read(client, list(newest), key=ANNOUNCED)
    unseen = {
        ticket_id: line
        for ticket_id, line in newest.items()
        if line.id > max(looked_at.get(ticket_id, 0), announced.get(ticket_id, 0), line.answered_id)
    }
    services.inbox.publish_many([_event(line) for line in unseen.values()])
    # An event that waits for its source stays in Redis; it need not be announced again.
    marks = {ticket_id: line.id for ticket_id, line in unseen.items()}
    handled.write(client, marks, key=ANNOUNCED)
    return len(unseen)


def _event(line: Happening) -> TicketEvent:
    if line.type is HistoryType.NEW_TICKET:
        return TicketCreated(ticket_id=line.ticket_id)
    return CustomerChanged(ticket_id=line.ticket_id)


def _trim(services: Services, oldest: str) -> None:
    """Forget, now and then, marks of tickets that no window reaches any more."""
    client = services.inbox.client
    if client.exists(TRIMMED):
        return
    first = services.history.first_id_since(oldest)
    for key in (handled.KEY, ANNOUNCED):
        handled.trim(client, first, key=key)
    client.set(TRIMMED, 1, ex=TRIM_SECONDS)  # not before: what failed is due again


def _earlier(time: str, seconds: float) -> str:
    """A time of the database, some seconds earlier; such times sort as text."""
    return (datetime.fromisoformat(time) - timedelta(seconds=seconds)).isoformat(
        sep=" ", timespec="seconds"
    )
