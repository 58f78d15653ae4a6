"""``fieldfare check``: is everything as it must be, and if not, what is to be done?"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING

import typer

from worker.commands.answering import Exit, Json, answering
from worker.commands.loading import load

if TYPE_CHECKING:
    from worker.checks.finding import Finding

COLOURS: Mapping[str, str] = {"ok": "green", "warning": "yellow", "error": "bold red"}


def check(as_json: Json = False) -> None:
    """Look at settings, servers, fields and OTOBO's own module, and say what to do.

    Exit codes: 0 nothing is wrong, warnings allowed; 1 something is; 2 the settings cannot be
    read, so nothing was looked at; 3 something did not answer, so not everything could be looked
    at. What did not answer goes before what is wrong.
    """
    from rich.console import Console  # noqa: PLC0415 - heavy imports only where they are needed

    from worker.checks import run  # noqa: PLC0415
    from worker.exposed_files import settings_files  # noqa: PLC0415

    with answering():
        settings = load()
        # Seen on a terminal only; a server that hangs is waited for.
        with Console(stderr=True).status("Looking …"):
            found = list(run.check(settings, settings_files()))
    code = exit_code(found)
    _show(found, code, as_json=as_json)
    raise typer.Exit(code)


def exit_code(found: Sequence["Finding"]) -> Exit:
    """What the command ends with."""
    if any(not one.answered for one in found):
        return Exit.UNAVAILABLE
    return Exit.NO if any(one.level == "error" for one in found) else Exit.OK


def _show(found: Sequence["Finding"], code: Exit, *, as_json: bool) -> None:
    from rich.text import Text  # noqa: PLC0415

    from worker import render  # noqa: PLC0415

    counts = Counter(one.level.value for one in found)
    if as_json:
        findings = [asdict(one) for one in found]
        summary = {level: counts[level] for level in COLOURS}
        render.print_json({"findings": findings, "summary": {**summary, "exit_code": int(code)}})
        return
    rows = render.table("", "what", "finding")
    for level, colour in COLOURS.items():  # the worst stand last, where eyes are
        for one in found:
            if one.level == level:
                advice = f"→ {one.advice}" if one.advice else ""
                told = "\n".join(filter(None, (one.what, one.meaning, advice)))
                rows.add_row(Text(level, style=colour), Text(one.subject), Text(told))
    ending = {
        Exit.OK: "Ready.",
        Exit.NO: "Not ready.",
        Exit.UNAVAILABLE: "Something did not answer, so not everything could be looked at.",
    }[code]
    numbers = f"{counts['ok']} ok, {_several(counts, 'warning')}, {_several(counts, 'error')}."
    render.show(rows, "", f"{numbers} {ending}")


def _several(counts: Counter[str], level: str) -> str:
    return f"{counts[level]} {level}{'' if counts[level] == 1 else 's'}"
