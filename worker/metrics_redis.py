"""How do inbox, sources and workers stand? Read from Redis whenever the metrics are asked for.

Nothing is kept here, and nothing costs while nobody asks. Every worker tells the same, so
dashboards take the largest of what they are told.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import datetime, tzinfo

import redis
import structlog
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from directory.model import source_name
from worker import heartbeat, source_states
from worker.handlers.sweep import read_cursor
from worker.inbox import Inbox
from worker.inbox_stats import stats
from worker.metrics import Metric

_SOURCE = ("source", "`CustomerUser` … `CustomerUser10`")

REDIS_UP = Metric(
    "fieldfare_redis_up",
    "gauge",
    "1 if Redis answered when it was asked, else 0; then the other gauges are missing.",
)
INBOX = Metric("fieldfare_inbox_events", "gauge", "Events in the inbox, those in hand included.")
IN_HAND = Metric("fieldfare_inbox_pending_events", "gauge", "Events that a worker has in hand.")
OLDEST = Metric(
    "fieldfare_inbox_oldest_event_age_seconds",
    "gauge",
    "How long ago the event arrived that stands first in the inbox; 0 when it is empty.",
)
WAITING = Metric(
    "fieldfare_waiting_events",
    "gauge",
    "Events that wait for a source that does not answer.",
    (_SOURCE,),
)
DEAD = Metric("fieldfare_dead_letters", "gauge", "Events that could not be handled, and are kept.")
SWEEP_LAG = Metric(
    "fieldfare_sweep_lag_seconds",
    "gauge",
    "How far the sweep of the ticket history is behind now; missing before the first.",
)
SOURCE_UP = Metric(
    "fieldfare_source_up",
    "gauge",
    "1 if the source answered when a worker last asked it, else 0; missing before that.",
    (_SOURCE,),
)
PROCESSES = Metric(
    "fieldfare_processes",
    "gauge",
    "Workers and schedulers that are alive, on all machines; see `fieldfare health`.",
    (("role", "`worker`, `beat`"), ("queue", "the queue that it serves: `events`, `admin`")),
)

READ = (
    *(REDIS_UP, INBOX, IN_HAND, OLDEST, WAITING),
    *(DEAD, SWEEP_LAG, SOURCE_UP, PROCESSES),
)
"""What is read from Redis."""

log = structlog.get_logger("fieldfare")


class RedisCollector(Collector):
    """Reads the gauges for one answer.

    Args:
        inbox: over a client that does not wait long.
        slots: of the configured sources.
        zone: of the times in the ticket database.
    """

    def __init__(self, inbox: Inbox, slots: Sequence[str], zone: tzinfo) -> None:
        self._inbox = inbox
        self._slots = tuple(slots)
        self._zone = zone

    def describe(self) -> Iterator[GaugeMetricFamily]:
        """The names, for which Redis need not be asked."""
        return (_family(metric) for metric in READ)

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """The numbers of this moment."""
        try:
            gauges = self._read()
        except redis.RedisError as error:
            log.warning("metrics.redis_unavailable", error=type(error).__name__)
            gauges = [_gauge(REDIS_UP, 0)]
        return iter(gauges)

    def _read(self) -> list[GaugeMetricFamily]:
        client = self._inbox.client
        now = stats(self._inbox)
        waiting, sources, processes = map(_family, (WAITING, SOURCE_UP, PROCESSES))
        for slot in dict.fromkeys([*self._slots, *now.waiting]):
            waiting.add_metric([source_name(slot)], now.waiting.get(slot, 0))
        states = source_states.read(client)
        for slot in self._slots:
            if slot in states:
                sources.add_metric([source_name(slot)], states[slot].state == "up")
        for labels, count in Counter(
            (one.role, one.queue) for one in heartbeat.alive(client)
        ).items():
            processes.add_metric(labels, count)
        lag = self._lag(read_cursor(client).time)
        return [
            _gauge(REDIS_UP, 1),
            _gauge(INBOX, now.length),
            _gauge(IN_HAND, sum(now.pending.values())),
            _gauge(OLDEST, now.oldest_seconds or 0.0),
            waiting,
            _gauge(DEAD, now.dead),
            _gauge(SWEEP_LAG, lag),
            sources,
            processes,
        ]

    def _lag(self, swept: str) -> float | None:
        if not swept:
            return None
        now = datetime.now(self._zone).replace(tzinfo=None)  # as the tables hold times
        return max(0.0, (now - datetime.fromisoformat(swept)).total_seconds())


def _family(metric: Metric) -> GaugeMetricFamily:
    return GaugeMetricFamily(metric.name, metric.meaning, labels=metric.label_names)


def _gauge(metric: Metric, value: float | None) -> GaugeMetricFamily:
    return GaugeMetricFamily(metric.name, metric.meaning, value=value)
