"""How are workers started, watched and stopped while they are measured?"""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from threading import Event

ROOT = Path(__file__).parents[1]
PATIENCE = 300.0
TICK = 0.005
_CLOCK_TICKS = os.sysconf("SC_CLK_TCK")


class Stuck(Exception):
    """What was waited for did not happen; the message has the end of the worker's log."""


class Process:
    """A Python module that runs until it is told to stop."""

    def __init__(self, process: subprocess.Popen[bytes], log: Path) -> None:
        self.pid = process.pid
        self._process = process
        self._log = log

    def until(
        self,
        condition: Callable[[], object],
        what: str,
        tick: float = TICK,
        patience: float = PATIENCE,
    ) -> float:
        """Wait for a condition; returns when it held, by ``time.perf_counter``.

        Args:
            condition: asked every ``tick`` seconds.
            what: what is waited for, for people.
            tick: seconds.
            patience: seconds after which it is given up.

        Raises:
            Stuck: it did not hold in time, or the process has ended.
        """
        deadline = time.perf_counter() + patience
        pause = Event()
        while not condition():
            if self._process.poll() is not None or time.perf_counter() > deadline:
                tail = "\n".join(self._log.read_text(errors="replace").splitlines()[-20:])
                raise Stuck(f"waited for {what}\n{tail}")
            pause.wait(tick)
        return time.perf_counter()

    def family(self) -> list[int]:
        """The process and all that descend from it."""
        return family(self.pid)


@contextmanager
def running(arguments: Sequence[str], log: Path, **variables: str) -> Iterator[Process]:
    """Run a Python module in a process group of its own, and stop it at the end."""
    bare = {name: value for name, value in os.environ.items() if not name.startswith("FIELDFARE_")}
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", *arguments],
            cwd=ROOT,
            env={**bare, **variables},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        yield Process(process, log)
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(60)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def family(pid: int) -> list[int]:
    """A process and all that descend from it."""
    found = [pid]
    for parent in found:
        for task in Path(f"/proc/{parent}/task").glob("*/children"):
            found += [int(child) for child in task.read_text().split()]
    return found


def cpu_seconds(pids: Sequence[int]) -> float:
    """User and system time of processes, that of their children which have ended included."""
    total = 0
    for pid in pids:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        total += sum(int(field) for field in fields[11:15])
    return total / _CLOCK_TICKS


def resident_bytes(pids: Sequence[int]) -> int:
    """Memory that processes hold, pages that they share counted in shares (PSS)."""
    total = 0
    for pid in pids:
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                total += int(line.split()[1]) * 1024
    return total
