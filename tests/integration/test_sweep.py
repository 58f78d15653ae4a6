"""The sweep over real ticket histories: what it finds, what it leaves, and what it costs nobody."""

import dataclasses
import itertools
import threading
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import text
from structlog.testing import capture_logs

from tests.contract.ldap_source import LdapDirectory
from tests.inbox_stats import stats
from tests.integration.world import World, changed, created, handle, ldap_people
from tests.otobo import AGENT, WORKER
from tests.servers import SlapdServer
from worker import handled
from worker.drain import Consumer, drain
from worker.handlers import sweep as sweeps
from worker.handlers.enrich import enrich
from worker.handlers.sweep import sweep
from worker.outcomes import Kind
from worker.services import Services
from worker.swept import read_cursor
from worker.tickets.store import TicketDatabaseUnavailable

HOUR = 3600


@pytest.fixture
def worker(world: World) -> Services:
    """A worker for which every request has ended."""
    world.otobo.add_field("Phone")
    world.person("anna", "1")
    world.person("carl", "2")
    return services(world)


def services(world: World, **sweeping: Any) -> Services:
    return world.services(sweep={"look_back": HOUR, **sweeping})


def ago(seconds: float) -> str:
    return (datetime.now(UTC) - timedelta(seconds=seconds)).strftime("%Y-%m-%d %H:%M:%S")


def age(world: World, seconds: float, ticket_id: int | None = None) -> None:
    """Let a ticket's lines, or all lines, have been written some seconds ago."""
    where = "" if ticket_id is None else f" WHERE ticket_id = {ticket_id}"
    with world.otobo.engine.connect() as connection:
        connection.execute(text(f"UPDATE ticket_history SET create_time = '{ago(seconds)}'{where}"))


def old_ticket(world: World, customer_user: str = "anna", seconds: float = 300) -> int:
    ticket = world.ticket(customer_user)
    age(world, seconds, ticket)
    return ticket


def inbox(services: Services) -> list[tuple[str, int]]:
    """Type and ticket of what is in the inbox, which stays there."""
    entries: Any = services.inbox.client.xrange("fieldfare:events")
    return [(fields[b"type"].decode(), int(fields[b"ticket_id"])) for _, fields in entries]


def test_what_no_event_told_is_found_and_written(world: World, worker: Services) -> None:
    whole, bare = old_ticket(world), old_ticket(world, "")

    assert sweep(worker) == 2

    assert inbox(worker) == [("ticket.customer_changed", whole), ("ticket.created", bare)]
    assert [o.kind for o in handle(worker)] == [Kind.WRITTEN, Kind.UNCHANGED]
    assert world.values(whole) == {"Phone": ["1"]}


def test_nothing_is_found_twice(world: World, worker: Services) -> None:
    old_ticket(world)
    with capture_logs() as logs:
        sweep(worker)
        handle(worker)

        assert sweep(worker) == 0

    assert [line["events"] for line in logs if line["event"] == "history.swept"] == [1]


def test_a_ticket_whose_request_may_not_have_ended_is_left_for_the_next_sweep(
    world: World, worker: Services
) -> None:
    ticket = world.ticket("anna")
    age(world, 300, ticket)
    world.otobo.add_article(ticket, "EmailCustomer")

    assert sweep(worker) == 0

    age(world, 5, ticket)
    assert sweep(worker) == 1


def test_a_busy_ticket_does_not_carry_the_cursor_past_its_lines(
    world: World, worker: Services
) -> None:
    busy = world.ticket("anna")
    age(world, 200, busy)
    world.otobo.add_article(busy, "EmailCustomer")
    calm = old_ticket(world, seconds=100)

    assert sweep(worker) == 1
    assert inbox(worker) == [("ticket.customer_changed", calm)]
    assert read_cursor(worker.inbox.client).time < ago(150)

    age(world, 200, busy)
    assert sweep(worker) == 1


def test_an_event_that_still_waits_is_not_announced_again(world: World, worker: Services) -> None:
    old_ticket(world)
    sweep(worker)
    world.crm.stop()
    assert [o.kind for o in handle(worker)] == [Kind.WAITING]

    assert sweep(worker) == 0

    assert stats(worker.inbox).waiting == {"": 1}


def test_what_was_handled_is_not_announced(world: World, worker: Services) -> None:
    ticket = old_ticket(world, "nobody")
    assert [o.kind for o in handle(worker, created(ticket))] == [Kind.UNCHANGED]

    assert sweep(worker) == 0


def test_what_the_worker_has_answered_is_not_announced(world: World, worker: Services) -> None:
    ticket = old_ticket(world)
    handle(worker, created(ticket))
    age(world, 5)
    world.redis.flush()

    assert sweep(worker) == 0


def test_a_customer_change_behind_the_workers_answer_is_announced(
    world: World, worker: Services
) -> None:
    ticket = old_ticket(world)
    handle(worker, created(ticket))
    world.otobo.set_customer(ticket, "carl", user_id=AGENT)
    age(world, 5)

    assert sweep(worker) == 1
    handle(worker)

    assert world.values(ticket) == {"Phone": ["2"]}


def test_what_a_redis_that_lost_everything_held_is_found_again(
    world: World, worker: Services
) -> None:
    tickets = [old_ticket(world) for _ in range(5)]
    worker.inbox.publish_many(map(created, tickets))
    sweep(worker)
    world.redis.flush()

    assert sweep(worker) == 5
    handle(worker)

    assert [world.values(ticket) for ticket in tickets] == [{"Phone": ["1"]}] * 5


def test_of_two_sweeps_at_once_one_works(world: World, worker: Services) -> None:
    for _ in range(20):
        old_ticket(world)
    start = threading.Barrier(2)
    found: list[int] = []

    def sweep_too(own: Services) -> None:
        start.wait(10)
        found.append(sweep(own))

    threads = [threading.Thread(target=sweep_too, args=(one,)) for one in (worker, services(world))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)

    assert sorted(found) == [0, 20]
    assert len(inbox(worker)) == 20


def test_a_sweep_that_holds_the_lock_keeps_others_out(world: World, worker: Services) -> None:
    old_ticket(world)
    worker.inbox.client.set("fieldfare:sweep:lock", "somebody else")

    assert sweep(worker) == 0

    assert inbox(worker) == []
    assert worker.inbox.client.get("fieldfare:sweep:lock") == b"somebody else"


def test_a_sweep_gives_the_lock_back_also_when_it_fails(world: World, worker: Services) -> None:
    with world.otobo.engine.connect() as connection:
        connection.execute(text("ALTER TABLE ticket_history RENAME TO away"))

    with pytest.raises(TicketDatabaseUnavailable):
        sweep(worker)

    assert worker.inbox.client.get("fieldfare:sweep:lock") is None
    with world.otobo.engine.connect() as connection:
        connection.execute(text("ALTER TABLE away RENAME TO ticket_history"))
    old_ticket(world)
    assert sweep(worker) == 1


def test_the_cursor_moves_to_what_has_settled(world: World, worker: Services) -> None:
    ticket = world.ticket()
    line = world.otobo.set_customer(ticket, "anna")
    age(world, 300, ticket)
    assert read_cursor(worker.inbox.client).time == ""
    before = ago(3)

    sweep(worker)

    cursor = read_cursor(worker.inbox.client)
    assert before <= cursor.time <= ago(1)
    assert cursor.id == line


def test_a_line_that_became_visible_late_is_found(world: World, worker: Services) -> None:
    late, early = world.ticket("anna"), world.ticket("anna")
    age(world, 2000, late)  # outside of what the second sweep reads by time
    age(world, 300, early)
    lines = read_lines(world, late)
    with world.otobo.engine.connect() as connection:
        connection.execute(text(f"DELETE FROM ticket_history WHERE ticket_id = {late}"))
    assert sweep(worker) == 1
    for line in lines:
        line["create_time"] = ago(30)
        write_line(world, line)

    assert sweep(worker) == 1

    assert inbox(worker)[1:] == [("ticket.customer_changed", late)]


def read_lines(world: World, ticket_id: int) -> list[dict[str, Any]]:
    with world.otobo.engine.connect() as connection:
        rows = connection.execute(
            text(f"SELECT * FROM ticket_history WHERE ticket_id = {ticket_id}")
        )
        return [dict(row) for row in rows.mappings()]


def write_line(world: World, line: dict[str, Any]) -> None:
    names = ", ".join(line)
    places = ", ".join(f":{name}" for name in line)
    with world.otobo.engine.connect() as connection:
        connection.execute(text(f"INSERT INTO ticket_history ({names}) VALUES ({places})"), line)


def test_a_line_with_an_old_time_and_a_new_id_is_found(world: World, worker: Services) -> None:
    old_ticket(world, seconds=200)
    sweep(worker)
    ticket = world.ticket("anna")
    age(world, 1800, ticket)  # a clock that was set back

    assert sweep(worker) == 1

    assert inbox(worker)[-1] == ("ticket.customer_changed", ticket)


@pytest.mark.parametrize("limit", [1, 2, 3, 7, 100])
def test_a_window_longer_than_a_page_is_read_in_pages(
    world: World, worker: Services, limit: int
) -> None:
    tickets = [old_ticket(world, seconds=300) for _ in range(6)]
    paging = services(world, limit=limit)

    assert sweep(paging) >= 6

    assert {ticket for _, ticket in inbox(paging)} == set(tickets)
    assert sweep(paging) == 0
    handle(paging)
    assert [world.values(ticket) for ticket in tickets] == [{"Phone": ["1"]}] * 6


def test_a_sweep_whose_time_is_up_is_continued_by_the_next(world: World) -> None:
    worker = world.services(sweep={"limit": 4})  # the lines of two tickets
    tickets = [old_ticket(world, seconds=600 * age) for age in (5, 4, 3, 2, 1)]
    hours = itertools.count(step=3600)

    found = [sweep(worker, lambda: float(next(hours))) for _ in range(4)]

    assert found == [2, 1, 1, 1]
    assert [ticket for _, ticket in inbox(worker)] == tickets
    assert sweep(worker) == 0


def test_a_sweep_that_lost_its_lock_between_pages_leaves_the_cursor(
    world: World, worker: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(3):
        old_ticket(world)
    paging = services(world, limit=2)
    announce = sweeps._announce

    def overtaken(*given: Any) -> int:
        paging.inbox.client.set("fieldfare:sweep:lock", "somebody else")
        return announce(*given)

    monkeypatch.setattr(sweeps, "_announce", overtaken)

    assert sweep(paging) == 1

    assert read_cursor(paging.inbox.client).time == ""
    assert paging.inbox.client.get("fieldfare:sweep:lock") == b"somebody else"


def test_what_lies_before_the_look_back_is_left_alone(world: World, worker: Services) -> None:
    old_ticket(world, seconds=HOUR + 100)
    inside = old_ticket(world, seconds=HOUR - 100)

    assert sweep(worker) == 1

    assert inbox(worker) == [("ticket.customer_changed", inside)]


def test_marks_that_no_window_reaches_are_forgotten(world: World, worker: Services) -> None:
    client = worker.inbox.client
    old, new = old_ticket(world, seconds=HOUR + 100), old_ticket(world)
    handle(worker, created(old), created(new))
    handled.write(client, {old: 1, new: 10**6}, key=sweeps.ANNOUNCED)

    sweep(worker)

    assert set(client.hgetall("fieldfare:handled")) == {str(new).encode()}
    assert set(client.hgetall("fieldfare:announced")) == {str(new).encode()}
    handled.write(client, {old: 1})
    sweep(worker)
    assert client.hexists("fieldfare:handled", str(old)), "only now and then"


def test_marks_are_forgotten_by_the_next_sweep_where_one_could_not(
    world: World, worker: Services
) -> None:
    old = old_ticket(world, seconds=HOUR + 100)
    old_ticket(world)
    handled.write(worker.inbox.client, {old: 1})

    class Slow:
        def first_id_since(self, time: str) -> int:
            raise TicketDatabaseUnavailable(f"statement timeout, {time}")

        def __getattr__(self, name: str) -> Any:
            return getattr(worker.history, name)

    with pytest.raises(TicketDatabaseUnavailable):
        sweep(dataclasses.replace(worker, history=Slow()))
    assert handled.read(worker.inbox.client, [old]) == {old: 1}

    sweep(worker)

    assert handled.read(worker.inbox.client, [old]) == {}


def test_with_the_history_as_source_no_producer_is_needed(
    world: World, worker: Services, slapd: SlapdServer
) -> None:
    LdapDirectory(slapd).add_person("emma", "Emma", "Falk", "a@b.c", "ACME", "3")
    own = world.services(
        sweep={"source": "history"},
        sources={"CustomerUser": world.people, "CustomerUser1": ldap_people(slapd)},
    )
    assert own.settings.sweep.interval == 1.0
    consumer = Consumer("test")

    def turn() -> None:
        age(world, 5)
        sweep(own)
        drain(own.inbox, consumer, lambda entries: enrich(entries, own))

    tickets = [world.ticket(login) for login in ("anna", "emma", "nobody")]
    turn()
    assert [world.values(ticket) for ticket in tickets] == [{"Phone": ["1"]}, {"Phone": ["3"]}, {}]

    world.otobo.set_customer(tickets[2], "carl", user_id=AGENT)
    world.otobo.set_customer(tickets[0], "", user_id=AGENT)
    turn()
    assert [world.values(ticket) for ticket in tickets] == [{}, {"Phone": ["3"]}, {"Phone": ["2"]}]

    world.otobo.set_value(tickets[1], "Phone", "typed", user_id=AGENT)
    turn()
    assert world.values(tickets[1]) == {"Phone": ["typed"]}
    assert [len(world.otobo.lines(ticket, WORKER)) for ticket in tickets] == [2, 1, 1]


def test_an_event_beside_the_sweep_does_no_harm(world: World, worker: Services) -> None:
    ticket = old_ticket(world)
    worker.inbox.publish(changed(ticket))

    assert sweep(worker) == 1
    handle(worker)

    assert world.values(ticket) == {"Phone": ["1"]}
    assert len(world.lines(ticket)) == 1
