"""What only SQL sources do: types, faults of a login, misfits, deadlines, counted statements."""

import os
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy
from sqlalchemy import Engine, event, make_url

from directory.config import SqlSourceConfig
from directory.database import RUNNERS
from directory.errors import SourceMisconfigured, SourceUnavailable
from directory.model import Absent, Answer, Attributes, Found, Unavailable
from directory.sql import SqlSource
from tests.contract.proxy import Dripper, Line
from tests.contract.sql_source import MAP, SqlDirectory, no_ticket_engine, sql_config
from tests.servers import MariadbServer, PostgresqlServer
from tests.stopwatch import Stopwatch


@contextmanager
def counted() -> Iterator[list[str]]:
    """The statements that any engine runs meanwhile."""
    statements: list[str] = []

    def note(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        statements.append(statement)

    event.listen(Engine, "before_cursor_execute", note)
    try:
        yield statements
    finally:
        event.remove(Engine, "before_cursor_execute", note)


def add(directory: SqlDirectory, login: str, first_name: str = "Jane") -> None:
    directory.add_person(login, first_name, "Doe", "jane@cust.test", "acme")


def attributes(answers: Mapping[str, Answer], login: str) -> Attributes:
    answer = answers[login]
    assert isinstance(answer, Found)
    return answer.customer_user.attributes


def test_hundreds_of_logins_cost_one_statement(sql_directory: SqlDirectory) -> None:
    add(sql_directory, "jdoe")
    add(sql_directory, "twin")
    source = sql_directory.source()

    with counted() as statements:
        answers = source.find([*(f"user{number}" for number in range(400)), "jdoe"])

    assert len(statements) == 1
    assert attributes(answers, "jdoe")["UserFirstname"] == "Jane"


def test_more_logins_than_a_statement_takes_are_asked_in_batches(
    sql_directory: SqlDirectory,
) -> None:
    add(sql_directory, "user1100")

    with counted() as statements:
        answers = sql_directory.source().find([f"user{number}" for number in range(1200)])

    assert len(statements) == 3
    assert len(answers) == 1200
    assert isinstance(answers["user1100"], Found)


def test_where_case_counts_only_the_very_spelling_is_found(sql_directory: SqlDirectory) -> None:
    add(sql_directory, "JDoe", "Capital")
    add(sql_directory, "jdoe", "Small")

    answers = sql_directory.source(SearchCaseSensitive=1).find(["jdoe", "JDoe", "JDOE"])

    assert attributes(answers, "jdoe")["UserFirstname"] == "Small"
    assert attributes(answers, "JDoe")["UserFirstname"] == "Capital"
    assert answers["JDOE"] == Absent()


def test_a_column_that_tells_case_apart_is_searched_without_case(
    mariadb_server: MariadbServer, tmp_path: Path
) -> None:
    directory = SqlDirectory(mariadb_server.create_database(), mariadb_server, tmp_path)
    directory.execute(
        "ALTER TABLE people MODIFY login VARCHAR(200) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin"
    )
    add(directory, "JDoe")

    answers = directory.source().find(["jdoe", "nobody"])

    assert attributes(answers, "jdoe")["UserLogin"] == "JDoe"
    directory.close()


def test_a_column_of_the_table_and_the_map_is_an_attribute(sql_directory: SqlDirectory) -> None:
    sql_directory.execute("ALTER TABLE people ADD room VARCHAR(20)")
    add(sql_directory, "jdoe")
    sql_directory.execute("UPDATE people SET room = 'B 12'")

    answers = sql_directory.source(extra_map={"UserRoom": "room"}).find(["jdoe"])

    assert attributes(answers, "jdoe")["UserRoom"] == "B 12"


def test_the_last_of_two_map_rows_for_a_variable_wins(sql_directory: SqlDirectory) -> None:
    add(sql_directory, "jdoe")
    rows = [["UserFirstname", "", "first_name"], ["UserFirstname", "", "last_name"]]
    source = sql_directory.source(map=[["UserLogin", "", "login"], *rows])

    assert dict(attributes(source.find(["jdoe"]), "jdoe")) == {
        "UserLogin": "jdoe",
        "UserFirstname": "Doe",
    }


def test_the_password_is_never_selected(sql_directory: SqlDirectory) -> None:
    sql_directory.execute("ALTER TABLE people ADD pw VARCHAR(99)")
    add(sql_directory, "jdoe")
    sql_directory.execute("UPDATE people SET pw = 'hash'")
    source = sql_directory.source(
        extra_map={"UserPassword": "pw", "UserOther": "pw"},
        customer_user_name_fields=("first_name", "pw"),
    )

    with counted() as statements:
        answers = source.find(["jdoe"])

    assert "hash" not in [*attributes(answers, "jdoe").values()]
    assert [statement for statement in statements if "pw" in statement] == []


def test_a_dynamic_field_is_not_a_column(sql_directory: SqlDirectory) -> None:
    add(sql_directory, "jdoe")
    rows = {"DynamicField_Nick": {"storage": "Nick", "storage_type": "dynamic_field"}}
    source = sql_directory.source(extra_map=rows, customer_user_name_fields=("Nick", "first_name"))

    source.check()

    assert "DynamicField_Nick" not in attributes(source.find(["jdoe"]), "jdoe")


def test_a_row_without_a_login_is_no_customer_user(sql_directory: SqlDirectory) -> None:
    add(sql_directory, "jdoe")
    source = sql_directory.source(map={"UserLogin": "phone", "UserEmail": "email"})

    assert source.find(["jdoe"]) == {"jdoe": Absent()}


def test_without_a_map_row_the_key_column_is_the_login(sql_directory: SqlDirectory) -> None:
    add(sql_directory, "JDoe")

    answer = sql_directory.source(map={"UserEmail": "email"}).find(["jdoe"])["jdoe"]

    assert isinstance(answer, Found)
    assert answer.customer_user.login == "JDoe"
    assert dict(answer.customer_user.attributes) == {"UserEmail": "jane@cust.test"}


STAMPED = [
    f"ALTER TABLE people ADD {column} {kind}"
    for column, kind in (
        ("create_time", "TIMESTAMP NULL"),
        ("create_by", "INTEGER"),
        ("change_time", "TIMESTAMP NULL"),
        ("change_by", "INTEGER"),
    )
]


def test_a_table_of_otobo_says_when_and_by_whom_its_rows_were_made(
    sql_directory: SqlDirectory,
) -> None:
    sql_directory.execute(*STAMPED)
    add(sql_directory, "jdoe")
    sql_directory.execute(
        "UPDATE people SET create_time = '2024-01-01 00:00:00', create_by = 1, "
        "change_time = '2024-02-29 10:11:12', change_by = 7"
    )

    found = attributes(sql_directory.source(foreign_db=False).find(["jdoe"]), "jdoe")

    assert found["CreateTime"] == "2024-01-01 00:00:00"
    assert found["CreateBy"] == "1"
    assert found["ChangeTime"] == "2024-02-29 10:11:12"
    assert found["ChangeBy"] == "7"


def test_stamps_in_the_ticket_database_have_no_empty_fraction(
    sql_directory: SqlDirectory,
) -> None:
    sql_directory.execute(*STAMPED)
    add(sql_directory, "jdoe")
    engine = sqlalchemy.create_engine(sql_directory.url)
    stamp = sqlalchemy.text("'2024-01-01 00:00:00'")
    if engine.dialect.name == "sqlite":
        stamp = sqlalchemy.text("'2024-01-01 00:00:00.000000'")
    with engine.begin() as connection:
        connection.execute(sqlalchemy.text(f"UPDATE people SET create_time = {stamp}"))
    config = {**sql_directory.source().config.model_dump(), "url": None, "foreign_db": False}
    source = SqlSource(SqlSourceConfig.model_validate(config), lambda: engine)

    assert attributes(source.find(["jdoe"]), "jdoe")["CreateTime"] == "2024-01-01 00:00:00"
    source.close()
    assert isinstance(source.find(["jdoe"])["jdoe"], Found)
    engine.dispose()


TYPED = {
    "postgresql": (
        (
            "CREATE TABLE typed (login text, num numeric, zero numeric, flag boolean, off boolean, "
            "day date, ts timestamptz, raw bytea, photo bytea, tags text[], late timestamp, "
            "ratio float8, span int4range)"
        ),
        (
            "INSERT INTO typed VALUES ('jdoe', 12.50, 0.00, true, false, '2024-02-29', "
            "'2024-02-29 10:11:12.5+00', 'text', '\\xffd8', '{a,b}', 'infinity', 0.1, '[1,5)')"
        ),
    ),
    "mysql": (
        (
            "CREATE TABLE typed (login varchar(50), num decimal(9,2), zero decimal(9,2), "
            "flag boolean, off boolean, day date, ts datetime(1), raw blob, photo blob, "
            "tags varchar(9), late time, ratio double, span varchar(9))"
        ),
        (
            "INSERT INTO typed VALUES ('jdoe', 12.50, 0.00, true, false, '2024-02-29', "
            "'2024-02-29 10:11:12.5', 'text', x'ffd8', NULL, '-838:59:59', 0.1, NULL)"
        ),
    ),
    "sqlite": (
        (
            "CREATE TABLE typed (login, num, zero, flag, off, day, ts, raw, photo, tags, late, "
            "ratio, span)"
        ),
        (
            "INSERT INTO typed VALUES ('jdoe', '12.50', '0.00', 1, 0, '2024-02-29', "
            "'2024-02-29 10:11:12.5', x'74657874', x'ffd8', NULL, 1e20, 0.1, NULL)"
        ),
    ),
}

EXPECTED: Mapping[str, Mapping[str, object]] = {
    "postgresql": {
        "ts": "2024-02-29 10:11:12.5+00",
        "tags": ("a", "b"),
        "late": "infinity",
        "span": "[1,5)",
    },
    "mysql": {"ts": "2024-02-29 10:11:12.5", "late": "-838:59:59"},
    "sqlite": {"ts": "2024-02-29 10:11:12.5", "late": "1e+20"},
}


def test_values_are_the_text_that_otobos_driver_gives(sql_directory: SqlDirectory) -> None:
    kind = make_url(sql_directory.url).get_backend_name()
    sql_directory.execute(*TYPED[kind])
    columns = ("num", "zero", "flag", "off", "day", "ts", "raw", "photo", "tags", "late", "ratio")
    rows = {"UserLogin": "login", **{name: name for name in (*columns, "span")}}
    source = sql_directory.source(table="typed", map=rows)

    assert dict(attributes(source.find(["jdoe"]), "jdoe")) == {
        "UserLogin": "jdoe",
        "num": "12.50",
        "zero": "0.00",
        "flag": "1",
        "off": "0",
        "day": "2024-02-29",
        "raw": "text",
        "photo": b"\xff\xd8",
        "ratio": "0.1",
        **EXPECTED[kind],
    }


@pytest.mark.parametrize("declared", ["int", "var"])
def test_an_integer_key_holds_no_text_and_the_other_logins_are_answered(
    sql_directory: SqlDirectory, declared: str
) -> None:
    sql_directory.execute(
        "CREATE TABLE nums (login integer, first_name varchar(20))",
        "INSERT INTO nums VALUES (42, 'Num'), (0, 'Zero')",
    )
    rows = [["UserLogin", "", "login", 1, 1, declared], ["UserFirstname", "", "first_name"]]
    source = sql_directory.source(table="nums", map=rows)

    answers = source.find(["42", "jdoe", "042", "42abc", "7", "99999999999999999999"])

    assert attributes(answers, "42") == {"UserLogin": "42", "UserFirstname": "Num"}
    for login in ("jdoe", "042", "42abc", "7", "99999999999999999999"):
        assert isinstance(answers[login], Absent)
    if declared == "int":
        assert answers["jdoe"] == Absent("the key column holds integers")
        assert answers["7"] == Absent()


def test_on_postgresql_a_fault_of_one_login_says_what_it_is(
    postgresql_server: PostgresqlServer, tmp_path: Path
) -> None:
    directory = SqlDirectory(postgresql_server.create_database(), postgresql_server, tmp_path)
    directory.execute(
        "CREATE TABLE nums (login integer, first_name text)", "INSERT INTO nums VALUES (42, 'Num')"
    )
    source = directory.source(table="nums", map={"UserLogin": "login"}, case_sensitive=True)

    answers = source.find(["42", "jdoe", "a\0b", "\ud800"])

    assert isinstance(answers["42"], Found)
    assert answers["jdoe"] == Absent("the key column is of a type that cannot hold it")
    assert answers["a\0b"] == Absent("the database takes no NUL character")
    assert answers["\ud800"] == Absent("not valid Unicode")
    directory.close()


def test_a_character_that_the_column_cannot_hold_is_the_logins_fault(
    mariadb_server: MariadbServer, tmp_path: Path
) -> None:
    directory = SqlDirectory(mariadb_server.create_database(), mariadb_server, tmp_path)
    directory.execute(
        "ALTER TABLE people MODIFY login VARCHAR(200) CHARACTER SET latin1 COLLATE latin1_bin"
    )
    add(directory, "jdoe")

    answers = directory.source().find(["jdoe", "\U0001f600", "\u05e9"])

    assert isinstance(answers["jdoe"], Found)
    assert isinstance(answers["\U0001f600"], Absent)
    assert isinstance(answers["\u05e9"], Absent)
    directory.close()


def test_a_view_that_fails_for_everybody_makes_nobody_absent(
    postgresql_server: PostgresqlServer, tmp_path: Path
) -> None:
    directory = SqlDirectory(postgresql_server.create_database(), postgresql_server, tmp_path)
    add(directory, "jdoe")
    directory.execute(
        "CREATE VIEW divided AS SELECT login, email, (id / (id - id))::text AS phone FROM people",
        "CREATE VIEW mistyped AS SELECT login, email, email::integer::text AS phone FROM people",
    )

    for view in ("divided", "mistyped"):
        rows = {"UserLogin": "login", "UserPhone": "phone"}
        answers = directory.source(table=view, map=rows).find(["jdoe", "other"])
        assert isinstance(answers["jdoe"], Unavailable), view
        assert "jane@cust.test" not in answers["jdoe"].reason
    directory.close()


def test_a_padded_key_is_found(postgresql_server: PostgresqlServer, tmp_path: Path) -> None:
    directory = SqlDirectory(postgresql_server.create_database(), postgresql_server, tmp_path)
    directory.execute(
        "CREATE TABLE padded (login char(20), email text)",
        "INSERT INTO padded VALUES ('jdoe', 'jane@cust.test')",
    )
    source = directory.source(table="padded", map={"UserEmail": "email"})

    assert attributes(source.find(["jdoe"]), "jdoe") == {"UserEmail": "jane@cust.test"}
    directory.close()


def test_a_table_of_another_schema_is_found(
    postgresql_server: PostgresqlServer, tmp_path: Path
) -> None:
    directory = SqlDirectory(postgresql_server.create_database(), postgresql_server, tmp_path)
    directory.execute(
        'CREATE SCHEMA "Sales"',
        'CREATE TABLE "Sales"."People Of" ("Log in" text, "select" text)',
        """INSERT INTO "Sales"."People Of" VALUES ('jdoe', 'x')""",
    )
    source = directory.source(
        table="Sales.People Of",
        customer_key="Log in",
        map={"UserLogin": "Log in", "UserPhone": "select"},
    )

    source.check()

    assert attributes(source.find(["jdoe"]), "jdoe") == {"UserLogin": "jdoe", "UserPhone": "x"}
    directory.close()


MISFITS = [
    ({"table": "nosuch"}, "there is no table nosuch; the database has: people"),
    (
        {"extra_map": {"UserRoom": "room", "UserFloor": "floor"}},
        (
            "table people has no column room, floor; it has: id, login, first_name, last_name, "
            "email, customer_id, phone"
        ),
    ),
    ({"customer_key": "uid"}, "table people has no column uid; "),
    (
        {"foreign_db": False},
        "a table without create_time and its like needs foreign_db (ForeignDB)",
    ),
    ({"customer_user_name_fields": ("title",)}, "table people has no column title; "),
]


@pytest.mark.parametrize(("overrides", "says"), MISFITS)
def test_a_source_that_does_not_fit_is_unavailable_and_check_says_why(
    sql_directory: SqlDirectory, overrides: dict[str, Any], says: str
) -> None:
    add(sql_directory, "jdoe")
    source = sql_directory.source(slot="1", **overrides)

    answer = source.find(["jdoe"])["jdoe"]

    assert isinstance(answer, Unavailable)
    assert answer.slot == "1"
    with pytest.raises(SourceUnavailable):
        source.ping()
    with pytest.raises(SourceMisconfigured) as caught:
        source.check()
    assert says in caught.value.problem


def test_default_names_need_no_columns_in_a_foreign_table(sql_directory: SqlDirectory) -> None:
    sql_directory.execute(
        "CREATE TABLE bare (login varchar(20), mail varchar(20))",
        "INSERT INTO bare VALUES ('jdoe', 'jane@cust.test')",
    )
    source = sql_directory.source(table="bare", map={"UserLogin": "login", "UserEmail": "mail"})

    source.check()

    assert attributes(source.find(["jdoe"]), "jdoe")["UserEmail"] == "jane@cust.test"


def test_a_source_that_fits_passes_the_check(sql_directory: SqlDirectory) -> None:
    sql_directory.source().check()


def test_a_check_says_when_the_database_is_away(tmp_path: Path) -> None:
    config = {"table": "t", "CustomerKey": "login", "CustomerID": "c", "Map": {"UserLogin": "l"}}
    source = SqlSource(
        SqlSourceConfig.model_validate({**config, "DSN": f"DBI:SQLite:dbname={tmp_path}/no/db"}),
        no_ticket_engine,
    )

    with pytest.raises(SourceUnavailable, match="unable to open database file"):
        source.check()


def test_a_database_that_is_missing_is_not_made(tmp_path: Path) -> None:
    missing = tmp_path / "missing.sqlite"
    directory_config = {
        "url": f"sqlite:///{missing}",
        "table": "people",
        "customer_key": "login",
        "customer_id": "customer_id",
        "map": MAP,
    }
    source = SqlSource(SqlSourceConfig.model_validate(directory_config), no_ticket_engine)

    assert isinstance(source.find(["jdoe"])["jdoe"], Unavailable)
    assert not missing.exists()


def test_a_dsn_that_makes_no_sense_is_a_misconfiguration() -> None:
    config = {
        "slot": "4",
        "DSN": "DBI:Nonsense:x",
        "Table": "t",
        "CustomerKey": "login",
        "CustomerID": "c",
        "Map": {"UserLogin": "login"},
    }

    with pytest.raises(SourceMisconfigured, match="CustomerUser4: DBI:Nonsense is not known"):
        SqlSource(SqlSourceConfig.model_validate(config), no_ticket_engine)


@pytest.mark.parametrize("kind", ["Pg", "mysql"])
def test_a_dsn_of_otobo_reaches_the_database(
    kind: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    name = "postgresql_server" if kind == "Pg" else "mariadb_server"
    server: PostgresqlServer | MariadbServer = request.getfixturevalue(name)
    directory = SqlDirectory(server.create_database(), server, tmp_path)
    add(directory, "jdoe")
    url = make_url(directory.url)
    source = directory.source(
        url=None,
        DSN=f"DBI:{kind}:database={url.database};host={url.host};port={url.port}",
        User=url.username,
        Password=url.password,
    )

    assert isinstance(source.find(["jdoe"])["jdoe"], Found)
    directory.close()


@pytest.mark.parametrize("kind", ["postgresql", "mariadb"])
def test_a_refused_password_is_unavailable_and_is_not_repeated(
    kind: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    server: PostgresqlServer | MariadbServer = request.getfixturevalue(f"{kind}_server")
    directory = SqlDirectory(server.create_database(), server, tmp_path)
    url = make_url(directory.url).set(password="hunter2")
    source = directory.source(url=url.render_as_string(hide_password=False))

    answer = source.find(["jdoe"])["jdoe"]

    assert isinstance(answer, Unavailable)
    assert "hunter2" not in answer.reason
    assert "password" in answer.reason
    directory.close()


@pytest.mark.parametrize("kind", ["postgresql", "mariadb"])
def test_a_server_that_falls_silent_holds_nobody_longer_than_the_timeout(
    kind: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    server: PostgresqlServer | MariadbServer = request.getfixturevalue(f"{kind}_server")
    directory = SqlDirectory(server.create_database(), server, tmp_path)
    add(directory, "jdoe")
    with Line(server.port) as line:
        url = make_url(directory.url).set(port=line.port)
        source = directory.source(url=url.render_as_string(hide_password=False), timeout=0.5)
        assert isinstance(source.find(["jdoe"])["jdoe"], Found)

        line.hold()
        for _ in range(2):  # over the kept connection, then over a new one
            with Stopwatch() as watch:
                answer = source.find(["jdoe"])["jdoe"]
            assert watch.seconds < 1.0
            assert isinstance(answer, Unavailable)

        line.release()
        assert isinstance(source.find(["jdoe"])["jdoe"], Found)
        source.close()
    directory.close()


@pytest.mark.parametrize("kind", ["postgresql", "mariadb"])
def test_a_connection_that_was_cut_is_replaced(
    kind: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    server: PostgresqlServer | MariadbServer = request.getfixturevalue(f"{kind}_server")
    directory = SqlDirectory(server.create_database(), server, tmp_path)
    add(directory, "jdoe")
    with Line(server.port) as line:
        url = make_url(directory.url).set(port=line.port)
        source = directory.source(url=url.render_as_string(hide_password=False))
        source.find(["jdoe"])

        line.cut()

        assert isinstance(source.find(["jdoe"])["jdoe"], Found)
        assert line.connections == 2
        source.close()
    directory.close()


@pytest.mark.parametrize(
    ("scheme", "greeting"),
    [("postgresql", b"R" * 99), ("mysql", b"\xf0\0\0\0\x0a" + b"5" * 99)],
)
def test_a_server_that_drips_holds_nobody_longer_than_the_timeout(
    scheme: str, greeting: bytes
) -> None:
    with Dripper(greeting, every=0.1) as server:
        config = {
            "url": f"{scheme}://u:p@127.0.0.1:{server.port}/db",
            "table": "people",
            "customer_key": "login",
            "customer_id": "customer_id",
            "map": MAP,
            "timeout": 0.5,
        }
        source = SqlSource(SqlSourceConfig.model_validate(config), no_ticket_engine)

        with Stopwatch() as watch:
            answer = source.find(["jdoe"])["jdoe"]

        assert watch.seconds < 1.0
        assert isinstance(answer, Unavailable)


@pytest.mark.parametrize(
    ("scheme", "greeting"),
    [("postgresql", b"R" * 99), ("mysql", b"\xf0\0\0\0\x0a" + b"5" * 99)],
)
def test_a_server_that_drips_keeps_no_thread_of_ours(scheme: str, greeting: bytes) -> None:
    idle = max(RUNNERS.idle, 1)
    with Dripper(greeting, every=0.1) as server:
        url = f"{scheme}://u:p@127.0.0.1:{server.port}/db"
        source = SqlSource(sql_config(url=url, timeout=0.5), no_ticket_engine)
        source.find(["jdoe"])

        moment = threading.Event()
        with Stopwatch() as watch:
            while (
                RUNNERS.idle < idle and watch.seconds < 5
            ):  # the greeting would last twice as long
                moment.wait(0.01)

        assert RUNNERS.idle >= idle  # those of earlier tests come back meanwhile


def test_a_statement_that_takes_too_long_is_ended(sql_directory: SqlDirectory) -> None:
    slow = {
        "postgresql": "CREATE VIEW slow AS SELECT login, pg_sleep(5)::text AS email FROM people",
        "mysql": "CREATE VIEW slow AS SELECT login, sleep(5) AS email FROM people",
        "sqlite": "CREATE VIEW slow AS WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 "
        "FROM n LIMIT 100000000) SELECT login, (SELECT max(i) FROM n) AS email FROM people",
    }
    add(sql_directory, "jdoe")
    sql_directory.execute(slow[make_url(sql_directory.url).get_backend_name()])
    rows = {"UserLogin": "login", "UserEmail": "email"}
    source = sql_directory.source(table="slow", map=rows, timeout=0.5)

    with Stopwatch() as watch:
        answer = source.find(["jdoe"])["jdoe"]

    assert watch.seconds < 1.0
    assert isinstance(answer, Unavailable)


def test_a_source_that_was_asked_before_a_fork_works_in_parent_and_child(
    sql_directory: SqlDirectory,
) -> None:
    add(sql_directory, "jdoe")
    source = sql_directory.source(timeout=20)
    source.find(["jdoe"])

    child = os.fork()
    if child == 0:
        answer = source.find(["jdoe"])["jdoe"]
        source.close()
        if isinstance(answer, Unavailable):
            os.write(2, answer.reason.encode())
        os._exit(0 if isinstance(answer, Found) else 1)

    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert isinstance(source.find(["jdoe"])["jdoe"], Found)


def test_logins_are_asked_as_they_are_bound_and_never_as_sql(
    sql_directory: SqlDirectory,
) -> None:
    add(sql_directory, "jdoe")
    logins: Sequence[str] = ["x' OR '1'='1", "x'; DROP TABLE people; --", ":login", "%(login)s"]

    answers = sql_directory.source().find([*logins, "jdoe"])

    assert isinstance(answers["jdoe"], Found)
    assert {login: answers[login] for login in logins} == dict.fromkeys(logins, Absent())
