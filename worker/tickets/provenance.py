"""Whose values do a ticket's fields and history lines hold? Its lines tell; nothing else is asked.

A value that the worker wrote is the value of the customer user whom the ticket had at that moment:
the one named by the newest CustomerUpdate line before it. Lines by others hold what others wrote.
A line with a cut name may be about every field that begins so. The newest of all lines that may be
about a field decides, so in doubt a value counts as somebody else's (design section 1.4).
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum, auto

from mapping.model import HistoryLine, HistoryType
from mapping.precedence import may_name
from worker.tickets.history import CUT, FIELD_MARK, NAME_LENGTH, OLD_MARK, VALUE_MARK
from worker.tickets.past import FieldUpdate, read_update

ERASED = "(erased)"
"""Stands in a line of the worker for a value that is to be forgotten."""

_USER_MARK = "CustomerUser="


class Holder(Enum):
    """Whose a value is."""

    THEIRS = auto()
    """The customer user's, written by the worker."""
    ANOTHERS = auto()
    """Another customer user's, written by the worker."""
    SOMEBODYS = auto()
    """Written by somebody else than the worker."""


@dataclass(frozen=True, slots=True)
class Traces:
    """What the lines of a ticket tell of a customer user.

    Attributes:
        erased: what lines of the worker that hold values of theirs would say without them, by the
            line's id; those that say so already are missing.
        foreign: ids of lines by others that may hold values of theirs: they replaced one, or were
            written while the ticket was theirs.
        naming: whether a CustomerUpdate line names them.
    """

    erased: Mapping[int, str]
    foreign: Sequence[int]
    naming: bool
    _written: Sequence[tuple[str, Holder]] = field(repr=False)

    def holder(self, name: str) -> Holder:
        """Whose the value is that stands in a field, going by the newest line about it."""
        for text, holder in reversed(self._written):
            if may_name(text, name):
                return holder
        return Holder.SOMEBODYS

    def names(self) -> Iterator[str]:
        """The fields that the worker wrote for them, as far as lines name them in full."""
        for text, holder in self._written:
            told = read_update(text)
            if holder is Holder.THEIRS and not told.cut:
                yield told.field


def trace(  # noqa: PLR0913 - all that it depends on
    lines: Sequence[HistoryLine],
    *,
    worker: int,
    logins: Collection[str],
    customer_user: str,
    keep: Collection[str] = (),
    placeholders: Collection[str] = (),
) -> Traces:
    """What the lines of a ticket tell of a customer user.

    Args:
        lines: all of the types CustomerUpdate and TicketDynamicFieldUpdate, in id order.
        worker: the worker's user.
        logins: the customer user's, in every spelling that counts.
        customer_user: the ticket's now.
        keep: names of fields whose lines stay as they are.
        placeholders: texts that may stand in lines, since they are nobody's.
    """
    updates = [line.name for line in lines if line.type == HistoryType.CUSTOMER_UPDATE]
    named = [_names(line, logins) for line in updates]
    nobodys = {"", ERASED, *placeholders}
    # Tickets that came from elsewhere may have no line that names anybody.
    theirs = all(one is None for one in named) and customer_user in logins
    written: list[tuple[str, Holder]] = []
    newest: dict[tuple[str, bool], Holder] = {}
    erased: dict[int, str] = {}
    foreign: list[int] = []
    for line in lines:
        if line.type == HistoryType.CUSTOMER_UPDATE:
            told = _names(line.name, logins)
            theirs = theirs if told is None else told
            continue
        update = read_update(line.name)
        before = _before(newest, update)
        if line.create_by != worker:
            holder = Holder.SOMEBODYS
            if theirs or before is Holder.THEIRS:
                foreign.append(line.id)
        else:
            holder = Holder.THEIRS if theirs else Holder.ANOTHERS
            old = before is Holder.THEIRS or (theirs and before is not Holder.ANOTHERS)
            kept = not update.cut and update.field in keep
            text = line.name if kept else _erased(line.name, update, nobodys, new=theirs, old=old)
            if text != line.name:
                erased[line.id] = text
        newest[update.field, update.cut] = holder
        written.append((line.name, holder))
    return Traces(erased, foreign, any(named), written)


def _before(newest: Mapping[tuple[str, bool], Holder], update: FieldUpdate) -> Holder | None:
    """Whose the value was that a line replaced; theirs, if it may have been theirs."""
    found = [
        holder
        for (name, cut), holder in newest.items()
        if name == update.field
        or (cut and update.field.startswith(name))
        or (update.cut and name.startswith(update.field))
    ]
    return Holder.THEIRS if Holder.THEIRS in found else (found[-1] if found else None)


def _erased(
    line: str, update: FieldUpdate, nobodys: Collection[str], *, new: bool, old: bool
) -> str:
    """A line without the values that are to be forgotten."""
    if not (new or old):
        return line
    name = line.removeprefix(FIELD_MARK).partition("%%")[0]
    if update.new is None or update.old is None:
        # It cannot be told where its values begin.
        name = name if line.startswith(FIELD_MARK) else CUT
        return f"{FIELD_MARK}{name}{VALUE_MARK}{ERASED}{OLD_MARK}"
    values = (
        ERASED if erase and value not in nobodys else value
        for value, erase in ((update.new, new), (update.old, old))
    )
    return (FIELD_MARK + name + VALUE_MARK + OLD_MARK.join(values))[:NAME_LENGTH]


def _names(line: str, logins: Collection[str]) -> bool | None:
    """Whether a CustomerUpdate line names one of the logins; None if it names no customer user."""
    _, mark, rest = line.rpartition(_USER_MARK)
    if not mark:
        return None
    if rest.endswith(";"):
        return rest[:-1] in logins
    return len(line) >= NAME_LENGTH and any(login.startswith(rest) for login in logins)
