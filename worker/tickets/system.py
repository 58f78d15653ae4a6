"""Is this the ticket system we expect, and which ids does it use?

History types have different ids on migrated systems, two value columns exist since OTOBO 11
only, and the worker's agent has the id it was given: all of it is read once and kept.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy import Connection, Table, false, inspect, select, text
from sqlalchemy.exc import DBAPIError, NoSuchTableError

from mapping.model import HistoryType
from worker.tickets import schema
from worker.tickets.agents import worker_user_id
from worker.tickets.engine import is_denied
from worker.tickets.store import TicketDatabaseMisfit

_USED: Mapping[Table, str] = {
    schema.ticket: (
        "id tn customer_user_id type_id queue_id user_id ticket_priority_id ticket_state_id "
        "change_time change_by"
    ),
    schema.dynamic_field: (
        "id name field_type object_type internal_field config valid_id change_time"
    ),
    schema.dynamic_field_value: "id field_id object_id value_text value_date value_int",
    schema.ticket_history: (
        "id name history_type_id ticket_id article_id type_id queue_id owner_id priority_id "
        "state_id create_time create_by change_time change_by"
    ),
    schema.ticket_history_type: "id name",
    schema.users: "id login first_name last_name valid_id",
    schema.user_preferences: "user_id preferences_key preferences_value",
}
"""The columns that are read or written, by table; index columns are optional."""


@dataclass(frozen=True, slots=True)
class TicketSystem:
    """What never changes while a worker runs.

    Attributes:
        worker_id: the agent that the worker writes as.
        types: names of the history types, by id.
        type_ids: ids of the history types in use, by name.
        has_indexes: whether ``dynamic_field_value`` has index_value and index_set (OTOBO 11).
    """

    worker_id: int
    types: Mapping[int, str]
    type_ids: Mapping[HistoryType, int]
    has_indexes: bool

    def type_id(self, name: HistoryType) -> int:
        """The id of a history type."""
        return self.type_ids[name]


def read_system(connection: Connection, worker_user: str | int) -> TicketSystem:
    """Read the ids of a ticket system, in three statements.

    Args:
        connection: to the ticket database.
        worker_user: login or id of the worker's agent.

    Raises:
        TicketDatabaseMisfit: a history type is missing, or the worker's agent cannot be used.
    """
    types = read_types(connection)
    ids = {name: id_ for id_, name in types.items()}
    return TicketSystem(
        worker_id=worker_user_id(connection, worker_user),
        types=types,
        type_ids={name: ids[name] for name in HistoryType},
        has_indexes=has_indexes(connection),
    )


def read_types(connection: Connection) -> Mapping[int, str]:
    """The names of the history types, by id.

    Raises:
        TicketDatabaseMisfit: one that is needed is missing.
    """
    type_ = schema.ticket_history_type.c
    types = {row.id: row.name for row in connection.execute(select(type_.id, type_.name))}
    if missing := set(HistoryType) - set(types.values()):
        raise TicketDatabaseMisfit(
            f"the table ticket_history_type has no {', '.join(sorted(missing))}; "
            "is this the database of OTOBO, Znuny or OTRS?"
        )
    return types


def has_indexes(connection: Connection) -> bool:
    """Whether ``dynamic_field_value`` has index_value and index_set (OTOBO 11)."""
    present = connection.execute(text("SELECT * FROM dynamic_field_value WHERE 1 = 0")).keys()
    return set(schema.INDEX_COLUMNS) <= set(present)


def check_tables(connection: Connection) -> None:
    """Make sure that every table and column in use is there and may be read.

    Each is read, and not only looked up: MariaDB describes a table only to those who may read
    all of it, and Fieldfare needs to read no passwords.

    Raises:
        TicketDatabaseMisfit: names the first table that is missing, lacks columns, or may not be
            read.
    """
    for table, names in _USED.items():
        columns = [table.c[name] for name in names.split()]
        try:
            connection.execute(select(*columns).where(false()))
        except DBAPIError as error:
            if is_denied(error):
                raise TicketDatabaseMisfit(
                    f"the database user may not read the table {table.name}, or there is none; "
                    f"it needs SELECT on {', '.join(names.split())}"
                ) from None
            connection.rollback()
            _check_columns(connection, table, names)
            raise


def _check_columns(connection: Connection, table: Table, names: str) -> None:
    try:
        present = {column["name"] for column in inspect(connection).get_columns(table.name)}
    except NoSuchTableError:
        raise TicketDatabaseMisfit(
            f"the ticket database has no table {table.name}; does the URL name the database "
            "of OTOBO, Znuny or OTRS?"
        ) from None
    if missing := set(names.split()) - present:
        raise TicketDatabaseMisfit(
            f"the table {table.name} has no column {', '.join(sorted(missing))}; versions "
            "from OTRS 6, Znuny 6 and OTOBO 10 on are known"
        )
