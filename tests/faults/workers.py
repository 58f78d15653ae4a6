"""Real workers in processes of their own: started, killed, frozen, stopped, and waited for.

    config = settings(folder, system.url, redis.url, {"CustomerUser": people.sql_source()})
    with Workers(config, folder) as workers:
        one = workers.start(children=2)   # fieldfare worker, with beat; its process has begun
        workers.until(lambda: one.ready, "it works")
        one.kill()                        # SIGKILL to it, its children and beat
        one.freeze(); one.thaw()          # SIGSTOP, SIGCONT to all of them
        one.terminate(); one.ended()      # SIGTERM; waits, gives the exit code
        holders(inbox)                    # processes that hold events just now, by consumer name
        workers.holding(inbox)            # the workers that they belong to
        workers.left(inbox, 500)          # returns when so few events are left
        workers.rest(inbox)               # returns when nothing is left to do
    # whatever still runs is killed

Signals go to process ids that are known, never to names. Waiting is for conditions; it gives up
where nothing moves for ``PATIENCE`` seconds. A worker that ended by itself fails the test at
once, with the end of its log.

The sweep is off in these settings, or it would find again what is lost; a fault that is about the
sweep sets ``sweep={"every": 1}``.
"""

import os
import signal
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from threading import Event
from types import TracebackType
from typing import Any, Self

import redis

from tests.acceptance.processes import COMMAND, Daemon, descendants, running
from tests.faults.checker import leftovers
from tests.faults.people import MAPPING, SCREENS
from tests.inbox_stats import stats
from worker import toml
from worker.inbox import EVENTS, Inbox

PATIENCE = 120.0
"""Seconds that nothing here takes, unless something hangs."""

NEVER = 7 * 24 * 3600


def settings(
    folder: Path,
    ticket_url: str,
    redis_url: str,
    sources: Mapping[str, Any],
    mapping: Mapping[str, str] = MAPPING,
    **sections: Mapping[str, Any],
) -> Path:
    """Write a settings file; ``sections`` are merged into what is set here."""
    tree: dict[str, Any] = {
        "tickets": {"url": ticket_url},
        "redis": {"url": redis_url},
        "sources": sources,
        "mapping": {"variables": mapping},
        "precedence": {"screens": SCREENS},
        # Small batches are many moments at which something can happen.
        "inbox": {"batch": 50, "claim_seconds": 2, "renew_seconds": 0.5},
        "sweep": {"every": NEVER},
        "health": {"directory": str(folder)},
    }
    for name, section in sections.items():
        tree[name] = {**tree.get(name, {}), **section}
    path = folder / "fieldfare.toml"
    path.write_text(toml.dumps(tree))
    path.chmod(0o600)
    return path


class Worker:
    """One ``fieldfare worker``: its process, its children, and beat."""

    def __init__(self, config: Path, folder: Path, log: Path, children: int) -> None:
        command = [*COMMAND, "--config", str(config), "worker", "--concurrency", str(children)]
        self._daemon = Daemon(command, folder, log, {})
        self._children = children
        self.stopped = False

    @property
    def pid(self) -> int:
        return self._daemon.process.pid

    @property
    def runs(self) -> bool:
        return self._daemon.process.poll() is None

    @property
    def ready(self) -> bool:
        """Whether all its processes have begun: its own, its children, and beat."""
        return len(self.family()) >= self._children + 2

    def family(self) -> list[int]:
        """The ids of all its processes, its own first."""
        return descendants(self.pid) if self.runs else []

    def said(self) -> str:
        """All that it has printed."""
        return self._daemon.said()

    def lines(self, event: str) -> list[dict[str, Any]]:
        """The lines of one event in its log."""
        return self._daemon.lines(event)

    def kill(self) -> None:
        """SIGKILL to all of it at once."""
        self.stopped = True
        self._daemon.kill()

    def freeze(self) -> None:
        """SIGSTOP to all of it: nothing is renewed any more."""
        for pid in self.family():
            os.kill(pid, signal.SIGSTOP)

    def thaw(self) -> None:
        """SIGCONT."""
        for pid in self.family():
            os.kill(pid, signal.SIGCONT)

    def terminate(self) -> None:
        """SIGTERM to its own process, as systemd and Docker do."""
        self.stopped = True
        self._daemon.terminate()

    def ended(self, seconds: float = PATIENCE) -> int:
        """Wait for its end; returns its exit code.

        Raises:
            subprocess.TimeoutExpired: it still runs.
        """
        return self._daemon.ended(seconds)


class Workers:
    """All workers of a test; they share one settings file, and none outlives the test."""

    def __init__(self, config: Path, folder: Path) -> None:
        self.config = config
        self._folder = folder
        self.all: list[Worker] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for worker in self.all:
            worker.kill()

    @property
    def running(self) -> list[Worker]:
        return [worker for worker in self.all if worker.runs]

    def start(self, children: int = 2) -> Worker:
        """Begin to start a worker; returns at once."""
        log = self._folder / f"worker-{len(self.all)}.log"
        self.all.append(Worker(self.config, self._folder, log, children))
        return self.all[-1]

    def until(
        self,
        condition: Callable[[], object],
        what: str,
        *,
        seconds: float = PATIENCE,
        progress: Callable[[], object] = lambda: None,
    ) -> None:
        """Wait for a condition while the workers work; Redis may be away meanwhile.

        Args:
            condition: called again and again.
            what: is waited for, for the message.
            seconds: to wait at most since ``progress`` last gave something new.
            progress: by default there is none to be seen.
        """
        pause = Event()
        last, deadline = progress(), time.monotonic() + seconds
        while True:
            try:
                if condition():
                    return
                if (now := progress()) != last:
                    last, deadline = now, time.monotonic() + seconds
            except (redis.ConnectionError, redis.TimeoutError):
                pass  # it is being restarted, which is what such a test is about
            for worker in self.all:
                assert worker.runs or worker.stopped, f"ended by itself:\n{worker.said()[-4000:]}"
            assert time.monotonic() < deadline, f"not within {seconds} s: {what}{self._tails()}"
            pause.wait(0.02)

    def left(self, inbox: Inbox, length: int) -> None:
        """Wait until no more than so many entries are left in the inbox."""

        def now() -> int:
            return int(inbox.client.xlen(EVENTS))

        self.until(lambda: now() <= length, f"{length} entries are left", progress=now)

    def rest(self, inbox: Inbox) -> None:
        """Wait until nothing is left to do: no entry in the inbox, in a hand, or waiting.

        Dead letters are no work; the test looks at them.
        """

        def todo() -> Mapping[str, object]:
            return {name: what for name, what in leftovers(inbox).items() if name != "dead"}

        self.until(lambda: not todo(), "nothing is left to do", progress=todo)

    def holding(self, inbox: Inbox) -> list[Worker]:
        """The workers of which a process holds events just now."""
        pids = set(holders(inbox))
        return [worker for worker in self.running if pids.intersection(worker.family())]

    def said(self) -> str:
        """All that all of them have printed."""
        return "\n".join(worker.said() for worker in self.all)

    def _tails(self) -> str:
        return "".join(f"\n--- {worker.pid}\n{worker.said()[-2000:]}" for worker in self.running)


def holders(inbox: Inbox) -> list[int]:
    """The process ids of those who hold events just now; a consumer's name tells its process."""
    pids = (int(name.split("-")[-2]) for name in stats(inbox).pending)
    return sorted(pid for pid in pids if running(pid))
