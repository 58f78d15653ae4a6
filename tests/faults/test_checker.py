"""The checker finds every kind of error that is planted, and nothing where all is well."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.faults import people
from tests.faults.checker import check, leftovers
from tests.faults.simulator import Simulator, changed_event
from tests.otobo import WORKER
from tests.servers import RedisServer
from worker.inbox import Inbox, connect

CITY = "CustomerCity"


@pytest.fixture
def system(tmp_path: Path) -> Iterator[Simulator]:
    """A ticket system in which a worker has done its work on every ticket but the last."""
    made = Simulator(f"sqlite:///{tmp_path / 'otobo.sqlite'}")
    made.preload(["user1", "user2", "user7"], before=["user3", "user3", "user3"])
    made.create("user4")
    made.create("user5", typed="+1")
    made.change_customer(made.tickets[0], "user6")
    for ticket_id in made.tickets:
        work(made, ticket_id)
    yield made
    made.close()


def work(system: Simulator, ticket_id: int) -> None:
    """What a worker writes: only differences, each with its line, and one stamp."""
    stands = {name: texts[0] for name, texts in system.otobo.values(ticket_id).items()}
    changed = {
        name: value
        for name, value in system.expected(ticket_id).items()
        if value != stands.get(name, "")
    }
    for name, value in changed.items():
        put(system, ticket_id, name, value)
        system.otobo.add_update_line(
            ticket_id, name, value, str(stands.get(name, "")), user_id=WORKER
        )
    if changed:
        system.otobo.update_ticket(ticket_id, user_id=WORKER)


def put(system: Simulator, ticket_id: int, field: str, value: str) -> None:
    """Exchange a row, and tell nobody."""
    system.otobo.delete_value(ticket_id, field)
    if value:
        system.otobo.insert_value(ticket_id, field, value_text=value)


def tell(system: Simulator, ticket_id: int, field: str, value: str) -> None:
    """A line of the worker's, and its stamp."""
    system.otobo.update_ticket(ticket_id, user_id=WORKER)
    system.otobo.add_update_line(ticket_id, field, value, user_id=WORKER)


def found(system: Simulator) -> dict[str, int]:
    return dict(check(system).concerned)


def test_nothing_is_found_where_all_is_right(system: Simulator) -> None:
    report = check(system)

    assert report.clean, report
    assert report.tickets == 5


def test_a_ticket_that_nobody_looked_at_is_lost(system: Simulator) -> None:
    first = system.tickets[0]
    system.change_customer(first, "user8")
    system.create("user9")

    assert found(system) == {"lost": 2}
    assert f"ticket {first}, CustomerCity: 'City user6' instead of 'City user8'" in str(
        check(system).problems["lost"]
    )


def test_a_value_that_the_worker_emptied_is_erased(system: Simulator) -> None:
    first = system.tickets[0]
    put(system, first, CITY, "")
    tell(system, first, CITY, "")

    assert found(system) == {"erased": 1}


def test_another_value_is_wrong(system: Simulator) -> None:
    first = system.tickets[0]
    put(system, first, CITY, "City user1")
    tell(system, first, CITY, "City user1")

    assert found(system) == {"wrong": 1}


def test_the_directorys_value_in_place_of_a_screens_is_wrong(system: Simulator) -> None:
    first, by_phone = system.tickets[0], system.tickets[-1]
    system.write(first, CITY, "typed")
    assert found(system) == {}
    put(system, first, CITY, "City user6")
    tell(system, first, CITY, "City user6")
    put(system, by_phone, people.OWNED, "+49 user5")
    tell(system, by_phone, people.OWNED, "+49 user5")

    assert found(system) == {"wrong": 2}


def test_two_rows_are_found_even_if_they_are_alike(system: Simulator) -> None:
    first = system.tickets[0]
    system.otobo.insert_value(first, CITY, value_text="City user6")

    assert found(system) == {"two_rows": 1}


def test_a_second_line_with_the_same_value_was_written_twice(system: Simulator) -> None:
    tell(system, system.tickets[0], CITY, "City user6")

    assert found(system) == {"written_twice": 1}


def test_a_line_for_a_value_that_stood_there_from_the_beginning_was_written_twice(
    system: Simulator,
) -> None:
    (kept,) = system.preload(["user3"], before=["user3"])
    assert found(system) == {}
    tell(system, kept, CITY, "City user3")

    assert found(system) == {"written_twice": 1}


def test_a_row_without_a_line_and_a_line_without_a_row_are_half_written(
    system: Simulator,
) -> None:
    first, second, *_ = system.tickets
    put(system, first, CITY, "City user1")
    tell(system, second, CITY, "City user1")

    assert found(system) == {"half_written": 2, "wrong": 1}


def test_a_line_of_the_workers_without_its_stamp_is_half_written(system: Simulator) -> None:
    system.otobo.update_ticket(system.tickets[0], change_by=1)

    assert found(system) == {"half_written": 1}


def test_a_ticket_that_is_gone_is_wrong(system: Simulator) -> None:
    system.otobo.delete_ticket(system.tickets[0])
    assert found(system) == {"wrong": 1}
    system.forget(system.tickets[0])

    assert found(system) == {}


def test_the_first_offenders_stand_in_the_message(system: Simulator) -> None:
    for ticket_id in system.tickets:
        put(system, ticket_id, CITY, "somebody")
        tell(system, ticket_id, CITY, "somebody")
    said = str(check(system))

    assert "5 tickets, lost: 0, erased: 0, wrong: 5" in said
    assert said.count("instead of") == 5


def test_what_is_left_in_redis_is_told(redis_server: RedisServer) -> None:
    redis_server.start()
    redis_server.flush()
    inbox = Inbox(connect(redis_server.url), lambda: None)
    assert leftovers(inbox) == {}
    inbox.publish_many(changed_event(number) for number in range(1, 5))
    read = inbox.read("somebody", 3)
    inbox.park(read[0], "failed", "SomeError", "")
    inbox.wait(read[1:2], "2", "down")

    assert leftovers(inbox) == {
        "length": 2,
        "pending": {"somebody": 1},
        "waiting": {"2": 1},
        "dead": 1,
    }


def test_preloading_and_single_steps_leave_the_same_traces(database_url: str) -> None:
    system = Simulator(database_url)
    (preloaded,) = system.preload(["user1"])
    system.change_all([preloaded], ["user2"])
    single, _ = system.create("user1")
    system.change_customer(single, "user2")

    def history(ticket_id: int) -> list[tuple[str, str, int]]:
        return [
            (type_, "" if type_ == "NewTicket" else name, author)
            for type_, name, author in system.otobo.history(ticket_id)
        ]

    assert history(preloaded) == history(single)
    assert system.otobo.ticket(preloaded).customer_user_id == "user2"
    assert system.expected(preloaded) == system.expected(single) == people.values("user2")
    system.close()
