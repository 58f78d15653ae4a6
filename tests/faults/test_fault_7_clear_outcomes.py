"""Fault 7: what cannot be written, read or found any more has a clear outcome.

A database that must not be written to is an outage: nothing is lost, the log says why once, and the
events are handled when it is over; of one without room ``test_fault_7_full_disk`` tells. A field or
ticket that was deleted is no outage: the rest is written, and the log names what was refused.
"""

from collections.abc import Iterator

import pytest
from sqlalchemy import delete, func, make_url, select, text

from tests.faults import people
from tests.faults.checker import leftovers
from tests.faults.figures import Figures
from tests.faults.forms import Form
from tests.faults.site import Site, interrupted, opened
from tests.faults.workers import settings
from tests.servers import PostgresqlServer, RedisServer
from worker.tickets import schema


@pytest.fixture(scope="module")
def site(
    postgresql_server: PostgresqlServer,
    redis_server: RedisServer,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Site]:
    """One worker for most of this file."""
    url = postgresql_server.create_database()
    with opened(url, redis_server, tmp_path_factory.mktemp("site")) as made:
        yield made
    postgresql_server.drop_database(url)


def test_a_read_only_database_is_an_outage(form: Form, figures: Figures, site: Site) -> None:
    events = site.change(site.tickets(form.clear_outcomes.tickets))
    database = make_url(site.system.url).database
    read_only = f"ALTER DATABASE {database} SET default_transaction_read_only ="
    cut = text(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
        "WHERE datname = current_database() AND application_name = 'fieldfare'"
    )
    with site.system.otobo.engine.connect() as connection:
        connection.execute(text("SET default_transaction_read_only = off"))  # for this one
        connection.execute(text(f"{read_only} on"))
        connection.execute(cut)
        site.send(events)
        site.fleet.until(lambda: interrupted(site, "25006"), "the log says why")
        assert site.inbox.client.xlen("fieldfare:events") == len(events)
        connection.execute(text(f"{read_only} off"))
        connection.execute(cut)
    site.rest()

    figures.note("read-only database: times told", len(interrupted(site, "25006")), "lines")
    assert len(interrupted(site, "25006")) == 1
    assert len(site.logged("drain.resumed")) == 1


def test_a_deleted_field_is_refused_and_the_others_are_written(
    form: Form, figures: Figures, site: Site
) -> None:
    tickets = site.tickets(form.clear_outcomes.tickets)
    city, system = "CustomerCity", site.system
    with system.engine.begin() as connection:
        for table, column in (
            (schema.dynamic_field_value, "field_id"),
            (schema.dynamic_field, "id"),
        ):
            connection.execute(delete(table).where(table.c[column] == system.field_ids[city]))
    site.send(site.change(tickets))
    site.fleet.rest(site.inbox)

    for ticket_id in tickets:
        expected = {
            name: [value]
            for name, value in system.expected(ticket_id).items()
            if value and name != city
        }
        assert system.otobo.values(ticket_id) == expected
    lines = [line for line in site.logged("ticket.enriched") if line["ticket_id"] in tickets]
    assert [line["refused"] for line in lines] == [[city]] * len(tickets)
    assert leftovers(site.inbox) == {}
    figures.note("deleted field: refused", len(lines), "tickets")

    # The values of this field are gone from all tickets, and no line says so.
    for ticket_id in system.tickets:
        system.forget(ticket_id)
    system.field_ids[city] = system.otobo.add_field(city)


def test_deleted_tickets_are_settled_and_leave_nothing_behind(
    form: Form, figures: Figures, site: Site
) -> None:
    tickets = site.tickets(4 * form.clear_outcomes.tickets)
    gone = tickets[::2]
    events = site.change(tickets)
    for ticket_id in gone[::2]:
        site.system.delete(ticket_id)
    site.send(events)
    for ticket_id in gone[1::2]:  # while the worker is at work on them
        site.system.delete(ticket_id)
    site.rest()

    value = schema.dynamic_field_value.c.object_id
    with site.system.engine.connect() as connection:
        left = connection.execute(select(func.count()).where(value.in_(gone))).scalar_one()
    outcomes = {
        line["ticket_id"]: line["outcome"]
        for line in site.logged("ticket.enriched")
        if line["ticket_id"] in gone
    }
    figures.zero("deleted tickets: rows left behind", left, "rows")
    assert left == 0
    assert {outcomes[ticket_id] for ticket_id in gone[::2]} == {"no_such_ticket"}
    assert set(outcomes) == set(gone)


def test_a_changed_mapping_holds_from_the_restart_on(
    form: Form, figures: Figures, site: Site
) -> None:
    tickets = site.tickets(form.clear_outcomes.tickets)
    site.send(site.change(tickets))
    site.rest()
    before = {ticket_id: site.system.otobo.values(ticket_id) for ticket_id in tickets}
    first = site.worker
    first.terminate()
    assert first.ended() == 0
    mapping = {"UserLastname": "CustomerLastname", "UserFirstname": "CustomerTown"}
    site.system.otobo.add_field("CustomerTown")
    site.send(site.change(tickets))  # nobody is there: the events wait for the next worker
    settings(
        site.folder,
        site.system.url,
        site.redis_url,
        {"CustomerUser": people.sql_source()},
        mapping,
    )
    site.fleet.start(1)
    site.fleet.rest(site.inbox)

    for ticket_id in tickets:
        now = site.system.expected(ticket_id)
        assert site.system.otobo.values(ticket_id) == {
            **before[ticket_id],
            "CustomerLastname": [now["CustomerLastname"]],
            "CustomerTown": [now["CustomerFirstname"]],
        }
    assert leftovers(site.inbox) == {}
    figures.note("changed mapping: tickets written by it", len(tickets), "tickets")
