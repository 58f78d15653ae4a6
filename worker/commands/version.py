"""``fieldfare --version``: which Fieldfare is this, and which Python runs it?"""

import platform
from typing import Annotated, TypeAlias

import typer


def _show(asked: bool) -> None:
    if asked:
        from importlib.metadata import version  # noqa: PLC0415 - no other command needs it

        typer.echo(f"fieldfare {version('fieldfare')} (Python {platform.python_version()})")
        raise typer.Exit


Version: TypeAlias = Annotated[
    bool,
    typer.Option(
        "--version",
        callback=_show,
        is_eager=True,
        help="Show the versions of Fieldfare and of Python, and end.",
    ),
]
"""The option; no settings are read for it."""
