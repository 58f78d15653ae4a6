"""Where do the settings come from, and who else can read the passwords in them?"""

import stat
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from dotenv import dotenv_values
from pydantic import BaseModel, SecretStr

from worker.checks.finding import Finding, ok, warning
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
    secrets = frozenset(_secrets(settings))
    for path, is_toml in files.items():
        if path.stat().st_mode & stat.S_IROTH and secrets & frozenset(_texts(path, is_toml)):
            yield warning(
                SUBJECT,
                f"{path} holds a password, and everybody on this machine can read it",
                "Whoever has an account here can reach what the password protects.",
                f"chmod o-r {path}, or keep passwords in files of their own "
                "(FIELDFARE_SECRETS_DIR).",
            )


def _secrets(value: Any) -> Iterator[str]:
    """Every secret in the settings; of URLs those with a password in them."""
    match value:
        case SecretStr():
            text = value.get_secret_value()
            if text and ("://" not in text or _has_password(text)):
                yield text
        case BaseModel():
            for name in type(value).model_fields:
                yield from _secrets(getattr(value, name))
        case Mapping():
            for item in value.values():
                yield from _secrets(item)


def _has_password(url: str) -> bool:
    try:
        return bool(urlsplit(url).password)
    except ValueError:
        return True  # it cannot be read, so nobody can say that it is harmless


def _texts(path: Path, is_toml: bool) -> Iterator[str]:
    """Every text in a settings file."""
    if is_toml:
        yield from _leaves(tomllib.loads(path.read_text(encoding="utf-8")))
    else:
        yield from filter(None, dotenv_values(path).values())


def _leaves(tree: Any) -> Iterator[str]:
    match tree:
        case str():
            yield tree
        case Mapping():
            for item in tree.values():
                yield from _leaves(item)
        case list():
            for item in tree:
                yield from _leaves(item)
