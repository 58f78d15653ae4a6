"""``fieldfare resync``: fill old tickets, and see how far that has come."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated

import typer

from worker.commands.answering import Exit, Json, answering, complain
from worker.commands.choosing import Chosen, with_choice
from worker.commands.loading import load

if TYPE_CHECKING:
    import redis

    from worker.jobs import Job
    from worker.services import Services

app = typer.Typer(
    help="Fill the fields of old tickets, beside the events.", invoke_without_command=True
)

EPILOG = (
    "Exit codes: 0 done; 1 it waits, was cancelled, or the guard stopped it; 2 wrong usage; "
    "3 something does not answer, also if it is a source of some tickets alone; 130 interrupted."
)

JobId = Annotated[int, typer.Argument(metavar="JOB", help="Its id, as resync list shows it.")]
SomeJob = Annotated[int | None, typer.Argument(metavar="JOB", help="Its id; else the newest job.")]
Local = Annotated[
    bool, typer.Option("--local", help="Work on it in this process, not in resync workers.")
]


@app.callback(epilog=EPILOG)
@with_choice
def resync(  # noqa: PLR0913 - one for each option
    *,
    context: typer.Context,
    all_tickets: Annotated[bool, typer.Option("--all", help="Every ticket.")] = False,
    chosen: Chosen,
    left_by: Annotated[
        int | None,
        typer.Option(metavar="JOB", help="Tickets that this job left, e.g. of a silent source."),
    ] = None,
    field: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help="Write only this dynamic field; repeatable."),
    ] = None,
    only_empty: Annotated[
        bool,
        typer.Option(
            "--only-empty", help="Only tickets in which a field is empty, and only empty fields."
        ),
    ] = False,
    overwrite_manual: Annotated[
        bool,
        typer.Option(
            "--overwrite-manual", help="Write over what agents and screens put into the fields."
        ),
    ] = False,
    keep_change_time: Annotated[
        bool, typer.Option("--keep-change-time", help="Leave the tickets' time of change alone.")
    ] = False,
    rate: Annotated[
        float | None,
        typer.Option(metavar="NUMBER", help="Most tickets in a second; 0 is no limit."),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show what would be written; write nothing.")
    ] = False,
    limit: Annotated[
        int, typer.Option(min=0, help="Most differences that --dry-run shows in a table.")
    ] = 50,
    as_csv: Annotated[
        bool, typer.Option("--csv", help="With --dry-run: all differences as CSV.")
    ] = False,
    as_json: Json = False,
    local: Local = False,
    detach: Annotated[
        bool, typer.Option("--detach", help="Start it, print its id, and do not wait for it.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask for confirmation.")] = False,
) -> None:
    """Fill the fields of old tickets, beside the events.

    Without one of the commands below a job is started and followed to its end. All that is said
    of tickets must hold; of several queues, states and so on, one. Events go first, and what
    agents wrote stays, as with events.

    Example: fieldfare resync --open --field CustomerPhone --only-empty
    """
    options = {
        "all_tickets": all_tickets,
        **chosen,
        "left_by": left_by,
        "field": field or (),
        "only_empty": only_empty,
        "overwrite_manual": overwrite_manual,
        "keep_change_time": keep_change_time,
        "rate": rate,
    }
    if context.invoked_subcommand is not None:
        if any(options.values()) or dry_run or local:
            msg = f"options stand behind {context.invoked_subcommand}, or belong to no command"
            raise typer.BadParameter(msg)
        return
    _check_usage(dry_run=dry_run, as_csv=as_csv, as_json=as_json, local=local, detach=detach)
    from worker import bootstrap, job_runs  # noqa: PLC0415 - heavy imports only where needed
    from worker.commands import resync_following as following  # noqa: PLC0415
    from worker.commands import resync_planning as planning  # noqa: PLC0415
    from worker.resync_request import request  # noqa: PLC0415
    from worker.tickets.selection import WrongSelection  # noqa: PLC0415

    with answering(), _closed(bootstrap.build(load())) as services:
        try:
            asked = request(services, **options)
            if dry_run:
                planning.dry_run(asked, services, limit=limit, as_csv=as_csv, as_json=as_json)
                return
            if overwrite_manual and not yes:
                _confirm()
            job_id = job_runs.start(services, asked, local=local)
        except WrongSelection as error:
            complain(str(error))
            raise typer.Exit(Exit.USAGE) from None
        if detach:
            _print_started(job_id, as_json=as_json)
            following.say_if_nobody_works(job_id, services)
            return
        following.see_through(job_id, services, local=local, as_json=as_json)


@app.command()
def status(
    job: SomeJob = None,
    as_json: Json = False,
    watch: Annotated[
        bool, typer.Option("--watch", help="Follow it to its end with a progress bar.")
    ] = False,
) -> None:
    """Show how far a job has come.

    Example: fieldfare resync status 3 --watch
    """
    from worker import render  # noqa: PLC0415
    from worker.commands import resync_following as following  # noqa: PLC0415
    from worker.commands import resync_telling as telling  # noqa: PLC0415

    with answering(), _closed(_services()) as services:
        found = _job(services.inbox.client, job)
        if watch:
            following.see_through(found.id, services, local=False, as_json=as_json)
            return
        if as_json:
            render.print_json(telling.plain(found))
            return
        telling.tell(found, services)


@app.command("list")
def list_(as_json: Json = False) -> None:
    """List all jobs of the last thirty days, and those that have not ended."""
    from worker import jobs, render  # noqa: PLC0415
    from worker.commands import resync_telling as telling  # noqa: PLC0415
    from worker.guard_words import moment  # noqa: PLC0415

    with answering(), _closed(_services()) as services:
        found = jobs.read_all(services.inbox.client)
    if as_json:
        render.print_json([telling.plain(one) for one in found])
        return
    if not found:
        render.show("There is no job.")
        return
    rows = render.table("job", "state", "tickets", "seen", "started", "asked for")
    for one in found:
        rows.add_row(
            str(one.id),
            telling.state(one),
            f"{one.total:,}",
            f"{one.seen:,}",
            moment(one.created),
            render.plain(one.order.asked),
        )
    render.show(rows)


@app.command()
def pause(job: JobId) -> None:
    """Have a job wait after the tickets at hand."""
    from worker import jobs, render  # noqa: PLC0415

    with answering(), _closed(_services()) as services:
        before = jobs.pause(services.inbox.client, job)
    _insist(job, before, ("running",), "paused")
    render.show(f"Job {job} waits. It goes on with: fieldfare resync resume {job}")


@app.command()
def resume(
    job: JobId,
    release: Annotated[
        bool,
        typer.Option("--release", help="Also what the guard stopped it for: it may be written."),
    ] = False,
    local: Local = False,
    detach: Annotated[bool, typer.Option("--detach", help="Do not wait for its end.")] = False,
    as_json: Json = False,
) -> None:
    """Have a job go on that waits, was interrupted, or that the guard stopped.

    It goes on where it was. A job that the guard stopped needs --release, which lets it empty
    whatever it finds to be emptied.
    """
    from worker import guard, jobs  # noqa: PLC0415
    from worker.commands import resync_following as following  # noqa: PLC0415
    from worker.commands import resync_telling as telling  # noqa: PLC0415

    with answering(), _closed(_services()) as services:
        client = services.inbox.client
        found = _job(client, job)
        if found.state == "asks" and not release:
            telling.tell(found, services)
            raise typer.Exit(Exit.NO)
        if release:
            guard.release(client, services.settings.guard, jobs.KEEP_SECONDS, jobs.guard_of(job))
        before = jobs.resume(client, job, local=local)
        _insist(job, before, ("running", "paused", "asks"), "resumed")
        if detach:
            _print_started(job, as_json=as_json)
            following.say_if_nobody_works(job, services)
            return
        following.see_through(job, services, local=local, as_json=as_json)


@app.command()
def cancel(job: JobId) -> None:
    """End a job where it is. What was written stays written."""
    from worker import jobs, render  # noqa: PLC0415

    with answering(), _closed(_services()) as services:
        before = jobs.cancel(services.inbox.client, job)
    _insist(job, before, ("running", "paused", "asks"), "cancelled")
    render.show(f"Job {job} is cancelled. Its report: fieldfare resync report {job}")


@app.command()
def report(job: SomeJob = None, as_json: Json = False) -> None:
    """Show what came of a job's tickets so far: by outcome, field and source."""
    from worker import render, tally  # noqa: PLC0415
    from worker.commands import resync_telling as telling  # noqa: PLC0415

    with answering(), _closed(_services()) as services:
        found = _job(services.inbox.client, job)
    if as_json:
        render.print_json(telling.plain(found))
        return
    telling.show_report(tally.report(found.counts))
    telling.show_left(found)


def _check_usage(*, dry_run: bool, as_csv: bool, as_json: bool, local: bool, detach: bool) -> None:
    if as_csv and not dry_run:
        raise typer.BadParameter("CSV is of differences: use it with --dry-run", param_hint="--csv")
    if as_csv and as_json:
        raise typer.BadParameter("give --json or --csv, not both", param_hint="--csv")
    if detach and (local or dry_run):
        raise typer.BadParameter("this process itself does the work", param_hint="--detach")


def _services() -> "Services":
    from worker import bootstrap  # noqa: PLC0415

    return bootstrap.build(load())


@contextmanager
def _closed(services: "Services") -> "Iterator[Services]":
    try:
        yield services
    finally:
        services.close()


def _confirm() -> None:
    from worker.commands.prompting import somebody_is_there  # noqa: PLC0415

    what = "this writes over what agents and screens have put into the fields"
    if not somebody_is_there():
        complain(f"{what}; nobody can be asked here, so confirm it with --yes")
        raise typer.Exit(Exit.USAGE)
    if not typer.confirm(f"{what[0].upper()}{what[1:]}. Write it?", err=True):
        raise typer.Exit(Exit.NO)


def _job(client: "redis.Redis", job_id: int | None) -> "Job":
    from worker import jobs  # noqa: PLC0415

    if job_id is None:
        found = jobs.read_all(client)
        one = found[-1] if found else None
    else:
        one = jobs.read(client, job_id)
    if one is None:
        complain(f"there is no job{'' if job_id is None else f' {job_id}'}")
        raise typer.Exit(Exit.NO)
    return one


def _insist(job_id: int, before: str | None, allowed: tuple[str, ...], what: str) -> None:
    """End the command if a job was not in a state in which that can be done."""
    if before is None:
        complain(f"there is no job {job_id}; fieldfare resync list shows those that there are")
    elif before not in allowed:
        complain(f"job {job_id} cannot be {what}: it is {before}")
    if before not in allowed:
        raise typer.Exit(Exit.NO)


def _print_started(job_id: int, *, as_json: bool) -> None:
    from worker import render  # noqa: PLC0415

    if as_json:
        render.print_json({"job": job_id})
        return
    render.show(f"Job {job_id} is to be worked on. To follow it: fieldfare resync status --watch")
