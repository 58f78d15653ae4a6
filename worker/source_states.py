"""Does each source answer, and since when? Redis remembers what the workers saw last.

A worker knows how each source answered without asking anybody. It looks into Redis once a second
of work at most, and when a source stopped or began to answer; a batch costs nothing besides. What
several processes see at once is put together by compare-and-set. While Redis is away each process
decides by what it saw itself.

The circuits of all sources stand in one hash: field = slot, for readers of ``directory.companions``
their name; value = JSON with ``state`` (``up`` or ``down``) and all attributes of a ``Circuit``.
"""

import dataclasses
import json
import time
from collections.abc import Callable, Mapping
from functools import partial
from types import MappingProxyType
from typing import Any

import redis
import structlog

from directory.breaker import Circuit, Limits, Observation
from directory.model import SLOTS, source_name

KEY = "fieldfare:sources"

LOOK_AGAIN = 1.0
"""Seconds for which what Redis said is believed."""

ATTEMPTS = 50
"""How often a change is tried while others change the same; each time one of them has succeeded."""

_ATTRIBUTES = tuple(field.name for field in dataclasses.fields(Circuit))

# Only from what was read may it be changed.
_CHANGE = """
if (redis.call('HGET', KEYS[1], ARGV[1]) or '') ~= ARGV[2] then return 0 end
redis.call('HSET', KEYS[1], ARGV[1], ARGV[3])
return 1
"""

log = structlog.get_logger("fieldfare")


class SourceStates:
    """What one process knows of the sources, and tells to all.

    Args:
        client: of the Redis that the inbox is in.
        clock: seconds since 1970.
        limits: when circuits open, and how long they rest.
    """

    def __init__(
        self,
        client: redis.Redis,
        clock: Callable[[], float] = time.time,
        limits: Limits | None = None,
    ) -> None:
        self._client = client
        self._clock = clock
        self._limits = limits or Limits()
        self._change = client.register_script(_CHANGE)
        self._known: Mapping[str, Circuit] = MappingProxyType({})
        self._look_again = 0.0

    def outages(self) -> Mapping[str, str]:
        """Why sources are not to be asked at this moment, by slot; those that may be are missing.

        Readers of ``directory.companions`` are there by their names.
        """
        now = self._clock()
        if not self._look_again - LOOK_AGAIN <= now < self._look_again:
            self._look_again = now + LOOK_AGAIN
            try:
                self._known = read(self._client)
            except redis.RedisError as error:
                _warn(error)
        return {
            name: f"not asked for now, since it did not answer: {circuit.reason}"
            for name, circuit in self._known.items()
            if not circuit.lets_through(now)
        }

    def note(self, observed: Mapping[str, Observation]) -> None:
        """Tell what is new. A Redis that does not answer keeps nobody from working.

        Args:
            observed: how sources answered, by slot, as ``Directory.observed`` has it.
        """
        now = self._clock()
        for name, seen in observed.items():
            known = self._known.get(name)
            if known is None or known != _next(known, seen, now, self._limits):
                self._update(name, partial(_next, seen=seen, now=now, limits=self._limits))

    def begin_probe(self, name: str, seconds: float) -> bool:
        """Whether a probe is due, and is this process's to make; then nobody else makes one.

        Args:
            name: a slot, or a reader's name.
            seconds: how long it may take; after that it counts as broken off.
        """
        now = self._clock()
        before, after = self._update(name, lambda c: c.probe(now, seconds, self._limits))
        return before != after

    def end_probe(self, name: str, seen: Observation) -> None:
        """Tell how a probe ended."""
        now = self._clock()
        before, after = self._update(name, lambda c: c.probed(seen, now, self._limits))
        if after.up and not before.up:
            seconds = round(now - before.since, 1)
            log.info("source.answers", source=title(name), after_seconds=seconds)

    def read(self) -> Mapping[str, Circuit]:
        """All circuits as they are in Redis.

        Raises:
            redis.RedisError: Redis does not answer.
        """
        self._known = read(self._client)
        return self._known

    def _update(
        self, name: str, transition: Callable[[Circuit], Circuit]
    ) -> tuple[Circuit, Circuit]:
        """A circuit before and after a transition, in Redis, or here alone while that is away."""
        try:
            before, after = self._exchange(name, transition)
        except redis.RedisError as error:
            _warn(error)
            before = self._known.get(name, Circuit())
            after = transition(before)
        self._known = MappingProxyType({**self._known, name: after})
        if after.open and not before.open:
            log.warning("source.not_asked", source=title(name), reason=after.reason)
        return before, after

    def _exchange(
        self, name: str, transition: Callable[[Circuit], Circuit]
    ) -> tuple[Circuit, Circuit]:
        for _ in range(ATTEMPTS):
            stored: Any = self._client.hget(KEY, name)
            before = _load(stored) if stored else Circuit()
            after = transition(before)
            if after == before or self._change(keys=[KEY], args=[name, stored or "", _dump(after)]):
                break
        return before, after


def _next(circuit: Circuit, seen: Observation, now: float, limits: Limits) -> Circuit:
    if seen.reason:
        return circuit.failed(seen, now, limits)
    # Of a source that was never asked nobody knows since when it answers.
    return circuit.answered(now) if circuit.since else dataclasses.replace(circuit, since=now)


def read(client: redis.Redis) -> Mapping[str, Circuit]:
    """The circuit of each source that any worker has asked, by slot.

    Raises:
        redis.RedisError: Redis does not answer.
    """
    return parse(client.hgetall(KEY))


def parse(answer: Any) -> Mapping[str, Circuit]:
    """The same, from what Redis gave for ``HGETALL``, in bytes or in text."""
    return {
        name.decode() if isinstance(name, bytes) else name: _load(value)
        for name, value in answer.items()
    }


def title(name: str) -> str:
    """What people call it: ``CustomerUser1`` for the source of a slot, a reader's own name."""
    return source_name(name) if name in SLOTS else name


def _load(stored: str | bytes) -> Circuit:
    """A circuit; another version of Fieldfare may know more of it, or less."""
    told = json.loads(stored)
    circuit = Circuit(**{name: told[name] for name in _ATTRIBUTES if name in told})
    if told.get("state") == "down" and circuit.up:
        return dataclasses.replace(circuit, failures=1)
    return circuit


def _dump(circuit: Circuit) -> str:
    state = "up" if circuit.up else "down"
    return json.dumps({"state": state, **dataclasses.asdict(circuit)})


def _warn(error: redis.RedisError) -> None:
    log.warning("source_states.not_told", error=type(error).__name__)
