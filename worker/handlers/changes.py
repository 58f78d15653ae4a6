"""What does an admin call that writes give back? What the caller is told, and what follows from it.

What follows is the same for all of them, and done in one place: copies that the workers keep are
dropped, an event says that something changed, and a line in the audit says who asked.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Change:
    """Something was written.

    Attributes:
        told: for the caller, plain data; may hold a password that was made, so no repr shows it.
        source: where: ``CustomerUser1``, ``CustomerCompany``.
        customer_users: logins whose data changed, both spellings of one that was renamed.
        customers: ids of customers whose data changed.
        fields: the variables that were written, by name only.
        renamed: the new login, if ``customer_users`` begins with the old one.
    """

    told: Mapping[str, Any] = field(repr=False)
    source: str
    customer_users: tuple[str, ...] = ()
    customers: tuple[str, ...] = ()
    fields: tuple[str, ...] = ()
    renamed: str = ""
