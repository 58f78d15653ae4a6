"""Customer users are added and changed from the shell, as an admin sees it."""

import json
import re

import pytest
import sqlalchemy

from tests import otobo
from tests.integration.admin_site import SECRET, Site
from tests.servers import RedisServer
from worker.tickets import schema

JANE = (
    *("--title", "Mrs.", "--firstname", "Jane", "--lastname", "Doe"),
    *("--email", "jane@example.com", "--customer-id", "acme"),
)
ADD = ("customer-user", "add", "jane", *JANE)


def test_a_customer_user_is_added_with_a_password_that_is_shown_once(site: Site) -> None:
    done = site(*ADD, "--phone", "+49 30 2", "--set", "UserCity=Köln")

    stored = site.row("jane")
    assert done.stdout.splitlines()[0] == "jane was added to CustomerUser."
    shown = re.fullmatch("Password, shown this once: (.{16})", done.stdout.splitlines()[1])
    assert shown is not None
    assert (stored["first_name"], stored["city"], stored["valid_id"]) == ("Jane", "Köln", 1)
    assert stored["pw"].startswith("BCRYPT:9:")
    assert shown[1] not in site("customer-user", "show", "jane", "--json").stdout


def test_a_password_comes_from_standard_input_and_is_not_shown(site: Site) -> None:
    done = site(*ADD, "--password-stdin", "--json", stdin=f"{SECRET}\n")
    first = site.row("jane")["pw"]

    assert json.loads(done.stdout).keys() >= {"login", "source", "fields", "version"}
    assert first.startswith("BCRYPT:9:")
    site("customer-user", "set-password", "jane", "--password-stdin", stdin=f"{SECRET}2")
    assert site.row("jane")["pw"] != first


def test_no_password_is_stored_where_none_is_wanted(site: Site) -> None:
    assert "Password" not in site(*ADD, "--no-password").stdout
    assert not site.row("jane")["pw"]


def test_a_password_is_made_on_request(site: Site) -> None:
    told = json.loads(
        site("customer-user", "set-password", "anna", "--generate-password", "--json").stdout
    )

    assert len(told["password"]) == 16
    assert site.row("anna")["pw"].startswith("BCRYPT:9:")


def test_nobody_is_asked_where_nobody_is(site: Site) -> None:
    missing = site("customer-user", "add", "jane", "--lastname", "Doe", exit_code=2).stderr
    password = site("customer-user", "set-password", "anna", exit_code=2).stderr
    empty = site("customer-user", "set-password", "anna", "--password-stdin", exit_code=2).stderr

    assert "required and not given: UserTitle, UserFirstname, UserEmail, UserCustomerID" in missing
    assert "give --password-stdin or --generate-password" in password
    assert "standard input holds no password" in empty


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--email", "anna@example.com"), "UserEmail"),
        (("--customer-id", "gamma"), "gamma"),
        (("--title", "Sir"), "UserTitle"),
        (("--set", "UserRoom=1"), "UserRoom"),
        (("--source", "CustomerUser1"), "CustomerUser1"),
        (("--source", "Staff"), "CustomerUser1"),
    ],
)
def test_what_is_against_a_rule_is_refused_with_field_and_source(
    site: Site, options: tuple[str, ...], said: str
) -> None:
    done = site(*ADD, *options, exit_code=2 if "--set" in options else 1)

    assert said in done.stderr
    assert "jane" not in site("customer-user", "list").stdout


def test_a_refusal_is_told_as_json_too(site: Site) -> None:
    done = site("customer-user", "add", "anna", *JANE, "--json", exit_code=1)

    told = json.loads(done.stdout)
    assert (told["error"], told["field"]) == ("duplicate_login", "UserLogin")
    assert told["message"] in done.stderr


def test_an_update_shows_what_changes_and_leaves_the_rest(site: Site) -> None:
    done = site("customer-user", "update", "anna", "--phone", "", "--set", "UserCity=Berlin")

    stored = site.row("anna")
    assert re.search("UserPhone │ \\+49 30 1 │ *\n", done.stdout)
    assert re.search("UserCity +│ +│ Berlin", done.stdout)
    assert "anna was changed." in done.stdout
    assert (stored["phone"] or "", stored["city"], stored["first_name"]) == ("", "Berlin", "Anna")


def test_an_update_that_changes_nothing_says_so(site: Site) -> None:
    before = site.row("anna")

    assert (
        "anna is as it was."
        in site("customer-user", "update", "anna", "--firstname", "Anna").stdout
    )
    assert site.row("anna") == before


def test_a_dry_run_shows_the_same_and_writes_nothing(site: Site) -> None:
    before = site.row("anna")

    done = site("customer-user", "update", "anna", "--valid", "invalid", "--dry-run", "--json")

    assert json.loads(done.stdout)["changes"] == {"ValidID": {"from": "valid", "to": "invalid"}}
    assert site.row("anna") == before


def test_a_replacing_update_empties_what_is_not_given(site: Site) -> None:
    given = ("--title", "Mrs.", "--firstname", "Anna", "--lastname", "Falk", "--email", "a@b.org")
    missing = site("customer-user", "update", "anna", "--replace", *given, exit_code=2)
    done = site("customer-user", "update", "anna", "--replace", *given, "--customer-id", "acme")

    stored = site.row("anna")
    assert "required and not given: UserCustomerID" in missing.stderr
    assert "UserPhone" in done.stdout
    assert (stored["last_name"], stored["phone"] or "", stored["valid_id"]) == ("Falk", "", 1)
    assert stored["pw"] == "unreadable"


def test_a_customer_user_comes_and_goes_without_being_deleted(site: Site) -> None:
    for command, valid_id, said in (
        (("deactivate", "anna", "--temporarily"), 3, "anna is invalid-temporarily."),
        (("deactivate", "anna"), 2, "anna is invalid."),
        (("activate", "anna"), 1, "anna is valid."),
    ):
        assert said in site("customer-user", *command).stdout
        assert site.row("anna")["valid_id"] == valid_id
    assert "deactivate" in site("customer-user", "delete", "anna", exit_code=1).stderr


def test_a_rename_takes_along_what_hangs_on_the_login(site: Site) -> None:
    site("customer-user", "customers", "anna", "--assign", "beta")

    done = site("customer-user", "rename", "anna", "anna.berg")

    assert "anna is anna.berg now; with it: 1 assignment" in done.stdout
    told = json.loads(site("customer-user", "show", "anna.berg", "--json").stdout)
    assert told["customers"]["assigned"] == ["beta"]


def test_tickets_follow_a_rename_where_that_is_asked_for(site: Site) -> None:
    ticket = otobo.Otobo(site.engine.url.render_as_string(hide_password=False))
    number = ticket.create_ticket("anna", "acme")

    told = site("customer-user", "rename", "anna", "anna.berg", "--tickets").stdout

    assert "with it: 1 ticket" in told
    with site.engine.connect() as connection:
        table = schema.ticket.c
        statement = sqlalchemy.select(table.customer_user_id).where(table.id == number)
        assert connection.execute(statement).scalar_one() == "anna.berg"
    ticket.close()


def test_somebody_is_shown_with_validity_customers_and_values(site: Site) -> None:
    shown = site("customer-user", "show", "ANNA").stdout

    for line in (
        "login +│ anna",
        "source +│ CustomerUser, writable",
        "validity +│ valid",
        "customers +│ acme \\(primary\\)",
        "UserPhone +│ \\+49 30 1",
    ):
        assert re.search(line, shown), line
    assert "unreadable" not in shown
    assert "CustomerUser1, read-only" in site("customer-user", "show", "emma").stdout


def test_nobody_is_nobody_and_who_may_be_somewhere_is_not(site: Site) -> None:
    for command in (("show", "nobody"), ("update", "nobody", "--phone", "1")):
        assert (
            "no source knows the customer user nobody"
            in site("customer-user", *command, exit_code=1).stderr
        )
    site.settings.write_text(
        re.sub('Host = ".*"', 'Host = "ldap://127.0.0.1:1"', site.settings.read_text())
    )
    assert "could know nobody" in site("customer-user", "show", "nobody", exit_code=3).stderr
    assert site(*ADD, exit_code=3).stdout == ""


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("add", "jane", "--set", f"UserPassword={SECRET}"), "--password-stdin"),
        (("add", "jane", "--set", "UserCity"), "names no variable"),
        (("add", "jane", "--city", "x", "--set", "UserCity=y"), "UserCity is given by an option"),
        (("add", "jane", "--no-password", "--generate-password"), "give one of"),
        (("set-password", "anna", "--password-stdin", "--generate-password"), "give one of"),
        (("update", "anna"), "nothing to change is given"),
        (("update", "anna", "--set", "UserLogin=x"), "customer-user rename"),
    ],
)
def test_what_makes_no_sense_ends_with_what_would(
    site: Site, arguments: tuple[str, ...], said: str
) -> None:
    assert said in " ".join(site("customer-user", *arguments, exit_code=2).stderr.split())


def test_a_redis_that_is_away_holds_nothing_up_and_is_told_once(
    site: Site, valkey_server: RedisServer
) -> None:
    valkey_server.stop()
    try:
        done = site("customer-user", "deactivate", "anna")
    finally:
        valkey_server.start()

    assert site.row("anna")["valid_id"] == 2
    told = done.stderr.splitlines()
    assert len(told) == 2, done.stderr
    assert all(line.startswith("fieldfare: Redis did not do its part") for line in told)


def test_a_password_is_made_for_nobody_yet(site: Site) -> None:
    assert len(site("customer-user", "generate-password").stdout) == len("x" * 16 + "\n")
    made = json.loads(site("customer-user", "generate-password", "--length", "8", "--json").stdout)
    assert len(made["password"]) == 8
    assert (
        "--length"
        in site("customer-user", "generate-password", "--length", "7", exit_code=2).stderr
    )
