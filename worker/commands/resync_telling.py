"""What do the commands of resyncs say about a job, and what came of its tickets?"""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from worker import job_runs, render, silence, tally
from worker.decision_words import REASONS
from worker.jobs import Job
from worker.services import Services
from worker.tally import Report

KINDS: Mapping[str, str] = {
    "waiting": "unavailable",
    "no_such_ticket": "gone",
    "stale": "written from an old answer",
}
"""Outcomes of tickets in other words than events have."""


def tell(job: Job, services: Services) -> None:
    """Show where a job stands, and what came of its tickets."""
    come = f"{job.seen:,} of {job.total:,} tickets, {job.seen / job.total:.0%}" if job.total else ""
    render.show(f"Job {job.id}, {state(job)}: {come or 'there is no such ticket'}.")
    if job.order.asked:
        render.show(f"Asked for: {job.order.asked}")
    if rests := why_it_rests(job, services):
        render.show(f"It rests: {rests}.")
    if job.state == "asks":
        render.show(
            f"The guard stopped it: {job.why}.",
            f"Look at what it would do: fieldfare resync --dry-run {job.order.asked}",
            f"If it is right: fieldfare resync resume {job.id} --release",
            f"If not, mend the source first; or end it: fieldfare resync cancel {job.id}",
        )
    if job.seen:
        render.show("")
        show_report(tally.report(job.counts))
    show_left(job)


def why_it_rests(job: Job, services: Services) -> str:
    """Why a job does not come on though it is to; empty if nothing holds it up."""
    if job.state != "running":
        return ""
    return job_runs.rests(services) or silence.words(job, services.settings.resync)


def show_left(job: Job) -> None:
    """Name the tickets that are to be looked at in another run, by how to do that."""
    if job.left:
        are_left = "1 ticket is left" if job.left == 1 else f"{job.left:,} tickets are left"
        render.show("", f"{are_left} for another run: fieldfare resync --left-by {job.id}")


def show_report(found: Report) -> None:
    """Show what came of tickets: by outcome, field, reason and source."""
    rows = render.table("tickets", "number")
    for kind, number in found.tickets.items():
        rows.add_row(KINDS.get(kind, kind), f"{number:,}")
    by_field = render.table("field", "written", "cleared", "unchanged", "kept", "refused")
    for one in found.fields:
        numbers = (one.written, one.cleared, one.unchanged)
        rest = (sum(one.kept.values()), sum(one.refused.values()))
        by_field.add_row(render.plain(one.name), *(f"{number:,}" for number in (*numbers, *rest)))
    whys = render.table("field", "kept or refused because", "number")
    for one in found.fields:
        for why, number in sorted({**one.kept, **one.refused}.items()):
            whys.add_row(render.plain(one.name), REASONS[why], f"{number:,}")
    render.show(rows)
    if found.fields:
        render.show("", by_field)
    if whys.row_count:
        render.show("", whys)
    if found.sources:
        by_source = render.table("source", "outcome", "tickets")
        for name, kinds in found.sources.items():
            shown = "no source knows them" if name == tally.NOBODY else name
            for kind, number in sorted(kinds.items()):
                by_source.add_row(shown, KINDS.get(kind, kind), f"{number:,}")
        render.show("", by_source)


def state(job: Job) -> str:
    """A job's state, in words."""
    if job.state != "running":
        return "stopped by the guard" if job.state == "asks" else job.state
    if job.in_hand:
        return "running"
    return "interrupted" if job.local else "waiting for a worker"


def plain(job: Job) -> dict[str, Any]:
    """A job for programs."""
    report_ = tally.report(job.counts)
    return {
        "job": job.id,
        "state": job.state,
        "in_hand": job.in_hand,
        "local": job.local,
        "asked": job.order.asked,
        "tickets": job.total,
        "seen": report_.seen,
        "left": job.left,
        "why": job.why,
        "awaited": list(job.awaited),
        "created": job.created,
        "started": job.started,
        "ended": job.ended,
        "report": plain_report(report_),
    }


def plain_report(found: Report) -> dict[str, Any]:
    """What came of tickets, for programs."""
    return {
        "tickets": dict(found.tickets),
        "fields": [asdict(one) for one in found.fields],
        "sources": {name: dict(kinds) for name, kinds in found.sources.items()},
    }
