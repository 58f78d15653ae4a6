"""What world do the pages speak of? anna is in the ticket system, emma in LDAP; tickets 4711, 4712.

The ticket system is on PostgreSQL, where Fieldfare's user has the documented rights and no more.
emma stands in slapd twice: as a person of a plain LDAP tree, and as Active Directory shows one.
"""

import shutil
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import sqlalchemy
from sqlalchemy import make_url, text

from tests import forks
from tests.docs import stand_ins
from tests.docs.pages import Block, blocks
from tests.otobo import AGENT, LONG_AGO, WORKER, Otobo, seed
from tests.servers import PostgresqlServer, RedisServer, SlapdServer
from worker.tickets import schema

SQL_USER = "documented"  # the test servers' own superuser is called fieldfare
PASSWORD = "change-me"
READER = ("cn=reader,dc=example,dc=com", "reader-password")

TOOLS = (
    *("awk", "base64", "cat", "chmod", "cut", "date", "env", "grep", "head", "jq", "ldapsearch"),
    *("ls", "mkdir", "openssl", "sed", "sh", "sha256sum", "sort", "tail", "tr", "true", "wc"),
)
"""Real programs that a page may use; what is not here and has no stand-in is not found."""

REDIS_CLI = """\
#!/bin/sh
exec {program} -p {port} "$@"
"""

AD_SCHEMA = """\
attributetype ( 1.2.840.113556.1.4.221 NAME 'sAMAccountName'
  EQUALITY caseIgnoreMatch SYNTAX 1.3.6.1.4.1.1466.115.121.1.15 SINGLE-VALUE )
attributetype ( 1.2.840.113556.1.4.656 NAME 'userPrincipalName'
  EQUALITY caseIgnoreMatch SYNTAX 1.3.6.1.4.1.1466.115.121.1.15 SINGLE-VALUE )
attributetype ( 1.2.840.113556.1.4.8 NAME 'userAccountControl'
  EQUALITY integerMatch SYNTAX 1.3.6.1.4.1.1466.115.121.1.27 SINGLE-VALUE )
attributetype ( 1.2.840.113556.1.4.782 NAME 'objectCategory'
  EQUALITY caseIgnoreMatch SYNTAX 1.3.6.1.4.1.1466.115.121.1.15 SINGLE-VALUE )
attributetype ( 1.2.840.113556.1.2.102 NAME 'memberOf'
  EQUALITY distinguishedNameMatch SYNTAX 1.3.6.1.4.1.1466.115.121.1.12 )
attributetype ( 1.2.840.113556.1.2.141 NAME 'department'
  EQUALITY caseIgnoreMatch SYNTAX 1.3.6.1.4.1.1466.115.121.1.15 SINGLE-VALUE )
attributetype ( 1.2.840.113556.1.2.146 NAME 'company'
  EQUALITY caseIgnoreMatch SYNTAX 1.3.6.1.4.1.1466.115.121.1.15 SINGLE-VALUE )
objectclass ( 1.2.840.113556.1.5.9 NAME 'user' AUXILIARY
  MAY ( sAMAccountName $ userPrincipalName $ userAccountControl $ objectCategory $ memberOf
    $ department $ company $ co ) )
"""
"""What of Active Directory's schema its users are found by, under Microsoft's own numbers."""

EMMA: Mapping[str, object] = {
    "objectClass": "inetOrgPerson",
    "cn": "Emma Falk",
    "givenName": "Emma",
    "sn": "Falk",
    "mail": "emma@example.com",
    "telephoneNumber": "+45 33 3333",
    "mobile": "+45 44 4444",
    "l": "Copenhagen",
    "postalCode": "1050",
    "street": "Kongens Nytorv 1",
    "title": "Buyer",
    "physicalDeliveryOfficeName": "B 12",
}

MONA = "cn=Mona Lund,ou=people,dc=example,dc=com"


ADMINISTERED = (schema.customer_user, schema.customer_company, schema.customer_user_customer)
"""Tables that pages have commands write to."""


class DocumentedSlapd(SlapdServer):
    """slapd with the people of the pages, and enough of Active Directory's schema."""

    def __init__(self) -> None:
        super().__init__()
        (self.directory / "ad.schema").write_text(AD_SCHEMA)
        configuration = self.directory / "slapd.conf"
        last = "include /etc/ldap/schema/inetorgperson.schema\n"
        with_ad = f"{last}include {self.directory}/ad.schema\n"
        configuration.write_text(configuration.read_text().replace(last, with_ad))

    def fill(self) -> None:
        dn, password = READER
        self.add(dn, {"objectClass": "person", "cn": "reader", "sn": "-", "userPassword": password})
        self.add(MONA, {"objectClass": "inetOrgPerson", "cn": "Mona Lund", "sn": "Lund"})
        person = {
            "uid": "emma",
            "o": "Example",
            "departmentNumber": "Purchasing",
            "roomNumber": "B 12",
            "manager": MONA,
        }
        self.add("uid=emma,ou=people,dc=example,dc=com", {**EMMA, **person})
        self.add("ou=Staff,dc=example,dc=com", {"objectClass": "organizationalUnit", "ou": "Staff"})
        for name, control in (("emma", 512), ("gone", 514)):
            user = {
                "objectClass": ["inetOrgPerson", "user"],
                "cn": f"{name} {control}",
                "sAMAccountName": name,
                "userPrincipalName": f"{name}@example.com",
                "userAccountControl": control,
                "objectCategory": "person",
                "memberOf": "cn=Customers,ou=groups,dc=example,dc=com",
                "department": "Purchasing",
                "company": "Example",
                "co": "Denmark",
                "manager": MONA,
            }
            self.add(f"cn={name} {control},ou=Staff,dc=example,dc=com", {**EMMA, **user})


@dataclass(frozen=True, slots=True)
class World:
    """Everything that a page can be followed in.

    Attributes:
        programs: the only folder on the PATH of the shells that follow a page.
        otobo: the ticket system at work.
        ticket_url: its database, for the user with the documented rights; the password is
            ``change-me``, as on the page.
        granted: the blocks that gave these rights.
    """

    folder: Path
    programs: Path
    otobo: Otobo
    ticket_url: str
    granted: tuple[Block, ...]
    redis: RedisServer
    slapd: DocumentedSlapd

    def rehosted(self, script: str) -> str:
        """A script with our servers in place of those that the pages name."""
        plain, tls = self.slapd.ports
        places = {
            "redis://127.0.0.1:6379": f"redis://127.0.0.1:{self.redis.port}",
            "redis://redis.example.org:6379": f"redis://127.0.0.1:{self.redis.port}",
            "ldap.example.org:636": f"127.0.0.1:{tls}",
            "ldap.example.org:389": f"127.0.0.1:{plain}",
            "-verify_hostname ldap.example.org": "-verify_hostname localhost",
            "/etc/fieldfare/ldap-ca.pem": self.slapd.ca_file,
            "ldaps://ldap.example.org": f"ldaps://127.0.0.1:{tls}",
            "ldap://ldap.example.org": f"ldap://127.0.0.1:{plain}",
            "/opt/fieldfare/bin/": "",
            ".venv/bin/": "",
        }
        for named, ours in places.items():
            script = script.replace(named, ours)
        return script

    def begin_anew(self) -> None:
        """Empty Redis, and take back what a worker wrote into tickets, and what an admin added."""
        self.redis.start()
        self.redis.flush()
        line = schema.ticket_history
        with self.otobo.engine.begin() as connection:
            connection.execute(sqlalchemy.delete(schema.dynamic_field_value))
            connection.execute(sqlalchemy.delete(line).where(line.c.create_by == WORKER))
            for table in ADMINISTERED:
                connection.execute(sqlalchemy.delete(table).where(table.c.create_by == WORKER))

    def add_fields(self, names: set[str]) -> None:
        """Text fields of tickets, where they are not there yet."""
        with self.otobo.engine.connect() as connection:
            there = connection.execute(sqlalchemy.select(schema.dynamic_field.c.name)).scalars()
            missing = sorted(names - set(there))
        self.otobo.add_fields(missing)


@contextmanager
def world(folder: Path, postgresql: PostgresqlServer, redis: RedisServer) -> Iterator[World]:
    """Set it up: servers, people, tickets, and the programs that pages may call."""
    with ExitStack() as stack:
        redis.start()
        slapd = stack.enter_context(DocumentedSlapd())
        slapd.fill()
        owner_url = postgresql.create_database()
        stack.callback(postgresql.drop_database, owner_url)
        otobo, granted = _ticket_system(owner_url)
        stack.callback(_drop_user, owner_url)
        stack.callback(otobo.close)
        bare = make_url(owner_url).set(username=SQL_USER, password=None)
        programs = stack.enter_context(
            forks.programs(folder, "tests.docs.forked_cli:run", ["fieldfare", *stand_ins.CHECKS])
        )
        for tool in TOOLS:
            if found := shutil.which(tool):
                (programs / tool).symlink_to(found)
        redis_cli = programs / "redis-cli"
        redis_cli.write_text(REDIS_CLI.format(program=shutil.which("redis-cli"), port=redis.port))
        redis_cli.chmod(0o755)
        yield World(folder, programs, otobo, bare.render_as_string(), granted, redis, slapd)


def is_for_postgresql(block: Block) -> bool:
    """Whether SQL is PostgreSQL's; MariaDB's users have a host."""
    return "'@'" not in block.text


def _ticket_system(url: str) -> tuple[Otobo, tuple[Block, ...]]:
    engine = sqlalchemy.create_engine(url)
    schema.create_all(engine)
    seed(engine)
    rights = filter(is_for_postgresql, blocks("sql"))
    granted = tuple(sorted(rights, key=lambda block: "CREATE ROLE" not in block.text))
    with engine.begin() as connection:
        for block in granted:
            statements = block.text.replace("fieldfare", SQL_USER)
            connection.exec_driver_sql(statements.replace("%", "%%"))
        for statement in (
            "ticket_id_seq RESTART WITH 4711",
            "ticket_history_id_seq RESTART WITH 9",
        ):
            connection.execute(text(f"ALTER SEQUENCE {statement}"))
    stamps = {"create_time": LONG_AGO, "create_by": 1, "change_time": LONG_AGO, "change_by": 1}
    anna = {
        "login": "anna",
        "first_name": "Anna",
        "last_name": "Berg",
        "email": "anna@example.com",
        "customer_id": "acme",
        "phone": "+49 30 1111",
        "mobile": "+49 170 1111",
        "street": "Unter den Linden 1",
        "zip": "10117",
        "city": "Berlin",
        "country": "DE",
        "comments": "A customer",
        "valid_id": 1,
    }
    company = {"customer_id": "acme", "name": "Acme Ltd", "city": "Berlin", "valid_id": 1}
    language = {"preferences_key": "UserLanguage", "preferences_value": "de"}
    with engine.begin() as connection:
        connection.execute(sqlalchemy.insert(schema.customer_user), [anna | stamps])
        connection.execute(sqlalchemy.insert(schema.customer_company), [company | stamps])
        connection.execute(
            sqlalchemy.insert(schema.customer_preferences), [language | {"user_id": "anna"}]
        )
    engine.dispose()
    otobo = Otobo(url)
    for login, customer_id in (("anna", "acme"), ("emma", "Example")):
        ticket = otobo.create_ticket(login, customer_id, user_id=AGENT)
        otobo.add_article(ticket, "PhoneCallCustomer", user_id=AGENT)
    return otobo, granted


def _drop_user(url: str) -> None:
    engine = sqlalchemy.create_engine(url)
    with engine.begin() as connection:
        connection.exec_driver_sql(f"DROP OWNED BY {SQL_USER}; DROP ROLE {SQL_USER}")
    engine.dispose()
