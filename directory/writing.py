"""Who writes to a source, and was it changed since somebody looked?"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from directory.errors import DirectoryError
from directory.model import Attributes, AttributeValue


@dataclass(frozen=True, slots=True)
class Author:
    """Who writes, and when.

    Attributes:
        user_id: the agent's id in the ticket system.
        moment: ``YYYY-MM-DD HH:MM:SS`` in the ticket system's time zone.
    """

    user_id: int
    moment: str


def version(attributes: Attributes) -> str:
    """A short digest of what is stored: equal as long as nobody changes a value.

    Args:
        attributes: the values of the Map's variables, without stamps and passwords.
    """

    def plain(value: AttributeValue) -> object:
        return value.hex() if isinstance(value, bytes) else value

    told = {name: plain(value) for name, value in attributes.items()}
    return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()[:16]


class RolledBack(DirectoryError):
    """It was only to be seen what would be written; raised within a transaction to end it.

    Attributes:
        results: what would have become of each row.
    """

    def __init__(self, results: Mapping[Any, Any]) -> None:
        super().__init__("taken back, as it was a dry run")
        self.results = results
