"""Which renames have begun whose tickets have not all followed? Only such a rename is gone on with.

Whoever was renamed has no trace of the old login in the directory. So a mark is kept from before
the rename until the last ticket has the new login: without it, a mistyped old login would hand the
tickets of somebody else over.
"""

import json
import time
from dataclasses import dataclass
from typing import Any

import redis

KEY = "fieldfare:renames"
"""A sorted set: each rename as JSON, by the moment when it was begun (seconds since 1970)."""

DAYS = 90
"""Older marks are let go: a login is personal data, and nobody is going to finish that rename."""


@dataclass(frozen=True, slots=True)
class Rename:
    """A rename whose tickets follow.

    Attributes:
        old: the login so far, as its source spelt it.
        new: the login that was asked for.
        source: whose customer user it is: ``CustomerUser1``.
    """

    old: str
    new: str
    source: str


def begin(client: redis.Redis, rename: Rename) -> None:
    """Keep the mark of a rename; doing so twice is harmless.

    Raises:
        redis.RedisError: it may not be kept.
    """
    now = time.time()
    pipeline = client.pipeline()
    pipeline.zremrangebyscore(KEY, 0, now - DAYS * 24 * 3600)
    pipeline.zadd(KEY, {_text(rename): now})
    pipeline.execute()


def end(client: redis.Redis, rename: Rename) -> None:
    """Take the mark away.

    Raises:
        redis.RedisError: it may still be there.
    """
    client.zrem(KEY, _text(rename))


def begun(client: redis.Redis) -> list[Rename]:
    """All renames that have a mark, the oldest first.

    Raises:
        redis.RedisError: Redis does not answer.
    """
    texts: Any = client.zrange(KEY, 0, -1)
    return [Rename(*json.loads(text)) for text in texts]


def forget(client: redis.Redis, logins: set[str]) -> None:
    """Take all marks away that name one of these logins.

    Raises:
        redis.RedisError: some may still be there; calling again is harmless.
    """
    for rename in begun(client):
        if not logins.isdisjoint({rename.old, rename.new}):
            end(client, rename)


def _text(rename: Rename) -> str:
    return json.dumps([rename.old, rename.new, rename.source])
