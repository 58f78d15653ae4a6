"""When do events come back that wait for a source? When the source answers a ping again."""

from collections.abc import Callable, Mapping
from typing import TypeAlias

import structlog

from directory.errors import SourceUnavailable
from worker.inbox import Inbox

Ping: TypeAlias = Callable[[str], None]
"""Asks the source in a slot for something small; returns at once for a slot without a source.

Raises ``SourceUnavailable`` when the source does not answer.
"""

log = structlog.get_logger("fieldfare")


def release_answering(inbox: Inbox, ping: Ping) -> Mapping[str, int]:
    """Release the events of every slot whose source answers; returns how many, by slot.

    Only sources that somebody waits for are asked.
    """
    released: dict[str, int] = {}
    for slot in inbox.waiting_slots():
        try:
            ping(slot)
        except SourceUnavailable as error:
            log.info("waiting_room.unavailable", slot=slot, reason=error.reason)
            continue
        released[slot] = inbox.release(slot)
        log.info("waiting_room.released", slot=slot, events=released[slot])
    return released
