"""Which events could not be handled, and what can an admin do? List, replay, drop.

A dead letter keeps what the producer sent, cut where it was larger than an event may be, beside
the reason for which it was parked.
"""

from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from typing import Any

import redis

from worker import extracts
from worker import inbox_scripts as scripts
from worker.extracts import Extract
from worker.inbox import DEAD, EVENTS, Inbox

REASONS: Mapping[str, str] = {
    "malformed": "the entry is not an event of the contract",
    "failed": "every attempt (inbox.max_attempts) ended in an error",
    "killed_workers": "no worker process survived it, though it was handled alone",
}
"""Why events are parked."""

_PORTION = 200


def read(inbox: Inbox, after: str = "", count: int = 100) -> list[Extract]:
    """Dead letters, oldest first.

    Args:
        inbox: where they are.
        after: the id of the last letter of the page before.
        count: most letters.
    """
    return list(islice(extracts.oldest(inbox.client, DEAD, after), count))


def find(client: redis.Redis, letter_id: str) -> Extract | None:
    """The dead letter with an id."""
    rows: Any = client.xrange(DEAD, letter_id, letter_id, count=1)
    return extracts.extract(*rows[0]) if rows else None


def all_ids(inbox: Inbox, reason: str = "") -> Iterator[Sequence[str]]:
    """The ids of all letters that are there now, in portions, oldest first.

    What is parked later is left out, also what was replayed meanwhile and has failed again.

    Args:
        inbox: where they are.
        reason: only letters that were parked for this one.
    """
    rows: Any = inbox.client.xrevrange(DEAD, count=1)
    if not rows:
        return
    last = rows[0][0].decode()
    script = inbox.client.register_script(scripts.IDS_BY_REASON)
    at = "-"
    while True:
        answer: Any = script(keys=[DEAD], args=[at, last, _PORTION, reason])
        reached, *ids = [one.decode() for one in answer]
        if ids:
            yield ids
        if not reached:
            return
        at = f"({reached}"


def replay(inbox: Inbox, ids: Sequence[str]) -> list[str]:
    """Move dead letters back into the inbox, their attempts forgotten; returns which there were."""
    if not ids:
        return []
    script = inbox.client.register_script(scripts.REPLAY)
    answer: Any = script(keys=[DEAD, EVENTS], args=list(ids))
    if answer:
        inbox.ring()
    return [letter_id.decode() for letter_id in answer]


def drop(inbox: Inbox, ids: Sequence[str]) -> list[str]:
    """Delete dead letters for good; returns which there were."""
    pipeline = inbox.client.pipeline(transaction=False)
    for letter_id in ids:
        pipeline.xdel(DEAD, letter_id)
    deleted = pipeline.execute() if ids else []
    return [letter_id for letter_id, count in zip(ids, deleted, strict=True) if count]
