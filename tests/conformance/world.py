"""The world of a case: the ticket system's database, an external one, an LDAP tree, Redis.

The servers run for all cases; before each case everything in them is emptied, and then filled
with what the case's directory holds.
"""

import base64
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import ldap3
import sqlalchemy
from sqlalchemy import Engine, column, insert, text

from tests import servers
from tests.conformance.ports import Ports
from tests.conformance.recordings import Case, Json
from tests.otobo import LONG_AGO, Otobo, seed
from worker.tickets import schema

DATABASE_PORT = 55432
LDAP_PORT = 50389
"""Ports of the recording's servers."""

ROLE = "otobo"
"""User and password of the recording's databases."""

LDAP_PASSWORD = "secret"
"""The password of the recording's LDAP administrator."""

EXTERNAL = "extcust"
TICKETS = "otobo"
"""Names of the recording's databases."""

CHANGES_NO_TABLE = frozenset({"insert", "update", "delete", "select"})
"""What a statement begins with that leaves the tables as they are."""

BETWEEN_STEPS = timedelta(minutes=1)
"""So that a worker tells the requests apart, as those of a day's work."""

_ROWS = {
    "customer_user": {"valid_id": 1},
    "customer_company": {"valid_id": 1},
    "customer_preferences": None,
    "customer_user_customer": {},
}
_STAMPS = {"create_time": LONG_AGO, "create_by": 1, "change_time": LONG_AGO, "change_by": 1}
_PORT_IN_TEXT = re.compile(r"(?<=port=)\d+|(?<=:)\d{2,5}(?=/|;|$)")
_VALUE_COLUMNS = {"Checkbox": "value_int", "Date": "value_date", "DateTime": "value_date"}


@dataclass(frozen=True, slots=True)
class Servers:
    """The servers; with MariaDB, the ticket system's database stands there."""

    postgresql: servers.PostgresqlServer
    slapd: servers.SlapdServer
    redis: servers.RedisServer
    mariadb: servers.MariadbServer | None = None


class Clock:
    """The ticket system's clock, which runs from step to step: a day's work in a second."""

    def __init__(self) -> None:
        self.now = datetime.now(UTC).replace(microsecond=0) - timedelta(days=1)

    def __call__(self) -> datetime:
        return self.now

    def tick(self) -> None:
        """Let time pass until the next request."""
        self.now += BETWEEN_STEPS


class World:
    """One ticket system with its directory, emptied for each case."""

    def __init__(self, running: Servers) -> None:
        self.servers = running
        self._made: list[tuple[servers.PostgresqlServer | servers.MariadbServer, str]] = []
        self._server_ports = {
            DATABASE_PORT: running.postgresql.port,
            LDAP_PORT: running.slapd.port,
        }
        self.ports = Ports(self._server_ports)
        self.ticket_url = self._database(TICKETS)
        self.external_url = self._database(EXTERNAL, external=True)
        self.external: Engine = sqlalchemy.create_engine(
            self.external_url, isolation_level="AUTOCOMMIT"
        )
        self.clock = Clock()
        self.otobo = Otobo(self.ticket_url, self.clock)
        self.database = "mariadb" if running.mariadb else "postgresql"
        self._tables_changed = False
        schema.create_all(self.otobo.engine)

    def close(self) -> None:
        """Leave the servers as they were."""
        self.ports.close()
        self.otobo.close()
        self.external.dispose()
        for server, url in self._made:
            server.drop_database(url)

    # -- before a case

    def reset(self, case: Case) -> None:
        """Empty everything, and fill it with a case's directory and fields."""
        self.ports.close()
        self.ports = Ports(self._server_ports)
        self.servers.redis.flush()
        self._empty_tickets()
        with self.external.connect() as connection:
            connection.execute(text("DROP SCHEMA public CASCADE"))
            connection.execute(text("CREATE SCHEMA public"))
        seed(self.otobo.engine)
        for definition in case.config.get("dynamic_fields") or []:
            self.otobo.add_field(
                definition["Name"],
                definition["FieldType"],
                definition.get("Config") or {},
                object_type=definition.get("ObjectType") or "Ticket",
                valid_id=definition.get("ValidID") or 1,
                internal=bool(definition.get("InternalField")),
            )
        self._fill(case.directory)

    def _empty_tickets(self) -> None:
        engine = self.otobo.engine
        if self._tables_changed:
            with engine.connect() as connection:
                found = sqlalchemy.MetaData()
                found.reflect(connection)
                found.drop_all(connection)
            schema.create_all(engine)
            self._tables_changed = False
            return
        tables = [table.name for table in reversed(schema.metadata.sorted_tables)]
        with engine.connect() as connection:
            if engine.dialect.name == "postgresql":
                connection.execute(text(f"TRUNCATE {', '.join(tables)} RESTART IDENTITY CASCADE"))
            else:
                for name in tables:
                    connection.execute(text(f"DELETE FROM {name}"))

    def _fill(self, directory: Json) -> None:
        for table in directory.get("tables") or []:
            self.sql(table["ddl"], table.get("database"))
            self._insert(self._engine(table.get("database")), table["table"], table["rows"])
        for name, defaults in _ROWS.items():
            stamps = {} if defaults is None else {**_STAMPS, **defaults}
            rows = [{**stamps, **row} for row in directory.get(name) or []]
            self._insert(self.otobo.engine, name, rows)
        for value in directory.get("customer_user_dynamic_fields") or []:
            self._customer_user_field(value["field"], value["login"], value["value"])
        entries = directory.get("ldap") or []
        self.servers.slapd.clear()
        for entry in entries:
            self.servers.slapd.add(entry["dn"], attributes(entry["attrs"]))

    def _insert(self, engine: Engine, name: str, rows: Iterable[Json]) -> None:
        with engine.connect() as connection:
            for row in rows:
                table = sqlalchemy.table(name, *map(column, row))
                connection.execute(insert(table).values(_values(row)))

    def _customer_user_field(self, field: str, login: str, value: Any) -> None:
        """A value of a dynamic field of a customer user."""
        names = schema.dynamic_field_obj_id_name
        definition = self.otobo.field(field)
        with self.otobo.engine.connect() as connection:
            known = connection.execute(
                sqlalchemy.select(names.c.object_id, names.c.object_name).where(
                    names.c.object_name == login, names.c.object_type == "CustomerUser"
                )
            ).all()
            # MariaDB finds other spellings, too.
            ids = [object_id for object_id, name in known if name == login]
            if not ids:
                values = {"object_name": login, "object_type": "CustomerUser"}
                key = connection.execute(insert(names).values(values)).inserted_primary_key
                ids = [key[0]] if key else []
        where = _VALUE_COLUMNS.get(definition.field_type, "value_text")
        items = value if isinstance(value, list) else [value]
        for item in (item for item in items if item not in (None, "")):
            self.otobo.insert_value(ids[0], field, **{where: _column_value(where, item)})

    # -- during a case

    def sql(self, statement: str, database: str | None = None) -> None:
        """Run a statement in the ticket system's database, or in the external one."""
        if database != EXTERNAL and statement.split(maxsplit=1)[0].lower() not in CHANGES_NO_TABLE:
            self._tables_changed = True
        with self._engine(database).connect() as connection:
            connection.exec_driver_sql(statement.replace("%", "%%"))

    def local(self, block: Any) -> Any:
        """A source's block with the ports and passwords of the servers here."""
        if isinstance(block, Mapping):
            local = {key: self._local_option(key, value) for key, value in block.items()}
            if local.get("UserPw") == LDAP_PASSWORD:
                local["UserPw"] = self.servers.slapd.admin_password
            return local
        return block

    def _local_option(self, key: str, value: Any) -> Any:
        if isinstance(value, Mapping):
            return self.local(value)
        if key.lower() == "port" and value:
            return self.ports.of(int(value))
        if key in {"DSN", "Host"} and isinstance(value, str):
            return _PORT_IN_TEXT.sub(lambda port: str(self.ports.of(int(port[0]))), value)
        if key == "Host" and isinstance(value, list):
            return [self._local_option(key, item) for item in value]
        return value

    def target(self, service: str) -> int:
        """The port of a server that a gate can be opened to."""
        return {
            "database": self.servers.postgresql.port,
            "ldap": self.servers.slapd.port,
        }[service]

    def ldap(self) -> Any:
        """A connection of the LDAP administrator."""
        slapd = self.servers.slapd
        return ldap3.Connection(
            ldap3.Server(slapd.uri, get_info=ldap3.NONE),
            slapd.admin_dn,
            slapd.admin_password,
            client_strategy=ldap3.SAFE_SYNC,
            auto_bind=True,
        )

    def _engine(self, database: str | None) -> Engine:
        return self.external if database == EXTERNAL else self.otobo.engine

    def _database(self, name: str, *, external: bool = False) -> str:
        """Make a database; those in PostgreSQL have the recording's names and role."""
        mariadb = self.servers.mariadb
        if mariadb is not None and not external:
            url = mariadb.create_database()
            self._made.append((mariadb, url))
            return url
        server = self.servers.postgresql
        made = server.create_database()
        engine = sqlalchemy.create_engine(made, isolation_level="AUTOCOMMIT")
        with engine.connect() as connection:
            if not connection.scalar(text(f"SELECT 1 FROM pg_roles WHERE rolname = '{ROLE}'")):
                connection.execute(text(f"CREATE ROLE {ROLE} SUPERUSER LOGIN PASSWORD '{ROLE}'"))
            connection.execute(text(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)"))
            connection.execute(text(f"CREATE DATABASE {name}"))
        engine.dispose()
        server.drop_database(made)
        url = f"postgresql+psycopg://{ROLE}:{ROLE}@127.0.0.1:{server.port}/{name}"
        self._made.append((server, url))
        return url


def attributes(recorded: Json) -> dict[str, Any]:
    """LDAP attributes as ldap3 takes them; ``{"base64": …}`` stands for bytes."""
    return {name: _octets(value) for name, value in recorded.items()}


def _octets(value: Any) -> Any:
    if isinstance(value, list):
        return [_octets(item) for item in value]
    if isinstance(value, Mapping):
        return base64.b64decode(value["base64"])
    return value


def _values(row: Json) -> dict[str, Any]:
    return {name: _octets(value) for name, value in row.items()}


def _column_value(where: str, value: Any) -> Any:
    """A value for a column of ``dynamic_field_value``."""
    if where == "value_int":
        return int(value)
    if where == "value_date":
        return value if len(value) > len("2024-01-01") else f"{value} 00:00:00"
    return value
