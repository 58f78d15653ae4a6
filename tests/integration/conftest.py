"""The world in which whole handlers are tested."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import otobo
from tests.contract.ldap_source import LdapDirectory
from tests.integration import admin_site
from tests.integration.world import World
from tests.servers import PostgresqlServer, RedisServer, SlapdServer


@pytest.fixture
def world(ticket_database: str, redis_server: RedisServer, tmp_path: Path) -> Iterator[World]:
    """A ticket system on each kind of database, an empty Redis, an empty CRM."""
    redis_server.start()
    redis_server.flush()
    made = World(ticket_database, redis_server, tmp_path)
    yield made
    made.close()


@pytest.fixture
def small_ticket_database(tmp_path: Path) -> str:
    """The URL of a ticket system of one's own in SQLite."""
    url = f"sqlite:///{tmp_path / 'tickets.sqlite'}"
    otobo.install(url)
    return url


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
    url = postgresql_server.create_database(otobo.install)
    staff = LdapDirectory(slapd)
    staff.add_person("emma", "Emma", "Holm", "emma@example.com", "acme")
    made = admin_site.build(tmp_path, url, valkey_server, slapd)
    yield made
    made.engine.dispose()
    staff.close()
    postgresql_server.drop_database(url)
