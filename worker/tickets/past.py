"""Who wrote a ticket's dynamic fields, when, and what? The lines of its history tell.

A line is cut where field name, new and old value are too long together (observed rule 13), so
``FieldUpdate.cut`` says that only the beginning of the name is known, and texts that end with
``[...]`` are beginnings, too.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from sqlalchemy import Engine, Select, select

from mapping.model import HistoryType
from worker.tickets import schema
from worker.tickets.engine import connected
from worker.tickets.history import CUT, FIELD_MARK, OLD_MARK, VALUE_MARK
from worker.tickets.system import TicketSystem, read_system


class FieldUpdate(NamedTuple):
    """What a line says.

    Attributes:
        field: the dynamic field's name, or its beginning.
        cut: whether ``field`` is only a beginning.
        new: readable new value, empty for none; None where the line does not tell the values.
        old: readable old value, the same.
    """

    field: str
    cut: bool
    new: str | None
    old: str | None

    def __repr__(self) -> str:
        return f"FieldUpdate(field={self.field!r}, cut={self.cut})"


@dataclass(frozen=True, slots=True)
class FieldLine:
    """A line of type TicketDynamicFieldUpdate, and who wrote it.

    Attributes:
        time: ``YYYY-MM-DD HH:MM:SS`` as the database has it.
        author: login of the user; empty where there is no such user.
        ours: the worker's user wrote it.
        text: what ``ticket_history.name`` holds.
    """

    id: int
    time: str
    author_id: int
    author: str
    ours: bool
    text: str

    def __repr__(self) -> str:
        return f"FieldLine(id={self.id}, time={self.time!r}, author_id={self.author_id})"


class FieldPast:
    """Who wrote the dynamic fields of tickets. Connects when first asked."""

    def __init__(self, engine: Engine, *, worker_user: str | int) -> None:
        """Nothing is read yet.

        Args:
            engine: from ``ticket_engine``, for reading.
            worker_user: login or id of the worker's agent.
        """
        self._engine = engine
        self._worker_user = worker_user

    def of_ticket(self, ticket_id: int) -> Sequence[FieldLine]:
        """All lines about dynamic fields of a ticket, in the order of their ids.

        Raises:
            TicketDatabaseUnavailable: the database does not answer.
            TicketDatabaseMisfit: it lacks history types, or the worker's user.
        """
        with connected(self._engine) as connection:
            system = read_system(connection, self._worker_user)
            rows = connection.execute(_lines(system, ticket_id)).all()
        return [
            FieldLine(id_, time or "", by, login or "", by == system.worker_id, name)
            for id_, time, by, login, name in rows
        ]


def read_update(text: str) -> FieldUpdate:
    """What a line says, from ``ticket_history.name``.

    A text that is not of OTOBO's form can be about any field: its name is a beginning of nothing.
    """
    start, mark, rest = text.partition(FIELD_MARK)
    if start or not mark:
        return FieldUpdate("", cut=True, new=None, old=None)
    name, end, _ = rest.partition("%%")
    # The mark of the old value can stand in a value, too: the last one is the line's own.
    new, has_old, old = rest.removeprefix(name + VALUE_MARK).rpartition(OLD_MARK)
    told = rest.startswith(name + VALUE_MARK) and bool(has_old)
    return FieldUpdate(
        field=name.removesuffix(CUT),
        cut=name.endswith(CUT) or not end,
        new=new if told else None,
        old=old if told else None,
    )


def _lines(system: TicketSystem, ticket_id: int) -> Select[Any]:
    line, user = schema.ticket_history.c, schema.users.c
    return (
        select(line.id, line.create_time, line.create_by, user.login, line.name)
        .select_from(schema.ticket_history.outerjoin(schema.users, user.id == line.create_by))
        .where(line.ticket_id == ticket_id)
        .where(line.history_type_id == system.type_id(HistoryType.FIELD_UPDATE))
        .order_by(line.id)
    )
