"""How is an admin worker asked from another process? By a message that expires, within bounds.

The answer is looked for with a client that would rather hear that Redis is away than wait for it.
A call that nobody took is taken back out of the queue, so that it is certain that nothing was done.
One that was taken may be done, whatever becomes of who asked; that is said then.
"""

import json
import time
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import redis
from kombu.exceptions import OperationalError

from worker import admin_queue, heartbeat
from worker.admin_queue import QUEUE, REQUESTED_BY
from worker.broker import KEY_PREFIX, impatient, redis_url
from worker.settings import Settings

QUEUE_KEY = f"{KEY_PREFIX}{QUEUE}"
RESULT_KEY = f"{KEY_PREFIX}celery-task-meta-"

_FIRST_PAUSE, _LONGEST_PAUSE = 0.01, 0.25
_ASK_WHO_LIVES_EVERY = 1.0

_MAY_BE_DONE = "it may have been done; look before you ask again"
_NOT_DONE = "The call was taken back, and nothing was done"


class NoAnswer(Exception):
    """A call has no answer; the text says why, and whether it may have been done.

    Attributes:
        may_be_done: else it is certain that it was not.
    """

    def __init__(self, why: str, *, may_be_done: bool = True) -> None:
        super().__init__(f"{why}; {_MAY_BE_DONE}" if may_be_done else f"{why}. {_NOT_DONE}")
        self.may_be_done = may_be_done


class Interrupted(Exception):
    """Who asked does not want to wait any more; the text says what becomes of the call.

    Attributes:
        may_be_done: else it is certain that it was not.
    """

    def __init__(self, *, may_be_done: bool) -> None:
        super().__init__(
            f"interrupted, and an admin worker may have taken the call; {_MAY_BE_DONE}"
            if may_be_done
            else "interrupted; the call was taken back, and nothing was done"
        )
        self.may_be_done = may_be_done


@dataclass(frozen=True, slots=True)
class Patience:
    """How long is waited, in seconds.

    Attributes:
        not_taken: a call that nobody took by then is taken back.
        nobody: the same where no admin worker says that it is alive.
        away: so long may Redis be away while a call is at work; its answer lies there then.
    """

    not_taken: float = 30.0
    nobody: float = 3.0
    away: float = 10.0


def ask(
    name: str,
    arguments: Mapping[str, Any],
    who: str,
    settings: Settings,
    patience: Patience = Patience(),
) -> dict[str, Any]:
    """Ask an admin worker, and take its answer away.

    Args:
        name: one of ``worker.calls.CALLS``.
        arguments: by name.
        who: who asks, for the audit.
        settings: say where Redis is, and how long a call may take.
        patience: how long is waited.

    Raises:
        NoAnswer: nobody took the call, or it was taken and no answer came.
        Interrupted: Ctrl-C; the call was taken back if it could be.
        redis.RedisError: Redis did not answer before anything was sent.
    """
    url = redis_url(settings.redis)
    with closing(impatient(url, "fieldfare-caller")) as client:
        client.ping()  # kombu would wait longer to hear that nobody is there
        most_seconds = admin_queue.time_limit(settings)
        waiting = _Waiting(client, str(uuid4()), patience, most_seconds)
        try:
            _send(url, waiting.id, name, {**arguments, REQUESTED_BY: who}, patience)
            return waiting.answer()
        except KeyboardInterrupt:
            raise Interrupted(may_be_done=not waiting.given_up()) from None


def _send(url: str, call: str, name: str, arguments: Mapping[str, Any], patience: Patience) -> None:
    sender = admin_queue.sender(url, name)
    try:
        with closing(sender), sender.connection_for_write() as connection:
            sender.send_task(
                name,
                kwargs=arguments,
                task_id=call,
                queue=QUEUE,
                declare=[],  # workers declare it
                expires=patience.not_taken,
                connection=connection,
                retry=False,
                # What would be shown of them; a password may be among them.
                argsrepr="",
                kwargsrepr="",
            )
    except OperationalError as error:
        cause = error.__cause__ or error
        if isinstance(cause, redis.ResponseError):  # it answered, and did not take it
            raise redis.ConnectionError(type(cause).__name__) from None
        raise NoAnswer(
            f"Redis went away while the call was sent ({type(cause).__name__})"
        ) from None


class _Waiting:
    """The wait for the answer to one call."""

    def __init__(
        self, client: redis.Redis, call: str, patience: Patience, most_seconds: float
    ) -> None:
        self.id = call
        self._client = client
        self._patience = patience
        self._most_seconds = most_seconds
        self._pause = _FIRST_PAUSE

    def answer(self) -> dict[str, Any]:
        """What the worker tells."""
        meta = self._taken()
        taken_at = time.monotonic()
        taker = _Taker(self._client, meta, self._patience.away)
        while meta["status"] == "STARTED":
            if time.monotonic() - taken_at > self._most_seconds:
                raise NoAnswer("an admin worker took the call and did not answer")
            if self._away_for_a_while(taker.is_gone):
                raise NoAnswer("the admin worker that took the call is gone")
            self._rest()
            meta = self._look() or meta
        self._client.delete(RESULT_KEY + self.id)  # it may hold a password that is told this once
        if meta["status"] == "REVOKED":
            raise NoAnswer(self._busy(), may_be_done=False)
        if meta["status"] != "SUCCESS" or not isinstance(meta["result"], dict):
            raise NoAnswer("the admin worker failed, and its log says why")
        return meta["result"]

    def given_up(self) -> bool:
        """Take the call back if that can still be done; whether it was."""
        try:
            return self._taken_back()
        except redis.RedisError:
            return False

    def _taken(self) -> dict[str, Any]:
        """What stands where the answer will be, once a worker has taken the call."""
        began, looked_at, nobody = time.monotonic(), 0.0, False
        while not (meta := self._look()):
            waited = time.monotonic() - began
            if waited > self._patience.nobody and waited - looked_at > _ASK_WHO_LIVES_EVERY:
                nobody, looked_at = not self._away_for_a_while(self._somebody_lives), waited
            patient = waited <= self._patience.not_taken and not nobody
            if not patient and self._away_for_a_while(self._taken_back):
                raise NoAnswer(_NOBODY if nobody else self._busy(), may_be_done=False)
            if waited > 2 * self._patience.not_taken:
                raise NoAnswer("an admin worker took the call and did not begin")
            self._rest()
        return meta

    def _look(self) -> dict[str, Any]:
        """What stands where the answer will be; empty while nobody has taken the call."""
        text: Any = self._away_for_a_while(lambda: self._client.get(RESULT_KEY + self.id))
        return json.loads(text) if text else {}

    def _away_for_a_while(self, do: Callable[[], Any]) -> Any:
        """Ask Redis, and ask again while it is away, for as long as there is patience."""
        since = time.monotonic()
        while True:
            try:
                return do()
            except (redis.ConnectionError, redis.TimeoutError) as error:
                if time.monotonic() - since > self._patience.away:
                    raise NoAnswer(
                        f"Redis does not answer any more ({type(error).__name__}), and the call "
                        "was sent"
                    ) from None
                self._rest()

    def _taken_back(self) -> bool:
        """Take the message out of the queue; whether it was still there."""
        messages: Any = self._client.lrange(QUEUE_KEY, 0, -1)
        own = (one for one in messages if self.id.encode() in one)
        return any(self._client.lrem(QUEUE_KEY, 1, one) for one in own)

    def _somebody_lives(self) -> bool:
        return any(QUEUE in one.queues for one in heartbeat.alive(self._client))

    def _busy(self) -> str:
        return (
            f"no admin worker took the call within {self._patience.not_taken:.0f} seconds: they "
            "are busy, or stand still"
        )

    def _rest(self) -> None:
        time.sleep(self._pause)
        self._pause = min(self._pause * 1.5, _LONGEST_PAUSE)


class _Taker:
    """The worker that took a call, by its signs of life."""

    def __init__(self, client: redis.Redis, meta: Mapping[str, Any], patience: float) -> None:
        started = meta.get("result")
        self._name = started.get("hostname") if isinstance(started, dict) else None
        self._client = client
        self._patience = patience
        self._looked_at = 0.0
        self._seen_at: float | None = None

    def is_gone(self) -> bool:
        """Whether it was alive when it took the call, and has not been for some time."""
        now = time.monotonic()
        if now - self._looked_at < _ASK_WHO_LIVES_EVERY:
            return False
        self._looked_at = now
        if any(one.name == self._name for one in heartbeat.alive(self._client)):
            self._seen_at = now
        return self._seen_at is not None and now - self._seen_at > self._patience


_NOBODY = "no admin worker takes calls; start one with: fieldfare admin-worker, or use --local"
