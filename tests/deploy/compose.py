"""What docker-compose.yml says, as Debian's docker-compose reads it."""

import functools
import os
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from tests.servers.process import find_program

ROOT = Path(__file__).parents[2]
FILE = ROOT / "docker-compose.yml"

OURS = ("worker", "admin", "resync", "beat")
PROFILES: Mapping[str, tuple[str, ...]] = {
    "": ("valkey", *OURS),
    "demo": ("postgres", "ldap"),
    "monitoring": ("flower", "prometheus", "grafana"),
}
SERVICES = tuple(name for names in PROFILES.values() for name in names)


def config(*profiles: str, **variables: str) -> dict[str, Any]:
    """The whole file with these profiles, anchors and variables resolved.

    Raises:
        AssertionError: docker-compose does not accept it; with what it says.
    """
    chosen = [word for profile in profiles if profile for word in ("--profile", profile)]
    done = subprocess.run(
        [find_program("docker-compose", "docker-compose"), *chosen, "config"],
        cwd=ROOT,
        env={"PATH": os.environ["PATH"], **variables},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = yaml.safe_load(done.stdout)
    return found


@functools.cache
def whole() -> dict[str, Any]:
    """The file with every profile."""
    return config(*PROFILES)


def service(name: str) -> dict[str, Any]:
    found: dict[str, Any] = whole()["services"][name]
    return found


def seconds(text: str) -> int:
    """docker-compose writes 75 seconds as 1m15s."""
    minutes, _, rest = text.rpartition("m")
    return 60 * int(minutes or 0) + int(rest.removesuffix("s") or 0)


def written() -> dict[str, Any]:
    """The file as it is written; anchors are resolved and nothing else."""
    found: dict[str, Any] = yaml.safe_load(FILE.read_text())
    return found
