"""Which customers a customer user belongs to, and what access that gives, as admins ask for it."""

import threading
from collections.abc import Mapping
from typing import Any

import pytest
from sqlalchemy import insert, select

from directory.database import DatabaseFault
from directory.errors import SourceUnavailable
from directory.refusals import Refused
from tests.integration.world import World
from tests.otobo import LONG_AGO, WORKER
from tests.sysconfig import ship
from worker.handlers.assignments import assign, customers, unassign
from worker.handlers.permissions import permissions
from worker.services import Services
from worker.tickets import schema
from worker.tickets.customer_groups import ALWAYS, OTHER, SAME, SUPPORT

STAMPS = {"create_time": LONG_AGO, "create_by": 1, "change_time": LONG_AGO, "change_by": 1}


@pytest.fixture
def filled(world: World) -> World:
    """Jane of ACME, and the customers ACME, beta and old, the last one invalid."""
    world.person("Jane", first_name="Jane")
    add_companies(world, acme=1, beta=1, old=2)
    return world


def add_companies(world: World, **valid_ids: int) -> None:
    with world.otobo.engine.begin() as connection:
        for customer_id, valid_id in valid_ids.items():
            values = {"customer_id": customer_id, "name": f"{customer_id} Ltd", **STAMPS}
            values["valid_id"] = valid_id
            connection.execute(insert(schema.customer_company).values(values))


def relations(world: World) -> list[tuple[Any, ...]]:
    relation = schema.customer_user_customer.c
    statement = select(relation.user_id, relation.customer_id, relation.create_by)
    with world.otobo.engine.connect() as connection:
        return [tuple(row) for row in connection.execute(statement.order_by(relation.customer_id))]


def refusal(services: Services, call: Any, **arguments: str) -> tuple[str, str]:
    with pytest.raises(Refused) as caught:
        call(services, **arguments)
    return caught.value.error, caught.value.field


def test_customers_are_assigned_listed_and_taken_away(filled: World) -> None:
    services = filled.services()

    change = assign(services, login="JANE", customer_id="BETA")

    assert change.told == {"login": "Jane", "customer_id": "beta"}
    assert (change.source, change.customer_users) == ("CustomerUser", ("Jane",))
    assert relations(filled) == [("Jane", "beta", WORKER)]
    assert customers(services, login="jane") == {
        "login": "Jane",
        "source": "CustomerUser",
        "primary": "ACME",
        "from_attributes": [],
        "assigned": ["beta"],
        "customers": ["ACME", "beta"],
    }
    assert refusal(services, unassign, login="Jane", customer_id="BETA") == (
        "not_assigned",
        "CustomerID",
    )
    assert unassign(services, login="Jane", customer_id="beta").told["customer_id"] == "beta"
    assert relations(filled) == []


def test_what_cannot_be_assigned_is_refused_with_the_reason(filled: World) -> None:
    services = filled.services()
    filled.person("j" * 101)
    assign(services, login="Jane", customer_id="beta")

    def refused(login: str, customer_id: str) -> tuple[str, str]:
        return refusal(services, assign, login=login, customer_id=customer_id)

    assert refused("Jane", "beta") == ("duplicate_assignment", "CustomerID")
    assert refused("Jane", "none") == ("unknown_customer", "CustomerID")
    assert refused("Jane", "old") == ("invalid_customer", "CustomerID")
    assert refused("nobody", "beta") == ("unknown_customer_user", "UserLogin")
    assert refused("no\0body", "beta") == ("unknown_customer_user", "UserLogin")
    assert refused("j" * 101, "beta") == ("too_long", "UserLogin")
    assert len(relations(filled)) == 1


def test_two_admins_at_once_leave_one_assignment(filled: World) -> None:
    told: list[str] = []

    def admin(services: Services) -> None:
        try:
            assign(services, login="Jane", customer_id="beta")
        except Refused as refused:
            told.append(refused.error)
        else:
            told.append("done")

    admins = [threading.Thread(target=admin, args=[filled.services()]) for _ in range(4)]
    for one in admins:
        one.start()
    for one in admins:
        one.join()

    assert sorted(told) == ["done", *["duplicate_assignment"] * 3]
    assert len(relations(filled)) == 1


def test_what_a_customer_user_left_behind_can_be_seen_and_taken_away(small_world: World) -> None:
    services = small_world.services()
    with small_world.otobo.engine.begin() as connection:
        row = {"user_id": "gone", "customer_id": "beta", **STAMPS}
        connection.execute(insert(schema.customer_user_customer), [row, row])

    told = customers(services, login="gone")

    assert (told["source"], told["primary"], told["customers"]) == (None, "", ["beta"])
    assert unassign(services, login="gone", customer_id="beta").source == ""
    assert relations(small_world) == []
    assert refusal(services, customers, login="gone") == ("unknown_customer_user", "UserLogin")


def test_a_source_that_is_away_leaves_the_question_open(small_world: World) -> None:
    add_companies(small_world, beta=1)
    services = small_world.services()
    small_world.crm.stop()

    for call, arguments in (
        (assign, {"login": "Jane", "customer_id": "beta"}),
        (unassign, {"login": "Jane", "customer_id": "beta"}),
        (customers, {"login": "Jane"}),
        (permissions, {"login": "Jane"}),
    ):
        with pytest.raises(SourceUnavailable):
            call(services, **arguments)
    assert relations(small_world) == []


def test_a_table_of_customers_that_is_away_assigns_nobody(small_world: World) -> None:
    small_world.person("Jane")
    away = {"url": "sqlite:////nowhere/at/all.sqlite"}
    services = small_world.services(companies={"CustomerCompany": away})

    with pytest.raises(DatabaseFault, match="CustomerCompany did not answer"):
        assign(services, login="Jane", customer_id="beta")
    assert relations(small_world) == []


def access(world: World, *rows: Mapping[str, Any]) -> None:
    with world.otobo.engine.begin() as connection:
        for number, name in enumerate(("users", "vip"), 1):
            values = {"id": number, "name": name, "valid_id": 1, **STAMPS}
            connection.execute(insert(schema.groups_table).values(values))
        for row in rows:
            table = schema.group_customer if "customer_id" in row else schema.group_customer_user
            connection.execute(insert(table).values({"permission_value": 1, **STAMPS, **row}))


def test_permissions_name_groups_and_customers_with_their_origin(small_world: World) -> None:
    engine = small_world.otobo.engine
    small_world.person("Jane")
    add_companies(small_world, acme=1, beta=1, led=1, old=2)
    ship(engine, SUPPORT, "1")
    ship(engine, ALWAYS, [])
    ship(engine, SAME, {"Value": "same"})
    ship(engine, OTHER, {"Value": "other"})
    led = [
        {"customer_id": one, "group_id": 2, "permission_key": "ro", "permission_context": "same"}
        for one in ("led", "old", "acme", "unknown")
    ]
    access(
        small_world,
        {"user_id": "Jane", "group_id": 1, "permission_key": "rw"},
        {
            "customer_id": "beta",
            "group_id": 2,
            "permission_key": "ro",
            "permission_context": "other",
        },
        *led,
    )
    services = small_world.services()
    assign(services, login="Jane", customer_id="beta")

    assert permissions(services, login="jane") == {
        "login": "Jane",
        "source": "CustomerUser",
        "group_support": True,
        "note": "",
        "groups": [{"group": "users", "ro": True, "rw": True, "from": ["login"]}],
        "customers": [
            {"customer_id": "acme", "name": "acme Ltd", "from": ["customer", "group vip"]},
            {"customer_id": "beta", "name": "beta Ltd", "from": ["customer"]},
            {"customer_id": "led", "name": "led Ltd", "from": ["group vip"]},
        ],
    }


def test_permissions_say_where_the_configuration_cannot_be_read(small_world: World) -> None:
    small_world.person("Jane")
    access(small_world)

    told = permissions(small_world.services(), login="Jane")

    assert told["group_support"] is None
    assert "CustomerGroupSupport" in told["note"]
    assert told["groups"] == []
    assert refusal(small_world.services(), permissions, login="none")[0] == "unknown_customer_user"


def test_settings_say_what_the_configuration_does_not(small_world: World) -> None:
    small_world.person("Jane")
    access(small_world, {"user_id": "Jane", "group_id": 2, "permission_key": "ro"})
    groups = {"support": True, "always": ["users"]}
    services = small_world.services(tickets={"customer_groups": groups})

    told = permissions(services, login="Jane")

    assert (told["group_support"], told["note"]) == (True, "")
    assert [(one["group"], one["from"]) for one in told["groups"]] == [
        ("users", [ALWAYS]),
        ("vip", ["login"]),
    ]
