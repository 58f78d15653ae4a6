"""``fieldfare customer-user`` as an operator reads it: tables, JSON, CSV, exit codes."""

import csv
import io
import json
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from worker import cli

PEOPLE = [
    ("jdoe", "Jane", "Doe", "jane@cust.test", "acme", 1),
    ("jsmith", "John", "Smith", "john@cust.test", "acme", 1),
    ("anna", "Änna", "[red]Huber, von", "anna@cust.test", "beta", 1),
    ("old", "Jane", "Gone", "old@cust.test", "acme", 2),
]

SETTINGS = """
[tickets]
url = "sqlite:///{folder}/tickets.sqlite"

[redis]
url = "redis://127.0.0.1:1/0"

[sources.CustomerUser]
kind = "sql"
table = "people"
foreign_db = true
customer_key = "login"
customer_id = "customer"
customer_valid = "valid_id"
customer_user_search_fields = ["login", "first", "last"]
customer_user_search_list_limit = 2
customer_user_list_fields = ["first", "last", "mail"]

[sources.CustomerUser.map]
UserLogin = "login"
UserFirstname = "first"
UserLastname = "last"
UserEmail = "mail"
UserPassword = "secret"

[mapping.variables]
UserEmail = "Mail"
"""

AWAY = """
[sources.CustomerUser1]
kind = "ldap"
host = "ldap://127.0.0.1:1"
base_dn = "dc=example"
customer_key = "uid"
customer_id = "o"
map = { UserLogin = "uid", UserEmail = "mail" }
"""

Run = Callable[..., Result]


@pytest.fixture
def settings(tmp_path: Path) -> Path:
    with closing(sqlite3.connect(tmp_path / "tickets.sqlite")) as database, database:
        database.execute("CREATE TABLE valid (id INTEGER, name TEXT)")
        database.execute("INSERT INTO valid VALUES (1, 'valid'), (2, 'invalid')")
        columns = "login, first, last, mail, customer, valid_id INTEGER, secret DEFAULT 'hunter2'"
        database.execute(f"CREATE TABLE people ({columns})")
        marks = "?, ?, ?, ?, ?, ?"
        names = "login, first, last, mail, customer, valid_id"
        database.executemany(f"INSERT INTO people ({names}) VALUES ({marks})", PEOPLE)
    file = tmp_path / "fieldfare.toml"
    file.write_text(SETTINGS.format(folder=tmp_path))
    return file


@pytest.fixture
def run(settings: Path) -> Run:
    def invoke(*arguments: str, exit_code: int = 0) -> Result:
        config = {"FIELDFARE_CONFIG": str(settings), "COLUMNS": "100"}
        done = CliRunner().invoke(cli.app, ["customer-user", *arguments, "--local"], env=config)
        assert done.exit_code == exit_code, done.output
        assert "hunter2" not in done.output
        return done

    return invoke


def test_who_is_found_stands_in_a_table(run: Run) -> None:
    done = run("find", "j+!smith")

    assert '"Jane Doe" <jane@cust.test>' in done.stdout
    assert "jsmith" not in done.stdout
    assert done.stderr == ""


def test_values_are_never_read_as_markup(run: Run) -> None:
    assert "[red]Huber" in run("find", "anna").stdout


def test_values_give_no_orders_to_the_terminal(run: Run, settings: Path) -> None:
    with closing(sqlite3.connect(settings.parent / "tickets.sqlite")) as database, database:
        database.execute("UPDATE people SET first = 'J\x1b[2Jane' WHERE login = 'jdoe'")

    assert "\x1b" not in run("find", "jdoe").stdout


def test_json_holds_the_attributes_and_what_is_missing(run: Run) -> None:
    told = json.loads(run("find", "ÄN", "--json").stdout)

    assert told == {
        "customer_users": [
            {
                "login": "anna",
                "source": "CustomerUser",
                "name": '"Änna [red]Huber, von" <anna@cust.test>',
                "attributes": {
                    "UserEmail": "anna@cust.test",
                    "UserFirstname": "Änna",
                    "UserLastname": "[red]Huber, von",
                    "UserLogin": "anna",
                },
            }
        ],
        "more": [],
        "unanswered": [],
    }


def test_csv_has_a_column_for_each_variable(run: Run) -> None:
    done = run("list", "--csv", "--order", "-UserLogin", "--limit", "2")

    rows = list(csv.reader(io.StringIO(done.stdout)))
    assert rows == [
        ["login", "source", "UserLogin", "UserFirstname", "UserLastname", "UserEmail"],
        ["jsmith", "CustomerUser", "jsmith", "John", "Smith", "john@cust.test"],
        ["jdoe", "CustomerUser", "jdoe", "Jane", "Doe", "jane@cust.test"],
    ]
    assert "there are more than these 2, in CustomerUser" in done.stderr


def test_a_limit_that_was_reached_is_told(run: Run) -> None:
    done = run("find", "*")

    assert "there are more than these 2, in CustomerUser; --limit shows more" in done.stderr
    assert run("find", "*", "--limit", "3").stderr == ""


def test_invalid_customer_users_are_shown_when_asked_for(run: Run) -> None:
    assert "old" not in run("find", "jane").stdout
    assert "old" in run("find", "jane", "--invalid").stdout
    assert "old" in run("list", "--invalid").stdout


def test_a_list_takes_several_texts_for_a_variable(run: Run) -> None:
    wanted = ("--where", "UserFirstname=ja*", "--where", "UserFirstname=john")

    told = json.loads(run("list", *wanted, "--json").stdout)

    assert [one["login"] for one in told["customer_users"]] == ["jdoe", "jsmith"]
    assert told["total"] is None


def test_nobody_found_ends_with_one(run: Run) -> None:
    assert "nobody was found" in run("find", "zzz", exit_code=1).stderr
    assert json.loads(run("find", "zzz", "--json", exit_code=1).stdout)["customer_users"] == []


def test_a_source_that_does_not_answer_is_named_beside_the_results(
    run: Run, settings: Path
) -> None:
    settings.write_text(settings.read_text() + AWAY)

    for command in (("find", "jdoe"), ("list",), ("list", "--csv")):
        done = run(*command, exit_code=3)
        assert "jdoe" in done.stdout
        assert "CustomerUser1 was not searched: ldap://127.0.0.1:1: Connection" in done.stderr
    assert "jdoe" in run("find", "jdoe", "--source", "CustomerUser").stdout
    nobody = run("find", "zzz", exit_code=3)
    assert "nobody was found" not in nobody.stderr


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("find", "+"), "the term is empty"),
        (("find", "x", "--source", "CRM"), "there is no source CRM; there are CustomerUser"),
        (("list", "--where", "UserTown=x"), "no source has a field UserTown"),
        (("list", "--where", "Berlin"), "names no variable; right: --where 'UserCity=Berlin'"),
        (("list", "--order", "UserTown"), "no source has a field UserTown"),
        (("list", "--json", "--csv"), "give --json or --csv, not both"),
        (("list", "--limit", "1000000"), "limit must be from 1 to 100000"),
    ],
)
def test_what_makes_no_sense_is_refused_with_what_would(
    run: Run, arguments: tuple[str, ...], said: str
) -> None:
    assert said in run(*arguments, exit_code=2).stderr
