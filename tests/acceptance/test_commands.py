"""Every command of the operator, with servers that answer, and with servers that do not."""

import json
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.acceptance.conftest import Installation
from tests.acceptance.processes import COMMAND, Cli, environment
from tests.otobo import AGENT
from tests.servers import PostgresqlServer

MakeCli = Callable[..., Cli]

COMMANDS = [
    (),
    ("emit",),
    ("lookup",),
    ("explain",),
    ("worker",),
    ("check",),
    ("report",),
    ("forget",),
    ("status",),
    ("inbox",),
    ("waiting",),
    ("dead",),
    ("dead", "list"),
    ("dead", "show"),
    ("dead", "replay"),
    ("dead", "drop"),
    ("guard",),
    ("guard", "show"),
    ("guard", "release"),
    ("beat",),
    ("health",),
    ("demo",),
    ("config",),
    ("config", "show"),
    ("config", "schema"),
]


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_every_command_explains_itself(cli: MakeCli, command: tuple[str, ...]) -> None:
    said = cli()(*command, "--help")

    assert said.out.startswith("Usage: ")
    assert said.err == ""


def test_the_exit_codes_are_told(cli: MakeCli) -> None:
    out = " ".join(cli()("--help").out.split())

    assert "0 done; 1 the answer is no; 2 wrong usage or settings; 3 something did not" in out


@pytest.mark.parametrize(
    "arguments",
    [("no-such-command",), ("emit",), ("emit", "x"), ("lookup",), ("explain", "x")],
    ids=" ".join,
)
def test_wrong_usage_ends_with_two(cli: MakeCli, arguments: tuple[str, ...]) -> None:
    said = cli()(*arguments, exit_code=2)

    assert said.out == ""
    assert "Usage: " in said.err


# -- settings


def test_the_settings_are_shown_without_secrets(fieldfare: Cli) -> None:
    table = fieldfare("config", "show").out
    tree = fieldfare("config", "show", "--json").json

    assert "tickets.worker_user" in table
    assert tree["tickets"]["password"] == "**********"
    assert tree["sources"]["CustomerUser1"]["user_pw"] == "**********"
    assert tree["mapping"]["variables"]["UserPhone"] == "CustomerPhone"
    assert tree["precedence"]["screens"] == {"AgentTicketPhone": {"CustomerPhone": 1}}


def test_the_schema_is_printed_without_any_settings(cli: MakeCli) -> None:
    schema = cli()("config", "schema").json

    assert schema["properties"]["tickets"]
    assert schema["required"] == ["tickets"]


@pytest.mark.parametrize(
    ("toml", "says"),
    [
        (None, "does not exist; examples/fieldfare.toml"),
        ('[tickets]\nurl = "sqlite:///x"\nbatch_sise = 5\n', "did you mean batch_size?"),
        ("[tickets]\nurl = hunter2\n", "not valid TOML"),
        ('[tickets]\nurl = "hunter2"\n', "tickets.url: cannot be read; right: postgresql"),
        ('[tickets]\nurl = "oracle://u:hunter2@h/d"\n', "the ticket database cannot be oracle"),
        (
            '[tickets]\nurl = "sqlite:///x"\n[redis]\nurl = "http://:hunter2@h"\n',
            "redis.url",
        ),
        (
            """
            tickets.url = "sqlite:///x"
            [CustomerUser]
            Module = "Kernel::System::CustomerUser::DB"
            Params = { DSN = "DBI:Solid:x", Password = "hunter2@", Table = "t" }
            CustomerKey = "login"
            CustomerID = "id"
            Map = []
            """,
            "source CustomerUser: DBI:Solid is not known; there are DBI:Pg",
        ),
    ],
    ids=["no file", "unknown key", "broken", "bad url", "oracle", "redis", "dsn"],
)
def test_wrong_settings_end_with_two_and_a_message(
    cli: MakeCli, tmp_path: Path, toml: str | None, says: str
) -> None:
    config = tmp_path / "fieldfare.toml"
    if toml is not None:
        config.write_text(toml)

    said = cli(config)("lookup", "anna", exit_code=2)

    assert said.out == ""
    assert said.err.startswith("fieldfare: ")
    assert says in said.err
    assert "hunter2@" not in said.err


def test_a_variable_that_names_nothing_ends_with_two(cli: MakeCli) -> None:
    said = cli(FIELDFARE_TICKET__URL="x")("config", "show", exit_code=2)

    assert "FIELDFARE_TICKET__URL names no setting" in said.err


# -- emit


def test_an_event_goes_into_the_inbox(installation: Installation, fieldfare: Cli) -> None:
    out = fieldfare("emit", "4711", "4712", "--type", "created", "--screen", "AgentTicketPhone").out
    (emitted,) = fieldfare("emit", "4713", "--field", "A", "--field", "B", "--json").json

    assert "ticket 4711: event " in out
    assert emitted["ticket_id"] == 4713
    with installation.redis.client() as client:
        entries = client.xrange("fieldfare:events")
        assert [fields for _, fields in entries] == [
            {"type": "ticket.created", "ticket_id": "4711", "screen": "AgentTicketPhone"},
            {"type": "ticket.created", "ticket_id": "4712", "screen": "AgentTicketPhone"},
            {"type": "ticket.customer_changed", "ticket_id": "4713", "fields": '["A", "B"]'},
        ]
        assert entries[2][0] == emitted["entry"]


# -- lookup


def test_a_lookup_tells_what_each_source_says(fieldfare: Cli) -> None:
    table = fieldfare("lookup", "user3").out
    told = fieldfare("lookup", "user3", "--json").json

    assert "VALUE-user3@example.com" in table
    assert told["login"] == "user3"
    assert [(one["name"], one["answer"], one["decides"]) for one in told["sources"]] == [
        ("CRM", "absent", False),
        ("Staff", "found", True),
    ]
    assert told["sources"][1]["attributes"]["UserPhone"] == "VALUE-3"


def test_a_lookup_of_nobody_ends_with_one(fieldfare: Cli) -> None:
    said = fieldfare("lookup", "nobody", "--json", exit_code=1)

    assert [one["answer"] for one in said.json["sources"]] == ["absent", "absent"]
    fieldfare("lookup", "nobody", exit_code=1)


def test_a_lookup_while_ldap_is_down_ends_with_three(
    installation: Installation, fieldfare: Cli
) -> None:
    installation.slapd.stop()

    said = fieldfare("lookup", "user3", "--json", exit_code=3)

    assert [one["answer"] for one in said.json["sources"]] == ["absent", "unavailable"]
    fieldfare("lookup", "anna")


# -- explain


def test_an_explanation_tells_what_would_be_written_and_why(
    installation: Installation, fieldfare: Cli
) -> None:
    ticket = installation.otobo.create_ticket("user3", user_id=AGENT)
    installation.otobo.insert_value(ticket, "CustomerMail", value_text="VALUE-old")

    table = fieldfare("explain", str(ticket)).out
    told = fieldfare("explain", str(ticket), "--json").json
    hinted = fieldfare("explain", str(ticket), "--screen", "AgentTicketPhone", "--json").json
    submitted = fieldfare("explain", str(ticket), "--field", "CustomerName", "--json").json

    assert "VALUE-user3@example.com" in table
    assert (told["customer_user"], told["answer"], told["source"]) == (
        "user3",
        "found",
        "CustomerUser1",
    )
    fields = {one["field"]: one for one in told["fields"]}
    mail = fields["CustomerMail"]
    assert (mail["current"], mail["proposed"]) == ("VALUE-old", "VALUE-user3@example.com")
    assert (mail["decision"], mail["reason"], mail["variables"]) == (
        "write",
        "found",
        ["UserEmail"],
    )
    assert fields["CustomerName"]["variables"] == ["UserFirstname", "UserLastname"]
    kept = {one["field"]: one["reason"] for one in hinted["fields"] if one["decision"] == "keep"}
    assert kept == {"CustomerPhone": "owned_by_screen"}
    kept = {one["field"]: one["reason"] for one in submitted["fields"] if one["decision"] == "keep"}
    assert kept["CustomerName"] == "submitted"
    assert installation.otobo.values(ticket) == {"CustomerMail": ["VALUE-old"]}, (
        "nothing is written"
    )


@pytest.mark.parametrize("login", ["nobody", None])
def test_an_explanation_of_a_stranger_tells_so(
    installation: Installation, fieldfare: Cli, login: str | None
) -> None:
    ticket = installation.otobo.create_ticket(login)
    installation.otobo.add_article(ticket, "EmailCustomer")

    told = fieldfare("explain", str(ticket), "--json").json

    assert (told["answer"], told["customer_user"]) == ("absent", login or "")
    assert {one["decision"] for one in told["fields"]} == {"unchanged"}
    assert (login or "no customer user") in fieldfare("explain", str(ticket)).out


def test_an_explanation_of_no_ticket_ends_with_one(fieldfare: Cli) -> None:
    said = fieldfare("explain", "987654321", exit_code=1)

    assert "there is no ticket with id 987654321" in said.err


def test_an_explanation_while_ldap_is_down_ends_with_three(
    installation: Installation, fieldfare: Cli
) -> None:
    ticket = installation.otobo.create_ticket("user3")
    installation.slapd.freeze()

    told = fieldfare("explain", str(ticket), "--json", exit_code=3).json
    said = fieldfare("explain", str(ticket), exit_code=3)

    assert (told["answer"], told["source"], told["fields"]) == ("unavailable", "CustomerUser1", [])
    assert "CustomerUser1 does not answer" in said.out


# -- servers that are away


def test_a_redis_that_is_down_ends_with_three(installation: Installation, fieldfare: Cli) -> None:
    installation.redis.stop()

    said = fieldfare("emit", "1", exit_code=3)

    assert said.err.startswith("fieldfare: Redis does not answer: ")
    installation.redis.start()


def test_a_ticket_database_that_is_down_ends_with_three(
    fieldfare: Cli, postgresql_server: PostgresqlServer
) -> None:
    postgresql_server.stop()

    said = fieldfare("explain", "1", exit_code=3)

    assert said.err.startswith("fieldfare: the ticket database is not available: ")
    postgresql_server.start()


def test_a_database_that_is_no_ticket_systems_ends_with_two(
    fieldfare: Cli, installation: Installation, tmp_path: Path
) -> None:
    text = installation.config.read_text()
    installation.config.write_text(
        text.replace('password = "throw-away"\nstatement', 'worker_user = "nobody"\nstatement')
        .replace('user = "fieldfare"\n', "")
        .replace(
            text.partition('url = "')[2].partition('"')[0], f"sqlite:///{tmp_path / 'empty.sqlite'}"
        )
    )

    said = fieldfare("worker", exit_code=2)

    assert "the ticket database has no table" in said.err


def test_a_worker_without_its_agent_does_not_start(
    installation: Installation, fieldfare: Cli
) -> None:
    text = installation.config.read_text()
    installation.config.write_text(text.replace("[redis]", 'worker_user = "nobody"\n[redis]'))

    said = fieldfare("worker", exit_code=2)

    assert "the ticket system has no agent 'nobody'; create it" in said.err


def test_a_table_that_does_not_exist_keeps_a_worker_from_starting(
    installation: Installation, fieldfare: Cli
) -> None:
    text = installation.config.read_text()
    installation.config.write_text(text.replace('Table = "people"', 'Table = "peple"'))

    said = fieldfare("worker", exit_code=2)

    assert "peple" in said.err


def test_a_password_that_is_refused_is_not_repeated(
    installation: Installation, fieldfare: Cli
) -> None:
    text = installation.config.read_text()
    installation.config.write_text(text.replace('"throw-away"', '"hunter2"'))

    told = json.dumps(fieldfare("lookup", "user3", "--json", exit_code=3).json)
    said = fieldfare("explain", "1", exit_code=3)

    assert "unavailable" in told
    assert "hunter2" not in told + said.out + said.err


# -- Ctrl-C

STANDS_STILL = "import signal\nprint('importing', flush=True)\nsignal.pause()\n"


@pytest.mark.parametrize(
    "command", [COMMAND, (str(Path(sys.executable).with_name("fieldfare")),)], ids=["-m", "script"]
)
def test_ctrl_c_ends_a_command_quietly_while_it_is_still_imported(
    tmp_path: Path, command: tuple[str, ...]
) -> None:
    (tmp_path / "typer.py").write_text(STANDS_STILL)
    with subprocess.Popen(
        [*command, "status"],
        cwd=tmp_path,
        env=environment(PYTHONPATH=str(tmp_path)),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        assert process.stdout
        assert process.stdout.readline() == b"importing\n"
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=60)

    assert (process.returncode, out, err) == (130, b"", b"")


def test_a_command_whose_parent_wants_it_not_to_hear_ctrl_c_does_not(tmp_path: Path) -> None:
    (tmp_path / "typer.py").write_text(
        "import os, signal\nos.kill(os.getpid(), signal.SIGINT)\nraise SystemExit(7)\n"
    )

    done = subprocess.run(
        [*COMMAND, "status"],
        cwd=tmp_path,
        env=environment(PYTHONPATH=str(tmp_path)),
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_IGN),
        check=False,
    )

    assert done.returncode == 7
