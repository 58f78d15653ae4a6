"""How sources answered, as handlers tell it."""

from tests.integration.world import World, changed, handle
from worker import source_states


def seen(world: World) -> dict[str, str]:
    with world.redis.client() as client:
        return {
            slot: "up" if circuit.up else "down"
            for slot, circuit in source_states.read(client).items()
        }


def test_a_batch_tells_how_its_sources_answered(small_world: World) -> None:
    world = small_world
    services = world.services(preferences={"enabled": False})
    world.person("anna")
    ticket = world.ticket("anna")
    world.otobo.add_field("Phone")

    handle(services, changed(ticket))
    assert seen(world) == {"": "up"}

    world.crm.stop()
    handle(services, changed(ticket))
    assert seen(world) == {"": "down"}
    with world.redis.client() as client:
        assert "OperationalError" in source_states.read(client)[""].reason

    world.crm.start()
    handle(services, changed(ticket))
    assert seen(world) == {"": "up"}


def test_the_cache_says_nothing_of_a_source(small_world: World) -> None:
    world = small_world
    cached = {**world.people, "cache_ttl": 60}
    services = world.services(sources={"CustomerUser": cached}, preferences={"enabled": False})
    world.person("anna")
    services.directory.find(["anna"])
    assert services.directory.observed()[""].reason == ""

    world.crm.stop()
    assert services.directory.find(["anna"])["anna"].cached  # type: ignore[union-attr]
    assert services.directory.observed() == {}
    services.directory.find(["anna"], fresh=True)
    assert "OperationalError" in services.directory.observed()[""].reason


def test_a_source_that_is_skipped_is_still_seen_to_be_down(small_world: World) -> None:
    world = small_world
    away = {**world.people, "url": "sqlite:////nowhere/at/all.sqlite", "on_unavailable": "skip"}
    services = world.services(sources={"CustomerUser": away, "CustomerUser1": world.people})
    world.person("anna")

    services.directory.find(["anna"])

    observed = services.directory.observed()
    assert observed[""].reason
    assert observed["1"].reason == ""
    assert observed["preferences"].reason == ""
