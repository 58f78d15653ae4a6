"""How is the inbox of a test? In the numbers of ``fieldfare status``."""

from collections.abc import Mapping
from dataclasses import dataclass

from pydantic import SecretStr

from worker import status
from worker.inbox import Inbox
from worker.settings import Settings, TicketSettings

_WITHOUT_SOURCES = Settings.model_construct(tickets=TicketSettings(url=SecretStr("sqlite://")))


@dataclass(frozen=True, slots=True)
class Stats:
    """The inbox at a glance.

    Attributes:
        length: entries in the inbox, pending ones included.
        oldest_seconds: age of the entry that is next, by the server's clock; None when empty.
        pending: number of entries in hand, by consumer.
        waiting: number of entries in each waiting room that is not empty, by slot.
        dead: number of dead letters.
    """

    length: int
    oldest_seconds: float | None
    pending: Mapping[str, int]
    waiting: Mapping[str, int]
    dead: int


def stats(inbox: Inbox) -> Stats:
    """The numbers of this moment."""
    found = status.read(inbox.client, _WITHOUT_SOURCES)
    return Stats(
        length=found.inbox.length,
        oldest_seconds=found.inbox.oldest_seconds,
        pending=found.pending,
        waiting={
            source.removeprefix("CustomerUser"): room.length
            for source, room in found.orphans.items()
        },
        dead=found.dead.count,
    )
