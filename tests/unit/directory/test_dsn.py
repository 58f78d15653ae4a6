"""OTOBO's DSNs and SQLAlchemy's URLs name the same databases."""

import importlib.util

import pytest

from directory.config import DatabaseConfig
from directory.dsn import DsnError, database_url


def url_of(**settings: object) -> str:
    config = DatabaseConfig.model_validate({"Table": "t", **settings})
    return database_url(config).render_as_string(hide_password=False)


@pytest.mark.parametrize(
    ("dsn", "url"),
    [
        ("DBI:Pg:dbname=cust;host=db;port=5433", "postgresql+psycopg://u:p%40@db:5433/cust"),
        ("dbi:pg:database=cust;host=db", "postgresql+psycopg://u:p%40@db/cust"),
        (
            "DBI:Pg:dbname=cust;host=db;sslmode=require",
            "postgresql+psycopg://u:p%40@db/cust?sslmode=require",
        ),
        (
            "DBI:Pg:service=cust;sslmode=verify-full;sslcert=/etc/me.pem",
            "postgresql+psycopg://u:p%40@?service=cust&sslcert=%2Fetc%2Fme.pem&sslmode=verify-full",
        ),
        ("DBI:mysql:database=cust;host=db", "mysql+pymysql://u:p%40@db/cust"),
        ("DBI:mysql:cust;mysql_enable_utf8=1;mysql_ssl=0", "mysql+pymysql://u:p%40@/cust"),
        (
            "DBI:mysql:cust;host=db;mysql_ssl=1",
            "mysql+pymysql://u:p%40@db/cust?ssl_check_hostname=false",
        ),
        (
            "DBI:MariaDB:cust;host=db;mariadb_ssl=1;mariadb_ssl_ca_file=/etc/ca.pem",
            "mysql+pymysql://u:p%40@db/cust?ssl_ca=%2Fetc%2Fca.pem",
        ),
        ("DBI:MariaDB:database=cust;host=db;port=3307", "mysql+pymysql://u:p%40@db:3307/cust"),
        ("DBI:mysql:cust", "mysql+pymysql://u:p%40@/cust"),
        (
            "DBI:mysql:database=cust;mysql_socket=/run/mysqld.sock",
            "mysql+pymysql://u:p%40@/cust?unix_socket=%2Frun%2Fmysqld.sock",
        ),
    ],
)
def test_a_dsn_names_server_and_database_beside_user_and_password(dsn: str, url: str) -> None:
    assert url_of(DSN=dsn, User="u", Password="p@") == url


def test_a_user_in_the_dsn_goes_before_the_one_beside_it() -> None:
    assert url_of(DSN="DBI:Pg:dbname=cust;user=me", User="u") == "postgresql+psycopg://me@/cust"


def test_a_password_in_the_dsn_is_refused_and_not_repeated() -> None:
    with pytest.raises(DsnError, match="it stands in Password") as caught:
        url_of(DSN="DBI:Pg:dbname=cust;password=hunter2")

    assert "hunter2" not in str(caught.value)


def test_a_dsn_of_sqlite_names_a_file() -> None:
    assert url_of(DSN="DBI:SQLite:dbname=/var/lib/cust.db") == "sqlite:////var/lib/cust.db"


@pytest.mark.parametrize(
    ("given", "url"),
    [
        ("postgresql://u@db/cust", "postgresql+psycopg://u:secret@db/cust"),
        ("mysql://u:own@db/cust", "mysql+pymysql://u:own@db/cust"),
        ("mariadb://u@db/cust", "mysql+pymysql://u:secret@db/cust"),
        ("postgresql+psycopg://u@db/cust", "postgresql+psycopg://u:secret@db/cust"),
    ],
)
def test_a_url_gets_the_driver_and_the_password_that_it_lacks(given: str, url: str) -> None:
    assert url_of(url=given, password="secret") == url


@pytest.mark.parametrize(
    ("dsn", "says"),
    [
        ("DBI:Sybase:server=x", "DBI:Sybase is not known"),
        ("Pg:dbname=x", "does not begin with DBI"),
        ("DBI:Pg:dbname=x;port=fivethousand", "the port of the DSN is not a number"),
        ("DBI:ODBC:mydsn", "needs Type = mssql or mysql"),
        ("DBI:Oracle://db:hunter2/sales", "the address of the DSN cannot be read"),
    ],
)
def test_a_dsn_that_cannot_be_understood_is_answered_with_what_is_right(
    dsn: str, says: str
) -> None:
    with pytest.raises(DsnError, match=says):
        url_of(DSN=dsn)


@pytest.mark.parametrize("url", ["postgresql:/u:hunter2@db", "postgresql://u@db:hunter2/cust"])
def test_a_broken_url_is_not_repeated_because_it_may_hold_a_password(url: str) -> None:
    with pytest.raises(DsnError) as caught:
        url_of(url=url)

    assert "hunter2" not in str(caught.value)
    assert caught.value.__cause__ is None


OPTIONAL = [
    ({"DSN": "DBI:ODBC:mydsn", "Type": "mssql"}, "pyodbc", "mssql+pyodbc://mydsn"),
    ({"DSN": "DBI:ODBC:dsn=mydsn", "Type": "MySQL"}, "pyodbc", "mysql+pyodbc://mydsn"),
    (
        {"DSN": "DBI:Oracle://db:1521/sales"},
        "oracledb",
        "oracle+oracledb://db:1521?service_name=sales",
    ),
    (
        {"DSN": "DBI:Oracle:host=db;port=1521;sid=ORCL"},
        "oracledb",
        "oracle+oracledb://db:1521/ORCL",
    ),
    (
        {"DSN": "DBI:Oracle:host=db;service_name=sales"},
        "oracledb",
        "oracle+oracledb://db?service_name=sales",
    ),
]


@pytest.mark.parametrize(("settings", "package", "url"), OPTIONAL)
def test_a_driver_that_is_not_installed_is_named(
    settings: dict[str, str], package: str, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", {}.get)

    with pytest.raises(DsnError, match=f"needs the Python package {package}, which is not"):
        url_of(**settings)


@pytest.mark.parametrize(("settings", "package", "url"), OPTIONAL)
def test_with_its_driver_installed_a_database_of_another_kind_has_a_url(
    settings: dict[str, str], package: str, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", {package: "there"}.get)

    assert url_of(**settings) == url
