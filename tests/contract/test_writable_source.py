"""What every source does that is written to: exactly what it is told, or nothing at all."""

import threading
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection, Engine, event, make_url

from directory.errors import SourceOutcomeUnknown, SourceUnavailable
from directory.model import Absent, Attributes, Found
from directory.refusals import Refused
from directory.source import WritableSource
from directory.source_transaction import SourceTransaction
from directory.sql import SqlSource
from directory.transactions import BUSY, savepoint
from tests.contract.customer_users import AUTHOR
from tests.contract.proxy import Line
from tests.contract.sql_source import SqlDirectory
from tests.servers import MariadbServer, PostgresqlServer
from tests.stopwatch import Stopwatch


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
        transaction.read(rows, lock=True)
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


def test_of_what_else_there_may_be_one_only_the_field_is_named(sql_directory: SqlDirectory) -> None:
    sql_directory.execute(
        "ALTER TABLE people ADD badge VARCHAR(20)", "ALTER TABLE people ADD card VARCHAR(20)"
    )
    sql_directory.execute(
        "CREATE UNIQUE INDEX one_badge ON people (badge)",
        "CREATE UNIQUE INDEX one_mail ON people (first_name, card)"
        if not sql_directory.url.startswith("mysql")
        else "CREATE UNIQUE INDEX one_mail ON people (first_name(50), card)",
    )
    source = sql_directory.source(extra_map={"UserBadge": "badge", "UserCard": "card"})
    insert(source, row("a", badge="secret 7", card="1"))

    refused = insert(source, row("b", badge="secret 7", card="2"), row("c", badge="8", card="1"))

    assert codes(refused) == dict.fromkeys((0, 1), "refused_by_database")
    assert [refused[place].field for place in (0, 1)] == ["UserBadge", "UserFirstname"]
    assert "UserFirstname, UserCard" in refused[1].message
    assert "secret" not in f"{refused}"


def test_a_column_that_must_not_be_empty_and_is_not_in_the_map_is_told(
    sql_directory: SqlDirectory,
) -> None:
    sql_directory.execute("DROP TABLE people")
    sql_directory.execute(
        "CREATE TABLE people (login VARCHAR(50), first_name VARCHAR(50), last_name VARCHAR(50), "
        "email VARCHAR(50), customer_id VARCHAR(50), phone VARCHAR(50), badge INTEGER NOT NULL)"
    )

    refused = insert(sql_directory.source(), row("a"))

    assert codes(refused) == {0: "refused_by_database"}


def test_an_empty_text_is_null_where_no_text_can_stand(sql_directory: SqlDirectory) -> None:
    sql_directory.execute(
        "ALTER TABLE people ADD born DATE", "ALTER TABLE people ADD size_cm INTEGER"
    )
    source = sql_directory.source(extra_map={"UserBorn": "born", "UserSize": "size_cm"})

    refused = insert(source, row("a", born="", size_cm=""), row("b", born="2001-02-03", size_cm=7))

    assert refused == {}
    assert "UserBorn" not in attributes(source, "a")
    assert (attributes(source, "b")["UserBorn"], attributes(source, "b")["UserSize"]) == (
        "2001-02-03",
        "7",
    )


def test_lengths_are_those_of_the_database(sql_directory: SqlDirectory) -> None:
    columns = sql_directory.source().columns()

    lengths = {name: columns[name].length for name in ("login", "customer_id")}
    assert lengths == {"login": 200, "customer_id": 150}
    assert not columns["id"].text


def test_what_is_raised_within_leaves_nothing_behind(sql_directory: SqlDirectory) -> None:
    source = sql_directory.source()

    def work(transaction: SourceTransaction) -> None:
        transaction.insert([row("jdoe")])
        raise Refused("changed_meanwhile", "no")

    with pytest.raises(Refused):
        source.transact(work, AUTHOR)

    assert source.find(["jdoe"])["jdoe"] == Absent()


def test_only_the_row_of_that_very_spelling_is_changed(sql_directory: SqlDirectory) -> None:
    spellings = ["jdoe", "JDOE", "jdoe ", "jdöe", "jdo%"]
    source = sql_directory.source(CaseSensitive=1)
    insert(source, *map(row, spellings))

    assert change(source, {"jdoe": {"phone": "1"}, "jdo%": {"phone": "2"}}) == {}

    phones = [attributes(source, login)["UserPhone"] for login in spellings]
    assert phones == ["1", "", "", "", "2"]


@pytest.mark.parametrize("wrong", ["gone", "twin"])
def test_a_row_that_is_not_there_or_twice_is_told(sql_directory: SqlDirectory, wrong: str) -> None:
    source = sql_directory.source()
    insert(source, row("twin"), row("twin"), row("one"), row("two"))

    refused = change(source, {login: {"phone": "1"} for login in ("one", wrong, "two")})

    assert codes(refused) == {wrong: "changed_meanwhile"}
    phones = [attributes(source, login)["UserPhone"] for login in ("one", "two", "twin")]
    assert phones == ["1", "1", ""]


@pytest.fixture(scope="module", params=["sqlite", "postgresql", "mariadb"])
def odd_source(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[SqlSource]:
    """A source that case matters to, for many examples."""
    scratch = tmp_path_factory.mktemp("odd")
    server = None
    url = f"sqlite:///{scratch / 'people.sqlite'}"
    if request.param != "sqlite":
        server = request.getfixturevalue(f"{request.param}_server")
        url = server.create_database()
    directory = SqlDirectory(url, server, scratch)
    yield directory.source(CaseSensitive=1)
    directory.close()
    if server is not None:
        server.drop_database(url)


TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=40)


@given(st.lists(TEXTS.filter(bool), min_size=1, max_size=5, unique=True), TEXTS, TEXTS)
@example(["a", "A", "a ", "ä", "'; --"], "%s :x {} \\ ''", "\N{GRINNING FACE} ")
@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_what_is_written_is_read_back_exactly(
    odd_source: SqlSource, logins: list[str], first: str, second: str
) -> None:
    def clear(transaction: SourceTransaction) -> None:
        transaction.connection.exec_driver_sql("DELETE FROM people")

    odd_source.transact(clear, AUTHOR)
    assert insert(odd_source, *(row(login, phone=first) for login in logins)) == {}

    assert change(odd_source, {logins[0]: {"phone": second, "email": first}}) == {}

    found = odd_source.find(logins)
    told = {
        login: answer.customer_user.attributes
        for login, answer in found.items()
        if isinstance(answer, Found)
    }
    assert [told[login]["UserLogin"] for login in logins] == logins
    assert [told[login]["UserPhone"] for login in logins] == [second, *[first] * (len(logins) - 1)]
    assert told[logins[0]]["UserEmail"] == first


def test_a_nul_is_kept_or_refused_and_never_cut(sql_directory: SqlDirectory) -> None:
    source = sql_directory.source()

    refused = insert(source, row("a", phone="1\0002"), row("b"))

    if sql_directory.url.startswith("postgresql"):
        assert codes(refused) == {0: "refused_by_database"}
    else:
        assert attributes(source, "a")["UserPhone"] == "1\0002"
    assert isinstance(source.find(["b"])["b"], Found)


# -- servers that fail


@pytest.fixture(params=["postgresql", "mariadb"])
def server(request: pytest.FixtureRequest) -> PostgresqlServer | MariadbServer:
    found: PostgresqlServer | MariadbServer = request.getfixturevalue(f"{request.param}_server")
    return found


@contextmanager
def when(kind: str, act: Any) -> Iterator[None]:
    """Do something when any engine begins to commit, or to insert."""

    def commit(_: Connection) -> None:
        act()

    def execute(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        if statement.startswith(kind):
            act()

    name, note = ("commit", commit) if kind == "COMMIT" else ("before_cursor_execute", execute)
    event.listen(Engine, name, note)
    try:
        yield
    finally:
        event.remove(Engine, name, note)


@pytest.mark.parametrize("cut", [False, True], ids=["silent", "cut"])
def test_whether_a_commit_without_an_answer_was_done_is_not_known(
    server: PostgresqlServer | MariadbServer, tmp_path: Path, cut: bool
) -> None:
    directory = SqlDirectory(server.create_database(), server, tmp_path)
    with Line(server.port) as line:
        url = make_url(directory.url).set(port=line.port).render_as_string(hide_password=False)
        source = directory.source(url=url, timeout=1)
        source.columns()

        with (
            when("COMMIT", line.cut if cut else line.hold),
            Stopwatch() as watch,
            pytest.raises(SourceOutcomeUnknown, match="may be written or not"),
        ):
            insert(source, row("jdoe"))
        assert watch.seconds < 1.5

        line.release()
        insert(source, row("other"))
        assert isinstance(source.find(["other"])["other"], Found)
    directory.close()


def test_what_was_not_committed_in_time_never_is(
    server: PostgresqlServer | MariadbServer, tmp_path: Path
) -> None:
    directory = SqlDirectory(server.create_database(), server, tmp_path)
    with Line(server.port) as line:
        url = make_url(directory.url).set(port=line.port).render_as_string(hide_password=False)
        source = directory.source(url=url, timeout=1)
        source.columns()

        with when("INSERT", line.hold), pytest.raises(SourceUnavailable) as told:
            insert(source, row("jdoe"))
        assert not isinstance(told.value, SourceOutcomeUnknown)

        line.release()
        assert source.find(["jdoe"])["jdoe"] == Absent()
    directory.close()


def test_a_server_that_is_back_is_written_to_again(sql_directory: SqlDirectory) -> None:
    source = sql_directory.source()
    insert(source, row("a"))

    sql_directory.stop()
    with pytest.raises(SourceUnavailable):
        insert(source, row("b"))
    sql_directory.start()

    assert insert(source, row("b")) == {}
    assert isinstance(source.find(["b"])["b"], Found)


def test_who_writes_to_a_table_waits_for_the_others(sql_directory: SqlDirectory) -> None:
    patient, hasty = sql_directory.source(), sql_directory.source(timeout=0.3)
    hasty.columns()
    inside, done = threading.Event(), threading.Event()

    def work(transaction: SourceTransaction) -> None:
        inside.set()
        assert done.wait(30)
        transaction.insert([row("first")])

    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(patient.transact, work, AUTHOR)
        assert inside.wait(30)
        with pytest.raises(SourceUnavailable) as told:
            insert(hasty, row("second"))
        done.set()
        first.result(30)

    assert BUSY in told.value.reason or "no answer within" in told.value.reason
    assert insert(sql_directory.source(), row("third")) == {}
    found = sql_directory.source().find(["first", "second", "third"])
    assert [type(answer) for answer in found.values()] == [Found, Absent, Found]


def test_rows_that_somebody_else_holds_are_told_in_plain_words(
    server: PostgresqlServer | MariadbServer, tmp_path: Path
) -> None:
    directory = SqlDirectory(server.create_database(), server, tmp_path)
    limits = {"postgresql": "SET lock_timeout = 50", "mysql": "SET max_statement_time = 0.05"}
    source = directory.source()
    insert(source, row("jdoe"))

    def work(transaction: SourceTransaction) -> None:
        connection = transaction.connection
        connection.exec_driver_sql(limits[connection.dialect.name])
        transaction.read(["jdoe"], lock=True)

    engine = sqlalchemy.create_engine(directory.url)
    with engine.begin() as screen:
        screen.exec_driver_sql("UPDATE people SET login = 'jdoe'")
        with pytest.raises(SourceUnavailable, match="others hold the same rows"):
            source.transact(work, AUTHOR)
    engine.dispose()
    directory.close()


DEADLOCK = {
    "postgresql": "DO $$ BEGIN RAISE SQLSTATE '40P01'; END $$",
    "mysql": "SIGNAL SQLSTATE '40001' SET MYSQL_ERRNO = 1213",
}


@pytest.mark.parametrize(("deadlocks", "written"), [(2, True), (9, False)])
def test_a_transaction_that_a_deadlock_ended_is_begun_again(
    server: PostgresqlServer | MariadbServer, tmp_path: Path, deadlocks: int, written: bool
) -> None:
    directory = SqlDirectory(server.create_database(), server, tmp_path)
    source = directory.source()
    rounds: list[int] = []

    def work(transaction: SourceTransaction) -> None:
        rounds.append(1)
        transaction.insert([row(f"u{len(rounds)}")])
        if len(rounds) <= deadlocks:
            statement = DEADLOCK[transaction.connection.dialect.name]
            transaction.connection.exec_driver_sql(statement)

    if written:
        source.transact(work, AUTHOR)
        found = source.find(["u1", "u2", "u3"])
        assert [type(answer) for answer in found.values()] == [Absent, Absent, Found]
    else:
        with pytest.raises(SourceUnavailable):
            source.transact(work, AUTHOR)
        assert len(rounds) == 6
    directory.close()


def test_a_deadlock_that_took_a_savepoint_along_is_one(
    server: PostgresqlServer | MariadbServer, tmp_path: Path
) -> None:
    directory = SqlDirectory(server.create_database(), server, tmp_path)
    source = directory.source()
    rounds: list[int] = []

    def work(transaction: SourceTransaction) -> None:
        rounds.append(1)
        transaction.insert([row(f"u{len(rounds)}")])
        if len(rounds) == 1:
            with savepoint(transaction.connection):
                transaction.connection.exec_driver_sql("ROLLBACK")  # InnoDB does it by itself
                statement = DEADLOCK[transaction.connection.dialect.name]
                transaction.connection.exec_driver_sql(statement)

    source.transact(work, AUTHOR)

    found = source.find(["u1", "u2"])
    assert [type(answer) for answer in found.values()] == [Absent, Found]
    directory.close()


def test_the_key_of_the_table_is_a_login_too(sql_directory: SqlDirectory) -> None:
    names = ("first_name", "last_name", "email", "customer_id", "phone")
    columns = ", ".join(f"{name} VARCHAR(50)" for name in names)
    sql_directory.execute("DROP TABLE people")
    sql_directory.execute(f"CREATE TABLE people (login VARCHAR(50) PRIMARY KEY, {columns})")
    source = sql_directory.source()
    insert(source, row("taken"), row("free"))

    assert codes(insert(source, row("taken"))) == {0: "duplicate_login"}
    assert codes(change(source, {"free": {"login": "taken"}})) == {"free": "duplicate_login"}


TRIGGERS = {
    "sqlite": """
        CREATE TRIGGER no_jane BEFORE INSERT ON people WHEN new.first_name = 'Nobody'
        BEGIN SELECT RAISE(ABORT, 'not Nobody'); END
    """,
    "postgresql": """
        CREATE FUNCTION no_jane() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN IF new.first_name = 'Nobody' THEN RAISE EXCEPTION 'not %', new.first_name; END IF;
        RETURN new; END $$;
        CREATE TRIGGER no_jane BEFORE INSERT ON people FOR EACH ROW EXECUTE FUNCTION no_jane()
    """,
    "mysql": """
        CREATE TRIGGER no_jane BEFORE INSERT ON people FOR EACH ROW
        IF new.first_name = 'Nobody' THEN
        SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'not Nobody'; END IF
    """,
}


def test_what_a_trigger_says_is_not_repeated_since_it_may_quote_values(
    sql_directory: SqlDirectory,
) -> None:
    backend = make_url(sql_directory.url).get_backend_name()
    sql_directory.execute(TRIGGERS[backend].replace("%", "%%"))
    source = sql_directory.source()

    refused = insert(source, row("a"), row("b", first_name="Nobody"))

    assert codes(refused) == {1: "refused_by_database"}
    assert "Nobody" not in refused[1].message
    assert isinstance(source.find(["a"])["a"], Found)
