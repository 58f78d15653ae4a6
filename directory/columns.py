"""What do many rows hold, column by column? Lists are long, and a column's cells of one type."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import repeat
from typing import Any

from directory.model import AttributeValue
from directory.values import to_values


@dataclass(frozen=True, slots=True)
class Columns:
    """The cells of many rows.

    Attributes:
        cells: attributes' values by column, in the order of the rows; None is NULL.
        with_nulls: the columns in which a NULL stands.
        height: how many rows there are.
    """

    cells: Mapping[str, Sequence[AttributeValue | None]]
    with_nulls: frozenset[str]
    height: int

    @classmethod
    def of(cls, names: Sequence[str], rows: Sequence[Sequence[Any]]) -> "Columns":
        """The columns of rows as a database gives them.

        Args:
            names: the columns.
            rows: each with a value for each column.
        """
        columns = zip(*rows, strict=True) if rows else repeat((), len(names))
        read = {name: to_values(cells) for name, cells in zip(names, columns, strict=True)}
        with_nulls = frozenset(name for name, (_, nulls) in read.items() if nulls)
        return cls({name: cells for name, (cells, _) in read.items()}, with_nulls, len(rows))

    def rows(self, wanted: Mapping[str, str]) -> list[dict[str, AttributeValue]]:
        """The values of each row; NULLs are missing.

        Args:
            wanted: columns by the name that their values are to have. One that was not read is
                missing.
        """
        read = {name: column for name, column in wanted.items() if column in self.cells}
        if not read:
            return [{} for _ in range(self.height)]
        cells: Any = zip(*(self.cells[column] for column in read.values()), strict=True)
        # Without a loop of Python's: this is most of what a list costs.
        pairs = map(zip, repeat(tuple(read)), cells)
        rows: list[dict[str, AttributeValue]] = list(map(dict, pairs))
        for name in (name for name, column in read.items() if column in self.with_nulls):
            for row in rows:
                if row[name] is None:
                    del row[name]
        return rows
