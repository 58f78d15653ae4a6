"""The world that is measured: a ticket system, customer users in SQL and LDAP, and settings.

As many customer users as tickets, five mapped fields, no cache: every event costs a look-up of
somebody else, and nothing is ever known already.
"""

from collections.abc import Iterator, Mapping, Sequence
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

NEW_TICKET, CUSTOMER_UPDATE = 1, 21
"""Ids of history types, see ``worker.demo.ticket_system``."""


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
        """Fill it up to a number of tickets."""
        wanted = range(self.size + 1, tickets + 1)
        for part in _parts(wanted, 5000):
            with self.engine.begin() as connection:
                connection.execute(insert(schema.customer_user), [_customer_user(i) for i in part])
                connection.execute(insert(schema.ticket), [_ticket(i) for i in part])
                connection.execute(
                    insert(schema.ticket_history), [line for i in part for line in _lines(i)]
                )
        self.size = tickets
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
    folder: Path, ticket_url: str, redis_url: str, source: Mapping[str, Any], **more: Any
) -> Path:
    """A settings file; everything that is not named has its default."""
    tree = {
        "redis": {"url": redis_url},
        "tickets": {"url": ticket_url},
        "sources": {"CustomerUser": source},
        "mapping": {"variables": dict(zip(VARIABLES, FIELDS, strict=True))},
        **more,
    }
    path = folder / "fieldfare.toml"
    path.write_text(toml.dumps(tree))
    path.chmod(0o600)
    return path


def _parts(numbers: range, size: int) -> Iterator[Sequence[int]]:
    for start in range(0, len(numbers), size):
        yield numbers[start : start + size]


def _customer_user(number: int) -> dict[str, Any]:
    return {
        "login": f"user{number}",
        "email": f"user{number}@example.com",
        "customer_id": "ACME",
        **{column: f"{column}-0-user{number}" for column in COLUMNS},
        "valid_id": 1,
        **_stamps(1),
    }


def _ticket(number: int) -> dict[str, Any]:
    return {
        "id": number,
        "tn": str(2026_000_000 + number),
        "title": "a ticket",
        "queue_id": 1,
        "ticket_lock_id": 1,
        "type_id": 1,
        "user_id": 1,
        "responsible_user_id": 1,
        "ticket_priority_id": 3,
        "ticket_state_id": 1,
        "customer_user_id": f"user{number}",
        "timeout": 0,
        "until_time": 0,
        "escalation_time": 0,
        "escalation_update_time": 0,
        "escalation_response_time": 0,
        "escalation_solution_time": 0,
        **_stamps(3),
    }


def _lines(number: int) -> list[dict[str, Any]]:
    common = {
        "ticket_id": number,
        "type_id": 1,
        "queue_id": 1,
        "owner_id": 1,
        "priority_id": 3,
        "state_id": 1,
        **_stamps(3),
    }
    customer = f"%%CustomerID=ACME;CustomerUser=user{number};"
    return [
        {"history_type_id": NEW_TICKET, "name": f"%%{number}", **common},
        {"history_type_id": CUSTOMER_UPDATE, "name": customer, **common},
    ]


def _stamps(user: int) -> dict[str, Any]:
    return {
        "create_time": LONG_AGO,
        "create_by": user,
        "change_time": LONG_AGO,
        "change_by": user,
    }
