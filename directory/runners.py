"""Who runs a question that may never come back? A thread that waits for the next one if it does.

A thread for each question would cost as much as a quick question does. And a thread that ends while
the process forks leaves the child a lock of OpenSSL that nobody opens any more: psycopg's own copy
of it cleans up behind threads.
"""

import os
import threading
from collections.abc import Callable
from queue import SimpleQueue

NAME = "fieldfare-sql"


class Runners:
    """Threads that run what they are given, each one thing at a time.

    There are as many as have ever been busy at the same time. They never end by themselves, and
    keep no process alive. A child process begins without any.
    """

    def __init__(self) -> None:
        self._idle: list[SimpleQueue[Callable[[], object]]] = []
        self._pid = 0

    @property
    def idle(self) -> int:
        """How many threads of this process wait for work."""
        return len(self._idle) if self._pid == os.getpid() else 0

    def run(self, work: Callable[[], object]) -> None:
        """Have something run, beginning now; it must not raise."""
        if self._pid != os.getpid():
            self._idle, self._pid = [], os.getpid()
        try:
            orders = self._idle.pop()
        except IndexError:
            orders = SimpleQueue()
            serve = (orders, self._idle)
            threading.Thread(target=_serve, args=serve, name=NAME, daemon=True).start()
        orders.put(work)


def _serve(
    orders: "SimpleQueue[Callable[[], object]]", idle: "list[SimpleQueue[Callable[[], object]]]"
) -> None:
    while True:
        orders.get()()
        idle.append(orders)
