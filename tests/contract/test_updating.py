"""Changing customer users: only what is given, never over somebody, and what hangs on a login."""

import hashlib
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import sqlalchemy
from sqlalchemy import Engine, event, text

from directory.adding import Added, add
from directory.errors import SourceUnavailable
from directory.model import Attributes, Found
from directory.refusals import Refused
from directory.sql import SqlSource
from directory.updating import Edit, Updated, update
from directory.writing import version
from tests.contract.customer_users import AUTHOR, World, person
from tests.contract.sql_source import SqlDirectory
from worker.tickets import schema


def updated(
    world: World, *edits: Edit, source: SqlSource | None = None, **options: Any
) -> Sequence[Updated | Refused]:
    target = source or world.source()
    return update(world.directory(target), edits, AUTHOR, **options)


def done(result: Updated | Refused) -> Updated:
    assert isinstance(result, Updated), result
    return result


def code(result: Updated | Refused) -> tuple[str, str]:
    assert isinstance(result, Refused), result
    return result.error, result.field


def seen(world: World, login: str) -> str:
    """The version that somebody sees who looks."""
    source = world.source()
    answer = source.find([login])[login]
    assert isinstance(answer, Found)
    mapped = source.config.storages
    attributes = answer.customer_user.attributes
    return version({name: value for name, value in attributes.items() if name in mapped})


def test_only_what_is_given_is_changed(world: World) -> None:
    world.add("jane", phone="12", title="Dr.", pw="kept")

    result = done(updated(world, Edit("JANE", {"UserPhone": "34", "UserTitle": "Dr."}))[0])

    assert (result.login, result.fields) == ("jane", ("UserPhone",))
    row = world.row("jane")
    kept = ("phone", "title", "pw", "first_name", "create_by", "change_by")
    assert [row[name] for name in kept] == ["34", "Dr.", "kept", "Jane", 1, 7]


def test_nothing_is_written_where_nothing_differs(world: World) -> None:
    world.add("jane", phone="12")

    result = done(updated(world, Edit("jane", {"UserPhone": "12", "ValidID": "1"}))[0])

    assert result.fields == ()
    assert result.version == seen(world, "jane")
    assert world.row("jane")["change_by"] == 1


def test_a_replacing_update_empties_what_is_not_given(world: World) -> None:
    world.add("jane", phone="12", city="Berlin", pw="kept")

    values = person("jane", UserFirstname="Janet")
    result = done(updated(world, Edit("jane", values, replace=True))[0])

    row = world.row("jane")
    kept = ("first_name", "phone", "city", "pw", "valid_id")
    assert [row[name] for name in kept] == ["Janet", "", "Berlin", "kept", 1]
    assert "UserCity" not in result.fields


def test_a_password_is_stored_and_counts_as_changed(world: World) -> None:
    world.add("jane")

    result = done(updated(world, Edit("jane", {"UserPassword": "secret"}))[0])

    assert result.fields == ("UserPassword",)
    assert world.row("jane")["pw"] == hashlib.sha256(b"secret").hexdigest()
    assert "secret" not in repr(Edit("jane", {"UserPassword": "secret"}))


def test_edits_of_a_batch_are_made_or_refused_one_by_one(world: World) -> None:
    for login in ("a", "b", "c", "d", "e"):
        world.add(login)

    results = updated(
        world,
        Edit("a", {"UserPhone": "1"}),
        Edit("nobody", {"UserPhone": "1"}),
        Edit("b", {"UserEmail": "C@cust.test"}),
        Edit("B", {"UserPhone": "1"}),
        Edit("c", {"UserCustomerID": "gone"}),
        Edit("d", {"UserCity": "Berlin"}),
        Edit("e", {"UserEmail": "E@cust.test"}),
    )

    assert [one if isinstance(one, Updated) else code(one) for one in results] == [
        results[0],
        ("unknown_customer_user", "UserLogin"),
        ("duplicate_email", "UserEmail"),
        ("duplicate_login", "UserLogin"),
        ("invalid_customer", "UserCustomerID"),
        ("read_only_field", "UserCity"),
        results[6],
    ]
    assert done(results[0]).fields == ("UserPhone",)
    assert world.row("e")["email"] == "E@cust.test"


def test_a_number_is_a_customer_id_like_any_other(world: World) -> None:
    world.add("jane")

    (result,) = updated(world, Edit("jane", {"UserCustomerID": 0}))

    assert code(result) == ("unknown_customer", "UserCustomerID")
    assert world.row("jane")["customer_id"] == "acme"


def test_who_was_of_a_customer_that_is_invalid_by_now_can_be_changed(world: World) -> None:
    world.add("jane", customer_id="gone")

    result = updated(world, Edit("jane", {"UserCustomerID": "gone", "UserPhone": "1"}))[0]

    assert done(result).fields == ("UserPhone",)


def test_who_saw_another_version_is_told(world: World) -> None:
    world.add("jane")
    before = seen(world, "jane")

    first = updated(world, Edit("jane", {"UserPhone": "1"}, expected=before))[0]
    second = updated(world, Edit("jane", {"UserTitle": "Dr."}, expected=before))[0]
    third = updated(world, Edit("jane", {"UserTitle": "Dr."}, expected=done(first).version))[0]

    assert code(second) == ("changed_meanwhile", "")
    assert done(third).fields == ("UserTitle",)
    assert (world.row("jane")["phone"], world.row("jane")["title"]) == ("1", "Dr.")


def at_once(works: Sequence[Callable[[], Any]]) -> list[Any]:
    """Run all at the same moment, each in a thread of its own."""
    barrier = threading.Barrier(len(works))

    def run(work: Callable[[], Any]) -> Any:
        barrier.wait(30)
        return work()

    with ThreadPoolExecutor(len(works)) as pool:
        return list(pool.map(run, works))


def test_of_two_updates_at_once_one_is_told(world: World) -> None:
    world.add("jane")
    before = seen(world, "jane")
    edits = [Edit("jane", {"UserPhone": number}, expected=before) for number in "1234"]

    results = at_once([lambda edit=edit: updated(world, edit)[0] for edit in edits])

    (written,) = [one for one in results if isinstance(one, Updated)]
    assert [code(one) for one in results if one is not written] == [("changed_meanwhile", "")] * 3
    assert written.version == seen(world, "jane")


def test_of_two_adds_of_one_login_or_address_at_once_one_is_told(world: World) -> None:
    rows = [person("jane"), person("JANE"), person("jane", UserEmail="j@cust.test"), person("x")]
    rows[3]["UserEmail"] = "JANE@cust.test"

    def adding(row: dict[str, Any]) -> Added | Refused:
        source = world.source()
        return add(world.directory(source), source, [row], AUTHOR)[0]

    results = at_once([lambda row=row: adding(row) for row in rows])

    stored = world.rows(schema.customer_user)
    assert len(stored) == len([one for one in results if isinstance(one, Added)])
    assert len({row["login"].lower() for row in stored}) == len(stored)
    assert len({row["email"].lower() for row in stored}) == len(stored)
    errors = {one.error for one in results if isinstance(one, Refused)}
    assert errors <= {"duplicate_login", "duplicate_email"}


# SQLite has one writer at a time: there is no "just writing".
@pytest.mark.parametrize("ticket_database", ["postgresql", "mariadb"], indirect=True)
def test_what_a_screen_is_just_writing_is_waited_for_and_seen(world: World) -> None:
    world.add("jane")
    before = seen(world, "jane")
    locking = threading.Event()

    def note(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        if "FOR UPDATE" in statement:
            locking.set()

    screen = sqlalchemy.create_engine(world.url)
    with ThreadPoolExecutor(1) as pool, screen.connect() as connection:
        connection.execute(text("UPDATE customer_user SET phone = '99' WHERE login = 'jane'"))
        event.listen(Engine, "before_cursor_execute", note)
        ours = pool.submit(updated, world, Edit("jane", {"UserTitle": "Dr."}, expected=before))
        assert locking.wait(30)
        connection.commit()
        (result,) = ours.result(30)
    event.remove(Engine, "before_cursor_execute", note)
    screen.dispose()

    assert code(result) == ("changed_meanwhile", "")
    assert world.row("jane")["phone"] == "99"


# -- renames


def hang(world: World, login: str, theme: str = "Dark") -> None:
    """Let things hang on a login."""
    world.insert(
        schema.customer_preferences,
        user_id=login,
        preferences_key="UserTheme",
        preferences_value=theme,
    )
    world.insert(schema.customer_user_customer, user_id=login, customer_id="gone")
    world.insert(
        schema.group_customer_user,
        user_id=login,
        group_id=3,
        permission_key="ro",
        permission_value=1,
    )
    world.insert(schema.service_customer_user, customer_user_login=login, service_id=4)
    for key in ("Title", "Queue"):
        world.insert(
            schema.search_profile,
            login=f"CustomerTicketSearch::{login}",
            profile_name="mine",
            profile_type="SCALAR",
            profile_key=key,
            profile_value="x",
        )


NAMING = {
    schema.customer_preferences: "user_id",
    schema.customer_user_customer: "user_id",
    schema.group_customer_user: "user_id",
    schema.service_customer_user: "customer_user_login",
    schema.search_profile: "login",
}


def hanging(world: World) -> list[list[str]]:
    """Whose rows there are, in each table that names logins."""
    return [
        sorted({row[name].rpartition("::")[2] for row in world.rows(table)})
        for table, name in NAMING.items()
    ]


def attributes(world: World, source: SqlSource, login: str) -> Attributes:
    answer = world.directory(source).find([login])[login]
    assert isinstance(answer, Found)
    return answer.customer_user.attributes


@pytest.mark.parametrize("new", ["janet", "JANE"])
def test_a_rename_takes_everything_along(world: World, new: str) -> None:
    world.add("jane")
    source = world.source()
    updated(world, Edit("jane", {"DynamicField_Nick": "Ace"}), source=source)
    hang(world, "jane")
    hang(world, "janes")

    result = done(updated(world, Edit("jane", {"UserLogin": new}), source=source)[0])

    assert (result.was, result.login, result.fields) == ("jane", new, ("UserLogin",))
    assert result.moved is not None
    assert (result.moved.preferences, result.moved.assignments) == (1, 1)
    assert (result.moved.dynamic_fields, result.moved.others) == (1, 4)
    assert hanging(world) == [sorted([new, "janes"])] * 5
    found = attributes(world, source, new)
    assert (found["UserTheme"], found["DynamicField_Nick"]) == ("Dark", "Ace")
    (assignment,) = [
        row for row in world.rows(schema.customer_user_customer) if row["user_id"] == new
    ]
    assert (assignment["create_by"], assignment["change_by"]) == (1, 7)


def test_what_is_left_over_under_the_new_login_gives_way(world: World) -> None:
    world.add("jane")
    world.add("janet")
    source = world.source()
    for login, nick in (("jane", "Ace"), ("janet", "Old")):
        updated(world, Edit(login, {"DynamicField_Nick": nick}), source=source)
        hang(world, login, theme=nick)
    with world.engine.begin() as connection:
        connection.execute(text("DELETE FROM customer_user WHERE login = 'janet'"))

    done(updated(world, Edit("jane", {"UserLogin": "janet"}), source=source)[0])

    assert hanging(world) == [["janet"]] * 5
    found = attributes(world, source, "janet")
    assert (found["UserTheme"], found["DynamicField_Nick"]) == ("Ace", "Ace")


def test_nobody_gets_the_login_of_another(world: World, elsewhere: SqlDirectory) -> None:
    elsewhere.add_person("bob", "Bob", "Else", "bob@else.test", "acme")
    world.add("jane")
    world.add("anna")
    source = world.source()
    directory = world.directory(source, elsewhere.source(slot="1"))

    results = update(
        directory,
        [Edit("jane", {"UserLogin": "Anna"}), Edit("anna", {"UserLogin": "BOB"})],
        AUTHOR,
    )

    assert [code(one) for one in results] == [("duplicate_login", "UserLogin")] * 2
    assert {row["login"] for row in world.rows(schema.customer_user)} == {"jane", "anna"}


def test_a_login_too_long_for_assignments_is_refused_whole(world: World) -> None:
    world.add("jane")
    hang(world, "jane")
    with pytest.raises(Refused) as refused:
        updated(world, Edit("jane", {"UserLogin": "x" * 101}))

    assert code(refused.value) == ("too_long", "UserLogin")
    assert hanging(world) == [["jane"]] * 5
    assert world.row("jane")["login"] == "jane"


def test_a_rename_of_a_source_elsewhere_can_be_repeated_after_a_fault(
    world: World, elsewhere: SqlDirectory, monkeypatch: pytest.MonkeyPatch
) -> None:
    elsewhere.add_person("jane", "Jane", "Doe", "jane@else.test", "acme")
    hang(world, "jane")
    source = elsewhere.source(slot="1")
    directory = world.directory(source)

    with monkeypatch.context() as broken:
        broken.setattr("directory.updating.told", None)  # a fault between the two commits
        with pytest.raises(SourceUnavailable, match="TypeError"):
            update(directory, [Edit("jane", {"UserLogin": "janet"})], AUTHOR)
    assert isinstance(source.find(["jane"])["jane"], Found)
    assert hanging(world) == [["janet"]] * 5

    (result,) = update(directory, [Edit("jane", {"UserLogin": "janet"})], AUTHOR)

    assert done(result).login == "janet"
    assert isinstance(source.find(["janet"])["janet"], Found)
    assert hanging(world) == [["janet"]] * 5
