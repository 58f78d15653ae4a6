"""The contract of the inbox, over Debian's Redis and over Valkey."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

import pytest
import redis

from tests.inbox_stats import stats
from tests.servers import RedisServer
from worker import dead_letters, handled
from worker.events import TicketCreated
from worker.inbox import Entry, Inbox, connect
from worker.settings import InboxSettings

# Everything counts as abandoned at once, so that nothing here has to wait.
AT_ONCE = InboxSettings(claim_seconds=0.002, renew_seconds=0.001)


class Bell:
    """Counts wake-up calls."""

    def __init__(self) -> None:
        self.calls = 0

    def __call__(self) -> None:
        self.calls += 1


@pytest.fixture
def bell() -> Bell:
    return Bell()


@pytest.fixture
def client(broker: RedisServer) -> redis.Redis:
    return connect(broker.url)


@pytest.fixture
def inbox(client: redis.Redis, bell: Bell) -> Inbox:
    return Inbox(client, bell)


def event(ticket_id: int) -> dict[str, str]:
    return {"type": "ticket.created", "ticket_id": str(ticket_id)}


def tickets(entries: list[Entry]) -> list[str]:
    return [entry.fields["ticket_id"] for entry in entries]


def until(answer: Callable[[], Entry | None]) -> Entry:
    """The first answer that is not nothing; the server's clock has to move a millisecond."""
    while True:
        if (entry := answer()) is not None:
            return entry


# Publishing and the bell


def test_what_is_published_is_read_in_order(inbox: Inbox) -> None:
    ids = inbox.publish_many([event(1), TicketCreated(ticket_id=2, screen="AgentTicketPhone")])

    first, second = inbox.read("a")

    assert [first.id, second.id] == ids
    assert first == Entry(ids[0], event(1))
    assert second.fields == {**event(2), "screen": "AgentTicketPhone"}


def test_a_producer_needs_nothing_but_xadd(inbox: Inbox, broker: RedisServer) -> None:
    with broker.client() as producer:
        producer.execute_command(
            "XADD", "fieldfare:events", "*", "type", "ticket.created", "ticket_id", "4711"
        )

    assert tickets(inbox.read("a")) == ["4711"]


def test_publishing_nothing_sends_nothing(inbox: Inbox, bell: Bell) -> None:
    assert inbox.publish_many([]) == []
    assert bell.calls == 0


def test_the_bell_rings_once_until_it_is_silenced(inbox: Inbox, bell: Bell) -> None:
    inbox.publish_many([event(1), event(2)])
    inbox.publish(event(3))
    inbox.ring()
    assert bell.calls == 1

    inbox.silence()
    inbox.publish(event(4))

    assert bell.calls == 2


def test_the_bell_is_silent_for_at_most_a_second(inbox: Inbox, client: redis.Redis) -> None:
    inbox.ring()

    assert 0 < client.pttl("fieldfare:bell") <= 1000


def test_a_client_that_decodes_is_refused(broker: RedisServer) -> None:
    with broker.client() as decoding, pytest.raises(ValueError, match="decode_responses=False"):
        Inbox(decoding, lambda: None)


# Reading


def test_an_entry_goes_to_one_consumer(inbox: Inbox) -> None:
    inbox.publish_many(event(number) for number in range(1, 101))

    with ThreadPoolExecutor(2) as pool:
        shares = list(pool.map(lambda name: inbox.read(name, 10), ["a", "b"] * 6))

    read = [ticket for share in shares for ticket in tickets(share)]
    assert sorted(read, key=int) == [str(number) for number in range(1, 101)]


def test_a_batch_has_the_size_that_is_set(client: redis.Redis, bell: Bell) -> None:
    inbox = Inbox(client, bell, InboxSettings(batch=3))
    inbox.publish_many(event(number) for number in range(5))

    assert [len(inbox.read("a")), len(inbox.read("a")), len(inbox.read("a"))] == [3, 2, 0]


def test_an_empty_inbox_gives_nothing(inbox: Inbox) -> None:
    assert inbox.read("a") == []
    assert inbox.held("a") == []
    assert inbox.returned("a") is None


def test_an_entry_knows_when_it_arrived_by_the_servers_clock(inbox: Inbox) -> None:
    with_time = Entry("1700000000123-4", {})

    assert with_time.time == datetime(2023, 11, 14, 22, 13, 20, 123000, tzinfo=UTC)


def test_an_id_from_the_far_future_is_no_crash(inbox: Inbox, client: redis.Redis) -> None:
    client.xadd("fieldfare:events", {"type": "ticket.created"}, id="18446744073709551000-1")

    assert inbox.read("a")[0].time.year == 9999


def test_the_repr_of_an_entry_shows_no_fields() -> None:
    assert "secret" not in repr(Entry("1-0", {"note": "secret"}))


def test_after_flushall_events_are_read_again(inbox: Inbox, broker: RedisServer) -> None:
    inbox.publish(event(1))
    inbox.read("a")
    broker.flush()

    inbox.publish(event(2))

    assert tickets(inbox.read("a")) == ["2"]


@pytest.mark.parametrize("method", ["held", "returned", "renew"])
def test_after_flushall_every_way_of_reading_goes_on(
    inbox: Inbox, broker: RedisServer, method: str
) -> None:
    inbox.publish(event(1))
    inbox.read("a")
    broker.flush()

    assert not getattr(inbox, method)("a")


def test_after_flushall_what_was_in_hand_can_be_disposed_of(
    inbox: Inbox, broker: RedisServer, client: redis.Redis
) -> None:
    inbox.publish_many([event(1), event(2), event(3)])
    one, two, three = inbox.read("a")
    broker.flush()

    inbox.settle([one.id])
    assert inbox.wait([two], "1", "down") == 0
    assert inbox.park(three, "malformed", "E", "m") is False
    assert client.xlen("fieldfare:events") == 0


# Renewing, holding, taking over


def test_what_is_held_is_given_again_without_counting(inbox: Inbox) -> None:
    inbox.publish_many([event(1), event(2)])
    read = inbox.read("a")

    assert inbox.held("a") == read
    assert inbox.held("a") == read
    assert inbox.held("b") == []


def test_a_held_entry_that_was_deleted_is_no_ghost(inbox: Inbox, client: redis.Redis) -> None:
    inbox.publish_many([event(1), event(2)])
    first, second = inbox.read("a")
    client.xdel("fieldfare:events", first.id)

    assert inbox.held("a") == [second]
    assert stats(inbox).pending == {"a": 1}


def test_abandoned_entries_come_back_one_by_one_and_counted(
    client: redis.Redis, bell: Bell
) -> None:
    inbox = Inbox(client, bell, AT_ONCE)
    inbox.publish_many([event(1), event(2)])
    inbox.read("dead")

    one = until(lambda: inbox.returned("b"))
    inbox.settle([one.id])
    two = until(lambda: inbox.returned("b"))
    inbox.settle([two.id])

    assert tickets([one, two]) == ["1", "2"]
    assert [one.deliveries, two.deliveries] == [2, 2]
    assert inbox.returned("b") is None


def test_deliveries_go_up_with_every_consumer_that_dies(client: redis.Redis, bell: Bell) -> None:
    inbox = Inbox(client, bell, AT_ONCE)
    inbox.publish(event(1))
    inbox.read("a")

    seen = [until(lambda: inbox.returned("b")).deliveries for _ in range(3)]

    assert seen == [2, 3, 4]


def test_an_abandoned_entry_that_was_deleted_is_no_ghost(client: redis.Redis, bell: Bell) -> None:
    inbox = Inbox(client, bell, AT_ONCE)
    inbox.publish_many([event(1), event(2)])
    first, _ = inbox.read("dead")
    client.xdel("fieldfare:events", first.id)

    assert until(lambda: inbox.returned("b")).fields == event(2)
    assert stats(inbox).pending == {"b": 1}


def test_a_consumer_that_renews_is_not_robbed(inbox: Inbox, client: redis.Redis) -> None:
    inbox.publish_many([event(1), event(2)])
    held = inbox.read("slow")
    long_ago = [entry.id for entry in held]
    client.xclaim("fieldfare:events", "fieldfare", "slow", 0, long_ago, idle=14_900, justid=True)

    assert inbox.renew("slow") == 2

    idle = client.xpending_range("fieldfare:events", "fieldfare", "-", "+", 10)
    assert all(row["time_since_delivered"] < 10_000 for row in idle)
    assert [row["times_delivered"] for row in idle] == [1, 1]
    assert inbox.returned("b") is None


def test_what_was_not_renewed_in_time_is_taken_over(inbox: Inbox, client: redis.Redis) -> None:
    inbox.publish(event(1))
    ids = [entry.id for entry in inbox.read("slow")]
    client.xclaim("fieldfare:events", "fieldfare", "slow", 0, ids, idle=15_000, justid=True)

    taken = inbox.returned("b")

    assert taken is not None
    assert inbox.renew("slow") == 0, "renewing does not rob it back"
    assert stats(inbox).pending == {"b": 1}


def test_two_consumers_do_not_take_over_the_same_entry(inbox: Inbox, client: redis.Redis) -> None:
    inbox.publish_many(event(number) for number in range(20))
    ids = [entry.id for entry in inbox.read("dead")]
    client.xclaim("fieldfare:events", "fieldfare", "dead", 0, ids, idle=15_000, justid=True)

    with ThreadPoolExecutor(4) as pool:
        taken = list(pool.map(inbox.returned, ["a", "b", "c", "d"] * 6))

    assert sorted(entry.id for entry in taken if entry) == sorted(ids)


# Leaving


def test_what_is_settled_is_gone(inbox: Inbox, client: redis.Redis) -> None:
    inbox.publish_many([event(1), event(2)])
    first, second = inbox.read("a")

    inbox.settle([first.id, second.id], {1: 77, 2: 78})
    inbox.settle([first.id])

    assert client.xlen("fieldfare:events") == 0
    assert stats(inbox).pending == {}
    assert handled.read(client, [1, 2, 3]) == {1: 77, 2: 78}


def test_settling_leaves_what_others_hold(inbox: Inbox) -> None:
    inbox.publish_many([event(1), event(2)])
    mine, theirs = inbox.read("a", 1), inbox.read("b", 1)

    inbox.settle([mine[0].id])

    assert inbox.held("b") == theirs


def test_waiting_events_come_back_oldest_first(inbox: Inbox, bell: Bell) -> None:
    inbox.publish_many([event(1), event(2)])
    first, second = inbox.read("a")
    inbox.wait([first], "3", "SourceUnavailable: timeout")
    inbox.wait([second], "3", "SourceUnavailable: timeout")
    assert inbox.lengths() == (0, {"3": 2})
    assert stats(inbox).waiting == {"3": 2}
    inbox.silence()
    inbox.publish(event(3))
    inbox.silence()

    assert inbox.release("3") == 2

    back = inbox.read("a")
    assert tickets(back) == ["3", "1", "2"]
    assert [entry.first_id for entry in back[1:]] == [first.id, second.id]
    assert back[1].time == first.time
    assert bell.calls == 3
    assert inbox.lengths() == (3, {})


def test_the_first_slot_has_a_waiting_room_too(inbox: Inbox) -> None:
    inbox.publish(event(1))
    inbox.wait(inbox.read("a"), "", "down")

    assert inbox.lengths() == (0, {"": 1})
    assert inbox.release("") == 1


def test_no_more_are_released_than_asked_for_and_none_that_came_later(
    inbox: Inbox, broker: RedisServer
) -> None:
    inbox.publish_many(event(number) for number in range(5))
    inbox.wait(inbox.read("a"), "1", "down")
    with broker.client() as client:
        now = client.time()[0]

    assert inbox.release("1", before=now - 10.0) == 0
    assert inbox.release("1", most=0) == 0
    assert inbox.release("1", most=2, before=now + 10.0) == 2
    assert tickets(inbox.read("a")) == ["0", "1"]
    assert inbox.lengths() == (2, {"1": 3})


def test_releasing_an_empty_room_rings_nobody(inbox: Inbox, bell: Bell) -> None:
    assert inbox.release("4") == 0
    assert bell.calls == 0


def test_many_are_released_in_portions(inbox: Inbox, broker: RedisServer) -> None:
    inbox.publish_many(event(number) for number in range(450))
    inbox.wait(inbox.read("a", 450), "1", "down")

    assert inbox.release("1") == 450

    assert tickets(inbox.read("a", 450)) == [str(number) for number in range(450)]
    with broker.client() as client:
        assert client.info("commandstats")["cmdstat_evalsha"]["calls"] >= 3


def test_an_event_waits_in_one_room_only(inbox: Inbox) -> None:
    inbox.publish(event(1))
    entries = inbox.read("a")

    assert inbox.wait(entries, "1", "down") == 1
    assert inbox.wait(entries, "2", "down") == 0
    assert stats(inbox).waiting == {"1": 1}


def test_what_is_given_back_goes_behind_the_others_uncounted(inbox: Inbox) -> None:
    inbox.publish_many([event(1), event(2)])
    entries = inbox.read("a", 1)

    assert inbox.give_back(entries) == 1

    back = inbox.read("a")
    assert tickets(back) == ["2", "1"]
    assert (back[1].attempts, back[1].deliveries) == (0, 1)
    assert back[1].first_id == entries[0].id


def test_the_fifth_failure_parks_an_entry(inbox: Inbox) -> None:
    first_id = inbox.publish(event(1))

    parked = []
    attempts = []
    for _ in range(5):
        (entry,) = inbox.read("a")
        attempts.append(entry.attempts)
        parked.append(inbox.fail(entry, "KeyError", "plan.py:10 in plan"))

    assert attempts == [0, 1, 2, 3, 4]
    assert parked == [False, False, False, False, True]
    assert inbox.read("a") == []
    (letter,) = dead_letters.read(inbox)
    assert letter.fields == event(1)
    assert letter.reason == "failed"
    assert letter.error == "KeyError"
    assert letter.message == "plan.py:10 in plan"
    assert letter.attempts == 5
    assert letter.arrived == Entry(first_id, {}).time


def test_attempts_survive_the_waiting_room_and_a_conflict(inbox: Inbox) -> None:
    inbox.publish(event(1))
    inbox.fail(inbox.read("a")[0], "E", "m")
    inbox.wait(inbox.read("a"), "1", "down")
    inbox.release("1")
    inbox.give_back(inbox.read("a"))

    assert inbox.read("a")[0].attempts == 1


def test_two_consumers_cannot_park_an_entry_twice(inbox: Inbox) -> None:
    inbox.publish(event(1))
    (entry,) = inbox.read("a")

    with ThreadPoolExecutor(4) as pool:
        parked = list(pool.map(lambda _: inbox.park(entry, "failed", "E", "m"), range(8)))

    assert sorted(parked) == [False] * 7 + [True]
    assert stats(inbox).dead == 1


def test_what_was_settled_by_another_consumer_is_not_parked(inbox: Inbox) -> None:
    inbox.publish(event(1))
    (entry,) = inbox.read("a")
    inbox.settle([entry.id])

    assert inbox.park(entry, "failed", "E", "m") is False
    assert inbox.fail(entry, "E", "m") is False
    assert inbox.give_back([entry]) == 0
    assert stats(inbox).length == 0
    assert stats(inbox).dead == 0


def test_a_full_memory_takes_nothing_out_of_the_inbox(inbox: Inbox, client: redis.Redis) -> None:
    inbox.publish_many([event(1), event(2)])
    entries = inbox.read("a")
    client.config_set("maxmemory", 1)
    try:
        with pytest.raises(redis.exceptions.OutOfMemoryError):
            inbox.wait(entries, "1", "down")
        inbox.settle([entries[1].id], {2: 5})
    finally:
        client.config_set("maxmemory", 0)

    assert inbox.held("a") == entries[:1]
    assert stats(inbox).length == 1, "settling makes room"


def test_a_reason_is_bounded_and_may_hold_any_text(inbox: Inbox) -> None:
    inbox.publish(event(1))
    inbox.park(inbox.read("a")[0], "failed", "E", "\ud800" + "x" * 9000)

    assert dead_letters.read(inbox)[0].message == "?" + "x" * 499


# What cannot be read


@pytest.mark.parametrize(
    ("fields", "problem"),
    [
        ({b"type": b"ticket.created", b"ticket_id": b"\xff"}, "a field is not UTF-8"),
        ({b"\xfe": b"1"}, "a field is not UTF-8"),
        ({str(number).encode(): b"x" for number in range(65)}, "more than 64 fields"),
        ({b"ticket_id": b"x" * 65_537}, "a field of more than 65536 bytes"),
    ],
)
def test_what_cannot_be_read_is_parked_and_holds_nothing_up(
    inbox: Inbox, client: redis.Redis, fields: dict[bytes, bytes], problem: str
) -> None:
    client.xadd("fieldfare:events", fields)
    inbox.publish(event(2))

    assert tickets(inbox.read("a", 1)) == ["2"]

    (letter,) = dead_letters.read(inbox)
    assert (letter.reason, letter.message) == ("malformed", problem)
    assert stats(inbox).pending == {"a": 1}


@pytest.mark.parametrize(
    "fields",
    [
        {str(number): "x" for number in range(5000)},
        {"ticket_id": "x" * 1_000_000},
    ],
)
def test_what_is_too_large_is_cut_and_stays_malformed_when_replayed(
    inbox: Inbox, client: redis.Redis, fields: dict[str, str]
) -> None:
    client.xadd("fieldfare:events", fields)
    assert inbox.read("a") == []
    (row,) = client.xrange("fieldfare:dead")
    assert sum(len(name) + len(value) for name, value in row[1].items()) < 70_000

    assert len(dead_letters.replay(inbox, [row[0].decode()])) == 1

    assert inbox.read("a") == []
    assert [letter.reason for letter in dead_letters.read(inbox)] == ["malformed"]


def test_an_event_of_the_largest_size_is_read(inbox: Inbox) -> None:
    fields = {str(number): "x" for number in range(63)} | {"ticket_id": "x" * 65_536}
    inbox.publish(fields)

    assert inbox.read("a")[0].fields == fields


def test_lone_surrogates_of_a_producer_end_as_malformed(inbox: Inbox) -> None:
    inbox.publish({"type": "ticket.created", "ticket_id": "\ud800"})

    assert inbox.read("a") == []
    assert [letter.reason for letter in dead_letters.read(inbox)] == ["malformed"]


def test_forged_notes_cannot_do_harm(inbox: Inbox, client: redis.Redis) -> None:
    client.xadd(
        "fieldfare:events",
        {
            **event(1),
            "fieldfare.origin": "not an id",
            "fieldfare.attempts": "-7 or so",
            "fieldfare.reason": "x",
        },
    )

    (entry,) = inbox.read("a")

    assert entry == Entry(entry.id, event(1))
    inbox.fail(entry, "E", "m")
    assert inbox.read("a")[0].attempts == 1


# Looking after it


def test_dead_letters_are_listed_in_pages(inbox: Inbox) -> None:
    inbox.publish_many(event(number) for number in range(3))
    for entry in inbox.read("a"):
        inbox.park(entry, "failed", "E", "m")

    first = dead_letters.read(inbox, count=2)
    second = dead_letters.read(inbox, after=first[-1].id, count=2)

    assert [letter.fields["ticket_id"] for letter in first + second] == ["0", "1", "2"]


def test_a_replayed_letter_is_tried_anew(inbox: Inbox, bell: Bell) -> None:
    inbox.publish(event(1))
    (entry,) = inbox.read("a")
    inbox.park(entry, "failed", "E", "m", attempts=5)
    (letter,) = dead_letters.read(inbox)
    inbox.silence()

    assert dead_letters.replay(inbox, [letter.id, "1-1"]) == [letter.id]
    assert dead_letters.replay(inbox, [letter.id]) == []
    assert dead_letters.replay(inbox, []) == []

    (back,) = inbox.read("a")
    assert (back.fields, back.attempts, back.first_id) == (event(1), 0, entry.id)
    assert dead_letters.read(inbox) == []
    assert bell.calls == 2


def test_a_dropped_letter_is_gone(inbox: Inbox) -> None:
    inbox.publish(event(1))
    inbox.park(inbox.read("a")[0], "failed", "E", "m")
    (letter,) = dead_letters.read(inbox)

    assert dead_letters.drop(inbox, [letter.id, "1-1"]) == [letter.id]
    assert dead_letters.drop(inbox, []) == []
    assert dead_letters.read(inbox) == []


def test_stats_of_an_empty_inbox(inbox: Inbox) -> None:
    numbers = stats(inbox)

    assert (numbers.length, numbers.oldest_seconds, numbers.dead) == (0, None, 0)
    assert (numbers.pending, numbers.waiting) == ({}, {})


def test_stats_tell_length_age_and_owners(inbox: Inbox, client: redis.Redis) -> None:
    seconds, _ = client.time()
    client.xadd("fieldfare:events", event(1), id=f"{(seconds - 100) * 1000}-0")
    inbox.publish_many([event(2), event(3)])
    inbox.read("a", 2)

    numbers = stats(inbox)

    assert numbers.length == 3
    assert numbers.oldest_seconds is not None
    assert 99 < numbers.oldest_seconds < 110
    assert numbers.pending == {"a": 2}


def test_only_idle_consumers_that_hold_nothing_are_removed(inbox: Inbox) -> None:
    inbox.publish_many([event(1), event(2)])
    inbox.read("holder", 1)
    inbox.settle([entry.id for entry in inbox.read("idle")])
    assert inbox.remove_dead_consumers() == [], "nobody is idle for ten minutes"

    removed: list[str] = []
    while not removed:  # until the server's clock has moved a millisecond
        removed = inbox.remove_dead_consumers(idle=0)

    assert removed == ["idle"]
    assert stats(inbox).pending == {"holder": 1}


def test_marks_outside_the_look_back_are_trimmed(inbox: Inbox, client: redis.Redis) -> None:
    handled.write(client, {ticket: ticket for ticket in range(1, 3001)})

    assert handled.trim(client, below=2001) == 2000

    assert handled.read(client, [2000, 2001, 3000]) == {2001: 2001, 3000: 3000}
    assert handled.read(client, []) == {}
    handled.write(client, {})
