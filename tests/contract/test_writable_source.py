"""What every source does that is written to: exactly what it is told, or nothing at all."""

from collections.abc import Mapping
from typing import Any

import pytest

from directory.model import Absent, Attributes, Found
from directory.refusals import Refused
from directory.source import WritableSource
from directory.source_transaction import SourceTransaction
from directory.sql import SqlSource
from directory.writing import Author
from tests.contract.sql_source import SqlDirectory

AUTHOR = Author(7, "2026-11-23 08:15:00")


def row(login: str, **values: Any) -> dict[str, Any]:
    return {
        "login": login,
        "first_name": "Jane",
        "last_name": "Doe",
        "email": f"{login}@cust.test",
        "customer_id": "acme",
        "phone": "",
        **values,
    }


def insert(source: WritableSource, *rows: Mapping[str, Any]) -> Mapping[int, Refused]:
    return source.transact(lambda transaction: transaction.insert(rows), AUTHOR)


def change(source: WritableSource, rows: Mapping[str, Mapping[str, Any]]) -> Mapping[str, Refused]:
    def work(transaction: SourceTransaction) -> Mapping[str, Refused]:
        transaction.find(rows, lock=True)
        return transaction.update(rows)

    return source.transact(work, AUTHOR)


def attributes(source: SqlSource, login: str) -> Attributes:
    answer = source.find([login])[login]
    assert isinstance(answer, Found)
    return answer.customer_user.attributes


def codes(refused: Mapping[Any, Refused]) -> dict[Any, str]:
    return {key: one.error for key, one in refused.items()}


def test_what_is_inserted_is_found(sql_directory: SqlDirectory) -> None:
    source = sql_directory.source()

    refused = insert(source, row("jdoe", phone="12 'quoted\" 34"), row("0", first_name="0"))

    assert refused == {}
    assert attributes(source, "jdoe") == {
        "UserLogin": "jdoe",
        "UserFirstname": "Jane",
        "UserLastname": "Doe",
        "UserEmail": "jdoe@cust.test",
        "UserCustomerID": "acme",
        "UserPhone": "12 'quoted\" 34",
    }
    assert attributes(source, "0")["UserFirstname"] == "0"


def test_a_row_that_the_database_refuses_does_not_keep_others_out(
    sql_directory: SqlDirectory,
) -> None:
    sql_directory.execute("CREATE UNIQUE INDEX one_login ON people (login)")
    source = sql_directory.source()
    insert(source, row("taken"))

    refused = insert(source, *(row(f"u{number}") for number in range(4)), row("taken"), row("u9"))

    assert codes(refused) == {4: "duplicate_login"}
    assert refused[4].field == "UserLogin"
    assert isinstance(source.find(["u9"])["u9"], Found)


def test_what_is_raised_within_leaves_nothing_behind(sql_directory: SqlDirectory) -> None:
    source = sql_directory.source()

    def work(transaction: SourceTransaction) -> None:
        transaction.insert([row("jdoe")])
        raise Refused("changed_meanwhile", "no")

    with pytest.raises(Refused):
        source.transact(work, AUTHOR)

    assert source.find(["jdoe"])["jdoe"] == Absent()
