"""Rows that were added are looked at again, for a screen's that came to stand beside them."""

from collections.abc import Iterator
from typing import Any

import pytest
import redis
from structlog.testing import capture_logs

from tests.clock import Clock
from tests.integration.world import World, changed, created, database_name, handle, statements
from tests.otobo import AGENT
from tests.servers import RedisServer
from worker import added
from worker.added import AddedRows
from worker.handlers.second_look import look_again
from worker.services import Services
from worker.tickets.store import Applied, Conflict


@pytest.fixture
def client(redis_server: RedisServer) -> Iterator[redis.Redis]:
    made = redis.Redis.from_url(redis_server.url)
    yield made
    made.close()


def entries(client: redis.Redis) -> list[tuple[str, float]]:
    found: Any = client.zrange(added.KEY, 0, -1, withscores=True)
    return [(entry.decode(), score) for entry, score in found]


def time_passes(client: redis.Redis, seconds: float) -> None:
    """All that is kept becomes due so much earlier."""
    for entry, _ in entries(client):
        client.zincrby(added.KEY, -seconds, entry)


def screen_inserts(world: World, ticket: int) -> None:
    """The second half of a screen's ValueSet, whose DELETE had found nothing."""
    world.otobo.insert_value(ticket, "Phone", value_text="screen")
    text = "%%FieldName%%Phone%%Value%%screen%%OldValue%%"
    world.otobo.add_line(ticket, "TicketDynamicFieldUpdate", text, user_id=AGENT)


def filled(world: World, services: Services, count: int = 1) -> list[int]:
    """Tickets whose phone was just added."""
    tickets = [world.ticket("anna") for _ in range(count)]
    handle(services, *map(created, tickets))
    return tickets


def test_a_screens_value_beside_which_ours_stood_is_alone_some_seconds_later(
    world: World, client: redis.Redis
) -> None:
    world.otobo.add_field("Phone")
    world.person("anna", "1")
    cache = {"kind": "redis", "url": world.redis.url}
    services = world.services(tickets={"otobo_cache": cache})
    ticket, other = filled(world, services, 2)
    screen_inserts(world, ticket)
    copies = [f"DynamicFieldValue:ValueGet::ObjectID::{one}" for one in (ticket, other)]
    for copy in copies:
        client.set(copy, "old")

    assert look_again(services) == 0, "it is too early"
    assert world.values(ticket) == {"Phone": ["1", "screen"]}
    time_passes(client, 5)
    with capture_logs() as logs:
        assert look_again(services) == 1

    assert world.values(ticket) == {"Phone": ["screen"]}
    assert world.values(other) == {"Phone": ["1"]}
    assert [client.exists(copy) for copy in copies] == [0, 1]
    assert logs == [{"event": "second_look.taken_out", "log_level": "info", "tickets": [ticket]}]


def test_a_screen_that_took_long_is_seen_a_minute_later(
    small_world: World, client: redis.Redis
) -> None:
    small_world.otobo.add_field("Phone")
    small_world.person("anna", "1")
    services = small_world.services()
    (ticket,) = filled(small_world, services)
    time_passes(client, 5)
    assert look_again(services) == 0
    assert len(entries(client)) == 1

    screen_inserts(small_world, ticket)
    time_passes(client, 55)
    assert look_again(services) == 1

    assert small_world.values(ticket) == {"Phone": ["screen"]}
    assert entries(client) == []


def test_rows_that_this_or_another_worker_added_since_are_not_taken_for_a_screens(
    small_world: World, client: redis.Redis
) -> None:
    small_world.otobo.add_field("Phone")
    small_world.person("anna", "1")
    services = small_world.services()
    (ticket,) = filled(small_world, services)
    small_world.otobo.insert_value(ticket, "Phone", value_text="ours, too")

    time_passes(client, 60)
    assert look_again(services) == 0

    assert small_world.values(ticket) == {"Phone": ["1", "ours, too"]}


def test_only_what_was_added_is_kept(small_world: World, client: redis.Redis) -> None:
    small_world.otobo.add_field("Phone")
    small_world.person("anna", "1")
    services = small_world.services()
    ticket = small_world.ticket("anna")
    small_world.otobo.insert_value(ticket, "Phone", value_text="old")

    handle(services, changed(ticket))  # written into the row that is there
    handle(services, changed(ticket))  # unchanged

    assert small_world.values(ticket) == {"Phone": ["1"]}
    assert entries(client) == []


def test_a_look_costs_a_statement_for_five_hundred_fields(
    small_world: World, client: redis.Redis
) -> None:
    small_world.otobo.add_field("Phone")
    small_world.person("anna", "1")
    services = small_world.services()
    filled(small_world, services, 150)
    assert len(entries(client)) == 2 * 2
    time_passes(client, 60)

    with statements() as seen:
        look_again(services)

    assert seen == {database_name(small_world.ticket_url): 1}
    with statements() as seen:
        look_again(services)
    assert seen == {}


def test_an_entry_is_kept_for_each_look_and_until_it_was_looked_at(client: redis.Redis) -> None:
    client.flushall()
    begun: Any = client.time()
    rows = AddedRows(client)

    rows.remember({1: Applied(("F",), {7: frozenset({12, 11})}), 2: Conflict("x")})

    (first, early), (second, late) = entries(client)
    assert (first, second) == ("5 [[1,7,11,12]]", "60 [[1,7,11,12]]")
    assert 5 <= early - begun[0] < 30
    assert late - early == 55
    assert 0 < client.ttl(added.KEY) <= added.FORGET  # type: ignore[operator]
    time_passes(client, 60)
    assert rows.due(10) == rows.due(10)
    assert list(rows.due(1).values()) == [{(1, 7): frozenset({11, 12})}]
    rows.forget([first])
    assert [entry for entry, _ in entries(client)] == [second]


def test_the_oldest_give_way(client: redis.Redis, monkeypatch: pytest.MonkeyPatch) -> None:
    client.flushall()
    monkeypatch.setattr(added, "MOST", 3)

    for ticket in (1, 2, 3):
        AddedRows(client).remember({ticket: Applied(("F",), {7: frozenset({ticket})})})

    assert [entry.split()[0] for entry, _ in entries(client)] == ["60"] * 3


def test_a_redis_that_takes_nothing_keeps_nobody_from_working() -> None:
    nowhere = redis.Redis(port=1, socket_connect_timeout=1)

    rows = AddedRows(nowhere)

    with capture_logs() as logs:
        rows.remember({1: Applied(("F",), {7: frozenset({1})})})

    assert logs == [
        {
            "event": "added.not_remembered",
            "log_level": "warning",
            "fields": 1,
            "error": "ConnectionError",
        }
    ]


def test_a_process_knows_when_it_is_time_to_look_at_its_own_rows(client: redis.Redis) -> None:
    client.flushall()
    clock = Clock()
    rows, others = AddedRows(client, clock), AddedRows(client, clock)
    times: list[float] = []

    for second in range(120):
        clock.now = 1002.0 + second
        if second in {0, 1, 2}:
            rows.remember({1: Applied(("F",), {7: frozenset({second})})})
        if rows.is_time():
            times.append(second)
        assert not others.is_time()

    # One look for all three, each time not before the last of them is due.
    assert times == [8, 63]


def test_nothing_to_look_at_is_no_look(client: redis.Redis) -> None:
    client.flushall()
    clock = Clock()
    rows = AddedRows(client, clock)

    rows.remember({1: Applied(("F",)), 2: Conflict("x")})
    clock.now += 3600

    assert not rows.is_time()
