"""How commands call an admin worker: what they wait for, and what they say when nobody answers."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
import redis
import typer

from tests.acceptance.conftest import Installation
from tests.acceptance.processes import Cli, Daemon
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
