"""Can events be kept safely? The Redis or Valkey of the inbox: version, memory, disk, rights.

Everything is read with INFO, which also those may use who may not read its configuration.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import urlsplit

import redis

from worker.broker import impatient, redis_url
from worker.checks import transport
from worker.checks.finding import Finding, error, ok, silent, warning
from worker.inbox import EVENTS
from worker.settings import RedisSettings

SUBJECT = "broker"
PROBE = "fieldfare:cache:check"
"""A key that is written to see whether the server takes one; it expires at once."""

NO_EVENT = "0-1"
"""An id that no event has: whoever may not delete it may not delete others either."""

OLDEST = (6, 2)
"""The first version with all commands that the inbox uses."""

TESTED = (7, 0)
_NO_EVENTS = "No event can be put into the inbox, and none handled."


def check(settings: RedisSettings) -> Iterator[Finding]:
    """Ask the server, and try to write."""
    url = redis_url(settings)
    client = impatient(url, "fieldfare-check")
    yield from transport.of_redis(SUBJECT, url)
    try:
        yield from _ask(client, _shown(url))
    finally:
        client.close()


def _ask(client: redis.Redis, where: str) -> Iterator[Finding]:
    try:
        info: Any = _info(client)
        if info is None:
            yield warning(
                SUBJECT,
                f"{where} answers, but its user may not use INFO",
                "Whether events survive a crash of the machine cannot be told.",
                "Let the user have +info, or look yourself: redis-cli INFO must say "
                "maxmemory_policy:noeviction and aof_enabled:1.",
            )
        else:
            yield from judge(info, where)
        client.set(PROBE, 1, px=1)
        client.xdel(EVENTS, NO_EVENT)
    except redis.AuthenticationError as problem:
        yield error(
            SUBJECT,
            f"{where} refuses the login: {problem}",
            _NO_EVENTS,
            "Correct redis.username and redis.password, or the user in the server's ACL.",
        )
    except redis.ResponseError as problem:
        yield error(
            SUBJECT,
            f"{where} does not let events be worked on: {problem}",
            _NO_EVENTS,
            _cure(problem),
        )
    except redis.RedisError as problem:
        yield silent(
            SUBJECT,
            f"{where} does not answer: {problem}",
            "No event can be put into the inbox; what is in it waits.",
            "Start the server, or correct redis.url.",
        )


def judge(info: Mapping[str, Any], where: str) -> Iterator[Finding]:
    """What the answer to INFO means.

    Args:
        info: the fields of all default sections.
        where: the server, for people.
    """
    name = "Valkey" if "valkey_version" in info else "Redis"
    told = str(info.get("valkey_version") or info.get("redis_version", "0"))
    version = tuple(map(int, re.findall(r"\d+", told)[:2]))
    policy = info.get("maxmemory_policy", "unknown")
    yield ok(SUBJECT, f"{name} {told} at {where}")
    if name == "Redis" and version < OLDEST:
        yield error(
            SUBJECT,
            f"Redis {told} lacks commands of the inbox",
            "Events cannot be handled.",
            "Install Redis 7 or Valkey.",
        )
    elif name == "Redis" and version < TESTED:
        yield warning(
            SUBJECT,
            f"Redis {told} is older than what Fieldfare is tested with",
            "It may work.",
            "Install Redis 7 or Valkey.",
        )
    if policy == "noeviction":
        yield ok(SUBJECT, "maxmemory-policy is noeviction")
    else:
        limited = int(info.get("maxmemory", 0)) > 0
        meaning = (
            "When memory is full, the server drops events and nobody is told."
            if limited
            else "No limit is set, so nothing is dropped yet. With one, events would be."
        )
        found = error if limited else warning
        yield found(
            SUBJECT,
            f"maxmemory-policy is {policy}",
            meaning,
            "Set maxmemory-policy noeviction; keep caches of others on a server of their own.",
        )
    if int(info.get("aof_enabled", 0)):
        yield ok(SUBJECT, "the append-only file is on")
    else:
        yield warning(
            SUBJECT,
            "the append-only file is off",
            "A crash of the machine loses the events in the inbox; only the sweep of the ticket "
            "history finds them again.",
            "Set appendonly yes.",
        )


def _info(client: redis.Redis) -> Any:
    """The server's fields; None where its user may not ask for them."""
    try:
        return client.info()
    except redis.exceptions.NoPermissionError:
        client.ping()
        return None


def _cure(problem: redis.ResponseError) -> str:
    match problem:
        case redis.exceptions.NoPermissionError():
            return (
                "This looks at what a ticket worker needs: run it as the user worker of the page "
                "Deploy, or one with the same rights. An admin worker's user may do less."
            )
        case redis.exceptions.OutOfMemoryError():
            return "The server's memory is full: raise maxmemory, or find out what fills it."
        case redis.exceptions.ReadOnlyError():
            return "This is a replica; let redis.url name the primary."
        case _:
            return "See what the server's own log says."


def _shown(url: str) -> str:
    """Where a server listens, without credentials."""
    parts = urlsplit(url)
    if parts.scheme == "unix":
        return parts.path
    database = parts.path.strip("/") or "0"
    return f"{parts.hostname or 'localhost'}:{parts.port or 6379}/{database}"
