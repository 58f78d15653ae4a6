"""Do two processes work by the same settings? A fingerprint of each section tells.

What belongs to one process alone has none: which Redis user it is, where it logs and serves.
Secrets are left out, so nothing can be tried out on a fingerprint, and a process need not be given
those that it does not use.
"""

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, SecretStr

from worker.settings import Settings

OWN = frozenset({"redis", "health", "metrics", "tracing", "log"})
"""Sections that may differ from process to process."""

_LENGTH = 12


def fingerprints(settings: Settings) -> Mapping[str, str]:
    """A fingerprint for each section that all processes should have alike."""
    sections = [name for name in type(settings).model_fields if name not in OWN]
    return {name: _fingerprint(getattr(settings, name)) for name in sections}


def differing(settings: Settings, others: Mapping[str, str]) -> list[str]:
    """The sections in which a process has other settings, in order; those that it lacks left out.

    Args:
        settings: those to compare with.
        others: the fingerprints of the process.
    """
    ours = fingerprints(settings)
    return [name for name, one in ours.items() if others.get(name, one) != one]


def _fingerprint(value: Any) -> str:
    text = json.dumps(_open(value), sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:_LENGTH]


def _open(value: Any) -> Any:
    """Settings as plain data without secrets, and without what is not set."""
    match value:
        case SecretStr():
            return None
        case BaseModel():
            return _open({name: getattr(value, name) for name in type(value).model_fields})
        case Mapping():
            plain = {str(key): _open(item) for key, item in value.items()}
            return {key: item for key, item in plain.items() if item is not None}
        case list() | tuple():
            return [_open(item) for item in value]
        case set() | frozenset():
            return sorted(map(str, value))
        case _:
            return value
