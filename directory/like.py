"""How does a database compare a column with a pattern? By LIKE, at least as generously as we do.

Only that is left of a pattern what every server compares as we do: where case does not count, a
letter outside ASCII that has a case becomes a wildcard. So no collation can hide anything.
"""

import itertools
from collections.abc import Iterator, Sequence
from typing import Any

import sqlalchemy
from sqlalchemy import ColumnElement, column

from directory.search import Pattern
from directory.wildcards import ESCAPE

LONGEST_PATTERN = 200
"""Characters of a pattern that go to the server; SQLite takes 50,000 octets at the most."""


def fits(
    name: str, pattern: Pattern, backend: str, *, exact: bool, wide: bool = True
) -> ColumnElement[bool]:
    """The condition that a column's text fits a pattern, and perhaps some that do not.

    Args:
        name: the column.
        pattern: what is wanted.
        backend: the dialect's name.
        exact: case counts.
        wide: letters outside ASCII may be sent, where they have no case.
    """
    wanted = _like(pattern, backend, exact=exact, wide=wide)
    return _compared(name, backend, exact=exact).like(wanted, escape=ESCAPE)


def _compared(name: str, backend: str, *, exact: bool) -> ColumnElement[Any]:
    """A column as LIKE compares it: at least as generously as we do."""
    text = as_text(name, backend)
    if backend in {"mysql", "mariadb"}:
        return sqlalchemy.collate(text, "utf8mb4_bin" if exact else "utf8mb4_general_ci")
    if backend == "postgresql":
        # Under C, lower() knows the letters of ASCII alone, in every locale.
        text = sqlalchemy.collate(text, "C")
    return text if exact else sqlalchemy.func.lower(text)


def as_text(name: str, backend: str) -> ColumnElement[Any]:
    """A column as text, whatever its type and character set."""
    found: ColumnElement[Any] = column(name)
    if backend in {"mysql", "mariadb"}:
        return sqlalchemy.func.convert(found.op("USING")(sqlalchemy.literal_column("utf8mb4")))
    return sqlalchemy.cast(found, sqlalchemy.Text())


def _like(pattern: Pattern, backend: str, *, exact: bool, wide: bool) -> str:
    """A pattern for LIKE with ``ESCAPE`` that nothing which fits ours escapes.

    Args:
        pattern: what is wanted.
        backend: the dialect's name.
        exact: case counts.
        wide: letters outside ASCII may be sent, where they have no case.
    """
    special = "%_![" if backend == "mssql" else "%_!"

    def sent_as(letter: str) -> str | None:
        if letter in special:
            return ESCAPE + letter
        if letter.isascii():
            return None if letter == "\0" else letter if exact else letter.lower()
        sendable = wide and not "\ud800" <= letter <= "\udfff"
        caseless = letter == letter.lower() == letter.upper()
        return letter if sendable and (exact or caseless) else None

    sent_letters: list[str | None] = []
    for number, piece in enumerate(pattern.pieces):
        sent_letters += [None] * (number > 0)
        sent_letters += map(sent_as, piece[:LONGEST_PATTERN])
        # What stands behind a cut is decided here.
        sent_letters += [None] * (len(piece) > LONGEST_PATTERN)
    return "".join("%" if wild else "".join(run) for wild, run in _runs(sent_letters))


def _runs(letters: Sequence[str | None]) -> Iterator[tuple[bool, list[str]]]:
    """Letters in runs, and the wildcards between them, each once."""
    for wild, run in itertools.groupby(letters, key=lambda letter: letter is None):
        yield wild, [letter for letter in run if letter is not None]
