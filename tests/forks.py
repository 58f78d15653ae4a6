"""How do many commands run without starting Python for each? In forks of one that has started.

The server has imported all of Fieldfare. A client hands it what to call, the arguments, the folder,
the environment and the three standard files; the server's fork goes on as that very process would,
and its last word is the exit code. The server itself stays as it was: one thread, no connection,
nothing configured.

    python -m tests.forks SOCKET
"""

import atexit
import contextlib
import gc
import importlib
import json
import os
import select
import signal
import socket
import subprocess
import sys
import traceback
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[1]

HEAVY = (
    *("worker.cli", "worker.bootstrap", "worker.run", "worker.render", "worker.from_otobo"),
    *("worker.admin", "worker.calling", "worker.resync_app", "worker.handlers.explain"),
    *(
        "worker.commands.failures",
        "worker.commands.status_picture",
        "worker.commands.resync_telling",
    ),
    *("directory.guarded", "directory.ldap", "psycopg", "pymysql", "rich.progress"),
    *("sqlalchemy.dialects.postgresql", "sqlalchemy.dialects.sqlite"),
)
"""What most commands import when they run."""

LOST = 70
"""The exit code that stands for a fork that was killed."""


class Done(NamedTuple):
    """How a command ended, and what it printed."""

    code: int
    out: str
    err: str


class Forks:
    """A server that is started by the first command; a command that hangs ends it.

    It stands in a session of its own, and ends when its standard input does: with the test run,
    however that ends.
    """

    def __init__(self, folder: Path, environment: Mapping[str, str] | None = None) -> None:
        self.path = folder / "forks.socket"
        self._folder = folder
        self._environment = environment
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start the server, unless it runs; returns when it takes commands."""
        if self._process is not None:
            return
        self.path.unlink(missing_ok=True)
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.forks", str(self.path)],
            cwd=ROOT,
            env=self._environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            start_new_session=True,
        )
        assert self._process.stdout
        assert self._process.stdout.readline() == b"ready\n", "standard error says why"

    def run(
        self,
        arguments: Sequence[str],
        folder: Path,
        environment: Mapping[str, str],
        seconds: float = 120.0,
    ) -> Done:
        """Run ``fieldfare`` to its end.

        Raises:
            AssertionError: it has not ended in time; it was killed.
        """
        self.start()
        out, err = self._folder / "out", self._folder / "err"
        asked = {"call": "worker.cli:main", "arguments": ["fieldfare", *arguments]}
        asked |= {"folder": str(folder), "environment": dict(environment)}
        try:
            with (
                socket.socket(socket.AF_UNIX) as server,
                Path(os.devnull).open("rb") as nothing,
                out.open("wb") as out_file,
                err.open("wb") as err_file,
            ):
                server.connect(str(self.path))
                files = [file.fileno() for file in (nothing, out_file, err_file)]
                socket.send_fds(server, [json.dumps(asked).encode()], files)
                server.shutdown(socket.SHUT_WR)
                assert select.select([server], [], [], seconds)[0], f"hangs: {arguments}"
                code = (server.recv(1) or bytes([LOST]))[0]
        except BaseException:
            self.kill()
            raise
        return Done(code, out.read_text(), err.read_text())

    def kill(self) -> None:
        """SIGKILL to it and to the commands that it runs."""
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


CLIENT = """\
#!{python} -SE
import json, os, socket, sys
asked = {{"call": {call!r}, "arguments": [os.path.basename(sys.argv[0]), *sys.argv[1:]]}}
asked |= {{"folder": os.getcwd(), "environment": dict(os.environ)}}
server = socket.socket(socket.AF_UNIX)
server.connect({path!r})
socket.send_fds(server, [json.dumps(asked).encode()], [0, 1, 2])
server.shutdown(socket.SHUT_WR)
sys.exit((server.recv(1) or bytes([{lost}]))[0])
"""


@contextlib.contextmanager
def programs(folder: Path, call: str, names: Sequence[str]) -> Iterator[Path]:
    """Programs for the PATH of a shell that run in forks.

    Args:
        folder: for the socket and for ``bin``.
        call: ``module:function`` that becomes each of them; it finds its name and its arguments in
            ``sys.argv``.
        names: of the programs.

    Yields:
        The folder ``bin``.
    """
    forks = Forks(folder)
    forks.start()
    try:
        made = folder / "bin"
        made.mkdir()
        text = CLIENT.format(python=sys.executable, call=call, path=str(forks.path), lost=LOST)
        for name in names:
            (made / name).write_text(text)
            (made / name).chmod(0o755)
        yield made
    finally:
        forks.close()


def serve(path: str) -> None:
    """Fork for each client until standard input ends."""
    for name in HEAVY:
        importlib.import_module(name)
    gc.freeze()  # or each fork would copy what was imported when it collects its garbage
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(path)
        server.listen()
        print("ready", flush=True)  # noqa: T201 - whom it tells waits for it
        while sys.stdin not in select.select([server, sys.stdin], [], [])[0]:
            client, _ = server.accept()
            if os.fork() == 0:
                server.close()
                _go_on_as(client)
            client.close()


def _go_on_as(client: socket.socket) -> None:
    """Be the process that the client stands for, to its end."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    text = b""
    files: list[int] = []
    while part := socket.recv_fds(client, 1 << 16, 3):
        text, files = text + part[0], [*files, *part[1]]
        if not part[0]:
            break
    asked = json.loads(text)
    for number, file in enumerate(files):
        os.dup2(file, number)
        os.close(file)
    os.chdir(asked["folder"])
    os.environ.clear()
    os.environ.update(asked["environment"])
    sys.argv = asked["arguments"]
    sys.modules["__main__"].__package__ = ""  # or its usage would call it python -m tests.…
    code = _code_of(asked["call"])
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    client.sendall(bytes([code & 0xFF]))
    os._exit(code)


def _code_of(call: str) -> int:
    """The exit code of a call, as Python would end with it."""
    module, _, function = call.partition(":")
    try:
        getattr(importlib.import_module(module), function)()
    except SystemExit as end:
        if not isinstance(end.code, int | None):
            sys.stderr.write(f"{end.code}\n")
            return 1
        return end.code or 0
    except BaseException:  # noqa: BLE001 - told as Python tells it
        traceback.print_exc()
        return 1
    return 0


if __name__ == "__main__":
    serve(sys.argv[1])
