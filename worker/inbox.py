"""Where do events wait, and how do they leave? In a Redis stream; when their outcome is known.

One consumer group reads the stream ``fieldfare:events``. An entry stays pending from the moment
it is read until it is settled, moved to a waiting room, given back or parked; each of these is
one atomic step (design section 2). The group is made whenever it is found missing, so a Redis
that lost everything is taken into use again without a restart.

The bell (``fieldfare:bell``) limits wake-up calls to one a second; beat calls every second
besides, so a lost call costs at most that.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from typing import Any, TypeVar

import redis
import structlog

from directory.model import SLOTS
from worker import events, handled, metrics, tracing
from worker import inbox_scripts as scripts
from worker.entries import NOTE, Entry, decode
from worker.settings import InboxSettings

EVENTS = "fieldfare:events"
GROUP = "fieldfare"
DEAD = "fieldfare:dead"
BELL = "fieldfare:bell"

BELL_SECONDS = 1
DEAD_CONSUMER_SECONDS = 600.0
MAX_NOTE = 500
_MOST_HELD = 4000
_PORTION = 200

__all__ = ["Entry", "Inbox", "connect", "waiting_room"]

_Answer = TypeVar("_Answer")

log = structlog.get_logger("fieldfare")


def connect(url: str) -> redis.Redis:
    """A client for the inbox. Connects when first used; answers bytes; no call waits for ever."""
    return redis.Redis.from_url(
        url,
        decode_responses=False,  # an event may hold bytes that are not UTF-8
        socket_timeout=30,
        socket_connect_timeout=5,
        **({} if url.startswith("unix:") else {"socket_keepalive": True}),
        health_check_interval=10,
        client_name="fieldfare-inbox",
    )


def waiting_room(slot: str) -> str:
    """The key of the stream in which events wait for the source in a slot."""
    return f"fieldfare:waiting:{slot}"


class Inbox:
    """The stream of events and its consumer group.

    Every method may raise ``redis.RedisError``; nothing is lost then, and each may be called
    again. May be built before a fork: the client connects when it is first used.

    Args:
        client: answers bytes, see ``connect``.
        call: wakes a worker up; called at most once a second over all processes. It must not
            raise when the wake-up call cannot be sent.
        settings: batch size, times and attempts.
    """

    def __init__(
        self, client: redis.Redis, call: Callable[[], None], settings: InboxSettings | None = None
    ) -> None:
        if client.get_encoder().decode_responses:
            msg = "the inbox needs a client that answers bytes (decode_responses=False)"
            raise ValueError(msg)
        self.client = client
        self.settings = settings or InboxSettings()
        self._call = call
        self._settle = client.register_script(scripts.SETTLE)
        self._move = client.register_script(scripts.MOVE)
        self._return_oldest = client.register_script(scripts.RETURN_OLDEST)
        self._renew = client.register_script(scripts.RENEW)
        self._claim_abandoned = client.register_script(scripts.CLAIM_ABANDONED)
        self._remove_dead_consumers = client.register_script(scripts.REMOVE_DEAD_CONSUMERS)

    # Producers

    def publish(self, event: events.Event | Mapping[str, str]) -> str:
        """Append one event and ring; returns its id."""
        return self.publish_many([event])[0]

    def publish_many(self, batch: Iterable[events.Event | Mapping[str, str]]) -> list[str]:
        """Append events in one round trip and ring; returns their ids."""
        told = [one if isinstance(one, Mapping) else events.dump(one) for one in batch]
        if not told:
            return []
        with tracing.publishing(len(told)) as carried:
            pipeline = self.client.pipeline(transaction=False)
            for fields in told:
                pipeline.xadd(EVENTS, _encodable({**carried, **fields} if carried else fields))
            pipeline.set(BELL, 1, nx=True, ex=BELL_SECONDS)
            *ids, rung = pipeline.execute()
        if rung:
            self._call()
        return [entry_id.decode() for entry_id in ids]

    def ring(self) -> None:
        """Wake a worker up, unless somebody did within the last second.

        A Redis that is full takes no call; the drain at work must go on, for it makes room.
        """
        with suppress(redis.exceptions.OutOfMemoryError):
            if self.client.set(BELL, 1, nx=True, ex=BELL_SECONDS):
                self._call()

    def silence(self) -> None:
        """Take the bell away, so that the next event rings again; comes before reading."""
        self.client.delete(BELL)

    # Reading

    def read(self, consumer: str, count: int | None = None) -> list[Entry]:
        """The next entries that nobody has read, oldest first; they become pending.

        What is not text, too large or without fields is parked on the way. An empty answer
        means that the stream gives nothing more.
        """
        while True:
            answer: Any = self.in_group(
                lambda: self.client.xreadgroup(
                    GROUP, consumer, {EVENTS: ">"}, count=count or self.settings.batch
                )
            )
            if not answer:
                return []
            if entries := self._admit((row[0], row[1], 1) for row in answer[0][1]):
                return entries

    def held(self, consumer: str) -> list[Entry]:
        """What a consumer has read and not yet given away, oldest first; renews it as well.

        These are entries that an outage interrupted, also those that Redis handed over in an
        answer that never arrived. Their deliveries are not counted up.
        """
        deliveries = self._renewed(consumer)
        if not deliveries:
            return []
        pipeline = self.client.pipeline(transaction=False)
        for entry_id in deliveries:
            pipeline.xrange(EVENTS, entry_id, entry_id)
        found = zip(pipeline.execute(), deliveries.values(), strict=True)
        return self._admit((*row[0], times) for row, times in found if row)

    def returned(self, consumer: str) -> Entry | None:
        """Take over one entry that its consumer has not renewed for ``claim_seconds``.

        Its deliveries are above 1, so it is to be handled in a batch of its own.
        """
        idle = int(self.settings.claim_seconds * 1000)
        while True:
            row: Any = self.in_group(
                lambda: self._claim_abandoned(keys=[EVENTS], args=[GROUP, consumer, idle])
            )
            if not row:
                return None
            flat = row[1]
            fields = dict(zip(flat[::2], flat[1::2], strict=True))
            if entries := self._admit([(row[0], fields, row[2])]):
                return entries[0]

    def renew(self, consumer: str) -> int:
        """Say that a consumer is alive and at work on what it holds; returns how many entries."""
        return len(self._renewed(consumer))

    def forgive(self, entry: Entry, consumer: str) -> None:
        """Forget how many workers have died with an entry, but for one: it is still handled alone.

        For an entry that a worker has just survived: in an outage workers are stopped and started
        for other reasons.
        """
        self.client.xclaim(EVENTS, GROUP, consumer, 0, [entry.id], retrycount=2, justid=True)

    def set_apart(self, entries: Sequence[Entry], consumer: str) -> None:
        """Have entries of a consumer handled alone from now on, as after a worker's death.

        One that was alone counts as handed over once more.
        """
        deliveries = max(1, *(entry.deliveries for entry in entries)) + 1
        ids: list[Any] = [entry.id for entry in entries]
        self.client.xclaim(EVENTS, GROUP, consumer, 0, ids, retrycount=deliveries, justid=True)

    # Leaving

    def settle(self, ids: Sequence[str], history_ids: Mapping[int, int] | None = None) -> None:
        """Remove entries whose outcome is known, and mark their tickets as looked at.

        One atomic step, one round trip. Settling an entry again changes nothing.

        Args:
            ids: of the entries.
            history_ids: newest history line that was looked at, by ticket id.
        """
        if ids:
            marks = [number for mark in (history_ids or {}).items() for number in mark]
            self._settle(keys=[EVENTS, handled.KEY], args=[GROUP, len(ids), *ids, *marks])

    def wait(self, entries: Sequence[Entry], slot: str, reason: str) -> int:
        """Move entries to the waiting room of a slot; returns how many were still pending."""
        return self._moved(waiting_room(slot), entries, {"reason": reason})

    def release(self, slot: str, most: int | None = None, before: float | None = None) -> int:
        """Move what waits for a slot back into the inbox, oldest first, and ring.

        In portions, each of them atomic; what comes to wait meanwhile stays.

        Args:
            slot: of the source that was waited for.
            most: how many at most.
            before: only what came to wait by then, in seconds since 1970.

        Returns:
            How many.
        """
        room = waiting_room(slot)
        length = int(self.client.xlen(room))
        remaining = length if most is None else min(most, length)
        newest = "+" if before is None else str(max(0, int(before * 1000)))
        released = 0
        while remaining > 0:
            count = min(remaining, _PORTION)
            portion = int(self._return_oldest(keys=[room, EVENTS], args=[count, newest]))
            if portion == 0:
                break
            released += portion
            remaining -= portion
        if released:
            self.ring()
        return released

    def lengths(self) -> tuple[int, Mapping[str, int]]:
        """How many events the inbox holds, and each waiting room that is not empty, by slot."""
        pipeline = self.client.pipeline(transaction=False)
        for key in (EVENTS, *map(waiting_room, SLOTS)):
            pipeline.xlen(key)
        events, *rooms = pipeline.execute()
        return events, {slot: room for slot, room in zip(SLOTS, rooms, strict=True) if room}

    def give_back(self, entries: Sequence[Entry]) -> int:
        """Put entries behind all others; nothing is counted. Returns how many were pending."""
        return self._moved(EVENTS, entries, {})

    def fail(self, entry: Entry, error: str, message: str) -> bool:
        """Count a failed attempt; the entry goes behind all others, or is parked after the last.

        Args:
            entry: the entry that could not be handled.
            error: class of the error.
            message: free of secrets and attribute values.

        Returns:
            Whether it was parked.
        """
        attempts = entry.attempts + 1
        if attempts >= self.settings.max_attempts:
            self.park(entry, "failed", error, message, attempts=attempts)
            return True
        self._moved(EVENTS, [entry], {"attempts": str(attempts)})
        return False

    def park(
        self, entry: Entry, reason: str, error: str, message: str, attempts: int | None = None
    ) -> bool:
        """Move an entry to the dead letters; returns whether it was still pending."""
        count = entry.attempts if attempts is None else attempts
        notes = {"reason": reason, "error": error, "message": message, "attempts": str(count)}
        parked = self._moved(DEAD, [entry], notes) == 1
        if parked:
            metrics.parked(reason)
            log.error(
                "inbox.parked", entry=entry.first_id, reason=reason, error=error, message=message
            )
        return parked

    # Looking after it

    def remove_dead_consumers(self, idle: float = DEAD_CONSUMER_SECONDS) -> list[str]:
        """Remove consumers that hold nothing and have not asked for ``idle`` seconds."""
        removed: Any = self.in_group(
            lambda: self._remove_dead_consumers(keys=[EVENTS], args=[GROUP, int(idle * 1000)])
        )
        return [name.decode() for name in removed]

    # Inside

    def in_group(self, ask: Callable[[], _Answer]) -> _Answer:
        """Ask; if the group is not there (a new or an emptied Redis), make it and ask again."""
        try:
            return ask()
        except redis.ResponseError as error:
            if not any(word in str(error) for word in ("NOGROUP", "no such key")):
                raise
        try:
            self.client.xgroup_create(EVENTS, GROUP, id="0", mkstream=True)
        except redis.ResponseError as error:
            if "BUSYGROUP" not in str(error):  # another worker was faster
                raise
        return ask()

    def _renewed(self, consumer: str) -> dict[str, int]:
        rows: Any = self.in_group(
            lambda: self._renew(keys=[EVENTS], args=[GROUP, consumer, _MOST_HELD])
        )
        return {rows[i].decode(): rows[i + 1] for i in range(0, len(rows), 2)}

    def _moved(self, target: str, entries: Sequence[Entry], notes: Mapping[str, str]) -> int:
        if not entries:
            return 0
        flat = [
            part
            for name, text in notes.items()
            for part in (NOTE + name, text[:MAX_NOTE].encode("utf-8", "replace"))
        ]
        args = [GROUP, len(flat), *flat, *(entry.id for entry in entries)]
        return int(self.in_group(lambda: self._move(keys=[EVENTS, target], args=args)))

    def _admit(self, rows: Iterable[tuple[bytes, Mapping[bytes, bytes], int]]) -> list[Entry]:
        """Entries that can be handled; the others are parked here."""
        entries = []
        for row in rows:
            entry, problem = decode(*row)
            if problem:
                self.park(entry, "malformed", "MalformedEventError", problem)
            else:
                entries.append(entry)
        return entries


def _encodable(fields: Mapping[str, str]) -> dict[Any, Any]:
    """Bytes for every text, lone surrogates too: those are found malformed when they are read."""
    return {
        name.encode("utf-8", "surrogatepass"): value.encode("utf-8", "surrogatepass")
        for name, value in fields.items()
    }
