"""What does Prometheus itself say of its files? Asked of promtool, with nothing served."""

import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from yaml import safe_dump

from tests.servers.process import find_program

ROOT = Path(__file__).parents[2]


def promtool(*arguments: str) -> None:
    """Run it to its end, which must be a good one."""
    program = find_program("promtool", "prometheus", ROOT / "build")
    done = subprocess.run([program, *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def checks(kind: str, file: Path) -> None:
    """``kind`` is ``config``, with the files of rules that it names, or ``rules``."""
    promtool("check", kind, str(file))


def plays(rules: Path, scenes: list[Mapping[str, Any]], folder: Path) -> None:
    """Play what series were like, and compare what the rules make of them."""
    file = folder / "scenes.yml"
    file.write_text(
        safe_dump({"rule_files": [str(rules)], "evaluation_interval": "1m", "tests": scenes})
    )
    promtool("test", "rules", str(file))
