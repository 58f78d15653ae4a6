"""Who works on a job, and when? Whoever takes its lease, a part at a time, while no event waits.

A worker takes the job that has rested longest, works some seconds on it and lets go, so that
several jobs come on side by side; ``follow_through`` works on one in this process to its end.
Between two parts the inbox and the guard of all writing are looked at: events go first, and who
stopped events stopped this, too.
"""

import dataclasses
import math
import time
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from secrets import token_hex
from types import MappingProxyType
from typing import Any

import redis
import structlog
from celery.exceptions import SoftTimeLimitExceeded

from worker import guard, guard_words, jobs, silence
from worker.guard import Guard, MassChange
from worker.handlers.resync import Done, resync
from worker.handlers.second_look import look_again
from worker.inbox import EVENTS
from worker.jobs import Job, Order
from worker.outcomes import Kind
from worker.renewal import Renewal
from worker.resync_request import Request
from worker.services import Services

RENEW_SECONDS = 10.0
REST_SECONDS = 0.1
"""How long a job rests before it looks again whether it may go on."""

CAREFUL = 3
"""So often workers may die of a part before its tickets are looked at one by one."""

HOPELESS = 6
"""So often before a ticket that nobody survives is left."""

_RENEWAL = Renewal()

log = structlog.get_logger("fieldfare")


@dataclass(frozen=True, slots=True)
class Pace:
    """Time, and what ends the work.

    Attributes:
        clock: seconds that only grow.
        pause: lets some seconds pass.
        stop: whether to stop after the part at hand.
    """

    clock: Callable[[], float] = time.monotonic
    pause: Callable[[float], object] = time.sleep
    stop: Callable[[], bool] = lambda: False


REAL_TIME = Pace()


def start(services: Services, request: Request, *, local: bool = False) -> int:
    """Begin a job; returns its id.

    Args:
        services: with the ticket database and the Redis that has the jobs.
        request: what is asked for.
        local: this process works on it, by ``follow_through``, and no worker takes it.

    Raises:
        WrongSelection: there is no such queue, state, ticket or field.
        TicketDatabaseUnavailable: the ticket database does not answer.
        redis.RedisError: Redis does not answer.
    """
    scope = services.ticket_index.resolve(request.selection)
    order = Order(scope, request.manner, request.fields, request.rate, request.asked)
    total = services.ticket_index.count(scope)
    job_id = jobs.create(services.inbox.client, order, total, local=local)
    log.info("resync.started", job=job_id, tickets=total, fields=list(request.fields))
    return job_id


def work(services: Services, pace: Pace = REAL_TIME) -> bool:
    """Work some seconds on the job that has rested longest.

    Returns:
        Whether there is a job that could go on at once.

    Raises:
        TicketDatabaseUnavailable, redis.RedisError, WritingStopped: later, where this was.
    """
    client = services.inbox.client
    waiting = [job for job in jobs.read_all(client) if _wants_a_worker(job)]
    for job in sorted(waiting, key=lambda job: (job.touched, job.id)):
        with _in_hand(client, job) as token:
            if token is None:
                continue
            end = pace.clock() + services.settings.resync.work_seconds
            _work_on(job.id, token, services, pace, end=end)
            break
    return any(_wants_a_worker(job) and not job.in_hand for job in jobs.read_all(client))


def _wants_a_worker(job: Job) -> bool:
    return job.state == "running" and not job.local and not job.rests


def follow_through(
    job_id: int,
    services: Services,
    tell: Callable[[Job], object] | None = None,
    pace: Pace = REAL_TIME,
) -> Job | None:
    """Work on one job in this process until it is done, or somebody has it wait.

    Args:
        job_id: of the job.
        services: whom to ask, and where to write.
        tell: called after each part.
        pace: time, and what ends the work.

    Returns:
        The job as it is then; None if it is gone.

    Raises:
        JobInHand: somebody else works on it.
        TicketDatabaseUnavailable, redis.RedisError, WritingStopped: later, where this was.
    """
    client = services.inbox.client
    job = jobs.read(client, job_id)
    if job is None or job.state != "running":
        return job
    with _in_hand(client, job) as token:
        if token is None:
            raise JobInHand(job_id)
        while _work_on(job_id, token, services, pace, tell=tell):
            _let_pass(silence.AGAIN_SECONDS, pace)
    return jobs.read(client, job_id)


class JobInHand(Exception):
    """Somebody else works on the job."""

    def __init__(self, job_id: int) -> None:
        super().__init__(
            f"somebody else works on job {job_id}, or did until a moment ago; after "
            f"{jobs.LEASE_SECONDS} seconds without a sign of life it can be taken over"
        )


def rests(services: Services) -> str:
    """Why jobs rest now; empty while they need not.

    Raises:
        redis.RedisError: Redis does not answer.
    """
    pipeline = services.inbox.client.pipeline(transaction=False)
    pipeline.xlen(EVENTS)
    pipeline.hget(guard.STATE, "state")
    answers: list[Any] = pipeline.execute()
    events, state = answers
    if events > services.settings.resync.max_inbox:
        return f"{events:,} events in the inbox go first"
    if state == b"stopped" and services.settings.guard.enabled:
        return "writing is stopped, see fieldfare guard show"
    return ""


def with_fields(fields: Collection[str], services: Services) -> Services:
    """The same services with the rules of some fields alone; with all of them if none is named."""
    if not fields:
        return services
    rules = {name: rule for name, rule in services.ruleset.rules.items() if name in fields}
    ruleset = dataclasses.replace(services.ruleset, rules=MappingProxyType(rules))
    return dataclasses.replace(services, ruleset=ruleset)


def _work_on(  # noqa: PLR0913 - what the two ways of working have in common
    job_id: int,
    token: str,
    services: Services,
    pace: Pace,
    *,
    end: float = math.inf,
    tell: Callable[[Job], object] | None = None,
) -> bool:
    """Work on a job in our hands until it ends or has to wait, or the pace or time say stop.

    Returns:
        Whether it waits for a source.
    """
    client = services.inbox.client
    job = jobs.read(client, job_id)
    if job is None or job.state != "running":
        return False
    watching = Guard(client, services.settings.guard, jobs.guard_of(job_id))
    own = dataclasses.replace(with_fields(job.order.fields, services), guard=watching)
    cursor, tries, seen = job.cursor, job.tries, job.seen
    silent, manner = job.silent, job.order.manner
    while not pace.stop() and pace.clock() < end:
        if rests(services):
            pace.pause(REST_SECONDS)
            continue
        began = pace.clock()
        most = 1 if tries > CAREFUL else _most(job.order, services)
        part = services.ticket_index.part(job.order.scope, cursor, most)
        try:
            done = _abandoned(part.ids) if tries > HOPELESS else resync(part.ids, own, manner)
        except MassChange:
            _ask(job_id, services)
            return False
        awaited = silence.awaited(done.counts, job.total - seen, services.settings.resync)
        if awaited and _rests(job, token, awaited, services):
            _tell(job_id, services, tell)
            return True
        if silent and silence.answered(done.counts, silent):
            jobs.heard(client, job)
        silent = awaited or silent
        moved = {"before": cursor, "after": part.reached}
        state = jobs.advance(client, job, token, **moved, counts=done.counts, left=done.left)
        log.info("resync.part", job=job_id, tickets=len(part.ids), **_outcomes(done))
        if services.added.is_time():
            look_again(services)
        if state is None:
            log.warning("resync.lost", job=job_id)  # somebody took over, or Redis lost it
            return False
        cursor, tries, seen = part.reached, 0, seen + len(part.ids)
        _tell(job_id, services, tell)
        if state != "running":
            log.info("resync.ended", job=job_id, state=state)
            return False
        _throttle(job.order.rate, len(part.ids), began, pace)
    return False


def _ask(job_id: int, services: Services) -> None:
    """Have a job wait that the guard stopped, until somebody says that it may go on."""
    client = services.inbox.client
    stop = guard.read(client, services.settings.guard, jobs.guard_of(job_id)).stop
    jobs.ask(client, job_id, guard_words.reason(stop) if stop else "")
    log.warning("resync.asks", job=job_id)


def _tell(job_id: int, services: Services, tell: Callable[[Job], object] | None) -> None:
    """Tell whoever wants to know how a job is now."""
    if tell is not None and (now := jobs.read(services.inbox.client, job_id)) is not None:
        tell(now)


def _rests(job: Job, token: str, awaited: Sequence[str], services: Services) -> bool:
    """Have a job wait for sources; whether it does, and has not waited for long enough."""
    again, most = silence.AGAIN_SECONDS, services.settings.resync.wait_for_source
    rests = jobs.rest(services.inbox.client, job, token, awaited, again=again, most=most)
    if rests and job.silent_since is None:  # said once, and not every five seconds
        log.warning("resync.rests", job=job.id, sources=list(awaited))
    return bool(rests)


def _most(order: Order, services: Services) -> int:
    """Tickets of one part: at most what may be worked on in a second."""
    chunk = services.settings.resync.chunk
    return max(1, min(chunk, int(order.rate))) if order.rate else chunk


def _throttle(rate: float, tickets: int, began: float, pace: Pace) -> None:
    """Let as much time pass as so many tickets may take."""
    if not rate:
        return
    _let_pass(began + tickets / rate - pace.clock(), pace)


def _let_pass(seconds: float, pace: Pace) -> None:
    due = pace.clock() + seconds
    while (rest := due - pace.clock()) > 0 and not pace.stop():
        pace.pause(min(rest, 1.0))


def _abandoned(ticket_ids: Any) -> Done:
    """What becomes of a ticket that no worker has survived."""
    if not ticket_ids:
        return Done(Counter(), {})
    log.error("resync.failed", ticket_id=ticket_ids[0], error="killed_workers")
    return Done(Counter({f"{jobs.TICKETS}{Kind.FAILED}": 1}), {Kind.FAILED: list(ticket_ids)})


def _outcomes(done: Done) -> dict[str, int]:
    """The numbers of tickets alone, for the log."""
    return {
        key.removeprefix(jobs.TICKETS): number
        for key, number in done.counts.items()
        if key.startswith(jobs.TICKETS)
    }


@contextmanager
def _in_hand(client: redis.Redis, job: Job) -> Iterator[str | None]:
    """A job in our hands, its lease renewed while the block runs; None if it is not to be had."""
    token = token_hex(8)
    if not jobs.take(client, job.id, token):
        yield None
        return

    def renew() -> None:
        try:
            jobs.renew(client, job.id, token)
        except redis.RedisError as error:
            # At worst somebody takes over, and no cursor is moved by two.
            log.warning("resync.not_renewed", error=type(error).__name__)

    overrun = False
    try:
        with _RENEWAL.at_work(renew, RENEW_SECONDS):
            yield token
    except SoftTimeLimitExceeded:
        overrun = True
        raise
    finally:
        try:
            jobs.let_go(client, job.id, token, overrun=overrun)
        except redis.RedisError as error:
            log.warning("resync.not_let_go", job=job.id, error=type(error).__name__)
