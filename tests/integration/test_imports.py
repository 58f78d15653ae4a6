"""Many customer users come in from a file, and no row is lost, doubled or half-written."""

import csv
import json
import os
import signal
import stat
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy
from sqlalchemy import select
from typer.testing import CliRunner, Result

from tests.contract.customer_users import MAP
from tests.integration.admin_site import Site
from tests.integration.world import World
from tests.servers import PostgresqlServer
from worker import calls, cli, toml
from worker.calls import perform
from worker.commands import importing
from worker.services import Services
from worker.tickets import schema

CONFIG = "fieldfare.toml"

SOURCE = {
    "kind": "sql",
    "name": "Customers of OTOBO",
    "table": "customer_user",
    "customer_key": "login",
    "customer_id": "customer_id",
    "customer_company_support": True,
    "customer_user_email_uniq_check": True,
    "customer_user_post_master_search_fields": ["email", "Nick"],
    "password_form": "sha2",
    "map": MAP,
}

LOST_AT_COMMIT = """
CREATE FUNCTION lost() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_terminate_backend(pg_backend_pid());
    RETURN NULL;
END $$
"""
AT_COMMIT = """
CREATE CONSTRAINT TRIGGER lost AFTER INSERT ON customer_user
DEFERRABLE INITIALLY DEFERRED FOR EACH ROW WHEN (NEW.login = 'user4') EXECUTE FUNCTION lost()
"""
"""The connection goes away in the middle of a COMMIT."""

Import = Callable[..., Result]


@pytest.fixture
def services(small_world: World) -> Services:
    services = small_world.services(sources={"CustomerUser": SOURCE})
    values = {"CustomerID": "acme", "CustomerCompanyName": "Acme"}
    perform("customer_company.add", {"values": values}, "ada", services)
    return services


def person(login: str, **more: Any) -> dict[str, Any]:
    return {
        "UserLogin": login,
        "UserFirstname": "Jane",
        "UserLastname": "Doe",
        "UserEmail": f"{login or 'auto'}@cust.test",
        "UserCustomerID": "acme",
        "ValidID": "valid",
        **more,
    }


def told(services: Services, *rows: Mapping[str, Any], **options: Any) -> list[tuple[str, str]]:
    """What became of each row: its outcome, and the error of one that was refused."""
    answer = perform("customer_user.import", {"rows": list(rows), **options}, "ada", services)
    assert [row["number"] for row in answer["rows"]] == list(range(1, len(rows) + 1))
    return [(row["outcome"], row.get("error", "")) for row in answer["rows"]]


def stored(world: World) -> dict[str, str]:
    table = schema.customer_user.c
    with world.otobo.engine.connect() as connection:
        rows = connection.execute(select(table.login, table.first_name))
        return {row.login: row.first_name for row in rows}


def test_good_rows_are_added_and_the_others_are_refused_one_by_one(
    services: Services, small_world: World
) -> None:
    outcomes = told(
        services,
        person("jane"),
        person("JANE", UserEmail="other@cust.test"),
        person("john", UserEmail="JANE@cust.test"),
        person("anna", UserCustomerID="nobody"),
        person("olaf", UserEmail="no address"),
        person("kim", UserFirstname=""),
        person("ute"),
    )

    assert outcomes == [
        ("added", ""),
        ("refused", "duplicate_login"),
        ("refused", "duplicate_email"),
        ("refused", "unknown_customer"),
        ("refused", "wrong_email"),
        ("refused", "required"),
        ("added", ""),
    ]
    assert stored(small_world).keys() == {"jane", "ute"}


def test_who_is_added_is_valid_unless_the_row_says_otherwise(
    services: Services, small_world: World
) -> None:
    jane, john = person("jane"), person("john", ValidID="invalid")
    del jane["ValidID"]

    assert told(services, jane, john) == [("added", ""), ("added", "")]
    changed = {"UserLogin": "john", "UserFirstname": "Johann"}
    assert told(services, changed, update=True) == [("updated", "")]

    table = schema.customer_user.c
    with small_world.otobo.engine.connect() as connection:
        assert dict(connection.execute(select(table.login, table.valid_id)).all()) == {
            "jane": 1,
            "john": 2,
        }


def test_a_dry_run_says_the_same_and_writes_nothing(services: Services, small_world: World) -> None:
    rows = (person("jane"), person("anna", UserCustomerID="nobody"))

    assert told(services, *rows, dry_run=True) == told(services, *rows)
    again = (*rows, person("ute"))
    assert told(services, *again, dry_run=True, update=True) == [
        ("unchanged", ""),
        ("refused", "unknown_customer"),
        ("added", ""),
    ]
    assert stored(small_world).keys() == {"jane"}


def test_who_is_there_already_is_changed_where_that_is_asked_for(
    services: Services, small_world: World
) -> None:
    told(services, person("jane"), person("john"))

    assert told(services, person("jane")) == [("refused", "duplicate_login")]
    outcomes = told(
        services,
        {"UserLogin": "JANE", "UserFirstname": "Janet"},
        person("john"),
        person("anna"),
        {"UserLogin": "john", "UserEmail": "jane@cust.test"},
        update=True,
    )

    assert outcomes[:3] == [("updated", ""), ("unchanged", ""), ("added", "")]
    assert outcomes[3][0] == "refused"
    assert stored(small_world) == {"jane": "Janet", "john": "Jane", "anna": "Jane"}


def test_a_password_is_made_once_for_each_who_is_new(services: Services) -> None:
    rows = [person("jane"), person("john", UserPassword="given-by-hand")]
    arguments = {"rows": rows, "generate_passwords": True}

    dry = perform("customer_user.import", {**arguments, "dry_run": True}, "ada", services)["rows"]
    added = perform("customer_user.import", arguments, "ada", services)["rows"]
    again = perform("customer_user.import", {**arguments, "update": True}, "ada", services)["rows"]

    assert ["password" in row for row in (*dry, *added, *again)] == [False] * 2 + [True] + [
        False
    ] * 3
    assert len(added[0]["password"]) >= 12


def test_too_many_rows_are_refused_whole(services: Services, small_world: World) -> None:
    rows = [person(f"user{number}") for number in range(501)]

    answer = perform("customer_user.import", {"rows": rows}, "ada", services)

    assert (answer["error"], answer["field"]) == ("wrong_arguments", "rows")
    assert stored(small_world) == {}


def test_what_was_added_is_told_even_if_the_rest_could_not_be_changed(
    services: Services, small_world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    told(services, person("jane"))
    update_all = calls.imports.update_all

    def silent(*arguments: Any, **options: Any) -> Any:
        """What a database does that goes away between two transactions."""
        small_world.otobo.engine.dispose()
        raise calls.call_errors.TicketDatabaseUnavailable("gone")

    monkeypatch.setattr(calls.imports, "update_all", silent)
    change = {"UserLogin": "jane", "UserFirstname": "Janet"}
    assert told(services, person("john"), change, update=True) == [
        ("added", ""),
        ("refused", "unavailable"),
    ]
    answer = perform("customer_user.import", {"rows": [change], "update": True}, "ada", services)
    assert answer["error"] == "unavailable"
    monkeypatch.setattr(calls.imports, "update_all", update_all)
    assert stored(small_world) == {"jane": "Jane", "john": "Jane"}


@pytest.fixture
def with_trigger(site: Site) -> Site:
    """A trigger writes logins in small letters, and lets nobody in whose name is too long."""
    statements = """
        INSERT INTO customer_user SELECT (jsonb_populate_record(customer_user, '{"id": 99,
            "login": "Zoe", "email": "zoe@cust.test"}')).* FROM customer_user;
        CREATE FUNCTION small() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            IF length(NEW.login) > 9 THEN RETURN NULL; END IF;
            NEW.login := lower(NEW.login);
            RETURN NEW;
        END $$;
        CREATE TRIGGER small BEFORE INSERT OR UPDATE ON customer_user
        FOR EACH ROW EXECUTE FUNCTION small();
    """
    with site.engine.begin() as connection:
        connection.exec_driver_sql(statements)
    return site


def test_rows_whose_login_a_trigger_changes_are_refused_and_the_others_written(
    with_trigger: Site, tmp_path: Path
) -> None:
    site, file = with_trigger, tmp_path / "people.jsonl"
    people = [person("Jane"), person("john"), person("longlonglong"), person("Ute")]
    people += [{"UserLogin": "Zoe", "UserCity": "Jena"}, {"UserLogin": "anna", "UserCity": "Jena"}]
    lines = (json.dumps({"UserTitle": "Dr.", **one}) + "\n" for one in people)
    file.write_text("".join(lines))

    words = ("customer-user", "import", str(file), "--update", "--json")
    dry, done = site(*words, "--dry-run", exit_code=1), site(*words, exit_code=1)

    told, tried = json.loads(done.stdout), json.loads(dry.stdout)
    assert tried["refused"] == told["refused"]
    assert [(one["line"], one["error"], one["field"]) for one in told["refused"]] == [
        (line, "refused_by_database", "UserLogin") for line in (1, 3, 4, 5)
    ]
    said = "CustomerUser does not keep the login {} as it is given; a trigger may change it: "
    assert [one["message"] for one in told["refused"]] == [
        said.format("Jane") + "give it as jane",
        said.format("longlonglong") + "take another, or have the trigger leave it",
        said.format("Ute") + "give it as ute",
        said.format("Zoe") + "give it as zoe",
    ]
    assert (told["added"], told["updated"]) == (1, 1)
    with site.engine.connect() as connection:
        logins = set(connection.scalars(select(schema.customer_user.c.login)))
    assert logins == {"anna", "john", "Zoe"}


# --- from the shell ---


@pytest.fixture
def run(services: Services, small_world: World, tmp_path: Path) -> Import:
    """``fieldfare customer-user import --local``."""
    settings = {
        "redis": {"url": small_world.redis.url},
        "tickets": {"url": small_world.ticket_url},
        "sources": {"CustomerUser": SOURCE},
        "mapping": {"variables": {"UserPhone": "Phone"}},
    }
    config = tmp_path / CONFIG
    config.write_text(toml.dumps(settings))
    config.chmod(0o600)

    def run(*arguments: object, **more: Any) -> Result:
        command = ["customer-user", "import", "--local", *map(str, arguments)]
        return CliRunner().invoke(cli.app, command, env={"FIELDFARE_CONFIG": str(config)}, **more)

    return run


TITLES = ("UserLogin", "UserFirstname", "UserLastname", "UserEmail", "UserCustomerID", "ValidID")


def sheet(tmp_path: Path, *people: Mapping[str, Any], name: str = "people.csv") -> Path:
    """A file of CSV as a spreadsheet writes it."""
    file = tmp_path / name
    lines = [TITLES, *([str(one[title]) for title in TITLES] for one in people)]
    file.write_text("".join(";".join(line) + "\r\n" for line in lines), encoding="utf-8-sig")
    return file


def test_a_file_is_imported_and_every_refused_row_is_reported(
    run: Import, small_world: World, tmp_path: Path
) -> None:
    file = sheet(
        tmp_path,
        person("jane"),
        person("john", UserCustomerID="nobody"),
        person("Jane", UserEmail="other@cust.test"),
    )
    report = tmp_path / "report.csv"

    dry = run(file, "--dry-run")
    first = run(file, "--report", report)
    again = run(file, "--update", "--json")

    assert dry.exit_code == first.exit_code == again.exit_code == 1
    assert "1 added, 2 refused, if it were no dry run" in dry.stdout
    assert "1 added, 2 refused\n" in first.stdout
    assert "unknown_customer" in first.stdout
    assert stored(small_world) == {"jane": "Jane"}
    with report.open() as lines:
        refused = [(row["line"], row["login"], row["error"]) for row in csv.DictReader(lines)]
    assert refused == [("3", "john", "unknown_customer"), ("4", "Jane", "duplicate_login")]
    told = json.loads(again.stdout)
    assert (told["added"], told["unchanged"], told["not_tried"]) == (0, 1, 0)
    assert [one["line"] for one in told["refused"]] == [3, 4]


def test_a_file_of_good_rows_ends_well(run: Import, small_world: World, tmp_path: Path) -> None:
    file = tmp_path / "people.jsonl"
    file.write_text("".join(json.dumps(person(name)) + "\n" for name in ("jane", "john")))

    result = run(file)

    assert (result.exit_code, result.stdout) == (0, "2 added, 0 refused\n")
    assert stored(small_world).keys() == {"jane", "john"}


def test_what_was_listed_is_imported_again_by_the_name_of_its_source(
    run: Import, small_world: World, tmp_path: Path
) -> None:
    run(sheet(tmp_path, person("jane")))
    words = ["customer-user", "list", "--source", "customers of otobo", "--csv", "--local"]
    listed = CliRunner().invoke(cli.app, words, env={"FIELDFARE_CONFIG": str(tmp_path / CONFIG)})
    assert "ChangeTime" in listed.stdout
    changed = listed.stdout.replace("Jane", "Janet")

    passed_over = ["--without", "login", "--without", "source"]
    result = run("-", "--update", "--source", "Customers of OTOBO", *passed_over, input=changed)

    assert (result.exit_code, result.stdout) == (0, "1 updated, 0 refused\n")
    assert stored(small_world) == {"jane": "Janet"}


def test_columns_that_no_map_has_are_named_before_anything_is_written(
    run: Import, small_world: World
) -> None:
    rows = "UserLogin,UserNick,Shoe\njane,x,42\n"

    wrong = run("-", input=rows)
    passed = run("-", "--without", "UserNick", "--without", "Shoe", input=rows)

    assert wrong.exit_code == 2
    assert "no Map has UserNick, Shoe" in wrong.stderr
    assert "--without UserNick --without Shoe" in wrong.stderr
    assert "1 refused" in passed.stdout
    assert stored(small_world) == {}


def test_passwords_are_written_to_a_file_that_nobody_else_can_read(
    run: Import, tmp_path: Path
) -> None:
    file, secret = sheet(tmp_path, person("jane"), person("john")), tmp_path / "passwords.csv"

    dry = run(file, "--generate-passwords", secret, "--dry-run")
    assert (dry.exit_code, secret.exists()) == (0, False)
    done = run(file, "--generate-passwords", secret)
    again = run(file, "--generate-passwords", secret)

    assert stat.S_IMODE(secret.stat().st_mode) == 0o600
    with secret.open() as lines:
        made = {row["login"]: row["password"] for row in csv.DictReader(lines)}
    assert made.keys() == {"jane", "john"}
    assert not any(password in done.output for password in made.values())
    assert again.exit_code == 2
    assert "is there already" in again.stderr


def test_ctrl_c_ends_between_portions_and_says_what_was_done(
    run: Import, small_world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(importing, "PORTION", 2)
    asked: list[int] = []
    call = importing.call

    def interrupted(name: str, arguments: Mapping[str, Any], *, local: bool) -> dict[str, Any]:
        """Somebody presses Ctrl-C while the second portion is written."""
        asked.append(len(arguments["rows"]))
        if len(asked) == 2:
            os.kill(os.getpid(), signal.SIGINT)
        return call(name, arguments, local=local)

    monkeypatch.setattr(importing, "call", interrupted)
    file = sheet(tmp_path, *(person(f"user{number}") for number in range(5)))

    result = run(file)

    assert (result.exit_code, asked) == (130, [2, 2])
    assert "nothing of line 6 is written; to go on" in result.stderr
    assert "4 added, 0 refused, 1 not tried" in result.stdout
    assert len(stored(small_world)) == 4
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


@pytest.fixture
def titled(tmp_path: Path) -> Path:
    """A file for ``site``: customer users in the lines 2 to 6."""
    file = tmp_path / "titled.jsonl"
    people = (person(f"user{number}", UserTitle="Dr.") for number in range(2, 7))
    # An object of JSON has no line of titles before it.
    file.write_text("\n" + "".join(json.dumps(one) + "\n" for one in people))
    return file


def test_a_database_that_goes_away_leaves_no_doubt_which_lines_are_written(
    site: Site,
    postgresql_server: PostgresqlServer,
    titled: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(importing, "PORTION", 2)
    call = importing.call

    def stopping(name: str, arguments: Mapping[str, Any], *, local: bool) -> dict[str, Any]:
        if arguments["rows"][0]["UserLogin"] == "user4":
            postgresql_server.stop()
        return call(name, arguments, local=local)

    monkeypatch.setattr(importing, "call", stopping)
    words = ("customer-user", "import", str(titled))
    try:
        cut = site(*words, exit_code=3)
        away = site(*words, "--from-line", "4", "--json", exit_code=3)
        dry = site(*words, "--dry-run", exit_code=3)
    finally:
        postgresql_server.start()
    monkeypatch.setattr(importing, "call", call)
    rest = site(*words, "--from-line", "4")

    said = "nothing of lines 4 to 6 is written; to go on, give the same command with --from-line 4"
    assert (said in cut.stderr, said in away.stderr) == (True, True)
    assert "2 added, 0 refused, 3 not tried" in cut.stdout
    told = json.loads(away.stdout)
    assert (told["not_tried"], told["unknown"]) == (3, 0)
    assert "nothing of lines 2 to 6 was checked" in dry.stderr
    assert rest.stdout == "3 added, 0 refused\n"


def test_a_commit_without_an_answer_leaves_only_its_own_lines_in_doubt(
    site: Site, titled: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(importing, "PORTION_WITH_PASSWORDS", 2)
    with site.engine.begin() as connection:
        connection.execute(sqlalchemy.text(LOST_AT_COMMIT))
        connection.execute(sqlalchemy.text(AT_COMMIT))
    words = ("customer-user", "import", str(titled), "--generate-passwords")

    cut = site(*words, str(tmp_path / "made.csv"), exit_code=3)

    for said in (
        "whether anything of lines 4 to 5 is written is not known",
        ", and nothing of line 6 is written; to go on, give the same command with --from-line 4, ",
        "and another file for --generate-passwords; whoever is in by then is refused",
        "needs another password (fieldfare customer-user set-password)",
    ):
        assert said in cut.stderr
    assert "2 added, 0 refused, 2 unknown, 1 not tried" in cut.stdout


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["nowhere.csv"], "nowhere.csv cannot be read"),
        (["-", "--encoding", "klingon"], "no encoding klingon"),
        (["-", "--delimiter", "ab"], "one sign"),
        (["-", "--report", "/nowhere/report.csv"], "cannot be written"),
        (["-", "--source", "CustomerUser9"], "there is no source CustomerUser9"),
        (["-", "--from-line", "3"], "no row begins at line 3 or behind it"),
    ],
)
def test_wrong_usage_is_told_with_what_is_wrong(
    run: Import, small_world: World, arguments: list[str], said: str
) -> None:
    result = run(*arguments, input="UserLogin\njane\n")

    assert (result.exit_code, said in result.stderr) == (2, True)
    assert stored(small_world) == {}
