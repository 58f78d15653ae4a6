"""The audit in a real Redis: what is kept, for how long, and what is read of it."""

from collections.abc import Iterator

import pytest
import redis

from tests.servers import RedisServer
from worker import audit
from worker.audit import Line
from worker.inbox import connect


@pytest.fixture
def client(broker: RedisServer) -> Iterator[redis.Redis]:
    broker.flush()
    made = connect(broker.url)
    yield made
    made.close()


def line(number: int, *logins: str) -> Line:
    return Line(f"user{number}@host", "customer_user.update", logins, fields=("UserEmail",))


def test_a_line_comes_back_as_it_was_written(client: redis.Redis) -> None:
    whole = Line(
        "änna@host",
        "customer_user.rename",
        ("old", "new"),
        ("ACME",),
        "CustomerUser1",
        ("UserLogin",),
        "duplicate_login",
    )

    audit.write(client, whole, most=10)
    (kept,) = audit.newest(client, 10)

    assert kept.line == whole
    assert kept.time.tzinfo is not None
    assert kept.id == client.xrange(audit.KEY)[0][0].decode()


def test_the_newest_lines_are_kept_and_stand_last(client: redis.Redis) -> None:
    for number in range(7):
        audit.write(client, line(number), most=5)

    assert client.xlen(audit.KEY) == 5
    assert [one.line.who for one in audit.newest(client, 3)] == [
        "user4@host",
        "user5@host",
        "user6@host",
    ]


def test_lines_of_one_login_are_found_among_many(
    client: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(audit, "_PORTION", 3)
    for number in range(10):
        audit.write(client, line(number, "anna" if number in {1, 8} else "bert"), most=100)

    assert [one.line.who for one in audit.newest(client, 9, login="anna")] == [
        "user1@host",
        "user8@host",
    ]
    assert audit.newest(client, 9, login="ann") == []


def test_what_came_after_a_line_can_be_followed(client: redis.Redis) -> None:
    audit.write(client, line(1), most=10)
    (last,) = audit.newest(client, 1)
    assert audit.after(client, last.id) == []

    audit.write(client, line(2), most=10)

    assert [one.line for one in audit.after(client, last.id)] == [line(2)]
