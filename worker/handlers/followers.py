"""Whose tickets are to follow after an event of the directory? Where no field follows, nobody's."""

from collections.abc import Iterable

from worker.events import CustomerUserChanged, DirectoryEvent
from worker.refresh_room import Kind as Whose
from worker.services import Services


def announce(events: Iterable[DirectoryEvent], services: Services) -> bool:
    """Have tickets follow; whether any rule has a field that follows.

    Of a customer user who was renamed those tickets follow that have the new login.

    Raises:
        redis.RedisError: Redis does not answer; announcing twice is harmless.
    """
    if not services.ruleset.refreshed("open", "all").rules:
        return False
    services.refresh_room.add(map(_whose, events))
    return True


def _whose(event: DirectoryEvent) -> tuple[Whose, str]:
    if isinstance(event, CustomerUserChanged):
        return "customer_user", event.renamed_to or event.login
    return "customer", event.customer_id
