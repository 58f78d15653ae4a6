"""To which customers do customer users belong, and what may they do? As commands show it."""

import json

from sqlalchemy import insert

from tests.integration.admin_site import STAMPS, Site
from worker.tickets import schema


def test_a_customer_is_assigned_and_taken_away_again(site: Site) -> None:
    assigned = site("customer-user", "customers", "anna", "--assign", "beta").stdout
    told = json.loads(site("customer-user", "customers", "anna", "--json").stdout)

    assert [line.split("│") for line in assigned.splitlines()[2:]] == [
        [" acme     ", " primary  "],
        [" beta     ", " assigned "],
    ]
    assert (told["primary"], told["assigned"]) == ("acme", ["beta"])
    left = site("customer-user", "customers", "anna", "--remove", "beta", "--json").stdout
    assert json.loads(left)["customers"] == ["acme"]


def test_staff_of_an_ldap_source_are_assigned_to_customers_too(site: Site) -> None:
    told = json.loads(
        site("customer-user", "customers", "emma", "--assign", "beta", "--json").stdout
    )

    assert (told["source"], told["customers"]) == ("CustomerUser1", ["acme", "beta"])


def test_what_cannot_be_assigned_is_refused_with_what_to_do(site: Site) -> None:
    unknown = site("customer-user", "customers", "anna", "--assign", "gamma", exit_code=1)
    nobody = site("customer-user", "customers", "nobody", "--assign", "beta", exit_code=1)

    assert "there is no customer gamma; add it first" in unknown.stderr
    assert "(field CustomerID)" in unknown.stderr
    assert "nobody" in nobody.stderr


def test_permissions_are_shown_with_what_they_come_from(site: Site) -> None:
    with site.engine.begin() as connection:
        connection.execute(
            insert(schema.groups_table),
            [
                {"id": id_, "name": name, "valid_id": 1, **STAMPS}
                for id_, name in ((1, "users"), (2, "stats"))
            ],
        )
        own = {"group_id": 1, "permission_key": "rw", "permission_value": 1, "user_id": "anna"}
        connection.execute(insert(schema.group_customer_user).values({**own, **STAMPS}))

    shown = site("customer-user", "permissions", "anna")
    told = json.loads(site("customer-user", "permissions", "anna", "--json").stdout)

    assert [one["group"] for one in told["groups"]] == ["users"]
    assert "users │" in shown.stdout
    assert "login" in shown.stdout
    assert "acme" in shown.stdout
    assert "CustomerGroupSupport" in shown.stderr


def test_who_is_in_no_group_is_told_so(site: Site) -> None:
    assert "anna is in no group" in site("customer-user", "permissions", "anna").stderr
