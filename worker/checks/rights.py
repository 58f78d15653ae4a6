"""May those at work do what only they do? The database rights of admin calls and of resyncs.

They are looked at where an admin worker or a resync worker is at work, for nobody else needs them.
They are tried with statements that concern no row, as those of ticket workers are.
"""

from collections.abc import Iterator, Sequence

from sqlalchemy import (
    Engine,
    Executable,
    TableClause,
    column,
    delete,
    false,
    insert,
    select,
    table,
    update,
)
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from directory.config import SqlSourceConfig
from directory.engines import WRITING
from directory.rows import split_name
from worker.checks.finding import Finding, ok, skipped, warning
from worker.heartbeat import Alive
from worker.settings import Settings
from worker.tickets.engine import is_denied

ADMIN_CALLS = "admin calls"
RESYNCS = "resyncs"

_Act = tuple[str, Sequence[Executable]]
"""What is to be done, in words, and the statements that it takes."""


def check(alive: Sequence[Alive], settings: Settings, engine: Engine) -> Iterator[Finding]:
    """Try what the workers at work would do.

    Args:
        alive: who is at work.
        settings: the effective settings.
        engine: of the ticket database, which answers.
    """
    queues = {queue for one in alive if one.role == "worker" for queue in one.queues}
    if "admin" in queues:
        yield _tried(
            ADMIN_CALLS,
            _of_admins(settings),
            engine,
            "Calls and commands of admins that do it are answered with an error.",
            "If it is wanted, grant what the pages Write customer users and Administer customers "
            "say.",
        )
    if "resync" in queues:
        yield _tried(
            RESYNCS,
            _OF_RESYNCS,
            engine,
            "Resyncs and reports that choose tickets so are refused.",
            "Grant what the page Deploy says.",
        )


def _tried(
    subject: str, acts: Sequence[_Act], engine: Engine, meaning: str, advice: str
) -> Finding:
    try:
        refused = _refused(acts, engine)
    except SQLAlchemyError:
        return skipped(subject, "the ticket database does not answer")
    if not refused:
        return ok(subject, "the database user may do what they take")
    return warning(subject, f"the database user may not {', '.join(refused)}", meaning, advice)


def _refused(acts: Sequence[_Act], engine: Engine) -> list[str]:
    """What may not be done, in words; a table that is not there at all is refused to nobody."""
    found = []
    with engine.connect().execution_options(**{WRITING: True}) as connection:
        for words, statements in acts:
            for statement in statements:
                try:
                    connection.execute(statement)
                except DBAPIError as problem:
                    if is_denied(problem):
                        found.append(words)
                        break
                finally:
                    connection.rollback()
    return found


def _of_admins(settings: Settings) -> Sequence[_Act]:
    """Where customer users or customers stand in the ticket database."""
    acts: list[_Act] = []
    for source in settings.source_configs():
        if isinstance(source, SqlSourceConfig) and source.in_ticket_database:
            if source.read_only:
                continue
            written = _add_and_change(source.table, source.customer_key)
            acts.append((f"add and change customer users of {source.source_name}", written))
    if acts:
        acts += _BESIDE
    for company in settings.company_configs():
        if company.in_ticket_database and not company.read_only:
            written = _add_and_change(company.table, company.customer_company_key)
            acts.append(("add and change customers", written))
    return acts


def _add_and_change(name: str, key: str) -> Sequence[Executable]:
    return (_insert(name, key), _update(name, key))


def _table(name: str, *columns: str) -> TableClause:
    schema, bare = split_name(name)
    return table(bare, *map(column, columns), schema=schema)


def _insert(name: str, *columns: str) -> Executable:
    into = _table(name, *columns)
    return insert(into).from_select(columns, select(into).where(false()))


def _update(name: str, key: str) -> Executable:
    one = _table(name, key)
    return update(one).where(false()).values({key: one.c[key]})


def _delete(name: str, key: str) -> Executable:
    return delete(_table(name, key)).where(false())


def _read(name: str) -> Executable:
    return select(_table(name, "id")).where(false())


_OF_RESYNCS: Sequence[_Act] = (
    ("read queues and states", [_read(name) for name in ("queue", "ticket_state")]),
    ("read the types of states", [_read("ticket_state_type")]),
)

_BESIDE: Sequence[_Act] = (
    (
        "assign customers",
        [
            _insert("customer_user_customer", "user_id", "customer_id"),
            _delete("customer_user_customer", "user_id"),
        ],
    ),
    (
        "rename customer users",
        [
            _update("customer_preferences", "user_id"),
            _update("customer_user_customer", "user_id"),
            _update("group_customer_user", "user_id"),
            _update("service_customer_user", "customer_user_login"),
            _update("search_profile", "login"),
            _update("dynamic_field_obj_id_name", "object_name"),
        ],
    ),
    ("rename customer users with their tickets", [_update("ticket", "customer_user_id")]),
)
