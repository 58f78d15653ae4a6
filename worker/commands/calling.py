"""How does a command ask for something? It calls an admin worker, and waits within bounds.

The call is a message in Redis that expires; it is looked after with a client that would rather hear
that Redis is away than wait. A call that nobody took is taken back out of the queue, so that it is
certain that nothing was done. One that was taken may be done, whatever becomes of this command.
"""

import getpass
import json
import os
import socket
import time
from collections.abc import Mapping
from contextlib import closing
from typing import TYPE_CHECKING, Annotated, Any
from uuid import uuid4

import redis
import typer

from worker.commands.answering import Exit, answering, complain
from worker.settings import load

if TYPE_CHECKING:
    from worker.settings import Settings

Local = Annotated[
    bool, typer.Option("--local", help="Act in this process, without an admin worker.")
]

NOT_TAKEN_SECONDS = 30.0
"""A call that nobody took by then is taken back."""

NOBODY_SECONDS = 3.0
"""The same where no admin worker says that it is alive."""

AWAY_SECONDS = 10.0
"""So long may Redis be away while a call is at work; its answer lies there then."""

_FIRST_PAUSE, _LONGEST_PAUSE = 0.01, 0.25
_ASK_WHO_LIVES_EVERY = 1.0

EXITS: Mapping[str, Exit] = {
    "wrong_arguments": Exit.USAGE,
    "wrong_criteria": Exit.USAGE,
    "unknown_source": Exit.USAGE,
    "unknown_field": Exit.USAGE,
    "misconfigured": Exit.USAGE,
    "unavailable": Exit.UNAVAILABLE,
    "failed": Exit.UNAVAILABLE,
}
"""The exit code of each error; of what is against a rule, it is 1: the answer is no."""

_MAY_BE_DONE = "it may have been done; look before you ask again"


def call(
    name: str, arguments: Mapping[str, Any], *, local: bool = False, as_json: bool = False
) -> dict[str, Any]:
    """What is told by a call, by an admin worker's or, if ``local``, by one in this process.

    Warnings are printed to standard error. Where the answer is an error, it is printed, and the
    command ends with the exit code that fits.

    Args:
        name: one of ``worker.calls.CALLS``.
        arguments: by name; those that are None are left out, so that defaults stand in for them.
        local: do it here.
        as_json: print an error as JSON to standard output, too.

    Raises:
        typer.Exit: with an error; with what it means.
    """
    given = {key: value for key, value in arguments.items() if value is not None}
    with answering():
        settings = load()
        told = _performed(name, given, settings) if local else _called(name, given, settings)
    for warning in told.get("warnings", ()):
        complain(warning)
    if error := told.get("error"):
        if as_json:
            from worker import render  # noqa: PLC0415

            render.print_json(told)
        complain(refusal(told))
        raise typer.Exit(EXITS.get(error, Exit.NO))
    return told


def refusal(told: Mapping[str, Any]) -> str:
    """An error in one line: its message, with the field and the source that it does not name."""
    message = str(told["message"])
    places = [
        f"{what} {told[what]}"
        for what in ("field", "source")
        if told.get(what) and told[what] not in message
    ]
    return f"{message} ({', '.join(places)})" if places else message


def requested_by() -> str:
    """Who asks: ``user@host``."""
    try:
        user = getpass.getuser()
    except (KeyError, OSError):  # a user without a name, as containers have them
        user = str(os.getuid())
    return f"{user}@{socket.gethostname()}"


def _performed(name: str, arguments: Mapping[str, Any], settings: "Settings") -> dict[str, Any]:
    from worker import bootstrap  # noqa: PLC0415 - heavy imports only where needed
    from worker.calls import perform  # noqa: PLC0415

    services = bootstrap.build(settings)
    try:
        return perform(name, arguments, requested_by(), services)
    finally:
        services.close()


def _called(name: str, arguments: Mapping[str, Any], settings: "Settings") -> dict[str, Any]:
    from worker.broker import impatient, redis_url  # noqa: PLC0415

    url = redis_url(settings.redis)
    with closing(impatient(url, "fieldfare-command")) as client:
        client.ping()  # kombu would wait longer to hear that nobody is there
        calling = _Calling(client, name, settings)
        try:
            calling.send(url, {**arguments, "requested_by": requested_by()})
            return calling.wait()
        except KeyboardInterrupt:
            raise calling.interrupted() from None


class _Calling:
    """One call, from when it is sent until it is answered or taken back."""

    def __init__(self, client: redis.Redis, name: str, settings: "Settings") -> None:
        from worker.broker import KEY_PREFIX  # noqa: PLC0415

        self._client = client
        self._name = name
        self._settings = settings
        self._id = str(uuid4())
        self._result = f"{KEY_PREFIX}celery-task-meta-{self._id}"

    def send(self, url: str, arguments: Mapping[str, Any]) -> None:
        """Put the message into the queue."""
        from kombu.exceptions import OperationalError  # noqa: PLC0415

        from worker import admin  # noqa: PLC0415

        sender = admin.sender(url)
        try:
            with closing(sender), sender.connection_for_write() as connection:
                sender.send_task(
                    self._name,
                    kwargs=arguments,
                    task_id=self._id,
                    queue=admin.QUEUE,
                    declare=[],  # workers declare it
                    expires=NOT_TAKEN_SECONDS,
                    connection=connection,
                    retry=False,
                    argsrepr="",
                    kwargsrepr="",
                )
        except OperationalError as error:
            raise redis.ConnectionError(type(error.__cause__ or error).__name__) from None

    def wait(self) -> dict[str, Any]:
        """The answer; ends the command where there is none."""
        began, pause, asked_at = time.monotonic(), _FIRST_PAUSE, 0.0
        taken_at: float | None = None
        nobody = False
        while True:
            meta = self._look(since=began)
            now = time.monotonic()
            if meta.get("status") == "STARTED":
                taken_at = taken_at or now
            elif meta:
                return self._answer(meta)
            if taken_at is not None:
                if now - taken_at > self._most_seconds():
                    raise _ending(
                        f"an admin worker took the call and did not answer; {_MAY_BE_DONE}"
                    )
            else:
                waited = now - began
                if waited > NOBODY_SECONDS and now - asked_at > _ASK_WHO_LIVES_EVERY:
                    nobody, asked_at = not self._somebody_lives(), now
                if (nobody or waited > NOT_TAKEN_SECONDS) and self._taken_back():
                    raise _ending(_NOBODY if nobody else _BUSY)
                if waited > 2 * NOT_TAKEN_SECONDS:
                    raise _ending(
                        f"an admin worker took the call and did not begin; {_MAY_BE_DONE}"
                    )
            time.sleep(pause)
            pause = min(pause * 1.5, _LONGEST_PAUSE)

    def interrupted(self) -> typer.Exit:
        """Say what became of the call, as far as it is known; what ends the command."""
        try:
            taken_back = self._taken_back()
        except redis.RedisError:
            taken_back = False
        complain(
            "interrupted; the call was taken back, and nothing was done"
            if taken_back
            else f"interrupted, and an admin worker may have taken the call; {_MAY_BE_DONE}"
        )
        return typer.Exit(Exit.INTERRUPTED)

    def _look(self, *, since: float) -> dict[str, Any]:
        """What stands where the answer will be; empty while nobody has taken the call."""
        away_since: float | None = None
        while True:
            try:
                text: Any = self._client.get(self._result)
            except redis.RedisError as error:
                away_since = away_since or time.monotonic()
                if time.monotonic() - max(away_since, since) > AWAY_SECONDS:
                    raise _ending(
                        f"Redis does not answer any more ({type(error).__name__}), and the call "
                        f"was sent; {_MAY_BE_DONE}"
                    ) from None
                time.sleep(_LONGEST_PAUSE)
                continue
            return json.loads(text) if text else {}

    def _answer(self, meta: Mapping[str, Any]) -> dict[str, Any]:
        # It may hold a password that is told this once.
        self._client.delete(self._result)
        if meta["status"] == "SUCCESS" and isinstance(meta["result"], dict):
            return meta["result"]
        failed = f"the admin worker failed ({meta['status']}); its log says why; {_MAY_BE_DONE}"
        raise _ending(_BUSY if meta["status"] == "REVOKED" else failed)

    def _taken_back(self) -> bool:
        """Take the message out of the queue; whether it was still there."""
        from worker.admin import QUEUE  # noqa: PLC0415
        from worker.broker import KEY_PREFIX  # noqa: PLC0415

        queue = f"{KEY_PREFIX}{QUEUE}"
        messages: Any = self._client.lrange(queue, 0, -1)
        own = (one for one in messages if self._id.encode() in one)
        return any(self._client.lrem(queue, 1, one) for one in own)

    def _somebody_lives(self) -> bool:
        from worker import heartbeat  # noqa: PLC0415
        from worker.admin import QUEUE  # noqa: PLC0415

        return any(QUEUE in one.queue.split(",") for one in heartbeat.alive(self._client))

    def _most_seconds(self) -> float:
        """More than a worker lets a task take."""
        from worker import admin, broker  # noqa: PLC0415

        url = broker.redis_url(self._settings.redis)
        return float(admin.configure(url, admin.lookup_seconds(self._settings))["task_time_limit"])


_NOBODY = (
    "no admin worker takes calls; start one with: fieldfare admin-worker, or use --local. "
    "The call was taken back, and nothing was done"
)
_BUSY = (
    f"no admin worker took the call within {NOT_TAKEN_SECONDS:.0f} seconds: they are busy, or "
    "stand still. The call was taken back, and nothing was done"
)


def _ending(message: str) -> typer.Exit:
    """Say why there is no answer; the exception that ends the command."""
    complain(message)
    return typer.Exit(Exit.UNAVAILABLE)
