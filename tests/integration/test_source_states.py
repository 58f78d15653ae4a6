"""Whether a source answers, and since when: what the workers saw, told to whoever asks Redis."""

import dataclasses
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy

from directory.errors import SourceUnavailable
from tests.integration.world import World, changed, handle
from tests.otobo import seed
from tests.servers import RedisServer
from worker import source_states
from worker.services import Services
from worker.source_states import KEY, LOOK_AGAIN, SourceStates
from worker.tickets import schema


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def world(redis_server: RedisServer, tmp_path: Path) -> Iterator[World]:
    """A ticket system in SQLite, an empty Redis, an empty CRM."""
    redis_server.start()
    redis_server.flush()
    url = f"sqlite:///{tmp_path / 'tickets.sqlite'}"
    engine = sqlalchemy.create_engine(url)
    schema.create_all(engine)
    seed(engine)
    engine.dispose()
    made = World(url, redis_server, tmp_path)
    yield made
    made.close()


def timed(services: Services, clock: Clock) -> Services:
    states = SourceStates(services.inbox.client, clock)
    return dataclasses.replace(services, source_states=states)


def commands(server: RedisServer) -> int:
    with server.client() as client:
        info = client.info("commandstats")
    return sum(
        info.get(f"cmdstat_{name}", {}).get("calls", 0) for name in ("hget", "hgetall", "hset")
    )


def seen(world: World) -> dict[str, tuple[str, float]]:
    with world.redis.client() as client:
        return {
            slot: (state.state, state.since) for slot, state in source_states.read(client).items()
        }


def test_an_outage_is_told_once_and_so_is_its_end(world: World) -> None:
    clock = Clock()
    services = timed(world.services(), clock)
    world.person("anna")
    ticket = world.ticket("anna")
    world.otobo.add_field("Phone")

    handle(services, changed(ticket))
    assert seen(world) == {"": ("up", 1000.0)}

    world.crm.stop()
    clock.now = 1005.0
    handle(services, changed(ticket))
    clock.now = 1020.0
    handle(services, changed(ticket))
    assert seen(world) == {"": ("down", 1005.0)}
    with world.redis.client() as client:
        told = json.loads(client.hgetall(KEY)[""])
    assert sorted(told) == ["reason", "since", "state"]
    assert "OperationalError" in told["reason"]

    world.crm.start()
    clock.now = 1040.0
    handle(services, changed(ticket))
    assert seen(world) == {"": ("up", 1040.0)}


def test_a_batch_costs_nothing_while_nothing_changes(world: World) -> None:
    clock = Clock()
    services = timed(world.services(), clock)
    world.person("anna")
    ticket = world.ticket("anna")
    handle(services, changed(ticket))
    before = commands(world.redis)

    services.source_states.note(services.directory.health)
    clock.now += LOOK_AGAIN - 0.1
    services.source_states.note(services.directory.health)
    assert commands(world.redis) == before

    clock.now += 0.2
    services.source_states.note(services.directory.health)
    assert commands(world.redis) == before + 1


def test_a_state_that_another_process_left_behind_is_put_right(world: World) -> None:
    clock = Clock()
    ours, theirs = (SourceStates(world.services().inbox.client, clock) for _ in range(2))
    ours.note({"1": ""})
    theirs.note({"1": "gone"})
    assert seen(world) == {"1": ("down", 1000.0)}

    clock.now += LOOK_AGAIN
    ours.note({"1": ""})
    assert seen(world) == {"1": ("up", 1000.0 + LOOK_AGAIN)}


def test_a_ping_is_an_answer_and_the_cache_is_none(world: World) -> None:
    services = world.services(
        sources={"CustomerUser": {**world.people, "cache_ttl": 60}, "CustomerUser1": world.people}
    )
    world.person("anna")
    services.directory.find(["anna"])
    assert services.directory.health == {"": ""}

    world.crm.stop()
    assert services.directory.find(["anna"])["anna"].cached  # type: ignore[union-attr]
    assert services.directory.health == {"": ""}
    with pytest.raises(SourceUnavailable):
        services.directory.ping("1")
    assert services.directory.health["1"]
    world.crm.start()
    services.directory.ping("1")
    assert services.directory.health == {"": "", "1": ""}


def test_a_source_that_is_skipped_is_still_seen_to_be_down(world: World) -> None:
    away = {**world.people, "url": "sqlite:////nowhere/at/all.sqlite", "on_unavailable": "skip"}
    services = world.services(sources={"CustomerUser": away, "CustomerUser1": world.people})
    world.person("anna")

    services.directory.find(["anna"])

    assert services.directory.health[""]
    assert services.directory.health["1"] == ""


def test_a_redis_that_is_away_keeps_nobody_from_working(world: World) -> None:
    states = SourceStates(world.services().inbox.client)
    world.redis.stop()
    try:
        states.note({"": "gone"})
    finally:
        world.redis.start()

    states.note({"": "gone"})

    assert [state for state, _ in seen(world).values()] == ["down"]
