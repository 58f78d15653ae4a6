"""What does the status look like to people?"""

from collections.abc import Iterator

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from worker import guard_words, render
from worker.standing import Standing
from worker.status import Queue, Status

COLOURS = {"up": "green", "down": "bold red", "probing": "yellow", "unknown": "dim"}


def show(found: Status) -> None:
    """Print the status."""
    Console(highlight=False).print(picture(found))


def screen() -> Live:
    """Where one picture is drawn over the other."""
    return Live(console=Console(highlight=False), auto_refresh=False)


def picture(found: Status | str) -> RenderableType:
    """The status for people, or why there is none, in 80 columns as long as names are short."""
    if isinstance(found, str):
        return Text(found, style="red")
    sweep = found.sweep
    told = "has not run yet"
    if sweep.lag_seconds is not None:
        told = f"up to {sweep.time}, {render.age(sweep.lag_seconds)} ago; line {sweep.id}"
    running = "; running" if sweep.running else ""
    missing = [Text(f"No {name} is alive.", style="bold red") for name in _missing(found)]
    return Group(
        _queues(found),
        *_guard(found),
        *_refresh(found),
        *(("", _resyncs(found)) if found.resyncs else ()),
        "",
        _sources(found),
        "",
        *([_processes(found)] if found.processes else []),
        *missing,
        "",
        Text(f"Sweep of the ticket history: {told}{running}."),
    )


def _missing(found: Status) -> Iterator[str]:
    """What should be alive, and is not. A resync worker brings a scheduler of its own along."""
    alive = {(one.role, queue) for one in found.processes for queue in one.queues}
    if ("worker", "events") not in alive:
        yield "ticket worker"
    if ("beat", "events") not in alive:
        yield "scheduler of ticket workers"
    if ("worker", "resync") not in alive and any(
        job.state == "running" and not job.local for job in found.resyncs
    ):
        yield "resync worker"


def _queues(found: Status) -> Table:
    rows = render.table("", "events", "oldest", "")
    hands, consumers = sum(found.pending.values()), len(found.pending)
    in_hand = f"{hands} in hand of {consumers} process{'' if consumers == 1 else 'es'}"
    notes = [in_hand] if hands else []
    notes += ["the bell has rung"] if found.bell else []
    rows.add_row("inbox", *_queue(found.inbox), "; ".join(notes))
    rooms = {one.source: one.waiting for one in found.sources if one.waiting.length}
    for name, room in {**rooms, **found.orphans}.items():
        why = "waiting; not configured any more" if name in found.orphans else "waiting"
        rows.add_row(Text(name), *_queue(room), why)
    dead = found.dead
    newest = f"newest {render.age(dead.newest_seconds)} ago: {dead.reason} {dead.error}"
    rows.add_row("dead letters", str(dead.count), "", Text(newest if dead.count else ""))
    return rows


def _guard(found: Status) -> list[Text]:
    """That writing is stopped, or that nothing is counted for a while; else nothing."""
    if (stop := found.guard.stop) is not None:
        since = render.age(max(0.0, found.time - stop.since))
        told = f"Writing is stopped for {since}: {guard_words.reason(stop)}."
        return [Text(f"{told} See fieldfare guard show.", style="bold red")]
    if found.guard.until is not None:
        until = guard_words.moment(found.guard.until)
        return [Text(f"The guard is released until {until}: everything is written.")]
    return []


def _refresh(found: Status) -> list[Text]:
    """How many have tickets that are still to follow them; else nothing."""
    if not found.refresh:
        return []
    whose = "customer user or customer" if found.refresh == 1 else "customer users or customers"
    return [Text(f"Tickets of {found.refresh:,} {whose} are still to follow them.")]


def _resyncs(found: Status) -> Table:
    rows = render.table("resync", "state", "tickets", "seen", "moved", "")
    for one in found.resyncs:
        rows.add_row(
            str(one.id),
            Text(_job_state(one)),
            f"{one.total:,}",
            f"{one.seen:,}",
            f"{render.age(max(0.0, found.time - one.touched))} ago",
            "in a terminal" if one.local else "",
        )
    return rows


def _job_state(one: Standing) -> str:
    if one.awaited:
        return f"waits for {', '.join(one.awaited)}"
    return "stopped by the guard" if one.state == "asks" else one.state


def _sources(found: Status) -> Table:
    rows = render.table("source", "name", "state", "for", "reason")
    for one in found.sources:
        rows.add_row(
            Text(one.source),
            Text(one.name),
            Text(one.state, style=COLOURS[one.state]),
            render.age(one.since_seconds),
            Text(one.reason),
        )
    for reader in found.readers:
        state = Text(reader.state, style=COLOURS[reader.state])
        since = render.age(reader.since_seconds)
        rows.add_row(reader.name, "customer data", state, since, Text(reader.reason))
    return rows


def _processes(found: Status) -> Table:
    rows = render.table("process", "queue", "children", "version", "for")
    for one in found.processes:
        rows.add_row(
            Text(one.name),
            Text(one.queue),
            str(one.concurrency) if one.role == "worker" else "scheduler",
            one.version,
            render.age(max(0.0, found.time - one.started)),
        )
    return rows


def _queue(queue: Queue) -> tuple[str, str]:
    return str(queue.length), render.age(queue.oldest_seconds)
