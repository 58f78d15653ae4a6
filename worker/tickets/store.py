"""What Fieldfare needs of a ticket system: read tickets in batches, apply plans safely."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol, TypeAlias

from mapping.model import DynamicField, Labels, Plan, TicketState


class TicketStoreError(Exception):
    """Something is wrong between Fieldfare and the ticket database."""


class TicketDatabaseUnavailable(TicketStoreError):
    """The ticket database does not answer, or refuses to be written to.

    Nothing is settled; the drain stops reading until the database is back.

    Attributes:
        reason: error class and message, free of secrets and of bound values.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(f"the ticket database is not available: {reason}")
        self.reason = reason


class TicketDatabaseMisfit(TicketStoreError):
    """The database is not the ticket system's that Fieldfare expects.

    Attributes:
        problem: what is missing, where, and what to do.
    """

    def __init__(self, problem: str) -> None:
        super().__init__(problem)
        self.problem = problem


@dataclass(frozen=True, slots=True)
class Loaded:
    """Tickets and the definitions of the mapped fields, read together.

    Attributes:
        tickets: by ticket id; a ticket that does not exist is missing.
        fields: by field name, of any object type, valid or not; an unknown name is missing.
    """

    tickets: Mapping[int, TicketState]
    fields: Mapping[str, DynamicField]


@dataclass(frozen=True, slots=True)
class Applied:
    """A plan was written whole.

    Attributes:
        fields: names of the fields that were written.
        added: ids of our rows in the fields to which rows were added, by field id; a screen may
            still insert beside them, see ``TicketStore.take_out``.
    """

    fields: tuple[str, ...]
    added: Mapping[int, Collection[int]] = field(default_factory=dict, compare=False)


@dataclass(frozen=True, slots=True)
class Conflict:
    """Somebody changed the ticket since the plan was made; nothing was written; plan anew.

    Attributes:
        reason: ``ticket_gone``, ``customer_user_changed``, ``rows_changed``, ``foreign_line``, or
            ``unfinished`` where a screen may be in the middle of writing (``newcomers``).
    """

    reason: str


@dataclass(frozen=True, slots=True)
class Refused:
    """The database refuses a value: letters outside its character set, a text it finds too long.

    Nothing of the plan was written, and planning anew changes nothing.

    Attributes:
        reason: error class and code, free of values.
    """

    reason: str


@dataclass(frozen=True, slots=True)
class Traces:
    """What writing leaves behind in a ticket, beside its values.

    Attributes:
        change_time: ``ticket.change_time`` and ``change_by``, by which agents sort and search.
        history: a line for each field. Without them nobody can tell later who wrote the values;
            the sweep looks at the tickets once more; a copy in OTOBO's cache stays for hours if a
            worker is killed just behind COMMIT; and where a screen empties a field in the very
            moment in which it is filled, the value stays.
    """

    change_time: bool = True
    history: bool = True


ALL_TRACES = Traces()

Added: TypeAlias = Mapping[tuple[int, int], Collection[int]]
"""Ids of our rows, by ticket id and field id, where at least one was added."""

Result: TypeAlias = Applied | Conflict | Refused


class TicketStore(Protocol):
    """The ticket system's database. Connects when first asked; recovers by itself."""

    def check_schema(self) -> None:
        """Make sure that this is a ticket system, and that the worker's agent can be used.

        Raises:
            TicketDatabaseMisfit: what is missing, and what to do.
            TicketDatabaseUnavailable: the database does not answer.
        """
        ...

    def worker_user_id(self) -> int:
        """The id of the agent that the worker writes as.

        Raises:
            TicketDatabaseMisfit: there is no such agent, or it must not be used.
            TicketDatabaseUnavailable: the database does not answer.
        """
        ...

    def load(self, ticket_ids: Sequence[int], field_names: Collection[str]) -> Loaded:
        """Read tickets, their value rows of the named fields, and their history.

        A few set-based statements, whatever the number of tickets.

        Raises:
            TicketDatabaseUnavailable: the database does not answer.
        """
        ...

    def apply(self, plans: Sequence[Plan], traces: Traces = ALL_TRACES) -> Mapping[int, Result]:
        """Write plans in short transactions, in id order, as design section 1.3 says.

        A plan without changes is not written and counts as ``Applied(())``. Each ticket is
        written whole or not at all; a conflict on one ticket does not hold up the others. A
        deadlock or serialisation error repeats the transaction.

        Returns:
            A result for each plan, by ticket id.

        Raises:
            TicketDatabaseUnavailable: the database does not answer; what was not committed
                was rolled back, and applying the same plans again is harmless.
        """
        ...

    def newest_row_id(self) -> int:
        """The highest id of all value rows; 0 if there is none.

        Raises:
            TicketDatabaseUnavailable: the database does not answer.
        """
        ...

    def take_out(self, added: Added) -> Added:
        """Delete our rows where a screen wrote the field that had begun before ``apply``.

        Meant to be called some seconds later, and again: see ``worker.tickets.second_look``.

        Args:
            added: ids of our rows, by ticket id and field id.

        Returns:
            The part of ``added`` that was deleted.

        Raises:
            TicketDatabaseUnavailable: the database does not answer; calling again is harmless.
        """
        ...

    def labels(self, references: Collection[tuple[str, str]]) -> Labels:
        """Readable texts of references to agents (``("Agent", user id)``), for history lines.

        Unknown ones are missing. Other reference types are the directory's to name.
        """
        ...

    def close(self) -> None:
        """Close connections; the next call opens them again."""
        ...
