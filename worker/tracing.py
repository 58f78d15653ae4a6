"""Where did the time of one event go? OpenTelemetry spans, from its publishing to its commit.

The publisher's context travels with the event in the field ``traceparent`` (W3C Trace Context);
each event that has one gets a span in the publisher's trace. The events of a batch are handled
together, in one span with its stages: load, lookup, plan, apply. It stands in the trace of a
batch's only traced event; with several of them it is a trace of its own, linked to theirs.

The extra ``otel`` is needed. Until ``begin`` was called there are no spans, nothing of
OpenTelemetry is imported, and a call costs a comparison. No attribute holds a login or a value of
a field.
"""

import logging
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib.metadata import version
from importlib.util import find_spec
from types import TracebackType
from typing import TYPE_CHECKING, ParamSpec, Protocol, Self, TypeVar

import structlog

from worker.entries import Entry
from worker.outcomes import Disposition, Outcome

if TYPE_CHECKING:  # an optional extra
    from opentelemetry.context import Context
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import SpanProcessor
    from opentelemetry.trace import Span

TRACEPARENT = "traceparent"

FLUSH_SECONDS = 3.0
"""How long a process that ends tries to hand over its last spans; a collector may be away."""

_PUBLISH = "publish fieldfare:events"
_PROCESS = "process fieldfare:events"
_MESSAGING = {"messaging.system": "redis", "messaging.destination.name": "fieldfare:events"}

log = structlog.get_logger("fieldfare")

_Given = ParamSpec("_Given")
_Got = TypeVar("_Got")


class TracingNotInstalled(Exception):
    """Tracing is switched on, and what it needs is not installed."""

    def __init__(self) -> None:
        super().__init__(
            "tracing.enabled is true, but OpenTelemetry is not installed; "
            "pip install 'fieldfare[otel]', or set it to false"
        )


class Batch(Protocol):
    """The spans of a batch, open while the block runs that handles it."""

    def __enter__(self) -> Self:
        """Open them."""
        ...

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close the batch's span, and with an error those of its events."""
        ...

    def outcomes(self, outcomes: Iterable[Outcome]) -> None:
        """Close the spans of the events, each with its outcome."""
        ...


def require() -> None:
    """Make sure that OpenTelemetry is installed, without importing it.

    Raises:
        TracingNotInstalled: it is not.
    """
    for module in ("opentelemetry", "opentelemetry.sdk", "opentelemetry.exporter.otlp.proto.http"):
        try:
            found = find_spec(module)
        except ModuleNotFoundError:
            found = None
        if found is None:
            raise TracingNotInstalled


def begin(processor: "SpanProcessor | None" = None) -> None:
    """Trace from now on, in this process; to be called after it has forked.

    Args:
        processor: takes the spans; else they go where ``OTEL_EXPORTER_OTLP_ENDPOINT`` says.

    Raises:
        TracingNotInstalled: OpenTelemetry is not installed.
    """
    global _tracing  # noqa: PLW0603 - handlers are plain functions; a process has one tracer
    require()
    # A collector that is away is tried again and again; only what was lost in the end is told.
    logging.getLogger("opentelemetry").setLevel(logging.ERROR)
    _tracing = _Tracing(processor)


def end() -> None:
    """Trace no more, and hand over what there is."""
    global _tracing
    tracing, _tracing = _tracing, None
    if tracing is not None:
        # Where no collector answers, the exporter would try for longer than anybody wants to wait.
        flush = threading.Thread(target=tracing.provider.shutdown, daemon=True)
        flush.start()
        flush.join(FLUSH_SECONDS)
        if flush.is_alive():
            log.warning("tracing.not_handed_over", seconds=FLUSH_SECONDS)


@contextmanager
def during_command(*, enabled: bool) -> Iterator[None]:
    """Trace while a command runs, if that is switched on.

    Raises:
        TracingNotInstalled: it is switched on, and OpenTelemetry is not installed.
    """
    if enabled:
        begin()
    try:
        yield
    finally:
        end()


@contextmanager
def publishing(events: int) -> Iterator[Mapping[str, str]]:
    """Events are appended to the inbox in this block; yields the fields that they carry along."""
    if _tracing is None:
        yield {}
        return
    attributes: dict[str, str | int] = {**_MESSAGING, "messaging.batch.message_count": events}
    with _tracing.span(_PUBLISH, "PRODUCER", attributes) as carried:
        yield carried


def batch(entries: Sequence[Entry]) -> Batch:
    """The spans of a batch and of those of its events that were published with a context."""
    return _UNTRACED if _tracing is None else _TracedBatch(_tracing, entries)


def within(
    stage: str, call: Callable[_Given, _Got], *args: _Given.args, **options: _Given.kwargs
) -> _Got:
    """Call something as a stage of the batch at hand."""
    if _tracing is None:
        return call(*args, **options)
    with _tracing.span(stage, "INTERNAL", {}):
        return call(*args, **options)


class _Tracing:
    """A process's tracer, and what of OpenTelemetry is needed with it."""

    def __init__(self, processor: "SpanProcessor | None") -> None:
        from opentelemetry import context, trace  # noqa: PLC0415 - an optional extra
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import (  # noqa: PLC0415
            OTLPSpanExporter,
        )
        from opentelemetry.sdk.trace import TracerProvider  # noqa: PLC0415
        from opentelemetry.sdk.trace.export import BatchSpanProcessor  # noqa: PLC0415
        from opentelemetry.trace.propagation.tracecontext import (  # noqa: PLC0415
            TraceContextTextMapPropagator,
        )

        self.context = context
        self.trace = trace
        self.provider = TracerProvider(resource=_resource(), shutdown_on_exit=False)
        self.provider.add_span_processor(processor or BatchSpanProcessor(OTLPSpanExporter()))
        self.tracer = self.provider.get_tracer("fieldfare", version("fieldfare"))
        self.propagator = TraceContextTextMapPropagator()

    @contextmanager
    def span(
        self, name: str, kind: str, attributes: Mapping[str, str | int]
    ) -> Iterator[Mapping[str, str]]:
        """A span around a block; yields the fields by which others can become its children."""
        with self.tracer.start_as_current_span(
            name,
            kind=self.trace.SpanKind[kind],
            attributes=attributes,
            # The texts of errors may hold values; their class says enough.
            record_exception=False,
            set_status_on_exception=False,
        ) as span:
            carried: dict[str, str] = {}
            self.propagator.inject(carried)
            try:
                yield {key: carried[key] for key in carried if key == TRACEPARENT}
            except Exception as error:
                self.failed(span, type(error).__name__)
                raise

    def failed(self, span: "Span", what: str) -> None:
        """Mark a span as failed."""
        span.set_status(self.trace.StatusCode.ERROR, what)

    def parent(self, entry: Entry) -> "Context | None":
        """The publisher's context; None where there is none, or what there is cannot be read."""
        told = entry.fields.get(TRACEPARENT)
        if told is None:
            return None
        found = self.propagator.extract({TRACEPARENT: told}, self.context.Context())
        known = self.trace.get_current_span(found).get_span_context().is_valid
        return found if known else None


class _TracedBatch:
    """The spans of one batch."""

    def __init__(self, tracing: _Tracing, entries: Sequence[Entry]) -> None:
        self._tracing = tracing
        self._entries = entries
        self._events: dict[str, Span] = {}

    def __enter__(self) -> Self:
        tracing, trace = self._tracing, self._tracing.trace
        for entry in self._entries:
            if (parent := tracing.parent(entry)) is not None:
                self._events[entry.id] = tracing.tracer.start_span(
                    _PROCESS,
                    context=parent,
                    kind=trace.SpanKind.CONSUMER,
                    attributes={**_MESSAGING, "messaging.message.id": entry.id},
                )
        events = list(self._events.values())
        context, links = tracing.context.Context(), []
        if len(events) == 1:
            context = trace.set_span_in_context(events[0], context)
        else:
            links = [trace.Link(event.get_span_context()) for event in events]
        self._batch = tracing.tracer.start_span(
            "batch",
            context=context,
            attributes={"messaging.batch.message_count": len(self._entries)},
            links=links,
        )
        for event in events:
            event.add_link(self._batch.get_span_context())
        self._token = tracing.context.attach(trace.set_span_in_context(self._batch))
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._tracing.context.detach(self._token)
        self._ended = time.time_ns()
        if kind is not None:
            self._tracing.failed(self._batch, kind.__name__)
            for event in self._events.values():
                self._tracing.failed(event, kind.__name__)
                event.end(self._ended)
        self._batch.end(self._ended)

    def outcomes(self, outcomes: Iterable[Outcome]) -> None:
        """Close the spans of the events, each with its outcome."""
        for outcome in outcomes:
            if (event := self._events.pop(outcome.entry_id, None)) is None:
                continue
            event.set_attribute("fieldfare.outcome", outcome.kind.value)
            if outcome.ticket_id is not None:
                event.set_attribute("fieldfare.ticket_id", outcome.ticket_id)
            if outcome.disposition in {Disposition.FAIL, Disposition.PARK}:
                self._tracing.failed(event, outcome.error or outcome.kind.value)
            event.end(self._ended)


class _UntracedBatch:
    """No spans at all."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def outcomes(self, outcomes: Iterable[Outcome]) -> None:
        """Nothing is open."""


def _resource() -> "Resource":
    """What the standard variables (OTEL_SERVICE_NAME …) say; without them the service is ours."""
    from opentelemetry.sdk.resources import SERVICE_NAME, Resource  # noqa: PLC0415

    told = Resource.create()
    if str(told.attributes.get(SERVICE_NAME, "")).startswith("unknown_service"):
        return told.merge(Resource({SERVICE_NAME: "fieldfare"}))
    return told


_UNTRACED = _UntracedBatch()
_tracing: _Tracing | None = None
