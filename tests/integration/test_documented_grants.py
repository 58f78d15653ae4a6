"""The database user that the deployment page describes can do the whole job, and no more."""

import dataclasses
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy
from sqlalchemy import Engine, make_url, text
from sqlalchemy.exc import DBAPIError

from tests import servers
from tests.otobo import AGENT, WORKER_LOGIN, Otobo, install
from tests.sysconfig import DEFAULT_MODULE, OWN_MODULE, ship
from worker import bootstrap, heartbeat
from worker.calls import perform
from worker.checks import event_modules, rights, ticket_database
from worker.checks.finding import Finding, Level
from worker.entries import Entry
from worker.events import CustomerChanged, dump
from worker.handlers.enrich import converge, enrich
from worker.handlers.forget import Forgotten, forget
from worker.handlers.sweep import sweep
from worker.inbox import Inbox
from worker.services import Services
from worker.settings import Settings
from worker.tickets import schema
from worker.tickets.engine import ticket_engine
from worker.tickets.selection import OPEN_TYPES, Selection, TicketIndex
from worker.tickets.sql import SqlTicketStore
from worker.tickets.store import TicketDatabaseMisfit, TicketDatabaseUnavailable

HOW_TO = Path(__file__).parents[2] / "docs/how-to"
DEPLOY, CUSTOMERS = HOW_TO / "deploy.md", HOW_TO / "customers.md"
CUSTOMER_USERS = HOW_TO / "customer-users.md"
FORGET = HOW_TO / "forget.md"
NAME = "limited"


@pytest.fixture(params=["postgresql", "mariadb"])
def owner_url(request: pytest.FixtureRequest) -> Iterator[str]:
    """A ticket database whose owner may do everything."""
    server: servers.PostgresqlServer | servers.MariadbServer = request.getfixturevalue(
        f"{request.param}_server"
    )
    url = server.create_database(install)
    yield url
    server.drop_database(url)


def grant(engine: Engine, page: Path) -> None:
    """Run the first SQL block of a page, which is PostgreSQL's, or the second, MariaDB's."""
    blocks = re.findall(r"```sql\n(.*?)```", page.read_text(), re.DOTALL)
    script = blocks[0 if engine.dialect.name == "postgresql" else 1]
    script = script.replace("fieldfare", NAME).replace("otobo.", f"{engine.url.database}.")
    statements = re.sub(r"--.*", "", script).split(";")
    with engine.begin() as connection:
        for statement in filter(None, map(str.strip, statements)):
            connection.exec_driver_sql(statement.replace("%", "%%"))


@pytest.fixture
def user_url(owner_url: str) -> Iterator[str]:
    """The same database for a user who has been given what the page says."""
    url = make_url(owner_url)
    engine = sqlalchemy.create_engine(url)
    grant(engine, DEPLOY)
    yield url.set(username=NAME, password="change-me").render_as_string(hide_password=False)
    with engine.begin() as connection:
        if url.get_backend_name() == "postgresql":
            connection.exec_driver_sql(f"DROP OWNED BY {NAME}; DROP ROLE {NAME}")
        else:
            connection.exec_driver_sql(f"DROP USER '{NAME}'@'%%'")
    engine.dispose()


@pytest.fixture
def otobo(owner_url: str) -> Iterator[Otobo]:
    system = Otobo(owner_url)
    for name in ("Firstname", "Company", "Theme", "Room"):
        system.add_field(name)
    system.add_field("Desk", "Agent")
    system.add_field("Nick", object_type="CustomerUser")
    with system.engine.begin() as connection:
        stamps = {"create_time": "2024-01-01 00:00:00", "create_by": 1}
        stamps |= {"change_time": "2024-01-01 00:00:00", "change_by": 1}
        user = {"login": "anna", "email": "anna@example.com", "customer_id": "acme"}
        user |= {"first_name": "Anna", "last_name": "Berg", "valid_id": 1, "comments": str(AGENT)}
        connection.execute(sqlalchemy.insert(schema.customer_user), [user | stamps])
        company = {"customer_id": "acme", "name": "Acme Ltd", "valid_id": 1}
        connection.execute(sqlalchemy.insert(schema.customer_company), [company | stamps])
        connection.execute(
            sqlalchemy.insert(schema.customer_preferences),
            [{"user_id": "anna", "preferences_key": "UserTheme", "preferences_value": "Dark"}],
        )
    yield system
    system.close()


@pytest.fixture
def services(user_url: str, otobo: Otobo, redis_server: servers.RedisServer) -> Iterator[Services]:
    redis_server.start()
    redis_server.flush()
    settings = Settings.model_validate(
        {
            "tickets": {"url": user_url},
            "redis": {"url": redis_server.url},
            "sources": {
                "CustomerUser": {
                    "kind": "sql",
                    "table": "customer_user",
                    "customer_key": "login",
                    "customer_id": "customer_id",
                    "customer_company_support": True,
                    "map": {
                        "UserLogin": "login",
                        "UserFirstname": "first_name",
                        "UserLastname": "last_name",
                        "UserEmail": "email",
                        "UserCustomerID": "customer_id",
                        "UserComment": "comments",
                        "ValidID": {"storage": "valid_id", "storage_type": "int"},
                        "DynamicField_Nick": {"storage": "Nick", "storage_type": "dynamic_field"},
                        "DynamicField_Room": {"storage": "Room", "storage_type": "dynamic_field"},
                    },
                }
            },
            "mapping": {
                "variables": {
                    "UserFirstname": "Firstname",
                    "CustomerCompanyName": "Company",
                    "UserTheme": "Theme",
                    "UserComment": "Desk",
                    "DynamicField_Room": "Room",
                }
            },
        }
    )
    built = bootstrap.build(settings)
    yield built
    built.directory.close()
    built.tickets.close()


def handled(services: Services, ticket_id: int) -> list[str]:
    entry = Entry("1-1", dump(CustomerChanged(ticket_id=ticket_id)))
    return [outcome.kind.value for outcome in enrich([entry], services)]


@pytest.fixture
def read_only(owner_url: str, user_url: str) -> Iterator[Callable[[bool], None]]:
    """Makes the database one that its user cannot write to, as a standby or a replica is."""
    assert user_url
    engine = sqlalchemy.create_engine(owner_url, isolation_level="AUTOCOMMIT")

    def switch(on: bool) -> None:
        statement = f"SET GLOBAL read_only = {int(on)}"
        if engine.dialect.name == "postgresql":
            statement = f"ALTER ROLE {NAME} SET default_transaction_read_only = {on}"
        with engine.connect() as connection:
            connection.exec_driver_sql(statement)

    yield switch
    switch(False)
    engine.dispose()


def test_a_read_only_database_is_called_so_and_nothing_is_settled(
    services: Services, otobo: Otobo, user_url: str, read_only: Callable[[bool], None]
) -> None:
    ticket_id = otobo.create_ticket("anna", "acme")
    read_only(True)
    with pytest.raises(TicketDatabaseUnavailable, match=r"it is read-only$"):
        handled(services, ticket_id)
    engine = ticket_engine(user_url)
    found = list(ticket_database.check(engine, make_url(user_url), WORKER_LOGIN))
    engine.dispose()
    (wrong,) = [one for one in found if one.level is Level.ERROR]
    assert wrong.what.startswith("takes no writes, it is read-only: ")
    assert "name the primary" in wrong.advice
    assert wrong.answered

    read_only(False)
    services.tickets.close()
    assert handled(services, ticket_id) == ["written"]


def test_the_documented_user_can_do_the_whole_job(services: Services, otobo: Otobo) -> None:
    assert isinstance(services.tickets, SqlTicketStore)
    services.tickets.check_schema()
    ticket_id = otobo.create_ticket("anna", "acme")

    assert handled(services, ticket_id) == ["written"]  # rows are added
    assert otobo.values(ticket_id) == {
        "Firstname": ["Anna"],
        "Company": ["Acme Ltd"],
        "Theme": ["Dark"],
        "Desk": [AGENT],
    }
    with otobo.engine.begin() as connection:
        connection.execute(text("UPDATE customer_user SET first_name = 'Anne'"))
    otobo.set_customer(ticket_id, "anna", "acme")
    assert handled(services, ticket_id) == ["written"]  # a row is overwritten
    assert otobo.values(ticket_id)["Firstname"] == ["Anne"]
    otobo.set_customer(ticket_id, "stranger", "acme")
    assert handled(services, ticket_id) == ["written"]  # rows are deleted
    assert otobo.values(ticket_id) == {}


def test_the_documented_user_can_sweep_the_history(services: Services, otobo: Otobo) -> None:
    ticket_id = otobo.create_ticket("anna", "acme")
    with otobo.engine.begin() as connection:
        connection.execute(text("UPDATE ticket_history SET create_time = '2024-01-01 00:00:00'"))
    assert services.history.read_window("2023-01-01 00:00:00", 0, 10)[0].ticket_id == ticket_id
    assert sweep(services) == 0  # the line is older than the look-back


def test_the_documented_user_can_choose_tickets(user_url: str, owner_url: str) -> None:
    asked = Selection(queues=("Raw",), state_types=OPEN_TYPES, without_value=("Room",))
    engine = ticket_engine(user_url)
    index = TicketIndex(engine)
    owner = Otobo(owner_url)
    owner.add_field("Room")
    made = owner.create_ticket("anna")

    assert index.part(index.resolve(asked), 0, 10).ids == (made,)

    postgresql = make_url(owner_url).get_backend_name() == "postgresql"
    whom = NAME if postgresql else f"'{NAME}'@'%%'"
    with owner.engine.connect() as connection:
        connection.exec_driver_sql(f"REVOKE SELECT ON queue FROM {whom}")
    with pytest.raises(TicketDatabaseMisfit, match="it needs SELECT on ticket, queue"):
        index.resolve(asked)
    owner.close()
    engine.dispose()


def test_the_documented_user_can_administer_customers_with_the_rights_for_it(
    services: Services, otobo: Otobo
) -> None:
    silent = Inbox(services.inbox.client, lambda: None, services.settings.inbox)
    working = dataclasses.replace(services, inbox=silent)

    def call(name: str, **arguments: Any) -> dict[str, Any]:
        return perform(name, arguments, "ada", working)

    new = {"CustomerID": "beta", "CustomerCompanyName": "Beta Ltd"}
    assert call("customer_company.get", customer_id="acme")["answer"] == "found"
    refused = call("customer_company.add", values=new)
    assert refused["error"] == "unavailable"
    assert "denied" in refused["message"]
    with pytest.raises(TicketDatabaseMisfit, match="it needs SELECT on groups_table"):
        services.customer_groups.permissions("anna", ["acme"])

    grant(otobo.engine, CUSTOMERS)
    for name, arguments in (
        ("customer_company.add", {"values": new}),
        ("customer_company.update", {"customer_id": "beta", "values": {"ValidID": "1"}}),
        ("customer_company.update", {"customer_id": "acme", "values": {"ValidID": "valid"}}),
        ("customer_user.assign", {"login": "anna", "customer_id": "beta"}),
        ("customer_user.customers", {"login": "anna"}),
        ("customer_user.permissions", {"login": "anna"}),
        ("customer_user.unassign", {"login": "anna", "customer_id": "beta"}),
        ("customer_company.deactivate", {"customer_id": "beta"}),
    ):
        assert "error" not in call(name, **arguments), name


LACKING = (
    "add and change customer users of CustomerUser",
    "assign customers",
    "rename customer users",
    "rename customer users with their tickets",
    "add and change customers",
)


def test_check_says_which_rights_workers_lack(
    services: Services, otobo: Otobo, user_url: str
) -> None:
    alive = [heartbeat.this_process("worker", queue, 2) for queue in ("admin", "resync")]
    engine = ticket_engine(user_url)

    def found() -> list[str]:
        told = rights.check(alive, services.settings, engine)
        return [f"{one.level} {one.subject}: {one.what}" for one in told]

    fine = "the database user may do what they take"
    assert found() == [
        f"warning admin calls: the database user may not {', '.join(LACKING)}",
        f"ok resyncs: {fine}",
    ]
    assert list(rights.check(alive[:0], services.settings, engine)) == []
    gone = sqlalchemy.create_engine("postgresql+psycopg://127.0.0.1:1/otobo")
    assert {one.answered for one in rights.check(alive, services.settings, gone)} == {False}

    grant(otobo.engine, CUSTOMERS)
    grant(otobo.engine, CUSTOMER_USERS)
    assert found() == [f"ok admin calls: {fine}", f"ok resyncs: {fine}"]
    engine.dispose()


def test_the_documented_user_can_forget_with_the_right_for_it(
    services: Services, otobo: Otobo
) -> None:
    ticket = otobo.create_ticket("anna")
    converge({ticket: ()}, services)
    assert otobo.values(ticket)["Firstname"] == ["Anna"]

    def forgotten() -> Forgotten:
        return forget(services, "anna", dry_run=False, progress=lambda *_: None)

    with pytest.raises(TicketDatabaseMisfit, match=r"needs UPDATE \(name\) on ticket_history"):
        forgotten()
    assert otobo.values(ticket)["Firstname"] == ["Anna"]

    grant(otobo.engine, FORGET)
    done = forgotten()

    assert done.emptied["Firstname"] == 1
    assert done.lines >= 1
    assert "Firstname" not in otobo.values(ticket)


def test_the_documented_user_can_write_customer_users_with_the_rights_for_it(
    services: Services, otobo: Otobo
) -> None:
    silent = Inbox(services.inbox.client, lambda: None, services.settings.inbox)
    working = dataclasses.replace(services, inbox=silent)

    def call(name: str, **arguments: Any) -> dict[str, Any]:
        return perform(f"customer_user.{name}", arguments, "ada", working)

    new = {"UserLogin": "bob", "UserFirstname": "Bob", "UserLastname": "Berg"}
    new |= {"UserEmail": "bob@cust.test", "UserCustomerID": "acme", "DynamicField_Nick": "Bo"}
    refused = call("update", login="anna", values={"UserFirstname": "Anne"})
    assert refused["error"] == "unavailable"
    assert "denied" in refused["message"]

    grant(otobo.engine, CUSTOMER_USERS)
    for name, arguments in (
        ("add", {"values": new}),
        ("update", {"login": "anna", "values": {"DynamicField_Nick": "Ace"}}),
        ("update", {"login": "anna", "values": {"UserFirstname": "Anne"}}),
        ("deactivate", {"login": "bob"}),
    ):
        assert "error" not in call(name, **arguments), name
    hang_on(otobo, "anna", "anne")  # so that rows move, and others give way
    otobo.create_ticket("anna")
    renamed = call("rename", login="anna", new_login="anne", tickets=True)
    assert renamed["moved"] == {
        "preferences": 2,
        "assignments": 1,
        "dynamic_fields": 1,
        "others": 3,
        "tickets": 1,
    }
    assert "warnings" not in renamed


def hang_on(otobo: Otobo, *logins: str) -> None:
    """Rows that name logins, in every table that a rename changes."""
    stamps = {"create_time": "2024-01-01 00:00:00", "create_by": 1}
    changed = stamps | {"change_time": "2024-01-01 00:00:00", "change_by": 1}
    group = {"group_id": 1, "permission_key": "ro", "permission_value": 1}
    search = {"profile_name": "mine", "profile_type": "SCALAR", "profile_key": "Title"}
    with otobo.engine.begin() as connection:
        for login in logins:
            for table, values in (
                (schema.customer_preferences, {"user_id": login, "preferences_key": "Skin"}),
                (schema.customer_user_customer, {"user_id": login, "customer_id": "b"} | changed),
                (schema.group_customer_user, {"user_id": login} | group | changed),
                (
                    schema.service_customer_user,
                    {"customer_user_login": login, "service_id": 1} | stamps,
                ),
                (schema.search_profile, {"login": f"CustomerTicketSearch::{login}"} | search),
            ):
                connection.execute(sqlalchemy.insert(table), [values])


@pytest.mark.parametrize(
    "statement",
    [
        "SELECT pw FROM users",
        "UPDATE ticket SET title = 'x'",
        "DELETE FROM ticket_history",
        "UPDATE customer_user SET first_name = 'x'",
        "DELETE FROM ticket",
        "INSERT INTO dynamic_field (id) VALUES (99)",
    ],
)
def test_the_documented_user_can_do_nothing_else(
    user_url: str, otobo: Otobo, statement: str
) -> None:
    engine = sqlalchemy.create_engine(user_url)
    try:
        with engine.begin() as connection, pytest.raises(DBAPIError, match=r"(?i)denied"):
            connection.exec_driver_sql(statement)
    finally:
        engine.dispose()


def findings(url: str) -> list[Finding]:
    engine = ticket_engine(url)
    settings = Settings.model_validate({"tickets": {"url": url}, "mapping": {"variables": {}}})
    try:
        return [
            *ticket_database.check(engine, make_url(url), WORKER_LOGIN),
            *event_modules.check(settings, engine),
        ]
    finally:
        engine.dispose()


def test_the_documented_user_can_check_everything(user_url: str, otobo: Otobo) -> None:
    ship(otobo.engine, OWN_MODULE)
    ship(otobo.engine, "OTOBOTimeZone", "Europe/Berlin")
    ship(otobo.engine, DEFAULT_MODULE)
    ship(otobo.engine, "Ticket::TicketDynamicFieldDefault###Element1", {"Name": "Company"})

    worse = {one.what: one.level.value for one in findings(user_url) if one.level != Level.OK}

    # Values are not granted, so which fields have a default and which time zone it is stays open.
    assert worse == {
        f"{OWN_MODULE} is active": "error",
        "the module TicketDynamicFieldDefault (9600) writes default values for fields that "
        "cannot be told": "warning",
    }


def test_rights_that_are_missing_are_told(user_url: str, owner_url: str) -> None:
    postgresql = make_url(owner_url).get_backend_name() == "postgresql"
    whom = NAME if postgresql else f"'{NAME}'@'%%'"
    sequence = "REVOKE USAGE ON SEQUENCE ticket_history_id_seq FROM limited"
    engine = sqlalchemy.create_engine(owner_url)
    with engine.begin() as connection:
        connection.exec_driver_sql(f"REVOKE UPDATE (change_time, change_by) ON ticket FROM {whom}")
        connection.exec_driver_sql(f"REVOKE DELETE ON dynamic_field_value FROM {whom}")
        connection.exec_driver_sql(f"REVOKE SELECT (name) ON sysconfig_default FROM {whom}")
        if postgresql:
            connection.exec_driver_sql(sequence)
    engine.dispose()

    found = {one.level: one for one in findings(user_url) if one.level != Level.OK}

    told = found[Level.ERROR].what.partition(" (")[0]
    sequences = ", use the sequence of ticket_history.id" if postgresql else ""
    assert told == (
        f"the database user may not: UPDATE ticket, DELETE FROM dynamic_field_value{sequences}"
    )
    assert "cannot be told" in found[Level.WARNING].what


def test_a_table_that_may_not_be_read_is_named(user_url: str, owner_url: str) -> None:
    url = make_url(owner_url)
    whom = NAME if url.get_backend_name() == "postgresql" else f"'{NAME}'@'%%'"
    engine = sqlalchemy.create_engine(url)
    with engine.begin() as connection:
        connection.exec_driver_sql(f"REVOKE SELECT ON user_preferences FROM {whom}")
    engine.dispose()
    store = SqlTicketStore(ticket_engine(user_url), worker_user=WORKER_LOGIN)

    with pytest.raises(TicketDatabaseMisfit, match="may not read the table user_preferences"):
        store.check_schema()

    store.close()
