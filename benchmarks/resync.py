"""How many old tickets a second does a resync fill, beside a bare script that writes the same rows?

Ten tickets for each customer user, five fields. Measured is what whoever types ``fieldfare resync
--all`` gets: the job is begun, and a resync worker that stands ready works on it to its end. The
bare script knows all values beforehand, asks nobody, checks nothing, and locks, inserts and commits
fifty at a time.
"""

import time
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import psycopg
import redis
from sqlalchemy import make_url, text

from benchmarks import world
from benchmarks.growth import HOUR
from benchmarks.processes import resident_bytes
from benchmarks.rates import resync_worker
from tests.otobo import WORKER
from worker import bootstrap, heartbeat, jobs, tally
from worker.job_runs import start
from worker.resync_request import request
from worker.settings import load

TICKETS = 100_000
PER_CUSTOMER_USER = 10
BATCH = 50

_VALUES = """
INSERT INTO dynamic_field_value (field_id, object_id, value_text)
SELECT * FROM unnest(%s::int[], %s::bigint[], %s::text[])
"""
_LINES = f"""
INSERT INTO ticket_history (name, ticket_id, history_type_id, type_id, queue_id, owner_id,
    priority_id, state_id, create_time, create_by, change_time, change_by)
SELECT name, id, 28, 1, 1, 1, 3, 1, now(), {WORKER}, now(), {WORKER}
FROM unnest(%s::text[], %s::bigint[]) AS line(name, id)
"""
_LOCK = "SELECT id FROM ticket WHERE id = ANY(%s) ORDER BY id FOR UPDATE"
_TOUCH = f"UPDATE ticket SET change_time = now(), change_by = {WORKER} WHERE id = ANY(%s)"


def share_customer_users(system: world.TicketSystem) -> None:
    """Give every ten tickets the same customer user."""
    shared = f"'user' || ((id - 1) / {PER_CUSTOMER_USER} + 1)"
    with system.engine.begin() as connection:
        connection.execute(text(f"UPDATE ticket SET customer_user_id = {shared}"))
    with system.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("VACUUM ANALYZE"))


def bare_rate(system: world.TicketSystem) -> float:
    """Tickets a second of the bare script."""
    url = make_url(system.url)
    bare = url.set(drivername="postgresql").render_as_string(hide_password=False)
    with psycopg.connect(bare) as connection:
        known = dict(connection.execute("SELECT name, id FROM dynamic_field").fetchall())
        connection.commit()
        begin = time.perf_counter()
        for first in range(1, system.size + 1, BATCH):
            ids = list(range(first, min(first + BATCH, system.size + 1)))
            rows = [
                (known[field], id_, f"{column}-0-user{(id_ - 1) // PER_CUSTOMER_USER + 1}", field)
                for id_ in ids
                for field, column in zip(world.FIELDS, world.COLUMNS, strict=True)
            ]
            fields, objects, values, names = (list(column) for column in zip(*rows, strict=True))
            lines = [
                f"%%FieldName%%{name}%%Value%%{value}%%OldValue%%"
                for name, value in zip(names, values, strict=True)
            ]
            connection.execute(_LOCK, (ids,))
            connection.execute(_VALUES, (fields, objects, values))
            connection.execute(_LINES, (lines, objects))
            connection.execute(_TOUCH, (ids,))
            connection.commit()
        return system.size / (time.perf_counter() - begin)


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
