"""Where do the settings come from, and who else can read the passwords in them?"""

from collections.abc import Iterator, Mapping
from pathlib import Path

from worker.checks.finding import Finding, ok, warning
from worker.exposed_files import ADVICE, exposed
from worker.settings import Settings

SUBJECT = "settings"


def check(settings: Settings, files: Mapping[Path, bool]) -> Iterator[Finding]:
    """Look at the settings and at the files that they came from.

    Args:
        settings: the effective settings.
        files: the files that were read; whether each is the TOML file, else it is a ``.env``.
    """
    if not settings.mapping.ruleset().rules:
        yield warning(
            SUBJECT,
            "no variable is mapped to a dynamic field",
            "Events are handled and nothing is written.",
            'Add [mapping.variables]: UserPhone = "CustomerPhone".',
        )
    where = ", ".join(str(path) for path in files) or "the environment alone"
    yield ok(SUBJECT, f"read from {where}")
    for path in exposed(settings, files):
        yield warning(
            SUBJECT,
            f"{path} holds a password, and everybody on this machine can read it",
            "Whoever has an account here can reach what the password protects.",
            ADVICE.format(path),
        )
