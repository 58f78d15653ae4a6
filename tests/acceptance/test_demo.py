"""``fieldfare demo`` and ``fieldfare worker --embedded``: everything they start, they also stop."""

import re
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.acceptance import processes
from tests.acceptance.processes import Cli, Daemon, descendants, running, until

MakeCli = Callable[..., Cli]

AFTER = {
    "anna": {
        "CustomerCity": "Berlin",
        "CustomerLevel": "gold",
        "CustomerName": "Anna Berg",
        "CustomerPhone": "+49 30 1111",
        "CustomerSince": "2019-04-01",
    },
    "emma": {
        "CustomerCity": "Copenhagen",
        "CustomerLevel": "",
        "CustomerName": "Emma Falk",
        "CustomerPhone": "+45 33 3333",
        "CustomerSince": "",
    },
    "carl": {
        "CustomerCity": "Stockholm",
        "CustomerLevel": "silver",
        "CustomerName": "Carl Dahl",
        "CustomerPhone": "+46 70 9999",
        "CustomerSince": "2023-11-15",
    },
    "gita": {
        "CustomerCity": "Oslo",
        "CustomerLevel": "",
        "CustomerName": "Gita Holm",
        "CustomerPhone": "+47 22 4444",
        "CustomerSince": "",
    },
    "nobody@example.net": dict.fromkeys(
        ["CustomerCity", "CustomerLevel", "CustomerName", "CustomerPhone", "CustomerSince"], ""
    ),
}


@pytest.fixture
def temporary(tmp_path: Path) -> Path:
    """Where the demo keeps its files; it must leave nothing there."""
    folder = tmp_path / "tmp"
    folder.mkdir()
    return folder


def test_the_demo_fills_the_fields_and_explains_each(cli: MakeCli, temporary: Path) -> None:
    told = cli(TMPDIR=str(temporary)).alone("demo", "--json").json

    assert {one["customer_user"]: fields(one, "current") for one in told} == AFTER
    reasons = {one["customer_user"]: fields(one, "reason") for one in told}
    assert reasons["anna"]["CustomerPhone"] == "found"
    assert reasons["carl"]["CustomerPhone"] == "submitted"
    assert reasons["nobody@example.net"]["CustomerName"] == "unknown_customer_user"
    assert {one["customer_user"]: one["source"] for one in told} == {
        "anna": "CustomerUser",
        "emma": "CustomerUser1",
        "carl": "CustomerUser",
        "gita": "CustomerUser1",
        "nobody@example.net": "",
    }
    assert list(temporary.iterdir()) == []


def fields(told: dict[str, list[dict[str, str]]], key: str) -> dict[str, str]:
    return {field["field"]: field[key] for field in told["fields"]}


def test_the_demo_shows_tables_to_people(cli: MakeCli, temporary: Path) -> None:
    out = cli(TMPDIR=str(temporary)).alone("demo").out

    assert "people in LDAP (slapd)" in out
    assert re.search(r"CustomerPhone\s+│\s+\+46 70 9999\s+│\s+\+46 70 9999\s+│ the request", out)
    assert re.search(r"5 tickets settled; the demo took \d+\.\d s", out)


def test_the_demo_does_without_slapd(
    cli: MakeCli, temporary: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Debian's folder for servers is searched besides PATH, so it is taken away as well.
    script = (
        "from worker.demo import ldap_server; ldap_server.SLAPD_PATHS = ''\n"
        "from worker.cli import main; main()"
    )
    monkeypatch.setattr(processes, "COMMAND", (sys.executable, "-c", script))
    bare = cli(TMPDIR=str(temporary), PATH="/nowhere")

    out = bare.alone("demo").out

    assert "people in LDAP (ldaptor's in-memory server)" in out
    assert "Copenhagen" in out
    assert "5 tickets settled" in out


def stopped(daemon: Daemon, started: list[int]) -> int:
    """Wait for the end of a process and of everything that it started; its exit code."""
    code = daemon.ended()
    until(lambda: not any(map(running, started)), "nothing that it started is left", 10)
    return code


@pytest.mark.parametrize("how", ["interrupt", "terminate"])
def test_a_demo_that_is_kept_can_be_played_with_and_stops_as_a_whole(
    cli: MakeCli, temporary: Path, how: str
) -> None:
    daemon = cli(TMPDIR=str(temporary)).start("demo", "--keep")
    daemon.until("Ctrl-C stops it all")
    config = re.search(r"--config (\S+) lookup anna", daemon.said())
    assert config
    own = cli(Path(config[1]))
    assert own("lookup", "anna", "--json").json["attributes"]["UserCity"] == "Berlin"
    own("emit", "1")
    assert own("explain", "1", "--json").json["customer_user"] == "anna"
    started = daemon.descendants()
    assert len(started) >= 4, "the demo, a Valkey, an LDAP server, a worker and its children"

    getattr(daemon, how)()

    assert stopped(daemon, started) == 130
    assert "Traceback" not in daemon.said()
    assert list(temporary.iterdir()) == []


@pytest.mark.parametrize("how", ["interrupt", "terminate"])
def test_an_embedded_worker_works_and_stops_as_a_whole(
    cli: MakeCli, tmp_path: Path, how: str
) -> None:
    one = cli()
    daemon = one.start("worker", "--embedded", "--data", "data", "--concurrency", "1")
    daemon.until("worker.started")
    own = cli(tmp_path / "data" / "fieldfare.toml")
    until(lambda: city(own, 1) == "Berlin", "the first ticket is filled")
    own("emit", "1")
    until(lambda: len(daemon.lines("ticket.enriched")) >= 3, "the event is handled")
    started = daemon.descendants()

    getattr(daemon, how)()

    assert stopped(daemon, started) == 0
    assert "Traceback" not in daemon.said()
    assert daemon.lines("worker.stopped")

    again = one.start("worker", "--embedded", "--data", "data", "--concurrency", "1")
    # Before it has children, its end is that of any command that is interrupted.
    until(lambda: len(again.descendants()) >= 3, "its children run")
    assert city(own, 1) == "Berlin", "what was there stays"
    started = again.descendants()
    again.terminate()
    assert stopped(again, started) == 0


def city(own: Cli, ticket: int) -> str:
    return fields(own("explain", str(ticket), "--json").json, "current")["CustomerCity"]


def test_what_an_embedded_worker_brought_dies_with_it(cli: MakeCli) -> None:
    daemon = cli().start("worker", "--embedded", "--data", "data", "--concurrency", "1")
    daemon.until("worker.started")
    until(lambda: len(daemon.descendants()) >= 3, "its children run")
    started = descendants(daemon.process.pid)

    daemon.process.kill()

    daemon.ended()
    until(lambda: not any(map(running, started)), "nothing that it started is left", 30)
