"""The drain with a plain function as handler, over real brokers."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from threading import Event

import pytest
import redis
from celery.exceptions import SoftTimeLimitExceeded
from structlog.testing import capture_logs

from tests.clock import Clock
from tests.inbox_stats import Stats, stats
from tests.servers import RedisServer
from worker import dead_letters, handled
from worker.drain import Consumer, drain, new_consumer
from worker.inbox import Entry, Inbox, connect
from worker.outcomes import DISPOSITIONS, Kind, Outcome
from worker.settings import InboxSettings
from worker.tickets.store import TicketDatabaseMisfit, TicketDatabaseUnavailable


class Bell:
    """Counts wake-up calls."""

    def __init__(self) -> None:
        self.calls = 0

    def __call__(self) -> None:
        self.calls += 1


class Handler:
    """Records the tickets of each batch and gives every entry the same kind of outcome."""

    def __init__(self, kind: Kind = Kind.WRITTEN) -> None:
        self.kind = kind
        self.batches: list[list[str]] = []

    def __call__(self, entries: Sequence[Entry]) -> list[Outcome]:
        self.batches.append([entry.fields["ticket_id"] for entry in entries])
        return [self.outcome(entry) for entry in entries]

    def outcome(self, entry: Entry) -> Outcome:
        return Outcome(entry.id, int(entry.fields["ticket_id"]), self.kind)


@pytest.fixture
def bell() -> Bell:
    return Bell()


@pytest.fixture
def client(broker: RedisServer) -> redis.Redis:
    return connect(broker.url)


@pytest.fixture
def inbox(client: redis.Redis, bell: Bell) -> Inbox:
    return Inbox(client, bell, InboxSettings(batch=4))


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def consumer() -> Consumer:
    return new_consumer()


def fill(inbox: Inbox, count: int) -> None:
    inbox.publish_many(
        {"type": "ticket.created", "ticket_id": str(number)} for number in range(1, count + 1)
    )


def abandon(inbox: Inbox, consumer: str = "dead") -> None:
    """Make what a consumer holds look as if it had not been renewed for long."""
    ids = [entry.id for entry in inbox.held(consumer)]
    inbox.client.xclaim("fieldfare:events", "fieldfare", consumer, 0, ids, idle=60_000, justid=True)


def empty(numbers: Stats) -> bool:
    return (numbers.length, dict(numbers.pending)) == (0, {})


def test_the_inbox_is_emptied_in_batches(inbox: Inbox, consumer: Consumer, clock: Clock) -> None:
    fill(inbox, 10)
    handler = Handler()

    assert drain(inbox, consumer, handler, clock) == 10

    assert handler.batches == [["1", "2", "3", "4"], ["5", "6", "7", "8"], ["9", "10"]]
    assert empty(stats(inbox))


@pytest.mark.parametrize("kind", [Kind.WRITTEN, Kind.UNCHANGED, Kind.KEPT, Kind.NO_SUCH_TICKET])
def test_a_known_outcome_settles(
    inbox: Inbox, consumer: Consumer, clock: Clock, kind: Kind
) -> None:
    fill(inbox, 1)

    drain(inbox, consumer, Handler(kind), clock)

    assert empty(stats(inbox))
    assert stats(inbox).dead == 0


def test_every_kind_of_outcome_has_a_disposition() -> None:
    assert set(DISPOSITIONS) == set(Kind)


def test_settling_marks_the_tickets_that_were_looked_at(
    inbox: Inbox, consumer: Consumer, clock: Clock
) -> None:
    fill(inbox, 2)

    def handle(entries: Sequence[Entry]) -> list[Outcome]:
        return [
            Outcome(entries[0].id, 1, Kind.WRITTEN, history_id=70),
            Outcome(entries[1].id, 2, Kind.NO_SUCH_TICKET),
        ]

    drain(inbox, consumer, handle, clock)

    assert handled.read(inbox.client, [1, 2]) == {1: 70}


def test_events_of_a_silent_source_wait_and_the_others_do_not(
    inbox: Inbox, consumer: Consumer, clock: Clock
) -> None:
    fill(inbox, 3)

    def handle(entries: Sequence[Entry]) -> list[Outcome]:
        one, two, three = entries
        return [
            Outcome(one.id, 1, Kind.WAITING, slot="", reason="down"),
            Outcome(two.id, 2, Kind.WRITTEN),
            Outcome(three.id, 3, Kind.WAITING, slot="7", reason="down"),
        ]

    drain(inbox, consumer, handle, clock)

    assert empty(stats(inbox))
    assert stats(inbox).waiting == {"": 1, "7": 1}


def test_a_malformed_event_is_parked_with_its_reason(
    inbox: Inbox, consumer: Consumer, clock: Clock
) -> None:
    fill(inbox, 1)

    def handle(entries: Sequence[Entry]) -> list[Outcome]:
        return [Outcome(entries[0].id, None, Kind.MALFORMED, reason="ticket_id: too large")]

    drain(inbox, consumer, handle, clock)

    assert empty(stats(inbox))
    (letter,) = dead_letters.read(inbox)
    assert (letter.reason, letter.message) == ("malformed", "ticket_id: too large")


def test_a_conflict_is_tried_again_by_the_next_drain_and_never_counted(
    inbox: Inbox, consumer: Consumer, clock: Clock
) -> None:
    fill(inbox, 1)
    handler = Handler(Kind.CONFLICT)

    for _ in range(8):
        drain(inbox, consumer, handler, clock)
    handler.kind = Kind.WRITTEN
    drain(inbox, consumer, handler, clock)

    assert handler.batches == [["1"]] * 9
    assert empty(stats(inbox))
    assert stats(inbox).dead == 0


def test_what_goes_back_does_not_hold_up_the_others(
    inbox: Inbox, consumer: Consumer, clock: Clock
) -> None:
    fill(inbox, 6)
    handled_tickets: list[str] = []

    def handle(entries: Sequence[Entry]) -> list[Outcome]:
        handled_tickets.extend(entry.fields["ticket_id"] for entry in entries)
        return [
            Outcome(
                entry.id,
                None,
                Kind.CONFLICT if entry.fields["ticket_id"] == "1" else Kind.WRITTEN,
            )
            for entry in entries
        ]

    drain(inbox, consumer, handle, clock)

    assert handled_tickets == ["1", "2", "3", "4", "5", "6"]
    assert stats(inbox).length == 1


def test_one_bad_event_does_not_fail_the_others(
    inbox: Inbox, consumer: Consumer, clock: Clock
) -> None:
    fill(inbox, 4)
    good: list[str] = []

    def handle(entries: Sequence[Entry]) -> list[Outcome]:
        tickets = [entry.fields["ticket_id"] for entry in entries]
        if "3" in tickets:
            secret = "Jane Doe"
            raise KeyError(secret)
        good.extend(tickets)
        return [Outcome(entry.id, None, Kind.WRITTEN) for entry in entries]

    for _ in range(5):
        drain(inbox, consumer, handle, clock)

    assert good == ["1", "2", "4"]
    assert empty(stats(inbox))
    (letter,) = dead_letters.read(inbox)
    assert letter.fields["ticket_id"] == "3"
    assert (letter.reason, letter.error, letter.attempts) == ("failed", "KeyError", 5)
    assert "test_drain.py" in letter.message
    assert "Jane" not in letter.message


def test_a_failed_event_is_tried_once_in_a_drain(
    inbox: Inbox, consumer: Consumer, clock: Clock
) -> None:
    fill(inbox, 1)
    handler = Handler(Kind.FAILED)

    drain(inbox, consumer, handler, clock)

    assert handler.batches == [["1"]]
    assert stats(inbox).length == 1


def test_a_handler_that_forgets_an_entry_loses_nothing(
    inbox: Inbox, consumer: Consumer, clock: Clock
) -> None:
    fill(inbox, 2)

    def handle(entries: Sequence[Entry]) -> list[Outcome]:
        return [
            Outcome(entry.id, None, Kind.WRITTEN)
            for entry in entries
            if entry.fields["ticket_id"] != "2"
        ]

    for _ in range(5):
        drain(inbox, consumer, handle, clock)

    assert [letter.error for letter in dead_letters.read(inbox)] == ["IncompleteOutcomesError"]
    assert empty(stats(inbox))


@pytest.mark.parametrize(
    "error",
    [
        TicketDatabaseUnavailable("OperationalError: connection refused"),
        TicketDatabaseMisfit("table ticket is missing"),
        redis.ConnectionError("gone"),
        redis.TimeoutError("slow"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_an_outage_ends_the_drain_and_counts_nothing(
    inbox: Inbox, consumer: Consumer, clock: Clock, error: Exception
) -> None:
    fill(inbox, 6)
    seen: list[int] = []

    def out_of_order(entries: Sequence[Entry]) -> list[Outcome]:
        seen.append(len(entries))
        raise error

    with capture_logs() as logs:
        for _ in range(9):
            assert drain(inbox, consumer, out_of_order, clock) == 0
        handler = Handler()
        drain(inbox, consumer, handler, clock)

    assert seen == [4] * 9, "nothing is read beyond the batch at hand"
    assert handler.batches == [["1", "2", "3", "4"], ["5", "6"]]
    assert empty(stats(inbox))
    assert stats(inbox).dead == 0
    assert [(line["event"], line["log_level"]) for line in logs] == [
        ("drain.interrupted", "warning"),
        ("drain.resumed", "info"),
    ]


def test_an_outage_that_becomes_another_is_logged_again(
    inbox: Inbox, consumer: Consumer, clock: Clock
) -> None:
    fill(inbox, 1)
    errors = [TicketDatabaseUnavailable("away"), TicketDatabaseMisfit("no table ticket")]

    def out_of_order(_: Sequence[Entry]) -> list[Outcome]:
        raise errors[0]

    with capture_logs() as logs:
        drain(inbox, consumer, out_of_order, clock)
        del errors[0]
        drain(inbox, consumer, out_of_order, clock)
        drain(inbox, consumer, out_of_order, clock)

    assert [line["error"] for line in logs] == ["TicketDatabaseUnavailable", "TicketDatabaseMisfit"]


def test_a_batch_that_takes_too_long_is_nobodys_fault_and_each_gets_its_own_time(
    inbox: Inbox, consumer: Consumer, clock: Clock
) -> None:
    fill(inbox, 3)
    handler = Handler()

    def slow(_entries: Sequence[Entry]) -> list[Outcome]:
        raise SoftTimeLimitExceeded

    with capture_logs() as logs:
        assert drain(inbox, consumer, slow, clock) == 0
    assert [line["event"] for line in logs] == ["drain.out_of_time"]
    assert {entry.attempts for entry in inbox.held(consumer.name)} == {0}

    assert drain(inbox, consumer, handler, clock) == 3
    assert handler.batches == [["1"], ["2"], ["3"]]
    assert empty(stats(inbox))


def test_an_event_that_always_takes_too_long_is_parked_and_holds_up_no_other(
    inbox: Inbox, consumer: Consumer, clock: Clock
) -> None:
    fill(inbox, 3)
    handler = Handler()

    def handle(entries: Sequence[Entry]) -> list[Outcome]:
        if any(entry.fields["ticket_id"] == "2" for entry in entries):
            raise SoftTimeLimitExceeded
        return handler(entries)

    drains = 0
    while not empty(stats(inbox)):
        drain(inbox, consumer, handle, clock)
        drains += 1
        assert drains < 10

    assert handler.batches == [["1"], ["3"]]
    (letter,) = dead_letters.read(inbox)
    assert (letter.reason, letter.fields["ticket_id"]) == ("killed_workers", "2")
    # Once with the others, and then as often alone as any other event is tried.
    assert drains == 1 + inbox.settings.max_attempts + 1


def test_what_is_handled_alone_leaves_a_drain_that_is_over_to_the_next(
    inbox: Inbox, consumer: Consumer, clock: Clock, bell: Bell
) -> None:
    fill(inbox, 3)
    inbox.set_apart(inbox.read(consumer.name), consumer.name)
    inbox.silence()
    handler = Handler()

    def handle(entries: Sequence[Entry]) -> list[Outcome]:
        clock.now += inbox.settings.drain_seconds
        return handler(entries)

    assert drain(inbox, consumer, handle, clock) == 1
    assert bell.calls == 2, "the producer's call, and the one for the rest"


@contextmanager
def full(client: redis.Redis) -> Iterator[None]:
    """A Redis that has no room for anything more."""
    client.config_set("maxmemory", 1)
    try:
        yield
    finally:
        client.config_set("maxmemory", 0)


def test_a_full_redis_is_emptied(
    inbox: Inbox, client: redis.Redis, consumer: Consumer, clock: Clock
) -> None:
    drain(inbox, consumer, Handler(), clock)  # makes the group, for which there is still room
    fill(inbox, 10)

    with full(client):
        assert drain(inbox, consumer, Handler(), clock) == 10

    assert empty(stats(inbox))


def test_a_full_redis_settles_what_is_beside_an_event_that_waits(
    inbox: Inbox, client: redis.Redis, consumer: Consumer, clock: Clock
) -> None:
    drain(inbox, consumer, Handler(), clock)
    fill(inbox, 3)

    def second_waits(entries: Sequence[Entry]) -> list[Outcome]:
        kinds = {"2": Kind.WAITING}
        return [
            Outcome(entry.id, 1, kinds.get(entry.fields["ticket_id"], Kind.WRITTEN), slot="1")
            for entry in entries
        ]

    with full(client):
        drain(inbox, consumer, second_waits, clock)

    assert consumer.outage == "OutOfMemoryError"
    assert [entry.fields["ticket_id"] for entry in inbox.held(consumer.name)] == ["2"]


def test_a_redis_that_is_away_ends_the_drain(
    broker: RedisServer, consumer: Consumer, clock: Clock
) -> None:
    impatient = redis.Redis.from_url(
        broker.url, retry=redis.retry.Retry(redis.backoff.NoBackoff(), 0)
    )
    inbox = Inbox(impatient, lambda: None)
    fill(inbox, 1)
    broker.kill()
    handler = Handler()
    try:
        assert drain(inbox, consumer, handler, clock) == 0
        assert consumer.outage == "ConnectionError"
    finally:
        broker.start()

    drain(inbox, consumer, handler, clock)

    assert handler.batches == [["1"]]
    assert consumer.outage == ""


def test_what_a_dead_consumer_left_is_handled_one_by_one(
    inbox: Inbox, consumer: Consumer, clock: Clock
) -> None:
    fill(inbox, 3)
    inbox.read("dead")
    abandon(inbox)
    inbox.publish_many([{"ticket_id": "4"}, {"ticket_id": "5"}])
    handler = Handler()

    drain(inbox, consumer, handler, clock)

    assert handler.batches == [["1"], ["2"], ["3"], ["4", "5"]]
    assert empty(stats(inbox))


def test_the_heritage_of_the_dead_leaves_time_for_what_is_fresh(
    inbox: Inbox, consumer: Consumer, clock: Clock
) -> None:
    fill(inbox, 4)
    inbox.read("dead")
    abandon(inbox)
    inbox.publish({"ticket_id": "5"})
    handler = Handler()

    def slow(entries: Sequence[Entry]) -> list[Outcome]:
        clock.now += 0.6
        return handler(entries)

    drain(inbox, consumer, slow, clock)

    assert handler.batches == [["1"], ["2"], ["5"]]


def test_an_event_that_kills_its_workers_is_parked_after_five_lone_tries(
    inbox: Inbox, clock: Clock
) -> None:
    fill(inbox, 2)
    inbox.read("dead")
    abandon(inbox)
    tries = []

    class Killed(BaseException):
        """Ends a drain as a kill would: nothing is cleaned up."""

    def deadly(entries: Sequence[Entry]) -> list[Outcome]:
        tries.append([entry.fields["ticket_id"] for entry in entries])
        if entries[0].fields["ticket_id"] == "1":
            raise Killed
        return [Outcome(entry.id, None, Kind.WRITTEN) for entry in entries]

    for _ in range(5):
        victim = new_consumer()
        with pytest.raises(Killed):
            drain(inbox, victim, deadly, clock)
        abandon(inbox, victim.name)
    drain(inbox, new_consumer(), deadly, clock)

    assert tries == [["1"]] * 5 + [["2"]]
    (letter,) = dead_letters.read(inbox)
    assert letter.reason == "killed_workers"
    assert letter.fields["ticket_id"] == "1"
    assert empty(stats(inbox))


def test_an_outage_is_no_step_towards_being_poison(
    inbox: Inbox, consumer: Consumer, clock: Clock
) -> None:
    fill(inbox, 1)
    inbox.read("dead")
    abandon(inbox)

    def unavailable(entries: Sequence[Entry]) -> list[Outcome]:
        raise TicketDatabaseUnavailable("away")

    for _ in range(20):
        drain(inbox, consumer, unavailable, clock)
    handler = Handler()
    drain(inbox, consumer, handler, clock)

    assert handler.batches == [["1"]]
    assert stats(inbox).dead == 0


def test_restarts_in_an_outage_are_no_step_towards_being_poison(inbox: Inbox, clock: Clock) -> None:
    fill(inbox, 1)

    def unavailable(entries: Sequence[Entry]) -> list[Outcome]:
        raise TicketDatabaseUnavailable("away")

    for _ in range(10):
        restarted = new_consumer()
        drain(inbox, restarted, unavailable, clock)
        abandon(inbox, restarted.name)
    handler = Handler()
    drain(inbox, new_consumer(), handler, clock)

    assert handler.batches == [["1"]]
    assert stats(inbox).dead == 0


def test_a_slow_handler_keeps_what_it_holds(
    client: redis.Redis, consumer: Consumer, clock: Clock
) -> None:
    inbox = Inbox(client, lambda: None, InboxSettings(renew_seconds=0.02, claim_seconds=60))
    fill(inbox, 1)
    idle: list[int] = []

    def slow(entries: Sequence[Entry]) -> list[Outcome]:
        client.xclaim(
            "fieldfare:events",
            "fieldfare",
            consumer.name,
            0,
            [entries[0].id],
            idle=59_000,
            justid=True,
        )
        row = {"time_since_delivered": 59_000}
        while row["time_since_delivered"] >= 59_000:  # until the renewal has come by
            (row,) = client.xpending_range("fieldfare:events", "fieldfare", "-", "+", 1)
        idle.append(row["time_since_delivered"])
        return [Outcome(entries[0].id, None, Kind.WRITTEN)]

    drain(inbox, consumer, slow, clock)

    assert idle[0] < 59_000
    assert empty(stats(inbox))


def test_stopping_finishes_the_batch_at_hand(
    inbox: Inbox, consumer: Consumer, clock: Clock
) -> None:
    fill(inbox, 10)
    stop = Event()
    handler = Handler()

    def told_to_stop(entries: Sequence[Entry]) -> list[Outcome]:
        stop.set()
        return handler(entries)

    assert drain(inbox, consumer, told_to_stop, clock, stop.is_set) == 4

    assert handler.batches == [["1", "2", "3", "4"]]
    assert stats(inbox).length == 6
    assert stats(inbox).pending == {}


def test_a_worker_that_stops_takes_nothing_up(
    inbox: Inbox, consumer: Consumer, clock: Clock
) -> None:
    fill(inbox, 1)
    handler = Handler()

    assert drain(inbox, consumer, handler, clock, lambda: True) == 0
    assert handler.batches == []


def test_a_drain_returns_after_two_seconds_and_rings(
    inbox: Inbox, consumer: Consumer, clock: Clock, bell: Bell
) -> None:
    fill(inbox, 11)
    handler = Handler()

    def slow(entries: Sequence[Entry]) -> list[Outcome]:
        clock.now += 1.0
        inbox.silence()
        return handler(entries)

    drain(inbox, consumer, slow, clock)

    assert handler.batches == [["1", "2", "3", "4"], ["5", "6", "7", "8"]]
    assert bell.calls == 4, "by the producer, for two full batches, and at the end"
    assert stats(inbox).length == 3


def test_a_full_batch_calls_others_before_it_is_worked_on(
    inbox: Inbox, consumer: Consumer, clock: Clock, bell: Bell
) -> None:
    fill(inbox, 5)
    calls: list[int] = []

    def handle(entries: Sequence[Entry]) -> list[Outcome]:
        calls.append(bell.calls)
        inbox.silence()
        return [Outcome(entry.id, None, Kind.WRITTEN) for entry in entries]

    drain(inbox, consumer, handle, clock)

    assert calls == [2, 2], "the producer's call, the one for the full batch, none for the rest"


def test_an_event_that_comes_while_the_drain_works_rings_again(
    inbox: Inbox, consumer: Consumer, clock: Clock, bell: Bell
) -> None:
    fill(inbox, 1)
    assert bell.calls == 1

    def handle(entries: Sequence[Entry]) -> list[Outcome]:
        if entries[0].fields["ticket_id"] == "1":
            inbox.publish({"ticket_id": "2"})
        return [Outcome(entry.id, None, Kind.WRITTEN) for entry in entries]

    drain(inbox, consumer, handle, clock)

    assert bell.calls == 2


def commands_of(broker: RedisServer, work: Callable[[], object]) -> list[str]:
    """The commands that clients sent while something was done, in order."""
    with broker.client() as watcher, broker.client() as marker, watcher.monitor() as monitor:
        work()
        marker.echo("that is all")
        seen: list[str] = []
        while True:
            command = monitor.next_command()
            name = command["command"].split()[0].upper()
            if name == "ECHO":
                return seen
            if command["client_type"] != "lua" and name not in {"CLIENT", "HELLO", "SELECT"}:
                seen.append(name)


def test_a_batch_costs_six_commands(broker: RedisServer, consumer: Consumer) -> None:
    inbox = Inbox(connect(broker.url), lambda: None)
    fill(inbox, 1)
    drain(inbox, consumer, Handler())  # the scripts are known from now on
    fill(inbox, 150)
    consumer.look_for_abandoned_at = 0

    seen = commands_of(broker, lambda: drain(inbox, consumer, Handler()))

    assert seen == [
        "DEL",  # the bell
        "EVALSHA",  # what is in our hands
        "EVALSHA",  # what a dead consumer left; looked for every five seconds
        "XREADGROUP",
        "EVALSHA",  # settles the batch
        "XREADGROUP",  # nothing more
    ]


def test_a_full_batch_costs_three_more_commands(broker: RedisServer, consumer: Consumer) -> None:
    inbox = Inbox(connect(broker.url), lambda: None)
    fill(inbox, 1)
    drain(inbox, consumer, Handler())
    fill(inbox, 400)

    seen = commands_of(broker, lambda: drain(inbox, consumer, Handler()))

    assert seen == [
        *("DEL", "EVALSHA"),
        *("XREADGROUP", "SET", "EVALSHA"),
        *("XREADGROUP", "SET", "EVALSHA"),
        "XREADGROUP",
    ]


def test_consumers_of_one_process_have_names_of_their_own() -> None:
    assert new_consumer().name != new_consumer().name
