"""Calls about customers, as programs make them and get their answers."""

import json
from typing import Any

import pytest

from tests.integration.world import World
from tests.otobo import WORKER
from worker.calls import perform
from worker.services import Services

ACME = {"CustomerID": "acme", "CustomerCompanyName": "Acme Ltd"}


@pytest.fixture
def services(small_world: World) -> Services:
    return small_world.services()


def told(services: Services, name: str, **arguments: Any) -> dict[str, Any]:
    """What a call tells, as it comes through JSON."""
    answer = perform(f"customer_company.{name}", arguments, "ada", services)
    found: dict[str, Any] = json.loads(json.dumps(answer))
    return found


def test_a_customer_is_added_read_changed_and_deactivated(services: Services) -> None:
    added = told(services, "add", values=ACME)
    assert (added["customer_id"], added["source"]) == ("acme", "CustomerCompany")
    assert added["fields"] == ["CustomerID", "CustomerCompanyName", "ValidID"]

    read = told(services, "get", customer_id="ACME")
    assert (read["answer"], read["customer"]) == ("found", "acme")
    assert (read["valid"], read["writable"]) == (True, True)
    assert read["version"] == added["version"]
    assert read["attributes"]["ChangeBy"] == str(WORKER)

    changed = told(
        services,
        "update",
        customer_id="acme",
        values={"CustomerCompanyCity": "Köln"},
        expected=read["version"],
    )
    assert changed["fields"] == ["CustomerCompanyCity"]
    late = told(services, "update", customer_id="acme", values={}, expected=read["version"])
    assert (late["error"], late["source"]) == ("changed_meanwhile", "CustomerCompany")

    told(services, "deactivate", customer_id="acme", temporarily=True)
    assert not told(services, "get", customer_id="acme")["valid"]
    assert told(services, "get", customer_id="none") == {
        "customer_id": "none",
        "answer": "absent",
        "source": None,
    }


def test_customers_are_found_and_listed_page_by_page(services: Services) -> None:
    for number in range(3):
        values = {"CustomerID": f"c{number}", "CustomerCompanyName": f"Nr {number}"}
        told(services, "add", values=values)
    told(services, "deactivate", customer_id="c1")

    found = told(services, "find", term="nr")
    listed = told(services, "list", limit=1, invalid=True)

    assert [one["customer_id"] for one in found["customers"]] == ["c0", "c2"]
    assert [one["name"] for one in found["customers"]] == ["c0 Nr 0", "c2 Nr 2"]
    assert found["more"] == found["unanswered"] == []
    assert [one["customer_id"] for one in listed["customers"]] == ["c0"]
    assert listed["more"] == ["CustomerCompany"]
    assert told(services, "find", term="nr", limit=1, invalid=True)["more"] == ["CustomerCompany"]


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("find", {"term": " +! "}),
        ("find", {"term": "x", "limit": 0}),
        ("list", {"limit": 100_001}),
        ("list", {"offset": -1}),
    ],
)
def test_a_search_that_makes_no_sense_is_refused(
    services: Services, name: str, arguments: dict[str, Any]
) -> None:
    assert told(services, name, **arguments)["error"] == "wrong_criteria"


def test_a_refusal_names_field_and_source(services: Services) -> None:
    told(services, "add", values=ACME)

    refusal = told(services, "add", values={**ACME, "CustomerID": "acme2"})

    assert refusal == {
        "error": "duplicate_customer",
        "field": "CustomerCompanyName",
        "source": "CustomerCompany",
        "message": "another customer of CustomerCompany has the same CustomerCompanyName, or one "
        "that its database takes for the same; give another one",
    }


def test_a_source_that_is_away_is_said_to_be(small_world: World) -> None:
    away = {"url": "sqlite:////nowhere/at/all.sqlite"}
    services = small_world.services(companies={"CustomerCompany": away})

    answer = told(services, "add", values=ACME)
    found = told(services, "find", term="acme")

    assert (answer["error"], answer["source"]) == ("unavailable", "CustomerCompany")
    assert answer["message"].startswith("CustomerCompany did not answer")
    assert [one["source"] for one in found["unanswered"]] == ["CustomerCompany"]


def test_otobo_forgets_what_it_knew_of_a_changed_customer(small_world: World) -> None:
    url = small_world.redis.url
    services = small_world.services(tickets={"otobo_cache": {"kind": "redis", "url": url}})
    client = services.inbox.client
    client.set("CustomerCompany:CustomerCompanyGet::acme", "nobody")
    client.set("CustomerUser:CustomerUserDataGet::jdoe", "Jane")

    assert "warnings" not in told(services, "add", values=ACME)

    assert client.keys("Customer*") == [b"CustomerUser:CustomerUserDataGet::jdoe"]


def test_a_cache_of_otobo_that_is_away_undoes_nothing(small_world: World) -> None:
    away = {"kind": "redis", "url": "redis://127.0.0.1:1/0"}
    services = small_world.services(tickets={"otobo_cache": away})

    (warning,) = told(services, "add", values=ACME)["warnings"]

    assert warning.startswith("OTOBO's cache could not be dropped: ConnectionError")
    assert told(services, "get", customer_id="acme")["answer"] == "found"
