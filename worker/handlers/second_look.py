"""What becomes of a screen's value beside which ours stands, some seconds after both were written?

Ours is taken out, and OTOBO's copies of the field are dropped (design 1.3). Handling the same rows
again is harmless: what is gone is not deleted twice.
"""

from collections import defaultdict

import structlog

from worker.services import Services
from worker.tickets.otobo_cache import OtoboCacheError
from worker.tickets.store import Added

MOST = 20
"""Most entries of one look: two thousand fields, which take a megabyte or two. There are more looks
where workers write fast."""

log = structlog.get_logger("fieldfare")


def look_again(services: Services) -> int:
    """Look at all rows whose time has come; returns how many fields had a stranger's row.

    Raises:
        TicketDatabaseUnavailable: the ticket database does not answer; the next look goes on.
        redis.RedisError: Redis does not answer.
    """
    found = 0
    while entries := services.added.due(MOST):
        ours: dict[tuple[int, int], frozenset[int]] = defaultdict(frozenset)
        for entry in entries.values():
            for key, ids in entry.items():
                ours[key] |= frozenset(ids)
        taken = services.tickets.take_out(ours)
        if taken:
            _drop_copies(taken, services)
            log.info("second_look.taken_out", tickets=sorted({ticket for ticket, _ in taken}))
        services.added.forget(list(entries))
        found += len(taken)
        if len(entries) < MOST:
            break
    return found


def _drop_copies(taken: Added, services: Services) -> None:
    fields: dict[int, list[int]] = defaultdict(list)
    for ticket_id, field_id in taken:
        fields[ticket_id].append(field_id)
    try:
        services.otobo_cache.drop(fields)
    except OtoboCacheError as error:
        log.warning("otobo_cache.not_dropped", tickets=list(fields), reason=error.reason)
