"""Which SQLAlchemy URL does a database's configuration mean? Its ``url``, or OTOBO's ``DSN``.

``DBI:Pg:dbname=customers;host=db.example.org`` and its like are understood for PostgreSQL, MySQL,
MariaDB, SQLite, Oracle and ODBC; user and password stand beside them, as in ``Kernel/Config.pm``.
"""

import importlib.util
from collections.abc import Mapping

from sqlalchemy import URL, make_url
from sqlalchemy.exc import ArgumentError

from directory.config import DatabaseConfig
from directory.database_tls import TlsOptionError, secured

DRIVERS: Mapping[str, str] = {
    "postgresql": "postgresql+psycopg",
    "postgres": "postgresql+psycopg",
    "mysql": "mysql+pymysql",
    "mariadb": "mysql+pymysql",
    "mariadb+pymysql": "mysql+pymysql",
    "sqlite": "sqlite",
    "oracle": "oracle+oracledb",
    "mssql": "mssql+pyodbc",
}
"""Which driver speaks for a URL that names only the kind of database."""

BEHIND_ODBC: Mapping[str, str] = {"mssql": "mssql+pyodbc", "mysql": "mysql+pyodbc"}
"""The kinds of database (OTOBO's ``Type``) that can be asked through ODBC."""

PACKAGES: Mapping[str, str] = {"pyodbc": "pyodbc", "oracledb": "oracledb"}
"""Drivers that are not installed with Fieldfare, and the package that brings them."""

SERVER_PARTS = frozenset(
    {"dbname", "database", "db", "host", "hostname", "hostaddr", "port", "user", "password"}
)
"""Parts of a DSN that name the server, the database and who asks."""

MYSQL_TLS: Mapping[str, str] = {
    "ssl_ca_file": "ssl_ca",
    "ssl_ca_path": "ssl_capath",
    "ssl_client_cert": "ssl_cert",
    "ssl_client_key": "ssl_key",
    "ssl_cipher": "ssl_cipher",
}
"""PyMySQL's names for the TLS options of DBD::mysql and DBD::MariaDB, without their prefixes."""

DSN_FORM = "DBI:Pg:dbname=customers;host=db.example.org;port=5432"


class DsnError(ValueError):
    """A database's address cannot be understood.

    Attributes:
        problem: what is wrong and what would be right, without passwords.
    """

    def __init__(self, problem: str) -> None:
        super().__init__(problem)
        self.problem = problem


def database_url(config: DatabaseConfig) -> URL:
    """The URL of a database that has an address of its own.

    Raises:
        DsnError: the address cannot be understood, or its driver is not installed.
    """
    if config.url is not None:
        url = _from_url(config.url.get_secret_value())
    else:
        url = _from_dsn(config.dsn or "", (config.type or "").lower())
    if config.user is not None and url.username is None:
        url = url.set(username=config.user)
    if config.password is not None and url.password is None:
        url = url.set(password=config.password.get_secret_value())
    try:
        secured(url)
    except TlsOptionError as error:
        raise DsnError(f"the address asks for TLS, and {error}") from None
    driver = url.drivername.partition("+")[2]
    if driver in PACKAGES and importlib.util.find_spec(driver) is None:
        raise DsnError(
            f"{url.drivername} needs the Python package {PACKAGES[driver]}, "
            "which is not installed beside Fieldfare"
        )
    return url


def _from_url(text: str) -> URL:
    try:
        url = make_url(text)
    except (ArgumentError, ValueError):
        # The text may hold a password, so it is not repeated.
        raise DsnError(
            "the url is not an SQLAlchemy URL; right: "
            "postgresql+psycopg://reader@db.example.org/customers"
        ) from None
    return url.set(drivername=DRIVERS.get(url.drivername, url.drivername))


def _from_dsn(dsn: str, behind_odbc: str) -> URL:
    scheme, _, rest = dsn.partition(":")
    driver, _, address = rest.partition(":")
    if scheme.lower() != "dbi" or not driver:
        raise DsnError(f"the DSN does not begin with DBI and a driver; right: {DSN_FORM}")
    match driver.lower():
        case "pg" | "pgpp":
            parts = _parts(address)
            # Whatever else libpq knows, as DBD::Pg hands it on: sslmode, sslcert, service …
            return _server_url("postgresql+psycopg", parts, {**parts})
        case "mysql" | "mariadb":
            parts = _parts(address)
            return _server_url("mysql+pymysql", parts, _mysql_options(parts))
        case "sqlite":
            parts = _parts(address)
            return URL.create("sqlite", database=parts.get("dbname", parts.get("database")))
        case "oracle":
            return _oracle_url(address)
        case "odbc":
            return _odbc_url(address, behind_odbc)
        case _:
            raise DsnError(
                f"DBI:{driver} is not known; there are DBI:Pg, DBI:mysql, DBI:MariaDB, "
                "DBI:SQLite, DBI:ODBC and DBI:Oracle"
            )


def _parts(address: str) -> dict[str, str]:
    """``database=customers;host=db`` taken apart; a bare name is the database's."""
    parts: dict[str, str] = {}
    for item in filter(None, (piece.strip() for piece in address.split(";"))):
        key, equals, value = item.partition("=")
        if equals:
            parts[key.strip().lower()] = value.strip()
        else:
            parts.setdefault("database", item)
    return parts


def _server_url(drivername: str, parts: dict[str, str], options: dict[str, str]) -> URL:
    """The URL of a server; ``options`` are what the driver is told besides."""
    named = {key: parts.get(key) for key in SERVER_PARTS}
    if parts.get("password"):
        raise DsnError("the DSN holds a password, which would be shown; it stands in Password")
    return URL.create(
        drivername,
        username=named["user"],
        host=named["host"] or named["hostname"] or named["hostaddr"],
        port=_port(parts),
        database=named["dbname"] or named["database"] or named["db"],
        query={key: value for key, value in options.items() if key not in SERVER_PARTS},
    )


def _mysql_options(parts: Mapping[str, str]) -> dict[str, str]:
    """Socket and TLS. Other options of DBD::mysql are about Perl's side of the connection."""
    given = {
        key.partition("_")[2]: value
        for key, value in parts.items()
        if key.startswith(("mysql_", "mariadb_"))
    }
    options = {theirs: given[key] for key, theirs in MYSQL_TLS.items() if key in given}
    if given.get("ssl", "0") != "0" and not {"ssl_ca", "ssl_capath"} & set(options):
        # Encrypted, and nobody's certificate checked, as there: no authority is named.
        options["ssl_check_hostname"] = "false"
    if "socket" in given:
        options["unix_socket"] = given["socket"]
    return options


def _oracle_url(address: str) -> URL:
    """``//host:port/service``, or ``host=…;sid=…;port=…``."""
    if address.startswith("//"):
        try:
            given = make_url(f"oracle+oracledb:{address}")
        except (ArgumentError, ValueError):
            raise DsnError(
                "the address of the DSN cannot be read; right: DBI:Oracle://db.example.org:1521/sales"
            ) from None
        query = {"service_name": given.database or ""}
        return URL.create("oracle+oracledb", host=given.host, port=given.port, query=query)
    parts = _parts(address)
    url = URL.create("oracle+oracledb", host=parts.get("host"), port=_port(parts))
    if "service_name" in parts:
        return url.set(query={"service_name": parts["service_name"]})
    return url.set(database=parts.get("sid", parts.get("database")))


def _odbc_url(address: str, kind: str) -> URL:
    if kind not in BEHIND_ODBC:
        raise DsnError(
            f"a DBI:ODBC address needs Type = {' or '.join(sorted(BEHIND_ODBC))}; reach "
            "PostgreSQL with DBI:Pg and Oracle with DBI:Oracle"
        )
    parts = _parts(address)
    return URL.create(BEHIND_ODBC[kind], host=parts.get("dsn", parts.get("database")))


def _port(parts: Mapping[str, str]) -> int | None:
    text = parts.get("port")
    if text is None:
        return None
    if not text.isdecimal():
        raise DsnError(f"the port of the DSN is not a number; right: {DSN_FORM}")
    return int(text)
