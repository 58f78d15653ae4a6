"""Adding customer users: who is let in, who is not and why, and what then stands in the table."""

import hashlib
from collections.abc import Sequence
from typing import Any

import pytest

from directory.adding import Added, add
from directory.errors import SourceUnavailable
from directory.model import Absent
from directory.refusals import Refused
from directory.sql import SqlSource
from tests.contract.customer_users import AUTHOR, World, person
from tests.contract.sql_source import SqlDirectory
from worker.tickets import schema


def added(
    world: World, *rows: dict[str, Any], source: SqlSource | None = None, **options: Any
) -> Sequence[Added | Refused]:
    target = source or world.source()
    return add(world.directory(target), target, rows, AUTHOR, **options)


def code(result: Added | Refused) -> tuple[str, str]:
    assert isinstance(result, Refused), result
    assert str(result)
    return result.error, result.field


def test_a_customer_user_is_added_as_the_ticket_system_would(world: World) -> None:
    (result,) = added(world, person("jane", UserTitle="0", UserPassword="secret"))

    assert isinstance(result, Added)
    assert (result.login, result.source) == ("jane", "CustomerUser")
    assert "UserPassword" in result.fields
    row = world.row("jane")
    assert {name: row[name] for name in ("title", "phone", "city", "valid_id", "create_by")} == {
        "title": "0",
        "phone": "",
        "city": "",
        "valid_id": 1,
        "create_by": 7,
    }
    assert str(row["change_time"]).startswith("2026-11-23 08:15:00")
    assert row["pw"] == hashlib.sha256(b"secret").hexdigest()


def test_without_a_password_there_is_none(world: World) -> None:
    added(world, person("jane"))

    assert world.row("jane")["pw"] is None


def test_rows_of_a_batch_are_added_or_refused_one_by_one(world: World) -> None:
    world.add("taken", email="old@cust.test", valid_id=2)

    results = added(
        world,
        person("a"),
        person("Taken"),
        person("b", UserEmail="OLD@cust.test"),
        person("c", UserEmail="A@cust.test"),
        person("A", UserEmail="other@cust.test"),
        person("d", UserCustomerID="nobody"),
        person("e", UserCustomerID="gone"),
        person("f", UserPhone="1" * 151),
        person("g"),
    )

    refused = {place: code(one) for place, one in enumerate(results) if isinstance(one, Refused)}
    assert refused == {
        1: ("duplicate_login", "UserLogin"),
        2: ("duplicate_email", "UserEmail"),
        3: ("duplicate_email", "UserEmail"),
        4: ("duplicate_login", "UserLogin"),
        5: ("unknown_customer", "UserCustomerID"),
        6: ("invalid_customer", "UserCustomerID"),
        7: ("too_long", "UserPhone"),
    }
    assert {row["login"] for row in world.rows(schema.customer_user)} == {"taken", "a", "g"}


def test_rules_that_are_switched_off_let_in(world: World) -> None:
    world.add("old", email="old@cust.test")
    source = world.source(customer_user_email_uniq_check=False, require_customer=False)

    (result,) = added(
        world, person("b", UserEmail="old@cust.test", UserCustomerID="none"), source=source
    )

    assert isinstance(result, Added)


def test_where_case_counts_two_spellings_are_two_customer_users(world: World) -> None:
    world.add("jane")

    (result,) = added(
        world, person("JANE", UserEmail="x@cust.test"), source=world.source(CaseSensitive=1)
    )

    if world.engine.dialect.name == "mysql":  # its index knows no case
        assert code(result) == ("duplicate_login", "UserLogin")
    else:
        assert isinstance(result, Added)


def test_a_login_must_be_free_in_all_sources(world: World, elsewhere: SqlDirectory) -> None:
    elsewhere.add_person("jane", "Jane", "Elsewhere", "jane@else.test", "acme")
    other = elsewhere.source(slot="1")
    source = world.source()

    (result,) = add(world.directory(source, other), source, [person("JANE")], AUTHOR)

    assert code(result) == ("duplicate_login", "UserLogin")
    assert "CustomerUser1" in str(result)


def test_a_source_that_does_not_answer_keeps_all_out(world: World, elsewhere: SqlDirectory) -> None:
    other = elsewhere.source(slot="1", table="missing")
    source = world.source()

    with pytest.raises(SourceUnavailable, match="CustomerUser1"):
        add(world.directory(source, other), source, [person("jane")], AUTHOR)

    assert world.rows(schema.customer_user) == []


def test_a_login_is_made_that_nobody_has(world: World) -> None:
    source = world.source(auto_login_creation=True, auto_login_creation_prefix="cu")
    rows = [person("x", UserEmail=f"x{number}@cust.test") | {"UserLogin": ""} for number in "12"]

    first, second = added(world, *rows, source=source)

    assert isinstance(first, Added)
    assert isinstance(second, Added)
    assert first.login.startswith("cu-202611230815")
    assert first.login != second.login


def test_a_dry_run_says_the_same_and_writes_nothing(world: World) -> None:
    world.add("taken")
    rows = (person("a", DynamicField_Nick="Ace"), person("taken"))

    dry = added(world, *rows, dry_run=True)
    assert {row["login"] for row in world.rows(schema.customer_user)} == {"taken"}
    done = added(world, *rows)

    assert [type(one) for one in dry] == [type(one) for one in done] == [Added, Refused]


def test_dynamic_fields_are_written_with_the_row(world: World) -> None:
    source = world.source()

    first, _ = added(world, person("a", DynamicField_Nick="Ace"), person("b"), source=source)

    assert isinstance(first, Added)
    assert "DynamicField_Nick" in first.fields
    fields = world.directory(source).companions.dynamic_fields
    assert fields is not None
    assert fields.read(["a", "b"], {"Nick"}) == {"a": {"Nick": "Ace"}}


def test_dynamic_fields_of_a_source_elsewhere_stand_in_the_ticket_system(
    world: World, elsewhere: SqlDirectory
) -> None:
    nick = {"storage": "Nick", "storage_type": "dynamic_field"}
    source = elsewhere.source(extra_map={"DynamicField_Nick": nick}, slot="1")
    values = {"UserLogin": "a", "UserEmail": "a@else.test", "DynamicField_Nick": "Ace"}

    directory = world.directory(source)
    (result,) = add(directory, source, [values], AUTHOR)

    assert isinstance(result, Added)
    assert directory.find(["a"])["a"].customer_user.attributes["DynamicField_Nick"] == "Ace"


# The others keep blanks at the end, or have no such type.
@pytest.mark.parametrize("ticket_database", ["postgresql"], indirect=True)
def test_a_login_that_the_table_keeps_otherwise_is_refused(
    world: World, elsewhere: SqlDirectory
) -> None:
    elsewhere.execute("ALTER TABLE people ALTER login TYPE CHAR(20)")
    source = elsewhere.source(slot="1")

    rows = [{"UserLogin": "jane "}, {"UserLogin": "john"}]
    refused, john = add(world.directory(source), source, rows, AUTHOR)

    assert isinstance(refused, Refused)
    assert refused.message.endswith("give it as jane")
    assert isinstance(john, Added)
    assert isinstance(source.find(["jane"])["jane"], Absent)
