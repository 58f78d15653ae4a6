"""What if a source that a package adds breaks its contract? Then it counts as not answering.

Whatever it raises, and whatever it answers that is no answer, becomes ``Unavailable`` for its slot:
never absent, which would empty fields, and never the end of a batch with events of other sources.
The reason names the class of an exception alone, since its message may quote anything.
"""

import traceback
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import structlog

from directory.changes import Changes, ChangingSource
from directory.config import SourceConfig
from directory.errors import DirectoryError, SourceUnavailable
from directory.model import Absent, Answer, CustomerUser, Found, Unavailable
from directory.search import Matches, Query
from directory.source import CustomerUserSource

log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)


class GuardedSource:
    """A ``CustomerUserSource`` that keeps its contract whatever the one inside does.

    Args:
        config: the settings that the one inside was built from.
        source: the one inside.
    """

    def __init__(self, config: SourceConfig, source: CustomerUserSource) -> None:
        self._config = config
        self._source = source

    @property
    def config(self) -> SourceConfig:
        """The settings of this source."""
        return self._config

    def find(self, logins: Sequence[str]) -> Mapping[str, Answer]:
        """Look up logins; a login without an answer of the right form is unavailable."""
        slot = self._config.slot
        try:
            said: Mapping[str, Any] = self._source.find(logins)
            return {login: _answer(said.get(login), slot) for login in logins}
        except SourceUnavailable as error:
            reason = error.reason
        except Exception as error:  # noqa: BLE001 - also what ends a task that takes too long
            reason = self._told(error)
        return dict.fromkeys(logins, Unavailable(slot, reason))

    def customer_ids(self, term: str = "", *, valid_only: bool = True) -> frozenset[str]:
        """The customer ids of its customer users.

        Raises:
            SourceUnavailable: it does not answer, or fails.
        """
        with self._answering():
            return frozenset(map(_text, self._source.customer_ids(term, valid_only=valid_only)))

    def search(self, query: Query) -> Matches:
        """Find customer users by their values.

        Raises:
            SourceUnavailable: it does not answer, fails, or was written without searching.
        """
        config = self._config
        if not hasattr(self._source, "search"):
            reason = f"sources of the kind {config.kind} cannot search"
            raise SourceUnavailable(config.slot, reason)
        with self._answering():
            said: Any = self._source.search(query)
            if not isinstance(said, Matches):
                raise TypeError(type(said).__name__)
            users = [_answer(Found(user), config.slot) for user in said.customer_users]
        for user in users:
            if isinstance(user, Unavailable):
                raise SourceUnavailable(config.slot, user.reason)
        found = tuple(user.customer_user for user in users if isinstance(user, Found))
        return replace(said, customer_users=found)

    def changes(self, since: str) -> Changes:
        """Who was changed since a moment.

        Raises:
            SourceUnavailable: it does not answer, fails, or was written without telling.
        """
        if not isinstance(self._source, ChangingSource):
            reason = f"sources of the kind {self._config.kind} cannot tell what changed"
            raise SourceUnavailable(self._config.slot, reason)
        with self._answering():
            said: Any = self._source.changes(since)
            if not isinstance(said, Changes):
                raise TypeError(type(said).__name__)
            stamps = {_text(login): _text(stamp) for login, stamp in said.stamps.items()}
            return Changes(stamps, _text(said.newest))

    def login_key(self, login: str) -> str:
        """The login as the source compares it, or as it is where that fails."""
        try:
            return _text(self._source.login_key(login))
        except Exception as error:  # noqa: BLE001 - fewer logins share an answer then, no more
            self._told(error)
            return login

    def ping(self) -> None:
        """Ask the source for something small.

        Raises:
            SourceUnavailable: it does not answer, or fails.
        """
        with self._answering():
            self._source.ping()

    def check(self) -> None:
        """Make sure that the source can work as it is configured.

        Raises:
            SourceMisconfigured: it can never find anybody.
            SourceUnavailable: it does not answer, or fails.
        """
        with self._answering():
            self._source.check()

    def close(self) -> None:
        """Close connections; what goes wrong is told in the log alone."""
        try:
            self._source.close()
        except Exception as error:  # noqa: BLE001 - whoever closes has other sources to close
            self._told(error)

    @contextmanager
    def _answering(self) -> Iterator[None]:
        try:
            yield
        except DirectoryError:
            raise
        except Exception as error:  # noqa: BLE001 - see find
            raise SourceUnavailable(self._config.slot, self._told(error)) from None

    def _told(self, error: Exception) -> str:
        """The class of an exception; where it came from is said in the log, to its author."""
        frames = traceback.extract_tb(error.__traceback__)[1:]
        log.warning(
            "source.failed",
            source=self._config.source_name,
            kind=self._config.kind,
            error=type(error).__name__,
            at=" > ".join(f"{Path(frame.filename).name}:{frame.lineno}" for frame in frames),
        )
        return type(error).__name__


def _answer(said: Any, slot: str) -> Answer:
    """An answer under the slot of its source; ``Unavailable`` where it is none."""
    match said:
        case Found(customer_user=CustomerUser() as user):
            problem = _problem(user)
            return (
                Unavailable(slot, problem)
                if problem
                else said._replace(customer_user=user._replace(slot=slot), stale="")
            )
        case Absent(reason=str()):
            return said
        case Unavailable(reason=str(reason)):
            return Unavailable(slot, reason)
        case _:
            return Unavailable(slot, f"its answer is of the type {type(said).__name__}")


def _problem(user: CustomerUser) -> str | None:
    """Which value is none that an attribute can have; values themselves are never told."""
    found: Sequence[Mapping[str, Any]] = ({"login": user.login}, user.attributes, user.by_storage)
    for values in found:
        for name, value in values.items():
            texts = value if isinstance(value, tuple) else (value,)
            if not isinstance(value, bytes) and not all(isinstance(text, str) for text in texts):
                return f"the value of {name} is of the type {type(value).__name__}, not a text"
    return None


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError(type(value).__name__)
    return value
