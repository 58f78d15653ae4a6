"""Whose fault a refused statement is, where the database stops answering halfway."""

from collections.abc import Sequence

import pytest
from sqlalchemy.exc import DataError

from directory.database import DatabaseFault
from directory.halving import ask_in_halves


def test_what_was_refused_is_known_even_if_time_runs_out_before_the_rest_is_asked() -> None:
    left = iter(range(3))
    refused: dict[str, str] = {}

    def ask(_batch: Sequence[str]) -> None:
        if next(left, None) is None:
            raise DatabaseFault("no answer within 5 s")
        error = DataError("SELECT", {}, ValueError('invalid input syntax: "jane"'))
        raise DatabaseFault("DataError", error)

    with pytest.raises(DatabaseFault, match="no answer within 5 s"):
        ask_in_halves(["jane", "john", "jim"], ask, refused.__setitem__)

    assert refused == {"jane": "the key column is of a type that cannot hold it"}
