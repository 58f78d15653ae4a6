"""TLS with real servers: the right certificate passes, and no other. LDAP has tests of its own."""

from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import kombu
import pytest
import redis
import sqlalchemy
from sqlalchemy.engine import URL, make_url

from directory.database import Database, DatabaseFault, open_database
from directory.database_tls import Protection, TlsOptionError, protection, secured
from tests.contract.sql_source import no_ticket_engine, sql_config
from tests.duties import IDLE
from tests.servers import MariadbServer, PostgresqlServer
from tests.servers.certificates import write_certificates
from tests.servers.redis import RedisServer, TlsRedisServer
from worker import admin, admin_queue, app, broker
from worker.broker import impatient
from worker.inbox import connect
from worker.tickets.engine import reason, ticket_engine
from worker.tickets.store import TicketDatabaseMisfit

IS_ENCRYPTED = {
    "postgresql": "SELECT ssl::text FROM pg_stat_ssl WHERE pid = pg_backend_pid()",
    "mysql": "SELECT IF(variable_value = '', 'false', 'true') FROM "
    "information_schema.session_status WHERE variable_name = 'Ssl_cipher'",
}


@pytest.fixture(scope="module")
def tls_postgresql() -> Iterator[PostgresqlServer]:
    with PostgresqlServer(tls=True) as server:
        yield server


@pytest.fixture(scope="module")
def tls_mariadb() -> Iterator[MariadbServer]:
    with MariadbServer(tls=True) as server:
        yield server


@pytest.fixture(scope="module")
def tls_redis() -> Iterator[TlsRedisServer]:
    with TlsRedisServer() as server:
        yield server


@pytest.fixture(scope="module")
def other_ca(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An authority that signed nobody's certificate."""
    return write_certificates(tmp_path_factory.mktemp("other"))[0]


@pytest.fixture(scope="module", params=["postgresql", "mysql"])
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def server(kind: str, request: pytest.FixtureRequest) -> PostgresqlServer | MariadbServer:
    """It speaks TLS to those who want it; its certificate is for localhost."""
    name = "tls_postgresql" if kind == "postgresql" else "tls_mariadb"
    found: PostgresqlServer | MariadbServer = request.getfixturevalue(name)
    return found


@pytest.fixture(scope="module")
def tls_url(server: PostgresqlServer | MariadbServer) -> URL:
    return make_url(server.create_database()).set(host="localhost")


@pytest.fixture
def plain_url(kind: str, request: pytest.FixtureRequest) -> URL:
    """A server that speaks no TLS."""
    name = "postgresql_server" if kind == "postgresql" else "mariadb_server"
    return make_url(request.getfixturevalue(name).create_database()).set(host="localhost")


def with_ca(url: URL, ca_file: Path) -> URL:
    """As the documentation says."""
    if url.get_backend_name() == "postgresql":
        return url.update_query_dict({"sslmode": "verify-full", "sslrootcert": str(ca_file)})
    return url.update_query_dict({"ssl_ca": str(ca_file)})


def by_source(url: URL) -> bool:
    """Whether a source's connection is encrypted.

    Raises:
        ConnectionError: with what an operator reads.
    """
    text = url.render_as_string(hide_password=False)
    database: Database = open_database(sql_config(url=text, timeout=20), no_ticket_engine)
    statement = IS_ENCRYPTED[url.get_backend_name()]
    try:
        with closing(database):
            found: str = database.ask(
                lambda connection: connection.exec_driver_sql(statement).scalar_one(),
                database.deadline(),
            )
    except DatabaseFault as fault:
        raise ConnectionError(fault.reason) from None
    return found == "true"


def by_tickets(url: URL) -> bool:
    """The same of the ticket database's connection."""
    engine = ticket_engine(url)
    statement = IS_ENCRYPTED[url.get_backend_name()]
    try:
        with engine.connect() as connection:
            return bool(connection.exec_driver_sql(statement).scalar_one() == "true")
    except sqlalchemy.exc.SQLAlchemyError as error:
        raise ConnectionError(reason(error)) from None
    finally:
        engine.dispose()


@pytest.fixture(params=[by_source, by_tickets])
def ask(request: pytest.FixtureRequest) -> Callable[[URL], bool]:
    made: Callable[[URL], bool] = request.param
    return made


def test_a_server_with_the_right_certificate_is_asked_through_tls(
    ask: Callable[[URL], bool], tls_url: URL, server: PostgresqlServer | MariadbServer
) -> None:
    assert ask(with_ca(tls_url, server.ca_file))


def test_a_certificate_of_another_authority_is_refused_and_said(
    ask: Callable[[URL], bool], tls_url: URL, other_ca: Path
) -> None:
    with pytest.raises(ConnectionError, match="certificate verify failed") as caught:
        ask(with_ca(tls_url, other_ca))

    assert str(tls_url.password) not in str(caught.value)


def test_a_certificate_for_another_name_is_refused_and_said(
    ask: Callable[[URL], bool], tls_url: URL, server: PostgresqlServer | MariadbServer
) -> None:
    elsewhere = with_ca(tls_url.set(host="127.0.0.1"), server.ca_file)

    with pytest.raises(ConnectionError, match=r"certificate (verify failed|for)"):
        ask(elsewhere)


def test_a_server_without_tls_is_refused_where_tls_is_demanded(
    ask: Callable[[URL], bool], plain_url: URL, other_ca: Path
) -> None:
    assert not ask(plain_url), "this server speaks no TLS"

    with pytest.raises(ConnectionError, match=r"support SSL|doesn't support it"):
        ask(with_ca(plain_url, other_ca))


def test_a_ca_file_alone_is_enough_to_demand_everything(
    ask: Callable[[URL], bool], tls_url: URL, server: PostgresqlServer | MariadbServer
) -> None:
    key = "sslrootcert" if tls_url.get_backend_name() == "postgresql" else "ssl_ca"

    assert ask(tls_url.update_query_dict({key: str(server.ca_file)}))
    with pytest.raises(ConnectionError):
        ask(tls_url.set(host="127.0.0.1").update_query_dict({key: str(server.ca_file)}))


def test_a_missing_ca_file_is_said(ask: Callable[[URL], bool], tls_url: URL) -> None:
    with pytest.raises(ConnectionError, match=r"does not exist|the files for TLS cannot be read"):
        ask(with_ca(tls_url, Path("/no/such/ca.pem")))


@pytest.mark.parametrize(
    "options",
    [
        # PyMySQL takes each of these, and forgets the file or the name.
        {"ssl_verify_identity": "true"},
        {"ssl_verify_cert": "true"},
        {"ssl_check_hostname": "true"},
        {"ssl_disabled": "false"},
    ],
)
def test_no_option_beside_the_ca_file_undoes_it(
    ask: Callable[[URL], bool], tls_mariadb: MariadbServer, options: dict[str, str], other_ca: Path
) -> None:
    url = make_url(tls_mariadb.create_database()).set(host="localhost").update_query_dict(options)

    assert ask(with_ca(url, tls_mariadb.ca_file))
    with pytest.raises(ConnectionError, match="certificate verify failed"):
        ask(with_ca(url, other_ca))
    with pytest.raises(ConnectionError, match="certificate verify failed"):
        ask(with_ca(url.set(host="127.0.0.1"), tls_mariadb.ca_file))


def test_without_a_ca_file_the_authorities_of_the_system_count(
    ask: Callable[[URL], bool], tls_mariadb: MariadbServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = make_url(tls_mariadb.create_database()).set(host="localhost")
    demanding = url.update_query_dict({"ssl": "true"})

    with pytest.raises(ConnectionError, match="certificate verify failed"):
        ask(demanding)
    monkeypatch.setenv("SSL_CERT_FILE", str(tls_mariadb.ca_file))
    assert ask(demanding)
    with pytest.raises(ConnectionError, match="certificate verify failed"):
        ask(demanding.set(host="127.0.0.1"))


def test_who_says_so_is_encrypted_without_a_certificate_that_counts(
    ask: Callable[[URL], bool], tls_mariadb: MariadbServer, plain_url: URL
) -> None:
    unchecked = {"ssl_check_hostname": "false"}

    assert ask(make_url(tls_mariadb.create_database()).update_query_dict(unchecked))
    if plain_url.get_backend_name() == "mysql":
        with pytest.raises(ConnectionError, match="doesn't support it"):
            ask(plain_url.update_query_dict(unchecked))


@pytest.mark.parametrize(
    ("url", "demanded"),
    [
        ("postgresql://db/x", Protection.NONE),
        ("postgresql://db/x?sslmode=prefer", Protection.NONE),
        ("postgresql://db/x?sslmode=require", Protection.ENCRYPTED),
        ("postgresql://db/x?sslmode=verify-ca&sslrootcert=/ca", Protection.ENCRYPTED),
        ("postgresql://db/x?sslrootcert=/ca", Protection.CHECKED),
        ("mysql+pymysql://db/x?charset=utf8mb4", Protection.NONE),
        ("mysql+pymysql://db/x?ssl=true", Protection.CHECKED),
        ("mysql+pymysql://db/x?ssl=false&ssl_ca=/ca", Protection.NONE),
        ("mysql+pymysql://db/x?ssl_disabled=1&ssl_ca=/ca", Protection.NONE),
        ("mysql+pymysql://db/x?ssl_ca=/ca", Protection.CHECKED),
        ("mysql+pymysql://db/x?ssl_cert=/me&ssl_key=/key", Protection.CHECKED),
        ("mysql+pymysql://db/x?ssl_ca=/ca&ssl_check_hostname=false", Protection.ENCRYPTED),
        ("mysql+pymysql://db/x?ssl_ca=/ca&ssl_verify_cert=false", Protection.ENCRYPTED),
        ("mysql+pymysql://db/x?ssl_check_hostname=false", Protection.ENCRYPTED),
        ("sqlite:///x", Protection.NONE),
    ],
)
def test_what_a_url_demands(url: str, demanded: Protection) -> None:
    assert protection(make_url(url)) is demanded


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("postgresql://db/x?sslmode=verify", "sslmode cannot be verify"),
        ("mysql+pymysql://db/x?ssl_mode=REQUIRED", "ssl_mode is not known"),
        ("mysql+pymysql://db/x?ssl_ca=/ca&ssl_verify_cert=perhaps", "must be true or false"),
    ],
)
def test_an_option_that_cannot_be_understood_is_refused(url: str, says: str) -> None:
    with pytest.raises(TlsOptionError, match=says):
        secured(make_url(url))
    with pytest.raises(TicketDatabaseMisfit, match=says):
        ticket_engine(url)


# -- Redis


def by_celery(url: str) -> bool:
    """The connection by which a worker takes messages."""
    application = app.make_app(lambda: app.configure(url, 60), IDLE)
    try:
        with application.connection_for_read() as connection:
            return bool(connection.default_channel.client.ping())
    finally:
        application.close()


def by_bell(url: str) -> bool:
    """The connection by which a bell is rung."""
    application = broker.Application("it", set_as_current=False)
    application.conf.update(app.configure(url, 60))
    try:
        with application.connection_for_write() as connection:
            return bool(connection.default_channel.client.ping())
    finally:
        application.close()


def by_answers(url: str) -> bool:
    """The connection by which an admin worker answers."""
    application = admin.make_app(
        lambda: admin_queue.configure(url), lambda: pytest.fail("nobody looks up")
    )
    try:
        return bool(application.backend.client.ping())
    finally:
        application.close()


def by_inbox(url: str) -> bool:
    with connect(url) as client:
        return bool(client.ping())


def by_commands(url: str) -> bool:
    with impatient(url, "fieldfare-test") as client:
        return bool(client.ping())


FAILURES = (redis.ConnectionError, kombu.exceptions.OperationalError)
REDIS_CLIENTS = [by_celery, by_bell, by_answers, by_inbox, by_commands]


def test_redis_is_asked_through_tls_and_only_with_the_right_certificate(
    tls_redis: TlsRedisServer, other_ca: Path
) -> None:
    assert by_commands(tls_redis.url)

    bare = f"rediss://localhost:{tls_redis.port}/0"
    elsewhere = tls_redis.url.replace("localhost", "127.0.0.1")
    for wrong in (f"{bare}?ssl_ca_certs={other_ca}", elsewhere, bare):
        with pytest.raises(redis.ConnectionError, match="CERTIFICATE_VERIFY_FAILED"):
            by_commands(wrong)


@pytest.mark.parametrize("ping", REDIS_CLIENTS)
def test_each_connection_to_redis_checks_the_certificate_also_without_a_ca_file(
    ping: Callable[[str], bool], tls_redis: TlsRedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    bare = f"rediss://localhost:{tls_redis.port}/0"

    assert ping(tls_redis.url)
    monkeypatch.setenv("SSL_CERT_FILE", str(tls_redis.ca_file))
    assert ping(bare)
    with pytest.raises(FAILURES, match="CERTIFICATE_VERIFY_FAILED"):
        ping(bare.replace("localhost", "127.0.0.1"))


def test_a_redis_without_tls_is_not_spoken_with_where_tls_is_demanded(
    redis_server: RedisServer, other_ca: Path
) -> None:
    url = f"rediss://localhost:{redis_server.port}/0?ssl_ca_certs={other_ca}"

    # It waits for the end of a line that the greeting of TLS does not have.
    with impatient(url, "fieldfare-test", 1.0) as client, pytest.raises(redis.TimeoutError):
        client.ping()
