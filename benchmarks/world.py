"""The world that is measured: a ticket system, customer users in SQL and LDAP, and settings.

As many customer users as tickets, five mapped fields, no cache: every event costs a look-up of
somebody else, and nothing is ever known already.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sqlalchemy import create_engine, func, insert, select, text, update

from tests.otobo import LONG_AGO, WORKER, Otobo, seed
from tests.servers import SlapdServer
from worker import toml
from worker.tickets import schema

FIELDS = (
    "CustomerFirstname",
    "CustomerLastname",
    "CustomerPhone",
    "CustomerCity",
    "CustomerStreet",
)
VARIABLES = ("UserFirstname", "UserLastname", "UserPhone", "UserCity", "UserStreet")
COLUMNS = ("first_name", "last_name", "phone", "city", "street")
ATTRIBUTES = ("givenName", "sn", "telephoneNumber", "l", "street")
PEOPLE = ("people", "people2")

_NUMBERS = """(
    WITH RECURSIVE n(i) AS (
        SELECT CAST(:first AS INTEGER) UNION ALL SELECT i + 1 FROM n WHERE i < :last)
    SELECT i FROM n) AS numbers"""
_STAMPS = "create_time, create_by, change_time, change_by"
_LONG_AGO = f"'{LONG_AGO}', 3, '{LONG_AGO}', 3"
_CUSTOMER_USERS = f"""
INSERT INTO customer_user (login, email, customer_id, {", ".join(COLUMNS)}, valid_id, {_STAMPS})
SELECT 'user' || i, 'user' || i || '@example.com', 'ACME',
       {", ".join(f"'{column}-0-user' || i" for column in COLUMNS)}, 1, {_LONG_AGO} FROM {_NUMBERS}
"""
_TICKETS = f"""
INSERT INTO ticket (id, tn, title, queue_id, ticket_lock_id, type_id, user_id, responsible_user_id,
    ticket_priority_id, ticket_state_id, customer_user_id, timeout, until_time, escalation_time,
    escalation_update_time, escalation_response_time, escalation_solution_time, {_STAMPS})
SELECT i, CAST(2026000000 + i AS VARCHAR(50)), 'a ticket', 1, 1, 1, 1, 1, 3, 1, {{customer_user}},
       0, 0, 0, 0, 0, 0, {_LONG_AGO} FROM {_NUMBERS}
"""
MIXED_PEOPLE = 2_000
_MIXED = f"""
    CASE i % 10 WHEN 0 THEN 'user' || (i % {MIXED_PEOPLE} + 1) WHEN 1 THEN 'ghost' || i END"""
_LINE = f"""
INSERT INTO ticket_history (history_type_id, name, ticket_id, type_id, queue_id, owner_id,
    priority_id, state_id, {_STAMPS})
SELECT {{type_id}}, {{name}}, i, 1, 1, 1, 3, 1, {_LONG_AGO} FROM {_NUMBERS}
"""
_CREATED = _LINE.format(type_id=1, name="'%%' || i")
_CUSTOMER_SET = _LINE.format(type_id=21, name="'%%CustomerID=ACME;CustomerUser=user' || i || ';'")


class TicketSystem:
    """A ticket database full of tickets, each of a customer user of its own."""

    def __init__(self, url: str, tickets: int) -> None:
        self.url = url
        self.engine = create_engine(url)
        schema.create_all(self.engine)
        seed(self.engine)
        otobo = Otobo(url)
        otobo.add_fields(FIELDS)
        otobo.close()
        self.size = 0
        self.grow(tickets)

    def grow(self, tickets: int) -> None:
        """Fill it up to a number of tickets, with nothing in their fields."""
        with self.engine.begin() as connection:
            tickets_ = _TICKETS.format(customer_user="'user' || i")
            for added in (_CUSTOMER_USERS, tickets_, _CREATED, _CUSTOMER_SET):
                connection.execute(text(added), {"first": self.size + 1, "last": tickets})
        self.size = tickets
        self._analyze()

    def grow_mixed(self, tickets: int) -> None:
        """Fill it up to a number of tickets, of which few are anybody's.

        Of ten tickets one is of a customer user, one of somebody whom nobody knows, and eight are
        nobody's.
        """
        with self.engine.begin() as connection:
            for added in (_TICKETS.format(customer_user=_MIXED), _CREATED):
                connection.execute(text(added), {"first": self.size + 1, "last": tickets})
        self.size = tickets
        self._analyze()

    def add_customer_users(self, last: int) -> None:
        """Add customer users without tickets, up to a number."""
        with self.engine.begin() as connection:
            numbers = {"first": self.size + 1, "last": last}
            connection.execute(text(_CUSTOMER_USERS), numbers)
        self._analyze()

    def add_customer(self, customer_id: str) -> None:
        """Add a customer (company)."""
        values = {"customer_id": customer_id, "name": customer_id, "valid_id": 1}
        stamps = {"create_time": LONG_AGO, "create_by": 1, "change_time": LONG_AGO, "change_by": 1}
        with self.engine.begin() as connection:
            connection.execute(insert(schema.customer_company).values(**values, **stamps))

    def fill(self, word: str) -> None:
        """Write the fields of all customer users' tickets, as if a worker had done it long ago."""
        with self.engine.begin() as connection:
            for column, field in zip(COLUMNS, FIELDS, strict=True):
                connection.execute(
                    text(
                        "INSERT INTO dynamic_field_value (field_id, object_id, value_text) "
                        f"SELECT f.id, t.id, '{column}-{word}-' || c.login "
                        "FROM ticket t JOIN customer_user c ON c.login = t.customer_user_id "
                        "CROSS JOIN dynamic_field f WHERE f.name = :field ORDER BY t.id"
                    ),
                    {"field": field},
                )
        self._analyze()

    def change_everybody(self, word: str) -> None:
        """Give every customer user other values in all five columns."""
        table = schema.customer_user
        with self.engine.begin() as connection:
            connection.execute(
                update(table).values({name: f"{name}-{word}-" + table.c.login for name in COLUMNS})
            )
        self._analyze()

    def _analyze(self) -> None:
        """What autovacuum would do within a minute, so that no measurement has it or lacks it."""
        with self.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            postgresql = self.engine.dialect.name == "postgresql"
            connection.execute(text("VACUUM ANALYZE" if postgresql else "ANALYZE"))

    def expect(self, word: str, tickets: int) -> None:
        """Make sure that what was measured was also done, and that nothing stands twice."""
        value = schema.dynamic_field_value.c
        with self.engine.connect() as connection:
            rows = connection.execute(
                select(func.count()).where(value.value_text.contains(f"-{word}-"))
            ).scalar_one()
            tickets_changed = connection.execute(
                select(func.count())
                .select_from(schema.ticket)
                .where(schema.ticket.c.change_by == WORKER)
            ).scalar_one()
        assert rows == tickets * len(FIELDS), (rows, tickets)
        assert tickets_changed >= tickets

    def close(self) -> None:
        self.engine.dispose()


def sql_source() -> dict[str, Any]:
    """The customer users of the ticket database itself, as OTOBO comes."""
    return {
        "kind": "sql",
        "table": "customer_user",
        "customer_key": "login",
        "customer_id": "customer_id",
        "customer_valid": "valid_id",
        "case_sensitive": True,
        "map": {
            "UserLogin": "login",
            "UserEmail": "email",
            "UserCustomerID": "customer_id",
            **dict(zip(VARIABLES, COLUMNS, strict=True)),
        },
    }


def ldap_source(slapd: SlapdServer, unit: str) -> dict[str, Any]:
    """The customer users of one unit of the LDAP server."""
    return {
        "kind": "ldap",
        "host": slapd.uri,
        "base_dn": f"ou={unit},{slapd.base_dn}",
        "customer_key": "uid",
        "customer_id": "o",
        "map": {
            "UserLogin": "uid",
            "UserEmail": "mail",
            "UserCustomerID": "o",
            **dict(zip(VARIABLES, ATTRIBUTES, strict=True)),
        },
    }


def fill(slapd: SlapdServer, people: int, words: Mapping[str, str]) -> None:
    """Put people into units of the LDAP server; each unit has other values.

    Args:
        slapd: a server that has been started once.
        people: how many in each unit.
        words: what tells the values apart, by unit.
    """
    ldif = "\n".join(
        _entry(slapd.base_dn, unit, word, number)
        for unit, word in words.items()
        for number in range(1, people + 1)
    )
    slapd.load(ldif)


def _entry(base_dn: str, unit: str, word: str, number: int) -> str:
    login = f"user{number}"
    values = "\n".join(f"{name}: {name}-{word}-{login}" for name in ATTRIBUTES)
    return (
        f"dn: uid={login},ou={unit},{base_dn}\nobjectClass: inetOrgPerson\nuid: {login}\n"
        f"cn: {login}\nmail: {login}@example.com\no: ACME\n{values}\n"
    )


def settings(
    folder: Path, ticket_url: str, redis_url: str, *sources: Mapping[str, Any], **more: Any
) -> Path:
    """A settings file; everything that is not named has its default."""
    tree = {
        "redis": {"url": redis_url},
        "tickets": {"url": ticket_url},
        "sources": {f"CustomerUser{number or ''}": source for number, source in enumerate(sources)},
        "mapping": {"variables": dict(zip(VARIABLES, FIELDS, strict=True))},
        **more,
    }
    path = folder / "fieldfare.toml"
    path.write_text(toml.dumps(tree))
    path.chmod(0o600)
    return path
