"""Tickets, history lines and fields for the tests of the mapping, as short as they can be told."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from mapping import rules
from mapping.model import (
    Attributes,
    DynamicField,
    EventHint,
    HistoryLine,
    Plan,
    TicketState,
    ValueRow,
)
from mapping.plan import plan
from mapping.precedence import Precedence
from mapping.rules import Ruleset

WORKER = 2
AGENT = 5

POSSIBLE = {"PossibleValues": {"a": "Alpha", "b": "Beta"}}

CHANGED = EventHint(changed=True)


def field(name: str = "F", field_type: str = "Text", **config: Any) -> DynamicField:
    if field_type == "Dropdown" and "PossibleValues" not in config:
        config |= POSSIBLE
    return DynamicField(id=sum(map(ord, name)), name=name, field_type=field_type, config=config)


def by_name(*fields: DynamicField) -> dict[str, DynamicField]:
    return {item.name: item for item in fields}


def second(number: int) -> str:
    return f"2026-01-01 10:00:{number:02d}"


def created(id: int = 1, by: int = AGENT, at: str = second(0)) -> HistoryLine:  # noqa: A002
    return HistoryLine(id, "NewTicket", "%%2026010110%%Raw%%3 normal%%new%%1", by, None, at)


def customer_set(
    id: int,  # noqa: A002
    login: str | None = "jdoe",
    by: int = AGENT,
    at: str = second(0),
) -> HistoryLine:
    named = "" if login is None else f"CustomerUser={login};"
    return HistoryLine(id, "CustomerUpdate", f"%%CustomerID=acme;{named}", by, None, at)


def written(id: int, name: str = "F", by: int = AGENT, at: str = second(0)) -> HistoryLine:  # noqa: A002
    text = f"%%FieldName%%{name}%%Value%%new%%OldValue%%old"
    return HistoryLine(id, "TicketDynamicFieldUpdate", text, by, None, at)


def article(
    id: int,  # noqa: A002
    type: str = "PhoneCallCustomer",  # noqa: A002
    by: int = AGENT,
    article_id: int = 11,
) -> HistoryLine:
    return HistoryLine(id, type, "%%", by, article_id, second(0))


def ticket(
    *history: HistoryLine,
    customer_user: str | None = "jdoe",
    rows: Mapping[str, Sequence[ValueRow]] | None = None,
) -> TicketState:
    return TicketState(
        id=1,
        number="2026010110",
        customer_user=customer_user,
        rows={name: tuple(found) for name, found in (rows or {}).items()},
        history=history or (created(), customer_set(2)),
    )


def settings(**changes: Any) -> Precedence:
    return Precedence(worker_user_id=WORKER, **changes)


def planned(  # noqa: PLR0913 - a test names only what it is about
    state: TicketState | None = None,
    attributes: Attributes | None = None,
    ruleset: Ruleset | Mapping[str, str] | None = None,
    fields: Iterable[DynamicField] = (),
    *,
    precedence: Precedence | None = None,
    hints: Sequence[EventHint] = (),
    **more: Any,
) -> Plan:
    """A plan; without rules the variable V fills the field F."""
    if not isinstance(ruleset, Ruleset):
        ruleset = rules.build(ruleset or {"V": "F"})
    return plan(
        state or ticket(),
        attributes,
        ruleset,
        by_name(*(fields or (field(),))),
        precedence or settings(),
        hints,
        **more,
    )


def applied(state: TicketState, made: Plan) -> TicketState:
    """The ticket after the plan was written: rows with ids, and the worker's lines."""
    rows = dict(state.rows)
    history = list(state.history)
    free = max((row.id or 0 for found in rows.values() for row in found), default=0) + 1
    for change in made.changes:
        stored = []
        for row in change.insert:
            stored.append(
                ValueRow(row.value_text, row.value_date, row.value_int, row.index_value, None, free)
            )
            free += 1
        rows[change.field_name] = tuple(stored)
        line = max((item.id for item in history), default=0) + 1
        history.append(written(line, change.field_name, WORKER, second(59)))
    return TicketState(state.id, state.number, state.customer_user, rows, tuple(history))
