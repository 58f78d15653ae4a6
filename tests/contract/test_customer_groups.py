"""Groups of customer users, as OTOBO's tables have them on every kind of database."""

from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import Engine, insert

from tests.otobo import LONG_AGO
from tests.sysconfig import change, ship
from worker.tickets import schema
from worker.tickets.customer_groups import (
    ALWAYS,
    COMPANY_ALWAYS,
    OTHER,
    SAME,
    SUPPORT,
    CustomerGroups,
    GroupSettings,
)
from worker.tickets.engine import ticket_engine
from worker.tickets.store import TicketDatabaseMisfit, TicketDatabaseUnavailable

STAMPS = {"create_time": LONG_AGO, "create_by": 1, "change_time": LONG_AGO, "change_by": 1}
OWN, LED = "Ticket::CustomerID::Same", "Ticket::CustomerID::Other"

ON = GroupSettings(support=True)


@pytest.fixture
def tickets(ticket_database: str) -> Iterator[Engine]:
    """A ticket system with the groups users, stats and vip, and one that is not valid any more."""
    engine = ticket_engine(ticket_database)
    groups = {1: "users", 2: "stats", 3: "vip", 4: "gone"}
    with engine.begin() as connection:
        connection.execute(
            insert(schema.groups_table),
            [
                {"id": id_, "name": name, "valid_id": 2 if name == "gone" else 1, **STAMPS}
                for id_, name in groups.items()
            ],
        )
    yield engine
    engine.dispose()


def give(engine: Engine, group_id: int, key: str = "ro", *, value: int = 1, **who: str) -> None:
    """Give access to a login (``user_id``) or to a customer (``customer_id``)."""
    row: dict[str, Any] = {"group_id": group_id, "permission_key": key, **STAMPS, **who}
    row["permission_value"] = value
    table = schema.group_customer_user
    if "customer_id" in who:
        table = schema.group_customer
        row.setdefault("permission_context", OWN)
    with engine.begin() as connection:
        connection.execute(insert(table).values(row))


def test_access_is_told_with_all_that_it_comes_from(tickets: Engine) -> None:
    give(tickets, 1, "ro", user_id="jdoe")
    give(tickets, 1, "rw", customer_id="acme")
    give(tickets, 2, "ro", customer_id="beta")
    give(tickets, 3, "ro", customer_id="strange")
    give(tickets, 3, "rw", user_id="anna")
    give(tickets, 3, "rw", value=0, user_id="jdoe")
    give(tickets, 3, "move_into", user_id="jdoe")
    give(tickets, 4, "rw", user_id="jdoe")

    allowed = CustomerGroups(tickets, ON).permissions("jdoe", ["acme", "beta"])

    assert [(one.group, one.ro, one.rw, one.origins) for one in allowed.groups] == [
        ("stats", True, False, ("customer beta",)),
        ("users", True, True, ("login", "customer acme")),
    ]
    assert allowed.others == {}


def test_a_group_can_lead_to_the_tickets_of_other_customers(tickets: Engine) -> None:
    give(tickets, 3, "rw", customer_id="acme", permission_context=LED)
    give(tickets, 1, "ro", customer_id="acme")
    for customer_id in ("beta", "gamma"):
        give(tickets, 3, "ro", customer_id=customer_id)
    give(tickets, 1, "ro", customer_id="delta")
    give(tickets, 3, "create", customer_id="eta")

    allowed = CustomerGroups(tickets, ON).permissions("jdoe", ["acme"])

    assert allowed.others == {"beta": ("vip",), "gamma": ("vip",)}
    assert [one.group for one in allowed.groups] == ["users"]


def test_the_ticket_systems_configuration_decides(tickets: Engine) -> None:
    support = ship(tickets, SUPPORT, "0")
    ship(tickets, ALWAYS, ["users"])
    ship(tickets, COMPANY_ALWAYS, ["stats"], valid=False)
    ship(tickets, SAME, {"Name": "Same Customer", "Value": "own"})
    ship(tickets, OTHER, {"Name": "Other Customers", "Value": "led"}, valid=False)
    give(tickets, 3, "ro", customer_id="acme", permission_context="own")

    def settings() -> GroupSettings | None:
        return CustomerGroups(tickets).permissions("jdoe", ["acme"]).settings

    assert settings() == GroupSettings(False, ("users",), (), "own", "")
    change(tickets, support, "1")
    allowed = CustomerGroups(tickets).permissions("jdoe", ["acme"])
    assert allowed.settings == GroupSettings(True, ("users",), (), "own", "")
    assert [one.group for one in allowed.groups] == ["users", "vip"]


def test_a_configuration_that_cannot_be_read_is_said_to_be_unknown(tickets: Engine) -> None:
    give(tickets, 3, "ro", user_id="jdoe")
    groups = CustomerGroups(tickets)

    without_the_setting = groups.permissions("jdoe", [])
    with tickets.begin() as connection:
        schema.sysconfig_modified.drop(connection)
    without_the_table = groups.permissions("jdoe", [])

    for allowed in (without_the_setting, without_the_table):
        assert allowed.settings is None
        assert [one.group for one in allowed.groups] == ["vip"]


@pytest.mark.parametrize("name", ["permission_groups", "groups"])
def test_groups_are_found_under_the_names_of_other_versions(tickets: Engine, name: str) -> None:
    quoted = tickets.dialect.identifier_preparer.quote(name)
    with tickets.begin() as connection:
        connection.exec_driver_sql(f"ALTER TABLE groups_table RENAME TO {quoted}")
    give(tickets, 3, "ro", user_id="jdoe")

    allowed = CustomerGroups(tickets, ON).permissions("jdoe", [])

    assert [one.group for one in allowed.groups] == ["vip"]


def test_a_database_without_groups_is_told_what_is_missing(tickets: Engine) -> None:
    with tickets.begin() as connection:
        schema.groups_table.drop(connection)

    with pytest.raises(TicketDatabaseMisfit, match="none of the tables groups_table"):
        CustomerGroups(tickets, ON).permissions("jdoe", [])


def test_a_table_that_is_gone_makes_the_answer_unavailable(tickets: Engine) -> None:
    with tickets.begin() as connection:
        schema.group_customer.drop(connection)

    with pytest.raises(TicketDatabaseUnavailable):
        CustomerGroups(tickets, ON).permissions("jdoe", ["acme"])
