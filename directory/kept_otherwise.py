"""A database keeps some logins otherwise than they were given: which rows are written then?

A trigger that writes logins in small letters is one way. What hangs on such a login would be looked
for in vain, so its row is refused; and the transaction is rolled back and begun again without it,
since nobody can tell which row it became.
"""

from collections.abc import Callable, Mapping
from typing import TypeVar

from directory.errors import DirectoryError
from directory.refusals import Refused
from directory.writing import RolledBack

R = TypeVar("R")
T = TypeVar("T")


class KeptOtherwise(DirectoryError):
    """Some logins were not kept as they were given; raised within a transaction to end it.

    Attributes:
        refusals: why their rows are refused, by login as it was given; there is one at least.
    """

    def __init__(self, refusals: Mapping[str, Refused]) -> None:
        super().__init__("; ".join(one.message for one in refusals.values()))
        self.refusals = refusals


def without_them(
    rows: Mapping[int, T],
    login: Callable[[T], str],
    write: Callable[[Mapping[int, T]], Mapping[int, R | Refused]],
) -> Mapping[int, R | Refused]:
    """Write rows; those whose login is kept otherwise are refused, and the others written.

    Args:
        rows: by place.
        login: of a row, as it is to be kept.
        write: writes rows in one transaction, and tells of each what became of it.
    """
    results: dict[int, R | Refused] = {}
    while rows:
        try:
            return results | dict(write(rows))
        except RolledBack as undone:
            return results | dict(undone.results)
        except KeptOtherwise as kept:
            refusals = kept.refusals
            refused = {place for place, row in rows.items() if login(row) in refusals}
            results |= {place: refusals[login(rows[place])] for place in refused}
            rows = {place: row for place, row in rows.items() if place not in refused}
    return results
