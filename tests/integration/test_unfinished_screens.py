"""A screen is in the middle of its request while a batch is handled: what it writes stays.

Each step of OTOBO's ValueSet is committed by itself, and its history line comes last.
"""

import dataclasses
from collections.abc import Callable

import pytest

from tests.integration.world import World, changed, handle
from tests.otobo import AGENT
from worker.outcomes import Kind
from worker.services import Services
from worker.tickets.newcomers import PAUSE, YOUNG, Newcomers


class Moments:
    """A clock that a test sets, and what happens in pauses."""

    def __init__(self) -> None:
        self.now = 0.0
        self.pauses: list[float] = []
        self.happens: list[Callable[[], object]] = []

    def pause(self, seconds: float) -> None:
        self.pauses.append(seconds)
        if self.happens:
            self.happens.pop(0)()


@pytest.fixture
def moments() -> Moments:
    return Moments()


@pytest.fixture
def services(world: World, moments: Moments) -> Services:
    """A worker that has been at work for a while."""
    world.otobo.add_fields(["Phone"])
    for login, phone in (("anna", "1"), ("bert", "2")):
        world.person(login, phone)
    built = world.services()
    newcomers = Newcomers(built.tickets.newest_row_id, moments.pause, lambda: moments.now)
    made = dataclasses.replace(built, newcomers=newcomers)
    first = world.ticket("anna")
    handle(made, changed(first))
    moments.now += 10 * YOUNG
    world.otobo.set_customer(first, "bert")
    handle(made, changed(first))
    return made


@pytest.fixture
def ticket(world: World, services: Services) -> int:
    """A ticket that was filled for anna, and is bert's now."""
    made = world.ticket("anna")
    handle(services, changed(made))
    world.otobo.set_customer(made, "bert", user_id=AGENT)
    return made


def begin(world: World, ticket: int) -> None:
    """The first two steps of a screen."""
    world.otobo.delete_value(ticket, "Phone")
    world.otobo.insert_value(ticket, "Phone", value_text="typed")


def finish(world: World, ticket: int) -> None:
    """The last two."""
    world.otobo.update_ticket(ticket, user_id=AGENT)
    world.otobo.add_update_line(ticket, "Phone", "typed", "1")


def test_a_value_whose_line_is_still_to_come_stays(
    world: World, services: Services, moments: Moments, ticket: int
) -> None:
    begin(world, ticket)
    moments.happens.append(lambda: finish(world, ticket))

    (outcome,) = handle(services, changed(ticket))

    assert outcome.kind is Kind.KEPT
    assert world.values(ticket) == {"Phone": ["typed"]}
    assert len(world.lines(ticket)) == 1
    assert moments.pauses == [PAUSE]


def test_another_screen_that_begins_in_the_pause_is_waited_for_too(
    world: World, services: Services, moments: Moments, ticket: int
) -> None:
    begin(world, ticket)
    # A row of somebody else's lets the next id rise on SQLite too.
    world.otobo.insert_value(world.ticket(), "Phone", value_text="other")
    moments.happens += [lambda: begin(world, ticket), lambda: finish(world, ticket)]

    handle(services, changed(ticket))

    assert world.values(ticket) == {"Phone": ["typed"]}
    assert moments.pauses == [PAUSE, PAUSE]


def test_a_young_value_that_gets_no_line_is_written_over_after_one_pause(
    world: World, services: Services, moments: Moments, ticket: int
) -> None:
    begin(world, ticket)

    (outcome,) = handle(services, changed(ticket))

    assert outcome.kind is Kind.WRITTEN
    assert world.values(ticket) == {"Phone": ["2"]}
    assert moments.pauses == [PAUSE]


def test_nobody_waits_for_a_value_that_has_stood_for_a_while(
    world: World, services: Services, moments: Moments, ticket: int
) -> None:
    moments.now += YOUNG
    handle(services, changed(ticket))
    assert moments.pauses == [PAUSE], "nobody had asked since the row was inserted"
    world.otobo.set_customer(ticket, "anna", user_id=AGENT)
    moments.now += YOUNG

    handle(services, changed(ticket))

    assert world.values(ticket) == {"Phone": ["1"]}
    assert moments.pauses == [PAUSE]


def test_what_stands_when_a_process_first_asks_is_taken_for_old(
    world: World, services: Services, moments: Moments, ticket: int
) -> None:
    pauses: list[float] = []
    newcomers = Newcomers(services.tickets.newest_row_id, pauses.append)

    handle(dataclasses.replace(services, newcomers=newcomers), changed(ticket))

    assert world.values(ticket) == {"Phone": ["2"]}
    assert pauses == []


def test_the_other_tickets_of_a_batch_are_written_before_the_pause(
    world: World, services: Services, moments: Moments, ticket: int
) -> None:
    begin(world, ticket)
    other = world.ticket("bert")
    seen: list[object] = []
    moments.happens.append(lambda: seen.append(world.values(other)))

    handle(services, changed(ticket), changed(other))

    assert seen == [{"Phone": ["2"]}]


def test_filling_what_is_empty_asks_nothing(world: World, services: Services) -> None:
    asked: list[None] = []

    def newest() -> int:
        asked.append(None)
        return 0

    handle(
        dataclasses.replace(services, newcomers=Newcomers(newest)), changed(world.ticket("anna"))
    )

    assert asked == []
