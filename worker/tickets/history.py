"""What do the lines of ``ticket_history`` say, and how are they written?

A line of type TicketDynamicFieldUpdate is written exactly as OTOBO writes it, with its way of
cutting (observed rule 13). ``HistoryLog`` reads the other two types that matter as an
append-only log of what happened, for the sweep (design section 2).
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from typing import Any

from sqlalchemy import Engine, Select, and_, case, func, literal_column, or_, select

from mapping.model import HistoryType
from worker.tickets import schema
from worker.tickets.engine import connected
from worker.tickets.system import TicketSystem, read_system

NAME_LENGTH = 200
"""Characters of ``ticket_history.name``."""

ROOM = 166
"""Characters that field name, new and old value share: 200 less the marks between them."""

CUT = "[...]"
FIELD_MARK = "%%FieldName%%"
VALUE_MARK = "%%Value%%"
OLD_MARK = "%%OldValue%%"
LONGEST_OLD = 55

_HAPPENINGS = (HistoryType.NEW_TICKET, HistoryType.CUSTOMER_UPDATE)


def field_update(field_name: str, new: str, old: str) -> str:
    """The text of a TicketDynamicFieldUpdate line, of at most 200 characters.

    Args:
        field_name: the dynamic field's name.
        new: readable new value, empty for none.
        old: readable old value, empty for none.
    """
    if len(field_name) + len(new) + len(old) > ROOM:
        if len(old) > LONGEST_OLD:
            old = old[: LONGEST_OLD - len(CUT)] + CUT
        share = (ROOM - len(old)) // 2
        if len(field_name) <= share:
            space = ROOM - len(old) - len(field_name) - len(CUT)
            new = new if len(new) <= space else new[:space] + CUT
        elif len(new) > share:
            field_name = field_name[: share - len(CUT)] + CUT
            new = new[: share - len(CUT)] + CUT
        else:
            # The mark comes even where the name would have fitted: that is how OTOBO does it.
            field_name = field_name[: ROOM - len(old) - len(new) - len(CUT)] + CUT
    return f"{FIELD_MARK}{field_name}{VALUE_MARK}{new}{OLD_MARK}{old}"[:NAME_LENGTH]


@dataclass(frozen=True, slots=True)
class Happening:
    """A ticket was created, or its customer user was set.

    Attributes:
        id: id of the line.
        type: ``HistoryType.NEW_TICKET`` or ``HistoryType.CUSTOMER_UPDATE``.
        create_time: ``YYYY-MM-DD HH:MM:SS`` as the database has it.
        create_by: the user who caused it.
        newest_id: id of the ticket's newest line of any type.
        newest_time: latest ``create_time`` of the ticket's lines: when a request last touched it.
        answered_id: id of the newest line by the worker's user, 0 when there is none. Where it gave
            the ticket's customer user another login it has answered nothing yet.
    """

    id: int
    ticket_id: int
    type: HistoryType
    create_time: str
    create_by: int
    newest_id: int
    newest_time: str
    answered_id: int


class HistoryLog:
    """The ticket history as a log of events. Connects when first asked."""

    def __init__(self, engine: Engine, *, worker_user: str | int, zone: tzinfo = UTC) -> None:
        """Nothing is read yet.

        Args:
            engine: from ``ticket_engine``.
            worker_user: login or id of the worker's agent.
            zone: the time zone of the times in the database.
        """
        self._engine = engine
        self._worker_user = worker_user
        self._zone = zone
        self._system: TicketSystem | None = None

    def read_window(
        self, since_time: str, after_id: int, limit: int, *, page_after: int = 0
    ) -> Sequence[Happening]:
        """Lines that were written since a time, or that have a later id than one already read.

        Both are asked because ids can become visible late and out of order, and because clocks
        can be set back. Lines of articles are left out, whatever their type.

        Args:
            since_time: ``YYYY-MM-DD HH:MM:SS`` in the zone of the database; inclusive.
            after_id: exclusive.
            limit: most lines to return.
            page_after: give only lines with a later id than this, to read a long window in pages.

        Returns:
            Lines in the order of their ids.

        Raises:
            TicketDatabaseUnavailable: the database does not answer.
            TicketDatabaseMisfit: it lacks history types, or the worker's user.
        """
        with connected(self._engine) as connection:
            if self._system is None:
                self._system = read_system(connection, self._worker_user)
            types = {self._system.type_id(name): name for name in _HAPPENINGS}
            lines = connection.execute(
                _window(sorted(types), since_time, after_id, page_after).limit(limit)
            ).all()
            newest = {
                row.ticket_id: row
                for row in connection.execute(
                    _newest({row.ticket_id for row in lines}, self._system)
                )
            }
        return tuple(
            Happening(
                id=row.id,
                ticket_id=row.ticket_id,
                type=types[row.history_type_id],
                create_time=row.create_time,
                create_by=row.create_by,
                newest_id=newest[row.ticket_id].id,
                newest_time=newest[row.ticket_id].time,
                answered_id=newest[row.ticket_id].own,
            )
            for row in lines
            if row.ticket_id in newest  # else the ticket was deleted between the statements
        )

    def first_id_since(self, time: str) -> int:
        """The id of the first line written since a time; 0 when there is none.

        The first by time: asked for the lowest id, PostgreSQL reads the whole table up to it.

        Args:
            time: ``YYYY-MM-DD HH:MM:SS`` in the zone of the database; inclusive.

        Raises:
            TicketDatabaseUnavailable: the database does not answer.
        """
        line = schema.ticket_history.c
        statement = (
            select(line.id)
            .where(line.create_time >= time)
            .order_by(line.create_time, line.id)
            .limit(1)
        )
        with connected(self._engine) as connection:
            return connection.execute(statement).scalar() or 0

    def database_now(self) -> str:
        """The database's own clock, as the ticket system would write it now.

        Returns:
            ``YYYY-MM-DD HH:MM:SS`` in the zone of the database.

        Raises:
            TicketDatabaseUnavailable: the database does not answer.
        """
        clock = {
            "sqlite": "CURRENT_TIMESTAMP",
            "postgresql": "CAST(date_trunc('second', now() AT TIME ZONE 'UTC') AS TEXT)",
        }.get(self._engine.dialect.name, "CAST(UTC_TIMESTAMP() AS CHAR)")
        with connected(self._engine) as connection:
            text: str = connection.execute(select(literal_column(clock))).scalar_one()
        return stamp(datetime.fromisoformat(text).replace(tzinfo=UTC), self._zone)


def _window(
    type_ids: Sequence[int], since_time: str, after_id: int, page_after: int
) -> Select[Any]:
    line = schema.ticket_history.c
    return (
        select(line.id, line.ticket_id, line.history_type_id, line.create_time, line.create_by)
        .where(line.history_type_id.in_(type_ids))
        .where(func.coalesce(line.article_id, 0) == 0)
        .where(or_(line.create_time >= since_time, line.id > after_id))
        .where(line.id > page_after)
        .order_by(line.id)
    )


def _newest(ticket_ids: Collection[int], system: TicketSystem) -> Select[Any]:
    line = schema.ticket_history.c
    answer = and_(
        line.create_by == system.worker_id,
        line.history_type_id != system.type_id(HistoryType.CUSTOMER_UPDATE),
    )
    return (
        select(line.ticket_id, func.max(line.id).label("id"))
        .add_columns(func.max(line.create_time).label("time"))
        .add_columns(func.max(case((answer, line.id), else_=0)).label("own"))
        .where(line.ticket_id.in_(sorted(ticket_ids)))
        .group_by(line.ticket_id)
    )


def utc_now() -> datetime:
    """This moment, by this machine's clock."""
    return datetime.now(UTC)


def stamp(moment: datetime, zone: tzinfo) -> str:
    """A moment as the tables hold it: ``YYYY-MM-DD HH:MM:SS`` in the ticket system's zone."""
    return moment.astimezone(zone).replace(tzinfo=None).isoformat(sep=" ", timespec="seconds")
