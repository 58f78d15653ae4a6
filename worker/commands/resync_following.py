"""How is a job followed to its end, from any terminal? With a bar that moves, or at work on it."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import redis
import typer
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeRemainingColumn,
)

from worker import heartbeat, job_runs, jobs, render, tally
from worker.commands import resync_telling as telling
from worker.commands.answering import Exit, complain
from worker.jobs import Job
from worker.services import Services

EVERY = 0.5
"""Seconds between two looks at a job that is followed."""


def see_through(job_id: int, services: Services, *, local: bool, as_json: bool) -> None:
    """Work on a job, or follow it, to its end; say what came of it, and end with the exit code."""
    client = services.inbox.client
    with _bar() as move:
        try:
            if local:
                found = job_runs.follow_through(
                    job_id, services, lambda job: move(job, _holds_up(job, services))
                )
            else:
                found = _followed(job_id, services, move)
        except job_runs.JobInHand as error:
            complain(str(error))
            raise typer.Exit(Exit.NO) from None
        except KeyboardInterrupt:
            _interrupted(job_id, client, local=local)
            raise
    if found is None:
        complain(f"job {job_id} is gone: Redis has lost it. Start it again; nothing is done twice")
        raise typer.Exit(Exit.UNAVAILABLE)
    if as_json:
        render.print_json(telling.plain(found))
    else:
        telling.tell(found, services)
    if found.state != "done":
        raise typer.Exit(Exit.NO)
    tickets = tally.report(found.counts).tickets
    if any(kind in tickets for kind in ("waiting", "stale")):
        raise typer.Exit(Exit.UNAVAILABLE)


def _interrupted(job_id: int, client: redis.Redis, *, local: bool) -> None:
    if local:
        jobs.pause(client, job_id)
        complain(f"job {job_id} waits; it goes on with: fieldfare resync resume {job_id} --local")
    else:
        complain(f"job {job_id} goes on unwatched; to end it: fieldfare resync cancel {job_id}")


def say_if_nobody_works(job_id: int, services: Services) -> None:
    """Complain where no resync worker is alive, since the job would wait for ever."""
    alive = heartbeat.alive(services.inbox.client)
    if not any("resync" in one.queues for one in alive):
        complain(
            "no resync worker is at work: start one with fieldfare resync-worker, or work on the "
            f"job here with fieldfare resync resume {job_id} --local"
        )


def _followed(job_id: int, services: Services, move: "Callable[[Job, str], object]") -> Job | None:
    """Look at a job again and again until it does not run any more."""
    client = services.inbox.client
    say_if_nobody_works(job_id, services)
    while (found := jobs.read(client, job_id)) is not None and found.state == "running":
        move(found, _holds_up(found, services))
        time.sleep(EVERY)
    return found


def _holds_up(job: Job, services: Services) -> str:
    """Why a job rests, in few words: they stand behind a bar."""
    if job.awaited:
        return f"waits for {', '.join(job.awaited)}"
    return telling.why_it_rests(job, services)


@contextmanager
def _bar() -> Iterator[Callable[[Job, str], object]]:
    """A progress bar on standard error, if that is a terminal; gives what moves it."""
    console = Console(stderr=True, highlight=False)
    columns = (
        TextColumn("job {task.fields[job]}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[pace]}", markup=False),
        TimeRemainingColumn(),
        TextColumn("{task.fields[rests]}", markup=False),
    )
    with Progress(*columns, console=console, disable=not console.is_terminal) as progress:
        bar = progress.add_task("", total=None, job="", pace="", rests="")

        def move(job: Job, rests: str) -> None:
            speed = progress.tasks[0].speed
            progress.update(
                bar,
                total=job.total,
                completed=job.seen,
                job=job.id,
                pace=f"{speed:,.0f}/s" if speed else "",
                rests=rests,
            )

        yield move
