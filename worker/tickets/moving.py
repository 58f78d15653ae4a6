"""How do tickets follow a customer user whose login has changed? Part by part, as by OTOBO itself.

Each ticket gets the new login and the line that OTOBO's TicketCustomerSet would write (spec 1.4,
1.5). A transaction holds a few tickets, locked in the order of their ids, and only those that still
have the old login. Who is cut off calls again, and goes on with the tickets that are left.
"""

from collections.abc import Callable, Collection, Iterator, Sequence
from datetime import UTC, datetime, tzinfo
from functools import cache, partial

from sqlalchemy import Connection, Engine, TextClause, bindparam, func, select

from directory.engines import WRITING
from directory.folding import fold
from mapping.model import HistoryType
from worker.tickets import schema
from worker.tickets.engine import connected, for_reading
from worker.tickets.history import NAME_LENGTH, stamp, utc_now
from worker.tickets.lists import bound, statement
from worker.tickets.repeating import until_it_passes
from worker.tickets.selection import WINDOW
from worker.tickets.system import TicketSystem, read_system
from worker.tickets.writing import lock_tickets, write_lines

PORTION = 1000
"""Ids of tickets that are read at once."""


class TicketMoves:
    """The tickets of customer users who get another login. Connects when first asked."""

    def __init__(
        self,
        engine: Engine,
        *,
        worker_user: str | int,
        batch_size: int = 50,
        zone: tzinfo = UTC,
        now: Callable[[], datetime] = utc_now,
    ) -> None:
        """Nothing is read yet.

        Args:
            engine: from ``ticket_engine``.
            worker_user: login or id of the agent that the worker writes as.
            batch_size: most tickets of one transaction.
            zone: the time zone of the times in the database.
            now: the clock; gives moments with a zone.
        """
        self._engine = engine
        self._reading = for_reading(engine)
        self._worker_user = worker_user
        self._batch_size = batch_size
        self._zone = zone
        self._now = now
        self._system: TicketSystem | None = None

    def move(self, login: str, new: str, *, exact: bool) -> Iterator[Sequence[int]]:
        """Give all tickets of a login the new one.

        Args:
            login: the old login.
            new: the new one.
            exact: the source compares logins with case. Otherwise tickets count that spell the
                login with other capital letters.

        Yields:
            The ids of the tickets of each transaction, after its COMMIT.

        Raises:
            TicketDatabaseUnavailable: the database does not answer; what was given stays.
            TicketDatabaseMisfit: the worker's agent cannot be used.
        """
        spellings = {login} if exact else {login, *self._spellings(login)}
        spellings.discard(new)
        after = 0
        while spellings and (ids := self._next(spellings, after)):
            after = ids[-1]
            for start in range(0, len(ids), self._batch_size):
                part = ids[start : start + self._batch_size]
                moved = until_it_passes(partial(self._moved, part, spellings, new))
                if moved:
                    yield moved

    def _spellings(self, login: str) -> Iterator[str]:
        """How tickets spell a login, capital letters aside."""
        ticket = schema.ticket.c
        lower = func.lower(ticket.customer_user_id)
        # Not DISTINCT: MariaDB would give one spelling for all.
        spelt = select(ticket.customer_user_id).where(lower == func.lower(login))
        with connected(self._reading) as connection:
            last = connection.execute(select(func.max(ticket.id))).scalar() or 0
            # No index knows of capital letters, so all tickets are looked through, part by part.
            for start in range(0, last, WINDOW):
                part = spelt.where(ticket.id > start, ticket.id <= start + WINDOW)
                for found in set(connection.execute(part).scalars()):
                    if fold(found) == fold(login):
                        yield found

    def _next(self, spellings: Collection[str], after: int) -> Sequence[int]:
        """Ids of the next tickets that a server takes for the login's, in their order."""
        id_ = schema.ticket.c.id
        # By the index of customer users: in the order of ids all tickets would be read.
        tickets = (
            select(id_)
            .where(schema.ticket.c.customer_user_id.in_(sorted(spellings)), id_ > after)
            .order_by(id_ + 0)
            .limit(PORTION)
        )
        with connected(self._reading) as connection:
            return connection.execute(tickets).scalars().all()

    def _moved(self, ids: Sequence[int], spellings: Collection[str], new: str) -> Sequence[int]:
        with self._engine.connect().execution_options(**{WRITING: True}) as connection:
            if self._system is None:
                self._system = read_system(connection, self._worker_user)
                connection.rollback()
            with connection.begin():
                now = stamp(self._now(), self._zone)
                return _write(connection, self._system, ids, spellings, new, now)


def _write(  # noqa: PLR0913, PLR0917 - what is to be written, where, for whom and when
    connection: Connection,
    system: TicketSystem,
    ids: Sequence[int],
    spellings: Collection[str],
    new: str,
    now: str,
) -> Sequence[int]:
    locked = lock_tickets(connection, ids)
    # Compared here and not by the database: collations take different logins for the same.
    rows = [row for row in locked.values() if row[1] in spellings]
    if not rows:
        return ()
    line = f"%%CustomerUser={new};"[:NAME_LENGTH]
    # Before the tickets are updated, see ``writing.write``.
    lines = ((row, line) for row in rows)
    write_lines(connection, system, HistoryType.CUSTOMER_UPDATE, lines, now)
    moved = [row[0] for row in rows]
    dialect = connection.dialect.name
    changed = {"new": new, "now": now, "worker": system.worker_id}
    connection.execute(_set(dialect), {"tickets": bound(dialect, moved), **changed})
    return moved


@cache
def _set(dialect: str) -> TextClause:
    sql = """
        UPDATE ticket SET customer_user_id = :new, change_time = :now, change_by = :worker
        WHERE id {tickets}
    """
    return statement(dialect, sql).bindparams(bindparam("now", type_=schema.Stamp()))
