"""What do the numbers say? Every metric by name, and the calls by which handlers count.

Handlers call once for each batch, never once for each event: a call costs some increments,
however many events there were. Until ``begin`` was called nothing is counted.

Counters and histograms are kept by the processes that handle batches, and added up where they are
served (``worker.metrics_server``). Gauges are read from Redis when somebody asks for them
(``worker.metrics_redis``); every worker tells the same of those. No label has a value that an event
or a customer user brings along: all are known beforehand, or come from the settings.
"""

import time
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias, TypeVar

from directory.model import SLOTS, Answer, Found, Unavailable, source_name
from mapping.model import Decision, Plan
from worker.entries import Entry
from worker.outcomes import DISPOSITIONS, Disposition, Kind, Outcome

if TYPE_CHECKING:  # it is imported when the metrics are switched on, see worker.metrics_server
    import prometheus_client

NO_SOURCE = "none"
"""The source of an answer that all sources gave together: nobody knows the customer user."""

_Word = TypeVar("_Word", Kind, Decision)

Asked: TypeAlias = tuple[Answer | None, Plan | None]
"""What a batch found out about a ticket: what the directory said, if it was asked, and the plan."""


class MetricsNotServed(Exception):
    """The metrics cannot be served where they should be."""

    def __init__(self, where: str, reason: str) -> None:
        super().__init__(
            f"the metrics cannot be served on {where}: {reason}; give this worker another "
            "metrics.port (FIELDFARE_METRICS__PORT), or 0 to have none"
        )


@dataclass(frozen=True, slots=True)
class Metric:
    """A metric as it is documented and served.

    Attributes:
        name: as dashboards use it; of a histogram, without ``_bucket``, ``_sum`` and ``_count``.
        labels: names of the labels, with their values for the reader of the reference.
        buckets: upper bounds, of a histogram.
    """

    name: str
    kind: Literal["counter", "histogram", "gauge"]
    meaning: str
    labels: tuple[tuple[str, str], ...] = ()
    buckets: tuple[float, ...] = ()

    @property
    def label_names(self) -> tuple[str, ...]:
        """The names of the labels, in order."""
        return tuple(name for name, _ in self.labels)


EVENTS = Metric(
    "fieldfare_events_total",
    "counter",
    "Events by the outcome that their handling had. One that is retried counts each time.",
    (("outcome", "see [outcomes](outcomes.md)"),),
)
FIELDS = Metric(
    "fieldfare_fields_total",
    "counter",
    "Mapped fields of the tickets that were handled, by what was decided on them.",
    (("decision", "see [outcomes](outcomes.md#decisions-on-a-field)"),),
)
LOOKUPS = Metric(
    "fieldfare_lookups_total",
    "counter",
    "Customer users of the tickets that were handled, by what the directory said of them.",
    (
        (
            "source",
            f"`CustomerUser` … `CustomerUser10`: who knows them, or is away; `{NO_SOURCE}`: nobody",
        ),
        (
            "answer",
            "`found`, `absent`, `unavailable`, `stale`: what a source said before it went away",
        ),
    ),
)
PARKED = Metric(
    "fieldfare_parked_events_total",
    "counter",
    "Events that became dead letters.",
    (("reason", "`malformed`, `failed`, `killed_workers`"),),
)
SWEPT = Metric(
    "fieldfare_swept_events_total",
    "counter",
    "Events that a sweep of the ticket history found and no producer had told of.",
)
LATENCY = Metric(
    "fieldfare_event_latency_seconds",
    "histogram",
    "From the arrival of an event in the inbox until its ticket was committed and the event left, "
    "waiting for sources included; by the clock of Redis at the beginning, the worker's at the "
    "end.",
    buckets=(0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 3600),
)
BATCH_EVENTS = Metric(
    "fieldfare_batch_events",
    "histogram",
    "Events of a batch.",
    buckets=(1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000),
)
BATCH_SECONDS = Metric(
    "fieldfare_batch_duration_seconds",
    "histogram",
    "How long it took to load, look up, plan and write a batch.",
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60),
)

COUNTED = (EVENTS, FIELDS, LOOKUPS, PARKED, SWEPT, LATENCY, BATCH_EVENTS, BATCH_SECONDS)
"""What the processes count that handle batches."""

PARKING_REASONS = ("malformed", "failed", "killed_workers")


class _Counts:
    """The counters and histograms of a process and of those that it forks."""

    def __init__(self) -> None:
        from prometheus_client import Counter as Counts  # noqa: PLC0415 - see TYPE_CHECKING
        from prometheus_client import Histogram  # noqa: PLC0415

        class Batches(Histogram):
            """A histogram that takes many observations with few increments."""

            def observe_all(self, amounts: Sequence[float]) -> None:
                """Observe amounts that are at least 0."""
                found = Counter(bisect_left(self._upper_bounds, amount) for amount in amounts)
                for bucket, count in found.items():
                    self._buckets[bucket].inc(count)
                self._sum.inc(sum(amounts))

        def counter(metric: Metric) -> "prometheus_client.Counter":
            return Counts(metric.name, metric.meaning, metric.label_names, registry=None)

        def histogram(metric: Metric) -> Batches:
            return Batches(metric.name, metric.meaning, buckets=metric.buckets, registry=None)

        # Every series that can be known is there from the beginning, so that its first increase is
        # one; and to look its labels up with each batch would cost more than to count.
        events, fields, parked = counter(EVENTS), counter(FIELDS), counter(PARKED)
        self.events = {kind: events.labels(kind.value) for kind in Kind}
        self.fields = {decision: fields.labels(decision.value) for decision in Decision}
        self.parked = {reason: parked.labels(reason) for reason in PARKING_REASONS}
        self.lookups = counter(LOOKUPS)
        self.swept = counter(SWEPT)
        self.latency = histogram(LATENCY)
        self.batch_events = histogram(BATCH_EVENTS)
        self.batch_seconds = histogram(BATCH_SECONDS)


_counts: _Counts | None = None


def begin() -> None:
    """Count from now on, in this process and in all that it forks."""
    global _counts  # noqa: PLW0603 - handlers are plain functions; a process has one set of metrics
    _counts = _Counts()


def end() -> None:
    """Count no more."""
    global _counts  # noqa: PLW0603
    _counts = None


def enriched(asked: Iterable[Asked], events: int, seconds: float) -> None:
    """Count what a batch found and decided.

    Args:
        asked: for each ticket that exists.
        events: how many the batch had.
        seconds: how long it took.
    """
    if (counts := _counts) is None:
        return
    answers: list[tuple[str, str]] = []
    decisions: list[Decision] = []
    for answer, plan in asked:
        if answer is not None:
            answers.append(_answer(answer))
        if plan is not None:
            decisions += [one.decision for one in plan.decisions]
    for labels, count in Counter(answers).items():
        counts.lookups.labels(*labels).inc(count)
    _count(counts.fields, decisions)
    counts.batch_events.observe(events)
    counts.batch_seconds.observe(seconds)


def disposed(entries: Iterable[Entry], outcomes: Iterable[Outcome]) -> None:
    """Count entries that have left the inbox, or gone back into it, as their outcomes say."""
    if (counts := _counts) is None:
        return
    now = time.time()
    told = list(outcomes)
    settled = {outcome.entry_id for outcome in told if outcome.kind in _SETTLED}
    latencies = [now - entry.seconds for entry in entries if entry.id in settled]
    _count(counts.events, [outcome.kind for outcome in told])
    if latencies:
        if min(latencies) < 0.0:  # the clock of Redis is ahead of ours
            latencies = [max(0.0, latency) for latency in latencies]
        counts.latency.observe_all(latencies)


def parked(reason: str) -> None:
    """Count an event that became a dead letter; one of ``PARKING_REASONS``."""
    if _counts is not None:
        _counts.parked[reason].inc()


def swept(events: int) -> None:
    """Count the events that a sweep announced."""
    if _counts is not None:
        _counts.swept.inc(events)


_SETTLED = tuple(kind for kind in Kind if DISPOSITIONS[kind] is Disposition.SETTLE)
_SOURCES = {slot: source_name(slot) for slot in SLOTS}


def _count(series: Mapping[_Word, "prometheus_client.Counter"], words: Sequence[_Word]) -> None:
    """Count words; the hash of an enumeration's member costs more than to go through the list."""
    remaining = len(words)
    for word, one in series.items():
        if remaining == 0:
            break
        if count := words.count(word):
            one.inc(count)
            remaining -= count


def _answer(answer: Answer) -> tuple[str, str]:
    if isinstance(answer, Found):
        return _SOURCES[answer.customer_user.slot], "stale" if answer.stale else "found"
    if isinstance(answer, Unavailable):
        return _SOURCES[answer.slot], "unavailable"
    return NO_SOURCE, "absent"
