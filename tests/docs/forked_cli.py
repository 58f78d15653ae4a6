"""What does a page's shell run? ``fieldfare`` is the real command line, other names are stand-ins.

Each is a fork of one process that has imported everything, see ``tests.forks``.
"""

import importlib
import sys

import typer

STAYS = {"worker", "admin-worker", "beat", "demo"}
"""Commands that stay until they are stopped: here their arguments are read, and no more."""

STAYS_WITH = {"--watch", "--embedded"}


def run() -> None:
    """Be the command whose name and arguments stand in ``sys.argv``."""
    command, *arguments = sys.argv
    if command != "fieldfare":
        importlib.import_module("tests.docs.stand_ins").run(command, arguments)
        return
    cli = importlib.import_module("worker.cli")
    if STAYS.intersection(arguments[:3]) or STAYS_WITH.intersection(arguments):
        read(typer.main.get_command(cli.app), arguments)
    else:
        cli.main()


def read(root: typer.core.TyperGroup, arguments: list[str]) -> None:
    """Read a command's arguments as the command itself would, without running it.

    Raises:
        click.UsageError: there is no such command or option, or an argument is missing.
    """
    context = root.make_context("fieldfare", list(arguments))
    while hasattr(context.command, "commands"):
        rest = [*context._protected_args, *context.args]
        _, command, rest = context.command.resolve_command(context, rest)
        context = command.make_context(command.name, rest, parent=context)
