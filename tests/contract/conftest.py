"""Where the contract suites find their customer users."""

from collections.abc import Iterator
from pathlib import Path

import pytest

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
