"""How is a page's shell block followed? In a real shell, whose PATH holds only what is known.

Variables that a block exports stay for those that follow it on the page.
"""

import os
import re
import shlex
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.acceptance.processes import COMMAND, Daemon, until
from tests.docs.pages import ROOT, Block
from tests.docs.world import World
from worker.heartbeat import alive

BASH = shutil.which("bash") or "bash"

# Each command begins where the last one ended: with its exit code and what it exported.
AROUND = """\
(exit {code})
{command}
code=$?
/usr/bin/env -0 >{state}
exit $code
"""

OF_THE_SHELL = {"PWD", "OLDPWD", "SHLVL", "_"}


@dataclass(frozen=True, slots=True)
class Step:
    """A command of a transcript, and what is shown below it."""

    command: str
    shown: str


class Shell:
    """The shell of one page.

    Attributes:
        folder: where it works; commands may write there.
    """

    def __init__(self, world: World, folder: Path, servers: Mapping[str, str]) -> None:
        self.folder = folder
        (folder / "examples").symlink_to(ROOT / "examples")
        self._world = world
        self._environment = {
            "PATH": str(world.programs),
            "HOME": str(folder),
            "LANG": "C.UTF-8",
            "TZ": "UTC",
            "COLUMNS": "80",
            "FIELDFARE_LOG__FORMAT": "console",  # as on a terminal
        }
        self._servers = servers
        self._exported: dict[str, str] = {}
        self._code = 0
        self._daemons: list[Daemon] = []

    def set(self, servers: Mapping[str, str]) -> None:
        """Set the variables that say where the servers are, and no longer those of the last time.

        Somebody who has other servers than the page names would do so.
        """
        self._servers = servers

    @property
    def environment(self) -> Mapping[str, str]:
        """What the next command finds."""
        return {**self._environment, **self._servers, **self._exported}

    def run(self, command: str) -> str:
        """What a command prints that must end well."""
        code, said = self._run(command)
        assert code == 0, f"{command} ended with {code}:\n{said}"
        return said

    def script(self, block: Block) -> None:
        """Follow a block of commands; each must end well."""
        code, said = self._run(f"set -e\n{block.text}")
        assert code == 0, f"{block.place} ended with {code}:\n{said}"

    def transcript(self, block: Block) -> None:
        """Follow a transcript; each command must print what is shown below it."""
        for step in steps(block.text):
            if re.match("fieldfare (?:worker|admin-worker|beat)", step.command):
                self._stay(step)
                continue
            code, said = self._run(step.command)
            looks = step.command.startswith("echo $?")
            assert looks or self._code == 0, (
                f"{block.place}: nobody looked at exit code {self._code}"
            )
            self._code = code
            assert said_as_shown(said, step.shown), (
                f"{block.place}: {step.command} printed\n{said}\nand not\n{step.shown}"
            )
        assert self._code == 0, f"{block.place} ended with {self._code}"

    def start(self, command: str) -> Daemon:
        """Start a command of Fieldfare's that stays until the page has been read."""
        arguments = shlex.split(command, comments=True)[1:]
        variables = {**self.environment, "PATH": os.environ["PATH"]}
        log = self.folder / f"daemon-{len(self._daemons)}.log"
        daemon = Daemon([*COMMAND, *arguments], self.folder, log, variables)
        self._daemons.append(daemon)
        return daemon

    def _stay(self, step: Step) -> None:
        """Start it, and wait until it has printed what is shown."""
        daemon = self.start(step.command)

        def printed() -> bool:
            said = daemon.said()
            assert daemon.process.poll() is None, f"{step.command} ended:\n{said}"
            return said_as_shown(said, step.shown)

        until(printed, f"{step.command} prints\n{step.shown}")
        if "admin-worker" in step.command:  # commands that follow will not wait for long
            with self._world.redis.client() as client:
                until(lambda: alive(client), "the admin worker takes calls")

    def close(self) -> None:
        """End what still runs."""
        for daemon in self._daemons:
            daemon.kill()

    def _run(self, command: str) -> tuple[int, str]:
        written = re.findall(r"(?:>\s*|^\s*(?:chmod|mkdir)\b.*\s)(/\S+)", command, re.MULTILINE)
        assert set(written) <= {"/dev/null"}, f"a page's test writes nowhere else: {written}"
        state = self.folder / ".state"
        command = self._world.rehosted(command)
        done = subprocess.run(
            [BASH, "-c", AROUND.format(state=state, code=self._code, command=command)],
            cwd=self.folder,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=60,
            check=False,
        )
        if state.exists():
            after = dict(line.split("=", 1) for line in state.read_text().split("\0") if line)
            self._exported |= {
                name: value
                for name, value in after.items()
                if self.environment.get(name) != value and name not in OF_THE_SHELL
            }
            state.unlink()
        assert "Traceback (most recent call last)" not in done.stdout, done.stdout
        return done.returncode, done.stdout


def steps(text: str) -> Iterator[Step]:
    """The commands of a transcript: behind ``$``, and behind ``>`` where they go on."""
    begun = re.split(r"^\$ ", text, flags=re.MULTILINE)
    assert not begun[0].strip(), f"a transcript begins with a command: {begun[0]}"
    for part in begun[1:]:
        lines = part.splitlines()
        command = [lines.pop(0)]
        while lines and lines[0].startswith("> "):
            command.append(lines.pop(0).removeprefix("> "))
        yield Step("\n".join(command), "\n".join(lines))


def said_as_shown(said: str, shown: str) -> bool:
    """Whether an output is the one that is shown, where ``…`` stands for anything.

    A line that is ``…`` alone stands for any lines, none included. Colours do not count.
    """
    said = re.sub(r"\x1b\[[\d;]*m", "", said)
    lines = [re.escape(line.rstrip()).replace("…", ".*") for line in shown.strip().splitlines()]
    pattern = "".join("(?:.*\n)*" if line == ".*" else rf"{line}\n" for line in lines)
    printed = "".join(f"{line.rstrip()}\n" for line in said.strip().splitlines())
    return re.fullmatch(pattern, printed) is not None
