"""What ``fieldfare check`` finds: each finding is provoked once, on real servers."""

import dataclasses
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy
from sqlalchemy import make_url, text

from directory.config import LdapSourceConfig
from tests.contract.sql_source import MAP, SqlDirectory
from tests.integration.world import ldap_people
from tests.otobo import Otobo
from tests.servers import RedisServer, SlapdServer
from tests.sysconfig import DEFAULT_MODULE, OWN_MODULE, change, ship
from worker import heartbeat
from worker.checks import (
    broker,
    event_modules,
    fields,
    otobo_cache,
    processes,
    run,
    settings_file,
    sources,
    ticket_database,
    transport,
)
from worker.checks.finding import Finding
from worker.fingerprints import fingerprints
from worker.heartbeat import Alive
from worker.settings import OtoboCacheSettings, RedisSettings, Settings
from worker.tickets import schema
from worker.tickets.engine import ticket_engine

AWAY = "redis://127.0.0.1:1/0"


class Installation:
    """A ticket system, a CRM and settings in which everything is right but for the cache."""

    def __init__(self, url: str, redis: RedisServer, folder: Path) -> None:
        self.url = url
        self.otobo = Otobo(url)
        self.engine = ticket_engine(url)
        self.crm = SqlDirectory(f"sqlite:///{folder / 'crm.sqlite'}", None, folder)
        self.otobo.add_field("Phone")
        self.tree: dict[str, Any] = {
            "tickets": {"url": url},
            "redis": {"url": redis.url},
            "sources": {
                "CustomerUser": {
                    "kind": "sql",
                    "name": "CRM",
                    "url": self.crm.url,
                    "table": "people",
                    "foreign_db": True,
                    "customer_key": "login",
                    "customer_id": "customer_id",
                    "map": MAP,
                }
            },
            "mapping": {"variables": {"UserPhone": "Phone"}},
        }

    def settings(self, **sections: Any) -> Settings:
        return Settings(**{**self.tree, **sections})

    def source(self, **more: Any) -> dict[str, Any]:
        """Sections with another first source."""
        return {"sources": {"CustomerUser": {**self.tree["sources"]["CustomerUser"], **more}}}

    def mapped(self, **variables: str) -> list[Finding]:
        """What is said of these mappings, ``variable = field``."""
        return list(fields.check(self.settings(mapping={"variables": variables}), self.engine))

    def close(self) -> None:
        self.engine.dispose()
        self.crm.close()
        self.otobo.close()


@pytest.fixture
def installation(
    small_ticket_database: str, redis_server: RedisServer, tmp_path: Path
) -> Iterator[Installation]:
    """With the ticket system in SQLite."""
    redis_server.start()
    redis_server.flush()
    made = Installation(small_ticket_database, redis_server, tmp_path)
    yield made
    made.close()


def levels(found: list[Finding]) -> dict[str, str]:
    """The worst level of each subject."""
    order = ("ok", "warning", "error")
    worst: dict[str, str] = {}
    for one in found:
        worst[one.subject] = max(worst.get(one.subject, "ok"), one.level.value, key=order.index)
    return worst


def only(found: list[Finding], level: str) -> Finding:
    """The one finding of a level; it says what it means and, if need be, what to do."""
    (one,) = [one for one in found if one.level == level]
    assert one.meaning
    return one


# -- everything


def test_an_installation_in_order_has_nothing_but_ok(
    installation: Installation, tmp_path: Path
) -> None:
    cache = {"kind": "file", "directory": tmp_path}
    settings = installation.settings(tickets={"url": installation.url, "otobo_cache": cache})

    found = list(run.check(settings, {}))

    assert levels(found) == dict.fromkeys(
        (
            *("settings", "broker", "guard", "ticket database", "CustomerUser", "customer data"),
            *("OTOBO's cache", "field Phone", "OTOBO's module"),
        ),
        "ok",
    )


def test_everything_else_is_looked_at_when_servers_are_down(installation: Installation) -> None:
    settings = installation.settings(
        tickets={"url": "postgresql://fieldfare:hunter2@127.0.0.1:1/otobo"},
        redis={"url": "redis://:hunter2@127.0.0.1:1/0"},
        sources={
            **installation.tree["sources"],
            "CustomerUser1": ldap_source("ldap://127.0.0.1:1"),
        },
    )

    found = list(run.check(settings, {}))

    silent = {one.subject for one in found if one.level == "error"}
    assert silent == {"broker", "ticket database", "CustomerUser1"}
    assert not any(one.answered for one in found if one.level == "error")
    assert levels(found)["CustomerUser"] == "ok"
    skipped = {one.subject for one in found if one.what.startswith("not checked: ")}
    assert skipped == {"guard", "customer data", "mapped fields", "OTOBO's module"}
    assert "hunter2" not in repr(found)


def test_an_address_that_cannot_be_read_keeps_nothing_from_being_looked_at(
    installation: Installation,
) -> None:
    own = {**installation.tree["sources"]["CustomerUser"], "url": None}
    settings = installation.settings(
        tickets={"url": "oracle://x"},
        sources={**installation.tree["sources"], "CustomerUser1": own},
    )

    found = list(run.check(settings, {}))

    assert [one.what for one in found if one.level == "error"] == [
        "the ticket database cannot be oracle; it must be one of mariadb, mysql, postgresql, sqlite"
    ]
    assert levels(found)["CustomerUser"] == "ok"
    assert levels(found)["CustomerUser1"] == "warning"


# -- settings


@pytest.mark.parametrize(
    ("name", "text", "told"),
    [
        ("fieldfare.toml", '[tickets]\npassword = "hunter2"\n', True),
        ("fieldfare.toml", '[[a]]\nurl = "redis://:pw@h"\n', True),
        ("fieldfare.toml", 'b = ["redis://h"]\n', False),
        (".env", "FIELDFARE_TICKETS__PASSWORD=hunter2\n", True),
        (".env", "FIELDFARE_REDIS__URL=redis://h\nEMPTY\n", False),
    ],
)
def test_a_password_that_everybody_can_read_is_told(
    installation: Installation, tmp_path: Path, name: str, text: str, told: bool
) -> None:
    path = tmp_path / name
    path.write_text(text)
    settings = installation.settings(
        tickets={"url": installation.url, "password": "hunter2"},
        redis={"url": "redis://:pw@h" if ":pw@" in text else "redis://h"},
    )

    for mode, level in ((0o644, "warning" if told else "ok"), (0o640, "ok")):
        path.chmod(mode)
        found = list(settings_file.check(settings, {path: name.endswith("toml")}))
        assert levels(found) == {"settings": level}
        assert "hunter2" not in repr(found)


def test_a_mapping_of_nothing_is_told(installation: Installation) -> None:
    found = list(settings_file.check(installation.settings(mapping={}), {}))

    assert only(found, "warning").what == "no variable is mapped to a dynamic field"
    assert only([one for one in found if one.level == "warning"], "warning").advice


# -- broker


@pytest.fixture
def configured(redis_server: RedisServer) -> Iterator[Any]:
    """Sets options of the Redis, until the end of the test."""
    redis_server.start()
    with redis_server.client() as client:
        before: dict[str, Any] = {}

        def configure(**options: str) -> None:
            for name, value in options.items():
                key = name.replace("_", "-")
                before.setdefault(key, client.config_get(key)[key])
                client.config_set(key, value)

        yield configure
        for key, value in before.items():
            client.config_set(key, value)


def asked(server: RedisServer, **more: Any) -> list[Finding]:
    return list(broker.check(RedisSettings.model_validate({"url": server.url, **more})))


def test_a_broker_says_what_it_is(broker: RedisServer) -> None:
    found = asked(broker)

    assert levels(found) == {"broker": "ok"}
    assert found[0].what.startswith(f"{broker.name.title()} ")
    assert found[0].what.endswith(f" at 127.0.0.1:{broker.port}/0")


def test_a_broker_that_drops_events_is_told(redis_server: RedisServer, configured: Any) -> None:
    configured(maxmemory_policy="allkeys-lru")
    assert "no limit is set" in only(asked(redis_server), "warning").meaning.lower()

    configured(maxmemory="1gb")
    assert "drops events" in only(asked(redis_server), "error").meaning


def test_a_broker_that_is_full_is_told(redis_server: RedisServer, configured: Any) -> None:
    configured(maxmemory="1")

    found = only(asked(redis_server), "error")

    assert "raise maxmemory" in found.advice
    assert found.answered


def test_a_broker_without_an_append_only_file_is_told(
    redis_server: RedisServer, configured: Any
) -> None:
    configured(appendonly="no")

    assert only(asked(redis_server), "warning").advice == "Set appendonly yes."


def test_a_replica_is_told(redis_server: RedisServer) -> None:
    redis_server.start()
    with redis_server.client() as client:
        client.replicaof("127.0.0.1", 1)
        try:
            found = only(asked(redis_server), "error")
        finally:
            client.replicaof("NO", "ONE")

    assert "replica" in found.advice


def test_what_a_user_may_not_do_is_told(redis_server: RedisServer) -> None:
    redis_server.start()
    with redis_server.client() as client:
        try:
            user = ("ACL", "SETUSER")
            client.execute_command(*user, "a", "on", ">pw", "~fieldfare:*", "+@all", "-info")
            client.execute_command(*user, "b", "on", ">pw", "~other:*", "+@all")
            blind = asked(redis_server, username="a", password="pw")
            foreign = asked(redis_server, username="b", password="pw")
            stranger = asked(redis_server, username="a", password="hunter2")
        finally:
            client.execute_command("ACL", "DELUSER", "a", "b")

    assert "+info" in only(blind, "warning").advice
    assert "the user worker" in only(foreign, "error").advice
    assert "redis.password" in only(stranger, "error").advice
    assert all(one.answered for one in (*blind, *foreign, *stranger))
    assert "hunter2" not in repr(stranger)


@pytest.mark.parametrize(
    ("version", "level"), [("6.0.16", "error"), ("6.2.1", "warning"), ("7.0.0", "ok")]
)
def test_an_old_version_is_told(version: str, level: str) -> None:
    info = {"redis_version": version, "maxmemory_policy": "noeviction", "aof_enabled": 1}

    assert levels(list(broker.judge(info, "here"))) == {"broker": level}


# -- processes


def at_work(installation: Installation, role: heartbeat.Role, name: str, **told: Any) -> Alive:
    """A process of this installation, but for what is told otherwise."""
    one = heartbeat.this_process(role, "events", 2, name)
    return dataclasses.replace(one, **{"settings": fingerprints(installation.settings()), **told})


def test_those_at_work_that_fit_together_are_counted(
    installation: Installation, redis_server: RedisServer, tmp_path: Path
) -> None:
    assert processes.at_work(installation.settings()) == []
    for who in (at_work(installation, "worker", "one"), at_work(installation, "beat", "two")):
        heartbeat.Heartbeat(who, heartbeat.connect(redis_server.url), tmp_path, 60.0).beat()

    settings = installation.settings()
    (found,) = processes.check(processes.at_work(settings), settings)

    assert (found.level, found.what) == ("ok", "2 processes are at work, with these settings")


def test_those_at_work_that_do_not_fit_together_are_told(installation: Installation) -> None:
    worker, beat = (at_work(installation, role, role) for role in ("worker", "beat"))
    old = dataclasses.replace(worker, name="old", version="0.0.9", settings={})
    other = dataclasses.replace(worker, name="other", settings={"mapping": "0", "sources": "0"})
    resync = dataclasses.replace(beat, name="third", queue="resync")

    def told(*alive: Alive) -> list[str]:
        return [one.what for one in processes.judge(alive, installation.settings())]

    assert told(worker, beat, resync) == []
    assert told(beat, old) == [f"not of this version, {worker.version}: old (0.0.9)"]
    assert told(beat, other, dataclasses.replace(other, name="it")) == [
        "started with other settings (sources, mapping): other, it"
    ]
    assert told(worker, beat, beat) == ["there are 2 schedulers: beat, beat"]
    assert told(worker, resync) == ["there are ticket workers and no scheduler for them"]


# -- ticket database


def looked_at(url: str, worker_user: str = "fieldfare") -> list[Finding]:
    engine = ticket_engine(url)
    try:
        return list(ticket_database.check(engine, make_url(url), worker_user))
    finally:
        engine.dispose()


def test_a_ticket_database_says_what_it_is(ticket_database: str) -> None:
    found = looked_at(ticket_database)

    assert levels(found) == {"ticket database": "ok"}
    assert found[0].what.partition(" ")[0] in {"PostgreSQL", "MariaDB", "SQLite"}
    assert found[0].what.endswith("tables of OTOBO 11 or later")


def test_an_older_family_is_told(installation: Installation) -> None:
    with installation.otobo.engine.connect() as connection:
        connection.execute(text("ALTER TABLE dynamic_field_value DROP COLUMN index_set"))
        connection.execute(text("ALTER TABLE dynamic_field_value DROP COLUMN index_value"))

    assert looked_at(installation.url)[0].what.endswith("tables of OTOBO 10, Znuny or OTRS")


@pytest.mark.parametrize("mode", ["delete", "wal"])
def test_a_read_only_file_is_called_so(installation: Installation, mode: str) -> None:
    with installation.otobo.engine.connect() as connection:
        connection.execute(text(f"PRAGMA journal_mode = {mode}"))
    path = installation.url.removeprefix("sqlite:///")

    found = only(looked_at(f"sqlite:///file:{path}?mode=ro&uri=true"), "error")

    assert found.what.startswith("takes no writes, it is read-only: ")
    assert "a file that the worker may write" in found.advice
    assert found.answered


def test_a_database_that_is_none_of_a_ticket_system_is_told(tmp_path: Path) -> None:
    found = only(looked_at(f"sqlite:///{tmp_path / 'empty.sqlite'}"), "error")

    assert "no table ticket" in found.what


@pytest.mark.parametrize(
    ("agent", "says"),
    [("nobody", "has no agent 'nobody'"), ("root@localhost", "must not write as agent 1")],
)
def test_the_wrong_agent_is_told(installation: Installation, agent: str, says: str) -> None:
    assert says in only(looked_at(installation.url, agent), "error").what


def test_a_missing_history_type_is_told(installation: Installation) -> None:
    with installation.otobo.engine.connect() as connection:
        connection.execute(text("DELETE FROM ticket_history_type WHERE name = 'CustomerUpdate'"))

    found = looked_at(installation.url)

    assert "has no CustomerUpdate" in only(found, "error").what
    assert any("agent 'fieldfare' is valid" in one.what for one in found)


# -- sources


def ldap_source(host: str, **more: Any) -> dict[str, Any]:
    return {
        "kind": "ldap",
        "host": host,
        "base_dn": "ou=people,dc=example,dc=com",
        "customer_key": "uid",
        "customer_id": "o",
        "map": {"UserLogin": "uid"},
        **more,
    }


def found_in(installation: Installation, **sections: Any) -> list[Finding]:
    return list(sources.check(installation.settings(**sections), installation.engine))


def test_no_source_at_all_is_told(installation: Installation) -> None:
    assert "emptied" in only(found_in(installation, sources={}), "error").meaning


def test_each_source_is_searched(installation: Installation, slapd: SlapdServer) -> None:
    slapd.add(
        f"uid=anna,ou=people,{slapd.base_dn}",
        {"objectClass": "inetOrgPerson", "uid": "anna", "cn": "Anna", "sn": "Berg"},
    )
    number = {"storage": "id", "storage_type": "int"}
    own = installation.tree["sources"]["CustomerUser"]

    found = found_in(
        installation,
        sources={
            "CustomerUser": own,
            "CustomerUser1": ldap_people(slapd),
            "CustomerUser2": {**own, "customer_key": "id", "map": {**MAP, "UserLogin": number}},
        },
    )

    assert set(levels(found).values()) == {"ok"}
    answers = [one.what for one in found if one.subject.startswith("CustomerUser")]
    assert [what.partition(" in ")[0] for what in answers] == [
        "CRM: answers a search",
        "answers a search",
        "CRM: answers a search",
    ]


def test_a_source_that_finds_nobody_is_told(installation: Installation, slapd: SlapdServer) -> None:
    found = found_in(installation, sources={"CustomerUser": ldap_people(slapd, customer_key="no")})

    assert "every login would count as unknown" in only(found, "error").what
    assert only(found, "error").answered


@pytest.mark.parametrize(
    ("more", "says"),
    [
        ({"table": "peple"}, "there is no table peple; the database has: people"),
        ({"url": "nonsense"}, "the url is not an SQLAlchemy URL"),
    ],
)
def test_a_source_that_can_never_work_is_told(
    installation: Installation, more: Mapping[str, str], says: str
) -> None:
    found = found_in(installation, **installation.source(**more))

    assert says in only(found, "error").what
    assert only(found, "error").answered


def test_what_is_added_to_a_customer_user_is_read(installation: Installation) -> None:
    room = {"storage": "Room", "storage_type": "dynamic_field"}
    sections = installation.source(customer_company_support=True, map={**MAP, "UserRoom": room})
    sections["mapping"] = {"variables": {"UserRoom": "Phone", "CustomerCompanyName": "City"}}

    found = [one.what for one in found_in(installation, **sections) if one.subject == sources.ADDED]
    assert found == [
        "preferences can be read",
        "companies can be read",
        "dynamic fields of customer users can be read",
    ]

    broken = found_in(
        installation,
        **sections,
        preferences={"table": "no"},
        companies={"CustomerCompany": {"table": "no"}},
    )
    assert [one.what.partition(":")[0] for one in broken if one.level == "error"] == [
        "preferences cannot be read",
        "companies cannot be read",
    ]
    wrong = found_in(installation, companies={"CustomerCompany1": {"dsn": "DBI:Solid:x"}})
    assert "DBI:Solid is not known" in only(wrong, "error").what


# -- transport


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("postgresql://db.example.org/otobo", True),
        ("postgresql://db.example.org/otobo?sslmode=prefer", True),
        ("postgresql://db.example.org/otobo?sslmode=verify-full", False),
        ("postgresql:///otobo?host=db.example.org", True),
        ("postgresql:///otobo?host=/run/postgresql", False),
        ("postgresql:///otobo?host=db1.example.org&host=db2.example.org", True),
        ("postgresql://127.0.0.1/otobo", False),
        ("postgresql://[::1]/otobo", False),
        ("mysql+pymysql://192.0.2.1/otobo", True),
        ("mysql+pymysql://192.0.2.1/otobo?ssl_ca=/etc/ca.pem", False),
        ("mysql+pymysql://localhost/otobo", False),
        ("oracle+oracledb://db.example.org/x", False),
        ("mysql+pymysql://192.0.2.1/otobo?ssl_disabled=true&ssl_ca=/etc/ca.pem", True),
        ("mysql+pymysql://192.0.2.1/otobo?ssl_ca=/etc/ca.pem&ssl_check_hostname=0", True),
        ("mysql+pymysql://192.0.2.1/otobo?ssl_check_hostname=false", True),
        ("mysql+pymysql://127.0.0.1/otobo?ssl_check_hostname=false", False),
        ("postgresql://db.example.org/otobo?sslmode=require", True),
        ("postgresql://db.example.org/otobo?sslrootcert=/etc/ca.pem", False),
        ("sqlite:///x", False),
    ],
)
def test_a_database_whose_tls_is_missing_or_not_checked_is_told(url: str, told: bool) -> None:
    found = list(transport.of_database("it", make_url(url)))

    assert len(found) == told


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("redis://:pw@redis.example.org:6379/0", True),
        ("rediss://redis.example.org", False),
        ("rediss://redis.example.org?ssl_cert_reqs=none", True),
        ("rediss://redis.example.org?ssl_check_hostname=False", True),
        ("rediss://localhost?ssl_cert_reqs=none", False),
        ("redis://localhost.:6379", False),
        ("unix:///run/redis.sock", False),
    ],
)
def test_a_redis_whose_tls_is_missing_or_not_checked_is_told(url: str, told: bool) -> None:
    found = list(transport.of_redis("it", url))

    assert bool(found) is told
    assert "pw" not in repr(found)


@pytest.mark.parametrize(
    ("host", "tls", "says"),
    [
        (["ldap://dc.example.org", "ldaps://dc2.example.org"], {}, "dc.example.org is reached"),
        (["ldap://dc.example.org"], {"start_tls": True}, ""),
        (["ldaps://dc.example.org"], {"verify": False}, "certificate is not checked"),
        (["ldap://localhost", "ldapi:///run/ldapi"], {"verify": False}, ""),
    ],
)
def test_an_ldap_server_without_tls_is_told(
    host: list[str], tls: Mapping[str, Any], says: str
) -> None:
    config = LdapSourceConfig.model_validate({**ldap_source(""), "host": host, "tls": tls})

    found = [one.what for one in transport.of_ldap("it", config)]

    assert len(found) == bool(says)
    assert says in "".join(found)


# -- OTOBO's cache


def cache(**settings: Any) -> Finding:
    (found,) = otobo_cache.check(OtoboCacheSettings.model_validate(settings))
    return found


def test_otobo_s_cache_is_reached(redis_server: RedisServer, tmp_path: Path) -> None:
    redis_server.start()

    assert cache(kind="redis", url=redis_server.url).level == "ok"
    assert cache(kind="file", directory=tmp_path).level == "ok"


def test_a_cache_that_is_left_alone_is_told() -> None:
    found = cache(kind="none")

    assert (found.level, "12 hours" in found.meaning) == ("warning", True)


def test_a_cache_that_cannot_be_reached_is_told(tmp_path: Path) -> None:
    away = cache(kind="redis", url=AWAY)
    assert (away.level, away.answered) == ("error", False)

    nowhere = cache(kind="file", directory=tmp_path / "no")
    assert (nowhere.level, nowhere.what.startswith("there is no folder")) == ("error", True)


def test_a_folder_that_cannot_be_written_to_is_told() -> None:
    found = cache(kind="file", directory="/proc/self")  # not even by root

    assert (found.level, "cannot be written to: " in found.what) == ("error", True)


# -- mapped fields


def test_a_field_that_can_be_filled_is_ok(installation: Installation) -> None:
    (found,) = installation.mapped(UserPhone="Phone")

    assert (found.subject, found.what) == ("field Phone", "Text, from UserPhone")


def test_fields_that_take_no_value_are_told(installation: Installation) -> None:
    otobo = installation.otobo
    otobo.add_field("Away", valid_id=2)
    otobo.add_field("Article", object_type="Article")
    otobo.add_field("Script", "Script")
    otobo.add_field("Hidden", internal=True)
    otobo.add_field("Choice", "Dropdown", {})

    found = {
        one.subject: (one.what, one.advice)
        for one in installation.mapped(
            UserPhone="Phne",
            UserLogin="Away",
            UserEmail="Article",
            UserID="Script",
            Source="Hidden",
            UserFullname="Choice",
        )
        if one.level == "error"
    }

    assert found["field Phne"] == (
        "no dynamic field has this name; case matters",
        "Did you mean Phone?",
    )
    assert found["field Away"][0] == "the field is set invalid"
    assert found["field Article"][0] == "the field belongs to Article, not to Ticket"
    assert found["field Script"][0] == "fields of the type Script are not written"
    assert found["field Hidden"][0] == "the field is internal to the ticket system"
    assert found["field Choice"][0] == "the Dropdown's configuration has no PossibleValues"


def test_variables_that_nobody_has_are_told(installation: Installation) -> None:
    for name in ("A", "B", "C", "D"):
        installation.otobo.add_field(name)
    with installation.otobo.engine.connect() as connection:
        connection.execute(
            sqlalchemy.insert(schema.customer_preferences),
            [{"user_id": "anna", "preferences_key": "UserTheme", "preferences_value": "Dark"}],
        )

    found = {
        one.subject: one
        for one in installation.mapped(
            UserPhne="A", UserTheme="B", CustomerCompanyName="C", UserPassword="D"
        )
    }

    assert found["field A"].what == "no Map of a source has the variable UserPhne"
    assert found["field A"].advice.startswith("Did you mean UserPhone?")
    assert found["field B"].level == "ok"
    assert "customer_company_support" in found["field C"].advice
    assert found["field D"].what == "UserPassword is a password's hash"
    assert {found[f"field {name}"].level.value for name in "ACD"} == {"error"}


def test_a_company_s_variable_is_known_where_companies_are_asked(
    installation: Installation,
) -> None:
    settings = installation.settings(
        **installation.source(customer_company_support=True),
        mapping={"variables": {"CustomerCompanyName": "Phone"}},
    )

    (found,) = fields.check(settings, installation.engine)

    assert found.level == "ok"


@pytest.mark.parametrize("broken", [{"preferences": {"table": "no"}}, {}])
def test_a_preference_is_given_the_benefit_of_the_doubt(
    installation: Installation, broken: Mapping[str, Any]
) -> None:
    settings = installation.settings(mapping={"variables": {"UserTheme": "Phone"}}, **broken)

    (found,) = fields.check(settings, installation.engine)

    assert found.level == ("ok" if broken else "error")


def test_a_field_that_a_screen_owns_is_told(installation: Installation) -> None:
    def told(**precedence: Any) -> list[Finding]:
        return list(fields.check(installation.settings(precedence=precedence), installation.engine))

    phone = {"AgentTicketPhone": {"Phone": 1}}
    found = only(told(screens=phone), "warning")
    assert found.what == "is enabled on AgentTicketPhone"
    assert "when a ticket is created there" in found.meaning
    assert "created" not in only(told(screens={"AgentTicketNote": {"Phone": 2}}), "warning").meaning
    assert levels(told(screens={"AgentTicketPhone": {"Phone": 0}})) == {"field Phone": "ok"}
    assert levels(told(screens=phone, enabled=False)) == {"field Phone": "ok"}


def test_definitions_that_cannot_be_read_are_told(installation: Installation) -> None:
    with installation.otobo.engine.connect() as connection:
        connection.execute(text("DROP TABLE dynamic_field"))

    assert "no such table" in only(installation.mapped(UserPhone="Phone"), "error").what


# -- OTOBO's own modules


def modules(installation: Installation, **sections: Any) -> list[Finding]:
    return list(event_modules.check(installation.settings(**sections), installation.engine))


def test_whether_otobo_s_own_module_is_active_is_told(
    ticket_database: str, installation: Installation
) -> None:
    engine = ticket_engine(ticket_database)
    settings = installation.settings()

    def told() -> list[Finding]:
        return list(event_modules.check(settings, engine))

    def forget() -> None:
        with engine.begin() as connection:
            connection.execute(sqlalchemy.delete(schema.sysconfig_modified))

    assert levels(told()) == {"OTOBO's module": "ok"}
    id_ = ship(engine, OWN_MODULE, valid=False)
    change(engine, id_, valid=True, user_id=3)  # an agent's own preference
    assert [one.what for one in told()] == [f"{OWN_MODULE} is not active"]
    forget()
    change(engine, id_, valid=True)
    assert only(told(), "error").what == f"{OWN_MODULE} is active"
    forget()
    change(engine, id_, valid=False, deployed=False)
    assert "not valid, and that is not deployed" in only(told(), "warning").what
    forget()
    change(engine, id_, valid=True, deployed=False, reset=True)
    assert "not valid, and that is not deployed" in only(told(), "warning").what
    engine.dispose()


def test_the_module_is_known_under_any_number(installation: Installation) -> None:
    module = "Kernel::System::Ticket::Event::DynamicFieldFromCustomerUser"
    name = "Ticket::EventModulePost###950-Ours"
    ship(installation.engine, name, {"Module": module, "Event": "TicketCreate"})

    assert only(modules(installation), "error").what == f"{name} is active"


def test_default_values_of_mapped_fields_are_told(installation: Installation) -> None:
    engine = installation.engine
    ship(engine, "Ticket::TicketDynamicFieldDefault###Element1", {"Name": "Phone", "Value": "1"})
    ship(engine, "Ticket::TicketDynamicFieldDefault###Element2", {"Name": "Other", "Value": "1"})
    id_ = ship(engine, DEFAULT_MODULE, valid=False)
    assert levels(modules(installation)) == {"OTOBO's module": "ok"}

    change(engine, id_)

    assert only(modules(installation), "warning").what.endswith("default values for Phone")
    other = modules(installation, mapping={"variables": {"UserPhone": "Unlisted"}})
    assert levels(other) == {"OTOBO's module": "ok"}


def test_screens_that_the_settings_do_not_know_are_told(installation: Installation) -> None:
    name = "Ticket::Frontend::AgentTicketPhone###DynamicField"
    ship(installation.engine, name, {"Phone": "2", "Other": "1"})

    found = only(modules(installation), "warning")
    assert found.what == "AgentTicketPhone has Phone, and precedence.screens does not say so"
    assert name in found.advice
    for precedence in ({"screens": {"AgentTicketPhone": {"Phone": 1}}}, {"enabled": False}):
        assert levels(modules(installation, precedence=precedence)) == {"OTOBO's module": "ok"}


def test_another_time_zone_is_told(installation: Installation) -> None:
    ship(installation.engine, "OTOBOTimeZone", "Europe/Berlin")

    found = only(modules(installation), "error")

    assert found.advice == 'Set tickets.time_zone = "Europe/Berlin".'


def test_a_value_that_is_no_yaml_is_none_at_all(installation: Installation) -> None:
    ship(installation.engine, "OTOBOTimeZone", "UTC")
    with installation.otobo.engine.connect() as connection:
        connection.execute(text("UPDATE sysconfig_default SET effective_value = '{ ['"))

    assert levels(modules(installation)) == {"OTOBO's module": "ok"}


def test_a_configuration_that_cannot_be_read_is_told(installation: Installation) -> None:
    with installation.otobo.engine.connect() as connection:
        connection.execute(text("DROP TABLE sysconfig_modified"))

    found = only(modules(installation), "warning")

    assert "cannot be told" in found.what
    assert OWN_MODULE in found.advice
