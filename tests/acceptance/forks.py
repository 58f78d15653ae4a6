"""How a test has a command run by the template, in a process of its own without imports."""

import json
import os
import select
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

TEMPLATE = Path(__file__).with_name("template.py")


class Done(NamedTuple):
    """How a command ended, and what it printed."""

    code: int
    out: str
    err: str


class Template:
    """A process that is started by the first command; a command that hangs ends it.

    It stands in a session of its own, and ends when its standard input does: with the test run.
    """

    def __init__(self, folder: Path, environment: Mapping[str, str]) -> None:
        self._out, self._err = folder / "out", folder / "err"
        self._environment = environment
        self._process: subprocess.Popen[bytes] | None = None

    def run(
        self,
        arguments: Sequence[str],
        folder: Path,
        environment: Mapping[str, str],
        seconds: float = 120.0,
    ) -> Done:
        """Run a command to its end.

        Raises:
            AssertionError: it has not ended in time; it was killed.
        """
        process = self._started()
        assert process.stdin
        assert process.stdout
        command = {
            "arguments": arguments,
            "folder": str(folder),
            "environment": environment,
            "out": str(self._out),
            "err": str(self._err),
        }
        self._out.touch()
        self._err.touch()
        try:
            process.stdin.write(json.dumps(command).encode() + b"\n")
            assert select.select([process.stdout], [], [], seconds)[0], f"hangs: {arguments}"
            answer = process.stdout.readline()
            assert answer, "the template has ended; standard error says why"
        except BaseException:
            self.kill()
            raise
        return Done(int(answer), self._out.read_text(), self._err.read_text())

    def _started(self) -> "subprocess.Popen[bytes]":
        if self._process is None:
            self._process = subprocess.Popen(
                [sys.executable, str(TEMPLATE)],
                env=self._environment,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                bufsize=0,
                start_new_session=True,
            )
        return self._process

    def kill(self) -> None:
        """SIGKILL to it and to the command that it runs."""
        if self._process is not None:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._forget(self._process)

    def close(self) -> None:
        """Let it end."""
        if self._process is not None:
            assert self._process.stdin
            self._process.stdin.close()
            self._forget(self._process)

    def _forget(self, process: "subprocess.Popen[bytes]") -> None:
        with process:
            process.wait(20)
        self._process = None
