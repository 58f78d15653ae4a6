"""How are settings from a page tried? As they are written, with our servers for those they name.

The file is the page's; environment variables, which win over it, say where the servers are.
"""

import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import sqlalchemy
from sqlalchemy import Column, MetaData, String, Table

from directory.config import LdapSourceConfig, SourceConfig, SqlSourceConfig
from tests.docs.world import PASSWORD, READER, World
from worker import toml
from worker.settings import Settings

BASE = """
[tickets]
url = "postgresql+psycopg://fieldfare@db.example.org/otobo"

[sources.CustomerUser]
kind = "sql"
table = "customer_user"
customer_key = "login"
customer_id = "customer_id"

[sources.CustomerUser.map]
UserLogin = "login"
UserFirstname = "first_name"
UserLastname = "last_name"
UserEmail = "email"
UserCustomerID = "customer_id"
UserPhone = "phone"
UserCity = "city"
UserCountry = "country"

[sources.CustomerUser1]
kind = "ldap"
host = "ldap.example.org"
base_dn = "ou=people,dc=example,dc=com"
customer_key = "uid"
customer_id = "mail"

[sources.CustomerUser1.map]
UserLogin = "uid"
UserFirstname = "givenName"
UserLastname = "sn"
UserEmail = "mail"
UserPhone = "telephoneNumber"
UserCity = "l"

[mapping.variables]
UserPhone = "CustomerPhone"
"""
"""What a page that shows a part of the settings takes for granted."""

BY_LOGIN = {"uid": "emma", "sAMAccountName": "emma"}
BY_ADDRESS = {"mail", "userPrincipalName"}


def completed(text: str) -> dict[str, Any]:
    """The tree of a page's settings, with what a part of them takes for granted.

    Sources that say of what kind they are stand for all sources.
    """
    given = tomllib.loads(text)
    base = tomllib.loads(BASE)
    complete = [one for one in given.get("sources", {}).values() if "kind" in one]
    if complete or any(name.startswith("CustomerUser") for name in given):
        del base["sources"]
    if "mapping" in given:
        del base["mapping"]
    return _merged(base, given)


def load(text: str) -> Settings:
    """The settings of a page, checked as the product checks them."""
    return Settings.model_validate(completed(text))


def write(text: str, folder: Path) -> None:
    """Write the page's settings to the file that Fieldfare reads."""
    tree = completed(text)
    whole = text if tree == tomllib.loads(text) else toml.dumps(tree)
    (folder / "fieldfare.toml").write_text(whole)


def prepare(settings: Settings, world: World, folder: Path) -> dict[str, str]:
    """Make what the settings name: tables, fields, secrets. Returns where all of it is.

    Args:
        settings: of a page.
        world: the servers.
        folder: for a database and a folder of secret files.
    """
    secrets = folder / ".secrets"
    secrets.mkdir(exist_ok=True)
    secret = {"tickets__password": PASSWORD}
    where = {
        "FIELDFARE_SECRETS_DIR": str(secrets),
        "FIELDFARE_TICKETS__URL": world.ticket_url,
        "FIELDFARE_REDIS__URL": world.redis.url,
    }
    cache = settings.tickets.otobo_cache
    if cache.url is not None:
        where["FIELDFARE_TICKETS__OTOBO_CACHE__URL"] = world.redis.url
    if cache.directory is not None:
        where["FIELDFARE_TICKETS__OTOBO_CACHE__DIRECTORY"] = str(folder)
    for source in settings.source_configs():
        prefix = f"FIELDFARE_SOURCES__{source.source_name.upper()}__"
        if isinstance(source, LdapSourceConfig):
            hosts = [source.host] if isinstance(source.host, str) else source.host
            tls = any(host.startswith("ldaps://") for host in hosts)
            where[f"{prefix}HOST"] = world.slapd.ldaps_uri if tls else world.slapd.uri
            if tls or source.tls.start_tls:
                where[f"{prefix}TLS__CA_FILE"] = world.slapd.ca_file
            if source.user_dn:
                assert source.user_dn == READER[0]
                secret[f"sources__{source.source_name.lower()}__user_pw"] = READER[1]
        elif isinstance(source, SqlSourceConfig) and not source.in_ticket_database:
            where[f"{prefix}URL"] = _database(source, folder)
            where[f"{prefix}DSN"] = ""
    for path in secrets.iterdir():
        path.unlink()
    for name, value in secret.items():
        (secrets / name).write_text(value)
    world.add_fields(set(settings.mapping.ruleset().fields))
    return where


def known_logins(settings: Settings) -> Iterator[tuple[SourceConfig, str]]:
    """Each source, and somebody whom it must know."""
    for source in settings.source_configs():
        if isinstance(source, SqlSourceConfig):
            yield source, "anna"
        elif source.customer_key in BY_ADDRESS:
            yield source, "emma@example.com"
        else:
            yield source, BY_LOGIN[source.customer_key]


def _database(source: SqlSourceConfig, folder: Path) -> str:
    """A database with the table that the source asks, and anna in it with a value everywhere."""
    url = f"sqlite:///{folder}/{source.source_name}.sqlite"
    names = {entry.storage for entry in source.map if entry.storage_type != "dynamic_field"}
    names |= {source.customer_key, source.customer_id, *source.list_fields, *source.name_fields}
    if not source.foreign_db:
        names |= {"create_time", "create_by", "change_time", "change_by"}
    engine = sqlalchemy.create_engine(url)
    table = Table(source.table, MetaData(), *(Column(name, String) for name in sorted(names)))
    table.metadata.create_all(engine)
    row = {name: f"anna's {name}" for name in names} | {source.customer_key: "anna"}
    with engine.begin() as connection:
        connection.execute(sqlalchemy.delete(table))
        connection.execute(sqlalchemy.insert(table), [row])
    engine.dispose()
    return url


def _merged(base: Mapping[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(base)
    for key, value in given.items():
        there = merged.get(key)
        both = isinstance(value, Mapping) and isinstance(there, Mapping)
        merged[key] = _merged(there, value) if both else value
    return merged
