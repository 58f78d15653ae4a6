"""Whoever was changed in a source that is watched is announced, once, and only by whole answers."""

import pytest
from structlog.testing import capture_logs

from tests.clock import Clock
from tests.integration.world import World
from worker.events import CustomerUserChanged, parse
from worker.handlers.watch import FORGET, KEY, WINDOW, Reached, watch
from worker.inbox import EVENTS
from worker.services import Services


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def watched(small_world: World) -> Services:
    """A worker whose CRM says when its people were changed."""
    small_world.crm.execute("ALTER TABLE people ADD changed TEXT")
    source = {**small_world.people, "watch": "changed"}
    return small_world.services(sources={"CustomerUser": source})


def change(world: World, login: str, moment: str) -> None:
    world.crm.execute(f"UPDATE people SET changed = '{moment}' WHERE login = '{login}'")


def announced(services: Services) -> list[str]:
    """Logins of the events since the last call."""
    client = services.inbox.client
    entries = client.xrange(EVENTS)
    client.delete(EVENTS)
    events = [
        parse({key.decode(): value.decode() for key, value in fields.items()})
        for _, fields in entries  # type: ignore[union-attr]
    ]
    assert all(isinstance(event, CustomerUserChanged) for event in events)
    assert all(event.source == "CustomerUser" for event in events)  # type: ignore[union-attr]
    return [event.login for event in events]  # type: ignore[union-attr]


def test_who_was_changed_is_announced_once(
    small_world: World, watched: Services, clock: Clock
) -> None:
    for login in ("anna", "bert", "carl"):
        small_world.person(login)
        change(small_world, login, "2026-01-01 10:00:00")
    assert watch(watched, clock) == 0, "it begins with now"
    assert announced(watched) == []

    assert watch(watched, clock) == 3, "those of that very second, since it is not over"
    announced(watched)
    change(small_world, "bert", "2026-01-01 10:00:05")
    clock.now += 300
    assert watch(watched, clock) == 1
    assert announced(watched) == ["bert"]
    clock.now += 300
    assert watch(watched, clock) == 0
    change(small_world, "bert", "2026-01-01 10:00:06")
    assert watch(watched, clock) == 1
    assert announced(watched) == ["bert"]


def test_what_becomes_visible_late_is_announced_within_the_window(
    small_world: World, watched: Services, clock: Clock
) -> None:
    small_world.person("anna")
    small_world.person("bert")
    change(small_world, "anna", "2026-01-01 10:00:00")
    watch(watched, clock)
    announced(watched)
    for minute in range(1, 60):
        clock.now += 60
        change(small_world, "anna", f"2026-01-01 10:{minute:02}:00")
        watch(watched, clock)
    announced(watched)

    change(small_world, "bert", "2026-01-01 10:00:30")
    assert watch(watched, clock) == 1
    assert announced(watched) == ["bert"]


def test_what_no_window_reaches_is_forgotten(
    small_world: World, watched: Services, clock: Clock
) -> None:
    small_world.person("anna")
    small_world.person("bert")
    change(small_world, "anna", "2026-01-01 10:00:00")
    watch(watched, clock)
    watch(watched, clock)
    client = watched.inbox.client
    key = f"{KEY}:CustomerUser:announced"
    assert client.hlen(key) == 1

    change(small_world, "bert", "2026-01-02 10:00:00")
    watch(watched, clock)
    clock.now += WINDOW
    watch(watched, clock)
    clock.now += WINDOW
    watch(watched, clock)

    assert client.hlen(key) == 1, "bert alone: anna is behind the window"
    assert 0 < client.ttl(key) <= FORGET  # type: ignore[operator]
    assert announced(watched) == ["anna", "bert"]


def test_a_source_that_does_not_answer_announces_nobody_and_loses_nobody(
    small_world: World, watched: Services, clock: Clock
) -> None:
    small_world.person("anna")
    change(small_world, "anna", "2026-01-01 10:00:00")
    watch(watched, clock)
    small_world.crm.stop()
    with capture_logs() as logs:
        assert watch(watched, clock) == 0
    small_world.crm.start()

    assert [line["event"] for line in logs] == ["watch.unavailable"]
    assert watch(watched, clock) == 1
    assert announced(watched) == ["anna"]


def test_another_column_begins_anew(small_world: World, watched: Services, clock: Clock) -> None:
    small_world.crm.execute("ALTER TABLE people ADD touched TEXT")
    small_world.person("anna")
    change(small_world, "anna", "2026-01-01 10:00:00")
    watch(watched, clock)
    small_world.crm.execute("UPDATE people SET touched = '0001'")
    other = small_world.services(
        sources={"CustomerUser": {**small_world.people, "watch": "touched"}}
    )

    assert watch(other, clock) == 0
    assert announced(other) == []


def test_a_source_that_is_not_watched_is_not_asked(small_world: World, clock: Clock) -> None:
    services = small_world.services()
    small_world.crm.stop()

    with capture_logs() as logs:
        assert watch(services, clock) == 0

    assert logs == []
    small_world.crm.start()


def test_a_window_reaches_back_far_enough_and_no_further() -> None:
    reached = Reached("changed")
    for minute in range(300):
        reached = reached.moved(60.0 * minute, f"{minute:04}")

        behind = minute - int(reached.since)
        assert behind == min(minute, WINDOW // 60)


def test_nobody_is_named_where_a_watch_left_off(
    small_world: World, watched: Services, clock: Clock
) -> None:
    small_world.person("anna")
    change(small_world, "anna", "2026-01-01 10:00:00")
    watch(watched, clock)
    watch(watched, clock)

    client = watched.inbox.client
    kept = [client.get(f"{KEY}:CustomerUser"), client.hgetall(f"{KEY}:CustomerUser:announced")]

    assert "10:00:00" in str(kept)
    assert "anna" not in str(kept)
