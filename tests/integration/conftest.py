"""The world in which whole handlers are tested."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy

from tests.contract.ldap_source import LdapDirectory
from tests.integration import admin_site
from tests.integration.world import World
from tests.otobo import seed
from tests.servers import PostgresqlServer, RedisServer, SlapdServer
from worker.tickets import schema


@pytest.fixture
def world(ticket_database: str, redis_server: RedisServer, tmp_path: Path) -> Iterator[World]:
    """A ticket system on each kind of database, an empty Redis, an empty CRM."""
    redis_server.start()
    redis_server.flush()
    made = World(ticket_database, redis_server, tmp_path)
    yield made
    made.close()


@pytest.fixture(scope="session")
def empty_ticket_system(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A SQLite file with the tables and seeds of a ticket system; to be copied."""
    path = tmp_path_factory.mktemp("template") / "tickets.sqlite"
    engine = sqlalchemy.create_engine(f"sqlite:///{path}")
    schema.create_all(engine)
    seed(engine)
    engine.dispose()
    return path


@pytest.fixture
def small_ticket_database(empty_ticket_system: Path, tmp_path: Path) -> str:
    """The URL of a ticket system of one's own in SQLite."""
    return f"sqlite:///{shutil.copy(empty_ticket_system, tmp_path / 'tickets.sqlite')}"


@pytest.fixture
def small_world(
    small_ticket_database: str, redis_server: RedisServer, tmp_path: Path
) -> Iterator[World]:
    """The same with SQLite alone, for what has nothing to do with the kind of database."""
    redis_server.start()
    redis_server.flush()
    made = World(small_ticket_database, redis_server, tmp_path)
    yield made
    made.close()


@pytest.fixture
def site(
    postgresql_server: PostgresqlServer,
    valkey_server: RedisServer,
    slapd: SlapdServer,
    tmp_path: Path,
) -> Iterator[admin_site.Site]:
    """A ticket system with customers, for commands of admins; Emma of the staff is in slapd."""
    valkey_server.start()
    valkey_server.flush()
    url = postgresql_server.create_database()
    staff = LdapDirectory(slapd)
    staff.add_person("emma", "Emma", "Holm", "emma@example.com", "acme")
    made = admin_site.build(tmp_path, url, valkey_server, slapd)
    yield made
    made.engine.dispose()
    staff.close()
    postgresql_server.drop_database(url)
