"""How quickly were tickets handled? The log of a worker tells, to the millisecond."""

from collections.abc import Iterable, Sequence
from datetime import datetime

from tests.faults.workers import Worker


class Pace:
    """The first time that each ticket was handled."""

    def __init__(self, worker: Worker) -> None:
        self._ended: dict[int, float] = {}
        self._lasted: dict[int, float] = {}
        for line in worker.lines("ticket.enriched"):
            ticket = line["ticket_id"]
            if ticket not in self._ended:  # whoever waited comes again
                self._ended[ticket] = datetime.fromisoformat(line["timestamp"]).timestamp()
                self._lasted[ticket] = line["duration_ms"] / 1000

    def rate(self, shares: Iterable[Sequence[int]]) -> float:
        """Tickets a second, over several times in which some tickets were handled."""
        tickets, seconds = 0, 0.0
        for share in shares:
            begin = min(self._ended[ticket] - self._lasted[ticket] for ticket in share)
            seconds += max(self._ended[ticket] for ticket in share) - begin
            tickets += len(share)
        return tickets / seconds

    def longest(self, tickets: Iterable[int]) -> float:
        """Seconds that the longest batch took in which one of these tickets was."""
        return max(self._lasted[ticket] for ticket in tickets)
