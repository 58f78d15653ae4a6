"""What a command imports: people wait for it at each Tab, and containers run one every half minute.

Each command runs in a process of its own, since this one has imported everything.
"""

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

HEAVY = {"sqlalchemy", "psycopg", "pymysql", "ldap3", "celery", "redis", "prometheus_client"}
"""Packages that talk to servers."""

SETTINGS = {"pydantic_settings"}
"""The package that reads the settings; the command line itself reads options with pydantic."""

SHOWING = {"rich", "structlog"}
"""Packages that show tables, and write logs."""

COMMAND = """
import json, sys
from worker.__main__ import main
sys.argv[0] = "fieldfare"
try:
    main()
finally:
    json.dump([name for name in sys.modules if "." not in name], sys.stderr)
"""


WORKER = """
import sys
from worker.run import application
application("events")
print(*sys.modules)
"""


def imported(*arguments: str, code: int = 0, **variables: str) -> tuple[str, set[str]]:
    """What a command prints that ends with a code, and the packages that it imported."""
    known: Mapping[str, str] = {
        name: value for name, value in os.environ.items() if not name.startswith("FIELDFARE_")
    }
    ended = subprocess.run(
        [sys.executable, "-c", COMMAND, *arguments],
        env={**known, **variables},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ended.returncode == code, ended.stderr
    return ended.stdout, set(json.loads(ended.stderr.splitlines()[-1]))


@pytest.mark.parametrize(
    "arguments",
    [["--help"], ["customer-user", "find", "--help"], ["--config", "f.toml", "status", "--help"]],
    ids=" ".join,
)
def test_help_reads_no_settings_and_knows_no_server(arguments: Sequence[str]) -> None:
    printed, packages = imported(*arguments)
    assert printed.startswith("Usage: fieldfare")
    assert packages & (HEAVY | SETTINGS | SHOWING) == set()


def test_neither_does_the_completion_of_a_command() -> None:
    printed, packages = imported(
        _FIELDFARE_COMPLETE="complete_bash", COMP_WORDS="fieldfare sta", COMP_CWORD="1"
    )
    assert printed.split() == ["status"]
    assert packages & (HEAVY | SETTINGS | SHOWING) == set()


def test_health_reads_settings_and_nothing_else(tmp_path: Path) -> None:
    (tmp_path / f"worker-{os.getpid()}").touch()
    printed, packages = imported(
        "health",
        FIELDFARE_HEALTH__DIRECTORY=str(tmp_path),
        FIELDFARE_CONFIG="examples/fieldfare.toml",
    )
    assert f"worker-{os.getpid()}: alive" in printed
    assert packages & (HEAVY | SHOWING) == set()
    assert packages >= SETTINGS


@pytest.mark.parametrize("arguments", [["status"], ["customer-user", "show", "jdoe"]], ids=" ".join)
def test_what_asks_redis_or_a_worker_knows_no_database(arguments: Sequence[str]) -> None:
    _, packages = imported(
        *arguments,
        code=3,  # nothing answers there
        FIELDFARE_CONFIG="examples/fieldfare.toml",
        FIELDFARE_REDIS__URL="redis://127.0.0.1:1/0",
    )
    assert packages & {"sqlalchemy", "psycopg", "pymysql", "ldap3"} == set()
    assert "redis" in packages


def test_a_ticket_worker_imports_its_handlers_before_it_forks_and_nobody_elses() -> None:
    ended = subprocess.run(
        [sys.executable, "-c", WORKER], capture_output=True, text=True, timeout=60, check=True
    )
    names = set(ended.stdout.split())
    assert names >= {f"worker.handlers.{name}" for name in ("enrich", "sweep", "second_look")}
    assert names & {"ldap3", "worker.admin", "worker.resync_app", "worker.demo"} == set()
