"""Will agents see at once what was written? Only if OTOBO's cached copies can be dropped."""

from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryFile

import redis

from worker.broker import impatient
from worker.checks import transport
from worker.checks.finding import Finding, error, ok, silent, warning
from worker.settings import OtoboCacheSettings

SUBJECT = "OTOBO's cache"

_LATE = "Agents see old values for up to 12 hours, and saving a ticket compares with those."


def check(settings: OtoboCacheSettings) -> Iterator[Finding]:
    """Reach OTOBO's Redis, or its folder."""
    if settings.kind == "redis" and settings.url is not None:
        url = settings.url.get_secret_value()
        yield from transport.of_redis(SUBJECT, url)
        yield _redis(url)
    elif settings.kind == "file" and settings.directory is not None:
        yield _folder(settings.directory)
    else:
        yield warning(
            SUBJECT,
            'tickets.otobo_cache.kind is "none"',
            _LATE,
            'Set it to what OTOBO\'s Cache::Module says: "redis" or "file".',
        )


def _redis(url: str) -> Finding:
    client = impatient(url, "fieldfare-check")
    try:
        client.ping()
    except redis.RedisError as problem:
        return silent(
            SUBJECT,
            f"its Redis does not answer: {problem}",
            _LATE,
            "Start it, or let tickets.otobo_cache.url say what OTOBO's Cache::Redis says.",
        )
    finally:
        client.close()
    return ok(SUBJECT, "its Redis answers")


def _folder(folder: Path) -> Finding:
    if not folder.is_dir():
        return error(
            SUBJECT,
            f"there is no folder {folder}",
            _LATE,
            "Let tickets.otobo_cache.directory name OTOBO's var/tmp/CacheFileStorable.",
        )
    try:
        TemporaryFile(dir=folder).close()
    except OSError as problem:
        return error(
            SUBJECT,
            f"{folder} cannot be written to: {problem.strerror}",
            _LATE,
            "Run the worker as a member of the web server's group.",
        )
    return ok(SUBJECT, f"{folder} can be written to")
