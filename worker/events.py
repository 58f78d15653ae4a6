"""The public event contract: what a producer may say, and how it is checked.

An event is a hint that a ticket should be looked at, or that the data of a customer user or of a
customer have changed. It never carries values: state decides. Producers write it as fields of a
Redis stream entry, all of them strings::

    XADD fieldfare:events * type ticket.created ticket_id 4711

OTOBO's own event names ``TicketCreate`` and ``TicketCustomerUpdate`` are accepted as types.
"""

import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Annotated, Any, Literal, TypeAlias

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    TypeAdapter,
    ValidationError,
)
from pydantic_core import ErrorDetails

OTOBO_NAMES: Mapping[str, str] = {
    "TicketCreate": "ticket.created",
    "TicketCustomerUpdate": "ticket.customer_changed",
}

MAX_TICKET_ID = 2**63 - 1
"""The largest value of ``ticket.id`` (BIGINT)."""

_TRACEPARENT = re.compile(r"[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}(-[!-~]{0,64})?")

Name = Annotated[str, StringConstraints(min_length=1, max_length=200)]

Key = Annotated[str, StringConstraints(min_length=1, max_length=10_000)]
"""A login or a customer id: whatever a database can hold."""


class MalformedEventError(ValueError):
    """An inbox entry is not an event of the contract.

    Attributes:
        problem: which fields are wrong and how, without the values given.
    """

    def __init__(self, problem: str) -> None:
        super().__init__(problem)
        self.problem = problem


def _names(value: Any) -> Any:
    """Field names: a list, a JSON list, or names joined with commas or blanks."""
    if not isinstance(value, str):
        return value
    text = value.strip()
    if text.startswith("["):
        try:
            return json.loads(text)
        except (ValueError, RecursionError) as error:
            msg = "not a JSON list of names"
            raise ValueError(msg) from error
    return [name for name in text.replace(",", " ").split() if name]


def _traceparent(value: Any) -> Any:
    """Nobody's event is refused for what is only of use to those who watch."""
    return value if isinstance(value, str) and _TRACEPARENT.fullmatch(value) else None


def _utc(value: datetime | None) -> datetime | None:
    """A time without a zone is UTC."""
    return value.replace(tzinfo=UTC) if value is not None and value.tzinfo is None else value


_Names = Annotated[tuple[Name, ...], BeforeValidator(_names), Field(max_length=500)]


class _Event(BaseModel):
    """What every event may carry; all of it is optional."""

    model_config = ConfigDict(frozen=True, extra="ignore", hide_input_in_errors=True)

    event_id: Name | None = Field(None, description="The producer's own id, for the log.")
    time: Annotated[datetime | None, AfterValidator(_utc)] = Field(
        None, description="When it happened: ISO 8601 or seconds since 1970; UTC without a zone."
    )
    traceparent: Annotated[str | None, BeforeValidator(_traceparent)] = Field(
        None,
        description="The publisher's trace (W3C Trace Context); what is no such context is "
        "ignored.",
    )


class _TicketEvent(_Event):
    """What both ticket events may carry; everything but the ticket is optional."""

    ticket_id: Annotated[int, Field(gt=0, le=MAX_TICKET_ID)] = Field(
        description="ticket.id, not the ticket number."
    )
    screen: Name | None = Field(
        None, description="The frontend screen that raised it, e.g. AgentTicketPhone."
    )
    fields: _Names = Field(
        (), description="Names of the dynamic fields that the request submitted."
    )
    user_id: Annotated[int, Field(gt=0)] | None = Field(
        None, description="The agent who caused it, for the log."
    )


class TicketCreated(_TicketEvent):
    """A ticket was created."""

    type: Literal["ticket.created"] = "ticket.created"


class CustomerChanged(_TicketEvent):
    """The customer user of a ticket was set, to another one or to the same."""

    type: Literal["ticket.customer_changed"] = "ticket.customer_changed"


class CustomerUserChanged(_Event):
    """The data of a customer user have changed in their source, or there is a new one."""

    type: Literal["customer_user.changed"] = "customer_user.changed"
    login: Key = Field(
        description="The customer user's login; of one that was renamed the old one."
    )
    source: Name | None = Field(None, description="The customer user source, e.g. CustomerUser1.")
    fields: _Names = Field((), description="Names of the variables that have changed.")
    renamed_to: Key | None = Field(None, description="The new login of one that was renamed.")


class CustomerCompanyChanged(_Event):
    """The data of a customer (company) have changed, or there is a new one."""

    type: Literal["customer_company.changed"] = "customer_company.changed"
    customer_id: Key = Field(description="The customer's id.")
    source: Name | None = Field(None, description="Where customers are kept, e.g. CustomerCompany.")
    fields: _Names = Field((), description="Names of the variables that have changed.")


TicketEvent: TypeAlias = TicketCreated | CustomerChanged
DirectoryEvent: TypeAlias = CustomerUserChanged | CustomerCompanyChanged
Event: TypeAlias = TicketEvent | DirectoryEvent

_CONTRACT: TypeAdapter[Event] = TypeAdapter(Annotated[Event, Field(discriminator="type")])

TYPES: Mapping[str, type[Event]] = {
    model.model_fields["type"].default: model
    for model in (TicketCreated, CustomerChanged, CustomerUserChanged, CustomerCompanyChanged)
}
"""The events by their type."""


def parse(fields: Mapping[str, str]) -> Event:
    """Read the fields of a stream entry.

    Raises:
        MalformedEventError: names what is wrong, without repeating what was sent.
    """
    kind = fields.get("type", "")
    try:
        return _CONTRACT.validate_python({**fields, "type": OTOBO_NAMES.get(kind, kind)})
    except ValidationError as error:
        items = error.errors(include_url=False, include_input=False, include_context=False)
        raise MalformedEventError("; ".join(map(_problem, items))) from None


def _problem(item: ErrorDetails) -> str:
    """One thing that is wrong; pydantic's own text about the type would repeat what was sent."""
    if item["type"].startswith("union_tag"):
        return f"type: must be one of {', '.join((*TYPES, *OTOBO_NAMES))}"
    return f"{'.'.join(str(part) for part in item['loc'][1:])}: {item['msg']}"


def dump(event: Event) -> dict[str, str]:
    """The fields of the stream entry for an event; ``parse`` gives the same event back."""
    entry: dict[str, str] = {"type": event.type}
    for name in type(event).model_fields:
        match getattr(event, name):
            case None | ():
                pass
            case tuple() as names:
                entry[name] = json.dumps(names, ensure_ascii=False)
            case datetime() as time:
                entry[name] = time.isoformat()
            case value:
                entry[name] = str(value)
    return entry


def json_schema() -> dict[str, Any]:
    """The JSON Schema of the contract, as published in ``docs/reference/events.schema.json``."""
    return _CONTRACT.json_schema()
