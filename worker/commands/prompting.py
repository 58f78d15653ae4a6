"""What was not given on the command line? On a terminal somebody is asked for it.

Where nobody can be asked, what is missing is named instead. Questions go to standard error, so that
what a command prints can be piped.
"""

import sys
from collections.abc import Iterable, Mapping, Sequence
from getpass import getpass
from typing import TYPE_CHECKING

import typer

from worker.commands.answering import Exit, complain, console
from worker.commands.fields import Values

if TYPE_CHECKING:
    from directory.config import MapEntry

PASSWORD = "UserPassword"  # noqa: S105 - the variable's name

LISTED = 8
"""Choices that stand behind a question; more are listed above it."""


def somebody_is_there() -> bool:
    """Whether somebody can be asked."""
    return sys.stdin.isatty()


def required(
    entries: Iterable["MapEntry"],
    given: Values,
    selections: Mapping[str, Mapping[str, str]],
    *,
    left_out: Iterable[str] = (),
    stored: Mapping[str, str] | None = None,
) -> Values:
    """Values for the required fields that were not given.

    Args:
        entries: the Map.
        given: what was given.
        selections: choices by variable, and their labels.
        left_out: variables that are never asked for.
        stored: what stands there, for those who only press Enter.

    Raises:
        typer.Exit: nobody can be asked, or whoever was asked gave up.
    """
    missing = [
        entry
        for entry in entries
        if entry.required
        and entry.storage_type != "dynamic_field"
        and entry.variable not in {PASSWORD, *left_out}
        and entry.variable not in given
    ]
    if missing and not somebody_is_there():
        names = ", ".join(entry.variable for entry in missing)
        complain(
            f"required and not given: {names}; nobody can be asked here, so give them as options "
            f"(--set {missing[0].variable}=…)"
        )
        raise typer.Exit(Exit.USAGE)
    return {
        entry.variable: _asked(
            entry.label or entry.variable,
            selections.get(entry.variable, {}),
            (stored or {}).get(entry.variable, ""),
        )
        for entry in missing
    }


def new_password(*, may_be_empty: bool) -> str:
    """A password that somebody types twice, unseen.

    Args:
        may_be_empty: whether one is made if nothing is typed.

    Returns:
        The password; empty if one is to be made.
    """
    hint = "empty: one is made and shown" if may_be_empty else ""
    while True:
        typed = _line("Password", hint, hidden=True)
        if not typed and may_be_empty:
            return ""
        if not typed:
            _say("It is empty.")
        elif typed == _line("Once more", "", hidden=True):
            return typed
        else:
            _say("They are not the same.")


def password_from_stdin() -> str:
    """The first line of standard input.

    Raises:
        typer.Exit: it is empty.
    """
    typed = sys.stdin.readline().rstrip("\r\n")
    if not typed:
        complain("standard input holds no password; right: pass show jane | … --password-stdin")
        raise typer.Exit(Exit.USAGE)
    return typed


def _asked(label: str, choices: Mapping[str, str], stored: str) -> str:
    """What somebody types for a field; asked again while it is nothing, or none of the choices."""
    named = [
        key if label_ in {"", key} else f"{key} ({label_})"
        for key, label_ in choices.items()
        if key
    ]
    if len(named) > LISTED:
        _say(f"{label} is one of: {', '.join(named)}")
    hints = [", ".join(named)] if 0 < len(named) <= LISTED else []
    hints += [f"Enter: {stored}"] if stored else []
    while True:
        typed = _line(label, "; ".join(hints)).strip() or stored
        if not typed:
            _say("It is required.")
        elif not choices or (meant := _choice(typed, choices)) is None:
            if not choices:
                return typed
            _say(f"It is none of these: {', '.join(named)}.")
        else:
            return meant


def _choice(typed: str, choices: Mapping[str, str]) -> str | None:
    """The key of what was typed: a key, or a label."""
    if typed in choices:
        return typed
    meant: Sequence[str] = [
        key
        for key, label in choices.items()
        if typed.casefold() in {key.casefold(), label.casefold()}
    ]
    return meant[0] if len(meant) == 1 else None


def _line(label: str, hint: str, *, hidden: bool = False) -> str:
    shown = console()
    question = f"{label} [{hint}]: " if hint else f"{label}: "
    try:
        if hidden:  # asks when nothing is shown any more, and throws away what was typed before
            return getpass(question, stream=sys.stderr)
        return shown.input(question, markup=False)
    except (EOFError, KeyboardInterrupt):
        shown.print()
        complain("nothing was written")
        raise typer.Exit(Exit.INTERRUPTED) from None


def _say(text: str) -> None:
    console().print(text, markup=False)
