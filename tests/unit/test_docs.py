"""What the documentation says is true of the code, as far as a program can tell."""

import importlib.util
import json
import os
import re
import subprocess
import sys
import tomllib
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType
from typing import Any, get_args

import pytest

from directory.refusals import Refusal
from worker.settings import Settings, load

ROOT = Path(__file__).parents[2]
PAGES = sorted(
    [ROOT / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md")]
    + list((ROOT / "docs").rglob("*.md"))
)
TEXTS = sorted(
    [
        *PAGES,
        *(ROOT / "docs").rglob("*.json"),
        *(
            path
            for path in (ROOT / "examples").rglob("*")
            if path.is_file() and path.suffix != ".pyc"
        ),
    ]
)
EXAMPLES = sorted((ROOT / "examples").glob("*.toml"))


def name(path: Path) -> str:
    return str(path.relative_to(ROOT))


def blocks(path: Path, *languages: str) -> list[str]:
    found = re.findall(r"^```(\w*)\n(.*?)^```$", path.read_text(), re.DOTALL | re.MULTILINE)
    return [text for language, text in found if language in languages]


@pytest.fixture(scope="module")
def generator() -> ModuleType:
    spec = importlib.util.spec_from_file_location("generate", ROOT / "docs/generate.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


# -- the reference


def test_the_reference_is_as_the_code_is(generator: ModuleType) -> None:
    written = {path.name: path.read_text() for path in (ROOT / "docs/reference").iterdir()}
    made = generator.pages()
    assert sorted(written) == sorted(made)
    assert [page for page in made if made[page] != written[page]] == [], "run: make docs"


def test_every_error_of_a_call_is_documented(generator: ModuleType) -> None:
    of_ours = {"wrong_criteria", "unavailable", "misconfigured", "failed"}
    assert set(generator.ERRORS) == {*get_args(Refusal), *of_ours}


def test_every_argument_of_a_call_is_documented() -> None:
    page = (ROOT / "docs/reference/calls.md").read_text()
    assert re.findall(r"^\|.*\|\s*\|$", page, re.MULTILINE) == []


def test_the_published_schema_is_the_one_that_the_command_prints() -> None:
    done = fieldfare("config", "schema")
    assert done == (ROOT / "docs/reference/settings.schema.json").read_text()


def test_the_published_schema_has_the_keys_that_people_write() -> None:
    published = json.loads((ROOT / "docs/reference/settings.schema.json").read_text())["$defs"]
    assert published["RuleSettings"]["required"] == ["from", "to"]
    assert "async" in published["LdapSourceConfig"]["properties"]
    kinds = {
        key: {one["type"] for one in published["LdapSourceConfig"]["properties"][key]["anyOf"]}
        for key in ("map", "host")
    }
    assert kinds == {"map": {"object", "array"}, "host": {"string", "array"}}
    assert [
        one for one in published.values() if any(k.endswith("_") for k in one["properties"])
    ] == []


def test_the_settings_reference_has_every_environment_variable() -> None:
    text = (ROOT / "docs/reference/settings.md").read_text()
    for section in Settings.model_fields.keys() - {"sources", "companies"}:
        model: Any = Settings.model_fields[section].annotation
        for key, field in model.model_fields.items():
            if not hasattr(field.annotation, "model_fields"):
                assert f"`FIELDFARE_{section}__{key}`".upper() in text.upper()


def test_a_documented_secret_file_and_variable_are_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    secrets = tmp_path / "secrets"
    secrets.mkdir()
    (secrets / "sources__customeruser1__user_pw").write_text("from a file")
    monkeypatch.setenv("FIELDFARE_SOURCES__CUSTOMERUSER__PASSWORD", "from the environment")
    settings = load(ROOT / "examples/fieldfare.toml", env_file=None, secrets_dir=secrets)
    assert settings.source("1").user_pw.get_secret_value() == "from a file"  # type: ignore[union-attr]
    assert settings.source("").password.get_secret_value() == "from the environment"  # type: ignore[union-attr]


# -- links


def anchors(path: Path) -> set[str]:
    text = re.sub(r"^```.*?^```$", "", path.read_text(), flags=re.DOTALL | re.MULTILINE)
    headings = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    kept = (re.sub(r"[^\w\- ]", "", heading.lower()) for heading in headings)
    return {heading.replace(" ", "-") for heading in kept}


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_every_link_leads_somewhere(page: Path) -> None:
    text = re.sub(r"^```.*?^```$", "", page.read_text(), flags=re.DOTALL | re.MULTILINE)
    broken = []
    for link in re.findall(r"\]\(([^)\s]+)\)", text):
        if link.startswith("https://"):
            continue
        target, _, anchor = link.partition("#")
        path = (page.parent / target).resolve() if target else page
        if not path.is_file() or (anchor and anchor not in anchors(path)):
            broken.append(link)
    assert broken == []


def test_every_page_is_in_the_index() -> None:
    index = ROOT / "docs/index.md"
    linked = {
        (index.parent / link.partition("#")[0]).resolve()
        for link in re.findall(r"\]\(([^)]+)\)", index.read_text())
    }
    pages = {path for path in (ROOT / "docs").rglob("*.md") if path != index}
    assert sorted(name(path) for path in pages - linked) == []


# -- settings


@pytest.mark.parametrize("path", EXAMPLES, ids=name)
def test_every_example_loads(path: Path) -> None:
    settings = load(path, env_file=None, secrets_dir=ROOT / "examples")
    assert [source.slot for source in settings.source_configs()] == ["", "1"]
    assert settings.mapping.ruleset().rules


def test_the_two_sources_and_the_screen_of_the_readme_are_understood() -> None:
    (text,) = blocks(ROOT / "README.md", "toml")
    settings = Settings.model_validate(tomllib.loads(text))
    assert [(one.source_name, one.kind) for one in settings.source_configs()] == [
        ("CustomerUser", "sql"),
        ("CustomerUser1", "ldap"),
    ]
    assert settings.mapping.variables == {"UserPhone": "CustomerPhone", "UserCity": "CustomerCity"}
    assert settings.precedence.screens == {"AgentTicketPhone": {"CustomerPhone": 1}}


def fieldfare(*arguments: str, **environment: str) -> str:
    return subprocess.run(
        [sys.executable, "-m", "worker", *arguments],
        env={**os.environ, **environment},
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    ).stdout


# -- what the README shows


def test_the_readme_shows_what_the_demo_prints() -> None:
    excerpt = next(text for text in blocks(ROOT / "README.md", "text") if "Ticket 2" in text)
    printed = fieldfare("demo", COLUMNS="100").splitlines()
    remaining = iter([line.rstrip() for line in printed])
    missing = [line for line in excerpt.splitlines() if line and line not in remaining]
    assert missing == []


# -- manners


@pytest.mark.parametrize("path", TEXTS, ids=name)
def test_no_page_names_a_developer_s_machine_or_a_registry(path: Path) -> None:
    text = path.read_text()
    assert re.findall(r"(?<![\w.])/(?:home|root|work|Users|tmp)/\S*", text) == []
    assert re.findall(r"(?i)pypi\.\w+|files\.pythonhosted|registry\.\S+|index-url", text) == []


@pytest.mark.parametrize("path", PAGES, ids=name)
def test_no_page_has_something_left_to_do(path: Path) -> None:
    assert re.findall(r"\b(?:TODO|FIXME|XXX|TBD)\b", path.read_text()) == []


def test_the_event_schema_is_json_that_names_all_types() -> None:
    schema: Mapping[str, Any] = json.loads((ROOT / "docs/reference/events.schema.json").read_text())
    assert sorted(schema["discriminator"]["mapping"]) == [
        "customer_company.changed",
        "customer_user.changed",
        "ticket.created",
        "ticket.customer_changed",
    ]
