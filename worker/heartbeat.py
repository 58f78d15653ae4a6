"""Who is at work? Every worker and every scheduler says so every ten seconds.

A thread of the main process renews a key in Redis, for those who ask from elsewhere, and touches
a file, for those beside it (``worker.health``). It falls silent when the process is gone, or when
its loop does not move though Redis answers: such a worker takes no message and has to be started
again. While Redis is away a loop may well stand still, waiting; that is no illness.
"""

import encodings.idna  # noqa: F401 - see below
import json
import os
import socket
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any, Literal

import redis
import structlog
from celery import Celery, bootsteps
from celery.beat import Scheduler

from worker import health, watchdog
from worker.broker import impatient, redis_url
from worker.fingerprints import fingerprints
from worker.settings import load

# A host's name is encoded with ``idna`` when it is first connected to. A child that is forked while
# this thread imports that codec could never look up a host again, so it is imported beforehand.

PREFIX = "fieldfare:worker:"
NAMES = "fieldfare:workers"

EVERY = 10.0
"""Seconds between two beats."""

EXPIRES = 30
"""Seconds after which a process that does not beat any more is not alive."""

_LOOP_EVERY = 5.0
_FORGET_NAMES = 3600.0

_NO_FILE = "heartbeat.no_file"
_NO_WATCHDOG = "heartbeat.no_watchdog"
_NOT_TOLD = "heartbeat.not_told"
_STANDS_STILL = "heartbeat.stands_still"

Role = Literal["worker", "beat"]

log = structlog.get_logger("fieldfare")


@dataclass(frozen=True, slots=True)
class Alive:
    """A process that is at work.

    Attributes:
        name: unique among all machines.
        queue: what it serves; of a worker that serves several, with commas between them.
        concurrency: its child processes; 0 for a scheduler.
        version: of Fieldfare.
        started: seconds since 1970.
        settings: a fingerprint of each section of its settings; none of an older version.
    """

    name: str
    role: Role
    queue: str
    host: str
    pid: int
    concurrency: int
    version: str
    started: float
    settings: Mapping[str, str] = field(default_factory=dict)

    @property
    def queues(self) -> Sequence[str]:
        """What it serves, one by one."""
        return self.queue.split(",")


def this_process(role: Role, queue: str, concurrency: int = 0, name: str = "") -> Alive:
    """This process, as it tells of itself from now on."""
    host, pid = socket.gethostname(), os.getpid()
    return Alive(
        name=name or f"{role}-{pid}@{host}",
        role=role,
        queue=queue,
        host=host,
        pid=pid,
        concurrency=concurrency,
        version=version("fieldfare"),
        started=time.time(),
    )


def alive(client: redis.Redis) -> list[Alive]:
    """Everyone at work on all machines, by name.

    Raises:
        redis.RedisError: Redis does not answer.
    """
    names: Any = client.zrange(NAMES, 0, -1)
    return alive_among(client, names)


def alive_among(client: redis.Redis, names: Sequence[bytes | str]) -> list[Alive]:
    """Those at work among these, by name; asks nobody where there are none.

    Raises:
        redis.RedisError: Redis does not answer.
    """
    if not names:
        return []
    texts: Any = client.mget([PREFIX + _text(name) for name in names])
    found = [Alive(**json.loads(text)) for text in texts if text is not None]
    return sorted(found, key=lambda one: one.name)


def connect(url: str) -> redis.Redis:
    """A client for beating: what cannot be told now is told with the next beat."""
    return impatient(url, "fieldfare-heartbeat", seconds=3)


class Heartbeat:
    """The heartbeat of this process, from ``start`` to ``stop``.

    Args:
        who: what it tells of itself.
        client: see ``connect``.
        folder: where its file is to be.
        patience: seconds that its loop may stand still while Redis answers.
        clock: seconds, for what stands still.
    """

    def __init__(
        self,
        who: Alive,
        client: redis.Redis,
        folder: Path,
        patience: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._who = who
        self._client = client
        self._folder = folder
        self._file = f"{who.role}-{who.pid}"
        self._patience = patience
        self._clock = clock
        self._moved: float | None = None
        self._answers_since: float | None = None
        self._troubles: dict[str, str] = {}
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="fieldfare-heartbeat", daemon=True)

    def start(self) -> None:
        """Beat from now on."""
        self._thread.start()

    def stop(self) -> None:
        """Beat no more, and take away what says that this process is alive."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join()
        self._try(_NO_FILE, OSError, lambda: health.remove(self._folder, self._file))
        if self._answers_since is not None:  # else the end would wait for it once more
            self._try(_NOT_TOLD, redis.RedisError, self._forget)
        self._client.close()

    def moved(self) -> None:
        """The loop of this process has come round; who never calls this is not watched."""
        self._moved = self._clock()

    def beat(self) -> bool:
        """Say once that this process is alive; returns whether it is."""
        stands = self._stands()
        self._note(_STANDS_STILL, "its loop does not come round any more" if stands else "")
        if not stands:
            self._try(_NO_FILE, OSError, lambda: health.touch(self._folder, self._file))
            self._try(_NO_WATCHDOG, OSError, watchdog.alive)
        ask = self._client.ping if stands else self._tell
        answered = self._try(_NOT_TOLD, redis.RedisError, ask)
        if not answered:
            self._answers_since = None
        elif self._answers_since is None:
            self._answers_since = self._clock()
        return not stands

    def _run(self) -> None:
        self._try(_NO_FILE, OSError, lambda: health.clear_leftovers(self._folder))
        self.beat()
        while not self._stopping.wait(EVERY):
            self.beat()

    def _stands(self) -> bool:
        """Whether the loop has not moved for long, though Redis answered all the time."""
        if self._moved is None or self._answers_since is None:
            return False
        return self._clock() - max(self._moved, self._answers_since) > self._patience

    def _tell(self) -> None:
        now = time.time()
        pipeline = self._client.pipeline(transaction=False)
        pipeline.set(PREFIX + self._who.name, json.dumps(asdict(self._who)), ex=EXPIRES)
        pipeline.zadd(NAMES, {self._who.name: now})
        pipeline.zremrangebyscore(NAMES, 0, now - _FORGET_NAMES)
        pipeline.execute()

    def _forget(self) -> None:
        pipeline = self._client.pipeline(transaction=False)
        pipeline.delete(PREFIX + self._who.name)
        pipeline.zrem(NAMES, self._who.name)
        pipeline.execute()

    def _try(self, event: str, errors: type[Exception], act: Callable[[], object]) -> bool:
        try:
            act()
        except errors as error:
            named = isinstance(error, OSError) and error.filename is not None
            self._note(event, str(error) if named else type(error).__name__)
            return False
        self._note(event, "")
        return True

    def _note(self, event: str, trouble: str) -> None:
        """Log a trouble when it begins or becomes another."""
        if trouble and self._troubles.get(event) != trouble:
            log.warning(event, reason=trouble, name=self._who.name)
        self._troubles[event] = trouble


Make = Callable[[Alive, float], Heartbeat]
"""Makes the heartbeat of this process, from what it tells of itself and its loop's patience."""


def as_set(who: Alive, patience: float) -> Heartbeat:
    """The heartbeat of a process, where the settings say.

    Raises:
        SettingsError: the settings cannot be used.
    """
    settings = load()
    client = connect(redis_url(settings.redis))
    who = replace(who, settings=fingerprints(settings))
    return Heartbeat(who, client, health.directory(settings.health), patience)


def attach(application: Celery, make: Make = as_set) -> None:
    """Have each worker and each scheduler of an application keep a heartbeat.

    Reads no configuration. Also those that Celery's own command line starts have it.
    """

    def made(role: Role, queue: str, concurrency: int = 0, name: str = "") -> Heartbeat:
        # A task may take so long, and with the pool "solo" it holds the loop up.
        patience = application.conf.task_time_limit + 60.0
        return make(this_process(role, queue, concurrency, name), patience)

    class WorkerHeartbeat(bootsteps.StartStopStep):  # type: ignore[misc]  # Celery has no types
        """Beats from before the first connection until the last batch is finished."""

        requires = ("celery.worker.components:Pool",)  # its thread begins after the first fork

        def create(self, worker: Any) -> Heartbeat:
            queue = ",".join(sorted(application.amqp.queues.consume_from))
            return made("worker", queue, worker.concurrency, worker.hostname)

        def register_with_event_loop(self, _worker: Any, hub: Any) -> None:
            # Celery calls this with each new connection, and forgets its timers with the old one.
            hub.timer.call_repeatedly(_LOOP_EVERY, self.obj.moved)

    class BeatingScheduler(Scheduler):  # type: ignore[misc]  # Celery has no types
        """Celery's scheduler, which keeps no file, with a heartbeat."""

        heartbeat: Heartbeat | None = None

        def setup_schedule(self) -> None:
            """Celery calls this in the process that is going to tick."""
            super().setup_schedule()
            self.heartbeat = made("beat", application.conf.task_default_queue)
            self.heartbeat.start()

        def tick(self, *args: Any, **options: Any) -> Any:
            """Send what is due."""
            if self.heartbeat is not None:
                self.heartbeat.moved()
            return super().tick(*args, **options)

        def adjust(self, n: Any, drift: float = 0.0) -> Any:
            """Wake up when something is due. Celery does 10 ms early, and spins until it is."""
            return super().adjust(n, drift)

        def close(self) -> None:
            """Celery calls this at the end, whatever ended it."""
            super().close()
            if self.heartbeat is not None:
                self.heartbeat.stop()
                self.heartbeat = None

    application.steps["worker"].add(WorkerHeartbeat)
    application.conf.beat_scheduler = BeatingScheduler


def _text(name: bytes | str) -> str:
    return name.decode() if isinstance(name, bytes) else name
