"""Where do the answers to calls lie? In Redis: for an hour, and one that tells a password for less.

Who asked takes an answer away once it is read; this is for what nobody fetches.
"""

from celery.backends.redis import RedisBackend

from worker.broker import celery_url

SECONDS = 3600
"""How long an answer lies there; it may hold personal data."""

PASSWORD_SECONDS = 120
"""How long one lies there that tells a password."""

_TELLS_ONE = '"password"'


class Results(RedisBackend):  # type: ignore[misc]  # Celery has no types
    """Celery's results in Redis, each for as long as its content allows."""

    def _set(self, key: str, value: str) -> None:
        seconds = PASSWORD_SECONDS if _TELLS_ONE in value else self.expires
        with self.client.pipeline() as pipe:
            pipe.set(key, value, ex=seconds)
            pipe.publish(key, value)
            pipe.execute()


def url(redis_url: str) -> str:
    """Where results lie, as Celery's setting ``result_backend`` names it."""
    return f"{__name__}:Results+{celery_url(redis_url).removeprefix('redis+')}"
