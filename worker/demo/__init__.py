"""``fieldfare demo``: a small ticket system, two directories and a real worker, for a minute.

A Valkey, an LDAP server and a worker process are started; the demo plays requests of a ticket
system, waits until the inbox is empty, and shows what the fields hold now and why.
"""

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict
from pathlib import Path

from rich.text import Text

from worker import bootstrap, embed, render
from worker.decision_words import REASONS
from worker.demo import ldap_server, sample
from worker.demo.story import Scene, play
from worker.demo.ticket_system import Otobo
from worker.embed import DemoError
from worker.handlers.explain import Explanation, explain
from worker.inbox import EVENTS
from worker.services import Services
from worker.settings import load
from worker.variables import CONFIG_VARIABLE

SETTLE_SECONDS = 25.0
STOP_SECONDS = 20.0


def run(*, keep: bool, as_json: bool) -> None:
    """Play the demo and print what came of it.

    Args:
        keep: leave everything running until Ctrl-C.
        as_json: print JSON instead of tables.

    Raises:
        DemoError: the worker ended, or did not settle all events in time.
        EmbeddedServerError: a server could not be started.
    """
    started = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="fieldfare-demo-") as folder, ExitStack() as stack:
        world, directories = stack.enter_context(_servers(Path(folder)))
        os.environ[CONFIG_VARIABLE] = str(world.settings)
        services = bootstrap.build(load())
        worker = stack.enter_context(_worker(world))
        otobo = Otobo(world.ticket_url)
        stack.callback(otobo.close)
        scenes = play(otobo, services.inbox.publish)
        _wait_until_settled(services, worker, world)
        explained = [explain(scene.ticket_id, services, scene.hints) for scene in scenes]
        told = [(scene, one) for scene, one in zip(scenes, explained, strict=True) if one]
        seconds = time.monotonic() - started
        if as_json:
            render.print_json([_data(scene, one) for scene, one in told])
        else:
            _show(told, directories, seconds)
        if keep:
            _show_how_to_play(world)
            worker.wait()


@contextmanager
def _servers(folder: Path) -> Iterator[tuple[sample.World, str]]:
    with embed.valkey(folder / "valkey") as redis_url, ldap_server.serve(folder / "ldap") as ldap:
        directories = "a CRM in SQLite"
        directories += (
            f" and people in LDAP ({ldap[1]})" if ldap else "; no LDAP server is installed"
        )
        yield sample.prepare(folder, redis_url, ldap[0] if ldap else None), directories


@contextmanager
def _worker(world: sample.World) -> Iterator[subprocess.Popen[bytes]]:
    """The real worker as a process of its own, as an operator would start it."""
    command = [sys.executable, "-m", "worker", "--config", str(world.settings), "worker"]
    with (world.folder / "worker.log").open("wb") as log:
        process = subprocess.Popen(  # noqa: S603 - our own command
            [*command, "--concurrency", "1"],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # Ctrl-C ends the demo, and the demo ends the worker
            preexec_fn=embed.die_with_parent,  # noqa: PLW1509 - one prctl call
        )
    try:
        yield process
    finally:
        embed.stop(process, STOP_SECONDS)


def _wait_until_settled(
    services: Services, worker: "subprocess.Popen[bytes]", world: sample.World
) -> None:
    deadline = time.monotonic() + SETTLE_SECONDS
    while services.inbox.client.xlen(EVENTS):
        if worker.poll() is not None or time.monotonic() > deadline:
            log = (world.folder / "worker.log").read_text(errors="replace").strip().splitlines()
            ended = "ended" if worker.poll() is not None else "did not settle all events in time"
            raise DemoError(f"the worker {ended}; it said last: {' | '.join(log[-3:])}")
        time.sleep(0.05)


def _show(told: Sequence[tuple[Scene, Explanation]], directories: str, seconds: float) -> None:
    render.show(f"A ticket system with {len(told)} new tickets, {directories}, one worker.", "")
    for scene, one in told:
        rows = render.table(
            "field", "before", "after", "why", title=f"Ticket {one.ticket_id}: {scene.told}"
        )
        for item in one.fields:
            source = f", from {item.source}" if item.reason == "found" else ""
            rows.add_row(
                item.field,
                Text(scene.before.get(item.field, "")),
                Text(item.current, style="" if item.decision == "unchanged" else "cyan"),
                Text(REASONS[item.reason] + source),
            )
        render.show(rows, "")
    render.show(f"{len(told)} tickets settled; the demo took {seconds:.1f} s.")


def _show_how_to_play(world: sample.World) -> None:
    settings = f"fieldfare --config {world.settings}"
    render.show(
        "",
        "Everything is still running. In another terminal:",
        f"  {settings} lookup anna",
        f"  {settings} explain 1",
        f"  {settings} emit 1",
        f"The worker's log is {world.folder}/worker.log. Ctrl-C stops it all.",
    )


def _data(scene: Scene, one: Explanation) -> dict[str, object]:
    return {"told": scene.told, "before": dict(scene.before), **asdict(one)}
