"""Is this the ticket system's database, and may we do there what must be done?

Whether writing is allowed is tried with statements that concern no row: the server judges them by
the same rights, and nothing is changed.
"""

from collections.abc import Iterator, Mapping, Sequence

from sqlalchemy import Connection, Engine, delete, false, insert, select, text, update
from sqlalchemy.engine import URL
from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.sql.dml import UpdateBase

from directory.database import describe
from directory.engines import WRITING
from worker.checks import transport
from worker.checks.finding import Finding, Level, error, ok, silent
from worker.tickets import schema
from worker.tickets.agents import worker_user_id
from worker.tickets.engine import reason, takes_no_writes
from worker.tickets.store import TicketDatabaseMisfit
from worker.tickets.system import check_tables, has_indexes, read_types

SUBJECT = "ticket database"
NOT_STARTING = "The worker does not start."

_GRANT = "Grant the database user what the page Deploy says, and let tickets.url name the primary."
_NEVER_FILLED = "No field is ever filled; events wait in the inbox."
_NAMES: Mapping[str, str] = {"postgresql": "PostgreSQL", "sqlite": "SQLite", "mysql": "MySQL"}


def check(engine: Engine, url: URL, worker_user: str) -> Iterator[Finding]:
    """Connect, look at tables, history types and the agent, and try what is to be written.

    Args:
        engine: of the ticket database.
        url: its address.
        worker_user: the login of the worker's agent.
    """
    yield from transport.of_database(SUBJECT, url)
    try:
        with engine.connect() as connection:
            found = list(_read(connection, worker_user))
        yield from found
        if found[0].level is not Level.OK:
            return  # without the tables nothing can be tried
        with engine.connect().execution_options(**{WRITING: True}) as connection:
            yield from _write(connection)
    except SQLAlchemyError as problem:
        if why := takes_no_writes(problem):
            yield _without_writes(why, problem)
            return
        yield silent(
            SUBJECT,
            f"does not answer: {describe(problem)}",
            "Events wait in the inbox until it is back.",
            "Start it, or correct tickets.url, tickets.user and tickets.password.",
        )


def _read(connection: Connection, worker_user: str) -> Iterator[Finding]:
    """The first finding is that of the tables."""
    try:
        check_tables(connection)
    except TicketDatabaseMisfit as misfit:
        yield error(SUBJECT, misfit.problem, NOT_STARTING, "")
        return
    yield ok(SUBJECT, f"{_server(connection)}, all tables of {_family(connection)}")
    try:
        read_types(connection)
        yield ok(SUBJECT, "all history types are there")
    except TicketDatabaseMisfit as misfit:
        yield error(SUBJECT, misfit.problem, NOT_STARTING, "")
    try:
        id_ = worker_user_id(connection, worker_user)
        yield ok(SUBJECT, f"the agent {worker_user!r} is valid (id {id_})")
    except TicketDatabaseMisfit as misfit:
        yield error(SUBJECT, misfit.problem, NOT_STARTING, "")


def _server(connection: Connection) -> str:
    dialect = connection.dialect
    maria = getattr(dialect, "is_mariadb", False)
    name = "MariaDB" if maria else _NAMES.get(dialect.name, dialect.name)
    version = ".".join(str(part) for part in (dialect.server_version_info or ())[:3])
    return f"{name} {version}"


def _family(connection: Connection) -> str:
    """As far as the tables tell."""
    return "OTOBO 11 or later" if has_indexes(connection) else "OTOBO 10, Znuny or OTRS"


def _write(connection: Connection) -> Iterator[Finding]:
    refused: dict[str, str] = {}
    for right, statement in _statements():
        try:
            connection.execute(statement)
        except DBAPIError as problem:
            if why := takes_no_writes(problem):
                yield _without_writes(why, problem)
                return
            refused[right] = reason(problem)
        connection.rollback()
    refused |= dict.fromkeys(_unusable_sequences(connection), "no USAGE")
    if not refused:
        yield ok(SUBJECT, "values and history lines may be written")
        return
    yield error(
        SUBJECT,
        f"the database user may not: {', '.join(refused)} ({', '.join(set(refused.values()))})",
        _NEVER_FILLED,
        _GRANT,
    )


def _without_writes(why: str, problem: SQLAlchemyError) -> Finding:
    """It answers, and nobody may write."""
    return error(
        SUBJECT,
        f"takes no writes, {why}: {describe(problem)}",
        _NEVER_FILLED,
        "Let tickets.url name the primary, or a file that the worker may write, with its folder; "
        "make room where the disk is full.",
    )


def _statements() -> Sequence[tuple[str, UpdateBase]]:
    ticket, value, line = schema.ticket, schema.dynamic_field_value, schema.ticket_history
    values = ["field_id", "object_id", "value_text", "value_date", "value_int"]
    lines = [column.name for column in line.columns if column.name != "id"]
    return (
        (
            "UPDATE ticket",
            update(ticket)
            .where(false())
            .values(change_time=ticket.c.change_time, change_by=ticket.c.change_by),
        ),
        (
            "INSERT INTO dynamic_field_value",
            insert(value).from_select(values, select(*(value.c[n] for n in values)).where(false())),
        ),
        (
            "UPDATE dynamic_field_value",
            update(value).where(false()).values({name: value.c[name] for name in values}),
        ),
        ("DELETE FROM dynamic_field_value", delete(value).where(false())),
        (
            "INSERT INTO ticket_history",
            insert(line).from_select(lines, select(*(line.c[n] for n in lines)).where(false())),
        ),
    )


def _unusable_sequences(connection: Connection) -> Iterator[str]:
    """PostgreSQL's sequences of ids, which are asked for with the first row only."""
    if connection.dialect.name != "postgresql":
        return
    allowed = "SELECT has_sequence_privilege(pg_get_serial_sequence(:name, 'id'), 'USAGE')"
    for table in (schema.dynamic_field_value, schema.ticket_history):
        if connection.execute(text(allowed), {"name": table.name}).scalar() is False:
            yield f"use the sequence of {table.name}.id"
