"""The producers of ``examples/producers`` emit events that Fieldfare understands."""

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from threading import Event

import pytest

from tests.servers import RedisServer
from worker.events import CustomerChanged, TicketCreated, parse

ROOT = Path(__file__).parents[2]
PRODUCERS = ROOT / "examples/producers"

# What the module asks of the ticket system: a setting, a log, and the request at hand.
TICKET_SYSTEM = r"""
use strict; use warnings;
package Web;    sub GetParam { return $ENV{ACTION} }
package Log;    sub Log { my ($Self, %Param) = @_; print "$Param{Priority}: $Param{Message}" }
package Config; sub Get { return { Host => '127.0.0.1', Port => $ENV{PORT} } }
package OM;     sub Get { return bless {}, ($_[1] =~ m{(Config|Log)\z} ? $1 : 'Web') }
package main;
{ no warnings "once"; $Kernel::OM = bless {}, "OM"; }
require FieldfareEmit;
Kernel::System::Ticket::Event::FieldfareEmit->new()->Run(
    Data => { TicketID => 4711 }, Event => 'TicketCreate', UserID => 7,
) or exit 3;
"""


@pytest.fixture
def server(redis_server: RedisServer) -> RedisServer:
    redis_server.start()
    redis_server.flush()
    return redis_server


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


def emitted(server: RedisServer) -> list[TicketCreated | CustomerChanged]:
    with server.client() as client:
        return [parse(fields) for _, fields in client.xrange("fieldfare:events")]


def until(condition: Callable[[], object], seconds: float = 40.0) -> None:
    deadline = time.monotonic() + seconds
    pause = Event()
    while not condition():
        assert time.monotonic() < deadline, f"not within {seconds} s"
        pause.wait(0.02)


def test_the_shell_emits(server: RedisServer) -> None:
    done = run(["sh", "emit.sh", "4711"], REDIS_URL=server.url)

    assert (done.returncode, done.stderr) == (0, "")
    assert emitted(server) == [TicketCreated(ticket_id=4711)]


def test_python_emits(server: RedisServer) -> None:
    done = run([sys.executable, "emit.py", "4711"], REDIS_URL=server.url)

    assert (done.returncode, done.stderr) == (0, "")
    assert emitted(server) == [CustomerChanged(ticket_id=4711)]


def test_a_celery_task_reaches_the_inbox(server: RedisServer) -> None:
    done = run([sys.executable, "send_task.py", "4711"], REDIS_URL=server.url)
    assert (done.returncode, done.stderr) == (0, "")
    command = [
        *(sys.executable, "-m", "celery", "-A", "tests.integration.worker_app", "worker"),
        *("-P", "solo", "-l", "warning", "--without-gossip", "--without-mingle"),
    ]
    environment = {**os.environ, "WORKER_APP_REDIS_URL": server.url, "PYTHONPATH": str(ROOT)}
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


def test_an_event_module_of_the_ticket_system_emits(server: RedisServer) -> None:
    done = run(
        ["perl", "-I", ".", "-e", TICKET_SYSTEM],
        PORT=str(server.port),
        ACTION="AgentTicketPhone",
    )

    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert emitted(server) == [TicketCreated(ticket_id=4711, screen="AgentTicketPhone", user_id=7)]


def test_a_request_goes_on_when_its_event_cannot_be_emitted(server: RedisServer) -> None:
    server.stop()
    try:
        done = run(["perl", "-I", ".", "-e", TICKET_SYSTEM], PORT=str(server.port), ACTION="")
    finally:
        server.start()

    assert done.returncode == 3
    assert done.stdout == "error: Fieldfare was not told of ticket 4711: no connection to Redis\n"


@pytest.mark.parametrize(
    ("file", "check"), [("emit.mjs", ["node", "--check"]), ("emit.php", ["php", "-l"])]
)
def test_producers_in_other_languages_are_sound(file: str, check: list[str]) -> None:
    text = (PRODUCERS / file).read_text()
    assert "xAdd" in text
    for word in ("fieldfare:events", "ticket.created", "ticket_id"):
        assert word in text
    if shutil.which(check[0]) is None:
        sys.stdout.write(f"{check[0]} is not installed, so the syntax of {file} is not checked\n")
        return
    done = run([*check, file])
    assert (done.returncode, done.stderr) == (0, "")


def test_node_emits_where_its_client_is_installed(server: RedisServer) -> None:
    if shutil.which("node") is None or run(["node", "-e", "require('redis')"]).returncode:
        sys.stdout.write("node or its package redis is not installed, so emit.mjs is not run\n")
        return
    done = run(["node", "emit.mjs", "4711"], REDIS_URL=server.url)

    assert done.returncode == 0, done.stderr
    assert emitted(server) == [TicketCreated(ticket_id=4711)]


def test_a_reply_is_read_before_the_request_ends(server: RedisServer) -> None:
    """A Redis that is full says no, and the ticket system's log has it."""
    with server.client() as client:
        client.config_set("maxmemory", 1)
        try:
            done = run(["perl", "-I", ".", "-e", TICKET_SYSTEM], PORT=str(server.port), ACTION="")
        finally:
            client.config_set("maxmemory", 0)

    assert done.returncode == 3
    assert done.stdout == "error: Fieldfare was not told of ticket 4711: Redis refused\n"
    assert emitted(server) == []
