import platform
import tomllib
from pathlib import Path

import pytest
from typer.testing import CliRunner

from worker import cli

PROJECT = tomllib.loads((Path(__file__).parents[3] / "pyproject.toml").read_text())["project"]


@pytest.mark.parametrize("words", [["--version"], ["--version", "status"]])
def test_the_versions_are_told_without_a_look_at_the_settings(words: list[str]) -> None:
    ran = CliRunner().invoke(cli.app, words, env={"FIELDFARE_CONFIG": "/no/such/file.toml"})

    assert ran.exit_code == 0
    assert ran.output == f"fieldfare {PROJECT['version']} (Python {platform.python_version()})\n"
