"""What did a source say a moment ago? Answers kept in Redis, for all workers together (D10, D26).

Only sources outside the ticket system's database that have a ``cache_ttl`` are kept. Found and
absent are remembered, each for its own time; unavailable never is. With ``stale_if_unavailable``
what was found is remembered a second time, for longer, and stands in while the source does not
answer; who the source no longer knows is forgotten there as well. When several workers miss the
same login at once, one asks and the others wait for its answer. A Redis that fails costs speed and
nothing else: the source is asked.
"""

import base64
import hashlib
import json
import math
import secrets
import time
from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from typing import Any

import redis
import structlog
from sqlalchemy import make_url

from directory.config import SourceConfig, SqlSourceConfig
from directory.model import (
    Absent,
    Answer,
    Attributes,
    AttributeValue,
    CustomerUser,
    Found,
    Unavailable,
)
from directory.source import CustomerUserSource

PREFIX = "fieldfare:cache:1"
"""What all keys begin with; the number changes with the form of the entries."""

POLL_SECONDS = 0.02
"""How often a worker looks whether the one that asks has its answer."""

PATIENCE = 0.5
"""After this share of the timeout the source is not asked again for what it left unanswered."""

LOCK_MARGIN_SECONDS = 1.0
"""A lock outlives the source's timeout by this, and a worker that was killed no longer."""

RELEASE = "if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end"
"""A lock is given back only by its owner: it may have expired and be another's by now."""

log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)


def keeps(config: SourceConfig) -> bool:
    """Whether answers of a source are cached at all (D26)."""
    in_ticket_database = isinstance(config, SqlSourceConfig) and config.in_ticket_database
    return (config.cache_ttl > 0 or config.stale_if_unavailable > 0) and not in_ticket_database


class Cache:
    """Answers of sources, shared by all workers of one Redis.

    Args:
        client: the connection; its own timeouts say how long a hanging Redis is waited for.
        ttl_max: seconds; caps the ``cache_ttl`` of every source.
        negative_ttl: seconds that an absent login is remembered; 0 = not at all.
    """

    def __init__(
        self,
        client: "redis.Redis",
        *,
        ttl_max: int = 300,
        negative_ttl: int = 30,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._redis = client
        self._ttl_max = ttl_max
        self._negative_ttl = negative_ttl
        self._clock = clock
        self._sleep = sleep

    def find(
        self, source: CustomerUserSource, logins: Sequence[str], *, fresh: bool = False
    ) -> Mapping[str, Answer]:
        """As ``CustomerUserSource.find``, with ``cached`` set on what the cache knew.

        Args:
            source: whom to ask for what is not known.
            logins: logins as tickets spell them.
            fresh: ask the source for everything; its answers are kept.
        """
        keys = _keys(source, logins)
        answers: dict[str, Answer] = {}
        if source.config.cache_ttl and not fresh:
            try:
                answers |= self._known(keys)
                self._fly(source, keys, answers)
            except redis.RedisError as error:
                _warn(error)
        missing = _without(keys, answers)
        if missing:
            self._ask(source, missing, answers)
        return answers

    def kept(self, source: CustomerUserSource, logins: Sequence[str]) -> Mapping[str, Answer]:
        """What is known without asking anybody; the other logins are missing."""
        try:
            return self._known(_keys(source, logins))
        except redis.RedisError as error:
            _warn(error)
            return {}

    def forget(self, source: CustomerUserSource, logins: Iterable[str]) -> None:
        """Drop what is known of logins, for whoever changed them: found, absent, and stand-ins.

        Somebody may be asking right now, and have an answer from before the change: for as long as
        that can take, nothing is kept of these logins.

        Raises:
            redis.RedisError: something may still be known of them.
        """
        keys = set(_keys(source, logins).values())
        if not keys:
            return
        milliseconds = math.ceil((source.config.timeout + LOCK_MARGIN_SECONDS) * 1000)
        with self._redis.pipeline(transaction=False) as pipeline:
            for key in keys:
                pipeline.set(_changed(key), 1, px=milliseconds)
            # After that: who keeps an answer looks afterwards whether there was a change.
            pipeline.delete(*keys, *map(_stale, keys))
            pipeline.execute()

    def stand_in(
        self, source: CustomerUserSource, said: Mapping[str, Answer]
    ) -> Mapping[str, Answer]:
        """The same answers, with older ones, marked as stale, where the source gave none.

        Only for as long as ``stale_if_unavailable`` of the source says; who was absent when it was
        last asked has no older answer.
        """
        silent = {login: one for login, one in said.items() if isinstance(one, Unavailable)}
        if not silent or not source.config.stale_if_unavailable:
            return said
        keys = {login: _stale(key) for login, key in _keys(source, silent).items()}
        try:
            older = self._known(keys)
        except redis.RedisError as error:
            _warn(error)
            return said
        found = {login: one for login, one in older.items() if isinstance(one, Found)}
        return {
            **said,
            **{
                login: one._replace(stale=silent[login].reason or "it did not say why")
                for login, one in found.items()
            },
        }

    def _ask(
        self, source: CustomerUserSource, keys: Mapping[str, str], answers: dict[str, Answer]
    ) -> None:
        """Ask the source, and keep what it says if Redis lets us."""
        said = source.find(list(keys))
        answers |= said
        ttl = min(source.config.cache_ttl, self._ttl_max)
        negative_ttl = min(source.config.cache_ttl, self._negative_ttl)
        stale_ttl = source.config.stale_if_unavailable
        try:
            with self._redis.pipeline(transaction=False) as pipeline:
                for login, answer in said.items():
                    if isinstance(answer, Found) and ttl:
                        pipeline.set(keys[login], _dump(answer), ex=ttl)
                    elif isinstance(answer, Absent) and negative_ttl:
                        pipeline.set(keys[login], _dump(answer), ex=negative_ttl)
                    else:
                        # What was known before must not outlive a newer answer.
                        pipeline.delete(keys[login])
                    if isinstance(answer, Found) and stale_ttl:
                        pipeline.set(_stale(keys[login]), _dump(answer), ex=stale_ttl)
                    elif isinstance(answer, Absent) and stale_ttl:
                        pipeline.delete(_stale(keys[login]))
                pipeline.mget([_changed(key) for key in keys.values()])
                changes = pipeline.execute()[-1]
            # Whoever was changed while we asked: the answer may be from before that.
            outdated = [key for key, one in zip(keys.values(), changes, strict=True) if one]
            if outdated:
                self._redis.delete(*outdated, *map(_stale, outdated))
        except redis.RedisError as error:
            _warn(error)

    def _fly(
        self, source: CustomerUserSource, keys: Mapping[str, str], answers: dict[str, Answer]
    ) -> None:
        """Ask for the logins that nobody asks for, and wait for what others ask for.

        What is missing from ``answers`` afterwards is to be asked for without waiting.
        """
        began = self._clock()
        own = self._lock(source.config, _without(keys, answers).values())
        try:
            asked = {login: key for login, key in _without(keys, answers).items() if key in own}
            if asked:
                self._ask(source, asked, answers)
        finally:
            self._release(own)
        timeout = source.config.timeout
        in_vain = any(isinstance(answers.get(login), Unavailable) for login in asked)
        while waiting := _without(keys, answers):
            # In this order: whoever asks keeps the answer first and gives the lock back then.
            flying = self._flying(waiting.values())
            answers |= self._known(waiting)
            given_up = set(_without(waiting, answers).values()) - flying
            waited = self._clock() - began
            if (in_vain or given_up) and waited > timeout * PATIENCE:
                # To ask once more would take twice the time that a lookup may take.
                silence = Unavailable(source.config.slot, "no answer; another worker asks in vain")
                answers |= dict.fromkeys(_without(waiting, answers), silence)
                return
            if given_up or waited >= timeout:
                return
            self._sleep(POLL_SECONDS)

    def _known(self, keys: Mapping[str, str]) -> dict[str, Answer]:
        entries = self._redis.mget(list(keys.values()))
        known = {login: _load(entry) for login, entry in zip(keys, entries, strict=True)}
        return {login: answer for login, answer in known.items() if answer is not None}

    def _lock(self, config: SourceConfig, keys: Iterable[str]) -> Mapping[str, str]:
        """The locks that are ours now: token by key."""
        tokens = {key: secrets.token_hex(8) for key in keys}
        milliseconds = math.ceil((config.timeout + LOCK_MARGIN_SECONDS) * 1000)
        with self._redis.pipeline(transaction=False) as pipeline:
            for key, token in tokens.items():
                pipeline.set(f"{key}:lock", token, nx=True, px=milliseconds)
            taken = pipeline.execute()
        return {key: tokens[key] for key, ok in zip(tokens, taken, strict=True) if ok}

    def _release(self, own: Mapping[str, str]) -> None:
        with self._redis.pipeline(transaction=False) as pipeline:
            for key, token in own.items():
                pipeline.eval(RELEASE, 1, f"{key}:lock", token)
            pipeline.execute()

    def _flying(self, keys: Iterable[str]) -> frozenset[str]:
        """The keys that somebody asks for right now."""
        distinct = list(dict.fromkeys(keys))
        locks = self._redis.mget([f"{key}:lock" for key in distinct])
        return frozenset(key for key, lock in zip(distinct, locks, strict=True) if lock)


def _warn(error: redis.RedisError) -> None:
    log.warning("directory.cache_unavailable", reason=type(error).__name__)


def _without(keys: Mapping[str, str], answers: Container[str]) -> dict[str, str]:
    return {login: key for login, key in keys.items() if login not in answers}


def _keys(source: CustomerUserSource, logins: Iterable[str]) -> dict[str, str]:
    """The key of each login's answer."""
    prefix = f"{PREFIX}:{_digest_of(source.config)}"
    return {login: f"{prefix}:{_digest(source.login_key(login))}" for login in logins}


def _stale(key: str) -> str:
    """Where what was found stands for as long as it may stand in."""
    return f"{key}:stale"


def _changed(key: str) -> str:
    """What stands there while an answer may still be from before a change."""
    return f"{key}:changed"


def _digest(text: str) -> str:
    # A login may hold anything, lone surrogates included.
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def _digest_of(config: SourceConfig) -> str:
    """Of the settings without their passwords: a changed Map or address begins afresh."""
    address = ""
    if isinstance(config, SqlSourceConfig) and config.url is not None:
        address = make_url(config.url.get_secret_value()).render_as_string(hide_password=True)
    plain = config.model_dump_json(exclude={"url", "password", "user_pw"})
    return _digest(plain + address)[:16]


def _dump(answer: Found | Absent) -> str:
    if isinstance(answer, Absent):
        return json.dumps({"absent": answer.reason})
    user = answer.customer_user
    return json.dumps(
        {
            "slot": user.slot,
            "login": user.login,
            "attributes": _plain(user.attributes),
            "by_storage": _plain(user.by_storage),
        }
    )


def _load(entry: str | bytes | None) -> Found | Absent | None:
    """The answer of an entry; an entry that is not one of ours counts as none."""
    if entry is None:
        return None
    try:
        data = json.loads(entry)
        if "absent" in data:
            return Absent(data["absent"], cached=True)
        user = CustomerUser(
            data["slot"], data["login"], _rich(data["attributes"]), _rich(data["by_storage"])
        )
    except (ValueError, TypeError, KeyError):
        return None
    return Found(user, cached=True)


def _plain(values: Attributes) -> dict[str, Any]:
    """JSON knows no bytes: they become ``{"base64": …}``; tuples become lists."""
    return {
        name: {"base64": base64.b64encode(value).decode()} if isinstance(value, bytes) else value
        for name, value in values.items()
    }


def _rich(values: Mapping[str, Any]) -> dict[str, AttributeValue]:
    return {name: _rich_value(value) for name, value in values.items()}


def _rich_value(value: Any) -> AttributeValue:
    match value:
        case str():
            return value
        case list():
            return tuple(value)
        case _:
            return base64.b64decode(value["base64"])
