"""How far has the ticket history been swept? Redis knows; the next sweep goes on there."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import redis

CURSOR = "fieldfare:sweep"
LOCK = "fieldfare:sweep:lock"


@dataclass(frozen=True, slots=True)
class Cursor:
    """How far the history has been swept.

    Attributes:
        time: the database's time up to which every line was looked at; empty before the first.
        id: the highest id that was looked at by then.
    """

    time: str = ""
    id: int = 0


def read_cursor(client: "redis.Redis") -> Cursor:
    """How far the history has been swept."""
    answer: Any = client.hmget(CURSOR, ["time", "id"])
    time, id_ = answer
    return Cursor(time.decode() if time else "", int(id_ or 0))
