"""The units in examples/deploy/systemd: systemd takes them, and they say what the code says."""

import configparser
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import typer

from tests.deploy.compose import ROOT
from tests.servers.guarded import USERS
from tests.servers.process import find_program
from worker import app, cli
from worker.settings import load

FOLDER = ROOT / "examples/deploy/systemd"
UNITS = {path.name: path for path in sorted(FOLDER.iterdir())}
PROGRAM = "/opt/fieldfare/bin/fieldfare"


class Lines(dict[str, str]):
    """Values of a key that comes again are kept, one on each line."""

    def __setitem__(self, key: str, value: Any) -> None:
        if key in self and isinstance(value, list):
            self[key].extend(value)  # type: ignore[attr-defined]
        else:
            super().__setitem__(key, value)


def service(name: str) -> dict[str, list[str]]:
    """The section Service: every key with its values."""
    parser = configparser.RawConfigParser(
        strict=False, dict_type=Lines, comment_prefixes="#", delimiters="="
    )
    parser.optionxform = str  # type: ignore[assignment,method-assign]
    parser.read_string(UNITS[name].read_text())
    return {key: value.splitlines() for key, value in parser["Service"].items()}


def command(name: str) -> Sequence[str]:
    (line,) = service(name)["ExecStart"]
    program, *arguments = shlex.split(line)
    assert program == PROGRAM
    return arguments


def environment(name: str) -> dict[str, str]:
    return dict(line.split("=", 1) for line in service(name)["Environment"])


def secrets(name: str) -> dict[str, str]:
    """Where each secret of the settings comes from."""
    return dict(line.split(":", 1) for line in service(name)["LoadCredential"])


def test_there_is_a_unit_for_each_kind_of_process() -> None:
    assert set(UNITS) == {
        "fieldfare-admin.service",
        "fieldfare-beat.service",
        "fieldfare-resync.service",
        "fieldfare-worker@.service",
    }


def test_what_differs_for_one_ticket_worker_has_a_file_of_its_own() -> None:
    files = service("fieldfare-worker@.service")["EnvironmentFile"]
    assert files == ["-/etc/fieldfare/environment", "-/etc/fieldfare/worker-%i"]


def test_systemd_takes_the_units(tmp_path: Path) -> None:
    verify = find_program("systemd-analyze", "systemd")
    for name, path in UNITS.items():
        instance = name.replace("@.", "@1.")
        # Only the program is put where it is on this machine.
        (tmp_path / name).write_text(path.read_text().replace(PROGRAM, ours()))
        if instance != name:
            shutil.copy(tmp_path / name, tmp_path / instance)
        done = subprocess.run(
            [verify, "verify", "--man=no", str(tmp_path / instance)],
            capture_output=True,
            text=True,
            check=False,
        )
        assert (done.returncode, done.stderr) == (0, ""), f"{name}: {done.stderr}"


def ours() -> str:
    return str(Path(sys.executable).with_name("fieldfare"))


def test_a_unit_with_a_fault_would_be_noticed(tmp_path: Path) -> None:
    verify = find_program("systemd-analyze", "systemd")
    text = UNITS["fieldfare-beat.service"].read_text()
    unit = tmp_path / "fieldfare-beat.service"
    unit.write_text(text.replace("Restart=always", "Restart=allways"))

    done = subprocess.run(
        [verify, "verify", "--man=no", str(unit)], capture_output=True, text=True, check=False
    )

    assert "allways" in done.stderr


@pytest.mark.parametrize("name", UNITS)
def test_what_is_started_is_one_of_our_commands(name: str) -> None:
    group: Any = typer.main.get_command(cli.app)
    verb, *options = command(name)

    context = group.commands[verb].make_context(verb, options)

    kinds = {
        "fieldfare-admin.service": ("admin-worker", None),
        "fieldfare-beat.service": ("beat", None),
        "fieldfare-resync.service": ("resync-worker", None),
        "fieldfare-worker@.service": ("worker", False),
    }
    assert (verb, context.params.get("beat")) == kinds[name]


@pytest.mark.parametrize("name", UNITS)
def test_whatever_ends_is_started_again(name: str) -> None:
    assert service(name)["Restart"] == ["always"]
    assert "\nStartLimitIntervalSec=0\n" in UNITS[name].read_text()


@pytest.mark.parametrize(
    "name", ["fieldfare-admin.service", "fieldfare-resync.service", "fieldfare-worker@.service"]
)
def test_a_worker_is_given_the_time_that_a_task_may_take(name: str) -> None:
    limit = app.configure("redis://127.0.0.1:6379/0", 60)["task_time_limit"]
    (stop,) = service(name)["TimeoutStopSec"]

    assert int(stop) > limit
    assert service(name)["KillMode"] == ["mixed"]


@pytest.mark.parametrize("name", UNITS)
def test_settings_and_secrets_are_those_that_fieldfare_knows(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "credentials"
    folder.mkdir()
    for secret, source in secrets(name).items():
        (folder / secret).write_text(f"of {Path(source).name}")
    config = tmp_path / "fieldfare.toml"
    config.write_text('[tickets]\nurl = "postgresql+psycopg://fieldfare@db.example.org/otobo"\n')
    for variable, value in environment(name).items():
        monkeypatch.setenv(variable, value.replace("%d", str(folder)).replace("%t", "/run"))
    monkeypatch.setenv("FIELDFARE_CONFIG", str(config))

    settings = load(env_file=None)

    assert environment(name)["FIELDFARE_CONFIG"] == "/etc/fieldfare/fieldfare.toml"
    user = settings.redis.username
    assert user in USERS
    assert settings.redis.password is not None
    assert settings.redis.password.get_secret_value() == f"of redis_{user}"
    (runtime,) = service(name)["RuntimeDirectory"]
    assert settings.health.directory == Path("/run") / runtime


def test_the_script_makes_every_secret_that_the_units_load() -> None:
    script = (ROOT / "examples/deploy/secrets.sh").read_text()
    loaded = {Path(source).name for name in UNITS for source in secrets(name).values()}

    assert loaded == {"redis_admin", "redis_resync", "redis_worker", "tickets__password"}
    assert [name for name in loaded if not re.search(rf"\b{name}\b", script)] == []


@pytest.mark.parametrize("name", UNITS)
def test_no_unit_holds_a_password(name: str) -> None:
    assert [key for key in environment(name) if "PASSWORD" in key or "URL" in key] == []


@pytest.mark.parametrize("name", UNITS)
def test_units_have_no_rights_that_they_do_not_need(name: str) -> None:
    found = service(name)

    for key in ("DynamicUser", "NoNewPrivileges", "PrivateTmp", "PrivateDevices"):
        assert found[key] == ["yes"]
    assert found["ProtectSystem"] == ["strict"]
    assert found["CapabilityBoundingSet"] == []
