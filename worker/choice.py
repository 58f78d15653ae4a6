"""Which tickets does somebody choose? The options of commands and tasks, judged in one place."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from worker import days
from worker.tickets.selection import OPEN_TYPES, Selection

_SHOWN = 3


@dataclass(frozen=True, slots=True)
class Choice:
    """Options that choose tickets. All that is said must hold; of several texts, one.

    Attributes:
        ticket: ids.
        number: numbers.
        customer_user: logins, as tickets have them.
        customer: customer ids, as tickets have them.
        queue: names, in full.
        state: names.
        state_type: names.
        open_tickets: those that are not done with.
        created_from: a day, or a time in the ticket system's zone; inclusive, as the others are.
        created_to: the last day or second.
        changed_from: of the last change.
        changed_to: of the last change.
    """

    ticket: Sequence[int] = ()
    number: Sequence[str] = ()
    customer_user: Sequence[str] = ()
    customer: Sequence[str] = ()
    queue: Sequence[str] = ()
    state: Sequence[str] = ()
    state_type: Sequence[str] = ()
    open_tickets: bool = False
    created_from: str = ""
    created_to: str = ""
    changed_from: str = ""
    changed_to: str = ""

    def given(self) -> Mapping[str, Any]:
        """What was said, by the name of its option on the command line."""
        said = asdict(self)
        said["open"] = said.pop("open_tickets")
        return {f"--{name.replace('_', '-')}": value for name, value in said.items()}

    def selection(
        self, *, listed: Sequence[int] = (), without_value: Sequence[str] = ()
    ) -> Selection:
        """The same in the ticket system's words.

        Args:
            listed: ids of further tickets, which may be gone.
            without_value: dynamic fields, of which at least one is to be empty.

        Raises:
            WrongSelection: what should be a day is none.
        """
        return Selection(
            tickets=tuple(self.ticket),
            listed=tuple(listed),
            numbers=tuple(self.number),
            customer_users=tuple(self.customer_user),
            customers=tuple(self.customer),
            queues=tuple(self.queue),
            states=tuple(self.state),
            state_types=(*self.state_type, *(OPEN_TYPES if self.open_tickets else ())),
            created_from=days.moment("--created-from", self.created_from),
            created_until=days.moment("--created-to", self.created_to, behind=True),
            changed_from=days.moment("--changed-from", self.changed_from),
            changed_until=days.moment("--changed-to", self.changed_to, behind=True),
            without_value=tuple(without_value),
        )


def words(given: Mapping[str, Any]) -> str:
    """Options as they would be written on the command line; long lists are counted."""
    said = []
    for name, value in given.items():
        if value is True:
            said.append(name)
        elif isinstance(value, Sequence) and not isinstance(value, str):
            more = [f"… {len(value) - _SHOWN} more"] if len(value) > _SHOWN else []
            said += [f"{name} {one}" for one in [*value[:_SHOWN], *more]]
        elif value not in {None, "", False}:
            said.append(f"{name} {value}")
    return " ".join(said)
