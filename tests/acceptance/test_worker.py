"""A real worker on PostgreSQL and slapd: killed in the middle, stopped, left without servers."""

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import pytest
from sqlalchemy import create_engine, text

from tests.acceptance.conftest import FIELDS, Installation
from tests.acceptance.processes import Cli, Daemon, running, until
from tests.otobo import AGENT, WORKER

COUNT = 300


class Everything:
    """What stands in the ticket database, read in three statements whatever there is."""

    def __init__(self, installation: Installation) -> None:
        with installation.otobo.engine.connect() as connection:
            rows = connection.execute(
                text(
                    "SELECT v.object_id, f.name, v.value_text FROM dynamic_field_value v "
                    "JOIN dynamic_field f ON f.id = v.field_id ORDER BY v.id"
                )
            ).all()
            lines = connection.execute(
                text(
                    "SELECT ticket_id, split_part(name, '%%', 3) FROM ticket_history "
                    f"WHERE create_by = {WORKER} AND history_type_id = 28"
                )
            ).all()
        self.rows = Counter((ticket, field) for ticket, field, _ in rows)
        self.lines = Counter((ticket, field) for ticket, field in lines)
        self.values: dict[int, dict[str, list[object]]] = {}
        for ticket, field, value in rows:
            self.values.setdefault(ticket, {}).setdefault(field, []).append(value)


def make_tickets(installation: Installation, count: int) -> dict[int, str]:
    """Tickets that came by mail, and their customer users."""
    logins = [installation.people[number % 10] for number in range(count)]
    tickets = {installation.otobo.create_ticket(login): login for login in logins}
    for ticket in tickets:
        installation.otobo.add_article(ticket, "EmailCustomer")
    return tickets


def emit(fieldfare: Cli, tickets: Sequence[int]) -> None:
    fieldfare("emit", *map(str, tickets), "--type", "created")


def length(installation: Installation) -> int:
    with installation.redis.client() as client:
        return int(client.xlen("fieldfare:events"))


def pending(installation: Installation) -> int:
    with installation.redis.client() as client:
        groups = client.xinfo_groups("fieldfare:events")
        return sum(group["pending"] for group in groups)


def dead(installation: Installation) -> int:
    with installation.redis.client() as client:
        return int(client.xlen("fieldfare:dead"))


def start_worker(fieldfare: Cli) -> Daemon:
    worker = fieldfare.start("worker", "--concurrency", "1")
    worker.until("worker.started")
    return worker


@contextmanager
def locked(installation: Installation, ticket_id: int) -> Iterator[None]:
    """Somebody holds the row of a ticket, as a long request of the ticket system does."""
    engine = create_engine(installation.ticket_url)
    try:
        with engine.begin() as connection:
            connection.execute(text(f"SELECT 1 FROM ticket WHERE id = {ticket_id} FOR UPDATE"))
            yield
    finally:
        engine.dispose()


def waits_for_lock(installation: Installation) -> bool:
    with installation.otobo.engine.connect() as connection:
        waiting = connection.execute(
            text(
                "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() "
                "AND application_name = 'fieldfare' AND wait_event_type = 'Lock'"
            )
        )
        return bool(waiting.scalar_one())


def is_right(installation: Installation, tickets: dict[int, str]) -> None:
    """Every field once and with its value, and exactly one line for it."""
    found = Everything(installation)
    wanted = {(ticket, field): 1 for ticket in tickets for field in FIELDS}
    assert found.values == {
        ticket: installation.expected(login) for ticket, login in tickets.items()
    }
    assert found.rows == wanted
    assert found.lines == wanted


@pytest.mark.parametrize("hold", ["a ticket is locked", "slapd hangs"])
def test_a_worker_killed_in_the_middle_of_a_batch_loses_nothing_and_doubles_nothing(
    installation: Installation, fieldfare: Cli, hold: str
) -> None:
    installation.write_settings(timeout=30)
    tickets = make_tickets(installation, COUNT)
    ids = sorted(tickets)
    if hold == "slapd hangs":
        victim = start_worker(fieldfare)
        installation.slapd.freeze()
        emit(fieldfare, ids)
        until(lambda: pending(installation) >= 50, "it holds a batch")
        assert Everything(installation).rows == {}
        victim.kill()
        installation.slapd.thaw()
    else:
        with locked(installation, ids[120]):
            emit(fieldfare, ids)
            victim = start_worker(fieldfare)
            until(lambda: waits_for_lock(installation), "it waits in the middle of a batch")
            assert 0 < len(Everything(installation).values) <= 120
            victim.kill()
    assert length(installation) == COUNT, "nothing was settled before its outcome was known"

    start_worker(fieldfare)

    until(lambda: length(installation) == 0, "every event is settled", 120)
    assert dead(installation) == 0
    is_right(installation, tickets)


def test_sigterm_finishes_the_batch_at_hand(installation: Installation, fieldfare: Cli) -> None:
    tickets = make_tickets(installation, COUNT)
    ids = sorted(tickets)
    with locked(installation, ids[120]):
        emit(fieldfare, ids)
        worker = start_worker(fieldfare)
        until(lambda: waits_for_lock(installation), "it waits in the middle of a batch")
        started = worker.descendants()
        worker.terminate()
        worker.until("Warm shutdown")

    assert worker.ended() == 0
    assert not any(map(running, started))
    assert pending(installation) == 0
    done = Everything(installation).values
    assert len(done) >= 200
    assert len(done) + length(installation) == COUNT

    start_worker(fieldfare)
    until(lambda: length(installation) == 0, "the rest is settled")
    is_right(installation, tickets)


def test_an_outage_of_ldap_costs_time_and_no_value(
    installation: Installation, fieldfare: Cli
) -> None:
    tickets = make_tickets(installation, 20)
    for ticket in tickets:
        installation.otobo.insert_value(ticket, "CustomerPhone", value_text="VALUE-old")
    worker = start_worker(fieldfare)
    installation.slapd.stop()
    emit(fieldfare, sorted(tickets))

    with installation.redis.client() as client:
        until(lambda: client.xlen("fieldfare:waiting:1") == 20, "all of them wait")
    assert {value for _, value in phones(installation)} == {"VALUE-old"}
    installation.slapd.start()

    until(lambda: length(installation) == 0 and phones_are_new(installation), "all are written")
    assert dict(phones(installation)) == {
        ticket: login.replace("user", "VALUE-") for ticket, login in tickets.items()
    }
    assert {line["outcome"] for line in worker.lines("ticket.enriched")} == {"waiting", "written"}


def phones(installation: Installation) -> list[tuple[int, object]]:
    values = Everything(installation).values
    return [(ticket, fields["CustomerPhone"][0]) for ticket, fields in values.items()]


def phones_are_new(installation: Installation) -> bool:
    return all(value != "VALUE-old" for _, value in phones(installation))


def test_the_history_alone_is_enough(installation: Installation, fieldfare: Cli) -> None:
    installation.config.write_text(
        installation.config.read_text() + '\n[sweep]\nsource = "history"\n'
    )
    start_worker(fieldfare)
    tickets = make_tickets(installation, 10)

    until(lambda: len(Everything(installation).values) == 10, "every ticket is filled")
    first = min(tickets)
    tickets[first] = "user7"
    installation.otobo.set_customer(first, "user7", user_id=AGENT)

    until(
        lambda: Everything(installation).values[first] == installation.expected("user7"),
        "the ticket follows its customer user",
    )


def test_the_canonical_line_of_a_real_worker(installation: Installation, fieldfare: Cli) -> None:
    worker = start_worker(fieldfare)
    ticket = installation.otobo.create_ticket("user3")
    fieldfare("emit", str(ticket), "--type", "created", "--field", "CustomerPhone")

    until(lambda: worker.lines("ticket.enriched"), "the event is handled")

    (line,) = worker.lines("ticket.enriched")
    assert line["ticket_id"] == ticket
    assert line["outcome"] == "written"
    assert line["written"] == ["CustomerMail", "CustomerName"]
    assert line["kept"] == ["CustomerPhone"]
    assert line["source"] == "CustomerUser1"
    assert line["level"] == "info"
    assert line["timestamp"].endswith("Z")
