"""Do those at work fit together? One version, one scheduler, and the settings that hold now.

Who is at work says so in Redis. Where nobody is, before the first start, there is nothing to say.
"""

from collections.abc import Iterator, Sequence
from importlib.metadata import version

import redis

from worker import heartbeat
from worker.broker import impatient, redis_url
from worker.checks.finding import Finding, ok, warning
from worker.fingerprints import differing
from worker.heartbeat import Alive
from worker.settings import Settings

SUBJECT = "processes"

_EVENTS = "events"


def at_work(settings: Settings) -> Sequence[Alive]:
    """Who is at work; nobody where Redis does not tell, of which the broker's check says why."""
    try:
        client = impatient(redis_url(settings.redis), "fieldfare-check")
    except (TypeError, ValueError):
        return ()
    try:
        return heartbeat.alive(client)
    except redis.RedisError:
        return ()
    finally:
        client.close()


def check(alive: Sequence[Alive], settings: Settings) -> Iterator[Finding]:
    """Look at those at work, and count them where nothing is wrong."""
    found = list(judge(alive, settings))
    if alive and not found:
        number = f"{len(alive)} processes are" if len(alive) > 1 else "1 process is"
        found = [ok(SUBJECT, f"{number} at work, with these settings")]
    yield from found


def judge(alive: Sequence[Alive], settings: Settings) -> Iterator[Finding]:
    """What is wrong with those at work.

    Args:
        alive: workers and schedulers on all machines.
        settings: those that hold now.
    """
    yield from _versions(alive)
    yield from _settings(alive, settings)
    yield from _schedulers(alive)


def _versions(alive: Sequence[Alive]) -> Iterator[Finding]:
    ours = version("fieldfare")
    others = [f"{one.name} ({one.version})" for one in alive if one.version != ours]
    if others:
        yield warning(
            SUBJECT,
            f"not of this version, {ours}: {', '.join(others)}",
            "Two versions at once may not understand what the other one leaves in Redis.",
            "Stop all of them, install one version everywhere, and start them again.",
        )


def _settings(alive: Sequence[Alive], settings: Settings) -> Iterator[Finding]:
    found: dict[str, list[str]] = {}
    for one in alive:
        if sections := ", ".join(differing(settings, one.settings)):
            found.setdefault(sections, []).append(one.name)
    for sections, names in found.items():
        yield warning(
            SUBJECT,
            f"started with other settings ({sections}): {', '.join(names)}",
            "They go on as they were started, so the same ticket may be filled in two ways.",
            "Start them again, with the file and the variables that this command has.",
        )


def _schedulers(alive: Sequence[Alive]) -> Iterator[Finding]:
    """A resync worker's own scheduler rings for resyncs alone."""
    of_events = [one for one in alive if _EVENTS in one.queues]
    schedulers = [one.name for one in of_events if one.role == "beat"]
    if len(schedulers) > 1:
        yield warning(
            SUBJECT,
            f"there are {len(schedulers)} schedulers: {', '.join(schedulers)}",
            "Each of them rings and sweeps.",
            "Leave one: fieldfare beat, or one worker; start every other worker with --no-beat.",
        )
    if of_events and not schedulers:
        yield warning(
            SUBJECT,
            "there are ticket workers and no scheduler for them",
            "Nothing sweeps, and no event comes back that waits for a source.",
            "Start fieldfare beat, or one of the workers without --no-beat.",
        )
