"""The tickets that a customer user has or had, their lines, and how lines are overwritten.

Which tickets they had before only lines of type CustomerUpdate tell, and no index knows of whom
these tell. So all of them are looked through, ``WINDOW`` ids at a time. Lines are overwritten in
short transactions under the tickets' row locks, and only the worker's own.
"""

from collections import defaultdict
from collections.abc import Callable, Collection, Mapping, Sequence
from functools import partial
from typing import Any

from sqlalchemy import Connection, Engine, bindparam, func, select, text, update
from sqlalchemy.exc import DBAPIError

from directory.engines import WRITING
from mapping.model import HistoryLine, HistoryType
from worker.tickets import schema
from worker.tickets.engine import connected, for_reading, is_denied
from worker.tickets.repeating import until_it_passes
from worker.tickets.store import TicketDatabaseMisfit
from worker.tickets.system import TicketSystem, read_system
from worker.tickets.writing import lock_tickets

WINDOW = 50_000
"""Ids of history lines that one statement looks through."""

_MAY_OVERWRITE = text("UPDATE ticket_history SET name = name WHERE 1 = 0")


class Erasing:
    """Lines of the ticket history, to be overwritten. Connects when first asked."""

    def __init__(self, engine: Engine, *, worker_user: str | int, batch_size: int = 50) -> None:
        """Nothing is read yet.

        Args:
            engine: from ``ticket_engine``.
            worker_user: login or id of the worker's agent.
            batch_size: most tickets of one transaction.
        """
        self._engine = engine
        self._reading = for_reading(engine)
        self._worker_user = worker_user
        self._batch_size = batch_size
        self._system: TicketSystem | None = None

    def check(self) -> None:
        """Make sure that lines may be overwritten.

        Raises:
            TicketDatabaseMisfit: they may not; says what is to be granted.
            TicketDatabaseUnavailable: the database does not answer.
        """
        with connected(self._engine, writing=True) as connection:
            try:
                connection.execute(_MAY_OVERWRITE)
            except DBAPIError as error:
                if not is_denied(error):
                    raise
                raise TicketDatabaseMisfit(
                    "the database user may not overwrite lines of the history; forgetting needs "
                    "UPDATE (name) on ticket_history, at least for as long as it takes"
                ) from None
            finally:
                connection.rollback()

    def tickets(self, logins: Collection[str], progress: Callable[[int, int], None]) -> list[int]:
        """The ids of all tickets that a customer user has or had, in their order.

        Args:
            logins: theirs; compared exactly.
            progress: is told how many ids of lines were looked through, of how many.

        Raises:
            TicketDatabaseUnavailable: the database does not answer.
        """
        ticket, line = schema.ticket.c, schema.ticket_history.c
        wanted = sorted(logins)
        with connected(self._reading) as connection:
            has = select(ticket.id, ticket.customer_user_id).where(
                ticket.customer_user_id.in_(wanted)
            )
            # Compared here, too: collations take different logins for the same.
            found = {id_ for id_, login in connection.execute(has) if login in logins}
            last = connection.execute(select(func.max(line.id))).scalar() or 0
            type_id = self._read_system(connection).type_id(HistoryType.CUSTOMER_UPDATE)
            for start in range(0, last, WINDOW):
                progress(start, last)
                had = (
                    select(line.ticket_id, line.name)
                    .where(line.id > start, line.id <= start + WINDOW)
                    .where(line.history_type_id + 0 == type_id)  # by ids, not by type
                )
                for ticket_id, name in connection.execute(had):
                    if any(_may_tell_of(name, login) for login in wanted):
                        found.add(ticket_id)
        progress(last, last)
        return sorted(found)

    def lines(self, ticket_ids: Collection[int]) -> Mapping[int, Sequence[HistoryLine]]:
        """The lines of tickets that ``provenance.trace`` needs, in the order of their ids.

        Raises:
            TicketDatabaseUnavailable: the database does not answer.
        """
        line = schema.ticket_history.c
        found: dict[int, list[HistoryLine]] = defaultdict(list)
        with connected(self._reading) as connection:
            system = self._read_system(connection)
            types = {
                system.type_id(one): one
                for one in (HistoryType.CUSTOMER_UPDATE, HistoryType.FIELD_UPDATE)
            }
            rows = connection.execute(
                select(line.ticket_id, line.id, line.history_type_id, line.name, line.create_by)
                .where(line.ticket_id.in_(sorted(ticket_ids)))
                .where((line.history_type_id + 0).in_(sorted(types)))
                .order_by(line.id)
            )
            for ticket_id, id_, type_id, name, author in rows:
                found[ticket_id].append(HistoryLine(id_, types[type_id], name, author))
        return found

    def overwrite(self, lines: Mapping[int, Mapping[int, str]]) -> int:
        """Give lines of the worker another text; those of anybody else are left alone.

        Args:
            lines: new texts by ticket id and line id.

        Returns:
            How many lines were overwritten.

        Raises:
            TicketDatabaseUnavailable: the database does not answer; calling again is harmless.
        """
        ids = sorted(ticket_id for ticket_id, texts in lines.items() if texts)
        done = 0
        for start in range(0, len(ids), self._batch_size):
            part = {id_: lines[id_] for id_ in ids[start : start + self._batch_size]}
            done += until_it_passes(partial(self._overwrite, part))
        return done

    def _overwrite(self, lines: Mapping[int, Mapping[int, str]]) -> int:
        with self._engine.connect().execution_options(**{WRITING: True}) as connection:
            system = self._read_system(connection)
            connection.rollback()
            with connection.begin():
                lock_tickets(connection, list(lines))
                return _write(connection, system, lines)

    def _read_system(self, connection: Connection) -> TicketSystem:
        if self._system is None:
            self._system = read_system(connection, self._worker_user)
        return self._system


def _write(
    connection: Connection, system: TicketSystem, lines: Mapping[int, Mapping[int, str]]
) -> int:
    line = schema.ticket_history
    statement = (
        update(line)
        .where(line.c.id == bindparam("line"), line.c.create_by == bindparam("worker"))
        .values(name=bindparam("text"))
    )
    rows: list[dict[str, Any]] = [
        {"line": id_, "worker": system.worker_id, "text": text_}
        for texts in lines.values()
        for id_, text_ in texts.items()
    ]
    return connection.execute(statement, rows).rowcount


def _may_tell_of(line: str, login: str) -> bool:
    """Whether a CustomerUpdate line names a login, or began to before it was cut."""
    _, mark, rest = line.rpartition("CustomerUser=")
    return bool(mark) and (rest == f"{login};" or bool(rest and login.startswith(rest)))
