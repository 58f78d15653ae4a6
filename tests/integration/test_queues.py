"""``fieldfare dead``, ``waiting`` and ``inbox``: what is where, how much, how old, and why."""

import json
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import pytest
import redis
import typer
from typer.testing import CliRunner, Result

from tests.servers import RedisServer
from worker import cli, dead_letters, extracts
from worker.commands import dead
from worker.inbox import DEAD, EVENTS, GROUP, Inbox, connect

Run = Callable[..., Result]

DAY_MS = 86_400_000


SETTINGS = """\
tickets.url = "sqlite://"
redis.url = "{redis}"
[sources]
CustomerUser = {{ name = "CRM", kind = "sql", {options} }}
CustomerUser1 = {{ name = "Staff", kind = "sql", {options} }}
"""
OPTIONS = 'url = "sqlite://", table = "t", customer_key = "l", customer_id = "c", map = {}'


@pytest.fixture
def config(redis_server: RedisServer, tmp_path: Path) -> Path:
    """Settings with two sources, which nobody asks here."""
    redis_server.start()
    redis_server.flush()
    path = tmp_path / "fieldfare.toml"
    path.write_text(SETTINGS.format(redis=redis_server.url, options=OPTIONS))
    return path


@pytest.fixture
def inbox(redis_server: RedisServer, config: Path) -> Iterator[Inbox]:
    made = Inbox(connect(redis_server.url), lambda: None)
    yield made
    made.client.close()


@pytest.fixture
def client(inbox: Inbox) -> redis.Redis:
    return inbox.client


@pytest.fixture
def run(config: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    monkeypatch.chdir(config.parent)
    monkeypatch.setattr("worker.app.app.send_task", lambda *_, **__: None)

    def invoke(*arguments: str, code: int = 0) -> Result:
        variables = {"FIELDFARE_CONFIG": str(config), "COLUMNS": "100"}
        done = CliRunner().invoke(cli.app, list(arguments), env=variables)
        assert done.exit_code == code, done.output
        return done

    return invoke


def told(result: Result) -> Any:
    return json.loads(result.stdout)


def lines(result: Result) -> str:
    """What people see, without the widths of columns."""
    return " ".join(result.stdout.replace("│", " ").split())


def bury(client: redis.Redis, reason: str, count: int, **fields: str) -> list[str]:
    """Dead letters, the event of each a day older than the letter; returns their ids."""
    seconds, _ = client.time()
    pipeline = client.pipeline(transaction=False)
    for number in range(count):
        notes = {"reason": reason, "error": "KeyError", "message": "plan.py:7", "attempts": "5"}
        notes["origin"] = f"{seconds * 1000 - DAY_MS}-{number}"
        event = {"type": "ticket.created", "ticket_id": str(4711 + number), **fields}
        pipeline.xadd(DEAD, {**event, **{f"fieldfare.{k}": v for k, v in notes.items()}})
    return [letter_id.decode() for letter_id in pipeline.execute()]


def parked(client: redis.Redis) -> list[str]:
    return [letter_id.decode() for letter_id, _ in client.xrange(DEAD)]


# -- dead list


def test_without_dead_letters_the_list_says_so(run: Run) -> None:
    assert run("dead", "list").stdout == "0 dead letters\n"
    assert told(run("dead", "list", "--json")) == {"total": 0, "letters": [], "before": None}


def test_the_newest_dead_letters_come_first_with_their_reasons(
    run: Run, client: redis.Redis
) -> None:
    first, second = bury(client, "failed", 2)
    (third,) = bury(client, "malformed", 1, type="ticket.nonsense")

    shown = lines(run("dead", "list"))
    letters = told(run("dead", "list", "--json"))["letters"]

    assert shown.startswith("3 dead letters")
    assert "2 failed KeyError: plan.py:7" in shown
    assert "1 malformed KeyError: plan.py:7" in shown
    assert f"{third} 4711 nonsense" in shown
    assert "1 d 0 h 5 failed KeyError" in shown
    assert "fieldfare dead list" not in shown, "there are no more"
    assert [one["id"] for one in letters] == [third, second, first]
    assert (
        letters[1].items()
        >= {
            "ticket_id": "4712",
            "type": "ticket.created",
            "attempts": 5,
            "reason": "failed",
            "error": "KeyError",
            "message": "plan.py:7",
        }.items()
    )
    assert letters[1]["since_seconds"] < 60
    assert DAY_MS / 1000 <= letters[1]["arrived_seconds"] < DAY_MS / 1000 + 60


def test_a_list_goes_on_where_the_last_one_ended(run: Run, client: redis.Redis) -> None:
    ids = bury(client, "failed", 5)

    first = run("dead", "list", "--limit", "2")
    assert f"fieldfare dead list --before {ids[3]}" in first.stdout
    before, seen = None, []
    while True:
        page = told(
            run("dead", "list", "--json", "--limit", "2", *(("--before", before) if before else ()))
        )
        seen.append([one["id"] for one in page["letters"]])
        before = page["before"]
        if before is None:
            break

    assert seen == [[ids[4], ids[3]], [ids[2], ids[1]], [ids[0]]]


def test_a_list_can_be_of_one_reason(run: Run, client: redis.Redis) -> None:
    old = bury(client, "failed", 3)
    bury(client, "malformed", 30)

    one = run("dead", "list", "--reason", "failed", "--limit", "1")
    page = told(run("dead", "list", "--reason", "failed", "--json"))

    assert f"dead list --reason failed --before {old[-1]}" in one.stdout
    assert [one["id"] for one in page["letters"]] == old[::-1]
    assert page["before"] is None
    assert "None of the 33 that were looked through was parked as killed_workers." in lines(
        run("dead", "list", "--reason", "killed_workers")
    )


def test_a_long_stream_is_looked_through_in_parts(
    run: Run, client: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    (old,) = bury(client, "failed", 1)
    newer = bury(client, "malformed", 60)
    monkeypatch.setattr(dead, "LOOKED_THROUGH", 40)

    page = told(run("dead", "list", "--reason", "failed", "--json"))
    following = told(run("dead", "list", "--reason", "failed", "--json", "--before", newer[20]))

    assert (page["letters"], page["before"]) == ([], newer[20])
    assert "There may be more" in run("dead", "list", "--reason", "failed").stdout
    assert [one["id"] for one in following["letters"]] == [old]
    assert following["before"] is None


# -- dead show


def test_a_dead_letter_is_shown_whole_but_for_values_of_others(
    run: Run, client: redis.Redis
) -> None:
    (letter,) = bury(client, "failed", 1, screen="AgentTicketPhone", phone="VALUE-42")

    shown = run("dead", "show", letter)
    data = told(run("dead", "show", letter, "--json"))

    assert "failed: every attempt (inbox.max_attempts) ended in an error" in lines(shown)
    assert "field screen AgentTicketPhone" in lines(shown)
    assert "field phone (8 bytes that are not shown)" in lines(shown)
    assert "VALUE-42" not in shown.stdout + json.dumps(data)
    assert data["fields"]["screen"] == "AgentTicketPhone"
    assert data["other_fields"] == {"phone": 8}


@pytest.mark.parametrize("arguments", [("show",), ("replay",), ("drop", "--yes")])
def test_an_unknown_dead_letter_ends_with_one(run: Run, arguments: tuple[str, ...]) -> None:
    said = run("dead", *arguments, "1700000000000-7", code=1)

    assert "there is no dead letter 1700000000000-7" in said.stderr


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("show", "4711"), "'4711' is no id of a dead letter"),
        (("show", f"{2**64}-0"), "is no id of a dead letter"),
        (("list", "--before", "x"), "'x' is no id of a dead letter"),
        (("replay", "1-"), "'1-' is no id of a dead letter"),
        (("replay",), "name ids, or say --all"),
        (("drop", "--yes"), "name ids, or say --all"),
        (("drop", "--yes", "--all", "1-1"), "name ids, or say --all"),
        (("replay", "--reason", "failed", "1-1"), "belongs to --all"),
        (("drop", "--all"), "nobody can be asked here; say --yes"),
        (("replay", "--all", "--reason", "no"), "'no' is not one of"),
    ],
)
def test_wrong_usage_ends_with_two(run: Run, arguments: tuple[str, ...], says: str) -> None:
    assert says in " ".join(run("dead", *arguments, code=2).stderr.replace("│", " ").split())


# -- dead replay, dead drop


def test_letters_are_replayed_by_their_ids_and_unknown_ones_are_named(
    run: Run, client: redis.Redis
) -> None:
    first, second, third = bury(client, "failed", 3)

    said = run("dead", "replay", first, "1-1", third, first, code=1)

    assert said.stdout == "2 dead letters replayed\n"
    assert said.stderr == "fieldfare: there is no dead letter 1-1\n"
    assert parked(client) == [second]
    back = [fields for _, fields in client.xrange(EVENTS)]
    assert [fields[b"ticket_id"] for fields in back] == [b"4711", b"4713"]
    assert {fields[b"fieldfare.attempts"] for fields in back} == {b"0"}


def test_all_letters_of_a_reason_are_replayed(run: Run, client: redis.Redis) -> None:
    bury(client, "failed", 250)
    stays = bury(client, "malformed", 10)
    bury(client, "failed", 250)

    assert told(run("dead", "replay", "--all", "--reason", "failed", "--json")) == {
        "replayed": 500,
        "unknown": [],
    }
    assert parked(client) == stays
    assert client.xlen(EVENTS) == 500


def test_what_is_parked_while_all_are_dealt_with_stays(inbox: Inbox, client: redis.Redis) -> None:
    bury(client, "failed", 300)

    portions = dead_letters.all_ids(inbox)
    first = next(portions)
    later = bury(client, "failed", 300)
    seen = [*first, *(one for portion in portions for one in portion)]

    assert len(seen) == 300
    assert not set(seen) & set(later)


def test_letters_are_dropped_by_id_or_all(run: Run, client: redis.Redis) -> None:
    first, *_ = bury(client, "failed", 450)

    assert run("dead", "drop", first, "--yes").stdout == "1 dead letter dropped\n"
    assert run("dead", "drop", "--all", "--yes").stdout == "449 dead letters dropped\n"
    assert run("dead", "drop", "--all", "--yes").stdout == "0 dead letters dropped\n"
    assert client.xlen(EVENTS) == 0


@pytest.fixture
def typed(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[bytes], object]]:
    """Has somebody type something at a terminal, which is the standard input."""
    keyboard, terminal = os.openpty()
    with os.fdopen(terminal) as standard_input, os.fdopen(keyboard, "wb", 0) as keys:
        monkeypatch.setattr(sys, "stdin", standard_input)
        yield keys.write


@pytest.mark.parametrize("answer", [b"n\n", b"\n"])
def test_letters_stay_if_somebody_says_no(
    config: Path,
    client: redis.Redis,
    monkeypatch: pytest.MonkeyPatch,
    typed: Callable[[bytes], object],
    answer: bytes,
) -> None:
    letters = bury(client, "failed", 2)
    monkeypatch.setenv("FIELDFARE_CONFIG", str(config))
    typed(answer)

    with pytest.raises(typer.Exit) as refused:
        dead.drop(everything=True)

    assert refused.value.exit_code == 1
    assert parked(client) == letters


def test_letters_are_dropped_if_somebody_says_yes(
    config: Path,
    client: redis.Redis,
    monkeypatch: pytest.MonkeyPatch,
    typed: Callable[[bytes], object],
    capsys: pytest.CaptureFixture[str],
) -> None:
    bury(client, "failed", 2)
    monkeypatch.setenv("FIELDFARE_CONFIG", str(config))
    typed(b"y\n")

    dead.drop(everything=True)

    question = "Delete all of 2 dead letters for good? The sweep may find their tickets again."
    assert question in capsys.readouterr().err
    assert parked(client) == []


def test_what_was_done_before_redis_went_away_is_told(run: Run, client: redis.Redis) -> None:
    bury(client, "failed", 2)
    client.config_set("maxmemory", 1)
    try:
        said = run("dead", "replay", "--all", code=3)
    finally:
        client.config_set("maxmemory", 0)

    assert said.stdout == "0 dead letters replayed\n"
    assert said.stderr.startswith("fieldfare: Redis refuses: ")
    assert len(parked(client)) == 2


# -- waiting


def wait(inbox: Inbox, slot: str, reasons: Sequence[str]) -> None:
    inbox.publish_many(
        {"type": "ticket.created", "ticket_id": str(number), "phone": "VALUE-1"}
        for number in range(len(reasons))
    )
    for entry, reason in zip(inbox.read("a"), reasons, strict=True):
        inbox.wait([entry], slot, reason)


def test_rooms_are_shown_with_their_reasons(run: Run, inbox: Inbox) -> None:
    wait(inbox, "1", ["no answer within 2 s", "no answer within 2 s", "bind refused"])
    wait(inbox, "7", ["away"])

    shown = run("waiting")
    crm, staff, orphan = told(run("waiting", "--json"))["rooms"]

    assert "3 events wait for CustomerUser1" in shown.stdout
    assert "2 no answer within 2 s" in lines(shown)
    assert "CustomerUser7 not configured 1" in lines(shown)
    assert (crm["source"], crm["queue"]) == (
        "CustomerUser",
        {"length": 0, "oldest_seconds": None},
    )
    assert (staff["name"], staff["queue"]["length"], staff["looked_at"]) == ("Staff", 3, 3)
    assert staff["reasons"] == {"no answer within 2 s": 2, "bind refused": 1}
    assert staff["events"] == []
    assert (orphan["source"], orphan["state"]) == ("CustomerUser7", "not configured")


@pytest.mark.parametrize("named", ["CustomerUser1", "customeruser1", "1", "Staff"])
def test_a_room_is_named_by_its_source(run: Run, inbox: Inbox, named: str) -> None:
    wait(inbox, "1", ["away", "away", "away"])
    wait(inbox, "7", ["away"])

    (room,) = told(run("waiting", named, "--json"))["rooms"]
    two = run("waiting", named, "--events", "2").stdout

    assert [one["ticket_id"] for one in room["events"]] == ["0", "1", "2"]
    assert room["events"][0]["other_fields"] == {"phone": 7}
    assert two.rstrip().endswith("… and 1 more")
    assert "CustomerUser7" not in two


def test_an_empty_room_is_shown_too(run: Run) -> None:
    (first,) = told(run("waiting", "0", "--json"))["rooms"]
    (gone,) = told(run("waiting", "9", "--json"))["rooms"]

    assert first["source"] == "CustomerUser"
    assert (gone["source"], gone["state"], gone["queue"]["length"]) == (
        "CustomerUser9",
        "not configured",
        0,
    )


def test_a_room_that_does_not_exist_is_wrong_usage(run: Run) -> None:
    said = lines(run("waiting", "CustomerUser11", code=2)) + run("waiting", "x", code=2).stderr

    assert "there is no source 'x'" in said
    assert "CustomerUser1 (Staff)" in said


# -- inbox


def test_the_inbox_tells_who_has_what_in_hand(run: Run, inbox: Inbox, client: redis.Redis) -> None:
    inbox.publish_many({"type": "TicketCreate", "ticket_id": str(i)} for i in range(12))
    silent = inbox.read("silent-1", 2)
    inbox.read("busy-1", 3)
    inbox.settle([entry.id for entry in inbox.read("idle-1", 1)])
    client.xclaim(EVENTS, GROUP, "silent-1", 0, [silent[0].id], retrycount=3, justid=True)
    shown = run("inbox", "--events", "3")
    data = told(run("inbox", "--json"))

    assert shown.stdout.startswith("11 events, the oldest 0 s old; 5 in hand\n")
    assert "… and 8 more" in shown.stdout
    assert "silent-1 (handed over 3 times)" in lines(shown)
    assert (data["length"], data["in_hand"], len(data["events"])) == (11, 5, 10)
    assert [(one["name"], one["pending"], one["state"]) for one in data["processes"]] == [
        ("busy-1", 3, "at work"),
        ("silent-1", 2, "at work"),
        ("idle-1", 0, "idle"),
    ]
    first, _, third, *_, last = data["events"]
    assert (first["in_hand_of"], first["deliveries"]) == ("silent-1", 3)
    assert (third["in_hand_of"], third["deliveries"]) == ("busy-1", 1)
    assert (last["in_hand_of"], last["deliveries"]) == (None, 0)


def test_who_has_not_been_heard_of_is_silent(
    run: Run, inbox: Inbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    inbox.publish({"type": "ticket.created", "ticket_id": "1"})
    inbox.read("gone-1")
    monkeypatch.setenv("FIELDFARE_INBOX__CLAIM_SECONDS", "1e-6")
    monkeypatch.setenv("FIELDFARE_INBOX__RENEW_SECONDS", "1e-7")

    (process,) = told(run("inbox", "--json"))["processes"]

    assert process["state"] == "silent"
    assert "gone-1 silent 1" in lines(run("inbox"))


def test_an_empty_inbox_is_shown_and_left_as_it_is(run: Run, client: redis.Redis) -> None:
    assert run("inbox").stdout == "0 events; 0 in hand\n"
    assert told(run("inbox", "--json", "--events", "0"))["events"] == []
    assert client.keys() == []


@pytest.mark.parametrize(
    "command", [("dead", "list"), ("dead", "replay", "--all"), ("waiting",), ("inbox",)]
)
def test_a_redis_that_is_away_ends_with_three(
    run: Run, redis_server: RedisServer, command: tuple[str, ...]
) -> None:
    redis_server.stop()
    try:
        said = run(*command, code=3)
    finally:
        redis_server.start()

    assert "fieldfare: Redis does not answer: " in said.stderr


# -- whatever a producer sent

HOSTILE: dict[Any, Any] = {
    b"type": b"ticket.\x1b[2J\x1b]0;owned\x07",
    b"ticket_id": "\u202e4711\u009b31m".encode() + b"\xff",
    "na\nme\x1b[31m": b"VALUE-of-somebody",
    b"screen": b"x" * 70_000,
    "[bold]markup": b"1",
}


@pytest.mark.parametrize(
    ("key", "command"),
    [
        (DEAD, ("dead", "list")),
        (DEAD, ("dead", "show")),
        ("fieldfare:waiting:1", ("waiting", "1")),
        (EVENTS, ("inbox",)),
    ],
)
@pytest.mark.parametrize("form", [(), ("--json",)])
def test_what_a_producer_sent_does_nothing_to_a_terminal(
    run: Run, client: redis.Redis, key: str, command: tuple[str, ...], form: tuple[str, ...]
) -> None:
    notes = {
        "fieldfare.reason": "\x1b[2J",
        "fieldfare.error": "E\x07",
        "fieldfare.message": "m\u202e",
    }
    letter = client.xadd(key, {**HOSTILE, **notes}).decode()
    more = (letter,) if "show" in command else ()

    printed = run(*command, *more, *form).stdout

    assert {sign for sign in printed if not sign.isprintable()} <= {"\n"}
    assert "VALUE-of-somebody" not in printed
    assert len(printed) < 10_000


def test_an_extract_is_small_whatever_the_entry_is(client: redis.Redis) -> None:
    client.xadd(DEAD, {f"{number}{'n' * 5000}": "v" * 5000 for number in range(200)})
    client.xadd(DEAD, {"screen": "ä" * 60_000})

    many, long = extracts.oldest(client, DEAD)

    assert len(many.other_fields) == extracts.MOST_NAMES
    assert {len(name) for name in many.other_fields} == {extracts.MOST_OF_A_NAME + 1}
    assert long.fields["screen"] == "ä" * extracts.MOST_OF_A_VALUE + "…"


def test_a_stream_is_read_in_few_portions_small_ones_if_entries_are_large(
    client: redis.Redis,
) -> None:
    bury(client, "failed", 1000)

    def portions(key: str) -> int:
        before = client.info("commandstats")["cmdstat_xrange"]["calls"]
        assert len(list(extracts.oldest(client, key))) == client.xlen(key)
        return int(client.info("commandstats")["cmdstat_xrange"]["calls"]) - before

    client.xrange(DEAD, count=1)
    assert portions(DEAD) == 13  # 10, 20, 40, 80, and then 100 each
    for _ in range(30):
        client.xadd(EVENTS, {"x": "x" * 200_000})
    assert portions(EVENTS) == 4  # ten each, and nothing
    assert [one.id for one in extracts.newest(client, DEAD)] == parked(client)[::-1]
    assert len(list(islice(extracts.newest(client, DEAD), 7))) == 7
