"""``fieldfare check`` as an operator reads it: the table, the JSON, the exit codes."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy
from typer.testing import CliRunner, Result

from tests.servers import RedisServer
from tests.sysconfig import OWN_MODULE, ship
from worker import cli
from worker.demo import sample


@pytest.fixture
def world(redis_server: RedisServer, tmp_path: Path) -> sample.World:
    """The sample world, which has two warnings: no cache, and a field on a screen."""
    redis_server.start()
    redis_server.flush()  # else who was at work in an earlier test is still alive
    return sample.prepare(tmp_path / "world", redis_server.url)


@pytest.fixture
def check(world: sample.World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.chdir(tmp_path)
    runner = CliRunner()

    def run(*arguments: str) -> Result:
        config = {"FIELDFARE_CONFIG": str(world.settings), "COLUMNS": "80"}
        return runner.invoke(cli.app, ["check", *arguments], env=config)

    return run


def edit(world: sample.World, old: str, new: str) -> None:
    text = world.settings.read_text()
    assert old in text
    world.settings.write_text(text.replace(old, new))


def test_warnings_alone_are_no_reason_to_stop(check: Any) -> None:
    done = check()

    assert done.exit_code == 0
    assert done.output.rstrip().endswith("2 warnings, 0 errors. Ready.")
    assert max(map(len, done.output.splitlines())) <= 80
    lines = [line.split(" ")[1] for line in done.output.splitlines() if line.startswith(" ")]
    found = [word for word in lines if word in {"ok", "warning", "error"}]
    assert found == sorted(found, key=["ok", "warning", "error"].index)


def test_an_error_ends_with_one(check: Any, world: sample.World) -> None:
    engine = sqlalchemy.create_engine(world.ticket_url)
    ship(engine, OWN_MODULE)
    engine.dispose()

    done = check()

    assert done.exit_code == 1
    assert "1 error. Not ready." in done.output
    assert "→ Set it invalid" in done.output


def test_what_does_not_answer_ends_with_three_even_beside_an_error(
    check: Any, world: sample.World
) -> None:
    here = re.search(r"redis://127\.0\.0\.1:\d+", world.settings.read_text())
    assert here
    edit(world, here[0], "redis://:hunter2@127.0.0.1:1")
    edit(world, '"CustomerPhone"', '"CustomerFone"')

    done = check()

    assert done.exit_code == 3
    assert "Something did not answer" in done.output
    assert "hunter2" not in done.output


def test_settings_that_cannot_be_read_end_with_two(check: Any, world: sample.World) -> None:
    edit(world, "[redis]", "[reddis]")

    done = check()

    assert (done.exit_code, done.stdout) == (2, "")
    assert "did you mean redis?" in done.stderr


def test_programs_get_json(check: Any, world: sample.World) -> None:
    edit(world, '"CustomerPhone"', '"CustomerFone"')

    done = check("--json")

    told = json.loads(done.stdout)
    assert done.exit_code == told["summary"]["exit_code"] == 1
    assert told["summary"]["error"] == 1
    (error,) = [one for one in told["findings"] if one["level"] == "error"]
    assert error == {
        "subject": "field CustomerFone",
        "level": "error",
        "what": "no dynamic field has this name; case matters",
        "meaning": "Nothing is ever written into it.",
        "advice": "Did you mean CustomerPhone?",
        "answered": True,
    }


@pytest.mark.parametrize("url", ["otobo", "postgresql://u:hunter2@h:port/otobo"])
def test_an_address_that_cannot_be_read_is_one_error(
    check: Any, world: sample.World, url: str
) -> None:
    world.settings.write_text(f'[tickets]\nurl = "{url}"\n')
    world.settings.chmod(0o644)

    done = check()

    assert (done.exit_code, done.stdout) == (2, "")
    first, second = done.stderr.splitlines()
    assert str(world.settings) in first
    assert second.startswith("  - tickets.url: cannot be read; right: postgresql+psycopg://")
    assert "hunter2" not in done.output


def test_an_address_without_a_password_is_not_taken_for_one(
    check: Any, world: sample.World
) -> None:
    world.settings.chmod(0o644)
    added = '\n[CustomerUser1]\nkind = "sql"\nurl = "customers"\ntable = "t"\n'
    keys = 'customer_key = "a"\ncustomer_id = "b"\nmap = { UserLogin = "a" }\n'
    world.settings.write_text(world.settings.read_text() + added + keys)

    done = check()

    assert "not an SQLAlchemy URL" in " ".join(done.stdout.split())
    assert "holds a password" not in " ".join(done.stdout.split())


def test_a_settings_file_beside_the_toml_is_looked_at(
    check: Any, world: sample.World, tmp_path: Path
) -> None:
    (tmp_path / ".env").write_text("FIELDFARE_REDIS__PASSWORD=hunter2\n")
    (tmp_path / ".env").chmod(0o604)

    done = check("--json")

    settings = [one["what"] for one in json.loads(done.stdout)["findings"][:2]]
    assert settings[0].endswith(".env")
    assert settings[1].startswith(".env holds a password")
