"""How many old tickets a second does a resync fill, beside a bare script that writes the same rows?

Ten tickets for each customer user, five fields. Measured is what whoever types ``fieldfare resync
--all`` gets: the job is begun, and a resync worker that stands ready works on it to its end. The
bare script is ``bare.fill_rate``.
"""

import time
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import redis
from sqlalchemy import text

from benchmarks import world
from benchmarks.growth import HOUR
from benchmarks.processes import resident_bytes
from benchmarks.rates import resync_worker
from worker import bootstrap, heartbeat, jobs, tally
from worker.job_runs import start
from worker.resync_request import request
from worker.settings import load

TICKETS = 100_000
PER_CUSTOMER_USER = 10


def share_customer_users(system: world.TicketSystem) -> None:
    """Give every ten tickets the same customer user."""
    shared = f"'user' || ((id - 1) / {PER_CUSTOMER_USER} + 1)"
    with system.engine.begin() as connection:
        connection.execute(text(f"UPDATE ticket SET customer_user_id = {shared}"))
    with system.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("VACUUM ANALYZE"))


def resync_rate(config: Path, redis_url: str, kind: str, log: Path) -> float:
    """Tickets a second of a resync of all tickets, which must end as ``kind`` for all of them."""
    client = redis.Redis.from_url(redis_url)
    client.flushall()
    with (
        closing(client),
        closing(bootstrap.build(load(config))) as services,
        resync_worker(config, log) as worker,
    ):
        worker.until(lambda: heartbeat.alive(client), "the resync worker")
        begin = time.perf_counter()
        job_id = start(services, request(services, all_tickets=True))
        end = worker.until(
            lambda: read(client, job_id).state == "done", "the resync", patience=HOUR
        )
        job = read(client, job_id)
    assert job.counts[f"ticket/{kind}"] == job.total, job.counts
    return job.total / (end - begin)


def memory(config: Path, redis_url: str, some: int, log: Path) -> tuple[jobs.Job, Sequence[int]]:
    """A resync of all tickets: what the job was, and what its worker held.

    Args:
        config: the worker's settings file.
        redis_url: its Redis.
        some: tickets after which the worker is looked at for the first time; then in the end.
        log: where the worker's output goes.

    Returns:
        The job when it was done, and bytes after some tickets and after all.
    """
    client = redis.Redis.from_url(redis_url)
    client.flushall()
    held = []
    with (
        closing(client),
        closing(bootstrap.build(load(config))) as services,
        resync_worker(config, log) as worker,
    ):
        job_id = start(services, request(services, all_tickets=True))
        worker.until(lambda: read(client, job_id).cursor >= some, f"{some} tickets")
        held.append(resident_bytes(worker.family()))
        worker.until(lambda: read(client, job_id).state == "done", "the resync", patience=HOUR)
        held.append(resident_bytes(worker.family()))
        job = read(client, job_id)
    assert tally.report(job.counts).seen == job.total, job.counts
    return job, held


def read(client: redis.Redis, job_id: int) -> jobs.Job:
    """A job that must be there."""
    job = jobs.read(client, job_id)
    assert job is not None
    return job
