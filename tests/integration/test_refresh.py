"""Tickets follow their customer users: open ones, all or none, as each rule says."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
import redis
from structlog.testing import capture_logs

from tests.clock import Clock
from tests.integration.world import World, changed, created, handle
from worker.events import CustomerCompanyChanged, CustomerUserChanged
from worker.handlers.refresh import TICKETS, refresh
from worker.inbox import EVENTS
from worker.outcomes import Kind
from worker.refresh_room import LATER, LEASE, Place, RefreshRoom
from worker.services import Services

ANNA = CustomerUserChanged(login="anna")
CLOSED = 2
"""The id of the state "closed successful"."""


@pytest.fixture
def client(small_world: World) -> Iterator[redis.Redis]:
    made = redis.Redis.from_url(small_world.redis.url)
    yield made
    made.close()


def following(world: World, **mapping: Any) -> Services:
    """A worker with two fields: of the phone, and of the email address."""
    return world.services(
        mapping={
            "rules": [
                {"from": "UserPhone", "to": "Phone", **mapping.pop("phone", {})},
                {"from": "UserEmail", "to": "Email", **mapping.pop("email", {})},
            ],
            **mapping,
        }
    )


def filled(world: World, services: Services, login: str = "anna", **more: Any) -> int:
    """A ticket whose fields have been filled."""
    ticket = world.ticket(login, **more)
    handle(services, created(ticket))
    return ticket


def move(world: World, login: str = "anna") -> None:
    """Somebody gets another phone and another address."""
    world.crm.execute(
        f"UPDATE people SET phone = '2', email = 'new@example.com' WHERE login = '{login}'"
    )


@pytest.fixture
def world(small_world: World) -> World:
    small_world.otobo.add_fields(["Phone", "Email"])
    small_world.person("anna")
    return small_world


OLD = {"Phone": ["1"], "Email": ["anna@example.com"]}
NEW = {"Phone": ["2"], "Email": ["new@example.com"]}


@pytest.mark.parametrize(
    ("policy", "of_open", "of_closed"),
    [("never", OLD, OLD), ("open", NEW, OLD), ("all", NEW, NEW)],
)
def test_open_tickets_follow_or_all_or_none(
    world: World, policy: str, of_open: object, of_closed: object
) -> None:
    services = following(world, refresh=policy)
    open_, closed = filled(world, services), filled(world, services)
    world.otobo.update_ticket(closed, ticket_state_id=CLOSED)
    move(world)

    (outcome,) = handle(services, ANNA)
    refresh(services)

    assert outcome.kind is (Kind.IGNORED if policy == "never" else Kind.SCHEDULED)
    assert world.values(open_) == of_open
    assert world.values(closed) == of_closed
    assert len(services.refresh_room) == 0


def test_a_rule_may_freeze_its_field_and_another_one_lets_it_live(world: World) -> None:
    services = following(world, refresh="all", email={"refresh": "never"})
    ticket = filled(world, services)
    move(world)

    handle(services, ANNA)
    assert refresh(services) == 2, "once among the open ones, once among all"

    assert world.values(ticket) == {"Phone": ["2"], "Email": ["anna@example.com"]}


def test_what_somebody_typed_since_stays(world: World) -> None:
    services = following(world, refresh="open")
    ticket = filled(world, services)
    world.otobo.set_value(ticket, "Phone", "typed")
    move(world)

    handle(services, ANNA)
    refresh(services)

    assert world.values(ticket) == {"Phone": ["typed"], "Email": ["new@example.com"]}


def test_all_customer_users_of_a_customer_follow(world: World) -> None:
    world.person("bert")
    world.person("carl", customer_id="OTHER")
    services = following(world, refresh="open")
    tickets = [filled(world, services, login) for login in ("anna", "bert", "carl")]
    for login in ("anna", "bert", "carl"):
        move(world, login)

    handle(services, CustomerCompanyChanged(customer_id="ACME"))
    refresh(services)

    assert [world.values(ticket)["Phone"] for ticket in tickets] == [["2"], ["2"], ["1"]]
    assert len(services.refresh_room) == 0


def test_an_answer_that_is_not_whole_has_nobody_follow(world: World) -> None:
    services = following(world, refresh="open")
    ticket = filled(world, services)
    handle(services, CustomerCompanyChanged(customer_id="ACME"))
    world.crm.stop()

    with capture_logs() as logs:
        refresh(services)
    world.crm.start()

    assert [line["event"] for line in logs if line["event"].startswith("refresh")] == [
        "refresh.held_up"
    ]
    assert world.values(ticket) == OLD
    assert len(services.refresh_room) == 1
    assert services.refresh_room.take() is None, "it is taken up later"


def test_tickets_whose_source_does_not_answer_keep_their_values_and_follow_later(
    world: World,
) -> None:
    clock = Clock()
    services = following(world, refresh="open")
    services = replace(services, refresh_room=RefreshRoom(services.inbox.client, clock))
    ticket = filled(world, services)
    handle(services, ANNA)
    move(world)
    world.crm.stop()
    refresh(services)
    world.crm.start()
    assert world.values(ticket) == OLD

    assert refresh(services) == 0, "not yet"
    clock.now += LATER
    assert refresh(services) == 1
    assert world.values(ticket) == NEW


def test_events_go_first(world: World) -> None:
    services = following(world, refresh="open")
    tickets = [filled(world, services) for _ in range(TICKETS + 1)]
    handle(services, ANNA)
    services.inbox.client.xadd(EVENTS, {"type": "ticket.created", "ticket_id": "1"})
    move(world)

    assert refresh(services) == TICKETS, "some, or they would never come to an end"
    assert world.values(tickets[0]) == NEW
    assert world.values(tickets[-1]) == OLD
    services.inbox.client.delete(EVENTS)
    assert refresh(services) == 1, "behind the ticket that was reached"
    assert world.values(tickets[-1]) == NEW
    assert len(services.refresh_room) == 0


def test_time_is_limited(world: World) -> None:
    services = following(world, refresh="open")
    for _ in range(TICKETS + 1):
        filled(world, services)
    handle(services, ANNA)
    times = iter([0.0, 5.0, 5.0, 5.0])

    assert refresh(services, lambda: next(times)) == TICKETS


def test_of_one_that_was_renamed_the_tickets_with_the_new_login_follow(world: World) -> None:
    services = following(world, refresh="open")
    old, new = filled(world, services, "anna"), world.ticket("anne")
    world.crm.execute("UPDATE people SET login = 'anne' WHERE login = 'anna'")

    handle(services, CustomerUserChanged(login="anna", renamed_to="anne"))
    refresh(services)

    assert world.values(old) == OLD, "whose customer user nobody knows any more"
    assert world.values(new) == OLD


def test_an_event_of_the_ticket_system_is_handled_as_before(world: World) -> None:
    services = following(world, refresh="open")
    ticket = filled(world, services)
    move(world)

    handle(services, changed(ticket))

    assert world.values(ticket) == NEW
    assert refresh(services) == 0


# -- the room


def test_one_process_at_a_time_has_somebody(client: redis.Redis) -> None:
    client.flushall()
    clock = Clock()
    room = RefreshRoom(client, clock)
    room.add([("customer_user", "a b"), ("customer", "ACME")])
    room.add([("customer_user", "a b")])

    both = [room.take(), room.take()]

    assert len(room) == 2
    assert sorted((one.kind, one.key, one.turn) for one in both if one) == [
        ("customer", "ACME", 1),
        ("customer_user", "a b", 2),
    ]
    assert room.take() is None
    clock.now += LEASE
    assert room.take() is not None, "of a process that was killed"


def test_who_was_killed_left_how_far_it_came(client: redis.Redis) -> None:
    client.flushall()
    clock = Clock()
    room = RefreshRoom(client, clock)
    room.add([("customer_user", "anna")])
    place = room.take()
    assert place is not None
    assert room.move(replace(place, closed=True, after=4711))
    clock.now += LEASE

    assert room.take() == Place("customer_user", "anna", 1, closed=True, after=4711)


def test_who_is_announced_again_meanwhile_begins_anew(client: redis.Redis) -> None:
    client.flushall()
    room = RefreshRoom(client, Clock())
    room.add([("customer_user", "anna")])
    place = room.take()
    assert place is not None
    room.add([("customer_user", "anna")])

    assert not room.move(replace(place, after=10))
    room.leave(place)

    assert room.take() == Place("customer_user", "anna", 2)


def test_who_is_done_is_forgotten(client: redis.Redis) -> None:
    client.flushall()
    room = RefreshRoom(client, Clock())
    room.add([("customer_user", "anna")])
    place = room.take()
    assert place is not None

    room.leave(place)

    assert client.keys("*") == []
