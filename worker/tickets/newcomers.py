"""May a screen be in the middle of writing what we are about to write over? Then we look again.

A screen deletes a field's rows, inserts its own, stamps the ticket and only then writes the
history line, each committed by itself. Before the line is there, its value looks like any other;
it would be written over, and the line would come behind ours and tell of a value that is gone. So
rows that were inserted within the last seconds are not written over at the first look. After
``PAUSE`` the screen's line is there, and what has none was no screen's. Nothing is locked
meanwhile, and what else is in the batch has been written.
"""

import time
from collections.abc import Callable, Iterable, Mapping

from mapping.model import Plan
from worker.tickets.store import Conflict

PAUSE = 0.3
"""Seconds. From a screen's INSERT to its line OTOBO takes some milliseconds."""

YOUNG = 2.0
"""Seconds that a row may at least stand before nobody asks any more who inserted it."""

UNFINISHED = Conflict("unfinished")


class Newcomers:
    """Which value rows are young, as this process has seen it.

    Rows have no time, but their ids rise: what is above an id that was the newest a while ago is
    younger than that. Costs one small statement every ``YOUNG`` seconds in which something is
    written over. What stands when a process first asks is taken for old.

    Args:
        newest: asks the ticket database for the newest row's id.
        pause: lets some seconds pass.
        clock: seconds of any origin.
    """

    def __init__(
        self,
        newest: Callable[[], int],
        pause: Callable[[float], object] = time.sleep,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._newest = newest
        self._pause = pause
        self._clock = clock
        self._old = -1
        self._asked: tuple[float, int] | None = None

    def holding(self) -> "Holding":
        """What is held back in one batch."""
        return Holding(self._young, self._pause)

    def _young(self, ids: Iterable[int]) -> bool:
        """Whether one of the rows is young."""
        now = self._clock()
        if self._asked is None or now - self._asked[0] >= YOUNG:
            newest = self._newest()
            self._old = newest if self._asked is None else self._asked[1]
            self._asked = now, newest
        return any(id_ > self._old for id_ in ids)


class Holding:
    """What was held back in one batch, each plan once for the same rows."""

    def __init__(
        self, young: Callable[[Iterable[int]], bool], pause: Callable[[float], object]
    ) -> None:
        self._young = young
        self._pause = pause
        self._seen: dict[int, Mapping[int, tuple[int, ...]]] = {}

    def conflicts(self, plans: Iterable[Plan]) -> dict[int, Conflict]:
        """The tickets that are to be looked at again before they are written."""
        held = [plan for plan in plans if self._is_held(plan)]
        self._seen |= {plan.ticket_id: plan.watched for plan in held}
        return dict.fromkeys((plan.ticket_id for plan in held), UNFINISHED)

    def pause(self) -> None:
        """Let the screens finish."""
        self._pause(PAUSE)

    def _is_held(self, plan: Plan) -> bool:
        replaced = [id_ for change in plan.changes for id_ in change.delete_ids]
        if not replaced or self._seen.get(plan.ticket_id) == plan.watched:
            return False
        return self._young(replaced)
