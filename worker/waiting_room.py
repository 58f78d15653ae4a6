"""When do events come back that wait for a source? When a probe of it was answered, in portions.

Sources that do not answer are probed, as their circuits say, by one process at a time; so are the
readers that complete their answers. While a source answers its events come back, oldest first, but
only as many as keep the inbox short: what happens now is never far behind what has waited. If the
source fails again the rest stays where it is.

Events of a slot without a source, which was renamed or taken out of the settings, have nobody to
wait for, and come back at once: whoever has the login now is asked.
"""

import threading
import time
from collections.abc import Callable, Iterable, Mapping
from typing import TypeAlias

import structlog

from directory.breaker import Circuit
from directory.readers import READERS
from worker.services import Services
from worker.source_states import title

SHORT_BATCHES = 10
"""The inbox is short while it holds less than so many full batches."""

REST_SECONDS = 10.0
"""What came to wait while its source was not down has a fault of its own, and rests for so long."""

PROBE_MARGIN_SECONDS = 10.0
"""A probe that takes so much longer than its timeouts was made by a process that is gone."""

Start: TypeAlias = Callable[[Callable[[], None]], None]
"""Sees to it that something is done, now or beside what else is to be done."""

log = structlog.get_logger("fieldfare")


def in_background(work: Callable[[], None]) -> None:
    """Do something in a thread: a source that hangs shall not keep this process from its events."""
    threading.Thread(target=work, name="fieldfare-probe", daemon=True).start()


def come_back(
    services: Services, start: Start = in_background, clock: Callable[[], float] = time.time
) -> bool:
    """Probe what is down and due, and let a portion of the waiting events back into the inbox.

    Args:
        services: whose sources are asked, and whose events wait.
        start: how probes are made; their outcome is seen by the next call, or by this one if it is
            there by then.
        clock: seconds since 1970.

    Returns:
        Whether it should be called again soon, since something is down or waits.

    Raises:
        redis.RedisError: Redis does not answer; events are where they were.
    """
    configured = {config.slot for config in services.settings.source_configs()}
    names = {*configured, *READERS}
    for name, circuit in services.source_states.read().items():
        if name in names and not circuit.up:
            _probe(services, name, start)
    length, waiting = services.inbox.lengths()
    circuits = services.source_states.read()
    rested = clock() - REST_SECONDS
    released = 0
    due = {
        slot: max(rested, _closed_at(_needed(services, slot), circuits))
        for slot in waiting
        if slot not in configured or _answers(_needed(services, slot), circuits)
    }
    free = services.settings.inbox.batch * SHORT_BATCHES - length
    for slot, before in due.items():
        portion = max(0, free) // len(due)
        events = services.inbox.release(slot, most=portion, before=before)
        released += events
        if events:
            log.info(
                "waiting_room.released",
                source=title(slot),
                events=events,
                configured=slot in configured,
            )
    down = any(not circuit.up for name, circuit in circuits.items() if name in names)
    return down or sum(waiting.values()) > released


def _probe(services: Services, name: str, start: Start) -> None:
    """Have a source or reader probed, if that is due and nobody else does."""
    states = services.source_states
    timeouts = [config.timeout for config in services.settings.source_configs()]
    timeouts += [config.timeout for config in services.settings.company_configs()]
    seconds = sum(timeouts) + services.settings.preferences.timeout + PROBE_MARGIN_SECONDS

    def work() -> None:
        seen = services.probe(name)
        states.end_probe(name, seen)
        if seen.reason:
            log.info("waiting_room.unavailable", source=title(name), reason=seen.reason)

    if states.begin_probe(name, seconds):
        start(work)


def _needed(services: Services, slot: str) -> frozenset[str]:
    """The circuits that must be closed before events of a slot come back: none without a source."""
    if all(config.slot != slot for config in services.settings.source_configs()):
        return frozenset()
    return services.directory.readers_of(slot, services.ruleset.variables) | {slot}


def _answers(names: Iterable[str], circuits: Mapping[str, Circuit]) -> bool:
    return all(circuits[name].up for name in names if name in circuits)


def _closed_at(names: Iterable[str], circuits: Mapping[str, Circuit]) -> float:
    """When the last outage of any of them was over; what came to wait before may come back."""
    return max((circuits[name].closed_at for name in names if name in circuits), default=0.0)
