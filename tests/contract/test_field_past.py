"""Who wrote a ticket's fields, on every kind of database."""

from collections.abc import Iterator

import pytest

from tests.otobo import AGENT, WORKER, WORKER_LOGIN, Otobo
from worker.tickets.engine import for_reading, ticket_engine
from worker.tickets.past import FieldPast, read_update


@pytest.fixture
def otobo(ticket_database: str) -> Iterator[Otobo]:
    system = Otobo(ticket_database)
    yield system
    system.close()


def test_lines_tell_who_wrote_a_field_and_when(ticket_database: str, otobo: Otobo) -> None:
    otobo.add_fields(["Phone"])
    ticket, other = otobo.create_ticket("jdoe"), otobo.create_ticket("jdoe")
    otobo.set_value(other, "Phone", "9")
    ours = otobo.add_update_line(ticket, "Phone", "1", "", user_id=WORKER)
    otobo.add_line(ticket, "Misc", "%%FieldName%%Phone%%Value%%7%%OldValue%%")
    theirs = otobo.add_update_line(ticket, "Phone", "2", "1", user_id=AGENT)
    nobody = otobo.add_line(
        ticket, "TicketDynamicFieldUpdate", "%%", user_id=987, time="2026-01-02 03:04:05"
    )
    engine = ticket_engine(ticket_database)

    lines = FieldPast(for_reading(engine), worker_user=WORKER_LOGIN).of_ticket(ticket)
    engine.dispose()

    assert [(line.id, line.author_id, line.author, line.ours) for line in lines] == [
        (ours, WORKER, WORKER_LOGIN, True),
        (theirs, AGENT, lines[1].author, False),
        (nobody, 987, "", False),
    ]
    assert lines[1].author
    assert lines[2].time == "2026-01-02 03:04:05"
    assert [read_update(line.text).new for line in lines] == ["1", "2", None]
