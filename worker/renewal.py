"""How does a process that is slow say that it is not dead? A thread says so while it is at work.

The thread stays until nothing was done for a while. One for each batch would be started and waited
for each time, which took a thirtieth of what tickets cost that do not change.
"""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

NAME = "fieldfare-renewal"


class Renewal:
    """Renews what a process holds while it is at work, every so many seconds.

    Used by one thread at a time. A child process begins without the thread of its parent.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._renew: Callable[[], object] | None = None
        self._begun = 0
        self._thread: threading.Thread | None = None

    @contextmanager
    def at_work(self, renew: Callable[[], object], every: float) -> Iterator[None]:
        """Renew while the block runs.

        Args:
            renew: called by another thread, perhaps once more just behind the block.
            every: seconds.
        """
        with self._lock:
            self._renew = renew
            self._begun += 1
            if self._thread is None or not self._thread.is_alive():
                watch = threading.Thread(target=self._watch, args=(every,), name=NAME, daemon=True)
                watch.start()
                self._thread = watch
        try:
            yield
        finally:
            self._renew = None

    def _watch(self, every: float) -> None:
        """Renew, until no work was begun for as long as it takes to renew once."""
        pause = threading.Event()
        seen = 0
        while True:
            pause.wait(every)
            with self._lock:
                renew = self._renew
                if renew is None and seen == self._begun:
                    self._thread = None  # it may look alive for a moment more
                    return
                seen = self._begun
            if renew is not None:
                renew()
