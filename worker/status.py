"""How is Fieldfare doing at this moment? All that Redis knows, read in two round trips.

Nothing is asked but Redis: whether the sources answer is what the workers saw last.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal
from zoneinfo import ZoneInfo

import redis

from directory.breaker import Circuit
from directory.model import SLOTS, source_name
from directory.readers import READERS
from worker import guard, heartbeat, refresh_room, source_states, standing
from worker.entries import decode, milliseconds, note
from worker.guard import GuardState
from worker.heartbeat import Alive
from worker.inbox import BELL, DEAD, EVENTS, GROUP, waiting_room
from worker.settings import Settings
from worker.standing import Standing
from worker.swept import CURSOR, LOCK


@dataclass(frozen=True, slots=True)
class Queue:
    """Events that wait in one place.

    Attributes:
        length: how many.
        oldest_seconds: since when the first of them is waiting, by the server's clock; None if
            there is none.
    """

    length: int
    oldest_seconds: float | None


@dataclass(frozen=True, slots=True)
class SourceStatus:
    """A configured source, as the workers saw it last.

    Attributes:
        source: ``CustomerUser``, ``CustomerUser1`` …
        name: its name for people; may be empty.
        state: ``unknown`` until a worker has asked it; ``probing`` while one looks whether it is
            back.
        since_seconds: how long it has been so; None while unknown.
        reason: why it does not answer.
        waiting: the events that wait for it.
    """

    source: str
    name: str
    state: Literal["up", "down", "probing", "unknown"]
    since_seconds: float | None
    reason: str
    waiting: Queue


@dataclass(frozen=True, slots=True)
class ReaderStatus:
    """What completes the answers of sources, where it does not answer; their events wait then.

    Attributes:
        name: ``preferences``, ``companies`` or ``dynamic_fields``.
        state: as of a source.
        since_seconds: how long it has been so.
        reason: why it does not answer.
    """

    name: str
    state: str
    since_seconds: float
    reason: str


@dataclass(frozen=True, slots=True)
class DeadLetters:
    """Events that were parked.

    Attributes:
        count: how many.
        newest_seconds: how long ago the newest was parked; None if there is none.
        reason: why the newest was: ``malformed``, ``failed`` or ``killed_workers``.
        error: class of the error.
    """

    count: int
    newest_seconds: float | None
    reason: str
    error: str


@dataclass(frozen=True, slots=True)
class SweepStatus:
    """How far the ticket history was looked through.

    Attributes:
        time: up to which moment of the ticket system; empty before the first sweep.
        id: up to which line.
        lag_seconds: how long ago that moment is; None before the first sweep.
        running: whether a sweep is at work.
    """

    time: str
    id: int
    lag_seconds: float | None
    running: bool


@dataclass(frozen=True, slots=True)
class Status:
    """Fieldfare at a glance.

    Attributes:
        inbox: the events in the inbox, those in hand included.
        pending: how many each consumer has in hand.
        bell: whether a worker was woken up within the last second and has not begun to read.
        guard: whether writing goes on.
        sources: those that are configured, in order.
        readers: what completes the answers of sources, and does not answer.
        orphans: events that wait for a source which is not configured any more, by its name.
        refresh: customer users and customers whose tickets are still to follow them.
        resyncs: the jobs that have not ended, the oldest first.
        processes: the workers and schedulers that are alive.
        time: the server's clock, seconds since 1970.
    """

    inbox: Queue
    pending: Mapping[str, int]
    bell: bool
    guard: GuardState
    sources: Sequence[SourceStatus]
    readers: Sequence[ReaderStatus]
    orphans: Mapping[str, Queue]
    refresh: int
    resyncs: Sequence[Standing]
    dead: DeadLetters
    sweep: SweepStatus
    processes: Sequence[Alive]
    time: float


def read(client: redis.Redis, settings: Settings) -> Status:
    """The status of this moment.

    Raises:
        redis.RedisError: Redis does not answer.
    """
    pipeline = client.pipeline(transaction=False)
    pipeline.time()
    pipeline.exists(BELL)
    pipeline.xinfo_consumers(EVENTS, GROUP)
    pipeline.xlen(DEAD)
    pipeline.xrevrange(DEAD, count=1)
    pipeline.hmget(CURSOR, ["time", "id"])
    pipeline.exists(LOCK)
    pipeline.hgetall(source_states.KEY)
    pipeline.hgetall(guard.STATE)
    pipeline.zrange(heartbeat.NAMES, 0, -1)
    pipeline.zcard(refresh_room.KEY)
    pipeline.hgetall(standing.KEY)
    for key in (EVENTS, *map(waiting_room, SLOTS)):
        pipeline.xlen(key)
        pipeline.xrange(key, count=1)
    answers = pipeline.execute(raise_on_error=False)
    (
        (seconds, micros),
        bell,
        consumers,
        count,
        newest,
        cursor,
        lock,
        states,
        stop,
        names,
        refresh,
        resyncs,
        *rest,
    ) = [answered(one) for one in answers]
    now = seconds + micros / 1e6
    inbox, *rooms = (
        Queue(length, _age(first, now)) for length, first in zip(rest[::2], rest[1::2], strict=True)
    )
    waiting = dict(zip(SLOTS, rooms, strict=True))
    configured = {config.slot for config in settings.source_configs()}
    circuits = source_states.parse(states)
    return Status(
        inbox=inbox,
        pending={row["name"].decode(): row["pending"] for row in consumers if row["pending"]},
        bell=bool(bell),
        guard=guard.parse(stop, settings.guard),
        sources=_sources(settings, circuits, waiting, now),
        readers=tuple(
            ReaderStatus(name, _state(circuit, now), max(0.0, now - circuit.since), circuit.reason)
            for name, circuit in circuits.items()
            if name in READERS and not circuit.up
        ),
        orphans={
            source_name(slot): room
            for slot, room in waiting.items()
            if room.length and slot not in configured
        },
        refresh=refresh,
        resyncs=standing.parse(resyncs),
        dead=_dead(count, newest, now),
        sweep=_sweep(cursor, ZoneInfo(settings.tickets.time_zone), now, running=bool(lock)),
        processes=heartbeat.alive_among(client, names),
        time=now,
    )


def answered(answer: Any) -> Any:
    """An answer of Redis; a consumer group that nobody has made yet has no consumers."""
    if isinstance(answer, redis.ResponseError) and any(
        word in str(answer) for word in ("NOGROUP", "no such key")
    ):
        return []
    if isinstance(answer, Exception):
        raise answer
    return answer


def _age(first: Sequence[Any], now: float) -> float | None:
    """How long ago the event first arrived that is the first in its stream."""
    if not first:
        return None
    entry_id, raw = first[0]
    entry, _ = decode(entry_id, raw, deliveries=0)
    return max(0.0, now - milliseconds(entry.first_id) / 1000)


def _sources(
    settings: Settings,
    states: Mapping[str, Circuit],
    waiting: Mapping[str, Queue],
    now: float,
) -> Sequence[SourceStatus]:
    found = []
    for config in settings.source_configs():
        known = states.get(config.slot)
        found.append(
            SourceStatus(
                source=config.source_name,
                name=config.name,
                state=_state(known, now) if known else "unknown",
                since_seconds=max(0.0, now - known.since) if known else None,
                reason=known.reason if known else "",
                waiting=waiting[config.slot],
            )
        )
    return tuple(found)


def _state(circuit: Circuit, now: float) -> Literal["up", "down", "probing"]:
    if circuit.up:
        return "up"
    return "probing" if circuit.is_probed(now) else "down"


def _dead(count: int, newest: Sequence[Any], now: float) -> DeadLetters:
    if not newest:
        return DeadLetters(count, None, "", "")
    letter_id, raw = newest[0]
    age = max(0.0, now - milliseconds(letter_id.decode()) / 1000)
    return DeadLetters(count, age, note(raw, "reason"), note(raw, "error"))


def _sweep(
    cursor: Sequence[bytes | None], zone: ZoneInfo, now: float, *, running: bool
) -> SweepStatus:
    time, id_ = cursor
    if not time:
        return SweepStatus("", 0, None, running)
    moment = datetime.fromisoformat(time.decode()).replace(tzinfo=zone)
    return SweepStatus(time.decode(), int(id_ or 0), max(0.0, now - moment.timestamp()), running)
