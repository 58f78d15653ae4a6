"""Which dynamic fields of customer users did a change touch? By number and id, for OTOBO's cache.

OTOBO knows values by a number that the customer user has with the ticket system, and fields by
their ids; a change names logins and variables.
"""

from collections.abc import Collection, Mapping
from functools import partial

from directory.customer_user_fields import places
from worker.handlers.changes import Change
from worker.services import Services


def touched(change: Change, services: Services) -> Mapping[int, Collection[int]]:
    """Ids of the fields that may have other values now, by the numbers of the customer users.

    Asks the ticket system only where the source has such fields and the change is about them. With
    a new login all of them are touched, and so they are where nobody knows what was written.

    Raises:
        DatabaseFault: the ticket system's database does not answer.
    """
    tickets = services.directory.companions.tickets
    names = _fields(change, services)
    if tickets is None or not names:
        return {}
    asked = partial(places, logins=change.customer_users, names=names)
    numbers, ids = tickets.ask(asked, tickets.deadline())
    return dict.fromkeys(numbers, ids)


def _fields(change: Change, services: Services) -> frozenset[str]:
    """The names of the dynamic fields."""
    everything = bool(change.renamed) or not change.fields
    return frozenset(
        entry.storage
        for source in services.directory.sources
        if change.source in {"", source.config.source_name}
        for entry in source.config.map
        if entry.storage_type == "dynamic_field" and (everything or entry.variable in change.fields)
    )
