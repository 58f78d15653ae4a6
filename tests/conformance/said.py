"""What did the directory say to a call? Its meaning, and why there may be no more of it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Said:
    """An answer of the directory.

    Attributes:
        result: what it means; ``unavailable`` where a source does not answer.
        reason: why there is no answer.
        among: where a limit left it to the server whom it tells: all that it could have told.
    """

    result: Any
    reason: str = ""
    among: Mapping[str, str] | None = None

    def agrees(self, theirs: Any) -> bool:
        """Whether it means the same as what was recorded."""
        if self.among is None or not isinstance(theirs, Mapping):
            return bool(self.result == theirs)
        return len(theirs) == len(self.result) and theirs.items() <= self.among.items()
