"""A ticket system with customers and customer users, for commands of admins to work on.

OTOBO's own tables on PostgreSQL, which can be written to, and people in slapd, who cannot.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import sqlalchemy
from sqlalchemy import Engine, insert
from typer.testing import CliRunner, Result

from tests import otobo, servers
from worker import cli
from worker.tickets import schema

SECRET = "throw-away-of-an-admin"

STAMPS = {
    "create_time": otobo.LONG_AGO,
    "create_by": 1,
    "change_time": otobo.LONG_AGO,
    "change_by": 1,
}

SETTINGS = """\
[tickets]
url = "{tickets}"

[redis]
url = "{redis}"

[CustomerUser]
Name = "OTOBO"
Module = "Kernel::System::CustomerUser::DB"
CustomerKey = "login"
CustomerID = "customer_id"
CustomerValid = "valid_id"
CustomerUserListFields = ["first_name", "last_name", "email"]
CustomerUserSearchFields = ["login", "first_name", "last_name", "customer_id"]
CustomerUserEmailUniqCheck = 1
CustomerCompanySupport = 1
bcrypt_cost = 9
Params = {{ Table = "customer_user" }}
Selections = {{ UserTitle = {{ "Mr." = "Mr.", "Mrs." = "Mrs.", "Dr." = "Doctor" }} }}
Map = [
    ["UserTitle", "Title or salutation", "title", 1, 1, "var", "", 0],
    ["UserFirstname", "Firstname", "first_name", 1, 1, "var", "", 0],
    ["UserLastname", "Lastname", "last_name", 1, 1, "var", "", 0],
    ["UserLogin", "Username", "login", 1, 1, "var", "", 0],
    ["UserPassword", "Password", "pw", 0, 0, "var", "", 0],
    ["UserEmail", "Email", "email", 1, 1, "var", "", 0],
    ["UserCustomerID", "CustomerID", "customer_id", 0, 1, "var", "", 0],
    ["UserPhone", "Phone", "phone", 1, 0, "var", "", 0],
    ["UserCity", "City", "city", 1, 0, "var", "", 0],
    ["ValidID", "Valid", "valid_id", 0, 1, "int", "", 0],
]

[CustomerUser1]
Name = "Staff"
Module = "Kernel::System::CustomerUser::LDAP"
CustomerKey = "uid"
CustomerID = "o"
Map = {{ UserLogin = "uid", UserFirstname = "givenName", UserEmail = "mail", \
UserCustomerID = "o" }}
[CustomerUser1.Params]
Host = "{ldap}"
BaseDN = "ou=people,{base}"
UserDN = "{admin}"
UserPw = "{password}"

[CustomerCompany]
"""

ANNA: Mapping[str, Any] = {
    "login": "anna",
    "email": "anna@example.com",
    "customer_id": "acme",
    "pw": "unreadable",
    "title": "Dr.",
    "first_name": "Anna",
    "last_name": "Berg",
    "phone": "+49 30 1",
    "valid_id": 1,
}


@dataclass(frozen=True, slots=True)
class Site:
    """The ticket system, and a command line for it.

    Attributes:
        engine: of the ticket database.
        settings: the settings file.
    """

    engine: Engine
    settings: Path

    def __call__(self, *arguments: str, exit_code: int = 0, stdin: str = "") -> Result:
        """Run a command in this process; it acts directly."""
        variables = {"FIELDFARE_CONFIG": str(self.settings), "COLUMNS": "120"}
        words = [*arguments, "--local"]
        done = CliRunner().invoke(cli.app, words, env=variables, input=stdin)
        assert done.exit_code == exit_code, done.output
        assert SECRET not in done.output
        return done

    def row(self, login: str) -> dict[str, Any]:
        """What is stored of a customer user."""
        table = schema.customer_user
        statement = sqlalchemy.select(table).where(table.c.login == login)
        with self.engine.connect() as connection:
            return dict(connection.execute(statement).mappings().one())


def build(folder: Path, url: str, redis: servers.RedisServer, slapd: servers.SlapdServer) -> Site:
    """Make it, in a ticket system as it is installed: the customers acme and beta, and Anna."""
    engine = sqlalchemy.create_engine(url)
    with engine.begin() as connection:
        for customer_id, name in (("acme", "Acme Ltd"), ("beta", "Beta & Söhne")):
            values = {"customer_id": customer_id, "name": name, "valid_id": 1, **STAMPS}
            connection.execute(insert(schema.customer_company).values(values))
        connection.execute(insert(schema.customer_user).values({**ANNA, **STAMPS}))
    settings = folder / "fieldfare.toml"
    settings.write_text(
        SETTINGS.format(
            tickets=url,
            redis=redis.url,
            ldap=slapd.uri,
            base=slapd.base_dn,
            admin=slapd.admin_dn,
            password=slapd.admin_password,
        )
    )
    return Site(engine, settings)
