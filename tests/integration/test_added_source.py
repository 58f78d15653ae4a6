"""The example of a kind that a package adds: installed as a package, and used by every command."""

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy
import structlog
from click.testing import Result
from typer.testing import CliRunner

from tests import otobo
from tests.docs.pages import fences
from worker import bootstrap, cli, run
from worker.checks.finding import Level
from worker.checks.sources import check
from worker.settings import load
from worker.tickets import schema

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "examples/json_source"
PAGE = ROOT / "docs/how-to/write-a-source.md"
ENTRY_POINT, SETTINGS = (0, 1)  # the page's blocks of TOML


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder into which the example was installed."""
    folder = tmp_path_factory.mktemp("package")
    shutil.copytree(EXAMPLE, folder / "source", ignore=shutil.ignore_patterns("__pycache__"))
    subprocess.run(
        [
            *(sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check", "install"),
            *("--no-deps", "--no-build-isolation", "--no-index", "--no-compile"),
            *("--target", str(folder / "installed"), str(folder / "source")),
        ],
        check=True,
        timeout=120,
    )
    return folder / "installed"


@pytest.fixture
def installed(package: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """This process finds the package, and forgets it again."""
    monkeypatch.syspath_prepend(package)
    yield
    sys.modules.pop("json_source", None)


@pytest.fixture
def system(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[otobo.Otobo]:
    """A ticket system, with the settings of the page for the people of the example."""
    url = f"sqlite:///{tmp_path / 'tickets.sqlite'}"
    engine = sqlalchemy.create_engine(url)
    schema.create_all(engine)
    otobo.seed(engine)
    engine.dispose()
    shutil.copy(EXAMPLE / "people.json", tmp_path)
    configure(tmp_path, blocks("toml")[SETTINGS])
    monkeypatch.setenv("FIELDFARE_CONFIG", str(tmp_path / "fieldfare.toml"))
    monkeypatch.chdir(tmp_path)
    made = otobo.Otobo(url)
    yield made
    made.close()


def blocks(language: str) -> list[str]:
    """What the page shows."""
    return [block.text for block in fences()[PAGE] if block.language == language]


def configure(folder: Path, source: str) -> None:
    source = source.replace("/srv/people.json", str(folder / "people.json"))
    (folder / "fieldfare.toml").write_text(
        f'[tickets]\nurl = "sqlite:///{folder / "tickets.sqlite"}"\n'
        f'[mapping.variables]\nUserPhone = "Phone"\n{source}'
    )


def fieldfare(*arguments: str, exit_code: int = 0) -> Result:
    done = CliRunner().invoke(cli.app, arguments)
    assert done.exit_code == exit_code, done.output
    return done


def test_the_example_passes_the_tests_of_every_source(package: Path, tmp_path: Path) -> None:
    shutil.copy(EXAMPLE / "test_json_source.py", tmp_path)

    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "--color=no", "--quiet"],
        cwd=tmp_path,
        env={
            **os.environ,
            "PYTHONPATH": str(package),
            "PYTHONDONTWRITEBYTECODE": "1",
            "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
        },
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )

    assert done.returncode == 0, done.stdout
    assert re.search(r"^6\d passed in ", done.stdout, re.MULTILINE), done.stdout


@pytest.mark.usefixtures("installed", "system")
def test_a_customer_user_is_looked_up_in_the_file() -> None:
    told: Mapping[str, Any] = json.loads(fieldfare("lookup", "ANNA", "--json").stdout)

    (source,) = told["sources"]
    assert (source["source"], source["name"], source["answer"]) == (
        "CustomerUser3",
        "Staff",
        "found",
    )
    assert source["login"] == "anna"
    assert source["attributes"]["UserPhone"] == "+49 30 1234"
    assert told["attributes"]["Source"] == "CustomerUser3"
    assert "absent" in fieldfare("lookup", "nobody", exit_code=1).stdout


@pytest.mark.usefixtures("installed")
def test_what_the_file_says_is_written_and_explained(system: otobo.Otobo) -> None:
    system.add_fields(["Phone"])
    ticket = system.create_ticket("anna")

    explained = json.loads(fieldfare("explain", str(ticket), "--json").stdout)

    (field,) = explained["fields"]
    assert (explained["source"], field["decision"], field["proposed"]) == (
        "CustomerUser3",
        "write",
        "+49 30 1234",
    )


@pytest.mark.usefixtures("installed", "system")
def test_the_settings_of_the_source_are_shown_and_described() -> None:
    shown = json.loads(fieldfare("config", "show", "--json").stdout)["sources"]["CustomerUser3"]
    schema_ = json.loads(fieldfare("config", "schema", "--source", "json").stdout)

    assert (shown["kind"], Path(shown["path"]).name, shown["cache_ttl"]) == (
        "json",
        "people.json",
        0,
    )
    assert schema_["properties"]["path"]["description"] == "The file."


@pytest.mark.usefixtures("installed", "system")
def test_a_wrong_option_ends_with_two_and_says_what_is_right(tmp_path: Path) -> None:
    configure(tmp_path, blocks("toml")[SETTINGS].replace("path =", "paht ="))

    told = fieldfare("lookup", "anna", exit_code=2).stderr

    assert "sources.CustomerUser3.paht: this key does not exist; did you mean path?" in told
    assert 'sources.CustomerUser3.path: is missing; right: path = "/srv/people.json"' in told


@pytest.mark.usefixtures("system")
def test_without_the_package_its_kind_is_not_known() -> None:
    told = fieldfare("lookup", "anna", exit_code=2).stderr

    assert 'sources.CustomerUser3.kind: must be "sql" or "ldap", or what a package adds' in told


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (None, "FileNotFoundError"),
        ('[{"login": "anna",', "JSONDecodeError"),
        ('[{"name": "hunter2"}]', "KeyError"),
        ("42", "TypeError"),
        (
            '[{"login": "anna", "phone": 42}]',
            "the value of UserPhone is of the type int, not a text",
        ),
    ],
)
@pytest.mark.usefixtures("installed", "system")
def test_a_file_that_cannot_be_read_empties_nothing(
    tmp_path: Path, text: str | None, reason: str
) -> None:
    (tmp_path / "people.json").unlink()
    if text is not None:
        (tmp_path / "people.json").write_text(text)

    told = fieldfare("lookup", "anna", exit_code=3)

    assert f"The directory cannot tell: {reason}\n" in told.stdout
    assert "hunter2" not in told.output


@pytest.mark.usefixtures("installed", "system")
def test_the_source_is_looked_at_before_the_first_ticket(tmp_path: Path) -> None:
    answers, *_ = check(load(), None)
    (tmp_path / "people.json").unlink()
    silent, *_ = check(load(), None)

    assert (answers.subject, answers.level) == ("CustomerUser3", Level.OK)
    assert (silent.level, silent.answered) == (Level.ERROR, False)
    assert "does not answer: FileNotFoundError" in silent.what


@pytest.mark.usefixtures("installed", "system")
def test_a_worker_starts_with_the_source_and_waits_for_its_file(tmp_path: Path) -> None:
    services = bootstrap.build(load())
    run.check_sources(services)

    (tmp_path / "people.json").unlink()
    with structlog.testing.capture_logs() as logs:
        run.check_sources(services)

    assert [(line["event"], line["reason"]) for line in logs] == [
        ("source.unavailable", "FileNotFoundError")
    ]


@pytest.mark.usefixtures("installed", "system")
def test_the_commands_of_the_page_end_well() -> None:
    install, *commands = "".join(blocks("sh")).splitlines()

    assert install == f"pip install ./{EXAMPLE.relative_to(ROOT)}"
    assert len(commands) > 1
    for command in commands:
        program, *arguments = shlex.split(command)
        assert program == "fieldfare"
        assert fieldfare(*arguments).stdout


def test_the_page_shows_the_example_as_it_is() -> None:
    files = [path.read_text() for path in sorted(EXAMPLE.iterdir()) if path.suffix != ".md"]
    shown = [*blocks("python"), blocks("toml")[ENTRY_POINT]]

    assert {block.language for block in fences()[PAGE]} == {"python", "sh", "toml"}
    assert len(blocks("toml")) == len((ENTRY_POINT, SETTINGS))
    assert [text for text in shown if not any(text in file for file in files)] == []
    assert tomllib.loads(shown[-1])["project"]["entry-points"]["fieldfare.sources"]
