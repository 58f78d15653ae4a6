"""Who wins a field, the frontend or the directory? The frontend, as of the event's moment.

In OTOBO the module runs inside the request and the screen writes after it, so what was submitted
stays (observed rules 48 to 51). A worker runs later; the ticket's history tells it what happened
(design section 1.4). The **anchor** is the line of the moment: the ticket's creation, or the
newest setting of its customer user. Where a line or a name is in doubt, the frontend wins.

The worker itself sets a ticket's customer user only when the same person gets another login. Such
a line is no anchor: nobody submitted anything then, and what agents wrote before stays.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import lru_cache
from types import MappingProxyType
from typing import Literal, NamedTuple, TypeAlias

from mapping.model import EventHint, HistoryLine, HistoryType, Reason, TicketState

Levels: TypeAlias = Mapping[str, int]
"""``Ticket::Frontend::<Screen>###DynamicField``: 0 off, 1 enabled, 2 required, by field name."""

SCREENS: Mapping[str, str] = MappingProxyType(
    {
        "PhoneCallCustomer": "AgentTicketPhone",
        "EmailAgent": "AgentTicketEmail",
        "WebRequestCustomer": "CustomerTicketMessage",
        "EmailCustomer": "PostMaster",
        "NewTicket": "GenericInterface",
    }
)
"""The creating screen by the history type of the first article, as shipped (spec 2.5).

A mail and a web service are told by it too. They own no fields unless the settings say so: they
write only what was sent, and that leaves lines behind.
"""

TOLERANCE = 2.0
"""Seconds by which clocks may differ, and which may lie between two lines of one request."""

_CUT = "[...]"
_MAX_LINE = 200  # characters of ticket_history.name

# As plain texts: getting a member of an Enum costs more than all that is done with a line.
_NEW_TICKET = HistoryType.NEW_TICKET.value
_CUSTOMER_UPDATE = HistoryType.CUSTOMER_UPDATE.value
_FIELD_UPDATE = HistoryType.FIELD_UPDATE.value


@dataclass(frozen=True, slots=True)
class Precedence:
    """The settings.

    Attributes:
        worker_user_id: the user whose lines are the worker's own.
        overruled: no value of the frontend is kept, also of what was written later: somebody asked
            for the directory's, knowing that.
        enabled: False is the order that OTOBO has with ``Transaction 1``: the directory wins over
            what the same request submitted, and over nothing later.
        unknown_frontend: when the creating screen cannot be told, whether a field that is enabled
            on any creating screen is kept or written.
        screens: levels by screen.
        screen_by_history_type: more history types of first articles; they go before ``SCREENS``.
    """

    worker_user_id: int
    enabled: bool = True
    overruled: bool = False
    unknown_frontend: Literal["keep", "write"] = "keep"
    screens: Mapping[str, Levels] = field(default_factory=lambda: MappingProxyType({}))
    screen_by_history_type: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))


class Written(NamedTuple):
    """The fields that some TicketDynamicFieldUpdate lines are about, or could be.

    Attributes:
        whole: names that stand in a line in full.
        cut: what is left of names that may go on; empty where nobody can say which field it was.
    """

    whole: frozenset[str] = frozenset()
    cut: tuple[str, ...] = ()

    def may_name(self, name: str) -> bool:
        """Whether one of the lines is about a field, or could be."""
        return name in self.whole or name.startswith(self.cut)


class Moment(NamedTuple):
    """What is known of the request that raised the event; the same for all fields of a ticket.

    Attributes:
        anchor: the line of the moment; None if the history has none.
        creation: the anchor belongs to the ticket's creation.
        screens: the screens that events named, or the one that was inferred; may be none.
        submitted: names of the fields that the request submitted.
        owning: levels of each screen that owns fields here.
        later: what somebody else wrote, and what wins over the directory.
        edits: what somebody else wrote since the customer user changed.
        free: none of this keeps any field, as with most tickets.
    """

    anchor: HistoryLine | None
    creation: bool
    screens: tuple[str, ...]
    submitted: frozenset[str]
    owning: tuple[Levels, ...]
    later: Written
    edits: Written
    free: bool


NOTHING = Written()
_NO_NAMES: frozenset[str] = frozenset()


def moment(ticket: TicketState, hints: Iterable[EventHint], precedence: Precedence) -> Moment:
    """Find the events' moment in the history of a ticket."""
    history = ticket.history
    created, named, writes = _sorted(history)
    updates = _foreign(named, precedence.worker_user_id)
    anchor = _anchor(created, updates)
    creation = anchor is not None and _belongs_to_creation(history, anchor, created, updates)
    applying = [hint for hint in hints if _applies(hint, anchor, creation=creation)]
    screens: tuple[str, ...] = ()
    if told := [hint.screen for hint in applying if hint.screen]:
        screens = tuple(dict.fromkeys(told))
    elif creation and created is not None:
        screens = _inferred_screen(history, created, precedence)
    later = edits = NOTHING
    if foreign := _foreign(writes, precedence.worker_user_id):
        if anchor is not None and not precedence.enabled:
            # What the request itself wrote loses only if precedence is off.
            losing = set(_request(history, anchor, applying, precedence.worker_user_id))
            foreign = [line for line in foreign if line.id not in losing]
        behind = anchor.id if anchor is not None else 0
        worker = precedence.worker_user_id
        changed = _customer_user_set(named, ticket.customer_user or "", worker)
        later = _written([line.name for line in foreign if line.id > behind])
        edits = later
        if changed != behind:
            edits = _written([line.name for line in foreign if line.id > changed])
    submitted = _NO_NAMES.union(*[hint.fields for hint in applying if hint.fields])
    owning = _owning(screens, precedence, creation=creation) if precedence.screens else ()
    free = not (submitted or owning) and later is NOTHING and edits is NOTHING
    return Moment(anchor, creation, screens, submitted, owning, later, edits, free)


def kept(name: str, now: Moment, precedence: Precedence, *, keep_edits: bool) -> Reason | None:
    """Why a field keeps the frontend's value; None if the directory's is to be written.

    Args:
        name: the field's name.
        now: what ``moment`` found.
        precedence: the settings.
        keep_edits: the rule's ``on_manual_edit`` is ``keep`` (deviation D16).
    """
    if precedence.overruled:
        return None
    if precedence.enabled:
        if name in now.submitted:
            return Reason.SUBMITTED
        for levels in now.owning:
            if levels.get(name, 0) > 0:
                return Reason.OWNED_BY_SCREEN
    if now.later is not NOTHING and now.later.may_name(name):
        return Reason.WRITTEN_LATER
    if keep_edits and now.edits.may_name(name):
        return Reason.MANUAL_EDIT
    return None


def find_anchor(history: Sequence[HistoryLine], worker_user_id: int) -> HistoryLine | None:
    """The newest, by id, of the ticket's first NewTicket line and its CustomerUpdate lines.

    Args:
        history: in id order.
        worker_user_id: the user whose lines are the worker's own, and no anchors.
    """
    created, updates, _ = _sorted(history)
    return _anchor(created, _foreign(updates, worker_user_id))


def may_name(line: str, name: str) -> bool:
    """Whether a TicketDynamicFieldUpdate line is about a field, or could be.

    OTOBO cuts a long name and appends ``[...]``, sometimes to a name that it did not cut (observed
    rule 13), so a cut name stands for every field that begins like it.

    Args:
        line: what ``ticket_history.name`` holds.
        name: the dynamic field's name.
    """
    return _written([line]).may_name(name)


def _written(lines: Iterable[str]) -> Written:
    """The fields that lines are about, by what ``ticket_history.name`` holds of each."""
    whole: set[str] = set()
    cut: list[str] = []
    for line in lines:
        start, marker, rest = line.partition("%%FieldName%%")
        name, end, _ = rest.partition("%%")
        if start or not marker:
            cut.append("")  # not OTOBO's form: nobody can say which field it was
        elif name.endswith(_CUT):
            cut.append(name.removesuffix(_CUT))
        elif end:
            whole.add(name)
        else:
            cut.append(name)
    return Written(frozenset(whole), tuple(cut))


def _sorted(
    history: Sequence[HistoryLine],
) -> tuple[HistoryLine | None, list[HistoryLine], list[HistoryLine]]:
    """The ticket's own NewTicket line, its CustomerUpdate lines, and those of written fields."""
    created = None
    updates: list[HistoryLine] = []
    writes: list[HistoryLine] = []
    for line in history:
        kind = line.type
        if kind == _FIELD_UPDATE:
            writes.append(line)
        elif kind == _CUSTOMER_UPDATE:
            updates.append(line)
        elif kind == _NEW_TICKET and created is None and line.article_id is None:
            created = line  # articles can have lines of this type too
    return created, updates, writes


def _foreign(lines: Sequence[HistoryLine], worker_user_id: int) -> list[HistoryLine]:
    """The lines that are not the worker's own."""
    return [line for line in lines if line.create_by != worker_user_id]


def _anchor(created: HistoryLine | None, updates: Sequence[HistoryLine]) -> HistoryLine | None:
    newest = updates[-1] if updates else None
    if newest is None or (created is not None and created.id > newest.id):
        return created
    return newest


def _belongs_to_creation(
    history: Sequence[HistoryLine],
    anchor: HistoryLine,
    created: HistoryLine | None,
    updates: Sequence[HistoryLine],
) -> bool:
    """Whether the anchor is the creation, or the customer user that came with it."""
    if created is None or anchor.id == created.id:
        return created is not None
    if anchor.id != updates[0].id or anchor.create_by != created.create_by:
        return False
    for line in history:
        if line.article_id is not None and created.id < line.id < anchor.id:
            return False
    return True


def _applies(hint: EventHint, anchor: HistoryLine | None, *, creation: bool) -> bool:
    """Whether the hint is about the anchor, and not about something that came before it."""
    if anchor is None:
        return True
    if not creation and not hint.changed:
        return False
    told, written = _time(hint.time), _time(anchor.create_time)
    if told is None or written is None:
        return True
    return (written - told).total_seconds() <= TOLERANCE


def _inferred_screen(
    history: Sequence[HistoryLine], created: HistoryLine, precedence: Precedence
) -> tuple[str, ...]:
    """The screen that the first article's lines tell, if its author created the ticket."""
    own = precedence.screen_by_history_type
    article: int | None = None
    for line in history:
        if line.article_id is None or line.id < created.id:
            continue
        if article is None:
            article = line.article_id
        if line.article_id == article and line.create_by == created.create_by:
            screen = own.get(line.type, SCREENS.get(line.type))
            if screen is not None:
                return (screen,)
    return ()


def _owning(
    screens: Sequence[str], precedence: Precedence, *, creation: bool
) -> tuple[Levels, ...]:
    if not screens and creation and precedence.unknown_frontend == "keep":
        creating = {*SCREENS.values(), *precedence.screen_by_history_type.values()}
        return tuple(levels for name, levels in precedence.screens.items() if name in creating)
    return tuple(precedence.screens.get(screen, {}) for screen in screens)


def _request(
    history: Sequence[HistoryLine],
    anchor: HistoryLine,
    hints: Iterable[EventHint],
    worker_user_id: int,
) -> Iterator[int]:
    """The ids of the lines that the anchor's request wrote behind it.

    They are by the anchor's author, without a gap, and not younger than the event if its time is
    known. A line whose time cannot be read is not taken for one of them.
    """
    end = max((time for hint in hints if (time := _time(hint.time))), default=None)
    before = _time(anchor.create_time)
    for line in history:
        if line.id <= anchor.id or line.create_by == worker_user_id:
            continue
        time = _time(line.create_time)
        if line.create_by != anchor.create_by or before is None or time is None:
            return
        if (time - before).total_seconds() > TOLERANCE or (end is not None and time > end):
            return
        yield line.id
        before = time


def _customer_user_set(
    updates: Sequence[HistoryLine], customer_user: str, worker_user_id: int
) -> int:
    """The id of the line that gave the ticket its customer user; 0 if none is known to.

    Newer CustomerUpdate lines that name the same customer user, or only a customer id, changed
    nothing. A line of the worker's says that the same person has another login from there on: the
    line before it tells the old one. A line that was cut can have named anybody, so it is taken for
    one that did not.
    """
    login: str | None = customer_user
    changed = 0
    for line in reversed(updates):
        cut = len(line.name) >= _MAX_LINE
        if not cut and "CustomerUser=" not in line.name:
            continue
        if login is None and not cut:
            login = line.name.rpartition("CustomerUser=")[2].removesuffix(";")
        named = (f"%%CustomerUser={login};", f";CustomerUser={login};")
        if not (cut or line.name.endswith(named)):
            break
        if line.create_by == worker_user_id:
            login = None
        else:
            changed = line.id
    return changed


@lru_cache(maxsize=4096)
def _time(text: str | None) -> datetime | None:
    """A time as the database or an event tells it, in UTC without a zone."""
    try:
        time = datetime.fromisoformat(text or "")
        return time.astimezone(UTC).replace(tzinfo=None) if time.tzinfo else time
    except (ValueError, OverflowError):
        return None
