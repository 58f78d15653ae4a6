"""Which customer users stand in a file? CSV with variables as titles, or an object of JSON a line.

Delimiter and encoding are found out unless they are given. A row that cannot be read is told with
its line, and the others are read all the same; an empty cell is a value that was not given.
"""

import csv
import io
import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from directory.folding import fold

DELIMITERS = (",", ";", "\t", "|")

_MARKS: Mapping[bytes, str] = {
    b"\xef\xbb\xbf": "utf-8-sig",
    b"\xff\xfe": "utf-16",
    b"\xfe\xff": "utf-16",
}
"""How a file begins that says itself how it is encoded."""

_SHOWN = 5
"""Names that a message repeats."""


class UnreadableFile(Exception):
    """A file cannot be imported; the message says why, and what would be right."""


@dataclass(frozen=True, slots=True)
class Row:
    """One row of a file.

    Attributes:
        line: where it begins, from 1.
        values: by variable: a text, or in JSON a number or a list of texts.
        problem: why it cannot be read; empty if it can.
    """

    line: int
    values: Mapping[str, Any] = field(repr=False)
    problem: str = ""


@dataclass(frozen=True, slots=True)
class File:
    """What a file holds.

    Attributes:
        names: of the columns, or in JSON of all values.
        rows: in the order of the file.
    """

    names: tuple[str, ...]
    rows: tuple[Row, ...]


def read(
    content: bytes,
    *,
    encoding: str | None = None,
    delimiter: str | None = None,
    without: Collection[str] = (),
) -> File:
    """What a file holds.

    Args:
        content: the file.
        encoding: Python's name of it; UTF-8 if nothing is given and the file does not say.
        delimiter: what stands between the cells of CSV; found out in the first line if None.
        without: names that are passed over.

    Raises:
        UnreadableFile: its first line is none, it is in another encoding, or it is empty.
    """
    text = _decoded(content, encoding)
    if text.lstrip().startswith("{"):
        rows = tuple(_json_rows(text))
        names = tuple(dict.fromkeys(name for row in rows for name in row.values))
    else:
        titles: list[str] = []
        rows = tuple(_csv_rows(text, delimiter, titles))
        names = tuple(titles)
    if not rows:
        raise UnreadableFile("there is no row in the file")
    left_out = frozenset(without)
    return File(
        tuple(name for name in names if name not in left_out),
        tuple(
            replace(row, values={k: row.values[k] for k in row.values if k not in left_out})
            for row in rows
        ),
    )


def repeated(rows: Sequence[Row], name: str, *, exact: bool) -> Mapping[int, int]:
    """The rows whose value has been there before: their places, each with the line of the first.

    Args:
        rows: of a file.
        name: the variable.
        exact: case counts.
    """
    first: dict[str, int] = {}
    found: dict[int, int] = {}
    for place, row in enumerate(rows):
        text = str(row.values.get(name, ""))
        key = text if exact else fold(text)
        if key and first.setdefault(key, row.line) != row.line:
            found[place] = first[key]
    return found


def _decoded(content: bytes, encoding: str | None) -> str:
    marked = (name for mark, name in _MARKS.items() if content.startswith(mark))
    used = encoding or next(marked, "utf-8")
    try:
        return content.decode(used)
    except LookupError:
        raise UnreadableFile(f"there is no encoding {used}; right: utf-8, cp1252, utf-16") from None
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise UnreadableFile(
            f"line {line} is not {used}; save the file as UTF-8, or say what it is "
            "(--encoding cp1252)"
        ) from None


def _json_rows(text: str) -> Iterator[Row]:
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.strip():
            continue
        try:
            said = json.loads(line)
        except ValueError:
            yield Row(number, {}, "it is not JSON")
            continue
        if not isinstance(said, dict):
            yield Row(number, {}, "it is no JSON object")
            continue
        values = {name: value for name, value in said.items() if value is not None}
        odd = next((name for name, value in values.items() if not _is_a_value(value)), None)
        problem = "" if odd is None else f"{odd} must be a text, a number, or a list of texts"
        yield Row(number, values, problem)


def _is_a_value(value: Any) -> bool:
    if isinstance(value, list):
        return all(isinstance(text, str) for text in value)
    return isinstance(value, str | int) and not isinstance(value, bool)


def _csv_rows(text: str, delimiter: str | None, titles: list[str]) -> Iterator[Row]:
    """The rows of CSV; the first line of it goes into ``titles``."""
    used = delimiter or _delimiter(text)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=used, strict=True)
    while True:
        line = reader.line_num + 1
        try:
            cells = next(reader, None)
        except csv.Error as error:
            if not titles:
                raise UnreadableFile(f"line {line} is no CSV: {error}") from None
            # Where the next row begins is not known any more.
            yield Row(line, {}, f"it is no CSV, and nothing behind it was read: {error}")
            return
        if cells is None:
            return
        if not any(cell.strip() for cell in cells):
            continue
        if not titles:
            titles += _titles(cells, used)
        elif len(cells) != len(titles):
            problem = f"it has {len(cells)} cells, and the first line has {len(titles)}"
            yield Row(line, {}, problem)
        else:
            pairs = zip(titles, cells, strict=True)
            yield Row(line, {title: cell for title, cell in pairs if cell})


def _delimiter(text: str) -> str:
    """What stands between the titles: that which stands there most often."""
    first = next(filter(None, map(str.strip, text.splitlines())), "")
    return max(DELIMITERS, key=first.count)


def _titles(cells: Sequence[str], delimiter: str) -> Sequence[str]:
    """The names of the columns.

    Raises:
        UnreadableFile: one is missing, or there twice.
    """
    titles = [cell.strip() for cell in cells]
    if "" in titles:
        column = titles.index("") + 1
        raise UnreadableFile(
            f"column {column} has no title; the first line names the variables: "
            f"UserLogin{delimiter}UserEmail{delimiter}…"
        )
    twice = [title for title in dict.fromkeys(titles) if titles.count(title) > 1]
    if twice:
        raise UnreadableFile(f"columns are there twice: {', '.join(twice[:_SHOWN])}")
    return titles
