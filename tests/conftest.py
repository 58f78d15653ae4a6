"""What every test can ask for: real servers, started when first asked for, stopped at the end."""

import logging
import os
import signal
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import hypothesis
import pytest
import sqlalchemy
import structlog

# Before anything else is imported: the settings of the machine are none of the tests' business.
for _name in [name for name in os.environ if name.startswith("FIELDFARE_")]:
    del os.environ[_name]
# Nor are the authorities that it trusts. PyMySQL has OpenSSL read them all for each connection,
# which costs 60 ms of CPU.
os.environ |= {"SSL_CERT_FILE": os.devnull, "SSL_CERT_DIR": os.devnull}
# A shell has what it starts in the background ignore Ctrl-C, which some tests press.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

from tests import servers  # noqa: E402 - see above
from tests.faults.figures import PROPERTY  # noqa: E402


@sqlalchemy.event.listens_for(sqlalchemy.Engine, "connect")
def _trust_the_machine(connection: object, _: object) -> None:
    """A test's data need not survive the machine, so SQLite need not wait for the disk."""
    if isinstance(connection, sqlite3.Connection):
        connection.execute("PRAGMA synchronous = OFF")


# How fast an example is made or tested says something about the machine, nothing about the code.
hypothesis.settings.register_profile(
    "fieldfare",
    deadline=None,
    suppress_health_check=[hypothesis.HealthCheck.too_slow],
)
hypothesis.settings.load_profile("fieldfare")


def pytest_addoption(parser: pytest.Parser) -> None:
    """The form of tests/faults, and where its figures are kept."""
    group = parser.getgroup("faults")
    group.addoption(
        "--faults", choices=["short", "long"], default="short", help="numbers of tests/faults"
    )
    group.addoption(
        "--fault-results", metavar="FOLDER", help="where figures are kept; a temporary folder"
    )


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print what the faults have measured, in whichever process that was."""
    told = [
        str(value)
        for reports in terminalreporter.stats.values()
        for report in reports
        if getattr(report, "when", "") == "call"
        for name, value in report.user_properties
        if name == PROPERTY
    ]
    if told:
        terminalreporter.section("faults")
        for line in sorted(told, key=lambda line: line[0]):
            terminalreporter.write_line(line)


@pytest.fixture(autouse=True)
def _logging_of_its_own() -> Iterator[None]:
    """A command in the test's process sets up logging, to a stream that is closed after it."""
    yield
    if structlog.is_configured():
        structlog.reset_defaults()
        root = logging.getLogger()
        root.handlers = [one for one in root.handlers if type(one) is not logging.StreamHandler]
        root.setLevel(logging.WARNING)


@pytest.fixture(scope="session")
def redis_server() -> Iterator[servers.RedisServer]:
    """Debian's Redis."""
    with servers.redis_server() as server:
        yield server


@pytest.fixture(scope="session")
def valkey_server() -> Iterator[servers.RedisServer]:
    """The Valkey of the extra ``embedded``."""
    with servers.valkey_server() as server:
        yield server


@pytest.fixture(scope="session")
def postgresql_server() -> Iterator[servers.PostgresqlServer]:
    """PostgreSQL; ask for ``create_database()``."""
    with servers.PostgresqlServer() as server:
        yield server


@pytest.fixture(scope="session")
def mariadb_server() -> Iterator[servers.MariadbServer]:
    """MariaDB; ask for ``create_database()``."""
    with servers.MariadbServer() as server:
        yield server


@pytest.fixture(scope="session")
def slapd_server() -> Iterator[servers.SlapdServer]:
    """OpenLDAP, with what earlier tests left in it; most tests want ``slapd``."""
    with servers.SlapdServer() as server:
        yield server


@pytest.fixture(params=["redis", "valkey"])
def broker(request: pytest.FixtureRequest) -> servers.RedisServer:
    """An empty Redis, then an empty Valkey."""
    server: servers.RedisServer = request.getfixturevalue(f"{request.param}_server")
    server.start()
    server.flush()
    return server


@pytest.fixture
def slapd(slapd_server: servers.SlapdServer) -> servers.SlapdServer:
    """OpenLDAP with nothing but the empty units, running and awake."""
    server = slapd_server
    server.start()
    server.thaw()
    server.clear()
    return server


DATABASES = ("sqlite", "postgresql", "mariadb")


@pytest.fixture(params=DATABASES)
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The URL of an empty database, on each kind of database server."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'database.sqlite'}"
        return
    server: servers.PostgresqlServer | servers.MariadbServer = request.getfixturevalue(
        f"{request.param}_server"
    )
    url = server.create_database()
    yield url
    server.drop_database(url)


@pytest.fixture(params=DATABASES)
def ticket_database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The URL of a database with OTOBO's tables and the seed rows of ``tests.otobo``."""
    from tests import otobo  # noqa: PLC0415 - tests of other things need not import the schema

    if request.param == "sqlite":
        url = f"sqlite:///{tmp_path / 'database.sqlite'}"
        otobo.install(url)
        yield url
        return
    server: servers.PostgresqlServer | servers.MariadbServer = request.getfixturevalue(
        f"{request.param}_server"
    )
    url = server.create_database(otobo.install)
    yield url
    server.drop_database(url)
