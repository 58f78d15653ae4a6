"""The ticket history as a log of events, on every kind of database."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import text

from mapping.model import HistoryType
from tests.otobo import AGENT, ROOT, WORKER, WORKER_LOGIN, Otobo
from worker.tickets.engine import ticket_engine
from worker.tickets.history import Happening, HistoryLog
from worker.tickets.store import TicketDatabaseMisfit, TicketDatabaseUnavailable

NEVER = "9999-12-31 00:00:00"
ALWAYS = "2000-01-01 00:00:00"


@pytest.fixture
def otobo(ticket_database: str) -> Iterator[Otobo]:
    system = Otobo(ticket_database)
    yield system
    system.close()


@pytest.fixture
def log(ticket_database: str) -> Iterator[HistoryLog]:
    engine = ticket_engine(ticket_database)
    yield HistoryLog(engine, worker_user=WORKER_LOGIN)
    engine.dispose()


def test_creations_and_customer_changes_are_read_in_the_order_of_ids(
    otobo: Otobo, log: HistoryLog
) -> None:
    otobo.add_field("Phone")
    first = otobo.create_ticket("jdoe", user_id=AGENT)
    otobo.add_article(first, "NewTicket")
    second = otobo.create_ticket()
    otobo.set_value(first, "Phone", "1")
    changed = otobo.set_customer(second, "jane")

    found = log.read_window(ALWAYS, 0, 100)

    assert [(item.ticket_id, item.type, item.create_by) for item in found] == [
        (first, HistoryType.NEW_TICKET, AGENT),
        (first, HistoryType.CUSTOMER_UPDATE, AGENT),
        (second, HistoryType.NEW_TICKET, ROOT),
        (second, HistoryType.CUSTOMER_UPDATE, ROOT),
    ]
    assert found[-1].id == changed


def test_a_line_tells_when_its_ticket_was_last_touched_and_answered(
    otobo: Otobo, log: HistoryLog
) -> None:
    ticket_id = otobo.create_ticket()
    otobo.add_line(ticket_id, "CustomerUpdate", "%%", time="2026-01-01 10:00:00")
    answer = otobo.add_line(
        ticket_id, "TicketDynamicFieldUpdate", "%%", user_id=WORKER, time="2026-01-01 10:00:01"
    )
    newest = otobo.add_line(ticket_id, "Misc", "%%", time="2099-01-01 10:00:05")

    happening = log.read_window(ALWAYS, 0, 100)[1]

    assert happening == Happening(
        id=answer - 1,
        ticket_id=ticket_id,
        type=HistoryType.CUSTOMER_UPDATE,
        create_time="2026-01-01 10:00:00",
        create_by=ROOT,
        newest_id=newest,
        newest_time="2099-01-01 10:00:05",
        answered_id=answer,
    )


def test_a_ticket_that_the_worker_never_touched_is_not_answered(
    otobo: Otobo, log: HistoryLog
) -> None:
    otobo.create_ticket()

    assert [item.answered_id for item in log.read_window(ALWAYS, 0, 100)] == [0]


def test_the_window_begins_at_a_time_or_behind_an_id(otobo: Otobo, log: HistoryLog) -> None:
    ticket_id = otobo.create_ticket()
    old = otobo.add_line(ticket_id, "CustomerUpdate", "%%", time="2020-01-01 00:00:00")
    late = otobo.add_line(ticket_id, "CustomerUpdate", "%%", time="2021-01-01 00:00:00")

    def ids(since: str, after: int) -> list[int]:
        return [item.id for item in log.read_window(since, after, 100)]

    assert ids(NEVER, old) == [late]
    assert ids(NEVER, late) == []
    assert ids("2021-01-01 00:00:01", late) == [old - 1]
    assert ids("2021-01-01 00:00:00", late) == [old - 1, late]


def test_a_long_window_is_read_in_pages(otobo: Otobo, log: HistoryLog) -> None:
    ids = []
    for _ in range(5):
        otobo.create_ticket()
    page_after = 0
    while page := log.read_window(ALWAYS, 0, 2, page_after=page_after):
        assert len(page) <= 2
        ids += [item.ticket_id for item in page]
        page_after = page[-1].id

    assert ids == sorted(ids)
    assert len(ids) == 5


def test_the_first_line_since_a_time_is_the_first_by_time(otobo: Otobo, log: HistoryLog) -> None:
    ticket_id = otobo.create_ticket()
    otobo.add_line(ticket_id, "Misc", "%%", time="2090-01-01 00:00:01")
    first = otobo.add_line(ticket_id, "Misc", "%%", time="2090-01-01 00:00:00")
    otobo.add_line(ticket_id, "Misc", "%%", time="2090-01-01 00:00:01")

    assert log.first_id_since("2090-01-01 00:00:00") == first
    assert log.first_id_since("2090-01-01 00:00:02") == 0


def test_the_databases_clock_is_told_in_its_zone(
    otobo: Otobo, log: HistoryLog, ticket_database: str
) -> None:
    engine = ticket_engine(ticket_database)
    kolkata = HistoryLog(engine, worker_user=WORKER_LOGIN, zone=ZoneInfo("Asia/Kolkata"))

    utc = datetime.fromisoformat(log.database_now())
    local = datetime.fromisoformat(kolkata.database_now())

    now = datetime.now(UTC).replace(tzinfo=None)
    assert abs(now - utc) < timedelta(seconds=10)
    assert abs(now + timedelta(hours=5, minutes=30) - local) < timedelta(seconds=10)
    engine.dispose()


def test_a_log_without_its_tables_is_unavailable(otobo: Otobo, log: HistoryLog) -> None:
    with otobo.engine.connect() as connection:
        connection.execute(text("DROP TABLE ticket_history"))

    with pytest.raises(TicketDatabaseUnavailable):
        log.read_window(ALWAYS, 0, 10)
    with pytest.raises(TicketDatabaseUnavailable):
        log.first_id_since(ALWAYS)


def test_a_log_without_its_types_is_no_ticket_systems(otobo: Otobo, log: HistoryLog) -> None:
    with otobo.engine.connect() as connection:
        connection.execute(text("DELETE FROM ticket_history_type WHERE id = 21"))

    with pytest.raises(TicketDatabaseMisfit, match="CustomerUpdate"):
        log.read_window(ALWAYS, 0, 10)


def test_a_database_that_cannot_be_reached_has_no_time() -> None:
    engine = ticket_engine("postgresql://fieldfare:secret@127.0.0.1:1/otobo")

    with pytest.raises(TicketDatabaseUnavailable) as caught:
        HistoryLog(engine, worker_user=WORKER_LOGIN).database_now()

    assert "secret" not in str(caught.value)
    engine.dispose()
