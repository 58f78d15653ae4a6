"""The runner itself: it fails what must fail, and plays any case of the format."""

import hashlib
import io
import json
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from passlib.hash import apr_md5_crypt, des_crypt, md5_crypt

from tests import servers
from tests.conformance import deviations
from tests.conformance.conduct import End, Verdict, conduct
from tests.conformance.directory_writes import matches
from tests.conformance.history_rules import Allowed, agree
from tests.conformance.recordings import Case, UnreadableCases, load
from tests.conformance.report import report
from tests.conformance.world import Servers, World

DB = {
    "Module": "Kernel::System::CustomerUser::DB",
    "Name": "Database",
    "CustomerKey": "login",
    "CustomerID": "customer_id",
    "CustomerValid": "valid_id",
    "CacheTTL": 0,
    "Map": [
        ["UserFirstname", "First name", "first_name", 1, 1, "var", "", 0, None, None],
        ["UserLogin", "Login", "login", 1, 1, "var", "", 0, None, None],
        ["UserCustomerID", "Customer", "customer_id", 0, 1, "var", "", 0, None, None],
    ],
    "Params": {"Table": "customer_user", "SearchCaseSensitive": 0},
}
LDAP = {
    "Module": "Kernel::System::CustomerUser::LDAP",
    "CustomerKey": "uid",
    "CustomerID": "o",
    "Map": [
        ["UserFirstname", "First name", "givenName", 1, 1, "var", "", 0],
        ["UserLogin", "Login", "uid", 1, 1, "var", "", 0],
    ],
    "Params": {
        "Host": "ldap://127.0.0.1:50391",
        "BaseDN": "ou=people,dc=example,dc=com",
        "UserDN": "cn=admin,dc=example,dc=com",
        "UserPw": "secret",
    },
}
JANE = {
    "login": "jane",
    "first_name": "Jane",
    "last_name": "Doe",
    "email": "jane@cust.test",
    "customer_id": "acme",
    "valid_id": 1,
}
ON = {
    "Module": "Kernel::System::Ticket::Event::DynamicFieldFromCustomerUser",
    "Event": "(TicketCreate|TicketCustomerUpdate)",
}


def topic(*steps: Mapping[str, Any], **more: Any) -> dict[str, Any]:
    """A file with one case: Jane, a field for her first name, and steps."""
    config = {
        "sources": [{"slot": "3", "config": "db"}],
        "mapping": {"UserFirstname": "First"},
        "dynamic_fields": [{"Name": "First", "FieldType": "Text"}],
        "event_module": ON,
        **more.pop("config", {}),
    }
    directory = {"customer_user": [JANE], **more.pop("directory", {})}
    case = {"id": "case-01", "config": config, "directory": directory, "steps": list(steps), **more}
    return {"topic": "topic", "source_configs": {"db": DB, "ldap": LDAP}, "cases": [case]}


def created(value: str | None, **call: Any) -> dict[str, Any]:
    """TicketCreate, after which the field holds a value."""
    lines = [{"type": "TicketDynamicFieldUpdate", "name": line(value)}] if value else []
    return {
        "op": "ticket_create",
        "customer_user": "jane",
        "customer_id": "acme",
        **call,
        "expect": {"tickets": {"T1": {"fields": {"First": value}, "history": lines}}},
    }


def line(new: str, old: str = "") -> str:
    return f"%%FieldName%%First%%Value%%{new}%%OldValue%%{old}"


@pytest.fixture(scope="module")
def world(
    postgresql_server: servers.PostgresqlServer,
    slapd_server: servers.SlapdServer,
    redis_server: servers.RedisServer,
) -> Iterator[World]:
    for server in (postgresql_server, slapd_server, redis_server):
        server.start()
    slapd_server.thaw()
    made = World(Servers(postgresql_server, slapd_server, redis_server))
    yield made
    made.close()


def written(folder: Path, data: Mapping[str, Any], listed: str = "") -> list[Case]:
    (folder / "topic.json").write_text(json.dumps(data))
    if listed:
        (folder / deviations.FILE).write_text(listed)
    return load(folder)


def played(world: World, folder: Path, data: Mapping[str, Any], listed: str = "") -> Verdict:
    (case,) = written(folder, data, listed)
    return conduct(world, case, deviations.load(folder))


def test_a_case_that_ends_as_recorded_agrees(world: World, tmp_path: Path) -> None:
    rows = [{"field": "First", "value_text": "Jane", "value_date": None, "value_int": None}]
    step = created("Jane")
    step["expect"]["tickets"]["T1"]["rows"] = rows

    assert played(world, tmp_path, topic(step)).end is End.AGREES


def test_another_value_another_row_and_another_line_fail(world: World, tmp_path: Path) -> None:
    step = created("Janet")
    assert played(world, tmp_path, topic(step)).problems == [
        'step 1: T1.First: expected "Janet", came "Jane"'
    ]

    step = created("Jane")
    step["expect"]["tickets"]["T1"]["rows"] = []
    (problem,) = played(world, tmp_path, topic(step)).problems
    assert problem.startswith("step 1: T1.rows of First: expected []")

    step = created("Jane")
    step["expect"]["tickets"]["T1"]["history"] = []
    (problem,) = played(world, tmp_path, topic(step)).problems
    assert problem.startswith("step 1: T1.history of First: expected []")


def test_a_deviation_counts_only_with_its_rule_and_while_it_is_one(
    world: World, tmp_path: Path
) -> None:
    entry = '[[deviation]]\ncase = "case-01"\nstep = 1\nfields = { First = "Jane" }\n'
    janet = topic(created("Janet"))

    verdict = played(world, tmp_path, janet, f'{entry}rule = "D1"\n')
    assert (verdict.end, verdict.rules) == (End.DEVIATES, ["D1"])

    verdict = played(world, tmp_path, janet, entry)
    assert "an entry names no rule (D1 … D32)" in verdict.problems

    verdict = played(world, tmp_path, topic(created("Jane")), f'{entry}rule = "D1"\n')
    assert verdict.problems == ["step 1: T1.First agrees with OTOBO, and is listed under D1"]

    verdict = played(world, tmp_path, janet, f'{entry}rule = "D1"\n'.replace('"Jane"', '"Jo"'))
    assert verdict.problems == ['step 1: T1.First (D1): expected "Jo", came "Jane"']

    verdict = played(world, tmp_path, janet, f'{entry}rule = "D1"\n'.replace("= 1", "= 2"))
    assert verdict.problems[-1] == "step 2 is listed under D1, and the case has no such step"


@pytest.mark.parametrize(
    ("step", "problem"),
    [
        ({"op": "dance"}, "unknown op 'dance'"),
        ({"op": "code", "do": "dance", "what": "a dance"}, "unknown do 'dance': a dance"),
        ({"op": "ticket_customer_set", "user": "jane"}, "there is no ticket T1"),
        ({"op": "ldap_modify", "dn": "ou=people,dc=example,dc=com"}, "names no change"),
        ({"op": "sql", "sql": "select * from nowhere"}, "UndefinedTable"),
        ({"op": "sql"}, "KeyError"),
    ],
)
def test_a_step_that_cannot_be_played_fails_and_says_so(
    world: World, tmp_path: Path, step: Mapping[str, Any], problem: str
) -> None:
    verdict = played(world, tmp_path, topic(step))

    assert verdict.end is End.FAILS
    assert "cannot be played" in verdict.problems[-1]
    assert problem in verdict.problems[-1]


def test_an_unknown_method_of_the_directory_fails(world: World, tmp_path: Path) -> None:
    call = {"op": "call", "method": "Dance", "args": {}, "expect": {"result": {}}}

    (problem,) = played(world, tmp_path, topic(call)).problems

    assert problem == 'step 1: result of Dance: expected {}, came "unknown method Dance"'


SHA2 = hashlib.sha256(b"secret pw").hexdigest()


def writing(*steps: Mapping[str, Any]) -> dict[str, Any]:
    """A file of the topic in which Fieldfare writes: Jane's source also keeps her password."""
    password = ["UserPassword", "Password", "pw", 0, 0, "var", "", 0, None, None]
    block = {**DB, "Map": [*DB["Map"], password]}
    data = topic(*steps, config={"sources": [{"slot": "", "config": "db"}], "mapping": None})
    return {**data, "topic": "directory_write", "source_configs": {"db": block}}


def call(method: str, result: Any, rows: Any = None, **args: Any) -> dict[str, Any]:
    tables = {} if rows is None else {"tables": {"customer_user": rows}}
    expect = {"result": result, **tables}
    return {"op": "call", "method": method, "args": {"UserID": 1, **args}, "expect": expect}


UPDATED = {"ID": "jane", "UserLogin": "jane", "UserFirstname": "Jo", "UserCustomerID": "acme"}
JO = {"login": "jane", "first_name": "Jo", "customer_id": "acme", "pw": None}


def test_what_fieldfare_writes_is_compared_with_the_rows_that_were_recorded(
    world: World, tmp_path: Path
) -> None:
    agreeing = played(world, tmp_path, writing(call("CustomerUserUpdate", "1", [JO], **UPDATED)))
    wrong = {**JO, "first_name": "Joe"}
    differing = played(
        world, tmp_path, writing(call("CustomerUserUpdate", None, [wrong], **UPDATED))
    )

    assert agreeing.end is End.AGREES
    rows, result = differing.problems
    assert rows.startswith('step 1: rows of customer_user: expected [{"login": "jane", ')
    assert '"Joe"' in rows
    assert result == 'step 1: result of CustomerUserUpdate: expected "refused", came "done"'


@pytest.mark.parametrize(
    ("row", "listed", "problem"),
    [
        ({"first_name": "Jane"}, "{ first_name = 'Jo' }", None),
        (
            {"first_name": "Jo"},
            "{ first_name = 'Jo' }",
            "agree with OTOBO, and are listed under D2",
        ),
        ({"first_name": "Jane"}, "{ first_name = 'X' }", 'expected [{"login": "jane"'),
        ({"first_name": "Jane"}, "false", "rows of customer_user: expected []"),
    ],
)
def test_rows_that_differ_can_be_listed(
    world: World, tmp_path: Path, row: dict[str, str], listed: str, problem: str | None
) -> None:
    data = writing(call("CustomerUserUpdate", "1", [{**JO, **row}], **UPDATED))
    entry = "[[deviation]]\ncase = 'case-01'\nstep = 1\nrule = 'D2'\n"

    verdict = played(world, tmp_path, data, f"{entry}tables.customer_user.jane = {listed}\n")

    if problem is None:
        assert (verdict.end, verdict.rules) == (End.DEVIATES, ["D2"])
    else:
        assert verdict.end is End.FAILS
        assert problem in verdict.problems[0]


def test_rows_that_are_listed_must_have_been_recorded(world: World, tmp_path: Path) -> None:
    data = writing(call("CustomerUserUpdate", "1", **UPDATED))
    entry = "[[deviation]]\ncase = 'case-01'\nstep = 1\nrule = 'D2'\ntables.people.jane = false\n"

    (problem,) = played(world, tmp_path, data, entry).problems

    assert problem == "step 1: rows of people are listed, and the case has none here"


def test_passwords_are_set_and_tried_as_the_ticket_system_tries_them(
    world: World, tmp_path: Path
) -> None:
    hashed = {**JANE, "pw": "{HASH 2bb80d5 len 64}"}
    told = {"login": hashed["login"], "pw": hashed["pw"]}

    def login(name: str, password: str, result: str | None) -> dict[str, Any]:
        expect = {"result": result}
        return {"op": "customer_auth", "user": name, "pw": password, "expect": expect}

    verdict = played(
        world,
        tmp_path,
        writing(
            call("SetPassword", "1", [told], UserLogin="jane", PW="secret pw"),
            login("jane", "secret pw", "jane"),
            login("jane", "secret", None),
            login("JANE", "secret pw", None),
            call("SetPassword", None, UserLogin="nobody", PW="secret pw"),
            {
                "op": "code",
                "do": "generate_password",
                "sizes": [9],
                "expect": {"result": {"size9_length": "9"}},
            },
        ),
    )

    assert (list(verdict.problems), verdict.rules) == ([], ["D13"])


@pytest.mark.parametrize(
    "stored",
    [
        SHA2,
        hashlib.sha1(b"secret pw").hexdigest(),
        "secret pw",
        str(md5_crypt.using(salt="jane").hash("secret pw")),
        str(apr_md5_crypt.using(salt="jane").hash("secret pw")),
        str(des_crypt.using(salt="ja").hash("secret pw")),
    ],
)
def test_a_password_is_checked_in_every_form(stored: str) -> None:
    assert matches("secret pw", stored)
    assert not matches("another", stored)


def test_what_hangs_on_a_renamed_login_moves_along(world: World, tmp_path: Path) -> None:
    member = {"user_id": "jane", "customer_id": "beta"}
    rename = call("CustomerUserUpdate", "1", **{**UPDATED, "UserLogin": "jo"})
    rename["expect"]["tables"] = {"customer_user_customer": [member]}
    data = writing(rename, call("GetPreferences", {"UserLanguage": "de"}, UserID="jo"))
    data["cases"][0]["directory"] |= {
        "customer_user_customer": [member],
        "customer_preferences": [
            {"user_id": "jane", "preferences_key": "UserLanguage", "preferences_value": "de"}
        ],
    }

    verdict = played(world, tmp_path, data)

    assert (list(verdict.problems), verdict.rules) == ([], ["D24"])


def test_ports_open_and_close_and_passwords_are_those_of_the_servers_here(
    world: World, tmp_path: Path
) -> None:
    entry = {"objectClass": ["inetOrgPerson"], "cn": "x", "sn": "x", "uid": "jane"}
    dn = "uid=jane,ou=people,dc=example,dc=com"
    port = {"op": "code", "port": 50391, "service": "ldap"}

    data = topic(
        {"op": "ticket_create", "expect": {"tickets": {"T1": {"fields": {"First": None}}}}},
        {
            "calls": [{"op": "cache_cleanup"}, {"op": "ticket_customer_set", "user": "jane"}],
            "expect": {"tickets": {"T1": {"fields": {"First": None}}}},
        },
        {
            "calls": [
                {**port, "do": "open_port"},
                {"op": "ldap_add", "dn": dn, "attrs": {**entry, "givenName": "Jane"}},
                {"op": "ticket_customer_set", "user": "jane"},
            ],
            "expect": {"tickets": {"T1": {"fields": {"First": "Jane"}}}},
        },
        {
            "calls": [
                {"op": "ldap_modify", "dn": dn, "replace": {"givenName": "Janet"}},
                {**port, "do": "close_port"},
                {"op": "ticket_customer_set", "user": "jane"},
            ],
            "expect": {"tickets": {"T1": {"fields": {"First": "Jane"}}}},
        },
        {
            **port,
            "do": "open_port",
            "expect": {"tickets": {"T1": {"fields": {"First": "Janet"}}}},
        },
        {
            "calls": [
                {"op": "ldap_delete", "dn": dn},
                {"op": "ticket_customer_set", "user": "jane"},
            ],
            "expect": {"tickets": {"T1": {"fields": {"First": None}}}},
        },
        config={"sources": [{"slot": "10", "config": "ldap"}]},
    )
    assert list(played(world, tmp_path, data).problems) == []


def test_a_table_that_a_case_changes_is_as_before_for_the_next(
    world: World, tmp_path: Path
) -> None:
    room = [*DB["Map"], ["UserRoom", "Room", "room", 1, 0, "var", "", 0]]  # type: ignore[misc]
    data = topic(
        created("42%"),
        config={"mapping": {"UserRoom": "First"}},
        directory={
            "customer_user": [],
            "tables": [
                {
                    "database": "otobo",
                    "ddl": "ALTER TABLE customer_user ADD COLUMN room varchar(20)",
                    "table": "customer_user",
                    "rows": [{**JANE, **STAMPS, "room": "41"}],
                }
            ],
        },
    )
    data["source_configs"]["db"] = {**DB, "Map": room}
    data["cases"][0]["steps"].insert(
        0, {"op": "sql", "sql": "UPDATE customer_user SET room = '42%' WHERE login LIKE 'ja%'"}
    )

    assert list(played(world, tmp_path, data).problems) == []
    assert played(world, tmp_path, topic(created("Jane"))).end is End.AGREES


STAMPS = {
    "create_time": "2024-01-01 00:00:00",
    "create_by": 1,
    "change_time": "2024-01-01 00:00:00",
    "change_by": 1,
}


def test_events_that_the_module_does_not_listen_to_are_not_heard(
    world: World, tmp_path: Path
) -> None:
    set_ = {
        "op": "ticket_customer_set",
        "user": "jane",
        "expect": {"tickets": {"T1": {"fields": {"First": None}}}},
    }
    none = {"op": "ticket_create", "expect": {"tickets": {"T1": {"fields": {"First": None}}}}}

    only_create = topic(none, set_, config={"event_module": {**ON, "Event": "TicketCreate"}})

    assert played(world, tmp_path, only_create).end is End.AGREES
    for off in ({"event_module": 0}, {"event_module": None}, {"mapping": None}):
        assert played(world, tmp_path, topic(created(None), config=off)).end is End.AGREES


NOTHING = Allowed(repeated=False, several_rules=False, checkbox=False)
REPEATED = Allowed(repeated=True, several_rules=False, checkbox=False)
SEVERAL = Allowed(repeated=False, several_rules=True, checkbox=False)
CHECKBOX = Allowed(repeated=False, several_rules=False, checkbox=True)


@pytest.mark.parametrize(
    ("theirs", "ours", "allowed", "same"),
    [
        ([line("a")], [line("a")], NOTHING, True),
        ([line("a")], [], NOTHING, False),
        ([], [line("a")], NOTHING, False),
        ([line("a"), line("a", "a")], [line("a")], NOTHING, True),  # D4
        ([line("", "0")], [], CHECKBOX, True),  # D4
        ([line("", "0")], [], NOTHING, False),
        ([line("a"), line("b", "a")], [line("b")], NOTHING, False),
        ([line("a"), line("b", "a")], [line("b")], SEVERAL, True),  # D8
        ([line("a"), line("b", "a")], [line("b")], REPEATED, True),  # D28
        ([line("a"), line("b", "a")], [line("a")], REPEATED, False),
        ([line("a"), line("", "a")], [], REPEATED, True),
        ([line("a"), line("b", "a"), line("c", "b")], [line("a"), line("c", "a")], REPEATED, True),
        ([line("b")], [line("a"), line("b", "a")], REPEATED, False),
    ],
)
def test_lines_agree_by_the_rules_that_can_apply_and_by_no_other(
    theirs: list[str], ours: list[str], allowed: Allowed, same: bool
) -> None:
    assert agree(theirs, ours, allowed) is same


def test_the_last_line_counts_each_case_once_and_the_status_tells_of_failures(
    tmp_path: Path,
) -> None:
    first, second = (
        written(tmp_path, {**topic(), "cases": [{**topic()["cases"][0], "id": id_}]})[0]
        for id_ in ("a-01", "a-02")
    )
    out = io.StringIO()

    status = report(
        {
            "postgresql": [Verdict(first, End.AGREES), Verdict(second, End.DEVIATES)],
            "mariadb": [Verdict(first, End.FAILS, ["step 1: T1.F: expected 1, came 2"])],
        },
        out,
    )

    assert status == 1
    assert out.getvalue().splitlines() == [
        "a-01 (mariadb): step 1: T1.F: expected 1, came 2",
        "tickets in postgresql: 2 cases: 1 agree, 1 deviate as listed, 0 fail",
        "tickets in mariadb: 1 cases: 0 agree, 0 deviate as listed, 1 fail",
        "2 cases: 0 agree, 1 deviate as listed, 1 fail",
    ]
    assert report({"postgresql": [Verdict(first, End.AGREES)]}, io.StringIO()) == 0


def test_a_folder_without_cases_and_a_file_of_another_form_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UnreadableCases, match="holds no cases"):
        load(tmp_path)
    (tmp_path / "x.json").write_text("{}")
    with pytest.raises(UnreadableCases, match=r"x\.json"):
        load(tmp_path)


def test_a_list_that_cannot_be_read_or_says_nothing_known_is_told(tmp_path: Path) -> None:
    (tmp_path / deviations.FILE).write_text("[[deviation]")
    with pytest.raises(UnreadableCases, match=r"deviations\.toml"):
        deviations.load(tmp_path)

    (tmp_path / deviations.FILE).write_text(
        '[[deviations]]\ncase = "a"\n[[deviation]]\nstep = 1\nrule = "D33"\nfiels = {}\n'
    )
    assert deviations.load(tmp_path).problems == {
        "deviations.toml": ["deviations is not [[deviation]]"],
        "deviations.toml: entry 1": [
            "an entry names no case",
            "an entry names no rule (D1 … D32)",
            "an entry says nothing of what comes instead (fields, result, history, tables)",
            "an entry has an unknown key fiels",
        ],
    }


def test_the_command_plays_a_folder_and_fails_for_an_entry_without_a_case(tmp_path: Path) -> None:
    listed = '[[deviation]]\ncase = "other-01"\nstep = 1\nrule = "D1"\nfields = { First = "x" }\n'
    written(tmp_path, topic(created("Jane")), listed)

    ran = subprocess.run(
        [sys.executable, "-m", "tests.conformance", str(tmp_path), "--no-mariadb"],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        check=False,
    )

    assert ran.stdout.splitlines() == [
        "other-01 (postgresql): deviations.toml lists no case of here",
        "2 cases: 1 agree, 0 deviate as listed, 1 fail",
    ]
    assert ran.returncode == 1
