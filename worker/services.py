"""Everything a handler works with, built once for each process by ``worker.bootstrap``."""

from collections.abc import Callable
from dataclasses import dataclass
from zoneinfo import ZoneInfo

from directory.breaker import Observation
from directory.directory import Directory
from mapping.precedence import Precedence
from mapping.rules import Ruleset
from worker.added import AddedRows
from worker.guard import Guard
from worker.inbox import Inbox
from worker.refresh_room import RefreshRoom
from worker.settings import Settings
from worker.source_states import SourceStates
from worker.tickets.customer_groups import CustomerGroups
from worker.tickets.erasing import Erasing
from worker.tickets.filled import FilledFields
from worker.tickets.history import HistoryLog
from worker.tickets.moving import TicketMoves
from worker.tickets.newcomers import Newcomers
from worker.tickets.otobo_cache import OtoboCache
from worker.tickets.past import FieldPast
from worker.tickets.selection import TicketIndex
from worker.tickets.store import TicketStore


@dataclass(frozen=True, slots=True)
class Services:
    """The parts, connected; a test builds the same over its own servers.

    Attributes:
        zone: the time zone of the times in the ticket database.
        probe: searches for nobody, in the source of a slot or by a reader of
            ``directory.companions``, over a connection of its own; may be called in any thread.
        newcomers: knows which value rows are young.
        added: which rows were added a moment ago.
        refresh_room: whose tickets are still to follow.
    """

    settings: Settings
    zone: ZoneInfo
    directory: Directory
    ruleset: Ruleset
    tickets: TicketStore
    history: HistoryLog
    ticket_index: TicketIndex
    customer_groups: CustomerGroups
    past: FieldPast
    ticket_moves: TicketMoves
    filled: FilledFields
    erasing: Erasing
    otobo_cache: OtoboCache
    inbox: Inbox
    source_states: SourceStates
    probe: Callable[[str], Observation]
    guard: Guard
    newcomers: Newcomers
    added: AddedRows
    refresh_room: RefreshRoom

    def precedence(self) -> Precedence:
        """The precedence settings, with the id of the worker's user.

        Raises:
            TicketDatabaseMisfit: there is no such agent, or it must not be used.
            TicketDatabaseUnavailable: the ticket database does not answer.
        """
        return self.settings.precedence.of(self.tickets.worker_user_id())

    def close(self) -> None:
        """Close all connections; what is asked next opens them again."""
        self.directory.close()
        self.tickets.close()
        self.otobo_cache.close()
        self.inbox.client.close()
