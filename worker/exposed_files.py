"""Which settings files hold a password that everybody on this machine can read?

Passwords belong into files of their own, or into a file that only the worker's user reads; a file
that others may read is told, at the start of a worker and by ``fieldfare check``, and still used.
"""

import stat
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from dotenv import dotenv_values
from pydantic import BaseModel, SecretStr

from worker.settings import Settings, find_file

ENV_FILE = Path(".env")

ADVICE = "chmod o-r {}, or keep passwords in files of their own (FIELDFARE_SECRETS_DIR)."
"""What to do about a file."""


def settings_files() -> Mapping[Path, bool]:
    """The settings files that are read; whether each is the TOML file, else it is a ``.env``."""
    toml = find_file()
    return {
        **({toml: True} if toml is not None else {}),
        **({ENV_FILE: False} if ENV_FILE.is_file() else {}),
    }


def exposed(settings: Settings, files: Mapping[Path, bool]) -> list[Path]:
    """The files that others may read and that hold a password of these settings.

    Args:
        settings: the effective settings.
        files: as ``settings_files`` gives them.
    """
    secrets = frozenset(_secrets(settings))
    return [
        path
        for path, is_toml in files.items()
        if path.stat().st_mode & stat.S_IROTH and secrets & frozenset(_texts(path, is_toml))
    ]


def _secrets(value: Any) -> Iterator[str]:
    """Every secret in the settings; of URLs those with a password in them."""
    match value:
        case SecretStr():
            if text := value.get_secret_value():
                yield text
        case BaseModel():
            for name in type(value).model_fields:
                found = _secrets(getattr(value, name))
                yield from filter(_has_password, found) if name == "url" else found
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
