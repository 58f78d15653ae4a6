"""Files by which one sees who is alive, and the command that looks at them."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from worker import health
from worker.cli import app
from worker.settings import HealthSettings

SETTINGS = '[tickets]\nurl = "sqlite:///tickets.sqlite"\n[health]\ndirectory = "{}"\n'


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "run"


@pytest.fixture
def config(tmp_path: Path, folder: Path) -> Path:
    path = tmp_path / "fieldfare.toml"
    path.write_text(SETTINGS.format(folder))
    return path


def ask(config: Path, *arguments: str) -> tuple[int, str]:
    done = CliRunner().invoke(app, ["health", *arguments], env={"FIELDFARE_CONFIG": str(config)})
    return done.exit_code, done.output


def age(folder: Path, name: str, seconds: float) -> None:
    moment = (folder / name).stat().st_mtime - seconds
    os.utime(folder / name, (moment, moment))


def dead_pid() -> int:
    with subprocess.Popen([sys.executable, "-c", ""]) as process:
        pass
    return process.pid


def test_who_gave_a_sign_is_alive(config: Path, folder: Path) -> None:
    health.touch(folder, "worker-4711")
    health.touch(folder, "beat-4712")

    code, said = ask(config)

    assert code == 0
    assert [line.partition(",")[0] for line in said.splitlines()] == [
        "beat-4712: alive",
        "worker-4711: alive",
    ]


def test_one_that_is_silent_makes_the_answer_no(config: Path, folder: Path) -> None:
    health.touch(folder, "worker-4711")
    health.touch(folder, "beat-4712")
    age(folder, "beat-4712", 61)

    code, said = ask(config)

    assert code == 1
    assert "beat-4712: silent, last sign of life 61 s ago" in said
    assert "worker-4711: alive" in said
    assert ask(config, "--max-age", "120")[0] == 0


def test_where_nobody_is_the_answer_is_no_and_says_where_it_looked(
    config: Path, folder: Path
) -> None:
    code, said = ask(config)

    assert code == 1
    assert f"no worker or scheduler has a file in {folder}" in said


def test_settings_that_cannot_be_used_are_no_answer(tmp_path: Path) -> None:
    assert ask(tmp_path / "missing.toml")[0] == 2


def test_other_files_are_none_of_its_business(folder: Path) -> None:
    folder.mkdir()
    (folder / "notes-1.txt").touch()
    (folder / f"other-{dead_pid()}").touch()

    health.clear_leftovers(folder)

    assert health.look(folder) == []
    assert len(list(folder.iterdir())) == 2


def test_files_of_processes_that_are_gone_are_cleared_away(folder: Path) -> None:
    health.touch(folder, f"worker-{dead_pid()}")
    health.touch(folder, f"worker-{os.getpid()}")
    health.touch(folder, "worker-1")

    health.clear_leftovers(folder)

    assert [sign.name for sign in health.look(folder)] == sorted(
        ["worker-1", f"worker-{os.getpid()}"]
    )


def test_a_file_can_be_removed_twice(folder: Path) -> None:
    health.touch(folder, "worker-4711")

    health.remove(folder, "worker-4711")
    health.remove(folder, "worker-4711")

    assert health.look(folder) == []


def test_the_folder_is_this_user_s_alone(folder: Path) -> None:
    health.touch(folder, "worker-4711")

    assert folder.stat().st_mode & 0o777 == 0o700


def test_a_folder_that_is_a_link_is_refused(folder: Path, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    folder.symlink_to(elsewhere)

    with pytest.raises(OSError, match="somebody else") as caught:
        health.touch(folder, "worker-4711")

    assert caught.value.filename == str(folder)
    with pytest.raises(OSError, match="somebody else"):
        health.clear_leftovers(folder)
    assert list(elsewhere.iterdir()) == []


def test_without_a_setting_each_user_has_a_folder_for_temporary_files(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("tempfile.tempdir", "/somewhere")

    assert health.directory(HealthSettings()) == Path(f"/somewhere/fieldfare-{os.getuid()}")
    assert health.directory(HealthSettings(directory=Path("/run/x"))) == Path("/run/x")
