"""Processes with the same settings have the same fingerprints, whatever each has for itself."""

from typing import Any

from worker.fingerprints import differing, fingerprints
from worker.settings import Settings

SOURCE = {
    "kind": "sql",
    "table": "customer_user",
    "customer_key": "login",
    "customer_id": "customer_id",
    "map": {"UserLogin": "login", "UserPhone": "phone"},
}


def settings(**sections: Any) -> Settings:
    tree = {
        "tickets": {"url": "postgresql://otobo@db.example.org/otobo"},
        "sources": {"CustomerUser": SOURCE},
        "mapping": {"variables": {"UserPhone": "Phone"}},
    }
    return Settings.model_validate(tree | sections)


def test_what_belongs_to_one_process_and_its_secrets_make_no_difference() -> None:
    one = settings(
        tickets={"url": "sqlite:///t", "password": "secret"},
        log={"level": "debug"},
        metrics={"port": 9464},
    )

    assert differing(settings(), fingerprints(one)) == []


def test_sections_that_differ_are_named() -> None:
    source = SOURCE | {"table": "people"}
    one = settings(sources={"CustomerUser": source}, mapping={"variables": {"UserPhone": "Mobile"}})

    assert differing(settings(), fingerprints(one)) == ["sources", "mapping"]


def test_a_process_that_tells_nothing_differs_in_nothing() -> None:
    assert differing(settings(), {}) == []
