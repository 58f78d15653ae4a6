"""``fieldfare source`` as an operator reads it: what each source is, and whether it answers."""

import json
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from directory.breaker import Limits, Observation
from tests import servers
from tests.contract.ldap_source import LdapDirectory
from worker import cli
from worker.inbox import connect
from worker.source_states import SourceStates

SETTINGS = """
[tickets]
url = "sqlite:///{folder}/tickets.sqlite"

[redis]
url = "{redis}"

[sources.CustomerUser]
kind = "sql"
name = "CRM"
url = "sqlite:///{folder}/crm.sqlite?password=hunter2"
table = "people"
foreign_db = true
customer_key = "login"
customer_id = "customer"
cache_ttl = 300
on_unavailable = "skip"
map = {{ UserLogin = "login", UserEmail = "mail" }}

[sources.CustomerUser1]
kind = "ldap"
host = "{ldap}"
base_dn = "ou=people,{base}"
user_dn = "{admin}"
user_pw = "{password}"
customer_key = "uid"
customer_id = "o"
stale_if_unavailable = "1d"
map = {{ UserLogin = "uid", UserEmail = "mail" }}

[sources.CustomerUser4]
kind = "sql"
table = "people"
read_only = true
foreign_db = true
customer_key = "login"
customer_id = "customer"
map = {{ UserLogin = "login", UserEmail = "mail" }}
"""

Run = Callable[..., Result]


@pytest.fixture
def people(slapd: servers.SlapdServer) -> Iterator[LdapDirectory]:
    made = LdapDirectory(slapd)
    made.add_person("user3", "First", "Last", "user3@example.com", "ACME", "3")
    yield made
    made.close()


@pytest.fixture
def settings(
    tmp_path: Path,
    valkey_server: servers.RedisServer,
    slapd: servers.SlapdServer,
    people: LdapDirectory,
) -> Path:
    valkey_server.flush()
    for name in ("crm", "tickets"):
        with closing(sqlite3.connect(tmp_path / f"{name}.sqlite")) as database, database:
            database.execute("CREATE TABLE people (login, mail, customer)")
            database.execute("INSERT INTO people VALUES ('jdoe', 'jane@cust.test', 'acme')")
    file = tmp_path / "fieldfare.toml"
    file.write_text(
        SETTINGS.format(
            folder=tmp_path,
            redis=valkey_server.url,
            ldap=slapd.uri,
            base=slapd.base_dn,
            admin=slapd.admin_dn,
            password=slapd.admin_password,
        )
    )
    return file


@pytest.fixture
def run(settings: Path, slapd: servers.SlapdServer) -> Run:
    def invoke(*arguments: str, exit_code: int = 0) -> Result:
        config = {"FIELDFARE_CONFIG": str(settings), "COLUMNS": "160"}
        done = CliRunner().invoke(cli.app, ["source", *arguments, "--local"], env=config)
        assert done.exit_code == exit_code, done.output
        assert "hunter2" not in done.output
        assert slapd.admin_password not in done.output
        return done

    return invoke


def test_a_list_says_what_each_source_is(
    run: Run, settings: Path, slapd: servers.SlapdServer
) -> None:
    shown = run("list").stdout
    crm, staff, old = json.loads(run("list", "--json").stdout)["sources"]

    assert crm == {
        "source": "CustomerUser",
        "slot": "0",
        "name": "CRM",
        "kind": "sql",
        "where": f"sqlite:///{settings.parent}/crm.sqlite, table people",
        "writable": True,
        "cache_seconds": 300,
        "stale_seconds": 0,
        "on_unavailable": "skip",
        "state": "unknown",
        "since": None,
        "reason": "",
    }
    assert (staff["where"], staff["writable"]) == (f"{slapd.uri}, ou=people,{slapd.base_dn}", False)
    assert (old["where"], old["writable"]) == ("the ticket database, table people", False)
    assert "CRM, sql, writable, cached for 5 min 0 s" in shown
    assert "while it does not answer, the next source is asked" in shown
    assert "what it said before stands in for 1 d 0 h, then its events wait" in shown


def test_a_list_shows_how_the_workers_saw_each_source_last(
    run: Run, valkey_server: servers.RedisServer
) -> None:
    states = SourceStates(connect(valkey_server.url), limits=Limits(failures=1))
    states.note({"": Observation(), "1": Observation("socket timed out", 5.0)})

    crm, staff, old = json.loads(run("list", "--json").stdout)["sources"]

    assert [one["state"] for one in (crm, staff, old)] == ["up", "not asked", "unknown"]
    assert staff["reason"] == "socket timed out"
    assert "not asked for 0 s: socket timed out" in run("list").stdout


def test_a_list_without_redis_shows_the_rest_and_ends_with_three(run: Run, settings: Path) -> None:
    text = settings.read_text()
    url = text.split('[redis]\nurl = "')[1].split('"')[0]
    settings.write_text(text.replace(url, "redis://127.0.0.1:1/0"))

    done = run("list", exit_code=3)

    assert "CRM, sql, writable" in done.stdout
    assert "nobody knows whether they answer: Redis does not answer" in done.stderr


def test_each_source_is_searched_for_somebody_who_cannot_exist(run: Run) -> None:
    told = json.loads(run("test", "--json").stdout)["sources"]

    assert [one["answer"] for one in told] == ["absent"] * 3
    assert all(0 < one["seconds"] < 60 for one in told)
    assert "answers, " in run("test").stdout


@pytest.mark.parametrize("named", ["1", "CustomerUser1", "customeruser1"])
def test_one_source_is_asked_for_somebody(run: Run, named: str) -> None:
    (told,) = json.loads(run("test", named, "--login", "USER3", "--json").stdout)["sources"]

    assert (told["source"], told["answer"], told["login"]) == ("CustomerUser1", "found", "user3")


def test_a_source_is_known_by_its_name(run: Run) -> None:
    done = run("test", "crm", "--login", "jdoe")

    assert "found: jdoe" in done.stdout
    assert "CustomerUser1" not in done.stdout


def test_who_is_in_no_source_ends_with_one(run: Run) -> None:
    assert "does not know the login" in run("test", "--login", "nobody", exit_code=1).stdout


def test_a_source_that_does_not_answer_says_why(run: Run, slapd: servers.SlapdServer) -> None:
    slapd.stop()

    done = run("test", "--login", "jdoe", exit_code=3)

    assert "found: jdoe" in done.stdout
    assert "does not answer" in done.stdout
    assert "Connection refused" in " ".join(done.stdout.split())


def test_a_source_that_can_never_work_ends_with_two(run: Run, settings: Path) -> None:
    settings.write_text(settings.read_text().replace('"login", UserEmail', '"logins", UserEmail'))

    done = run("test", "CustomerUser", exit_code=2)

    assert "can never work" in done.stdout
    assert "logins" in done.stdout


def test_a_source_that_is_not_there_is_refused_with_those_that_are(run: Run) -> None:
    done = run("test", "7", exit_code=2)

    assert "there is no source 7; there are: CustomerUser (CRM), CustomerUser1" in done.stderr
    told = json.loads(run("test", "7", "--json", exit_code=2).stdout)
    assert told["error"] == "unknown_source"
