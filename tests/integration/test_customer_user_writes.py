"""Calls that write customer users, as programs make them and get their answers."""

import hashlib
import json
from typing import Any

import pytest
from sqlalchemy import select

from tests.contract.customer_users import JANE, MAP, person
from tests.integration.world import World
from tests.otobo import LONG_AGO, WORKER
from worker import renames
from worker.calls import perform
from worker.handlers import ticket_moves
from worker.services import Services
from worker.tickets import schema

SOURCE = {
    "kind": "sql",
    "table": "customer_user",
    "customer_key": "login",
    "customer_id": "customer_id",
    "customer_company_support": True,
    "password_form": "sha2",
    "map": MAP,
}


@pytest.fixture
def cached(request: pytest.FixtureRequest, small_world: World) -> dict[str, Any]:
    """Where OTOBO's cache is; nowhere but in tests that say so."""
    kind = getattr(request, "param", "none")
    return {"otobo_cache": {"kind": kind, "url": small_world.redis.url}}


@pytest.fixture
def services(small_world: World, cached: dict[str, Any]) -> Services:
    sources = {
        "CustomerUser": {**small_world.people, "read_only": True},
        "CustomerUser1": SOURCE,
    }
    services = small_world.services(sources=sources, tickets=cached)
    perform(
        "customer_company.add",
        {"values": {"CustomerID": "acme", "CustomerCompanyName": "Acme"}},
        "ada",
        services,
    )
    return services


def told(services: Services, name: str, **arguments: Any) -> dict[str, Any]:
    """What a call tells, as it comes through JSON."""
    answer = perform(f"customer_user.{name}", arguments, "ada", services)
    found: dict[str, Any] = json.loads(json.dumps(answer))
    return found


def rows(world: World) -> list[dict[str, Any]]:
    with world.otobo.engine.connect() as connection:
        return [dict(row) for row in connection.execute(schema.customer_user.select()).mappings()]


def test_a_customer_user_is_added_read_and_changed(services: Services, small_world: World) -> None:
    added = told(services, "add", values=dict(JANE))

    assert (added["login"], added["source"]) == ("jane", "CustomerUser1")
    (row,) = rows(small_world)
    assert row["pw"] == hashlib.sha256(added["password"].encode()).hexdigest()
    assert row["create_by"] == WORKER
    read = told(services, "get", login="JANE")
    assert (read["version"], read["writable"]) == (added["version"], True)

    changed = told(
        services, "update", login="jane", values={"UserPhone": "1"}, expected=read["version"]
    )
    late = told(services, "update", login="jane", values={}, expected=read["version"])
    assert changed["fields"] == ["UserPhone"]
    assert (late["error"], late["source"]) == ("changed_meanwhile", "CustomerUser1")


def test_a_password_that_is_given_is_not_told(services: Services, small_world: World) -> None:
    added = told(services, "add", values=person("a"), password="secret")
    told(services, "add", values=person("b"), generate_password=False)
    twice = told(services, "add", values=person("c", UserPassword="x" * 9), password="y" * 9)

    assert "password" not in added
    assert twice["error"] == "wrong_arguments"
    assert [row["pw"] for row in rows(small_world)] == [
        hashlib.sha256(b"secret").hexdigest(),
        None,
    ]


def test_a_password_can_be_set_given_or_made(services: Services, small_world: World) -> None:
    told(services, "add", values=person("a"))

    given = told(services, "set_password", login="a", password="new secret")
    assert given == {"login": "a", "source": "CustomerUser1"}
    assert rows(small_world)[0]["pw"] == hashlib.sha256(b"new secret").hexdigest()
    made = told(services, "set_password", login="a")
    assert rows(small_world)[0]["pw"] == hashlib.sha256(made["password"].encode()).hexdigest()
    assert told(services, "set_password", login="a", password="")["error"] == "required"
    assert len(told(services, "generate_password", length=20)["password"]) == 20


def test_customer_users_come_and_go_but_are_never_deleted(
    services: Services, small_world: World
) -> None:
    told(services, "add", values=person("a"))

    def valid_id(name: str, **arguments: Any) -> int:
        assert told(services, name, login="a", **arguments)["fields"] == ["ValidID"]
        return int(rows(small_world)[0]["valid_id"])

    assert valid_id("deactivate") == 2
    assert valid_id("deactivate", temporarily=True) == 3
    assert valid_id("activate") == 1
    assert told(services, "activate", login="a")["fields"] == []
    assert told(services, "delete", login="a")["error"] == "cannot_be_deleted"


def test_a_replacing_update_keeps_the_login(services: Services, small_world: World) -> None:
    told(services, "add", values=person("a", UserPhone="1"))
    values = {key: value for key, value in person("a").items() if key != "UserLogin"}

    changed = told(services, "update", login="A", values=values, replace=True)

    assert changed["login"] == "a"
    assert rows(small_world)[0]["phone"] == ""


def test_a_rename_tells_what_moved(services: Services) -> None:
    told(services, "add", values=person("a"))
    told(services, "assign", login="a", customer_id="acme")

    renamed = told(services, "rename", login="a", new_login="b")

    moved = {"preferences": 0, "assignments": 1, "dynamic_fields": 0, "others": 0, "tickets": 0}
    assert renamed == {"login": "b", "source": "CustomerUser1", "moved": moved}
    assert told(services, "get", login="a")["answer"] == "absent"
    assert told(services, "customers", login="b")["assigned"] == ["acme"]
    assert told(services, "rename", login="a", new_login="c")["error"] == "unknown_customer_user"


def customer_users_of_tickets(world: World) -> list[str]:
    ticket = schema.ticket.c
    with world.otobo.engine.connect() as connection:
        found = connection.execute(select(ticket.customer_user_id).order_by(ticket.id))
        return [*found.scalars()]


def test_tickets_follow_a_new_login_where_that_is_asked_for(
    services: Services, small_world: World
) -> None:
    for login in ("a", "A", "b"):
        small_world.otobo.create_ticket(login)
    told(services, "add", values=person("a"))

    moved = told(services, "rename", login="a", new_login="c", tickets=True)
    assert (moved["login"], moved["moved"]["tickets"]) == ("c", 2)
    assert customer_users_of_tickets(small_world) == ["c", "c", "b"]
    back = told(services, "update", login="c", values={"UserLogin": "d"}, tickets=True)
    assert (back["login"], back["tickets"]) == ("d", 2)
    assert "tickets" not in told(services, "update", login="d", values={}, tickets=True)
    unknown = told(services, "update", login="c", values={"UserLogin": "d"}, tickets=True)
    assert unknown["error"] == "unknown_customer_user"
    assert renames.begun(services.inbox.client) == []


def test_a_mistyped_login_hands_no_tickets_over(services: Services, small_world: World) -> None:
    small_world.otobo.create_ticket("gone")
    told(services, "add", values=person("b"))
    told(services, "add", values=person("c"))

    mistyped = told(services, "rename", login="gone", new_login="b", tickets=True)
    refused = told(services, "rename", login="c", new_login="b", tickets=True)
    nobody = told(services, "rename", login="x", new_login="y", tickets=True)

    assert mistyped["error"] == nobody["error"] == "unknown_customer_user"
    assert "rename b to gone, and then gone to b with tickets" in mistyped["message"]
    assert refused["error"] == "duplicate_login"
    assert customer_users_of_tickets(small_world) == ["gone"]
    assert renames.begun(services.inbox.client) == []


def test_tickets_that_could_not_follow_are_told(
    services: Services, small_world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    tickets = [small_world.otobo.create_ticket(login) for login in ("a", "A")]
    told(services, "add", values=person("a"))
    with small_world.otobo.engine.connect() as connection:
        connection.exec_driver_sql("ALTER TABLE ticket_history RENAME TO elsewhere")

    away = told(services, "rename", login="a", new_login="b", tickets=True)
    begun = renames.begun(services.inbox.client)
    with small_world.otobo.engine.connect() as connection:
        connection.exec_driver_sql("ALTER TABLE elsewhere RENAME TO ticket_history")
    with monkeypatch.context() as hurried:
        hurried.setattr(ticket_moves, "SECONDS", 0.0)
        late = told(services, "rename", login="A", new_login="B", tickets=True)
    last = told(services, "rename", login="a", new_login="b", tickets=True)
    again = told(services, "rename", login="a", new_login="b", tickets=True)

    assert (away["login"], away["moved"]["tickets"]) == ("b", 0)
    (warning,) = away["warnings"]
    assert "not all tickets of a have the login b yet (the ticket database" in warning
    assert begun == [renames.Rename("a", "b", "CustomerUser1")]
    assert late["moved"]["tickets"] == len(tickets)
    assert "too many for 0 s" in late["warnings"][0]
    assert (last["moved"]["tickets"], "warnings" in last) == (0, False)
    assert again["error"] == "unknown_customer_user"
    assert customer_users_of_tickets(small_world) == ["b", "b"]


def test_who_was_renamed_without_tickets_gets_them_as_the_message_says(
    services: Services, small_world: World
) -> None:
    small_world.otobo.create_ticket("a")
    told(services, "add", values=person("a"))
    told(services, "rename", login="a", new_login="b")
    assert (
        "with tickets"
        in told(services, "rename", login="a", new_login="b", tickets=True)["message"]
    )

    told(services, "rename", login="b", new_login="a")
    again = told(services, "rename", login="a", new_login="b", tickets=True)

    assert again["moved"]["tickets"] == 1
    assert customer_users_of_tickets(small_world) == ["b"]


def test_a_rename_waits_for_no_redis(
    services: Services, small_world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    small_world.otobo.create_ticket("a")
    told(services, "add", values=person("a"))
    small_world.redis.stop()
    try:
        with monkeypatch.context() as hurried:
            hurried.setattr(ticket_moves, "SECONDS", 0.0)
            late = told(services, "rename", login="a", new_login="b", tickets=True)
        unknown = told(services, "rename", login="a", new_login="b", tickets=True)
    finally:
        small_world.redis.start()

    assert (late["login"], late["moved"]["tickets"]) == ("b", 1)
    assert "rename b to a, and then a to b with tickets" in late["warnings"][0]
    assert unknown["error"] == "unavailable"


def test_sources_that_are_only_read_say_what_to_do(services: Services, small_world: World) -> None:
    small_world.person("anna")

    changed = told(services, "update", login="anna", values={"UserPhone": "2"})
    added = told(services, "add", values=person("x"), source="CustomerUser")
    unknown = told(services, "add", values=person("x"), source="CustomerUser9")

    assert (changed["error"], changed["source"]) == ("read_only_source", "CustomerUser")
    assert "change it where its data come from" in changed["message"]
    assert added["error"] == "read_only_source"
    assert unknown["error"] == "unknown_source"
    assert not told(services, "get", login="anna")["writable"]


def test_a_source_that_is_away_is_told_and_nothing_is_written(
    services: Services, small_world: World
) -> None:
    small_world.crm.stop()

    answer = told(services, "add", values=dict(JANE))

    assert (answer["error"], answer["source"]) == ("unavailable", "CustomerUser")
    assert rows(small_world) == []


@pytest.mark.parametrize("cached", ["redis"], indirect=True)
def test_otobo_forgets_the_dynamic_fields_that_were_written(
    services: Services, small_world: World
) -> None:
    field = {
        "id": 900,
        "internal_field": 0,
        "name": "Nick",
        "label": "Nick",
        "field_order": 1,
        "field_type": "Text",
        "object_type": "CustomerUser",
        "config": "---\n",
        "valid_id": 1,
    }
    with small_world.otobo.engine.begin() as connection:
        stamps = {"create_time": LONG_AGO, "create_by": 1, "change_time": LONG_AGO, "change_by": 1}
        connection.execute(schema.dynamic_field.insert(), {**field, **stamps})
    told(services, "add", values=person("a", DynamicField_Nick="x"))
    with small_world.otobo.engine.connect() as connection:
        (number,) = connection.execute(select(schema.dynamic_field_obj_id_name.c.object_id)).one()
    own = f"DynamicFieldValue:ValueGet::ObjectID::{number}"
    search, other = "DynamicFieldValue:ValueSearch::900", "DynamicFieldValue:ValueGet::ObjectID::7"
    client = services.inbox.client

    def left_by(name: str, **arguments: Any) -> set[str]:
        client.mset(dict.fromkeys((own, search, other), "frozen"))
        assert "warnings" not in told(services, name, **arguments)
        return {key.decode() for key in client.keys("DynamicFieldValue:*")}

    assert left_by("update", login="a", values={"DynamicField_Nick": "y"}) == {other}
    assert left_by("update", login="a", values={"UserPhone": "7"}) == {own, search, other}
    assert left_by("rename", login="a", new_login="b") == {other}
