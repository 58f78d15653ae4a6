"""The producers of ``examples/producers`` emit events that Fieldfare understands.

They do it as the user that the deployment gives to producers, who may append and ring and no more.
"""

import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Event

import pytest

from tests.servers.guarded import GuardedServer
from tests.servers.process import find_program
from worker.events import CustomerChanged, TicketCreated, parse

ROOT = Path(__file__).parents[2]
PRODUCERS = ROOT / "examples/producers"

# What the module asks of the ticket system: a setting, a log, and the request at hand.
TICKET_SYSTEM = r"""
use strict; use warnings;
package Web;    sub GetParam { return $ENV{ACTION} }
package Log;    sub Log { my ($Self, %Param) = @_; print "$Param{Priority}: $Param{Message}" }
package Config; sub Get { return {
    Host => '127.0.0.1', Port => $ENV{PORT}, User => 'producer', Password => $ENV{PASSWORD},
} }
package OM;     sub Get { return bless {}, ($_[1] =~ m{(Config|Log)\z} ? $1 : 'Web') }
package main;
{ no warnings "once"; $Kernel::OM = bless {}, "OM"; }
require FieldfareEmit;
Kernel::System::Ticket::Event::FieldfareEmit->new()->Run(
    Data => { TicketID => 4711 }, Event => 'TicketCreate', UserID => 7,
) or exit 3;
"""


@pytest.fixture(scope="module")
def guarded() -> Iterator[GuardedServer]:
    with GuardedServer("redis", find_program("redis-server", "redis-server")) as server:
        yield server


@pytest.fixture
def server(guarded: GuardedServer) -> GuardedServer:
    guarded.start()
    guarded.flush()
    return guarded


def run(command: list[str], **environment: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        command,
        env={**os.environ, **environment},
        cwd=PRODUCERS,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def run_perl(server: GuardedServer, screen: str = "") -> "subprocess.CompletedProcess[str]":
    return run(
        ["perl", "-I", ".", "-e", TICKET_SYSTEM],
        PORT=str(server.port),
        PASSWORD=server.password("producer"),
        ACTION=screen,
    )


def run_php(server: GuardedServer, password: str) -> "subprocess.CompletedProcess[str]":
    return run(
        [find_program("php", "php-cli"), "emit.php", "4711"],
        REDIS_PORT=str(server.port),
        REDIS_USER="producer",
        REDIS_PASSWORD=password,
    )


def emitted(server: GuardedServer) -> list[TicketCreated | CustomerChanged]:
    with server.client() as client:
        return [parse(fields) for _, fields in client.xrange("fieldfare:events")]


def until(condition: Callable[[], object], seconds: float = 40.0) -> None:
    deadline = time.monotonic() + seconds
    pause = Event()
    while not condition():
        assert time.monotonic() < deadline, f"not within {seconds} s"
        pause.wait(0.02)


def test_the_shell_emits(server: GuardedServer) -> None:
    done = run(
        ["sh", "emit.sh", "4711"],
        REDIS_URL=server.url,
        REDIS_USER="producer",
        REDISCLI_AUTH=server.password("producer"),
    )

    assert (done.returncode, done.stderr) == (0, "")
    assert emitted(server) == [TicketCreated(ticket_id=4711)]


def test_python_emits(server: GuardedServer) -> None:
    done = run([sys.executable, "emit.py", "4711"], REDIS_URL=server.url_of("producer"))

    assert (done.returncode, done.stderr) == (0, "")
    assert emitted(server) == [CustomerChanged(ticket_id=4711)]


def test_a_celery_task_reaches_the_inbox(server: GuardedServer) -> None:
    done = run([sys.executable, "send_task.py", "4711"], REDIS_URL=server.url_of("producer"))
    assert (done.returncode, done.stderr) == (0, "")
    command = [
        *(sys.executable, "-m", "celery", "-A", "tests.integration.worker_app", "worker"),
        *("-P", "solo", "-l", "warning", "--without-gossip", "--without-mingle"),
    ]
    environment = {**os.environ, "WORKER_APP_REDIS_URL": server.url_of_all, "PYTHONPATH": str(ROOT)}
    worker = subprocess.Popen(command, cwd=ROOT, env=environment, stderr=subprocess.DEVNULL)
    try:
        with server.client() as client:
            # The handler stops at the gate, so that the event is there to be read.
            client.set("test:gate", 1)
            until(lambda: client.lrange("test:begun", 0, -1) == ["4711"])
            found = emitted(server)
            client.delete("test:gate")
    finally:
        worker.kill()
        worker.wait()

    assert found == [
        TicketCreated(ticket_id=4711, screen="AgentTicketPhone", fields=("CustomerPhone",))
    ]


def test_an_event_module_of_the_ticket_system_emits(server: GuardedServer) -> None:
    done = run_perl(server, screen="AgentTicketPhone")

    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert emitted(server) == [TicketCreated(ticket_id=4711, screen="AgentTicketPhone", user_id=7)]


def test_a_request_goes_on_when_its_event_cannot_be_emitted(server: GuardedServer) -> None:
    server.stop()
    try:
        done = run_perl(server)
    finally:
        server.start()

    assert done.returncode == 3
    assert done.stdout == "error: Fieldfare was not told of ticket 4711: no connection to Redis\n"


def test_php_emits(server: GuardedServer) -> None:
    done = run_php(server, server.password("producer"))

    assert (done.returncode, done.stderr) == (0, "")
    assert emitted(server) == [TicketCreated(ticket_id=4711)]


@pytest.mark.parametrize("problem", ["WRONGPASS", "WRONGTYPE"])
def test_php_says_why_nothing_was_emitted(server: GuardedServer, problem: str) -> None:
    if problem == "WRONGTYPE":
        with server.client() as client:
            client.set("fieldfare:events", "no stream")
    done = run_php(server, "wrong" if problem == "WRONGPASS" else server.password("producer"))

    assert done.returncode != 0
    assert problem in done.stderr


def test_node_emits(server: GuardedServer) -> None:
    """Where its client is installed; elsewhere it is read, for Debian's Node is large."""
    url = server.url_of("producer")
    if shutil.which("node") and run(["node", "-e", "require('redis')"]).returncode == 0:
        done = run(["node", "emit.mjs", "4711"], REDIS_URL=url)
        assert done.returncode == 0, done.stderr
    else:
        text = (PRODUCERS / "emit.mjs").read_text()
        called = re.search(r'\.xAdd\("(.*?)", "(.*?)", \{\s*type: "(.*?)",\s*ticket_id:', text)
        assert called is not None
        key, id_, kind = called.groups()
        with server.client("producer") as client:
            client.xadd(key, {"type": kind, "ticket_id": "4711"}, id=id_)

    assert emitted(server) == [TicketCreated(ticket_id=4711)]


def test_a_reply_is_read_before_the_request_ends(server: GuardedServer) -> None:
    """A Redis that is full says no, and the ticket system's log has it."""
    with server.client() as client:
        client.config_set("maxmemory", 1)
        try:
            done = run_perl(server)
        finally:
            client.config_set("maxmemory", 0)

    assert done.returncode == 3
    assert done.stdout == "error: Fieldfare was not told of ticket 4711: Redis refused\n"
    assert emitted(server) == []
