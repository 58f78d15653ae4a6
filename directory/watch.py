"""Whom did a lookup ask, and how did they answer? That is what opens and closes circuits."""

import time
from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType
from typing import TypeVar

from directory.breaker import Observation
from directory.database import DatabaseFault
from directory.model import Answer, Unavailable

T = TypeVar("T")

NO_OUTAGES: Mapping[str, str] = MappingProxyType({})
"""Everybody may be asked."""


class Watch:
    """What one lookup saw.

    Args:
        outages: why sources (by slot) and readers (by name) are not to be asked.

    Attributes:
        seen: how those answered that were asked, by slot or name.
    """

    def __init__(self, outages: Mapping[str, str] = NO_OUTAGES) -> None:
        self.outages = outages
        self.seen: dict[str, Observation] = {}

    def source(self, slot: str, ask: Callable[[], Mapping[str, Answer]]) -> Mapping[str, Answer]:
        """Ask a source; what the cache knew says nothing of it.

        A source that answered for one login works, whatever became of the others.
        """
        began = time.monotonic()
        said = ask()
        asked = [one for one in said.values() if isinstance(one, Unavailable) or not one.cached]
        if asked:
            self.seen[slot] = Observation(_silence(asked), time.monotonic() - began)
        return said

    def reader(self, name: str, ask: Callable[[], T]) -> T:
        """Ask one of the readers of ``directory.companions``.

        Raises:
            DatabaseFault: it did not answer, or is not to be asked.
        """
        if name in self.outages:
            raise DatabaseFault(self.outages[name])
        began = time.monotonic()
        reason = ""
        try:
            return ask()
        except DatabaseFault as fault:
            reason = fault.reason or type(fault).__name__
            raise
        finally:
            self.seen[name] = Observation(reason, time.monotonic() - began)


def _silence(asked: Iterable[Answer]) -> str:
    """Why none of them is an answer; empty if one is."""
    reason = ""
    for one in asked:
        if not isinstance(one, Unavailable):
            return ""
        reason = reason or one.reason or "it did not say why"
    return reason
