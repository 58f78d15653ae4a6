"""``fieldfare customer-user import``: many customer users from a file, in portions.

Rows that are refused are reported with their line; all others of a portion are written together.
Ctrl-C ends between two portions, so that what was done is known.
"""

import csv
import os
import signal
import sys
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import IO, TYPE_CHECKING, Annotated, Any

import typer

from worker.commands import import_rest, known
from worker.commands.answering import Exit, Json, answering, complain
from worker.commands.calling import Ended, Local, call
from worker.commands.loading import load
from worker.importing import File, UnreadableFile, read, repeated

if TYPE_CHECKING:
    from directory.config import SourceConfig

LOGIN, PASSWORD = "UserLogin", "UserPassword"

PORTION = 500
PORTION_WITH_PASSWORDS = 25
"""Rows of one call. bcrypt takes a third of a second for each password, as it should."""

SHOWN = 50
"""Refused rows that are printed; a report has all of them."""

_STAMPS = frozenset({"CreateTime", "CreateBy", "ChangeTime", "ChangeBy"})
"""What lists tell of rows besides, and every write sets anew."""

COLUMNS = ("line", "login", "error", "field", "message")

EPILOG = (
    "Exit codes: 0 all rows are in; 1 rows were refused; 2 the file cannot be read, and nothing "
    "was written; 3 something did not answer; 130 interrupted. What was done is told in any case."
)


@dataclass(slots=True)
class Tally:
    """What became of the rows.

    Attributes:
        rows: in the file.
        done: how many by outcome: added, updated, unchanged.
        refused: by ``COLUMNS``.
        unknown: sent, and nobody knows what became of them.
    """

    rows: int
    done: dict[str, int] = field(default_factory=lambda: {"added": 0, "updated": 0, "unchanged": 0})
    refused: list[dict[str, Any]] = field(default_factory=list)
    unknown: int = 0

    @property
    def not_tried(self) -> int:
        """Rows of which nothing was written, and nothing is against them so far."""
        return self.rows - sum(self.done.values()) - len(self.refused) - self.unknown

    def count(self, line: int, told: Mapping[str, Any]) -> None:
        """Keep what became of a row that was sent."""
        if told["outcome"] == "refused":
            self.refuse(line, told["login"], told)
        else:
            self.done[told["outcome"]] += 1

    def refuse(self, line: int, login: str, told: Mapping[str, Any]) -> None:
        """Keep why a row was refused."""
        where = {name: str(told.get(name, "")) for name in ("error", "field", "message")}
        self.refused.append({"line": line, "login": login, **where})


def import_(  # noqa: PLR0913, PLR0917 - one for each option
    file: Annotated[
        Path, typer.Argument(metavar="FILE", help="CSV or JSON lines; - is standard input.")
    ],
    update: Annotated[
        bool,
        typer.Option("--update", help="Change those who are there already; else they are refused."),
    ] = False,
    from_line: Annotated[
        int, typer.Option(min=1, metavar="LINE", help="Pass over rows that begin before this line.")
    ] = 1,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Check everything, and write nothing.")
    ] = False,
    source: Annotated[
        str | None,
        typer.Option(
            metavar="SOURCE",
            help="Where to: CustomerUser1, or its name; else the first that can be written to.",
        ),
    ] = None,
    generate_passwords: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Make a password for each who is added without one, and write them to this new "
            "file, which only you can read. Takes about a third of a second for each.",
        ),
    ] = None,
    report: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Write all refused rows to this file, as CSV."),
    ] = None,
    without: Annotated[
        list[str] | None,
        typer.Option(metavar="COLUMN", help="Pass over this column; repeatable."),
    ] = None,
    delimiter: Annotated[
        str | None,
        typer.Option(metavar="SIGN", help="What stands between cells: ; or tab. Else found out."),
    ] = None,
    encoding: Annotated[
        str | None, typer.Option(metavar="NAME", help="Of the file, e.g. cp1252; else UTF-8.")
    ] = None,
    local: Local = False,
    as_json: Json = False,
) -> None:
    """Add many customer users from a file, and report every row that is refused.

    The first line of CSV names variables: UserLogin;UserEmail;UserCustomerID. JSON lines are
    objects with variables. An empty cell is a value that was not given.

    Example: fieldfare customer-user import people.csv --dry-run
    """
    content = _content(file)
    source = known.source(source)
    with answering():
        configs = load().source_configs()
    config = _target(configs, source)
    try:
        variables = {
            entry.variable for one in ([config] if config else configs) for entry in one.map
        }
        passed_over = {*(without or ()), *(_STAMPS - variables)}
        found = read(content, encoding=encoding, delimiter=_sign(delimiter), without=passed_over)
        _check_names(found, variables)
        if all(row.line < from_line for row in found.rows):
            raise UnreadableFile(f"no row begins at line {from_line} or behind it")  # noqa: TRY301
    except UnreadableFile as error:
        complain(f"{file}: {error}")
        raise typer.Exit(Exit.USAGE) from None
    tally = Tally(sum(row.line >= from_line for row in found.rows))
    exact = bool(getattr(config, "compares_case", False))
    rows = _readable(found, tally, from_line, exact=exact)
    hashing = bool(generate_passwords) or PASSWORD in found.names
    size = PORTION_WITH_PASSWORDS if hashing and not dry_run else PORTION
    asked = {
        "source": source,
        "update": update,
        "dry_run": dry_run,
        "generate_passwords": generate_passwords is not None,
    }
    with ExitStack() as stack:
        reported = stack.enter_context(_opened(report, private=False)) if report else None
        passwords = (
            stack.enter_context(_opened(generate_passwords, private=True))
            if generate_passwords and not dry_run
            else None
        )
        code = _send(rows, size, asked, tally, passwords, local=local)
        tally.refused.sort(key=lambda one: one["line"])
        if reported:
            lines = csv.DictWriter(reported, COLUMNS, lineterminator="\n")
            lines.writeheader()
            lines.writerows(tally.refused)
    _show(tally, dry_run=dry_run, as_json=as_json, report=report)
    if code or tally.refused:
        raise typer.Exit(code or Exit.NO)


def _content(file: Path) -> bytes:
    try:
        return sys.stdin.buffer.read() if str(file) == "-" else file.read_bytes()
    except OSError as error:
        complain(f"{file} cannot be read: {error.strerror}")
        raise typer.Exit(Exit.USAGE) from None


def _sign(delimiter: str | None) -> str | None:
    sign = "\t" if delimiter in {"tab", "\\t"} else delimiter
    if sign is not None and (len(sign) != 1 or sign in '"\r\n'):
        msg = "it is one sign, or the word tab"
        raise typer.BadParameter(msg, param_hint="--delimiter")
    return sign


def _target(configs: "Sequence[SourceConfig]", source: str | None) -> "SourceConfig | None":
    """The source that rows go to, as far as the settings say it; the call decides."""
    for config in configs:
        if source == config.source_name:
            return config
        if source is None and config.kind == "sql" and not config.read_only:
            return config
    return None


def _check_names(found: File, variables: Collection[str]) -> None:
    unknown = [name for name in found.names if name not in variables]
    if unknown:
        options = " ".join(f"--without {name}" for name in unknown)
        raise UnreadableFile(
            f"no Map has {', '.join(unknown)}; there are {', '.join(sorted(variables))}. Nothing "
            f"was written. To pass over columns: {options}"
        )


def _readable(
    found: File, tally: Tally, from_line: int, *, exact: bool
) -> Sequence[tuple[int, Mapping[str, Any]]]:
    """The rows to be sent, each with its line; what cannot be sent is refused here."""
    again = repeated(found.rows, LOGIN, exact=exact)
    rows: list[tuple[int, Mapping[str, Any]]] = []
    for place, row in enumerate(found.rows):
        login = str(row.values.get(LOGIN, ""))
        if row.line < from_line:
            continue
        if row.problem:
            tally.refuse(row.line, login, {"error": "unreadable", "message": row.problem})
        elif place in again:
            message = f"line {again[place]} has the same login"
            told = {"error": "duplicate_login", "field": LOGIN, "message": message}
            tally.refuse(row.line, login, told)
        else:
            rows.append((row.line, row.values))
    return rows


def _send(  # noqa: PLR0913 - all that a portion needs
    rows: Sequence[tuple[int, Mapping[str, Any]]],
    size: int,
    asked: Mapping[str, Any],
    tally: Tally,
    passwords: IO[str] | None,
    *,
    local: bool,
) -> int:
    """Send portion by portion; the exit code of what kept the rest from being sent, or 0."""
    from rich.console import Console  # noqa: PLC0415 - heavy imports only where needed
    from rich.progress import Progress  # noqa: PLC0415

    kept = csv.writer(passwords, lineterminator="\n") if passwords else None
    if kept and passwords:
        kept.writerow(("login", "password"))
        passwords.flush()
    lines = [line for line, _ in rows]
    console = Console(stderr=True)
    with (
        _ending_between() as ending,
        Progress(console=console, transient=True, disable=not console.is_terminal) as progress,
    ):
        bar = progress.add_task("rows", total=len(rows))
        for start in range(0, len(rows), size):
            portion = rows[start : start + size]
            if ending:
                complain(import_rest.told(lines[start:], 0, asked))
                return Exit.INTERRUPTED
            try:
                values = [values for _, values in portion]
                told = call("customer_user.import", {**asked, "rows": values}, local=local)
            except (typer.Exit, KeyboardInterrupt) as stop:
                code = stop.exit_code if isinstance(stop, typer.Exit) else Exit.INTERRUPTED
                may_be_done = isinstance(stop, KeyboardInterrupt)
                if isinstance(stop, Ended):
                    may_be_done = stop.may_be_done
                tally.unknown = len(portion) if may_be_done and not asked["dry_run"] else 0
                if code in {Exit.UNAVAILABLE, Exit.INTERRUPTED}:
                    complain(import_rest.told(lines[start:], tally.unknown, asked))
                return code
            for (line, _), one in zip(portion, told["rows"], strict=True):
                tally.count(line, one)
            if kept and passwords:
                made = (one for one in told["rows"] if "password" in one)
                kept.writerows((one["login"], one["password"]) for one in made)
                passwords.flush()
            progress.advance(bar, len(portion))
    return 0


@contextmanager
def _ending_between() -> Iterator[list[int]]:
    """Note the first Ctrl-C or SIGTERM instead of obeying it; the second one is obeyed.

    Yields:
        A list that is empty as long as nobody has asked.
    """
    asked: list[int] = []
    before: dict[int, Any] = {}

    def note(number: int, _frame: FrameType | None) -> None:
        asked.append(number)
        for one, handler in before.items():
            signal.signal(one, handler)
        complain("ends when this portion is done; once more ends it at once")

    for number in (int(signal.SIGINT), int(signal.SIGTERM)):
        before[number] = signal.signal(number, note)
    try:
        yield asked
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def _opened(file: Path, *, private: bool) -> Iterator[IO[str]]:
    """A file to write to; a private one must not be there, and nobody else may read it."""
    flags = os.O_WRONLY | os.O_CREAT | (os.O_EXCL if private else os.O_TRUNC)
    try:
        opened = os.open(file, flags, 0o600 if private else 0o666)
    except FileExistsError:
        complain(f"{file} is there already; name a new file for the passwords")
        raise typer.Exit(Exit.USAGE) from None
    except OSError as error:
        complain(f"{file} cannot be written: {error.strerror}")
        raise typer.Exit(Exit.USAGE) from None
    with open(opened, "w", encoding="utf-8", newline="") as stream:  # noqa: PTH123 - by its number
        yield stream


def _show(tally: Tally, *, dry_run: bool, as_json: bool, report: Path | None) -> None:
    from worker import render  # noqa: PLC0415 - heavy imports only where needed

    refused = tally.refused
    if as_json:
        told = {**tally.done, "refused": refused, "not_tried": tally.not_tried, "dry_run": dry_run}
        render.print_json(told | {"unknown": tally.unknown})
        return
    if refused:
        rows = render.table("line", "login", "error", "message")
        for one in refused[:SHOWN]:
            cells = (render.plain(str(one[name])) for name in ("line", "login", "error", "message"))
            rows.add_row(*cells)
        render.show(rows)
    if len(refused) > SHOWN:
        where = f"{report} has" if report else "--report FILE has"
        render.show(f"and {len(refused) - SHOWN:,} more; {where} all of them")
    counted = [f"{number:,} {outcome}" for outcome, number in tally.done.items() if number]
    counted.append(f"{len(refused):,} refused")
    if tally.unknown:
        counted.append(f"{tally.unknown:,} unknown")
    if tally.not_tried:
        counted.append(f"{tally.not_tried:,} not tried")
    render.show(", ".join(counted) + (", if it were no dry run" if dry_run else ""))
