"""What does an update change? It is shown field by field, as it was and as it becomes."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from worker.commands import known, prompting
from worker.commands.fields import Values
from worker.commands.listing import text

if TYPE_CHECKING:
    from directory.config import MapEntry

VALID = "ValidID"

Replace = Annotated[
    bool,
    typer.Option("--replace", help="Empty all fields that are not given, as OTOBO's screen does."),
]
DryRun = Annotated[
    bool, typer.Option("--dry-run", help="Show what would change, and change nothing.")
]


def whole(
    given: Values,
    stored: Mapping[str, Any],
    entries: Sequence["MapEntry"],
    selections: Mapping[str, Mapping[str, str]],
) -> Values:
    """The values of an update that leaves nothing as it is: what is not given is emptied.

    Who is valid stays so. For required fields that are not given somebody is asked.

    Args:
        given: what was given, the login or id included.
        stored: the values that are there.
        entries: the Map.
        selections: choices by variable.

    Raises:
        typer.Exit: nobody can be asked.
    """
    values = dict(given)
    if stored.get(VALID):
        values.setdefault(VALID, stored[VALID])
    texts = {name: value for name, value in stored.items() if isinstance(value, str)}
    values |= prompting.required(entries, values, selections, stored=texts)
    emptied = {
        entry.variable: ""
        for entry in entries
        if stored.get(entry.variable)
        and not entry.readonly
        and entry.variable not in {*values, prompting.PASSWORD}
    }
    return {**emptied, **values}


def differences(stored: Mapping[str, Any], values: Values) -> dict[str, dict[str, Any]]:
    """``from`` and ``to`` of each variable that is given and would be another.

    Args:
        stored: what is there.
        values: what was given.
    """
    return {
        name: {"from": was, "to": becomes}
        for name, given in values.items()
        if (was := _word(name, stored.get(name, ""))) != (becomes := _word(name, given))
    }


def tell(told: Mapping[str, Any], done: str, *, as_json: bool) -> None:
    """Say what was done: what changed, and a password that was made.

    Args:
        told: by the call, with ``changes`` of an update.
        done: the sentence for people.
        as_json: print all of it as JSON instead.
    """
    from worker import render  # noqa: PLC0415 - heavy imports only where needed

    if as_json:
        render.print_json(told)
        return
    if changes := told.get("changes"):
        rows = render.table("field", "was", "becomes")
        for name, change in changes.items():
            was, becomes = (render.plain(text(change[key])) for key in ("from", "to"))
            rows.add_row(render.plain(name), was, becomes)
        render.show(rows)
    render.show(done)
    if password := told.get("password"):
        render.show(f"Password, shown this once: {password}")


def _word(name: str, value: Any) -> Any:
    return known.valid_word(value) if name == VALID else value
