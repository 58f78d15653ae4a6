"""Customer ids of a source, and of a customer user, on every server that can hold them."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy
from sqlalchemy import insert

from directory.companions import companions
from directory.config import PreferencesConfig
from directory.directory import Directory
from directory.errors import SourceUnavailable
from directory.model import Unavailable
from directory.sql import SqlSource
from tests.contract.ldap_source import LdapDirectory
from tests.contract.sql_source import SqlDirectory, sql_config
from tests.otobo import LONG_AGO
from worker.tickets import schema

STAMPS = {"create_time": LONG_AGO, "create_by": 1, "change_time": LONG_AGO, "change_by": 1}


@pytest.fixture(params=["sqlite", "postgresql", "mariadb", "ldap"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[SqlDirectory | LdapDirectory]:
    """Each kind of server, with customer users of four customers."""
    server = None
    found: SqlDirectory | LdapDirectory
    if request.param == "ldap":
        found = LdapDirectory(request.getfixturevalue("slapd"))
    else:
        url = f"sqlite:///{tmp_path / 'people.sqlite'}"
        if request.param != "sqlite":
            server = request.getfixturevalue(f"{request.param}_server")
            url = server.create_database()
        found = SqlDirectory(url, server, tmp_path)
    for number, customer_id in enumerate(("acme", "beta", "beta", "100%", "a_b")):
        found.add_person(f"user{number}", "Jane", "Doe", "jane@cust.test", customer_id)
    yield found
    found.close()
    if server is not None:
        server.drop_database(found.url)  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("term", "prefix", "ids"),
    [
        ("", "*", {"acme", "beta", "100%", "a_b"}),
        ("A", "*", {"acme", "beta", "a_b"}),
        ("a", "", {"acme", "a_b"}),
        ("%", "*", {"100%"}),
        ("_", "*", {"a_b"}),
        ("e*a", "*", {"beta"}),
        ("gamma", "*", set()),
    ],
)
def test_customer_ids_that_fit_a_term_are_listed_once(
    place: SqlDirectory | LdapDirectory, term: str, prefix: str, ids: set[str]
) -> None:
    source = place.source(customer_user_search_prefix=prefix)

    assert source.customer_ids(term) == ids


def test_a_source_that_is_away_lists_no_customer_ids(
    place: SqlDirectory | LdapDirectory,
) -> None:
    source = place.source(slot="2", timeout=2)
    place.stop()

    with pytest.raises(SourceUnavailable) as caught:
        source.customer_ids()

    assert caught.value.slot == "2"
    listed = Directory([source]).customer_id_list()
    assert isinstance(listed, Unavailable)
    assert listed.slot == "2"


@pytest.fixture
def tickets(ticket_database: str) -> Iterator[sqlalchemy.Engine]:
    """The ticket system's database, on each kind of server."""
    engine = sqlalchemy.create_engine(ticket_database)
    yield engine
    engine.dispose()


def add_customer_user(engine: sqlalchemy.Engine, login: str, **more: Any) -> None:
    values = {
        "login": login,
        "email": f"{login}@cust.test",
        "first_name": "Jane",
        "last_name": "Doe",
        "customer_id": "acme",
        "valid_id": 1,
        **STAMPS,
        **more,
    }
    with engine.begin() as connection:
        connection.execute(insert(schema.customer_user).values(values))


def assign(engine: sqlalchemy.Engine, login: str, *customer_ids: str) -> None:
    with engine.begin() as connection:
        for customer_id in customer_ids:
            values = {"user_id": login, "customer_id": customer_id, **STAMPS}
            connection.execute(insert(schema.customer_user_customer).values(values))


def directory(engine: sqlalchemy.Engine) -> Directory:
    config = sql_config(table="customer_user", foreign_db=False, customer_valid="valid_id")
    return Directory(
        [SqlSource(config, lambda: engine)], companions(lambda: engine, PreferencesConfig())
    )


def test_a_customer_user_belongs_to_the_own_customer_and_to_those_assigned(
    tickets: sqlalchemy.Engine,
) -> None:
    add_customer_user(tickets, "jdoe")
    assign(tickets, "jdoe", "zeta", "beta", "acme")
    assign(tickets, "JDOE", "upper")
    assign(tickets, "nobody", "rel")

    asked = directory(tickets)

    assert asked.customer_ids("jdoe") == ("acme", "beta", "zeta")
    assert asked.customer_ids("JDOE") == ("acme", "upper")
    assert asked.customer_ids("nobody") == ("rel",)
    assert asked.customer_ids("") == ()


def test_assignments_are_listed_from_both_sides(tickets: sqlalchemy.Engine) -> None:
    assign(tickets, "jdoe", "zeta", "eta")
    assign(tickets, "anna", "zeta")
    assign(tickets, "mia", "ZETA")

    assignments = directory(tickets).assignments

    assert assignments is not None
    assert assignments.customers_of("jdoe") == ("eta", "zeta")
    assert assignments.customer_users_of("zeta") == ("anna", "jdoe")


def test_customer_ids_of_invalid_customer_users_are_listed_only_when_asked_for(
    tickets: sqlalchemy.Engine,
) -> None:
    add_customer_user(tickets, "jdoe")
    add_customer_user(tickets, "old", customer_id="gamma", valid_id=2)

    asked = directory(tickets)

    assert asked.customer_id_list() == ("acme",)
    assert asked.customer_id_list(valid_only=False) == ("acme", "gamma")


def test_a_ticket_database_without_the_relations_leaves_the_question_open(
    tickets: sqlalchemy.Engine,
) -> None:
    add_customer_user(tickets, "jdoe")
    with tickets.begin() as connection:
        schema.customer_user_customer.drop(connection)

    answer = directory(tickets).customer_ids("jdoe")

    assert isinstance(answer, Unavailable)
    assert "assigned customers" in answer.reason
