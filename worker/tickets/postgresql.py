"""How long may a PostgreSQL server say nothing? As long as it was given, and not for ever.

The server's own ``statement_timeout`` helps only while the server works: one that is frozen, or
whose network swallows what it says, keeps the driver waiting without an end. Celery would kill
the process then, and the event at hand would be blamed for an outage.
"""

import time
from typing import Any, TypeVar

import psycopg
from psycopg.abc import PQGen
from psycopg.waiting import Ready

_Answer = TypeVar("_Answer")


class ImpatientConnection(psycopg.Connection[Any]):
    """A connection that closes itself when an answer takes longer than it may.

    Attributes:
        patience: seconds for each answer; set once the connection stands, for which
            ``connect_timeout`` is there.
    """

    patience = float("inf")

    def wait(self, gen: PQGen[_Answer], *args: Any, **options: Any) -> _Answer:
        """Wait for an answer; the driver looks up from waiting every tenth of a second."""
        return super().wait(self._in_time(gen), *args, **options)

    def _in_time(self, asking: PQGen[_Answer]) -> PQGen[_Answer]:
        deadline = time.monotonic() + self.patience
        try:
            wanted = next(asking)
            while True:
                ready = yield wanted
                if ready == Ready.NONE and time.monotonic() > deadline:
                    self.pgconn.finish()
                    msg = "the server fell silent"
                    raise psycopg.OperationalError(msg)
                wanted = asking.send(ready)
        except StopIteration as answered:
            answer: _Answer = answered.value
            return answer
