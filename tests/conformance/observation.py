"""What stands in a ticket? Read from its tables, in the words of the recording."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import select

from tests.conformance.history_rules import UPDATE
from tests.otobo import Otobo
from worker.tickets import schema

COLUMNS = ("value_text", "value_date", "value_int", "index_value", "index_set")
LISTS = frozenset({"Multiselect", "CustomerUser", "CustomerCompany", "Agent"})
"""Field types whose value is a list in OTOBO."""


@dataclass(frozen=True, slots=True)
class Observation:
    """A ticket after a step.

    Attributes:
        fields: values by field; None = no value.
        rows: rows of ``dynamic_field_value`` by field.
        lines: texts of the TicketDynamicFieldUpdate lines since a line.
        newest: id of the newest line.
        customer: customer id and customer user.
    """

    fields: Mapping[str, Any]
    rows: Mapping[str, Sequence[Mapping[str, Any]]]
    lines: Sequence[str]
    newest: int
    customer: Mapping[str, str | None]


def observe(otobo: Otobo, ticket_id: int, after: int) -> Observation:
    """Look at a ticket, and at its lines behind one."""
    value, field = schema.dynamic_field_value, schema.dynamic_field
    line, kind = schema.ticket_history, schema.ticket_history_type
    with otobo.engine.connect() as connection:
        types = connection.execute(
            select(field.c.name, field.c.field_type).where(field.c.object_type == "Ticket")
        ).all()
        rows = connection.execute(
            select(field.c.name, *(value.c[name] for name in COLUMNS))
            .select_from(value.join(field, value.c.field_id == field.c.id))
            .where(value.c.object_id == ticket_id, field.c.object_type == "Ticket")
            .order_by(value.c.index_value, value.c.id)
        ).all()
        lines = connection.execute(
            select(line.c.id, line.c.name, kind.c.name)
            .select_from(line.join(kind, line.c.history_type_id == kind.c.id))
            .where(line.c.ticket_id == ticket_id, line.c.id > after)
            .order_by(line.c.id)
        ).all()
        ticket = connection.execute(
            select(schema.ticket.c.customer_id, schema.ticket.c.customer_user_id).where(
                schema.ticket.c.id == ticket_id
            )
        ).one()
    stored: dict[str, list[dict[str, Any]]] = {}
    for name, *columns in rows:
        stored.setdefault(name, []).append(dict(zip(COLUMNS, columns, strict=True)))
    return Observation(
        fields={name: _value(kind, stored.get(name, ())) for name, kind in types},
        rows=stored,
        lines=[name for _, name, type_ in lines if type_ == UPDATE],
        newest=max((id_ for id_, *_ in lines), default=after),
        customer={"customer_id": ticket[0], "customer_user_id": ticket[1]},
    )


def canonical(value: Any) -> Any:
    """A recorded value, or one of ``deviations.toml``, as ``observe`` gives it.

    There, ``{ repeat = "d", times = 3800 }`` stands for a long text.
    """
    if isinstance(value, Mapping):
        return str(value["repeat"]) * int(value["times"])
    if isinstance(value, list):
        return [str(item) for item in value] or None
    return None if value in (None, "") else str(value)


def recorded_rows(rows: Sequence[Mapping[str, Any]]) -> dict[str, list[dict[str, Any]]]:
    """Recorded rows by field, with all columns."""
    found: dict[str, list[dict[str, Any]]] = {}
    for row in rows:
        columns = {name: row.get(name) for name in COLUMNS}
        found.setdefault(row["field"], []).append(columns)
    return found


def _value(kind: str, rows: Sequence[Mapping[str, Any]]) -> Any:
    scalars = [
        next((row[name] for name in COLUMNS[:3] if row[name] is not None), None) for row in rows
    ]
    values = [str(scalar) for scalar in scalars if scalar not in (None, "")]
    several = kind in LISTS or any(row["index_value"] is not None for row in rows)
    if several:
        return values or None
    return values[0] if values else None
