"""The ticket worker's application around a handler that a test can hold up.

While ``test:gate`` exists, the handler stops in the middle of its batch until something is pushed
to ``test:open``. Ticket ids go to ``test:begun`` and ``test:done``.
"""

import functools
import os
from collections.abc import Sequence
from dataclasses import replace

import redis

from tests.duties import IDLE
from worker.app import caller, configure, make_app
from worker.inbox import Entry, Inbox, connect
from worker.outcomes import Kind, Outcome
from worker.settings import InboxSettings

URL = os.environ["WORKER_APP_REDIS_URL"]


@functools.cache
def client(pid: int) -> redis.Redis:
    return connect(URL)


@functools.cache
def inbox_of(pid: int) -> Inbox:
    settings = InboxSettings(claim_seconds=1.0, renew_seconds=0.3, batch=20)
    return Inbox(client(pid), caller(app), settings)


def inbox() -> Inbox:
    return inbox_of(os.getpid())


def handle(entries: Sequence[Entry]) -> list[Outcome]:
    server = client(os.getpid())
    tickets = [entry.fields["ticket_id"] for entry in entries]
    middle = (len(tickets) + 1) // 2
    server.rpush("test:begun", *tickets)
    server.rpush("test:done", *tickets[:middle])
    while server.exists("test:gate") and server.blpop(["test:open"], 1) is None:
        pass
    if tickets[middle:]:
        server.rpush("test:done", *tickets[middle:])
    return [Outcome(entry.id, int(entry.fields["ticket_id"]), Kind.WRITTEN) for entry in entries]


app = make_app(lambda: configure(URL, sweep_every=3600), replace(IDLE, inbox=inbox, handle=handle))
