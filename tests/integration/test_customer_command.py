"""Customers (companies) are found, shown, added and changed from the shell."""

import csv
import io
import json

import pytest
import sqlalchemy

from tests.integration.admin_site import Site
from worker.tickets import schema


def stored(site: Site, customer_id: str) -> tuple[str, str, int]:
    table = schema.customer_company.c
    with site.engine.connect() as connection:
        row = connection.execute(
            sqlalchemy.select(table.name, table.city, table.valid_id).where(
                table.customer_id == customer_id
            )
        ).one()
    return row.name, row.city or "", row.valid_id


def test_customers_are_found_and_listed(site: Site) -> None:
    found = site("customer", "find", "söhne").stdout
    listed = site("customer", "list", "--csv").stdout

    assert "beta" in found
    assert "acme" not in found
    header, *rows = csv.reader(io.StringIO(listed))
    assert header[:4] == ["customer_id", "source", "CustomerID", "CustomerCompanyName"]
    assert [row[:4] for row in rows] == [
        ["acme", "CustomerCompany", "acme", "Acme Ltd"],
        ["beta", "CustomerCompany", "beta", "Beta & Söhne"],
    ]
    assert "no customer was found" in site("customer", "find", "zzz", exit_code=1).stderr


def test_a_customer_is_added_changed_and_deactivated(site: Site) -> None:
    added = site("customer", "add", "gamma", "--name", "Gamma Ltd", "--city", "Bonn")
    assert "The customer gamma was added to CustomerCompany." in added.stdout
    assert stored(site, "gamma") == ("Gamma Ltd", "Bonn", 1)

    changed = site("customer", "update", "gamma", "--city", "Köln")
    assert "Bonn" in changed.stdout
    assert "The customer gamma was changed." in changed.stdout
    assert stored(site, "gamma") == ("Gamma Ltd", "Köln", 1)

    assert "is invalid." in site("customer", "deactivate", "gamma").stdout
    assert stored(site, "gamma") == ("Gamma Ltd", "Köln", 2)
    site("customer", "update", "gamma", "--valid", "valid", "--replace", "--name", "Gamma")
    assert stored(site, "gamma") == ("Gamma", "", 1)


def test_a_customer_is_shown(site: Site) -> None:
    shown = site("customer", "show", "acme").stdout
    told = json.loads(site("customer", "show", "acme", "--json").stdout)

    assert "CustomerCompany, writable" in shown
    assert "Acme Ltd" in shown
    assert told["attributes"]["CustomerCompanyName"] == "Acme Ltd"
    assert "there is no customer x" in site("customer", "show", "x", exit_code=1).stderr


@pytest.mark.parametrize(
    ("arguments", "exit_code", "said"),
    [
        (("add", "acme", "--name", "Other"), 1, "acme"),
        (("add", "gamma", "--name", "Acme Ltd"), 1, "CustomerCompanyName"),
        (("add", "gamma"), 2, "required and not given: CustomerCompanyName"),
        (("add", "--name", "Gamma"), 2, "required and not given: CustomerID"),
        (("add", "gamma", "--name", "x", "--source", "CustomerCompany7"), 2, "CustomerCompany7"),
        (("update", "acme"), 2, "nothing to change is given"),
        (("deactivate", "x"), 1, "x"),
        (("list", "--csv", "--json"), 2, "not both"),
    ],
)
def test_what_cannot_be_is_refused(
    site: Site, arguments: tuple[str, ...], exit_code: int, said: str
) -> None:
    assert said in " ".join(site("customer", *arguments, exit_code=exit_code).stderr.split())
