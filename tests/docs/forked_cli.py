"""How do many commands run without starting Python for each? In forks of one that has started.

The server has imported all of Fieldfare. A command on the PATH of a shell is a client that hands it
the arguments, the folder, the environment and the three standard files; the server's fork goes on
as that very process would: ``fieldfare`` is the real command line, other names are stand-ins.

    python -m tests.docs.forked_cli SOCKET
"""

import contextlib
import gc
import importlib
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import typer

ROOT = Path(__file__).parents[2]

CLIENT = """\
#!{python} -SE
import json, os, socket, sys
asked = {{"command": os.path.basename(sys.argv[0]), "arguments": sys.argv[1:]}}
asked |= {{"folder": os.getcwd(), "environment": dict(os.environ)}}
server = socket.socket(socket.AF_UNIX)
server.connect({path!r})
socket.send_fds(server, [json.dumps(asked).encode()], [0, 1, 2])
server.shutdown(socket.SHUT_WR)
sys.exit((server.recv(1) or b"\\x46")[0])
"""

HEAVY = (
    *("worker.bootstrap", "worker.run", "worker.handlers.explain", "worker.from_otobo"),
    *("psycopg", "pymysql", "sqlalchemy.dialects.postgresql", "sqlalchemy.dialects.sqlite"),
)

STAYS = {"worker", "beat", "demo"}
"""Commands that stay until they are stopped: here their arguments are read, and no more."""

STAYS_WITH = {"--watch", "--embedded"}


@contextlib.contextmanager
def serve(folder: Path, names: Sequence[str]) -> Iterator[Path]:
    """Start the server.

    Args:
        folder: for the socket and for ``bin``.
        names: of the commands, each a client in ``bin``.

    Yields:
        The folder ``bin``.
    """
    path = folder / "forked.socket"
    command = [sys.executable, "-m", "tests.docs.forked_cli", str(path)]
    server = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE)
    try:
        assert server.stdout is not None
        assert server.stdout.readline() == b"ready\n"
        programs = folder / "bin"
        programs.mkdir()
        for name in names:
            client = programs / name
            client.write_text(CLIENT.format(python=sys.executable, path=str(path)))
            client.chmod(0o755)
        yield programs
    finally:
        server.terminate()
        server.communicate()


def main(path: str) -> None:
    """Fork for each client until the process is stopped."""
    for name in HEAVY:
        importlib.import_module(name)
    gc.freeze()  # or each fork would copy what was imported when it collects its garbage
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(path)
        server.listen()
        print("ready", flush=True)  # noqa: T201 - whom it tells waits for it
        while True:
            client, _ = server.accept()
            if os.fork() == 0:
                server.close()
                code = 70
                try:
                    code = _go_on_as(client)
                finally:
                    client.sendall(bytes([code & 0xFF]))
                    os._exit(code)
            client.close()


def _go_on_as(client: socket.socket) -> int:
    """Be the process that the client stands for; returns its exit code."""
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
    os.chdir(asked["folder"])
    os.environ.clear()
    os.environ.update(asked["environment"])
    sys.argv = [asked["command"], *asked["arguments"]]
    try:
        _run(asked["command"], asked["arguments"])
    except SystemExit as end:
        if not isinstance(end.code, int | None):
            sys.stderr.write(f"{end.code}\n")
            return 1
        return end.code or 0
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
    return 0


def _run(command: str, arguments: list[str]) -> None:
    if command != "fieldfare":
        importlib.import_module("tests.docs.stand_ins").run(command, arguments)
        return
    cli = importlib.import_module("worker.cli")
    if STAYS.intersection(arguments[:3]) or STAYS_WITH.intersection(arguments):
        read(typer.main.get_command(cli.app), arguments)
    else:
        cli.main()


def read(root: typer.core.TyperGroup, arguments: list[str]) -> None:
    """Read a command's arguments as the command itself would, without running it.

    Raises:
        click.UsageError: there is no such command or option, or an argument is missing.
    """
    context = root.make_context("fieldfare", list(arguments))
    while hasattr(context.command, "commands"):
        rest = [*context._protected_args, *context.args]
        _, command, rest = context.command.resolve_command(context, rest)
        context = command.make_context(command.name, rest, parent=context)


if __name__ == "__main__":
    main(sys.argv[1])
