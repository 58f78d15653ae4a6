"""Does each source answer, and since when? Redis remembers what the workers saw last.

A worker knows how each source answered without asking anybody, so a batch costs nothing here.
Redis is asked when a source stopped or began to answer, and every few seconds of work besides: what
another process saw and did not live to correct is put right by then.
"""

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import redis
import structlog

KEY = "fieldfare:sources"

LOOK_AGAIN = 10.0
"""Seconds after which a process compares what it knows with Redis, though nothing changed."""

log = structlog.get_logger("fieldfare")


@dataclass(frozen=True, slots=True)
class SourceState:
    """How a source answered last.

    Attributes:
        since: when that began, seconds since 1970.
        reason: why it does not answer, free of secrets and attribute values; empty if it does.
    """

    state: Literal["up", "down"]
    since: float
    reason: str = ""


class SourceStates:
    """What one process saw of the sources, told to all.

    Args:
        client: of the Redis that the inbox is in.
        clock: seconds since 1970.
    """

    def __init__(self, client: redis.Redis, clock: Callable[[], float] = time.time) -> None:
        self._client = client
        self._clock = clock
        self._told: Mapping[str, bool] = {}
        self._look_again = 0.0

    def note(self, health: Mapping[str, str]) -> None:
        """Tell what changed. A Redis that does not answer keeps nobody from working.

        Args:
            health: why each source did not answer when it was last asked, empty if it did; by
                slot, as ``Directory.health`` has it.
        """
        answers = {slot: not reason for slot, reason in health.items()}
        now = self._clock()
        if not answers or (answers == self._told and now < self._look_again):
            return
        try:
            known = read(self._client)
            changed: dict[Any, Any] = {
                slot: _dump(SourceState("up" if ok else "down", now, health[slot]))
                for slot, ok in answers.items()
                if slot not in known or (known[slot].state == "up") is not ok
            }
            if changed:
                self._client.hset(KEY, mapping=changed)
        except redis.RedisError as error:
            log.warning("source_states.not_told", error=type(error).__name__)
            return
        self._told, self._look_again = answers, now + LOOK_AGAIN


def read(client: redis.Redis) -> Mapping[str, SourceState]:
    """The state of each source that any worker has asked, by slot.

    Raises:
        redis.RedisError: Redis does not answer.
    """
    return parse(client.hgetall(KEY))


def parse(answer: Any) -> Mapping[str, SourceState]:
    """The same, from what Redis gave for ``HGETALL``, in bytes or in text."""
    return {
        slot.decode() if isinstance(slot, bytes) else slot: SourceState(**json.loads(value))
        for slot, value in answer.items()
    }


def _dump(state: SourceState) -> str:
    return json.dumps({"state": state.state, "since": state.since, "reason": state.reason})
