"""``fieldfare audit`` as an operator reads it."""

import csv
import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import redis
from typer.testing import CliRunner, Result

from tests.servers import RedisServer
from worker import audit, cli
from worker.audit import Line
from worker.calls import CALLS
from worker.commands.audit import as_object, as_row, as_text, go_on
from worker.inbox import connect

Run = Callable[..., Result]

LINES = (
    Line("root@host", "customer_user.add", ("jdoe",), (), "CustomerUser", ("UserLogin",)),
    Line("root@host", "customer_user.add", ("[red]x",), (), "", ("UserEmail",), "duplicate_email"),
    Line("web", "customer_company.update", (), ("AC\x1bME",), "CustomerCompany"),
    Line("web", "customer_user.rename", ("jdoe", "jane"), (), "CustomerUser", ("UserLogin",)),
)


@pytest.fixture
def client(redis_server: RedisServer) -> Iterator[redis.Redis]:
    redis_server.start()
    redis_server.flush()
    made = connect(redis_server.url)
    yield made
    made.close()


@pytest.fixture
def run(redis_server: RedisServer, client: redis.Redis) -> Run:
    for line in LINES:
        audit.write(client, line, 100)

    def invoke(*arguments: str, exit_code: int = 0) -> Result:
        environment = {
            "FIELDFARE_REDIS__URL": redis_server.url,
            "FIELDFARE_TICKETS__URL": "sqlite:///nowhere",
            "COLUMNS": "80",
        }
        done = CliRunner().invoke(cli.app, ["audit", *arguments], env=environment)
        assert done.exit_code == exit_code, done.output
        return done

    return invoke


def test_the_newest_line_stands_last(run: Run) -> None:
    said = run().stdout

    rows = [line for line in said.splitlines() if "customer_" in line]
    assert ["user.add" in rows[0], "user.rename" in rows[-1]] == [True, True]
    for text in ("duplicate_email", "[red]x", "jdoe, jane", "CustomerUser: UserLogin"):
        assert text in said
    assert max(map(len, said.splitlines())) <= 80
    assert "\x1b" not in said
    assert "add" not in run("--limit", "1").stdout


def test_eighty_columns_break_no_call_and_no_outcome(run: Run, client: redis.Redis) -> None:
    people = tuple(f"somebody.{number}@example.org" for number in range(500))
    fields = ("UserLogin", "UserFirstname", "UserLastname", "UserEmail", "UserCustomerID")
    who = "administrator@ticketsystem.intranet.example.org"
    longest = max(CALLS, key=len)
    audit.write(client, Line(who, longest, people, (), "CustomerUser10", fields, "not_a_date"), 100)

    said = run().stdout

    assert max(map(len, said.splitlines())) <= 80
    for text in (longest, "not_a_date", "customer_company.update", "duplicate_email", "497 more"):
        assert text in said
    assert len(said.splitlines()) < 50


def test_csv_has_a_line_for_each_call(run: Run) -> None:
    first, *_, last = csv.DictReader(run("--csv").stdout.splitlines())

    assert (first["who"], first["source"], first["writes"]) == ("root@host", "CustomerUser", "true")
    assert {name: text for name, text in last.items() if name not in {"id", "time"}} == {
        "who": "web",
        "call": "customer_user.rename",
        "customer_users": "jdoe, jane",
        "customers": "",
        "source": "CustomerUser",
        "fields": "UserLogin",
        "outcome": "done",
        "writes": "true",
    }
    assert last["time"].endswith("+00:00")
    assert len(run("--csv", "--login", "nobody").stdout.splitlines()) == 1
    assert "not both" in run("--csv", "--json", exit_code=2).stderr


def test_lines_about_one_customer_user_are_shown_alone(run: Run) -> None:
    told = json.loads(run("--login", "jdoe", "--json").stdout)

    assert [one["call"] for one in told] == ["customer_user.add", "customer_user.rename"]
    assert {key: told[0][key] for key in ("who", "customer_users", "outcome", "fields")} == {
        "who": "root@host",
        "customer_users": ["jdoe"],
        "outcome": "done",
        "fields": ["UserLogin"],
    }
    assert told[0]["time"].endswith("+00:00")


def test_questions_can_be_left_out(run: Run, client: redis.Redis) -> None:
    audit.write(client, Line("web", "customer_user.get", ("jdoe",), writes=False), 100)

    assert "customer_user.get" in run("--json").stdout
    assert [one["call"] for one in json.loads(run("--writes", "--json").stdout)] == [
        line.call for line in (*LINES, *LINES, *LINES)
    ][:4]


def test_where_there_is_no_line_that_is_said(run: Run) -> None:
    assert "there is no line" in run("--login", "nobody").stderr
    assert json.loads(run("--login", "nobody", "--json").stdout) == []


def test_a_redis_that_is_away_is_told(run: Run, redis_server: RedisServer) -> None:
    redis_server.stop()
    try:
        assert "Redis does not answer" in run(exit_code=3).stderr
    finally:
        redis_server.start()


@pytest.mark.parametrize("shown", [as_object, as_row, as_text])
def test_new_lines_follow_until_ctrl_c(
    run: Run,
    client: redis.Redis,
    capsys: pytest.CaptureFixture[str],
    shown: Callable[[audit.Kept], str],
) -> None:
    waits = iter(["jdoe", "other", ""])

    def wait(_: float) -> Any:
        login = next(waits)
        if not login:
            raise KeyboardInterrupt
        audit.write(client, Line("late", "customer_user.update", (login,)), 100)

    go_on(
        client,
        audit.newest(client, 9, "jdoe")[-1:],
        lambda one: one.line.is_about("jdoe", writes=False),
        shown,
        wait,
    )

    first, second = capsys.readouterr().out.splitlines()
    if shown is as_object:
        assert [json.loads(one)["who"] for one in (first, second)] == ["web", "late"]
    elif shown is as_row:
        assert ',web,customer_user.rename,"jdoe, jane",,CustomerUser,UserLogin,done,true' in first
        assert ",late,customer_user.update,jdoe,,,,done,true" in second
    else:
        assert "customer_user.rename  jdoe, jane  CustomerUser  UserLogin  done" in first
        assert "late  customer_user.update  jdoe  done" in second
