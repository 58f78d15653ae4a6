"""A command on a terminal of its own, where somebody reads what it asks and types answers."""

import os
import pty
import select
import signal
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

SECONDS = 60.0
"""How long anything may take."""


class Terminal:
    """A running command, and what it has shown so far.

    Args:
        command: the program and its arguments.
        folder: where it runs.
        environment: of the command.
    """

    def __init__(
        self, command: Sequence[str], folder: Path, environment: Mapping[str, str]
    ) -> None:
        self.shown = ""
        self._read_up_to = 0
        self.pid, self._master = pty.fork()
        if self.pid == 0:
            os.chdir(folder)
            os.execve(command[0], list(command), dict(environment))

    def until(self, text: str) -> None:
        """Wait until it shows something, behind what was waited for before."""
        deadline = time.monotonic() + SECONDS
        while (found := self.shown.find(text, self._read_up_to)) < 0:
            assert self._more(deadline), f"it ended without {text!r}:\n{self.shown}"
        self._read_up_to = found + len(text)

    def type(self, text: str) -> None:
        """Type something; a line ends with Enter."""
        os.write(self._master, text.encode())

    def ended(self) -> int:
        """Wait for its end; returns its exit code."""
        deadline = time.monotonic() + SECONDS
        while self._more(deadline):
            pass
        _, status = os.waitpid(self.pid, 0)
        self.pid = 0
        return os.waitstatus_to_exitcode(status)

    def close(self) -> None:
        """Kill it, if it still runs."""
        if self.pid:
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)
            self.pid = 0
        os.close(self._master)

    def _more(self, deadline: float) -> bool:
        """Read what it shows next; whether there was anything before its end."""
        ready, _, _ = select.select([self._master], [], [], max(0.0, deadline - time.monotonic()))
        assert ready, f"nothing happens any more:\n{self.shown}"
        try:
            read = os.read(self._master, 65536)
        except OSError:  # so Linux says that the other end was closed
            return False
        self.shown += read.decode(errors="replace")
        return bool(read)
