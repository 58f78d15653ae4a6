"""Who wins a field, the frontend or the directory? The frontend, as of the event's moment.

In OTOBO the module runs inside the request and the screen writes after it, so what was submitted
stays (observed rules 48 to 51). A worker runs later; the ticket's history tells it what happened
(design section 1.4). The **anchor** is the line of the moment: the ticket's creation, or the
newest setting of its customer user. Where a line or a name is in doubt, the frontend wins.
"""

import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Literal, TypeAlias

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


@dataclass(frozen=True, slots=True)
class Precedence:
    """The settings.

    Attributes:
        worker_user_id: the user whose lines are the worker's own.
        enabled: False is the order that OTOBO has with ``Transaction 1``: the directory wins over
            what the same request submitted, and over nothing later.
        unknown_frontend: when the creating screen cannot be told, whether a field that is enabled
            on any creating screen is kept or written.
        screens: levels by screen.
        screen_by_history_type: more history types of first articles; they go before ``SCREENS``.
    """

    worker_user_id: int
    enabled: bool = True
    unknown_frontend: Literal["keep", "write"] = "keep"
    screens: Mapping[str, Levels] = field(default_factory=lambda: MappingProxyType({}))
    screen_by_history_type: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))


@dataclass(frozen=True, slots=True)
class Moment:
    """What is known of the request that raised the event; the same for all fields of a ticket.

    Attributes:
        anchor: the line of the moment; None if the history has none.
        creation: the anchor belongs to the ticket's creation.
        screens: the screens that events named, or the one that was inferred; may be none.
        submitted: names of the fields that the request submitted.
        owning: levels of each screen that owns fields here.
        later: lines by which somebody else wrote a field, and which win over the directory.
        edits: lines by which somebody else wrote a field since the customer user changed.
    """

    anchor: HistoryLine | None
    creation: bool
    screens: tuple[str, ...]
    submitted: frozenset[str]
    owning: tuple[Levels, ...]
    later: tuple[HistoryLine, ...]
    edits: tuple[HistoryLine, ...]


def moment(ticket: TicketState, hints: Iterable[EventHint], precedence: Precedence) -> Moment:
    """Find the events' moment in the history of a ticket."""
    history = ticket.history
    created = _creation(history)
    anchor = find_anchor(history)
    creation = anchor is not None and _belongs_to_creation(history, anchor, created)
    applying = [hint for hint in hints if _applies(hint, anchor, creation=creation)]
    screens = tuple(dict.fromkeys(hint.screen for hint in applying if hint.screen))
    if not screens and creation and created is not None:
        screens = _inferred_screen(history, created, precedence)
    losing = frozenset[int]()  # what the request itself wrote loses only if precedence is off
    if anchor is not None and not precedence.enabled:
        losing = frozenset(_request(history, anchor, applying, precedence.worker_user_id))
    foreign = tuple(
        line
        for line in history
        if line.type == HistoryType.FIELD_UPDATE
        and line.create_by != precedence.worker_user_id
        and line.id not in losing
    )
    behind = anchor.id if anchor is not None else 0
    changed = _customer_user_set(history, ticket.customer_user or "")
    return Moment(
        anchor=anchor,
        creation=creation,
        screens=screens,
        submitted=frozenset(name for hint in applying for name in hint.fields),
        owning=_owning(screens, precedence, creation=creation),
        later=tuple(line for line in foreign if line.id > behind),
        edits=tuple(line for line in foreign if line.id > changed),
    )


def kept(name: str, now: Moment, precedence: Precedence, *, keep_edits: bool) -> Reason | None:
    """Why a field keeps the frontend's value; None if the directory's is to be written.

    Args:
        name: the field's name.
        now: what ``moment`` found.
        precedence: the settings.
        keep_edits: the rule's ``on_manual_edit`` is ``keep`` (deviation D16).
    """
    if precedence.enabled and name in now.submitted:
        return Reason.SUBMITTED
    if precedence.enabled and any(levels.get(name, 0) > 0 for levels in now.owning):
        return Reason.OWNED_BY_SCREEN
    if any(may_name(line.name, name) for line in now.later):
        return Reason.WRITTEN_LATER
    if keep_edits and any(may_name(line.name, name) for line in now.edits):
        return Reason.MANUAL_EDIT
    return None


def find_anchor(history: Sequence[HistoryLine]) -> HistoryLine | None:
    """The newest, by id, of the ticket's first NewTicket line and its CustomerUpdate lines."""
    created = _creation(history)
    lines = [*_updates(history), *([created] if created else [])]
    return max(lines, key=lambda line: line.id, default=None)


def may_name(line: str, name: str) -> bool:
    """Whether a TicketDynamicFieldUpdate line is about a field, or could be.

    OTOBO cuts a long name and appends ``[...]``, sometimes to a name that it did not cut (observed
    rule 13), so a cut name stands for every field that begins like it.

    Args:
        line: what ``ticket_history.name`` holds.
        name: the dynamic field's name.
    """
    start, marker, rest = line.partition("%%FieldName%%")
    if start or not marker:
        return True  # not OTOBO's form: nobody can say which field it was
    written, end, _ = rest.partition("%%")
    if written == name:
        return True
    if written.endswith(_CUT):
        return name.startswith(written.removesuffix(_CUT))
    return not end and name.startswith(written)


def _creation(history: Sequence[HistoryLine]) -> HistoryLine | None:
    """The ticket's own NewTicket line; articles can have lines of this type too."""
    lines = (
        line for line in history if line.type == HistoryType.NEW_TICKET and line.article_id is None
    )
    return next(lines, None)


def _updates(history: Sequence[HistoryLine]) -> list[HistoryLine]:
    return [line for line in history if line.type == HistoryType.CUSTOMER_UPDATE]


def _belongs_to_creation(
    history: Sequence[HistoryLine], anchor: HistoryLine, created: HistoryLine | None
) -> bool:
    """Whether the anchor is the creation, or the customer user that came with it."""
    if created is None or anchor.id == created.id:
        return created is not None
    return (
        anchor.id == _updates(history)[0].id
        and anchor.create_by == created.create_by
        and not any(
            line.article_id is not None and created.id < line.id < anchor.id for line in history
        )
    )


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
    articles = [line for line in history if line.article_id is not None and line.id > created.id]
    screens = {**SCREENS, **precedence.screen_by_history_type}
    told = (
        screens[line.type]
        for line in articles
        if line.article_id == articles[0].article_id
        and line.create_by == created.create_by
        and line.type in screens
    )
    return tuple(itertools.islice(told, 1))


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


def _customer_user_set(history: Sequence[HistoryLine], customer_user: str) -> int:
    """The id of the line that gave the ticket its customer user; 0 if none is known to.

    Newer CustomerUpdate lines that name the same customer user, or only a customer id, changed
    nothing. A line that was cut can have named anybody, so it is taken for one that did not.
    """
    named = (f"%%CustomerUser={customer_user};", f";CustomerUser={customer_user};")
    changed = 0
    for line in reversed(_updates(history)):
        if line.name.endswith(named) or len(line.name) >= _MAX_LINE:
            changed = line.id
        elif "CustomerUser=" in line.name:
            break
    return changed


def _time(text: str | None) -> datetime | None:
    """A time as the database or an event tells it; UTC unless it has a zone."""
    try:
        time = datetime.fromisoformat(text or "")
        return time.astimezone(UTC) if time.tzinfo else time.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        return None
