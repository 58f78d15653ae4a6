"""``fieldfare status``: what waits, what works, and which sources answer."""

import json
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from worker.commands.answering import Json, answering
from worker.commands.loading import load

if TYPE_CHECKING:
    from worker.standing import Standing
    from worker.status import Queue, Status

Read = Callable[[], "Status"]
Wait = Callable[[float], object]

COLOURS = {"up": "green", "down": "bold red", "probing": "yellow", "unknown": "dim"}


def status(
    as_json: Json = False,
    watch: Annotated[
        bool, typer.Option("--watch", help="Show it again and again, until Ctrl-C.")
    ] = False,
    interval: Annotated[
        float, typer.Option(metavar="SECONDS", min=0.1, help="How often, with --watch.")
    ] = 1.0,
) -> None:
    """Show the inbox, waiting rooms, dead letters, resyncs, sweep, sources and processes.

    Only Redis is asked. Without --watch a Redis that does not answer ends this with 3; with it,
    only at the beginning, and later its return is waited for. Ctrl-C is the way to end --watch,
    so the exit code is 0 then. --watch with --json prints a line each time.
    """
    from worker import render  # noqa: PLC0415 - heavy imports only where they are needed
    from worker import status as now  # noqa: PLC0415
    from worker.broker import impatient, redis_url  # noqa: PLC0415

    with answering():
        settings = load()
        client = impatient(redis_url(settings.redis), "fieldfare-status")

        def read() -> "Status":
            return now.read(client, settings)

        if not watch:
            found = read()
            if as_json:
                render.print_json(asdict(found))
            else:
                Console(highlight=False).print(picture(found))
            return
        follow(read, interval, threading.Event().wait, as_json=as_json)


def follow(read: Read, interval: float, wait: Wait, *, as_json: bool) -> None:
    """Show the status until Ctrl-C.

    Args:
        read: gives the status.
        interval: seconds between two.
        wait: waits for so many seconds.
        as_json: print a line of JSON each time instead of drawing over what was there.

    Raises:
        redis.RedisError: Redis does not answer the first time.
    """
    try:
        if as_json:
            for found in _again(read, interval, wait):
                line = {"error": found} if isinstance(found, str) else asdict(found)
                sys.stdout.write(json.dumps(line, ensure_ascii=False) + "\n")
                sys.stdout.flush()
        else:
            with Live(console=Console(highlight=False), auto_refresh=False) as live:
                for found in _again(read, interval, wait):
                    shown = Text(found, style="red") if isinstance(found, str) else picture(found)
                    live.update(shown, refresh=True)
    except KeyboardInterrupt:
        return  # as with top, this is how it ends


def _again(read: Read, interval: float, wait: Wait) -> Iterator["Status | str"]:
    """The status, again and again; while Redis does not answer, that it does not."""
    import redis  # noqa: PLC0415 - heavy imports only where they are needed

    yield read()
    while True:
        wait(interval)
        try:
            yield read()
        except redis.RedisError as error:
            yield f"Redis does not answer: {error}"


def picture(found: "Status") -> RenderableType:
    """The status for people, in 80 columns as long as names are short."""
    sweep = found.sweep
    told = "has not run yet"
    if sweep.lag_seconds is not None:
        told = f"up to {sweep.time}, {_age(sweep.lag_seconds)} ago; line {sweep.id}"
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


def _missing(found: "Status") -> Iterator[str]:
    """What should be alive, and is not. A resync worker brings a scheduler of its own along."""
    alive = {(one.role, queue) for one in found.processes for queue in one.queue.split(",")}
    if ("worker", "events") not in alive:
        yield "ticket worker"
    if ("beat", "events") not in alive:
        yield "scheduler of ticket workers"
    if ("worker", "resync") not in alive and any(
        job.state == "running" and not job.local for job in found.resyncs
    ):
        yield "resync worker"


def _queues(found: "Status") -> Table:
    rows = _table("", "events", "oldest", "")
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
    newest = f"newest {_age(dead.newest_seconds)} ago: {dead.reason} {dead.error}"
    rows.add_row("dead letters", str(dead.count), "", Text(newest if dead.count else ""))
    return rows


def _guard(found: "Status") -> list[Text]:
    """That writing is stopped, or that nothing is counted for a while; else nothing."""
    from worker import guard_words  # noqa: PLC0415

    if (stop := found.guard.stop) is not None:
        since = _age(max(0.0, found.time - stop.since))
        told = f"Writing is stopped for {since}: {guard_words.reason(stop)}."
        return [Text(f"{told} See fieldfare guard show.", style="bold red")]
    if found.guard.until is not None:
        until = guard_words.moment(found.guard.until)
        return [Text(f"The guard is released until {until}: everything is written.")]
    return []


def _refresh(found: "Status") -> list[Text]:
    """How many have tickets that are still to follow them; else nothing."""
    if not found.refresh:
        return []
    whose = "customer user or customer" if found.refresh == 1 else "customer users or customers"
    return [Text(f"Tickets of {found.refresh:,} {whose} are still to follow them.")]


def _resyncs(found: "Status") -> Table:
    rows = _table("resync", "state", "tickets", "seen", "moved", "")
    for one in found.resyncs:
        rows.add_row(
            str(one.id),
            Text(_job_state(one)),
            f"{one.total:,}",
            f"{one.seen:,}",
            f"{_age(max(0.0, found.time - one.touched))} ago",
            "in a terminal" if one.local else "",
        )
    return rows


def _job_state(one: "Standing") -> str:
    if one.awaited:
        return f"waits for {', '.join(one.awaited)}"
    return "stopped by the guard" if one.state == "asks" else one.state


def _sources(found: "Status") -> Table:
    rows = _table("source", "name", "state", "for", "reason")
    for one in found.sources:
        rows.add_row(
            Text(one.source),
            Text(one.name),
            Text(one.state, style=COLOURS[one.state]),
            _age(one.since_seconds),
            Text(one.reason),
        )
    for reader in found.readers:
        state = Text(reader.state, style=COLOURS[reader.state])
        since = _age(reader.since_seconds)
        rows.add_row(reader.name, "customer data", state, since, Text(reader.reason))
    return rows


def _processes(found: "Status") -> Table:
    rows = _table("process", "queue", "children", "version", "for")
    for one in found.processes:
        rows.add_row(
            Text(one.name),
            Text(one.queue),
            str(one.concurrency) if one.role == "worker" else "scheduler",
            one.version,
            _age(max(0.0, found.time - one.started)),
        )
    return rows


def _table(*columns: str) -> Table:
    from worker import render  # noqa: PLC0415

    return render.table(*columns)


def _age(seconds: float | None) -> str:
    from worker import render  # noqa: PLC0415

    return render.age(seconds)


def _queue(queue: "Queue") -> tuple[str, str]:
    return str(queue.length), _age(queue.oldest_seconds)
