"""Rows that were read by columns are the rows that were read."""

from datetime import datetime

from directory.columns import Columns

NAMES = ("login", "email", "number", "since")


def test_rows_have_the_names_wanted_and_no_nulls() -> None:
    since = datetime(2026, 11, 1, 12)  # noqa: DTZ001 - columns of OTOBO's have no zone
    columns = Columns.of(NAMES, [("jdoe", None, 7, since), ("anna", "anna@cust.test", None, None)])

    assert columns.rows({"UserLogin": "login", "Email": "email", "N": "number", "T": "since"}) == [
        {"UserLogin": "jdoe", "N": "7", "T": "2026-11-01 12:00:00"},
        {"UserLogin": "anna", "Email": "anna@cust.test"},
    ]
    assert columns.height == 2
    assert columns.with_nulls == {"email", "number", "since"}


def test_a_column_that_was_not_read_is_missing() -> None:
    columns = Columns.of(NAMES, [("jdoe", "", 7, None)])

    assert columns.rows({"UserLogin": "login", "UserPhone": "phone"}) == [{"UserLogin": "jdoe"}]
    assert columns.rows({"UserPhone": "phone"}) == [{}]


def test_no_row_is_no_row() -> None:
    columns = Columns.of(NAMES, [])

    assert columns.rows({"UserLogin": "login"}) == []
    assert columns.cells["login"] == ()
