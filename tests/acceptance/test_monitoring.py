"""A real worker, watched: its metrics over both children, its signs of life, nothing left over."""

import os
import signal
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest
import redis
from click.testing import Result
from prometheus_client.parser import text_string_to_metric_families
from typer.testing import CliRunner

from tests.acceptance.conftest import Installation
from tests.acceptance.processes import Cli, until
from tests.acceptance.test_worker import locked, make_tickets, waits_for_lock
from tests.servers.collector import Collector
from tests.servers.process import reserve_port
from worker.cli import app

COUNT = 60

TRACE = "0af7651916cd43dd8448eb211c80319c"
PARENT = f"00-{TRACE}-b7ad6b7169203331-01"
PROCESS = b"process fieldfare:events"


def scrape(port: int) -> dict[tuple[str, ...], float]:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics") as answer:
        text = answer.read().decode()
    assert "VALUE-" not in text
    return {
        (sample.name, *sample.labels.values()): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def emit(client: redis.Redis, tickets: Sequence[int]) -> None:
    """As a producer does that does not ring; the scheduler rings every second."""
    for ticket in tickets:
        fields = {"type": "ticket.created", "ticket_id": str(ticket), "traceparent": PARENT}
        client.xadd("fieldfare:events", fields)


def health(watched: Cli) -> Result:
    """The command, in this process: it only looks at files."""
    variables = {**watched.variables, "FIELDFARE_CONFIG": str(watched.config)}
    return CliRunner().invoke(app, ["health"], env=variables)


@pytest.fixture
def port() -> Iterator[int]:
    with reserve_port() as reserved:
        yield reserved.getsockname()[1]


@pytest.fixture
def collector() -> Iterator[Collector]:
    with Collector() as server:
        yield server


@pytest.fixture
def watched(
    installation: Installation,
    cli: Callable[..., Cli],
    port: int,
    collector: Collector,
    tmp_path: Path,
) -> Cli:
    """The command line, with metrics, spans and signs of life in places of their own."""
    folder = tmp_path / "tmp"
    folder.mkdir()
    return cli(
        installation.config,
        FIELDFARE_METRICS__PORT=str(port),
        FIELDFARE_HEALTH__DIRECTORY=str(tmp_path / "health"),
        FIELDFARE_INBOX__BATCH="20",
        FIELDFARE_TRACING__ENABLED="true",
        OTEL_EXPORTER_OTLP_ENDPOINT=collector.url,
        OTEL_BSP_SCHEDULE_DELAY="200",
        TMPDIR=str(folder),
    )


def test_what_two_children_did_adds_up_and_outlives_them(
    installation: Installation, watched: Cli, port: int, collector: Collector, tmp_path: Path
) -> None:
    tickets = sorted(make_tickets(installation, COUNT))
    worker = watched.start("worker", "--concurrency", "2")
    worker.until("metrics.served")

    def total() -> float:
        return scrape(port)["fieldfare_events_total", "written"]

    with locked(installation, tickets[0]), installation.redis.client() as client:
        # One child waits with the first batch, so the other one has to do the rest.
        emit(client, tickets[:20])
        until(lambda: waits_for_lock(installation), "one child waits for the row")
        emit(client, tickets[20:])
        until(lambda: total() == COUNT - 20, "the other one has done the rest")
        consumers = client.xinfo_consumers("fieldfare:events", "fieldfare")
    until(lambda: total() == COUNT, "both have done their part")

    seen = scrape(port)
    assert len(consumers) == 2
    assert seen["fieldfare_fields_total", "write"] == 3 * COUNT
    assert seen["fieldfare_lookups_total", "found", "CustomerUser1"] == COUNT
    assert seen["fieldfare_event_latency_seconds_count",] == COUNT
    assert seen["fieldfare_batch_events_sum",] == COUNT
    assert seen["fieldfare_processes", "events", "worker"] == 1
    assert seen["fieldfare_processes", "events", "beat"] == 1
    assert seen["fieldfare_source_up", "CustomerUser1"] == 1

    until(lambda: collector.bodies().count(PROCESS) == COUNT, "both have handed over their spans")
    children = [int(consumer["name"].split("-")[-2]) for consumer in consumers]
    os.kill(children[0], signal.SIGKILL)
    with installation.redis.client() as client:
        emit(client, tickets[:1])
    until(lambda: scrape(port)["fieldfare_events_total", "unchanged"] == 1, "work goes on")
    assert total() == COUNT

    alive = health(watched)
    assert alive.exit_code == 0
    assert sorted(line.partition("-")[0] for line in alive.output.splitlines()) == [
        "beat",
        "worker",
    ]

    worker.terminate()
    assert worker.ended() == 0
    assert list((tmp_path / "health").iterdir()) == []
    assert list((tmp_path / "tmp").glob("fieldfare-*")) == []
    assert health(watched).exit_code == 1
    assert collector.bodies().count(PROCESS) == COUNT + 1
    assert collector.bodies().count(bytes.fromhex(TRACE)) >= COUNT + 1
    assert b"VALUE-" not in collector.bodies()
    with installation.redis.client() as client:
        assert list(client.scan_iter("fieldfare:worker*")) == []


def test_the_scheduler_alone_keeps_a_heartbeat_and_stops_when_told(
    installation: Installation, watched: Cli, tmp_path: Path
) -> None:
    beat = watched.start("beat")
    with installation.redis.client() as client:
        until(lambda: client.llen("fieldfare:celery:events"), "it rings")
        (key,) = client.scan_iter("fieldfare:worker:*")
    assert key.startswith(f"fieldfare:worker:beat-{beat.process.pid}@")
    assert health(watched).output.startswith(f"beat-{beat.process.pid}: alive")

    beat.interrupt()

    assert beat.ended() == 0
    assert "Traceback" not in beat.said()
    assert list((tmp_path / "health").iterdir()) == []


def test_a_port_that_is_taken_stops_the_worker_before_it_works(
    installation: Installation, cli: Callable[..., Cli]
) -> None:
    taken = str(installation.redis.port)

    said = cli(installation.config, FIELDFARE_METRICS__PORT=taken)("worker", exit_code=2)

    assert f"127.0.0.1 port {taken}: Address already in use; give this worker another" in said.err
