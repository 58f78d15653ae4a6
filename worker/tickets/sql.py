"""The ticket store on SQLite, PostgreSQL, MariaDB and MySQL.

A load costs two statements. A transaction costs at most seven, and eight where fields of one
ticket are emptied and fields of another filled; the first call of a process reads the ids of the
ticket system besides.
"""

from collections import defaultdict
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import UTC, datetime, tzinfo

from sqlalchemy import Connection, Engine, text
from sqlalchemy.exc import SQLAlchemyError

from directory.engines import WRITING
from mapping.model import DynamicField, Labels, Plan, TicketState
from worker.tickets.agents import agent_labels
from worker.tickets.engine import Fault, connected, for_reading, kind_of, reason
from worker.tickets.history import stamp, utc_now
from worker.tickets.interference import find_conflicts, take_back
from worker.tickets.reading import Definitions, read_tickets
from worker.tickets.repeating import REPEATS, pause
from worker.tickets.second_look import doubtful, overruled
from worker.tickets.store import (
    ALL_TRACES,
    Added,
    Applied,
    Conflict,
    Loaded,
    Refused,
    Result,
    TicketDatabaseUnavailable,
    Traces,
)
from worker.tickets.system import TicketSystem, check_tables, read_system
from worker.tickets.writing import Overtaken, Written, delete_values, write

LOAD_SIZE = 500
"""Tickets for one pair of statements: databases limit the number of bound values."""

AGENT = "Agent"

NEWEST_ROW = text("SELECT MAX(id) FROM dynamic_field_value")


class SqlTicketStore:
    """The ticket system's database. Connects when first asked; used by one thread at a time."""

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
        self._known: TicketSystem | None = None
        self._definitions = Definitions()

    def check_schema(self) -> None:
        """Make sure that this is a ticket system, and that the worker's agent can be used.

        Raises:
            TicketDatabaseMisfit: what is missing, and what to do.
            TicketDatabaseUnavailable: the database does not answer.
        """
        with connected(self._reading) as connection:
            check_tables(connection)
            self._known = read_system(connection, self._worker_user)

    def worker_user_id(self) -> int:
        """The id of the agent that the worker writes as.

        Raises:
            TicketDatabaseMisfit: there is no such agent, or it must not be used.
            TicketDatabaseUnavailable: the database does not answer.
        """
        if self._known is not None:
            return self._known.worker_id  # without the ping that a connection costs
        with connected(self._reading) as connection:
            return self._system(connection).worker_id

    def load(self, ticket_ids: Sequence[int], field_names: Collection[str]) -> Loaded:
        """Read tickets; see ``TicketStore.load``."""
        tickets: dict[int, TicketState] = {}
        fields: dict[str, DynamicField] = {}
        with connected(self._reading) as connection:
            system = self._system(connection)
            for start in range(0, len(ticket_ids), LOAD_SIZE):
                part = read_tickets(
                    connection,
                    system,
                    self._definitions,
                    ticket_ids[start : start + LOAD_SIZE],
                    field_names,
                )
                tickets |= part.tickets
                fields |= part.fields
        return Loaded(tickets, fields)

    def apply(self, plans: Sequence[Plan], traces: Traces = ALL_TRACES) -> Mapping[int, Result]:
        """Write plans; see ``TicketStore.apply``."""
        results: dict[int, Result] = {
            plan.ticket_id: Applied(()) for plan in plans if not plan.changes
        }
        changing = sorted((plan for plan in plans if plan.changes), key=lambda plan: plan.ticket_id)
        for start in range(0, len(changing), self._batch_size):
            results |= self._apply(changing[start : start + self._batch_size], traces)
        return results

    def newest_row_id(self) -> int:
        """The highest id of all value rows; see ``TicketStore.newest_row_id``."""
        with connected(self._reading) as connection:
            newest = connection.execute(NEWEST_ROW).scalar()
        return int(newest or 0)

    def take_out(self, added: Added) -> Added:
        """Take our rows out again; see ``TicketStore.take_out``."""
        taken: dict[tuple[int, int], Collection[int]] = {}
        keys = sorted(added)
        for start in range(0, len(keys), LOAD_SIZE):
            part: Added = {key: added[key] for key in keys[start : start + LOAD_SIZE]}
            with connected(self._reading) as connection:
                part = doubtful(connection, self._system(connection), part)
            if not part:
                continue
            with connected(self._engine, writing=True) as connection:
                system = self._system(connection, writing=True)
                with connection.begin():
                    part = overruled(connection, system, part)
                    if part:
                        delete_values(connection, (id_ for ids in part.values() for id_ in ids))
            taken |= part
        return taken

    def labels(self, references: Collection[tuple[str, str]]) -> Labels:
        """Names of agents; see ``TicketStore.labels``."""
        ids = {int(key) for kind, key in references if kind == AGENT and key.isdecimal()}
        if not ids:
            return {}
        with connected(self._reading) as connection:
            named = agent_labels(connection, ids)
        return {
            (kind, key): named[int(key)]
            for kind, key in references
            if kind == AGENT and key.isdecimal() and int(key) in named
        }

    def close(self) -> None:
        """Close connections; the next call opens them again."""
        self._engine.dispose()

    def _apply(self, plans: Sequence[Plan], traces: Traces) -> dict[int, Result]:
        """One transaction, begun again until it passes or nobody is left in it."""
        results: dict[int, Result] = {}
        open_plans = list(plans)
        repeats = 0
        while open_plans:
            try:
                written = self._transact(open_plans, traces)
            except Overtaken as overtaken:
                conflicts = overtaken.conflicts or self._find_conflicts(open_plans)
                results |= conflicts
                open_plans = [plan for plan in open_plans if plan.ticket_id not in conflicts]
            except (SQLAlchemyError, UnicodeError) as error:
                fault = kind_of(error)
                if fault is Fault.REPEAT and repeats < REPEATS:
                    repeats += 1
                    pause(repeats)
                elif fault is not Fault.ROWS:
                    raise TicketDatabaseUnavailable(reason(error)) from error
                elif len(open_plans) == 1:
                    results[open_plans[0].ticket_id] = Refused(reason(error))
                    break
                else:
                    # One ticket's values must not hold up the others'.
                    half = len(open_plans) // 2
                    results |= self._apply(open_plans[:half], traces)
                    results |= self._apply(open_plans[half:], traces)
                    break
            else:
                results |= written.conflicts
                results |= self._settle(open_plans, written)
                break
        return results

    def _transact(self, plans: Sequence[Plan], traces: Traces) -> Written:
        with self._engine.connect().execution_options(**{WRITING: True}) as connection:
            system = self._system(connection, writing=True)
            with connection.begin():
                return write(connection, system, plans, stamp(self._now(), self._zone), traces)

    def _settle(self, plans: Sequence[Plan], written: Written) -> dict[int, Result]:
        """Look once more after COMMIT where rows were added, and tell which fields stand."""
        taken: Mapping[tuple[int, int], frozenset[int]] = {}
        if written.beside:  # else not even a connection is needed, nor the ping that it costs
            with connected(self._reading) as connection:
                taken = take_back(connection, written.beside)
        if taken:
            with connected(self._engine, writing=True) as connection, connection.begin():
                delete_values(connection, (id_ for ids in taken.values() for id_ in ids))
        added: dict[int, dict[int, frozenset[int]]] = defaultdict(dict)
        for (ticket_id, field_id), ids in written.beside.items():
            if (ticket_id, field_id) not in taken:
                added[ticket_id][field_id] = ids
        return {
            plan.ticket_id: Applied(
                tuple(
                    change.field_name
                    for change in plan.changes
                    if (plan.ticket_id, change.field_id) not in taken
                ),
                added.get(plan.ticket_id, {}),
            )
            for plan in plans
            if plan.ticket_id not in written.conflicts
        }

    def _find_conflicts(self, plans: Sequence[Plan]) -> Mapping[int, Conflict]:
        with connected(self._reading) as connection:
            return find_conflicts(connection, self._system(connection), plans)

    def _system(self, connection: Connection, *, writing: bool = False) -> TicketSystem:
        if self._known is None:
            self._known = read_system(connection, self._worker_user)
            if writing:
                connection.rollback()
        return self._known
