"""How commands call an admin worker: what they wait for, and what they say when nobody answers."""

import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from typing import Any

import pytest
import redis
import typer
from celery import Celery

from tests.acceptance.conftest import Installation
from tests.acceptance.processes import Cli, Daemon, until
from tests.acceptance.secrecy import READERS
from worker.commands import calling

QUEUE = "fieldfare:celery:admin"
SECRET = "throw-away-of-a-call"


@pytest.fixture
def configured(installation: Installation, monkeypatch: pytest.MonkeyPatch) -> Installation:
    monkeypatch.setenv("FIELDFARE_CONFIG", str(installation.config))
    return installation


@pytest.fixture
def client(installation: Installation) -> Iterator[redis.Redis]:
    with installation.redis.client() as made:
        yield made


def started(fieldfare: Cli) -> Daemon:
    daemon = fieldfare.start("admin-worker", "--concurrency", "1")
    daemon.until("worker.started")
    return daemon


def ended(call: Callable[[], Any], capsys: pytest.CaptureFixture[str]) -> tuple[int, str]:
    """The exit code of a call that came to nothing, and what it said."""
    with pytest.raises(typer.Exit) as end:
        call()
    return end.value.exit_code, capsys.readouterr().err


def get(login: str = "user3") -> dict[str, Any]:
    return calling.call("customer_user.get", {"login": login})


def test_an_answer_is_told_and_leaves_nothing_behind(
    configured: Installation,
    fieldfare: Cli,
    client: redis.Redis,
    capsys: pytest.CaptureFixture[str],
) -> None:
    worker = started(fieldfare)

    told = get()
    local = calling.call("customer_user.get", {"login": "user3"}, local=True)
    wrong = ended(lambda: calling.call("customer_user.get", {"password": SECRET}), capsys)
    nothing = ended(lambda: calling.call("customer_user.find", {"term": "+"}), capsys)

    assert (told["answer"], told["attributes"]["UserPhone"]) == ("found", "VALUE-3")
    assert told == local
    assert wrong == (2, "fieldfare: there is no argument password; there are login\n")
    assert nothing[0] == 2
    assert "the term is empty" in nothing[1]
    assert [key for key in client.scan_iter() if "task-meta" in str(key)] == []
    assert client.llen(QUEUE) == 0
    assert SECRET not in worker.said()


def test_ctrl_c_takes_back_a_call_that_nobody_took(
    installation: Installation, fieldfare: Cli, client: redis.Redis
) -> None:
    waiting = fieldfare.start("source", "list")
    until(lambda: client.llen(QUEUE) == 1, "the call is in the queue")

    waiting.interrupt()

    assert waiting.ended() == 130
    assert "the call was taken back, and nothing was done" in waiting.said()
    assert client.llen(QUEUE) == 0


def test_without_a_worker_or_a_redis_a_command_says_so(
    configured: Installation, capsys: pytest.CaptureFixture[str]
) -> None:
    code, said = ended(get, capsys)
    assert (code, "start one with: fieldfare admin-worker, or use --local" in said) == (3, True)

    configured.redis.stop()
    try:
        code, said = ended(get, capsys)
    finally:
        configured.redis.start()
    assert (code, "Redis does not answer" in said) == (3, True)


def test_nobody_who_looks_on_sees_the_arguments_of_a_call(
    configured: Installation, fieldfare: Cli, client: redis.Redis
) -> None:
    """A worker tells by remote control what it has in hand, and by its log what came in."""
    configured.write_settings(timeout=20)
    worker = started(fieldfare)
    with closing(Celery(broker=configured.redis.url, set_as_current=False)) as onlooker:
        prefix = {"global_keyprefix": "fieldfare:celery:"}
        onlooker.conf.update(broker_transport_options=prefix)
        configured.slapd.freeze()
        try:
            told = threading.Thread(target=lambda: get(SECRET))
            told.start()
            seen: list[Any] = []

            def active() -> bool:
                seen.extend(at_work(onlooker))
                return bool(seen)

            until(active, "the call is at work")
        finally:
            configured.slapd.thaw()
        told.join()

    assert (seen[0]["name"], seen[0]["args"], seen[0]["kwargs"]) == (
        "customer_user.get",
        "(not shown)",
        "(not shown)",
    )
    assert SECRET not in str(seen) + worker.said()
    assert client.llen(QUEUE) == 0


def at_work(onlooker: Celery) -> list[Any]:
    """The calls that workers have in hand, as flower sees them."""
    told = onlooker.control.inspect(timeout=1).active() or {}
    return [one for calls in told.values() for one in calls]


ADMINISTERED = """
[CustomerUser2]
Module = "Kernel::System::CustomerUser::DB"
CustomerKey = "login"
CustomerID = "customer_id"
CustomerValid = "valid_id"
Params = { Table = "customer_user" }
Map = { UserLogin = "login", UserFirstname = "first_name", UserLastname = "last_name", \
UserEmail = "email", UserCustomerID = "customer_id", UserPassword = "pw", ValidID = "valid_id" }
"""

VALUES = {
    "UserLogin": "new",
    "UserFirstname": "VALUE-Nina",
    "UserLastname": "VALUE-Novak",
    "UserEmail": "VALUE-nina@example.com",
    "UserCustomerID": "ACME",
}


def test_a_password_stands_nowhere_but_in_the_answer(
    configured: Installation,
    fieldfare: Cli,
    client: redis.Redis,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """After each test Redis is searched for values and the passwords of all tests, too."""
    configured.config.write_text(configured.config.read_text() + ADMINISTERED)
    worker = started(fieldfare)

    arguments = {"values": VALUES, "source": "CustomerUser2"}
    added = calling.call("customer_user.add", arguments)
    chosen = calling.call("customer_user.set_password", {"login": "new", "password": SECRET})
    again = ended(lambda: calling.call("customer_user.add", arguments), capsys)

    assert (added["login"], added["source"]) == ("new", "CustomerUser2")
    assert len(added["password"]) >= 8
    assert "password" not in chosen
    assert again[0] == 1
    kept = fieldfare("audit", "--json")
    assert [(one["call"], one["outcome"]) for one in kept.json] == [
        ("customer_user.add", "done"),
        ("customer_user.set_password", "done"),
        ("customer_user.add", "duplicate_login"),
    ]
    lying = [str(READERS[client.type(key).encode()](client, key)) for key in client.scan_iter()]
    everywhere = "\n".join((*lying, worker.said(), kept.out, again[1]))
    assert "fieldfare-" in everywhere, "there is something to be searched"
    for secret in (added["password"], SECRET, "VALUE-Novak"):
        assert secret not in everywhere
