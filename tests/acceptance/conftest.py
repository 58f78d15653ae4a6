"""An installation: a ticket system in a database, people in slapd and in a CRM, a Redis."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import redis
import sqlalchemy

from tests import otobo, servers
from tests.acceptance.processes import Cli, Printed, environment
from tests.acceptance.secrecy import leaks, leaks_in_redis
from tests.contract.ldap_source import LdapDirectory
from tests.contract.sql_source import SqlDirectory
from tests.forks import Forks

FIELDS = ("CustomerMail", "CustomerName", "CustomerPhone")

SETTINGS = """\
[tickets]
url = "{tickets}"
user = "{user}"
password = "{password}"
statement_timeout = 60
lock_timeout = 60

[redis]
url = "{redis}"

[inbox]
claim_seconds = 2
renew_seconds = 0.5

[CustomerUser]
Name = "CRM"
Module = "Kernel::System::CustomerUser::DB"
CustomerKey = "login"
CustomerID = "customer_id"
url = "{crm}"
Params = {{ Table = "people", ForeignDB = 1 }}
Map = {{ UserLogin = "login", UserFirstname = "first_name", UserLastname = "last_name", \
UserEmail = "email", UserPhone = "phone" }}

[CustomerUser1]
Name = "Staff"
Module = "Kernel::System::CustomerUser::LDAP"
CustomerKey = "uid"
CustomerID = "o"
timeout = {timeout}
Map = {{ UserLogin = "uid", UserFirstname = "givenName", UserLastname = "sn", \
UserEmail = "mail", UserPhone = "telephoneNumber" }}
[CustomerUser1.Params]
Host = "{ldap}"
BaseDN = "ou=people,{base}"
UserDN = "{admin}"
UserPw = "{admin_password}"

["DynamicFieldFromCustomerUser::Mapping"]
UserEmail = "CustomerMail"
UserPhone = "CustomerPhone"

[[mapping.rules]]
from = "{{UserFirstname}} {{UserLastname}}"
to = "CustomerName"

["Ticket::Frontend::AgentTicketPhone###DynamicField"]
CustomerPhone = 1
"""


class Installation:
    """Servers with something in them, and a settings file for them.

    Attributes:
        people: logins of customer users in slapd, whose values all begin with ``VALUE-``.
    """

    def __init__(
        self,
        folder: Path,
        ticket_url: str,
        redis: servers.RedisServer,
        slapd: servers.SlapdServer,
    ) -> None:
        self.folder = folder
        self.redis = redis
        self.slapd = slapd
        self.ticket_url = ticket_url
        self.otobo = otobo.Otobo(ticket_url)
        self.otobo.add_fields(FIELDS)
        self.crm = SqlDirectory(f"sqlite:///{folder / 'crm.sqlite'}", None, folder)
        self.ldap = LdapDirectory(slapd)
        self.people = tuple(f"user{number}" for number in range(10))
        for login in self.people:
            self.ldap.add_person(
                login,
                "VALUE-First",
                login.replace("user", "VALUE-Last"),
                f"VALUE-{login}@example.com",
                "ACME",
                login.replace("user", "VALUE-"),
            )
        self.crm.add_person("anna", "VALUE-Anna", "VALUE-Berg", "VALUE-a@b.c", "ACME", "VALUE-42")
        self.config = folder / "fieldfare.toml"
        self.write_settings()

    def write_settings(self, timeout: float = 2.0) -> None:
        url = sqlalchemy.make_url(self.ticket_url)
        bare = url.set(username=None, password=None).render_as_string()
        self.config.write_text(
            SETTINGS.format(
                tickets=bare,
                user=url.username,
                password=url.password,
                redis=self.redis.url,
                crm=self.crm.url,
                ldap=self.slapd.uri,
                base=self.slapd.base_dn,
                admin=self.slapd.admin_dn,
                admin_password=self.slapd.admin_password,
                timeout=timeout,
            )
        )

    def expected(self, login: str) -> dict[str, list[object]]:
        """The fields of a ticket of one of ``people``."""
        number = login.removeprefix("user")
        return {
            "CustomerMail": [f"VALUE-{login}@example.com"],
            "CustomerName": [f"VALUE-First VALUE-Last{number}"],
            "CustomerPhone": [f"VALUE-{number}"],
        }

    def close(self) -> None:
        self.crm.close()
        self.ldap.close()
        self.otobo.close()


@pytest.fixture(scope="session")
def forks(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Forks]:
    """A command line with everything imported, of which commands are forked."""
    made = Forks(tmp_path_factory.mktemp("forks"), environment())
    yield made
    made.close()


@pytest.fixture(scope="session")
def printed() -> Iterator[list[Printed]]:
    """What all processes printed; it is searched for secrets when the last test is over."""
    collected: list[Printed] = []
    yield collected
    assert list(leaks(collected)) == []


@pytest.fixture
def cli(forks: Forks, tmp_path: Path, printed: list[Printed]) -> Iterator[Callable[..., Cli]]:
    """Makes command lines; what they started and still runs is killed in the end."""
    made: list[Cli] = []

    def make(config: Path | None = None, **variables: str) -> Cli:
        made.append(Cli(forks, tmp_path, config, **variables))
        return made[-1]

    yield make
    for one in made:
        one.close()
    printed.extend(line for one in made for line in one.everything())


@pytest.fixture
def ticket_server(
    request: pytest.FixtureRequest,
) -> servers.PostgresqlServer | servers.MariadbServer:
    """What the ticket system is on: PostgreSQL, or what a test is parametrised with."""
    kind = getattr(request, "param", "postgresql")
    server: servers.PostgresqlServer | servers.MariadbServer
    server = request.getfixturevalue(f"{kind}_server")
    return server


@pytest.fixture
def installation(
    ticket_server: servers.PostgresqlServer | servers.MariadbServer,
    redis_server: servers.RedisServer,
    slapd: servers.SlapdServer,
    tmp_path: Path,
) -> Iterator[Installation]:
    redis_server.start()
    redis_server.flush()
    url = ticket_server.create_database(otobo.install)
    made = Installation(tmp_path, url, redis_server, slapd)
    yield made
    made.close()
    ticket_server.drop_database(url)
    if redis_server.running:
        with redis.Redis.from_url(redis_server.url_of_all) as client:
            assert list(leaks_in_redis(client)) == []


@pytest.fixture
def fieldfare(installation: Installation, cli: Callable[..., Cli]) -> Cli:
    """The command line of the installation."""
    return cli(installation.config)
