"""Whose data changed without anybody telling us? The sources that can say are asked.

Each source is asked for what changed since a while ago, a little more than an hour: rows become
visible after the moment that they are stamped with, and a clock of local time is set back in
autumn. What was announced already is remembered for as long, so that everybody is announced once.

An answer that is not whole announces nobody, and the next watch asks for the same time again. After
a loss of Redis it begins anew, with now.
"""

import hashlib
import json
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Any, TypeVar

import redis
import structlog

from directory.changes import ChangingSource
from directory.errors import SourceUnavailable
from worker.events import CustomerUserChanged
from worker.services import Services

KEY = "fieldfare:watch"
"""Followed by the source's name: how far it was watched; and by ``:announced``: whom it told of."""

WINDOW = 75 * 60
"""Seconds that are asked for again: an hour that a clock is set back, and a transaction's time."""

FORGET = 30 * 24 * 3600
"""Seconds after which a source that nobody watches any more leaves nothing behind."""

_PORTION = 500

T = TypeVar("T")

log = structlog.get_logger("fieldfare")


@dataclass(frozen=True, slots=True)
class Reached:
    """How far a source was watched.

    Attributes:
        column: the column or attribute that its stamps are from.
        marks: pairs of a moment (seconds since 1970) and the newest stamp known then, the oldest
            first; the first is at least ``WINDOW`` old, if there are any so old.
    """

    column: str
    marks: tuple[tuple[float, str], ...] = ()

    @property
    def since(self) -> str:
        """From when on the source is to be asked; empty at the beginning."""
        return self.marks[0][1] if self.marks else ""

    def moved(self, now: float, newest: str) -> "Reached":
        """The same after an answer."""
        marks = (*self.marks, (now, newest))
        old = [number for number, (moment, _) in enumerate(marks) if moment <= now - WINDOW]
        return Reached(self.column, marks[old[-1] if old else 0 :])


def watch(services: Services, clock: Callable[[], float] = time.time) -> int:
    """Announce whoever was changed, in every source that is watched; returns how many.

    Raises:
        redis.RedisError: Redis does not answer; the next watch goes on.
    """
    announced = 0
    for source in services.directory.sources:
        if source.config.watch and isinstance(source, ChangingSource):
            announced += _watched(source, source.config.source_name, services, clock())
    return announced


def _watched(source: ChangingSource, name: str, services: Services, now: float) -> int:
    client = services.inbox.client
    column = services.settings.sources[name].watch or ""
    reached = _read(client, name, column)
    try:
        told = source.changes(reached.since)
    except SourceUnavailable as error:
        log.warning("watch.unavailable", source=name, reason=error.reason)
        return 0
    known: Any = client.hgetall(_announced(name))
    digests = {_digest(login): login for login in told.stamps}
    news = {
        digest: login
        for digest, login in digests.items()
        if known.get(digest.encode(), b"").decode() != told.stamps[login]
    }
    for part in _portions(news.values()):
        services.inbox.publish_many([CustomerUserChanged(login=one, source=name) for one in part])
    # Not before: whom a watch that was killed did not get to, the next one announces.
    _remember(client, name, {digest: told.stamps[login] for digest, login in news.items()})
    for gone in _portions(one for one in known if one.decode() not in digests):
        client.hdel(_announced(name), *gone)
    text = json.dumps([column, reached.moved(now, told.newest).marks])
    client.set(f"{KEY}:{name}", text, ex=FORGET)
    if news:
        log.info("watch.announced", source=name, customer_users=len(news))
    return len(news)


def _read(client: redis.Redis, name: str, column: str) -> Reached:
    """How far it was watched, by this column."""
    text: Any = client.get(f"{KEY}:{name}")
    if text is None:
        return Reached(column)
    before, marks = json.loads(text)
    if before != column:
        return Reached(column)
    return Reached(column, tuple((moment, stamp) for moment, stamp in marks))


def _remember(client: redis.Redis, name: str, stamps: Mapping[str, str]) -> None:
    key = _announced(name)
    for part in _portions(stamps.items()):
        client.hset(key, mapping=dict(part))
        client.expire(key, FORGET)


def _portions(items: Iterable[T]) -> Iterator[list[T]]:
    waiting = iter(items)
    while portion := list(islice(waiting, _PORTION)):
        yield portion


def _announced(name: str) -> str:
    return f"{KEY}:{name}:announced"


def _digest(login: str) -> str:
    """Logins are personal data, and need not be read from here."""
    return hashlib.sha256(login.encode("utf-8", "surrogatepass")).hexdigest()[:16]
