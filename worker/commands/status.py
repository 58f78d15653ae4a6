"""``fieldfare status``: what waits, what works, and which sources answer."""

import json
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from worker.commands.answering import Json, answering
from worker.commands.loading import load

if TYPE_CHECKING:
    from worker.status import Status

Read = Callable[[], "Status"]
Wait = Callable[[float], object]


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
    from worker.commands import status_picture  # noqa: PLC0415

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
                status_picture.show(found)
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
    from worker.commands import status_picture  # noqa: PLC0415

    try:
        if as_json:
            for found in _again(read, interval, wait):
                line = {"error": found} if isinstance(found, str) else asdict(found)
                sys.stdout.write(json.dumps(line, ensure_ascii=False) + "\n")
                sys.stdout.flush()
        else:
            with status_picture.screen() as screen:
                for found in _again(read, interval, wait):
                    screen.update(status_picture.picture(found), refresh=True)
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
