"""The command line as an operator runs it: in processes of their own, watched from outside.

Nothing is imported from the product here. What every process printed is kept, so that all of it can
be searched for what must never be printed, see ``secrecy``.
"""

import gc
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Event
from typing import Any

from celery import Celery

from tests.forks import Forks
from tests.servers.process import spawn

ENDING_SECONDS = 90.0
"""More than a command may take to end: the demo gives its worker 20 s and each server 10 s."""

COMMAND = (sys.executable, "-m", "worker")


def environment(**more: str) -> dict[str, str]:
    """The machine's environment without any setting of ours."""
    bare = {name: value for name, value in os.environ.items() if not name.startswith("FIELDFARE_")}
    # Tables must be as wide here as on everybody's machine.
    return {**bare, "COLUMNS": "200", **more}


def until(
    condition: Callable[[], object], what: str, seconds: float = 60.0, tick: float = 0.05
) -> None:
    """Wait for a condition; it is asked for every ``tick`` seconds."""
    deadline = time.monotonic() + seconds
    pause = Event()
    while not condition():
        assert time.monotonic() < deadline, f"not within {seconds} s: {what}"
        pause.wait(tick)


@contextmanager
def calling(caller: Celery) -> Iterator[Celery]:
    """A program that calls tasks, while Redis is there: answers take their leave of it."""
    with closing(caller):
        yield caller
        gc.collect()


@dataclass(frozen=True, slots=True)
class Printed:
    """What a process printed.

    Attributes:
        arguments: of the command; ``daemon`` for one that stayed.
        out: standard output, where a command answers the operator who asked.
        err: standard error, where it complains, and logs.
    """

    arguments: Sequence[str]
    out: str
    err: str


class Cli:
    """``fieldfare`` with one settings file.

    A command is a fork of a process that has all imports behind it, or runs ``alone``, in an
    interpreter of its own.

    Attributes:
        printed: what every command so far printed.
    """

    def __init__(
        self, forks: Forks, folder: Path, config: Path | None = None, **variables: str
    ) -> None:
        self._forks = forks
        self.folder = folder
        self.config = config
        self.variables = variables
        self.printed: list[Printed] = []
        self.daemons: list[Daemon] = []

    def _named(self, arguments: Sequence[str]) -> list[str]:
        named = ("--config", str(self.config)) if self.config else ()
        return [*named, *arguments]

    def __call__(self, *arguments: str, exit_code: int | None = 0) -> "Said":
        """Run a command to its end; it must end with this exit code, and never in a traceback.

        None stands for any exit code.
        """
        done = self._forks.run(self._named(arguments), self.folder, environment(**self.variables))
        return self._checked(arguments, *done, exit_code)

    def alone(self, *arguments: str, exit_code: int = 0) -> "Said":
        """The same in an interpreter of its own."""
        done = subprocess.run(
            [*COMMAND, *self._named(arguments)],
            cwd=self.folder,
            env=environment(**self.variables),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        return self._checked(arguments, done.returncode, done.stdout, done.stderr, exit_code)

    def _checked(
        self, arguments: Sequence[str], code: int, out: str, err: str, exit_code: int | None
    ) -> "Said":
        self.printed.append(Printed(arguments, out, err))
        assert "Traceback" not in out + err, err
        assert exit_code in {None, code}, out + err
        return Said(out, err)

    def start(self, *arguments: str) -> "Daemon":
        """Start a command that stays, in a session of its own as a terminal gives it one."""
        output = self.folder / f"daemon-{len([*self.folder.glob('daemon-*.log')])}.log"
        daemon = Daemon([*COMMAND, *self._named(arguments)], self.folder, output, self.variables)
        self.daemons.append(daemon)
        return daemon

    def close(self) -> None:
        for daemon in self.daemons:
            daemon.kill()

    def everything(self) -> list[Printed]:
        """All that was printed by all processes."""
        return [*self.printed, *(Printed(("daemon",), "", one.said()) for one in self.daemons)]


class Said:
    """What a command printed."""

    def __init__(self, out: str, err: str) -> None:
        self.out = out
        self.err = err

    @property
    def json(self) -> Any:
        return json.loads(self.out)


class Daemon:
    """A command that stays until it is told to stop, or the test run is gone."""

    def __init__(
        self, command: Sequence[str], folder: Path, output: Path, variables: Mapping[str, str]
    ) -> None:
        self._output = output
        with output.open("wb") as log:
            self.process = spawn(
                command,
                cwd=folder,
                env=environment(**variables),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def said(self) -> str:
        return self._output.read_text(errors="replace")

    def lines(self, event: str) -> list[dict[str, Any]]:
        """The JSON lines of an event in what it logged."""
        logged = [line for line in self.said().splitlines() if line.startswith("{")]
        return [line for line in map(json.loads, logged) if line.get("event") == event]

    def until(self, text: str) -> None:
        """Wait until it has printed something."""

        def printed() -> bool:
            assert self.process.poll() is None or text in self.said(), self.said()
            return text in self.said()

        until(printed, text)

    def interrupt(self) -> None:
        """Ctrl-C: the terminal sends it to the whole process group."""
        os.killpg(self.process.pid, signal.SIGINT)

    def terminate(self) -> None:
        self.process.send_signal(signal.SIGTERM)

    def ended(self, seconds: float = ENDING_SECONDS) -> int:
        """Wait for its end; returns its exit code."""
        return self.process.wait(seconds)

    def descendants(self) -> list[int]:
        """Its process id and those of everything that it started."""
        return descendants(self.process.pid)

    def kill(self) -> None:
        """SIGKILL to it and all that it started, at once: nobody cleans anything up."""
        for pid in self.descendants() if self.process.poll() is None else ():
            os.kill(pid, signal.SIGKILL)
        self.process.wait(10)


def descendants(root: int) -> list[int]:
    """A process and everything below it, whatever sessions they made for themselves."""
    parents: dict[int, list[int]] = {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            status = (folder / "stat").read_text()
        except OSError:
            continue  # it has just ended
        parent = int(status.rpartition(")")[2].split()[1])
        parents.setdefault(parent, []).append(int(folder.name))
    found = [root]
    for pid in found:
        found += parents.get(pid, [])
    return found


def running(pid: int) -> bool:
    """Whether a process is there and not merely waited for."""
    try:
        return (Path("/proc") / str(pid) / "stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
