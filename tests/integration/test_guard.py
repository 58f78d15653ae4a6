"""The guard against mass changes, with whole batches over real servers."""

from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier
from typing import Any

import pytest
import redis
from structlog.testing import capture_logs

from mapping.model import Decision, FieldDecision, Plan, Reason
from tests.contract.ldap_source import LdapDirectory
from tests.inbox_stats import stats
from tests.integration.world import World, changed, handle, interfered, ldap_people
from tests.servers import RedisServer, SlapdServer
from worker import guard
from worker.drain import Consumer, drain
from worker.guard import COUNTS, STATE, Guard, GuardRefused, MassChange
from worker.handlers.enrich import enrich
from worker.handlers.explain import explain
from worker.outcomes import Kind
from worker.services import Services
from worker.settings import ErasureSettings, GuardSettings
from worker.tickets.store import Applied, Conflict, Result, TicketDatabaseUnavailable

FEW = {"erasures": {"number": 3, "share": 0.5}}
"""Four emptied fields are too many, where that is more than half."""


@pytest.fixture
def world(small_ticket_database: str, broker: RedisServer, tmp_path: Path) -> Iterator[World]:
    """A ticket system in SQLite, beside Redis and Valkey."""
    made = World(small_ticket_database, broker, tmp_path)
    made.otobo.add_fields(["Phone", "Lastname"])
    yield made
    made.close()


@pytest.fixture
def client(broker: RedisServer) -> Iterator[redis.Redis]:
    made = redis.Redis.from_url(broker.url)
    yield made
    made.close()


def filled(world: World, count: int, login: str = "anna") -> list[int]:
    """Tickets with a phone."""
    tickets = [world.ticket(login) for _ in range(count)]
    for ticket in tickets:
        world.otobo.insert_value(ticket, "Phone", value_text="1")
    return tickets


def phones(world: World, tickets: list[int]) -> list[list[object]]:
    return [world.values(ticket).get("Phone", []) for ticket in tickets]


def released(services: Services, seconds: int = 60) -> guard.GuardState:
    return guard.release(services.inbox.client, services.settings.guard, seconds)


def state(services: Services) -> guard.GuardState:
    return guard.read(services.inbox.client, services.settings.guard)


# -- what it is for


def test_an_emptied_table_empties_no_tickets_until_somebody_has_looked(world: World) -> None:
    services = world.services(guard=FEW)
    tickets = filled(world, 10)  # and nobody is in the table

    with capture_logs() as logs:
        assert handle(services, *map(changed, tickets)) == []

    assert phones(world, tickets) == [["1"]] * 10
    assert stats(services.inbox).length == 10
    (stopped,) = [line for line in logs if line["event"] == "guard.stopped"]
    assert stopped == {
        "event": "guard.stopped",
        "log_level": "error",
        "what": "erasures",
        "count": 10,
        "filled": 10,
        "window": 3600,
        "fields": {"Phone": 10},
        "reasons": {"unknown_customer_user": 10},
        "tickets": tickets[:5],
    }
    (interrupted,) = [line for line in logs if line["event"] == "drain.interrupted"]
    assert interrupted["error"] == "MassChange"
    assert "fieldfare guard release" in interrupted["reason"]

    was = released(services)
    assert was.stop is not None
    assert (was.stop.count, was.stop.filled, was.stop.fields) == (10, 10, {"Phone": 10})
    assert {outcome.kind for outcome in handle(services)} == {Kind.WRITTEN}
    assert phones(world, tickets) == [[]] * 10
    assert stats(services.inbox).length == 0


def test_an_emptied_tree_that_is_filled_again_loses_nothing(
    world: World, slapd: SlapdServer
) -> None:
    services = world.services(guard=FEW, sources={"CustomerUser": ldap_people(slapd)})
    tickets = filled(world, 10)

    assert handle(services, *map(changed, tickets)) == []
    LdapDirectory(slapd).add_person("anna", "Anna", "Falk", "a@b.c", "ACME", "2")
    released(services)
    handle(services)

    assert phones(world, tickets) == [["2"]] * 10


def test_nobody_is_asked_and_nothing_is_said_again_while_it_is_stopped(world: World) -> None:
    services = world.services(guard=FEW)
    tickets = filled(world, 10)
    consumer = Consumer("test")
    services.inbox.publish_many(map(changed, tickets))
    asked: list[object] = []
    find = services.directory.find
    services.directory.find = (  # type: ignore[method-assign]
        lambda *args, **more: asked.append(args) or find(*args, **more)
    )

    with capture_logs() as logs:
        for _ in range(3):
            drain(services.inbox, consumer, lambda entries: enrich(entries, services))

    assert len(asked) == 1
    assert [line["event"] for line in logs] == ["guard.stopped", "drain.interrupted"]
    assert {entry.deliveries for entry in services.inbox.held("test")} == {1}


def test_the_other_workers_stop_too_whatever_they_want_to_write(world: World) -> None:
    services, other = world.services(guard=FEW), world.services(guard=FEW)
    handle(services, *map(changed, filled(world, 10)))
    world.person("carl", "3")
    ticket = world.ticket("carl")

    entries = [other.inbox.publish(changed(ticket))]
    with pytest.raises(MassChange):
        enrich(other.inbox.read("other"), other)
    assert world.values(ticket) == {}

    released(services)
    (outcome,) = enrich(other.inbox.held("other"), other)
    assert (outcome.entry_id, outcome.kind) == (entries[0], Kind.WRITTEN)


def test_a_run_is_stopped_however_small_its_batches_are(world: World) -> None:
    services = world.services(guard=FEW)
    tickets = filled(world, 6)

    for ticket in tickets:
        handle(services, changed(ticket))

    assert phones(world, tickets) == [[]] * 3 + [["1"]] * 3


def test_what_is_explained_is_never_stopped(world: World) -> None:
    services = world.services(guard=FEW)
    tickets = filled(world, 10)
    handle(services, *map(changed, tickets))

    found = explain(tickets[0], services)

    assert found is not None
    assert [one.decision for one in found.fields] == ["clear"]


# -- what passes


def test_few_tickets_are_never_too_many(world: World) -> None:
    tickets = filled(world, 3)

    handle(world.services(guard=FEW), *map(changed, tickets))

    assert phones(world, tickets) == [[]] * 3


def test_a_share_that_is_small_passes(world: World) -> None:
    world.person("carl", "1")
    tickets = filled(world, 10, "carl") + filled(world, 10)

    handle(world.services(guard=FEW), *map(changed, tickets))

    assert phones(world, tickets) == [["1"]] * 10 + [[]] * 10


def test_changes_are_let_through_unless_the_settings_say_otherwise(world: World) -> None:
    world.person("anna", "2")
    tickets = filled(world, 10)
    limits = {"changes": {"enabled": True, "number": 3, "share": 0.5}}

    handle(world.services(guard=limits), *map(changed, tickets))
    assert phones(world, tickets) == [["1"]] * 10

    world.redis.flush()
    handle(world.services(), *map(changed, tickets))
    assert phones(world, tickets) == [["2"]] * 10


def test_switched_off_it_costs_and_stops_nothing(world: World, client: redis.Redis) -> None:
    tickets = filled(world, 10)
    off = {"erasures": {"enabled": False, "number": 0, "share": 0}}

    services = world.services(guard=off)
    handle(services, *map(changed, tickets))

    assert phones(world, tickets) == [[]] * 10
    assert client.exists(STATE, COUNTS) == 0
    assert state(services).state == "off"


def test_nothing_is_counted_while_it_is_released(world: World) -> None:
    services = world.services(guard=FEW)
    released(services)
    tickets = filled(world, 10)

    handle(services, *map(changed, tickets))
    assert phones(world, tickets) == [[]] * 10
    assert state(services).state == "released"

    services.inbox.client.delete(STATE)  # as its expiry does
    assert state(services).state == "watching"
    more = filled(world, 3)
    handle(services, *map(changed, more))
    assert phones(world, more) == [[]] * 3


# -- how it counts


def plan(ticket_id: int, *decisions: Decision) -> Plan:
    told = tuple(
        FieldDecision(f"F{number}", one, Reason.FOUND, (), old_text="old")
        for number, one in enumerate(decisions)
    )
    return Plan(ticket_id, "anna", 1, told, (), {})


def erasing(*ticket_ids: int) -> list[Plan]:
    return [plan(ticket_id, Decision.CLEAR) for ticket_id in ticket_ids]


def applied(plans: Any) -> Mapping[int, Result]:
    return {one.ticket_id: Applied(()) for one in plans}


def sums(client: redis.Redis) -> dict[str, int]:
    found = {"e": 0, "c": 0, "f": 0}
    for name, number in client.hgetall(COUNTS).items():  # type: ignore[union-attr]
        found[name.decode()[-1]] += int(number)
    return found


def made(client: redis.Redis, number: int = 10, share: float = 0.0) -> Guard:
    return Guard(client, GuardSettings(erasures=ErasureSettings(number=number, share=share)))


def grow_older(client: redis.Redis, seconds: int) -> None:
    """Everything was counted so many seconds earlier."""
    counts: Any = client.hgetall(COUNTS)
    client.delete(COUNTS)
    for name, number in counts.items():
        start, kind = name.decode().split(":")
        client.hset(COUNTS, f"{int(start) - seconds}:{kind}", int(number))


def test_each_kind_of_decision_is_counted(client: redis.Redis) -> None:
    decisions = [Decision.CLEAR, Decision.WRITE, Decision.UNCHANGED, Decision.KEEP, Decision.REFUSE]

    made(client).let([plan(1, *decisions), plan(2, Decision.CLEAR)], applied)

    assert sums(client) == {"e": 2, "c": 1, "f": 4}


def test_what_was_not_written_is_taken_off_with_the_next_batch(client: redis.Redis) -> None:
    counting = made(client)

    def in_conflict(plans: Any) -> Mapping[int, Result]:
        return {**applied(plans), 2: Conflict("rows_changed"), 3: Conflict("rows_changed")}

    def unavailable(_plans: Any) -> Mapping[int, Result]:
        raise TicketDatabaseUnavailable("OperationalError")

    counting.let(erasing(1, 2, 3), in_conflict)
    for _ in range(20):
        with pytest.raises(TicketDatabaseUnavailable):
            counting.let(erasing(2, 3), unavailable)
    counting.let(erasing(2, 3), applied)

    assert sums(client) == {"e": 3, "c": 0, "f": 3}


def test_a_conflict_that_is_planned_anew_counts_once(world: World, client: redis.Redis) -> None:
    (ticket,) = filled(world, 1)
    looked: list[int] = []

    def set_again() -> None:
        """Only the first time: to the same customer user, which moves the anchor."""
        looked.append(ticket)
        if len(looked) == 1:
            world.otobo.set_customer(ticket, "anna")

    handle(interfered(world.services(guard=FEW), set_again), changed(ticket))

    assert len(looked) == 2
    assert phones(world, [ticket]) == [[]]
    assert sums(client) == {"e": 1, "c": 0, "f": 1}


def test_what_is_older_than_the_window_counts_no_more(client: redis.Redis) -> None:
    counting = made(client)
    counting.let(erasing(*range(10)), applied)

    grow_older(client, 3000)
    with pytest.raises(MassChange):
        counting.let(erasing(11), applied)
    guard.release(client, GuardSettings(), 60)
    client.delete(STATE)
    counting.let(erasing(*range(10)), applied)
    grow_older(client, 3600 + 180)
    counting.let(erasing(11), applied)

    assert sums(client)["e"] == 1
    assert 0 < client.ttl(COUNTS) <= 3600 + 180  # type: ignore[operator]


def test_a_stop_takes_its_own_batch_off_and_is_told_of_once(client: redis.Redis) -> None:
    first, second = made(client), made(client)
    first.let(erasing(1, 2), applied)

    with capture_logs() as logs:
        for counting in (first, second, first):
            with pytest.raises(MassChange):
                counting.let(erasing(*range(100, 110)), applied)

    assert len(logs) == 1
    assert sums(client)["e"] == 2
    stop = guard.read(client, GuardSettings()).stop
    assert stop is not None
    assert (stop.count, stop.tickets) == (12, (100, 101, 102, 103, 104))


def test_two_workers_cannot_pass_together_what_neither_may_alone(client: redis.Redis) -> None:
    start = Barrier(2)
    written: list[int] = []

    def apply(plans: Any) -> Mapping[int, Result]:
        written.extend(one.ticket_id for one in plans)
        return applied(plans)

    def work(first: int) -> None:
        counting = made(client, number=40)
        start.wait(10)
        for ticket_id in range(first, first + 200, 4):
            try:
                counting.let(erasing(*range(ticket_id, ticket_id + 4)), apply)
            except MassChange:
                return

    with ThreadPoolExecutor(2) as threads:
        list(threads.map(work, (1000, 2000)))

    assert len(written) == sums(client)["e"] == 40


def test_a_batch_costs_one_command(client: redis.Redis, broker: RedisServer) -> None:
    counting = made(client, number=500)
    counting.let(erasing(1), applied)  # brings the script

    before = commands(client)
    for ticket_id in range(100):
        counting.let(erasing(ticket_id), applied)

    # The commands of the script count as well; seven of them touch one key and stay on the server.
    assert commands(client)["evalsha"] - before["evalsha"] == 100
    assert commands(client)["hgetall"] - before["hgetall"] == 100
    assert set(commands(client)) <= {*before, "info"}


def commands(client: redis.Redis) -> dict[str, int]:
    told: Any = client.info("commandstats")
    return {name.removeprefix("cmdstat_"): one["calls"] for name, one in told.items()}


# -- when Redis cannot


def test_a_redis_that_is_full_lets_pass_what_is_not_too_much(
    client: redis.Redis, broker: RedisServer
) -> None:
    counting = made(client)
    counting.let(erasing(1), applied)
    used: Any = client.info("memory")
    client.config_set("maxmemory", max(1, used["used_memory"] // 2))
    try:
        counting.let(erasing(2), applied)
        with pytest.raises(redis.exceptions.OutOfMemoryError):
            counting.let(erasing(*range(100, 120)), applied)
    finally:
        client.config_set("maxmemory", 0)
    counting.let(erasing(3), applied)

    assert sums(client)["e"] == 2


def test_a_user_who_may_not_count_stops_writing_and_is_nobodys_fault(
    world: World, client: redis.Redis, broker: RedisServer
) -> None:
    (ticket,) = filled(world, 1)
    names = ("events", "bell", "dead", "handled", "sources")
    client.acl_setuser(
        "old",
        enabled=True,
        nopass=True,
        keys=[f"fieldfare:{name}" for name in names],
        commands=["+@all"],
    )
    world.services().inbox.publish(changed(ticket))
    services = world.services(redis={"url": broker.url.replace("//", "//old:x@")})

    with capture_logs() as logs:
        drain(services.inbox, Consumer("test"), lambda entries: enrich(entries, services))

    assert phones(world, [ticket]) == [["1"]]
    (line,) = [line for line in logs if line["event"] == "drain.interrupted"]
    assert line["error"] == GuardRefused.__name__
    assert client.exists("fieldfare:dead") == 0
    client.acl_deluser("old")
