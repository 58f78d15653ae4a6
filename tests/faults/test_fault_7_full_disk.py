"""Fault 7: a ticket database without room on its disk is an outage.

The log says so once, nothing is half-written, no event is to blame; when there is room again,
everything gets right by itself. This stands in a file of its own because its site needs Redis for
itself.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine, text
from sqlalchemy.exc import OperationalError

from tests.faults.checker import check
from tests.faults.figures import Figures
from tests.faults.forms import Form
from tests.faults.site import Site, interrupted, opened
from tests.servers import RedisServer
from tests.servers.cramped import CrampedPostgresql
from worker.inbox import EVENTS

REASON = "the ticket database is not available: DiskFull (53100): its disk is full"


@pytest.fixture
def site(redis_server: RedisServer, tmp_path: Path) -> Iterator[Site]:
    with (
        CrampedPostgresql() as server,
        opened(server.create_database(), redis_server, tmp_path) as made,
    ):
        yield made


def fill(engine: Engine) -> None:
    """Leave no room for a page; the statement that fails keeps what it took."""
    # A new connection writes a file for all later ones where ANALYZE took it away: PostgreSQL would
    # refuse them all, and tell nobody but its log why.
    engine.dispose()
    # Unlogged, or the WAL would grow, which has the machine's disk.
    insert = "INSERT INTO ballast SELECT repeat('x', 1000) FROM generate_series(1, 1000000)"
    with engine.connect() as connection:
        connection.execute(text("CREATE UNLOGGED TABLE ballast (bytes TEXT)"))
        with pytest.raises(OperationalError, match="No space left on device"):
            connection.execute(text(insert))


def test_a_full_disk_is_an_outage(form: Form, figures: Figures, site: Site) -> None:
    # So many that their rows do not fit into the pages that are there already.
    events = site.change(site.tickets(10 * form.clear_outcomes.tickets))
    fill(site.system.otobo.engine)
    site.send(events)
    site.fleet.until(lambda: interrupted(site, "53100"), "the log says why")

    site.worker.freeze()  # or it would try again while its tickets are looked at
    half_written = check(site.system)["half_written"]
    kept = site.inbox.client.xrange(EVENTS)
    site.worker.thaw()
    with site.system.otobo.engine.connect() as connection:
        connection.execute(text("DROP TABLE ballast"))
    site.rest()

    told = interrupted(site, "53100")
    blamed = sum(b"attempts" in fields for _, fields in kept)
    figures.note("full disk: times told", len(told), "lines", "1", held=len(told) == 1)
    figures.note("full disk: events that waited for room", len(kept), "events")
    figures.zero("full disk: events blamed for it", blamed, "events")
    figures.zero("full disk: half-written tickets", half_written, "tickets")
    assert [line["reason"] for line in told] == [REASON]
    assert kept
    assert blamed == 0
    assert half_written == 0
    assert len(site.logged("drain.resumed")) == 1
