"""What is the state of these tickets? Two statements tell, whatever their number.

The history is read first and the value rows after it. A screen writes values first and their
line after them, so whatever the history shows is also in the rows; and a screen that writes
between the two statements leaves a line behind ``Plan.history_id``, or rows other than those
that were read, and the plan conflicts when it is applied. The other way round a plan could rest
on old rows and a history that already knows of the new ones.
"""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from types import MappingProxyType
from typing import Any, ClassVar, TypeAlias

import yaml
from sqlalchemy import Connection, Row, and_, or_, select

from mapping.model import DynamicField, HistoryLine, HistoryType, TicketState, ValueRow
from worker.tickets import schema
from worker.tickets.store import Loaded
from worker.tickets.system import TicketSystem

# The C parser is some ten times faster and missing only where PyYAML was built without it.
_SAFE_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_NULL = "tag:yaml.org,2002:null"


class _TextLoader(_SAFE_LOADER):  # type: ignore[misc] # which of the two is known at run time only
    """Takes every scalar but null for a text, as Perl does.

    YAML 1.1 reads ``0000-00-00`` as a date, which there is none of, and ``no`` as false.
    """

    yaml_implicit_resolvers: ClassVar = {
        first: [(tag, pattern) for tag, pattern in resolvers if tag == _NULL]
        for first, resolvers in _SAFE_LOADER.yaml_implicit_resolvers.items()
    }


_VALID = 1

_AnyRow: TypeAlias = Row[Any]


class Definitions:
    """Dynamic fields by id, parsed once and again only when their row has changed."""

    def __init__(self) -> None:
        self._parsed: dict[int, tuple[tuple[object, ...], DynamicField]] = {}

    def of(self, connection: Connection, rows: Mapping[int, _AnyRow]) -> Mapping[str, DynamicField]:
        """The definitions for rows of ``dynamic_field``, by name.

        Costs a statement when one of them was not seen before as it is now.
        """
        stale = [
            id_
            for id_, row in rows.items()
            if id_ not in self._parsed or self._parsed[id_][0] != _version(row)
        ]
        if stale:
            field = schema.dynamic_field.c
            found = connection.execute(select(field.id, field.config).where(field.id.in_(stale)))
            for id_, config in found:
                self._parsed[id_] = (_version(rows[id_]), _definition(rows[id_], config))
        # A definition that was deleted since the rows were read is left out.
        return {
            self._parsed[id_][1].name: self._parsed[id_][1] for id_ in rows if id_ in self._parsed
        }


def _version(row: _AnyRow) -> tuple[object, ...]:
    """What changes with every change of a definition; change_time has a second's resolution."""
    return (row.name, row.change_time, row.valid_id, row.field_type, row.object_type)


def _definition(row: _AnyRow, config: str | None) -> DynamicField:
    """A dynamic field; one whose configuration cannot be read counts as invalid and is left."""
    try:
        parsed = yaml.load(config or "", Loader=_TextLoader)  # noqa: S506 - a safe loader
    except yaml.YAMLError:
        parsed = NotImplemented
    readable = parsed is None or isinstance(parsed, dict)
    return DynamicField(
        id=row.field_id,
        name=row.name,
        field_type=row.field_type,
        object_type=row.object_type,
        valid=row.valid_id == _VALID and readable,
        internal=bool(row.internal_field),
        config=MappingProxyType(parsed if isinstance(parsed, dict) else {}),
    )


def read_tickets(
    connection: Connection,
    system: TicketSystem,
    definitions: Definitions,
    ticket_ids: Sequence[int],
    field_names: Collection[str],
) -> Loaded:
    """Read tickets with their history and with the value rows of the named fields.

    Args:
        connection: to the ticket database; need not be in a transaction of its own.
        system: the ids of this ticket system.
        definitions: what is known of its dynamic fields.
        ticket_ids: a few hundred at most.
        field_names: as mapped; compared exactly, whatever the database's collation says.
    """
    headers: dict[int, _AnyRow] = {}
    histories: dict[int, list[HistoryLine]] = defaultdict(list)
    for row in connection.execute(_history_of(system, ticket_ids)):
        headers[row.ticket_id] = row
        if row.line_id is not None:
            histories[row.ticket_id].append(_line(row, system))
    if not headers or not field_names:
        return Loaded(_states(headers, {}, {}, histories), {})
    wanted = set(field_names)
    rows: dict[int, _AnyRow] = {}
    values: dict[int, dict[str, list[ValueRow]]] = defaultdict(lambda: defaultdict(list))
    for row in connection.execute(_values_of(system, list(headers), sorted(wanted))):
        if row.name in wanted:
            rows[row.field_id] = row
            if row.row_id is not None:
                values[row.object_id][row.name].append(_value(row))
    fields = definitions.of(connection, rows)
    return Loaded(_states(headers, fields, values, histories), fields)


def _history_of(system: TicketSystem, ticket_ids: Sequence[int]) -> Any:
    ticket, line = schema.ticket.c, schema.ticket_history.c
    relevant = or_(
        line.history_type_id.in_([system.type_id(name) for name in HistoryType]),
        line.article_id > 0,
    )
    return (
        select(ticket.id.label("ticket_id"), ticket.tn, ticket.customer_user_id)
        .add_columns(line.id.label("line_id"), line.history_type_id, line.name)
        .add_columns(line.create_by, line.create_time, line.article_id)
        .select_from(
            schema.ticket.outerjoin(
                schema.ticket_history, and_(line.ticket_id == ticket.id, relevant)
            )
        )
        .where(ticket.id.in_(sorted(set(ticket_ids))))
        .order_by(ticket.id, line.id)
    )


def _values_of(system: TicketSystem, ticket_ids: Sequence[int], field_names: list[str]) -> Any:
    field, value = schema.dynamic_field.c, schema.dynamic_field_value.c
    data = [c for c in system.value_columns if c.name not in {"id", "field_id", "object_id"}]
    return (
        select(field.id.label("field_id"), field.name, field.field_type, field.object_type)
        .add_columns(field.internal_field, field.valid_id, field.change_time)
        .add_columns(value.id.label("row_id"), value.object_id, *data)
        .select_from(
            schema.dynamic_field.outerjoin(
                schema.dynamic_field_value,
                and_(value.field_id == field.id, value.object_id.in_(sorted(ticket_ids))),
            )
        )
        .where(field.name.in_(field_names))
        .order_by(value.id)
    )


def _line(row: _AnyRow, system: TicketSystem) -> HistoryLine:
    return HistoryLine(
        id=row.line_id,
        type=system.types.get(row.history_type_id, ""),
        name=row.name,
        create_by=row.create_by,
        article_id=row.article_id or None,
        create_time=row.create_time or "",
    )


def _value(row: _AnyRow) -> ValueRow:
    return ValueRow(
        value_text=row.value_text,
        value_date=row.value_date,
        value_int=row.value_int,
        index_value=getattr(row, "index_value", None),
        index_set=getattr(row, "index_set", None),
        id=row.row_id,
    )


def _states(
    headers: Mapping[int, _AnyRow],
    fields: Mapping[str, DynamicField],
    values: Mapping[int, Mapping[str, Sequence[ValueRow]]],
    histories: Mapping[int, Sequence[HistoryLine]],
) -> dict[int, TicketState]:
    return {
        id_: TicketState(
            id=id_,
            number=row.tn,
            customer_user=row.customer_user_id,
            rows={name: tuple(values.get(id_, {}).get(name, ())) for name in fields},
            history=tuple(histories.get(id_, ())),
        )
        for id_, row in headers.items()
    }
