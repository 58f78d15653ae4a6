"""The world in which whole handlers are tested."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.world import World
from tests.servers import RedisServer


@pytest.fixture
def world(ticket_database: str, redis_server: RedisServer, tmp_path: Path) -> Iterator[World]:
    """A ticket system on each kind of database, an empty Redis, an empty CRM."""
    redis_server.start()
    redis_server.flush()
    made = World(ticket_database, redis_server, tmp_path)
    yield made
    made.close()
