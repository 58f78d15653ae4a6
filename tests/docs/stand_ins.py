"""What becomes of commands that a test must not run, or cannot? Each is read as closely as can be.

They stand on the PATH of the shells that read the pages: what they complain of ends the test.
"""

import ast
import functools
import itertools
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence

from yaml import safe_load

from tests.docs.pages import ROOT, blocks

Check = Callable[[Sequence[str]], None]


def run(command: str, arguments: Sequence[str]) -> None:
    """Read a command line as the named program would.

    Raises:
        SystemExit: it is wrong; the text says how.
    """
    CHECKS[command](arguments)


def make(arguments: Sequence[str]) -> None:
    """Targets are in the Makefile; what is set for them is used there."""
    makefile = (ROOT / "Makefile").read_text()
    for word in arguments:
        name, is_set, _ = word.partition("=")
        there = rf"\b{name}\b" if is_set else rf"^{name}:"
        if not re.search(there, makefile, re.MULTILINE):
            raise SystemExit(f"the Makefile knows no {name}")


def docker_compose(arguments: Sequence[str]) -> None:
    """The profiles and services are in the file, the command has the options."""
    services = safe_load((ROOT / "docker-compose.yml").read_text())["services"]
    words = list(arguments)
    while words[0] == "--profile":
        if not any(words[1] in service.get("profiles", ()) for service in services.values()):
            raise SystemExit(f"there is no profile {words[1]}")
        words = words[2:]
    command, *words = words
    usage = _asked("docker-compose", command, "--help")
    while words:
        word = words.pop(0)
        named = [word]
        if word.startswith("-"):
            name, _, value = word.partition("=")
            line = re.search(rf"(?:^|\s){re.escape(name)}(?![\w-])(.*)", usage, re.MULTILINE)
            if line is None:
                raise SystemExit(f"docker-compose {command} has no option {name}")
            if not value and re.match(r"[ =][A-Z]", line[1]):
                value = words.pop(0)
            named = [value.partition("=")[0]] if name == "--scale" else []
        if unknown := set(named) - set(services):
            raise SystemExit(f"there is no service {unknown}")
        if named and command in {"exec", "run"}:
            return  # what follows is for the container


def systemctl(arguments: Sequence[str]) -> None:
    """The verb is one of systemctl's, each unit one of ours or of Debian's."""
    words = [word for word in arguments if not word.startswith("-")]
    verb, *units = words
    if not re.search(rf"^  {verb}\b", _asked("systemctl", "--help"), re.MULTILINE):
        raise SystemExit(f"systemctl has no verb {verb}")
    for unit in units:
        _known_unit(unit)


def journalctl(arguments: Sequence[str]) -> None:
    """Each unit is one of ours or of Debian's."""
    for option, value in itertools.pairwise(arguments):
        if option in {"--unit", "-u"}:
            _known_unit(value)


def _known_unit(unit: str) -> None:
    name = re.sub(r"@[^.]+", "@", unit.removesuffix(".service"))
    ours = {path.stem for path in (ROOT / "examples").rglob("*.service")}
    for block in blocks("ini"):
        ours |= set(re.findall(r"[\w-]+(?=\.service)", block.page.read_text()))
    if name not in ours | {"redis-server", "valkey-server"}:
        raise SystemExit(f"there is no unit {unit}")


def apt(arguments: Sequence[str]) -> None:
    """Packages are Debian's, as far as this machine knows them."""
    words = [word for word in arguments if not word.startswith("-")]
    verb, *packages = words
    if verb not in {"install", "update"}:
        raise SystemExit(f"apt-get {verb} is read by nothing here")
    for package in packages:
        if shutil.which("apt-cache", path=_PATH) and _asked("apt-cache", "show", package) == "":
            raise SystemExit(f"Debian has no package {package}")


def pip(arguments: Sequence[str]) -> None:
    """pip has the options, and the files to install from are there."""
    from pip._internal.commands import create_command  # noqa: PLC0415 - slow, and seldom needed

    name, *rest = arguments
    options, named = create_command(name).parse_args(list(rest))
    for file in getattr(options, "requirements", ()):
        _must_exist(file)
    for package in named:
        bare, _, extras = package.rstrip("]").partition("[")
        text = (ROOT / "pyproject.toml").read_text()
        if bare not in {".", "fieldfare", "pytest", "redis"}:
            _must_exist(bare)
        for extra in filter(None, extras.split(",")):
            if not re.search(rf"^{extra} = \[", text, re.MULTILINE):
                raise SystemExit(f"there is no extra {extra}")


def python(arguments: Sequence[str]) -> None:
    """A virtual environment is made; nothing else is."""
    if list(arguments[:2]) != ["-m", "venv"]:
        raise SystemExit(f"python {arguments} is read by nothing here")


def pytest(arguments: Sequence[str]) -> None:
    """The files are there, and ``-k`` can be read."""
    words = list(arguments)
    while words:
        word = words.pop(0)
        if word == "-k":
            ast.parse(words.pop(0), mode="eval")
        elif not word.startswith("-"):
            _must_exist(word.partition("::")[0])


def files(arguments: Sequence[str]) -> None:
    """What is copied out of the repository is there."""
    *sources, _ = [word for word in arguments if not word.startswith("-")]
    for source in sources:
        if source.startswith("examples/"):
            _must_exist(source)


def unread(_: Sequence[str]) -> None:
    """A tool that is no part of the product, and whose command line is nobody's here to check."""


def celery(arguments: Sequence[str]) -> None:
    """The application is found, and the command has the options."""
    from celery.bin.celery import celery as group  # noqa: PLC0415 - slow, and seldom needed

    context = group.make_context("celery", list(arguments))
    rest = [*context._protected_args, *context.args]
    _, command, rest = group.resolve_command(context, rest)
    sys.argv = ["celery", *arguments]
    command.make_context(command.name, rest, parent=context, resilient_parsing=True)


def _must_exist(file: str) -> None:
    if not (ROOT / file).exists():
        raise SystemExit(f"the repository has no {file}")


_PATH = "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin"


@functools.cache
def _asked(program: str, *arguments: str) -> str:
    """What a program of the machine says of itself."""
    found = shutil.which(program, path=_PATH)
    if found is None:
        raise SystemExit(f"{program} is not installed; Debian has a package of that name")
    done = subprocess.run(
        [found, *arguments],
        cwd=ROOT,
        env={"PATH": _PATH, "COLUMNS": "200"},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise SystemExit(f"{program} {arguments}: {done.stdout}{done.stderr}")
    return done.stdout


CHECKS: Mapping[str, Check] = {
    "apt-get": apt,
    "celery": celery,
    "cp": files,
    "docker-compose": docker_compose,
    "install": files,
    "journalctl": journalctl,
    "make": make,
    "pip": pip,
    "pip-audit": unread,
    "pytest": pytest,
    "python3": python,
    "systemctl": systemctl,
}
