"""How long something took, by a clock that is late when the machine has no time for the tests.

A deadline is kept or not kept by the code; how long a test then waits for a core that others use
proves nothing about it. So the clock is a thread beside what is measured that counts its own short
waits: on an idle machine they add up to the time of day, on a busy one each of them is late too.
"""

import threading
from types import TracebackType
from typing import Final, Self

TICK: Final = 0.01


class Stopwatch:
    """Measures the block that it is entered for, in seconds."""

    def __init__(self) -> None:
        self._ticks = 0
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._count)

    @property
    def seconds(self) -> float:
        """So far, or when the block was left."""
        return self._ticks * TICK

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stopped.set()
        self._thread.join()

    def _count(self) -> None:
        while not self._stopped.wait(TICK):
            self._ticks += 1
