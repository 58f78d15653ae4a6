"""What a worker counts, and what it reads from Redis, as Prometheus gets it over HTTP."""

import os
import socket
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families
from structlog.testing import capture_logs

from directory.breaker import Observation
from tests.integration.world import World, changed, handle
from worker import heartbeat, jobs, metrics, metrics_redis, standing
from worker.drain import Consumer, drain
from worker.handlers.sweep import sweep
from worker.inbox import Entry
from worker.metrics_server import MetricsServer
from worker.outcomes import Kind, Outcome
from worker.services import Services
from worker.settings import MetricsSettings
from worker.tickets.selection import Scope

Samples = Mapping[tuple[str, ...], float]
"""Values by the name of the series and the values of its labels."""


class Scraped:
    """A worker's metrics server, and what it said last."""

    def __init__(self, services: Services) -> None:
        settings = services.settings.model_copy(update={"metrics": MetricsSettings(port=0)})
        self.server = MetricsServer(settings)
        self.server.start()

    def text(self) -> str:
        with urllib.request.urlopen(f"http://127.0.0.1:{self.server.port}/metrics") as answer:
            return str(answer.read().decode())

    def __call__(self) -> Samples:
        return {
            (sample.name, *(sample.labels[name] for name in sorted(sample.labels))): sample.value
            for family in text_string_to_metric_families(self.text())
            for sample in family.samples
        }


@pytest.fixture
def world(small_world: World) -> World:
    return small_world


@pytest.fixture
def services(world: World) -> Services:
    return world.services()


@pytest.fixture
def scrape(services: Services) -> Iterator[Scraped]:
    made = Scraped(services)
    yield made
    made.server.stop()


def test_a_batch_is_counted_once_with_all_that_came_of_it(
    world: World, services: Services, scrape: Scraped
) -> None:
    world.otobo.add_fields(["Phone"])
    world.person("anna")
    known, unknown, nobody = world.ticket("anna"), world.ticket("ghost"), world.ticket(None)
    events = [changed(known), changed(known), changed(unknown), changed(nobody), changed(9999)]

    handle(services, *events, {"type": "nonsense"})
    seen = scrape()

    assert {kind: seen["fieldfare_events_total", kind] for kind in map(str, Kind)} == {
        "written": 2,
        "unchanged": 2,
        "kept": 0,
        "no_such_ticket": 1,
        "ignored": 0,
        "scheduled": 0,
        "waiting": 0,
        "stale": 0,
        "conflict": 0,
        "failed": 0,
        "malformed": 1,
    }
    assert seen["fieldfare_fields_total", "write"] == 1
    assert seen["fieldfare_fields_total", "unchanged"] == 2
    assert seen["fieldfare_lookups_total", "found", "CustomerUser"] == 1
    assert seen["fieldfare_lookups_total", "absent", "none"] == 1
    assert seen["fieldfare_parked_events_total", "malformed"] == 1
    assert seen["fieldfare_batch_events_sum",] == 6
    assert seen["fieldfare_batch_events_bucket", "5.0"] == 0
    assert seen["fieldfare_batch_events_bucket", "10.0"] == 1
    assert seen["fieldfare_batch_duration_seconds_count",] == 1
    assert seen["fieldfare_event_latency_seconds_count",] == 5


def test_an_event_that_waits_is_counted_and_has_no_latency_yet(
    world: World, services: Services, scrape: Scraped
) -> None:
    world.otobo.add_fields(["Phone"])
    ticket = world.ticket("anna")
    services.directory.close()
    (Path(world.crm.url.removeprefix("sqlite:///"))).unlink()

    handle(services, changed(ticket))
    seen = scrape()

    assert seen["fieldfare_events_total", "waiting"] == 1
    assert seen["fieldfare_lookups_total", "unavailable", "CustomerUser"] == 1
    assert seen["fieldfare_event_latency_seconds_count",] == 0
    assert seen["fieldfare_waiting_events", "CustomerUser"] == 1


def test_latency_is_from_the_first_arrival_on(services: Services, scrape: Scraped) -> None:
    client = services.inbox.client
    client.xadd(
        "fieldfare:events",
        {"type": "ticket.created", "ticket_id": "1", "fieldfare.origin": "1000-0"},
    )
    handle(services, changed(2))
    seen = scrape()

    assert seen["fieldfare_event_latency_seconds_bucket", "3600.0"] == 1
    assert seen["fieldfare_event_latency_seconds_bucket", "+Inf"] == 2


def test_a_clock_of_redis_that_is_ahead_gives_no_latency_below_nothing(
    services: Services, scrape: Scraped
) -> None:
    far = "99999999999999-0"
    metrics.disposed([Entry(far, {})], [Outcome(far, 1, Kind.WRITTEN)])
    seen = scrape()

    assert seen["fieldfare_event_latency_seconds_bucket", "0.01"] == 1
    assert seen["fieldfare_event_latency_seconds_sum",] == 0


def test_a_handler_that_fails_is_counted_and_its_event_when_it_is_parked(
    world: World, services: Services, scrape: Scraped
) -> None:
    def failing(_: Sequence[Entry]) -> Sequence[Outcome]:
        raise ArithmeticError

    services.inbox.publish(changed(1))
    for _ in range(services.settings.inbox.max_attempts):
        drain(services.inbox, Consumer("a"), failing)
    seen = scrape()

    assert seen["fieldfare_events_total", "failed"] == 5
    assert seen["fieldfare_parked_events_total", "failed"] == 1
    assert seen["fieldfare_dead_letters",] == 1


def test_resyncs_and_refreshes_are_told_by_their_numbers(
    services: Services, scrape: Scraped
) -> None:
    for _ in range(2):
        jobs.create(services.inbox.client, jobs.Order(Scope(last=1)), 1)
    services.refresh_room.add([("customer_user", "anna")])

    seen = scrape()

    assert seen["fieldfare_refresh_waiting",] == 1
    assert seen["fieldfare_resync_jobs", "running"] == 2
    assert seen["fieldfare_resync_jobs", "asks"] == 0
    assert seen["fieldfare_resync_idle_seconds",] < 60


def test_the_resync_that_stands_still_for_longest_is_told(
    services: Services, scrape: Scraped
) -> None:
    now = time.time()
    for job, state, ago in ((1, "running", 600), (2, "running", 3600), (3, "paused", 9000)):
        services.inbox.client.hset(standing.KEY, str(job), f"{state} 0 9 0 {now - ago:.0f} -")

    assert 3590 < scrape()["fieldfare_resync_idle_seconds",] < 3700


def test_what_the_sweep_finds_is_counted_and_how_far_it_is_behind(
    world: World, scrape: Scraped
) -> None:
    services = world.services(sweep={"settle": 0.1})
    world.ticket("anna")
    before = scrape()

    found = sweep(services)
    seen = scrape()

    assert ("fieldfare_sweep_lag_seconds",) not in before
    assert seen["fieldfare_swept_events_total",] == found
    assert 0 <= seen["fieldfare_sweep_lag_seconds",] < 60


def test_what_redis_knows_is_told(world: World, services: Services, scrape: Scraped) -> None:
    services.inbox.publish_many([changed(number) for number in (1, 2, 3)])
    services.inbox.read("a", 2)
    services.source_states.note({"": Observation("it is away")})
    who = heartbeat.this_process("beat", "events", name="beat-1@here")
    beating = heartbeat.Heartbeat(
        who, heartbeat.connect(world.redis.url), Path(os.devnull), patience=60
    )
    with capture_logs():
        beating.beat()
    seen = scrape()

    assert seen["fieldfare_redis_up",] == 1
    assert seen["fieldfare_inbox_events",] == 3
    assert seen["fieldfare_inbox_pending_events",] == 2
    assert seen["fieldfare_inbox_oldest_event_age_seconds",] >= 0
    assert seen["fieldfare_waiting_events", "CustomerUser"] == 0
    assert seen["fieldfare_source_up", "CustomerUser"] == 0
    assert seen["fieldfare_processes", "events", "beat"] == 1


def test_without_redis_what_was_counted_is_still_told(
    world: World, services: Services, scrape: Scraped
) -> None:
    metrics.swept(3)
    world.redis.stop()
    with capture_logs() as logs:
        seen = scrape()

    assert seen["fieldfare_swept_events_total",] == 3
    assert seen["fieldfare_redis_up",] == 0
    assert ("fieldfare_inbox_events",) not in seen
    assert [line["event"] for line in logs] == ["metrics.redis_unavailable"]


def test_what_is_served_is_what_is_documented(scrape: Scraped) -> None:
    served = {
        line.split()[2]: line.split()[3]
        for line in scrape.text().splitlines()
        if line.startswith("# TYPE")
    }

    documented = (*metrics.COUNTED, *metrics_redis.READ)
    without_series = {metrics.LOOKUPS.name}  # its first series comes with the first lookup
    assert {*served} | without_series == {metric.name for metric in documented}
    assert served.items() <= {metric.name: metric.kind for metric in documented}.items()


def test_no_label_holds_what_an_event_or_a_person_brought_along(
    world: World, services: Services, scrape: Scraped
) -> None:
    world.otobo.add_fields(["Phone"])
    world.person("SECRET-login", phone="SECRET-phone")
    handle(
        services,
        changed(world.ticket("SECRET-login"), screen="SECRET-screen", event_id="SECRET-id"),
        {"type": "SECRET-type", "ticket_id": "SECRET"},
    )

    assert "fieldfare_events_total" in scrape.text()
    assert "SECRET" not in scrape.text()


def test_switched_off_nothing_is_counted_and_nothing_kept(services: Services) -> None:
    server = Scraped(services)
    folder = Path(os.environ["PROMETHEUS_MULTIPROC_DIR"])
    assert list(folder.iterdir()) != []
    server.server.stop()
    server.server.stop()

    metrics.swept(1)
    metrics.parked("failed")
    metrics.disposed([Entry("1-0", {})], [Outcome("1-0", 1, Kind.WRITTEN)])
    metrics.enriched([], 1, 0.1)

    assert not folder.exists()
    assert "PROMETHEUS_MULTIPROC_DIR" not in os.environ


def test_a_port_that_is_taken_is_said_with_what_to_do(services: Services) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        settings = services.settings.model_copy(update={"metrics": MetricsSettings(port=port)})
        with pytest.raises(metrics.MetricsNotServed) as caught:
            MetricsServer(settings)

    said = str(caught.value)
    assert f"127.0.0.1 port {port}: Address already in use" in said
    assert "FIELDFARE_METRICS__PORT" in said


@pytest.mark.parametrize("host", ["192.0.2.1", "no-such-host.invalid"])
def test_an_address_that_is_not_here_is_said(services: Services, host: str) -> None:
    settings = services.settings.model_copy(update={"metrics": MetricsSettings(host=host)})
    with pytest.raises(metrics.MetricsNotServed, match=f"cannot be served on {host}"):
        MetricsServer(settings)


def test_folders_of_workers_that_were_killed_are_cleared_away(
    services: Services, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, gone: Callable[[], int]
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    left = tmp_path / f"fieldfare-metrics-{gone()}-abc"
    living = tmp_path / "fieldfare-metrics-1-abc"
    for folder in (left, living):
        folder.mkdir()
    server = Scraped(services)
    server.server.stop()

    assert not left.exists()
    assert living.exists()


@pytest.fixture
def gone() -> Callable[[], int]:
    """The id of a process that has ended."""

    def end() -> int:
        child = os.posix_spawn("/bin/true", ["true"], {})
        os.waitpid(child, 0)
        return child

    return end
