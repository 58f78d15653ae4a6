"""Is anything written? A run of events that would empty too many fields stops all workers."""

from collections.abc import Iterator

import redis

from worker import guard, guard_words
from worker.broker import impatient, redis_url
from worker.checks.finding import Finding, error, ok, skipped, warning
from worker.settings import Settings

SUBJECT = "guard"


def check(settings: Settings) -> Iterator[Finding]:
    """Ask Redis whether writing was stopped."""
    try:
        client = impatient(redis_url(settings.redis), "fieldfare-check")
    except (TypeError, ValueError):  # the broker's check says so
        yield skipped(SUBJECT, "redis.url cannot be used")
        return
    try:
        yield judge(guard.read(client, settings.guard), settings)
    except redis.exceptions.NoPermissionError:
        yield error(
            SUBJECT,
            f"the user of Redis may not read {guard.STATE}",
            "A worker with this user would write nothing, for what is too much cannot be told.",
            "Run this as the user worker; if it is, make the users of Redis anew with "
            "examples/deploy/valkey/users.sh.",
        )
    except redis.RedisError:
        yield skipped(SUBJECT, "Redis does not answer")
    finally:
        client.close()


def judge(found: guard.GuardState, settings: Settings) -> Finding:
    """What its state means."""
    if found.state == "off":
        return warning(
            SUBJECT,
            "the guard against mass changes is off",
            "A directory that was emptied by mistake empties the fields of all tickets touched.",
            "Set guard.erasures.enabled = true.",
        )
    if found.stop is not None:
        examples = ", ".join(f"fieldfare explain {id_}" for id_ in found.stop.tickets)
        return error(
            SUBJECT,
            f"writing is stopped since {guard_words.moment(found.stop.since)}: "
            f"{guard_words.reason(found.stop)}",
            "No event is handled; all of them wait in the inbox.",
            f"Look whether that is right: {examples}. If it is: fieldfare guard release. If not, "
            "mend the source first.",
        )
    if found.until is not None:
        return warning(
            SUBJECT,
            f"the guard is released until {guard_words.moment(found.until)}",
            "Whatever is to be written is written until then.",
            "Nothing, if a mass change is wanted now.",
        )
    return ok(SUBJECT, f"writing goes on, and stops before {guard_words.limits(settings.guard)}")
