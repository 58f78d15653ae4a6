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
from worker.tickets.lists import BY_TICKET, POSTGRESQL, TICKETS, bound, statement
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
    OR l.history_type_id + 0 IN (:new_ticket, :customer_update)
    OR (l.history_type_id + 0 = :field_update AND l.create_by <> :worker))
WHERE t.id {tickets}
UNION ALL
SELECT t.id, t.tn, t.customer_user_id,
       MAX(l.id), MAX(l.history_type_id), '', MAX(l.create_by), NULL, NULL
FROM ticket t JOIN ticket_history l ON l.ticket_id = t.id
WHERE t.id {tickets} AND l.history_type_id + 0 = :field_update AND l.create_by + 0 = :worker
    AND (l.article_id IS NULL OR l.article_id = 0)
GROUP BY t.id, t.tn, t.customer_user_id
ORDER BY 1, 4
"""
# By the tickets' index, never by that of the types or of the agents: while the worker fills many
# tickets for the first time, the database does not know yet how many lines are the worker's.

# The definitions stand once beside the values, and not in each of them.
_VALUES = """
SELECT v.value_text, v.value_date, v.value_int, {indexes}, v.id AS row_id, v.object_id, v.field_id,
       NULL AS name, NULL AS field_type, NULL AS object_type, NULL AS internal_field,
       NULL AS valid_id, NULL AS change_time
FROM dynamic_field_value v
WHERE v.object_id {tickets}
AND v.field_id{by_ticket} IN (SELECT id FROM dynamic_field WHERE name {names})
UNION ALL
SELECT NULL, NULL, NULL, NULL, NULL, NULL, NULL, f.id,
       f.name, f.field_type, f.object_type, f.internal_field, f.valid_id, f.change_time
FROM dynamic_field f WHERE f.name {names}
ORDER BY row_id
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
            written = schema.time_text(time) or ""
            type_ = types.get(type_id, "")
            line = HistoryLine(line_id, type_, name, author, article_id or None, written)
            histories[ticket_id].append(line)
    values: dict[int, dict[str, tuple[ValueRow, ...]]] = defaultdict(dict)
    fields: Mapping[str, DynamicField] = {}
    if tickets and field_names:
        asked = {"tickets": bound(dialect, tickets), "names": bound(dialect, field_names)}
        found = connection.execute(_values(dialect, system.has_indexes), asked).all()
        headers = {
            row[7]: Header(*row[7:]) for row in found if row[6] is None and row[8] in field_names
        }
        names = {id_: header.name for id_, header in headers.items()}
        for words, date, whole, position, of_set, row_id, ticket_id, field_id, *_ in found:
            if ticket_id is not None and field_id in names:
                name = names[field_id]
                moment = None if date is None else schema.time_text(date)
                value = ValueRow(words, moment, whole, position, of_set, row_id)
                of_ticket = values[ticket_id]
                of_ticket[name] = (*of_ticket[name], value) if name in of_ticket else (value,)
        fields = definitions.of(connection, headers)
    nothing: Mapping[str, tuple[ValueRow, ...]] = dict.fromkeys(fields, ())
    states = {
        id_: TicketState(
            id_,
            number,
            customer_user,
            {**nothing, **values.get(id_, nothing)},
            tuple(histories.get(id_, ())),
        )
        for id_, (number, customer_user) in tickets.items()
    }
    return Loaded(states, fields)


@cache
def _history(dialect: str) -> TextClause:
    return statement(dialect, _HISTORY)


@cache
def _values(dialect: str, has_indexes: bool) -> TextClause:
    indexes = "v.index_value, v.index_set" if has_indexes else "NULL AS index_value, NULL"
    by_ticket = BY_TICKET if dialect == POSTGRESQL else ""
    sql = _VALUES.replace("{indexes}", indexes).replace("{by_ticket}", by_ticket)
    return statement(dialect, sql, {**TICKETS, "names": "TEXT"})
