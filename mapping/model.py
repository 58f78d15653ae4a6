"""The words of planning: rules, dynamic fields, a ticket's state, decisions and plans.

Everything here is immutable and knows no database: the ticket store turns its rows into these,
and applies what comes back. What is made anew for each ticket is a NamedTuple: a frozen dataclass
takes three times as long to make, and a ticket needs dozens.
"""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Any, NamedTuple, TypeAlias

AttributeValue: TypeAlias = str | tuple[str, ...] | bytes
"""One attribute of a customer user: a text, several texts, or bytes that are not text."""

Attributes: TypeAlias = Mapping[str, AttributeValue]
"""Attribute values by variable name; a variable without a value is missing or empty."""

Labels: TypeAlias = Mapping[tuple[str, str], str]
"""Readable texts of references: (field type, key) -> text, for the history line."""


class HistoryType(StrEnum):
    """Names of the ``ticket_history_type`` rows that planning looks at.

    Lines of articles come with ``HistoryLine.article_id`` set and keep their own type name.
    """

    NEW_TICKET = "NewTicket"
    CUSTOMER_UPDATE = "CustomerUpdate"
    FIELD_UPDATE = "TicketDynamicFieldUpdate"


class HistoryLine(NamedTuple):
    """One line of ``ticket_history``.

    Attributes:
        id: the only reliable order (create_time has a resolution of one second).
        type: the name of the line's history type.
        name: the text, e.g. ``%%FieldName%%Phone%%Value%%1%%OldValue%%``; may be cut.
        create_by: the user who caused it.
        article_id: set on lines of articles.
        create_time: ``YYYY-MM-DD HH:MM:SS`` as the database has it (UTC since OTRS 7).
    """

    id: int
    type: str
    name: str
    create_by: int
    article_id: int | None = None
    create_time: str = ""


class ValueRow(NamedTuple):
    """One row of ``dynamic_field_value``, read or to be written.

    Attributes:
        value_date: ``YYYY-MM-DD HH:MM:SS`` without fractions.
        id: the row's id; None on a row that is to be written.
    """

    value_text: str | None = None
    value_date: str | None = None
    value_int: int | None = None
    index_value: int | None = None
    index_set: int | None = None
    id: int | None = None


@dataclass(frozen=True, slots=True)
class DynamicField:
    """A row of ``dynamic_field``.

    Attributes:
        config: the parsed YAML document of the column ``config``.
        multi_value: the field holds a list, each value with its ``index_value`` (OTOBO 11).
    """

    id: int
    name: str
    field_type: str
    object_type: str = "Ticket"
    valid: bool = True
    internal: bool = False
    config: Mapping[str, Any] = dataclasses.field(
        default_factory=lambda: MappingProxyType({}), hash=False
    )
    multi_value: bool = dataclasses.field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        listed = str(self.config.get("MultiValue") or "0") not in {"", "0"}
        object.__setattr__(self, "multi_value", listed)  # asked for every ticket, told here once


class TicketState(NamedTuple):
    """What planning needs to know of one ticket, all of it read in one go.

    Attributes:
        customer_user: ``ticket.customer_user_id``; None and ``""`` both mean no customer user.
        rows: the value rows of the mapped fields, by field name, in id order.
        history: the lines of the types above and of articles, in id order.
    """

    id: int
    number: str
    customer_user: str | None
    rows: Mapping[str, tuple[ValueRow, ...]]
    history: tuple[HistoryLine, ...]

    def __repr__(self) -> str:
        return _without_values(self)


class EventHint(NamedTuple):
    """What the events of one ticket tell about the request that raised them.

    Attributes:
        created: at least one of them is a ticket.created.
        changed: at least one of them is a ticket.customer_changed.
        screen: the frontend screen that was named, e.g. ``AgentTicketPhone``.
        fields: names of the fields that the request submitted.
        time: when the event happened, ``YYYY-MM-DD HH:MM:SS`` UTC, when it is known.
    """

    created: bool = False
    changed: bool = False
    screen: str | None = None
    fields: frozenset[str] = frozenset()
    time: str | None = None


class Decision(StrEnum):
    """What is done with one mapped field, in the words that ``explain`` and the metrics use."""

    WRITE = "write"
    CLEAR = "clear"
    UNCHANGED = "unchanged"
    KEEP = "keep"
    REFUSE = "refuse"


class Reason(StrEnum):
    """Why a field is decided on as it is. The values are part of the public contract."""

    FOUND = "found"  # the directory's value
    EMPTY = "empty"  # the customer user has no value for it
    DEFAULT = "default"  # the rule's default stands in for an empty value
    UNKNOWN_CUSTOMER_USER = "unknown_customer_user"  # every source said no
    NO_CUSTOMER_USER = "no_customer_user"  # the ticket has none
    WRITTEN_LATER = "written_later"  # somebody wrote the field after the anchor
    OWNED_BY_SCREEN = "owned_by_screen"  # enabled on the screen that raised the event
    SUBMITTED = "submitted"  # named in the event's fields
    MANUAL_EDIT = "manual_edit"  # on_manual_edit = "keep"
    NO_SUCH_FIELD = "no_such_field"
    INVALID_FIELD = "invalid_field"
    WRONG_OBJECT_TYPE = "wrong_object_type"
    UNSUPPORTED_TYPE = "unsupported_type"
    SECRET = "secret"  # noqa: S105 - the name of a reason: password hashes are never written
    NOT_TEXT = "not_text"  # the attribute's bytes are not text
    INVALID_VALUE = "invalid_value"  # the field type refuses the value
    TRANSFORM_FAILED = "transform_failed"
    OVERLONG = "overlong"  # overlong = "keep"
    NOT_EMPTY = "not_empty"  # only empty fields were to be filled
    STALE = "stale"  # the source is away, and what it said before has no value for the field


class FieldDecision(NamedTuple):
    """The decision on one mapped field, with everything that ``explain`` shows.

    Attributes:
        field: the dynamic field's name.
        variables: the variables that the winning rule reads.
        warning: e.g. that a value was cut; never a value.
        old_text: the readable text of what stands in the field.
        new_text: the readable text of what would stand there.
    """

    field: str
    decision: Decision
    reason: Reason
    variables: tuple[str, ...]
    transforms: tuple[str, ...] = ()
    warning: str = ""
    old_text: str = ""
    new_text: str = ""

    def __repr__(self) -> str:
        return _without_values(self)


class Change(NamedTuple):
    """One field of one ticket that is to be written.

    Attributes:
        delete_ids: ids of all value rows that were read for the field.
        insert: the rows that take their place, in order.
        old_text: readable old value, for the history line.
        new_text: readable new value, for the history line.
    """

    field_id: int
    field_name: str
    delete_ids: tuple[int, ...]
    insert: tuple[ValueRow, ...]
    old_text: str
    new_text: str

    def __repr__(self) -> str:
        return _without_values(self)


class Plan(NamedTuple):
    """All decisions on one ticket, and the changes that follow from them.

    Attributes:
        customer_user: the ticket's customer user that the plan was made for; checked under lock.
        history_id: the highest id of ``TicketState.history``; foreign lines behind it conflict.
        watched: ids of the fields that the plan looked at, with the ids of the rows it saw.
        references: the labels that the texts of the changes need, e.g. ``("Agent", "3")``.
    """

    ticket_id: int
    customer_user: str | None
    history_id: int
    decisions: tuple[FieldDecision, ...]
    changes: tuple[Change, ...]
    watched: Mapping[int, tuple[int, ...]]
    references: frozenset[tuple[str, str]] = frozenset()


def _without_values(item: TicketState | FieldDecision | Change) -> str:
    """The repr of what holds values of a customer user, without them."""
    hidden = {"rows", "history", "insert", "old_text", "new_text"}
    shown = (f"{name}={value!r}" for name, value in item._asdict().items() if name not in hidden)
    return f"{type(item).__name__}({', '.join(shown)})"
