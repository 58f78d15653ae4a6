"""How do inbox, sources and workers stand? Read from Redis whenever the metrics are asked for.

Nothing is kept here, and nothing costs while nobody asks. Every worker tells the same, so
dashboards take the largest of what they are told.
"""

from collections import Counter
from collections.abc import Iterator

import redis
import structlog
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from worker import status
from worker.metrics import Metric
from worker.settings import Settings

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
REFRESH = Metric(
    "fieldfare_refresh_waiting",
    "gauge",
    "Customer users and customers whose tickets are still to follow them.",
)
RESYNCS = Metric(
    "fieldfare_resync_jobs",
    "gauge",
    "Resyncs that have not ended.",
    (("state", "`running`, `paused`, `asks`: the guard stopped it"),),
)
RESYNC_IDLE = Metric(
    "fieldfare_resync_idle_seconds",
    "gauge",
    "How long ago the running resync came a step further that has stood still for longest; 0 when "
    "none runs. One that waits for a source takes a step when it asks again.",
)
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
STOPPED = Metric(
    "fieldfare_writing_stopped",
    "gauge",
    "1 while the guard against mass changes has stopped all writing, else 0.",
)
PROCESSES = Metric(
    "fieldfare_processes",
    "gauge",
    "Workers and schedulers that are alive, on all machines; see `fieldfare health`.",
    (
        ("role", "`worker`, `beat`"),
        ("queue", "the queue that it serves: `events`, `admin`, `resync`"),
    ),
)

READ = (
    *(REDIS_UP, INBOX, IN_HAND, OLDEST, WAITING),
    *(REFRESH, RESYNCS, RESYNC_IDLE),
    *(DEAD, SWEEP_LAG, SOURCE_UP, STOPPED, PROCESSES),
)
"""What is read from Redis."""

log = structlog.get_logger("fieldfare")


class RedisCollector(Collector):
    """Reads the gauges for one answer.

    Args:
        client: does not wait long.
        settings: say which sources there are.
    """

    def __init__(self, client: redis.Redis, settings: Settings) -> None:
        self._client = client
        self._settings = settings

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
        now = status.read(self._client, self._settings)
        waiting, sources, processes = map(_family, (WAITING, SOURCE_UP, PROCESSES))
        resyncs = _family(RESYNCS)
        for state in ("running", "paused", "asks"):
            resyncs.add_metric([state], sum(job.state == state for job in now.resyncs))
        running = (job for job in now.resyncs if job.state == "running")
        idle = [max(0.0, now.time - job.touched) for job in running]
        for one in now.sources:
            waiting.add_metric([one.source], one.waiting.length)
            if one.state != "unknown":
                sources.add_metric([one.source], one.state == "up")
        for source, room in now.orphans.items():
            waiting.add_metric([source], room.length)
        for labels, count in Counter((one.role, one.queue) for one in now.processes).items():
            processes.add_metric(labels, count)
        return [
            _gauge(REDIS_UP, 1),
            _gauge(INBOX, now.inbox.length),
            _gauge(IN_HAND, sum(now.pending.values())),
            _gauge(OLDEST, now.inbox.oldest_seconds or 0.0),
            waiting,
            _gauge(DEAD, now.dead.count),
            _gauge(REFRESH, now.refresh),
            resyncs,
            _gauge(RESYNC_IDLE, max(idle, default=0.0)),
            _gauge(SWEEP_LAG, now.sweep.lag_seconds),
            sources,
            _gauge(STOPPED, now.guard.stop is not None),
            processes,
        ]


def _family(metric: Metric) -> GaugeMetricFamily:
    return GaugeMetricFamily(metric.name, metric.meaning, labels=metric.label_names)


def _gauge(metric: Metric, value: float | None) -> GaugeMetricFamily:
    return GaugeMetricFamily(metric.name, metric.meaning, value=value)
