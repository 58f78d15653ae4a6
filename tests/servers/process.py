"""How a server process is started, waited for, frozen, killed and stopped.

A server keeps its port and its directory from the first start until ``close``, so stopping and
starting it looks to its clients like an outage. It never outlives the test run: the kernel kills
it when the run dies (PR_SET_PDEATHSIG). It stands in a session of its own, so Ctrl-C reaches the
tests, not the servers.
"""

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import TracebackType
from typing import Any, Self

START_SECONDS = 60.0
STOP_SECONDS = 20.0
POLL_SECONDS = 0.02

MEMORY = Path("/dev/shm")
MEMORY_NEEDED = 2 * 1024**3

# PR_SET_PDEATHSIG fires when the *thread* that started a process ends. One thread that lives as
# long as the interpreter starts them all, so a test may start a server from any thread.
_STARTER = ThreadPoolExecutor(1, "server-starter")


class MissingServer(Exception):
    """A server program is not installed; the message names Debian's package."""


class ServerFailed(Exception):
    """A server did not start, or ended by itself; the message has the end of its log."""


def find_program(name: str, package: str, *folders: Path) -> str:
    """The path of a program, looked for on PATH, in the sbin folders, then in ``folders``.

    Raises:
        MissingServer: it is in none of them.
    """
    path = [os.environ.get("PATH", os.defpath), "/usr/sbin", "/usr/local/sbin", *map(str, folders)]
    program = shutil.which(name, path=os.pathsep.join(path))
    if program is None:
        msg = (
            f"the tests need {name}, which is not installed. Debian's package is {package}:\n"
            f"    apt-get install --no-install-recommends {package}"
        )
        raise MissingServer(msg)
    return program


def memory() -> Path | None:
    """A folder that is kept in memory and has room for several database servers, if there is one.

    A disk lets them wait for every table that is created: a second for each test on MariaDB.
    """
    try:
        room = shutil.disk_usage(MEMORY).free
    except OSError:
        return None
    return MEMORY if room >= MEMORY_NEEDED and os.access(MEMORY, os.W_OK) else None


def reserve_port() -> socket.socket:
    """A bound socket that keeps a free loopback port for a server, also while it is stopped.

    It does not listen. Servers set SO_REUSEADDR and so may bind the port beside it; bind(0),
    other test runs and outgoing connections are never given it. Without that, a client that
    connects again and again to a stopped server can end up connected to itself.
    """
    reserved = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    reserved.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    reserved.bind(("127.0.0.1", 0))
    return reserved


def spawn(command: Sequence[str], **options: Any) -> "subprocess.Popen[bytes]":
    """``subprocess.Popen`` for a command that the kernel kills when the test run dies.

    A worker's children end by themselves when it is gone.
    """
    return _STARTER.submit(
        subprocess.Popen, ["setpriv", "--pdeathsig", "KILL", "--", *command], **options
    ).result()


class Server:
    """One server process in a directory of its own, with one or more reserved ports.

    Subclasses say how it is started (``command``) and how one sees that it serves (``answers``).
    The directory is made in ``folder``, else where temporary files are.
    """

    name = "server"
    stop_signal = signal.SIGTERM

    def __init__(
        self, *, ports: int = 1, user: str | None = None, folder: Path | None = None
    ) -> None:
        self.directory = Path(tempfile.mkdtemp(prefix=f"{self.name}-", dir=folder))
        self.user = user
        if user is not None:
            shutil.chown(self.directory, user)
        self._reserved = [reserve_port() for _ in range(ports)]
        self.ports = [reserved.getsockname()[1] for reserved in self._reserved]
        self._process: subprocess.Popen[bytes] | None = None

    def command(self) -> Sequence[str]:
        """The command line; it must stay in the foreground."""
        raise NotImplementedError

    def answers(self) -> bool:
        """Whether the server does its work; any error of the client library means not yet."""
        raise NotImplementedError

    @property
    def port(self) -> int:
        return int(self.ports[0])

    @property
    def pid(self) -> int:
        """The running server's process id."""
        if self._process is None:
            raise ServerFailed(f"{self.name} is stopped")
        return self._process.pid

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def start(self) -> None:
        """Start it on its port with its data and wait until it serves; nothing if it runs."""
        if self.running:
            return
        log = (self.directory / "log").open("ab")
        with log:
            self._process = _STARTER.submit(
                subprocess.Popen,
                [*self.as_user(), *self.command()],
                cwd=self.directory,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            ).result()
        try:
            self._wait_until_it_serves()
        except BaseException:
            self.kill()
            raise

    def stop(self) -> None:
        """Stop it in order; its port and its data stay. Nothing if it is stopped."""
        if self._process is None:
            return
        if self.running:
            self.thaw()
            self._process.send_signal(self.stop_signal)
        try:
            self._process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.kill()
            raise ServerFailed(f"{self.name} did not stop: {self.log()}") from None
        self._process = None

    def kill(self) -> None:
        """SIGKILL to it and its children, as the kernel does when memory runs out."""
        if self._process is None:
            return
        if self.running:
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        self._process = None

    def freeze(self) -> None:
        """SIGSTOP: connections are accepted by the kernel, and nobody answers."""
        os.killpg(self.pid, signal.SIGSTOP)
        # Until the last of its threads has stopped one of them could still answer.
        os.waitid(os.P_PID, self.pid, os.WSTOPPED | os.WNOWAIT)

    def thaw(self) -> None:
        """SIGCONT: it goes on where it was frozen; harmless if it was not."""
        os.killpg(self.pid, signal.SIGCONT)

    def close(self) -> None:
        """Stop it, give the ports back and remove the directory."""
        try:
            self.stop()
        finally:
            for reserved in self._reserved:
                reserved.close()
            shutil.rmtree(self.directory)

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def log(self) -> str:
        """The last lines the server wrote."""
        path = self.directory / "log"
        lines = path.read_text(errors="replace").splitlines() if path.exists() else []
        return "\n".join(lines[-20:])

    def as_user(self) -> list[str]:
        """The command in front of the command: dies with the test run, under the right user."""
        command = ["setpriv", "--pdeathsig", "KILL"]
        if self.user is not None:
            command += [f"--reuid={self.user}", f"--regid={self.user}", "--clear-groups"]
        return [*command, "--"]

    def run(self, *command: str) -> None:
        """Run a preparing command to its end, in the server's directory and as its user."""
        done = subprocess.run(
            [*self.as_user(), *command],
            cwd=self.directory,
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
            timeout=START_SECONDS,
        )
        if done.returncode != 0:
            raise ServerFailed(f"{command[0]} failed: {done.stdout}{done.stderr}")

    def _wait_until_it_serves(self) -> None:
        deadline = time.monotonic() + START_SECONDS
        while not self.answers():
            if not self.running:
                raise ServerFailed(f"{self.name} ended by itself: {self.log()}")
            if time.monotonic() > deadline:
                raise ServerFailed(f"{self.name} did not answer: {self.log()}")
            time.sleep(POLL_SECONDS)
