"""What is the state of these tickets? Two statements tell, whatever their number.

Of the lines that the worker itself has written only each ticket's newest is read: they tell no
more than that, and after some years they are the most.

The history is read first and the value rows after it. A screen writes values first and their
line after them, so whatever the history shows is also in the rows; and a screen that writes
between the two statements leaves a line behind ``Plan.history_id``, or rows other than those
that were read, and the plan conflicts when it is applied. The other way round a plan could rest
on old rows and a history that already knows of the new ones.
"""

from collections import defaultdict
from collections.abc import Collection, Mapping
from functools import cache
from types import MappingProxyType
from typing import Any, ClassVar, NamedTuple

import yaml
from sqlalchemy import Connection, TextClause, select

from mapping.model import DynamicField, HistoryLine, HistoryType, TicketState, ValueRow
from worker.tickets import schema
from worker.tickets.lists import TICKETS, bound, statement
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

_HISTORY = """
SELECT t.id, t.tn, t.customer_user_id,
       l.id, l.history_type_id, l.name, l.create_by, l.create_time, l.article_id
FROM ticket t LEFT JOIN ticket_history l ON l.ticket_id = t.id AND (
    l.article_id > 0
    OR l.history_type_id IN (:new_ticket, :customer_update)
    OR (l.history_type_id = :field_update AND l.create_by <> :worker))
WHERE t.id {tickets}
UNION ALL
SELECT t.id, t.tn, t.customer_user_id,
       MAX(l.id), MAX(l.history_type_id), '', MAX(l.create_by), NULL, NULL
FROM ticket t JOIN ticket_history l ON l.ticket_id = t.id
WHERE t.id {tickets} AND l.history_type_id = :field_update AND l.create_by = :worker
    AND (l.article_id IS NULL OR l.article_id = 0)
GROUP BY t.id, t.tn, t.customer_user_id
ORDER BY 1, 4
"""

_VALUES = """
SELECT v.object_id, v.id AS row_id, v.value_text, v.value_date, v.value_int, {indexes},
       f.id, f.name, f.field_type, f.object_type, f.internal_field, f.valid_id, f.change_time
FROM dynamic_field f
LEFT JOIN dynamic_field_value v ON v.field_id = f.id AND v.object_id {tickets}
WHERE f.name {names}
ORDER BY v.id
"""


class Header(NamedTuple):
    """What ``dynamic_field`` says of a field beside its configuration.

    Something of it changes with every change of the definition; the time has a second's
    resolution.
    """

    id: int
    name: str
    field_type: str
    object_type: str
    internal: int
    valid_id: int
    change_time: object


class Definitions:
    """Dynamic fields by id, parsed once and again only when their row has changed."""

    def __init__(self) -> None:
        self._parsed: dict[int, tuple[Header, DynamicField]] = {}

    def of(
        self, connection: Connection, headers: Mapping[int, Header]
    ) -> Mapping[str, DynamicField]:
        """The definitions for rows of ``dynamic_field``, by name.

        Costs a statement when one of them was not seen before as it is now.
        """
        stale = [
            id_
            for id_, header in headers.items()
            if id_ not in self._parsed or self._parsed[id_][0] != header
        ]
        if stale:
            field = schema.dynamic_field.c
            found = connection.execute(select(field.id, field.config).where(field.id.in_(stale)))
            for id_, config in found:
                self._parsed[id_] = (headers[id_], _definition(headers[id_], config))
        # A definition that was deleted since the rows were read is left out.
        known = [self._parsed[id_][1] for id_ in headers if id_ in self._parsed]
        return {field.name: field for field in known}


def _definition(header: Header, config: str | None) -> DynamicField:
    """A dynamic field; one whose configuration cannot be read counts as invalid and is left."""
    try:
        parsed = yaml.load(config or "", Loader=_TextLoader)  # noqa: S506 - a safe loader
    except yaml.YAMLError:
        parsed = NotImplemented
    readable = parsed is None or isinstance(parsed, dict)
    return DynamicField(
        id=header.id,
        name=header.name,
        field_type=header.field_type,
        object_type=header.object_type,
        valid=header.valid_id == _VALID and readable,
        internal=bool(header.internal),
        config=MappingProxyType(parsed if isinstance(parsed, dict) else {}),
    )


def read_tickets(
    connection: Connection,
    system: TicketSystem,
    definitions: Definitions,
    ticket_ids: Collection[int],
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
    dialect = connection.dialect.name
    tickets: dict[int, tuple[str, str | None]] = {}
    histories: dict[int, list[HistoryLine]] = defaultdict(list)
    types = system.types
    asked: dict[str, Any] = {
        "tickets": bound(dialect, sorted(set(ticket_ids))),
        "new_ticket": system.type_id(HistoryType.NEW_TICKET),
        "customer_update": system.type_id(HistoryType.CUSTOMER_UPDATE),
        "field_update": system.type_id(HistoryType.FIELD_UPDATE),
        "worker": system.worker_id,
    }
    for row in connection.execute(_history(dialect), asked).all():
        ticket_id, number, customer_user, line_id, type_id, name, author, time, article_id = row
        tickets[ticket_id] = (number, customer_user)
        if line_id is not None:
            histories[ticket_id].append(
                HistoryLine(
                    id=line_id,
                    type=types.get(type_id, ""),
                    name=name,
                    create_by=author,
                    article_id=article_id or None,
                    create_time=schema.time_text(time) or "",
                )
            )
    values: dict[int, dict[str, list[ValueRow]]] = defaultdict(dict)
    fields: Mapping[str, DynamicField] = {}
    if tickets and field_names:
        asked = {"tickets": bound(dialect, tickets), "names": bound(dialect, field_names)}
        statement_ = _values(dialect, system.has_indexes)
        headers: dict[int, Header] = {}
        for row in connection.execute(statement_, asked).all():
            ticket_id, row_id, words, date, number, position, of_set, field_id, name = row[:9]
            if field_id not in headers:
                if name not in field_names:
                    continue
                headers[field_id] = Header(*row[7:])
            if row_id is not None:
                values[ticket_id].setdefault(name, []).append(
                    ValueRow(
                        value_text=words,
                        value_date=None if date is None else schema.time_text(date),
                        value_int=number,
                        index_value=position,
                        index_set=of_set,
                        id=row_id,
                    )
                )
        fields = definitions.of(connection, headers)
    states = {}
    for id_, (number, customer_user) in tickets.items():
        of_ticket = values.get(id_, {})
        states[id_] = TicketState(
            id=id_,
            number=number,
            customer_user=customer_user,
            rows={name: tuple(of_ticket.get(name, ())) for name in fields},
            history=tuple(histories.get(id_, ())),
        )
    return Loaded(states, fields)


@cache
def _history(dialect: str) -> TextClause:
    return statement(dialect, _HISTORY)


@cache
def _values(dialect: str, has_indexes: bool) -> TextClause:
    indexes = "v.index_value, v.index_set" if has_indexes else "NULL, NULL"
    sql = _VALUES.replace("{indexes}", indexes)
    return statement(dialect, sql, {**TICKETS, "names": "TEXT"})
