"""The servers of the other tests: each starts, stops, and starts again with its data."""

import contextlib
import os
import socket
import ssl
from collections.abc import Callable, Iterator

import ldap3
import pytest
import redis
import sqlalchemy
from ldap3.core.exceptions import LDAPSocketReceiveError

from tests import servers
from tests.servers import MariadbServer as Mariadb
from tests.servers import PostgresqlServer as Postgresql
from tests.servers import RedisServer as Redis
from tests.servers import SlapdServer as Slapd
from tests.servers.process import find_program


def execute(url: str, *statements: str) -> list[tuple[object, ...]]:
    """Run statements in one transaction; the rows of the last one."""
    engine = sqlalchemy.create_engine(url, poolclass=sqlalchemy.NullPool)
    with engine.begin() as connection:
        for statement in statements:
            result = connection.execute(sqlalchemy.text(statement))
        return [tuple(row) for row in result] if result.returns_rows else []


@contextlib.contextmanager
def bound(server: Slapd) -> Iterator[ldap3.Connection]:
    """An anonymous connection that waits at most a second for an answer."""
    connection = ldap3.Connection(
        ldap3.Server(server.uri, get_info=ldap3.NONE, connect_timeout=5),
        client_strategy=ldap3.SAFE_SYNC,
        receive_timeout=1,
        auto_bind=True,
    )
    try:
        yield connection
    finally:
        connection.unbind()


def refused(port: int) -> bool:
    with socket.socket() as client:
        return client.connect_ex(("127.0.0.1", port)) != 0


def names_below_base(server: Slapd) -> set[str]:
    with bound(server) as connection:
        _, result, entries, _ = connection.search(server.base_dn, "(objectClass=*)", ldap3.SUBTREE)
        assert result["description"] == "success"
        return {entry["dn"] for entry in entries}


EMPTY_DIRECTORY = {
    "dc=example,dc=com",
    "ou=people,dc=example,dc=com",
    "ou=people2,dc=example,dc=com",
    "ou=groups,dc=example,dc=com",
}


def test_a_broker_is_empty_and_never_evicts(broker: Redis) -> None:
    with broker.client() as client:
        assert client.dbsize() == 0
        assert client.config_get("maxmemory-policy") == {"maxmemory-policy": "noeviction"}
        assert client.config_get("appendonly") == {"appendonly": "yes"}


@pytest.mark.parametrize("end", [Redis.stop, Redis.kill])
def test_a_broker_keeps_what_it_accepted(broker: Redis, end: Callable[[Redis], None]) -> None:
    with broker.client() as client:
        client.xadd("fieldfare:events", {"type": "ticket.created", "ticket_id": "4711"})
    url, pid = broker.url, broker.pid

    end(broker)
    assert refused(broker.port)
    broker.start()

    with redis.Redis.from_url(url, decode_responses=True) as client:
        ((_, fields),) = client.xrange("fieldfare:events")
    assert fields == {"type": "ticket.created", "ticket_id": "4711"}
    assert broker.pid != pid


def test_a_database_is_fresh_and_holds_any_text(database_url: str) -> None:
    text = "Ä€🐦"
    execute(database_url, "CREATE TABLE bird (name VARCHAR(20))")
    execute(database_url, f"INSERT INTO bird (name) VALUES ('{text}')")

    assert execute(database_url, "SELECT name FROM bird") == [(text,)]


@pytest.mark.parametrize("name", ["postgresql_server", "mariadb_server"])
def test_a_database_server_keeps_its_data_and_its_port(
    name: str, request: pytest.FixtureRequest
) -> None:
    server = request.getfixturevalue(name)
    url = server.create_database()
    execute(url, "CREATE TABLE bird (id INT)", "INSERT INTO bird VALUES (7)")

    server.stop()
    assert refused(server.port)
    server.start()

    assert execute(url, "SELECT id FROM bird") == [(7,)]
    server.drop_database(url)
    with pytest.raises(sqlalchemy.exc.OperationalError):
        execute(url, "SELECT id FROM bird")


@pytest.mark.parametrize("name", ["postgresql_server", "mariadb_server"])
def test_a_database_is_dropped_from_under_an_open_transaction(
    name: str, request: pytest.FixtureRequest
) -> None:
    server = request.getfixturevalue(name)
    url = server.create_database()
    execute(url, "CREATE TABLE bird (id INT)", "INSERT INTO bird VALUES (7)")
    engine = sqlalchemy.create_engine(url, poolclass=sqlalchemy.NullPool)
    connection = engine.connect()
    connection.execute(sqlalchemy.text("SELECT id FROM bird"))

    server.drop_database(url)

    with pytest.raises(sqlalchemy.exc.OperationalError):
        connection.execute(sqlalchemy.text("SELECT id FROM bird"))
    connection.close()


@pytest.mark.parametrize("name", ["postgresql_server", "mariadb_server"])
def test_a_wrong_password_is_refused(name: str, request: pytest.FixtureRequest) -> None:
    server = request.getfixturevalue(name)
    url = server.create_database()
    wrong = sqlalchemy.make_url(url).set(password="wrong")

    with pytest.raises(sqlalchemy.exc.OperationalError):
        execute(wrong.render_as_string(hide_password=False), "SELECT 1")
    server.drop_database(url)


def test_mariadb_compares_text_as_debian_sets_it(mariadb_server: Mariadb) -> None:
    url = mariadb_server.create_database()
    ((collation,),) = execute(url, "SELECT @@collation_database")
    mariadb_server.drop_database(url)

    assert collation == "utf8mb4_general_ci"


def test_postgresql_stops_although_a_client_stays(
    postgresql_server: Postgresql,
) -> None:
    url = postgresql_server.create_database()
    engine = sqlalchemy.create_engine(url, poolclass=sqlalchemy.NullPool)
    connection = engine.connect()

    postgresql_server.stop()
    postgresql_server.start()

    with pytest.raises(sqlalchemy.exc.OperationalError):
        connection.execute(sqlalchemy.text("SELECT 1"))
    connection.close()
    postgresql_server.drop_database(url)


def test_slapd_keeps_its_entries_until_it_is_cleared(slapd: Slapd) -> None:
    person = f"uid=anna,ou=people,{slapd.base_dn}"
    slapd.add(
        person,
        {"objectClass": "inetOrgPerson", "uid": "anna", "cn": "Anna Berg", "sn": "Berg"},
    )

    slapd.stop()
    assert refused(slapd.port)
    slapd.start()

    assert names_below_base(slapd) == EMPTY_DIRECTORY | {person}
    slapd.clear()
    assert names_below_base(slapd) == EMPTY_DIRECTORY


def test_slapd_says_why_it_refuses_an_entry(slapd: Slapd) -> None:
    with pytest.raises(servers.ServerFailed, match="objectClassViolation"):
        slapd.add(f"uid=anna,ou=people,{slapd.base_dn}", {"objectClass": "inetOrgPerson"})


def test_a_frozen_slapd_answers_nobody_until_it_is_thawed(slapd: Slapd) -> None:
    with bound(slapd) as connection:
        slapd.freeze()
        with pytest.raises(LDAPSocketReceiveError):
            connection.search(slapd.base_dn, "(objectClass=*)", ldap3.BASE)
        slapd.thaw()
    assert names_below_base(slapd) == EMPTY_DIRECTORY


def test_a_frozen_slapd_can_be_stopped(slapd: Slapd) -> None:
    slapd.freeze()
    slapd.stop()
    slapd.start()
    assert names_below_base(slapd) == EMPTY_DIRECTORY


@pytest.mark.parametrize("way", ["ldaps", "start_tls"])
@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_slapd_proves_who_it_is(slapd: Slapd, way: str, host: str) -> None:
    tls = ldap3.Tls(validate=ssl.CERT_REQUIRED, ca_certs_file=slapd.ca_file)
    uri = slapd.ldaps_uri if way == "ldaps" else slapd.uri
    server = ldap3.Server(uri.replace("127.0.0.1", host), tls=tls, get_info=ldap3.NONE)
    auto_bind = ldap3.AUTO_BIND_NO_TLS if way == "ldaps" else ldap3.AUTO_BIND_TLS_BEFORE_BIND

    connection = ldap3.Connection(server, slapd.admin_dn, slapd.admin_password, auto_bind=auto_bind)

    assert connection.extend.standard.who_am_i() == f"dn:{slapd.admin_dn}"
    connection.unbind()


def test_servers_listen_on_loopback_only(
    redis_server: Redis,
    postgresql_server: Postgresql,
    mariadb_server: Mariadb,
    slapd: Slapd,
) -> None:
    for port in (redis_server.port, postgresql_server.port, mariadb_server.port, *slapd.ports):
        with socket.socket() as client:
            # A listener on every address would answer on any other loopback address as well.
            assert client.connect_ex(("127.0.0.2", port)) != 0


def test_nobody_else_is_given_the_port_of_a_stopped_server(
    redis_server: Redis,
) -> None:
    redis_server.stop()
    with socket.socket() as other, pytest.raises(OSError, match="in use"):
        other.bind(("127.0.0.1", redis_server.port))
    redis_server.start()


def test_a_server_that_ends_by_itself_shows_its_log() -> None:
    server = Redis("not-redis", find_program("false", "coreutils"))
    (server.directory / "log").write_text("the last words\n")

    with pytest.raises(servers.ServerFailed, match="not-redis ended by itself: the last words"):
        server.__enter__()

    assert not server.directory.exists()


def test_a_closed_server_leaves_nothing_behind() -> None:
    with servers.valkey_server() as server:
        pid = server.pid
    assert not server.directory.exists()
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def test_a_missing_program_is_named_with_its_package() -> None:
    with pytest.raises(servers.MissingServer, match="package is some-package"):
        find_program("no-such-program", "some-package")
