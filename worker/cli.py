"""The operator's commands.

Exit codes: 0 done; 1 the answer is no (unknown login, no such ticket); 2 wrong usage or
settings; 3 something did not answer (a source, the ticket database, Redis); 130 interrupted.
"""

import json
import os
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import Annotated, Literal

import typer

from directory.model import Found, Unavailable
from worker.commands import customer_users, customers, guard, interrupting, resync, sources
from worker.commands.admin_worker import admin_worker
from worker.commands.answering import Exit, Json, answering, complain
from worker.commands.audit import audit
from worker.commands.beat import beat
from worker.commands.check import check
from worker.commands.dead import dead
from worker.commands.forget import EPILOG as FORGET_EPILOG
from worker.commands.forget import forget
from worker.commands.health import health
from worker.commands.inbox import inbox
from worker.commands.loading import load
from worker.commands.report import EPILOG as REPORT_EPILOG
from worker.commands.report import report
from worker.commands.resync_worker import resync_worker
from worker.commands.status import status
from worker.commands.version import Version
from worker.commands.waiting import waiting
from worker.variables import CONFIG_VARIABLE

app = typer.Typer(
    name="fieldfare",
    help="Fills the dynamic fields of tickets from the customer user directory.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,  # tracebacks with local variables would show customer data
    rich_markup_mode=None,
    epilog=(
        "Exit codes: 0 done; 1 the answer is no; 2 wrong usage or settings; "
        "3 something did not answer; 130 interrupted."
    ),
)
config_app = typer.Typer(help="Show the settings and their schema.", no_args_is_help=True)
app.add_typer(config_app, name="config")


@app.callback()
def options(
    config: Annotated[
        Path | None,
        typer.Option(
            "--config",
            "-c",
            metavar="FILE",
            help="The settings file; else $FIELDFARE_CONFIG, ./fieldfare.toml, "
            "/etc/fieldfare/fieldfare.toml.",
        ),
    ] = None,
    version: Version = False,  # noqa: ARG001 - it ends before
) -> None:
    """Fills the dynamic fields of tickets from the customer user directory."""
    if config is not None:
        # Worker processes and Celery's own command line read the same file.
        os.environ[CONFIG_VARIABLE] = str(config.absolute())


@app.command()
def emit(
    tickets: Annotated[list[int], typer.Argument(metavar="TICKET…", help="Ids of tickets.")],
    kind: Annotated[
        Literal["created", "customer_changed"], typer.Option("--type", help="What happened.")
    ] = "customer_changed",
    screen: Annotated[
        str | None, typer.Option(help="The screen that raised it, e.g. AgentTicketPhone.")
    ] = None,
    field: Annotated[
        list[str] | None, typer.Option(help="A field that the request submitted; repeatable.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Put events into the inbox: have these tickets looked at."""
    from worker import bootstrap, render, tracing  # noqa: PLC0415 - heavy imports only where needed

    with answering(), tracing.during_command(enabled=(settings := load()).tracing.enabled):
        inbox = bootstrap.inbox(settings)
        fields: dict[str, str] = {"type": f"ticket.{kind}"}
        if screen:
            fields["screen"] = screen
        if field:
            fields["fields"] = json.dumps(field, ensure_ascii=False)
        entries = inbox.publish_many([{**fields, "ticket_id": str(i)} for i in tickets])
    render.emitted(dict(zip(tickets, entries, strict=True)), as_json=as_json)


@app.command()
def lookup(
    login: Annotated[str, typer.Argument(help="The customer user's login.")],
    as_json: Json = False,
) -> None:
    """Ask each source, in order, who this customer user is."""
    from worker import bootstrap, render  # noqa: PLC0415

    with answering():
        services = bootstrap.build(load())
        trace = services.directory.trace(login)
        whole = services.directory.find([login], fresh=True)[login]
    render.lookup(login, trace, whole, as_json=as_json)
    deciding = next((one.answer for one in trace if one.decides), None)
    if isinstance(deciding, Unavailable):
        raise typer.Exit(Exit.UNAVAILABLE)
    if not isinstance(deciding, Found):
        raise typer.Exit(Exit.NO)


@app.command()
def explain(
    ticket: Annotated[int, typer.Argument(help="The ticket's id.")],
    screen: Annotated[
        str | None, typer.Option(help="As if the event had named this screen.")
    ] = None,
    field: Annotated[
        list[str] | None, typer.Option(help="As if the request had submitted this field.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Say for each mapped field what stands there, what would be written, why, and its past."""
    from mapping.model import EventHint  # noqa: PLC0415
    from worker import bootstrap, render  # noqa: PLC0415
    from worker.handlers.explain import explain as explained  # noqa: PLC0415

    hint = EventHint(created=True, changed=True, screen=screen, fields=frozenset(field or ()))
    with answering():
        found = explained(ticket, bootstrap.build(load()), [hint] if screen or field else [])
    if found is None:
        complain(f"there is no ticket with id {ticket}; explain takes ticket.id, not its number")
        raise typer.Exit(Exit.NO)
    render.explanation(found, as_json=as_json)
    if found.answer == "unavailable":
        raise typer.Exit(Exit.UNAVAILABLE)


@app.command()
def worker(
    embedded: Annotated[
        bool,
        typer.Option(
            "--embedded",
            help="Bring a Valkey and a SQLite ticket system, and stop them at the end.",
        ),
    ] = False,
    data: Annotated[
        Path, typer.Option(metavar="FOLDER", help="Where --embedded keeps its data.")
    ] = Path("fieldfare-data"),
    beat: Annotated[
        bool,
        typer.Option(
            "--beat/--no-beat", help="Also run the scheduler that rings every second and sweeps."
        ),
    ] = True,
    concurrency: Annotated[int, typer.Option(min=1, max=64, help="Worker processes.")] = 2,
) -> None:
    """Run a worker until it is told to stop (SIGTERM, Ctrl-C); it drains the inbox."""
    from worker.run import run_worker  # noqa: PLC0415 - heavy imports only where needed

    with answering(), ExitStack() as stack:
        if embedded:
            from worker import bootstrap, embed  # noqa: PLC0415
            from worker.demo import sample  # noqa: PLC0415

            redis_url = stack.enter_context(embed.valkey(data / "valkey"))
            world = sample.prepare(data, redis_url)
            os.environ[CONFIG_VARIABLE] = str(world.settings)
            complain(f"settings for other commands: fieldfare --config {world.settings}")
            if world.fresh:
                from worker.demo.story import first_tickets  # noqa: PLC0415

                first_tickets(world, bootstrap.inbox(load()).publish)
        run_worker(load(), concurrency=concurrency, beat=beat)


@app.command()
def demo(
    keep: Annotated[
        bool, typer.Option("--keep", help="Leave everything running to play with.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Play a day of a small ticket system with a real worker, and show what it wrote and why."""
    from worker.demo import run  # noqa: PLC0415

    with answering():
        run(keep=keep, as_json=as_json)


app.add_typer(customer_users.app, name="customer-user")
app.add_typer(customers.app, name="customer")
app.add_typer(sources.app, name="source")
app.add_typer(guard.app, name="guard")
app.add_typer(resync.app, name="resync")
app.command()(admin_worker)
app.command()(resync_worker)
app.command()(audit)
app.command()(beat)
app.command()(check)
app.command()(health)
app.command(epilog=REPORT_EPILOG)(report)
app.command(epilog=FORGET_EPILOG)(forget)
app.command()(status)
app.command()(inbox)
app.command()(waiting)
app.add_typer(dead, name="dead")


@config_app.command("show")
def config_show(as_json: Json = False) -> None:
    """Print the effective settings; secrets are masked."""
    from worker import render  # noqa: PLC0415

    with answering():
        settings = load()
    render.settings(settings, as_json=as_json)


@config_app.command("from-otobo")
def config_from_otobo(
    file: Annotated[
        Path,
        typer.Argument(
            metavar="FILE.json",
            help="OTOBO's configuration as JSON: names and values as in Kernel/Config.pm, or a "
            "set with sources, mapping, event_module and settings. - reads standard input.",
        ),
    ],
) -> None:
    """Print OTOBO's customer user sources, mapping and screens as a settings file (TOML)."""
    from worker import from_otobo, toml  # noqa: PLC0415

    try:
        text = sys.stdin.read() if str(file) == "-" else file.read_text(encoding="utf-8")
        configuration = json.loads(text)
    except OSError as error:
        complain(f"{file} cannot be read: {error.strerror}")
        raise typer.Exit(Exit.USAGE) from None
    except ValueError as error:
        complain(f"{file} is not JSON: {error}")
        raise typer.Exit(Exit.USAGE) from None
    if not isinstance(configuration, dict):
        complain(f'{file} is not an object; right: {{"CustomerUser": {{"Module": …}}}}')
        raise typer.Exit(Exit.USAGE)
    translation = from_otobo.translate(configuration)
    for note in translation.notes:
        complain(note)
    typer.echo(toml.dumps(translation.settings), nl=False)


@config_app.command("schema")
def config_schema(
    source: Annotated[
        str | None,
        typer.Option(
            metavar="KIND", help="Of a source of this kind alone, also one that a package adds."
        ),
    ] = None,
) -> None:
    """Print the JSON Schema of the settings, for editors and checks."""
    from directory import kinds  # noqa: PLC0415
    from worker import render  # noqa: PLC0415
    from worker.settings import Settings  # noqa: PLC0415

    with answering():
        model = Settings if source is None else kinds.options_of(source)
    render.print_json(model.model_json_schema(by_alias=False))


def main() -> None:
    """Run the command line; Ctrl-C and SIGTERM end it quietly, with all that it started."""
    interrupting.attach()
    try:
        app()
    except KeyboardInterrupt:
        raise SystemExit(Exit.INTERRUPTED) from None
