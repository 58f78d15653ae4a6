"""One trace from publish to commit: spans as a collector gets them, over a real Redis."""

import subprocess
import sys
from collections.abc import Iterator, Sequence

import pytest
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode
from structlog.testing import capture_logs

from tests.inbox_stats import stats
from tests.integration.world import World, changed, handle
from tests.servers.collector import Collector
from tests.servers.process import reserve_port
from worker import events, tracing
from worker.handlers.enrich import enrich
from worker.inbox import Entry
from worker.outcomes import Kind
from worker.services import Services
from worker.tickets.store import TicketDatabaseUnavailable

TRACE = "0af7651916cd43dd8448eb211c80319c"
PARENT = f"00-{TRACE}-b7ad6b7169203331-01"
STAGES = ["load", "lookup", "plan", "apply"]


class Spans:
    """What was traced so far."""

    def __init__(self) -> None:
        self._exporter = InMemorySpanExporter()
        tracing.begin(SimpleSpanProcessor(self._exporter))

    def all(self) -> Sequence[ReadableSpan]:
        return self._exporter.get_finished_spans()

    def named(self, name: str) -> list[ReadableSpan]:
        return [span for span in self.all() if span.name == name]

    def one(self, name: str) -> ReadableSpan:
        (span,) = self.named(name)
        return span


@pytest.fixture
def spans() -> Iterator[Spans]:
    yield Spans()
    tracing.end()


@pytest.fixture
def world(small_world: World) -> World:
    small_world.otobo.add_fields(["Phone"])
    small_world.person("SECRET-login", phone="SECRET-phone")
    return small_world


@pytest.fixture
def services(world: World) -> Services:
    return world.services()


def trace_of(span: ReadableSpan) -> int:
    assert span.context is not None
    return span.context.trace_id


def is_child(span: ReadableSpan, parent: ReadableSpan) -> bool:
    assert span.parent is not None
    assert parent.context is not None
    return span.parent.span_id == parent.context.span_id and trace_of(span) == trace_of(parent)


def test_one_event_is_one_trace_from_publish_to_commit(
    world: World, services: Services, spans: Spans
) -> None:
    ticket = world.ticket("SECRET-login")

    handle(services, changed(ticket))

    assert len({trace_of(span) for span in spans.all()}) == 1
    publish, process, batch = (
        spans.one(name)
        for name in ("publish fieldfare:events", "process fieldfare:events", "batch")
    )
    assert publish.parent is None
    assert (publish.kind, process.kind) == (SpanKind.PRODUCER, SpanKind.CONSUMER)
    assert is_child(process, publish)
    assert is_child(batch, process)
    assert [span.name for span in spans.all() if span.parent and is_child(span, batch)] == STAGES
    assert process.attributes is not None
    assert process.attributes["fieldfare.outcome"] == "written"
    assert process.attributes["fieldfare.ticket_id"] == ticket
    assert process.end_time >= spans.one("apply").end_time  # type: ignore[operator]


def test_what_a_producer_of_another_language_began_is_gone_on_with(
    world: World, services: Services, spans: Spans
) -> None:
    ticket = str(world.ticket("SECRET-login"))

    handle(services, {"type": "TicketCreate", "ticket_id": ticket, "traceparent": PARENT})

    process = spans.one("process fieldfare:events")
    assert trace_of(process) == int(TRACE, 16)
    assert process.parent is not None
    assert process.parent.span_id == int("b7ad6b7169203331", 16)


def test_a_batch_of_several_events_is_linked_to_each_of_them(
    world: World, services: Services, spans: Spans
) -> None:
    other = PARENT.replace("0af7", "1111")
    told = [
        {"type": "ticket.created", "ticket_id": str(world.ticket("SECRET-login"))} for _ in range(3)
    ]
    services.inbox.client.xadd("fieldfare:events", told[2])  # published without any context
    handle(services, {**told[0], "traceparent": PARENT}, {**told[1], "traceparent": other})

    processed = spans.named("process fieldfare:events")
    batch = spans.one("batch")
    assert [trace_of(span) for span in processed] == [
        int(TRACE, 16),
        int(TRACE.replace("0af7", "1111"), 16),
    ]
    assert batch.parent is None
    assert [link.context for link in batch.links] == [span.context for span in processed]
    assert [[link.context for link in span.links] for span in processed] == [[batch.context]] * 2
    assert batch.attributes is not None
    assert batch.attributes["messaging.batch.message_count"] == 3


def test_several_events_that_are_published_together_share_their_publisher_s_span(
    world: World, services: Services, spans: Spans
) -> None:
    handle(services, changed(world.ticket("SECRET-login")), changed(world.ticket(None)))

    publish = spans.one("publish fieldfare:events")
    assert all(is_child(span, publish) for span in spans.named("process fieldfare:events"))
    assert len(spans.named("process fieldfare:events")) == 2


def test_nothing_published_is_no_span(services: Services, spans: Spans) -> None:
    assert services.inbox.publish_many([]) == []

    assert spans.all() == ()


@pytest.mark.parametrize(
    "bad",
    [
        "",
        "nonsense",
        PARENT.upper(),
        f"00-{'0' * 32}-b7ad6b7169203331-01",
        f"00-{TRACE}-{'0' * 16}-01",
        f"ff-{TRACE}-b7ad6b7169203331-01",
        PARENT + "x" * 5000,
    ],
    ids=["empty", "nonsense", "capitals", "no trace", "no span", "version", "long"],
)
def test_a_bad_context_is_no_reason_to_refuse_an_event(
    world: World, services: Services, spans: Spans, bad: str
) -> None:
    ticket = str(world.ticket("SECRET-login"))

    (outcome,) = handle(
        services, {"type": "ticket.created", "ticket_id": ticket, "traceparent": bad}
    )

    assert outcome.kind is Kind.WRITTEN
    assert spans.named("process fieldfare:events") == []
    assert spans.one("batch").parent is None


def test_a_publisher_that_does_not_sample_is_obeyed(
    world: World, services: Services, spans: Spans
) -> None:
    ticket = str(world.ticket("SECRET-login"))
    unsampled = PARENT.removesuffix("01") + "00"

    handle(services, {"type": "ticket.created", "ticket_id": ticket, "traceparent": unsampled})

    assert [span.name for span in spans.all()] == ["publish fieldfare:events"]


def test_no_span_holds_a_login_or_a_value(world: World, services: Services, spans: Spans) -> None:
    handle(
        services,
        changed(world.ticket("SECRET-login"), event_id="SECRET-id", screen="SECRET-screen"),
    )

    assert spans.all()
    assert [span for span in spans.all() if "SECRET" in span.to_json()] == []


def test_an_outage_ends_its_spans_as_failed_and_without_the_error_s_text(
    services: Services, spans: Spans, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(*_: object) -> None:
        raise TicketDatabaseUnavailable("SECRET")

    monkeypatch.setattr(services.tickets, "load", away)
    entry = Entry("1-0", {"type": "ticket.created", "ticket_id": "1", "traceparent": PARENT})

    with pytest.raises(TicketDatabaseUnavailable):
        enrich([entry], services)

    assert {span.name for span in spans.all()} == {"load", "batch", "process fieldfare:events"}
    for span in spans.all():
        assert span.status.status_code is StatusCode.ERROR
        assert span.status.description == "TicketDatabaseUnavailable"
        assert span.events == ()
        assert "SECRET" not in span.to_json()


def test_a_malformed_event_fails_in_its_publisher_s_trace(services: Services, spans: Spans) -> None:
    handle(services, {"type": "SECRET", "traceparent": PARENT})

    process = spans.one("process fieldfare:events")
    assert trace_of(process) == int(TRACE, 16)
    assert process.status.status_code is StatusCode.ERROR
    assert process.status.description == "malformed"
    assert "SECRET" not in process.to_json()


def test_the_context_survives_the_contract() -> None:
    event = events.parse({"type": "ticket.created", "ticket_id": "1", "traceparent": PARENT})

    assert event.traceparent == PARENT
    assert events.parse(events.dump(event)) == event


def test_switched_off_nothing_is_carried_along(world: World, services: Services) -> None:
    services.inbox.publish(changed(1))

    (entry,) = services.inbox.read("a")
    assert entry.fields == {"type": "ticket.customer_changed", "ticket_id": "1"}


def test_switched_off_nothing_of_opentelemetry_s_sdk_is_imported() -> None:
    script = (
        "import sys; from worker import bootstrap, cli; from worker.handlers import enrich\n"
        "print([name for name in sys.modules if name.startswith('opentelemetry.exporter')])"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )

    assert done.stdout == "[]\n"


@pytest.fixture
def collector() -> Iterator[Collector]:
    with Collector() as server:
        yield server


def test_spans_go_where_the_standard_variable_says_before_a_process_ends(
    services: Services, collector: Collector, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collector.url)
    monkeypatch.delenv("OTEL_SERVICE_NAME", raising=False)
    with tracing.during_command(enabled=True):
        services.inbox.publish(changed(1))

    ((path, body),) = collector.taken
    assert path == "/v1/traces"
    assert b"publish fieldfare:events" in body
    assert b"fieldfare" in body
    assert b"unknown_service" not in body


def test_a_collector_that_is_away_holds_up_no_end_for_long(
    services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tracing, "FLUSH_SECONDS", 0.1)
    with reserve_port() as nobody:
        port = nobody.getsockname()[1]
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", f"http://127.0.0.1:{port}")
        with capture_logs() as logs, tracing.during_command(enabled=True):
            services.inbox.publish(changed(1))

    assert [line["event"] for line in logs] == ["tracing.not_handed_over"]
    assert stats(services.inbox).length == 1


def test_without_the_extra_it_is_said_what_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def missing(name: str) -> None:
        raise ModuleNotFoundError

    monkeypatch.setattr(tracing, "find_spec", missing)

    with pytest.raises(tracing.TracingNotInstalled) as caught, tracing.during_command(enabled=True):
        pass

    assert "pip install 'fieldfare[otel]'" in str(caught.value)
