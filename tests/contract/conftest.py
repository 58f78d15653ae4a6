"""Where the contract suites find their customer users."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.contract.customer_users import World
from tests.contract.sql_source import SqlDirectory


@pytest.fixture
def sql_directory(
    database_url: str, request: pytest.FixtureRequest, tmp_path: Path
) -> Iterator[SqlDirectory]:
    """The table ``people`` on SQLite, PostgreSQL and MariaDB."""
    kind = database_url.partition(":")[0].partition("+")[0].replace("mysql", "mariadb")
    server = None if kind == "sqlite" else request.getfixturevalue(f"{kind}_server")
    directory = SqlDirectory(database_url, server, tmp_path)
    yield directory
    directory.close()


@pytest.fixture
def world(ticket_database: str) -> Iterator[World]:
    """A ticket system's customer users on SQLite, PostgreSQL and MariaDB."""
    world = World(ticket_database)
    yield world
    world.close()


@pytest.fixture
def elsewhere(
    world: World, request: pytest.FixtureRequest, tmp_path: Path
) -> Iterator[SqlDirectory]:
    """The table ``people`` beside that ticket system, on the same kind of server."""
    kind = {"mysql": "mariadb"}.get(world.engine.dialect.name, world.engine.dialect.name)
    server = None if kind == "sqlite" else request.getfixturevalue(f"{kind}_server")
    url = f"sqlite:///{tmp_path / 'elsewhere.sqlite'}" if server is None else world.url
    directory = SqlDirectory(url, server, tmp_path)
    yield directory
    directory.close()
