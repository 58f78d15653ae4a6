"""How does the inbox become empty? Batch by batch, each entry leaving as its outcome says.

A drain is a plain function that Celery calls when the bell rings. It takes up what an outage left
in its consumer's hands, then what dead consumers left (one at a time), then fresh entries, until
the stream gives nothing or its time is up.

Who is to blame decides what happens: an error of the event counts as an attempt; a ticket
database, a directory or a Redis that cannot work, or a guard that stopped writing, counts as
nothing and ends the drain, and the entries stay pending. A batch that takes longer than a task may
is handled entry by entry. An entry that no worker has survived or finished in time, time after time
while it was handled alone, is parked.
"""

import socket
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from os import getpid
from secrets import token_hex
from typing import TypeAlias

import redis
import structlog
from celery.exceptions import SoftTimeLimitExceeded

from directory.errors import DirectoryError
from worker import metrics
from worker.guard import WritingStopped
from worker.inbox import Entry, Inbox
from worker.outcomes import Disposition, Kind, Outcome
from worker.reasons import reason_of
from worker.renewal import Renewal
from worker.tickets.store import TicketStoreError

Handle: TypeAlias = Callable[[Sequence[Entry]], Sequence[Outcome]]
"""Handles a batch and gives an outcome for each entry; handling one twice must be harmless."""

REDIS_OUTAGES = (
    redis.ConnectionError,
    redis.TimeoutError,
    redis.exceptions.OutOfMemoryError,
    redis.ReadOnlyError,
)
"""Redis is away, full, or no primary any more; what failed may be tried again later."""

OUTAGES = (TicketStoreError, DirectoryError, WritingStopped, *REDIS_OUTAGES)
"""No event is to blame: stop, and try the same entries again later."""

log = structlog.get_logger("fieldfare")


class IncompleteOutcomesError(Exception):
    """A handler did not give exactly one outcome for each entry."""


@dataclass(slots=True)
class Consumer:
    """A process as the inbox knows it, from its first drain to its end.

    Attributes:
        name: unique, and never used again by another process.
        outage: class of the error that keeps it from working; empty while all is well.
        look_for_abandoned_at: when it looks again for what dead consumers left, by its clock.
        renewal: renews what it holds, so that slow is not taken for dead.
    """

    name: str
    outage: str = ""
    look_for_abandoned_at: float = 0.0
    renewal: Renewal = field(default_factory=Renewal)


def new_consumer() -> Consumer:
    """A consumer for this process."""
    return Consumer(f"{socket.gethostname()}-{getpid()}-{token_hex(4)}")


def drain(
    inbox: Inbox,
    consumer: Consumer,
    handle: Handle,
    clock: Callable[[], float] = time.monotonic,
    stop: Callable[[], bool] = lambda: False,
) -> int:
    """Work on the inbox until it gives nothing, ``drain_seconds`` have passed, or ``stop`` says so.

    The batch at hand is always finished. Outages are logged when they begin, when they become
    another, and when they are over.

    Returns:
        How many entries were disposed of.
    """
    done = 0
    given_back: set[str] = set()
    try:
        inbox.silence()
        if stop():
            return 0
        for batch in _batches(inbox, consumer, clock):
            # What this drain gave back waits in our hands for the next one: a pause of its own.
            entries = [entry for entry in batch if entry.first_id not in given_back]
            for part, outcomes in _handled(inbox, consumer, handle, entries):
                given_back |= _dispose(inbox, part, outcomes)
                done += len(part)
            if stop() or len(entries) < len(batch):
                break
    except OUTAGES as error:
        if consumer.outage != type(error).__name__:
            log.warning("drain.interrupted", error=type(error).__name__, reason=reason_of(error))
        consumer.outage = type(error).__name__
    except SoftTimeLimitExceeded:
        log.warning("drain.out_of_time")  # the next one goes on, before this one is killed
    else:
        if consumer.outage:
            log.info("drain.resumed", after=consumer.outage)
        consumer.outage = ""
    return done


def _batches(inbox: Inbox, consumer: Consumer, clock: Callable[[], float]) -> Iterator[list[Entry]]:
    """The batches of one drain. What was delivered more than once comes alone."""
    seconds = inbox.settings.drain_seconds
    begin = clock()
    held = inbox.held(consumer.name)
    if fresh := [entry for entry in held if entry.deliveries == 1]:
        yield fresh
    for alone in (entry for entry in held if entry.deliveries > 1):
        yield [alone]
        if clock() >= begin + seconds:
            inbox.ring()
            return
    # Half of the time at most, or the heritage of a killed worker would hold up what is fresh.
    while consumer.look_for_abandoned_at <= clock() < begin + seconds / 2:
        entry = inbox.returned(consumer.name)
        if entry is None:
            consumer.look_for_abandoned_at = clock() + inbox.settings.claim_seconds / 3
            break
        yield [entry]
    while entries := inbox.read(consumer.name):
        if len(entries) == inbox.settings.batch:
            inbox.ring()  # there is more than one process can carry: let others join
        yield entries
        if clock() >= begin + seconds:
            inbox.ring()
            return


def _handled(
    inbox: Inbox, consumer: Consumer, handle: Handle, entries: Sequence[Entry]
) -> Iterator[tuple[Sequence[Entry], Sequence[Outcome]]]:
    """Outcomes, in parts: a batch that fails is halved until the bad entry is alone."""
    if not entries:
        return
    if len(entries) == 1 and entries[0].deliveries > inbox.settings.max_attempts + 1:
        # Delivered once in a batch, and then max_attempts times alone.
        message = f"handed over {entries[0].deliveries} times, and no worker has survived it yet"
        inbox.park(entries[0], "killed_workers", "WorkerLost", message)
        yield entries, []
        return
    renew = partial(_renew, inbox, consumer)
    try:
        with consumer.renewal.at_work(renew, inbox.settings.renew_seconds):
            outcomes = _complete(entries, handle(entries))
    except OUTAGES as error:
        if entries[0].deliveries > 1 and not isinstance(error, REDIS_OUTAGES):
            inbox.forgive(entries[0], consumer.name)
        raise
    except SoftTimeLimitExceeded:
        # Which of them is slow is not known, nor whether it is any of them: each gets its own time.
        inbox.set_apart(entries, consumer.name)
        raise
    except Exception as error:  # noqa: BLE001 - whatever it is, it must not fail other events
        if len(entries) > 1:
            log.warning(
                "drain.batch_halved",
                entries=len(entries),
                error=type(error).__name__,
                reason=reason_of(error),
            )
            middle = len(entries) // 2
            yield from _handled(inbox, consumer, handle, entries[:middle])
            yield from _handled(inbox, consumer, handle, entries[middle:])
            return
        outcomes = [
            Outcome(
                entries[0].id,
                None,
                Kind.FAILED,
                reason=reason_of(error),
                error=type(error).__name__,
            )
        ]
    yield entries, outcomes


def _complete(entries: Sequence[Entry], outcomes: Sequence[Outcome]) -> Sequence[Outcome]:
    if sorted(entry.id for entry in entries) != sorted(outcome.entry_id for outcome in outcomes):
        raise IncompleteOutcomesError
    return outcomes


def _dispose(inbox: Inbox, entries: Sequence[Entry], outcomes: Sequence[Outcome]) -> set[str]:
    """Let each entry leave as its outcome says; returns the first ids of those that went back."""
    by_id = {entry.id: entry for entry in entries}
    by_disposition: dict[Disposition, list[Outcome]] = defaultdict(list)
    for outcome in outcomes:
        by_disposition[outcome.disposition].append(outcome)
    waiting: dict[tuple[str, str], list[Entry]] = defaultdict(list)
    for outcome in by_disposition[Disposition.WAIT]:
        waiting[outcome.slot or "", outcome.reason].append(by_id[outcome.entry_id])
    retried = [by_id[outcome.entry_id] for outcome in by_disposition[Disposition.RETRY]]
    failed = by_disposition[Disposition.FAIL]

    # First what makes room: a Redis that is full settles, and may refuse everything else.
    settled = by_disposition[Disposition.SETTLE]
    inbox.settle(
        [outcome.entry_id for outcome in settled],
        {
            outcome.ticket_id: outcome.history_id
            for outcome in settled
            if outcome.ticket_id is not None and outcome.history_id is not None
        },
    )
    for (slot, reason), parted in waiting.items():
        inbox.wait(parted, slot, reason)
    inbox.give_back(retried)
    for outcome in failed:
        inbox.fail(by_id[outcome.entry_id], outcome.error or "Failed", outcome.reason)
    for outcome in by_disposition[Disposition.PARK]:
        inbox.park(by_id[outcome.entry_id], outcome.kind, "MalformedEventError", outcome.reason)
    metrics.disposed(entries, outcomes)
    gone_back = [*retried, *(by_id[outcome.entry_id] for outcome in failed)]
    return {entry.first_id for entry in gone_back}


def _renew(inbox: Inbox, consumer: Consumer) -> None:
    try:
        inbox.renew(consumer.name)
    except redis.RedisError as error:
        # At worst another consumer takes over and the batch is handled twice.
        log.warning("drain.not_renewed", error=type(error).__name__)
