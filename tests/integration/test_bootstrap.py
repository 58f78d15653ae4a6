"""The composition root: what is built from which settings, and that building asks nobody."""

import os
from pathlib import Path
from typing import Any

import pytest

from directory.errors import SourceMisconfigured
from directory.ldap import LdapSource
from directory.sql import SqlSource
from tests.integration.world import World
from worker import bootstrap
from worker.settings import Settings, TicketSettings
from worker.tickets.otobo_cache import FileCache, NoCache, RedisCache

NOWHERE = "postgresql+psycopg://nobody@127.0.0.1:1/nothing"

SQL = {"kind": "sql", "table": "t", "customer_key": "l", "customer_id": "i", "map": {}}
LDAP = {
    "kind": "ldap",
    "host": "127.0.0.1:1",
    "base_dn": "dc=x",
    "customer_key": "uid",
    "customer_id": "o",
    "map": {"UserLogin": "uid"},
}


def settings(**sections: Any) -> Settings:
    return Settings(
        **{
            "tickets": {"url": NOWHERE},
            "redis": {"url": "redis://127.0.0.1:1/0"},
            **sections,
        }
    )


def test_building_asks_nobody() -> None:
    services = bootstrap.build(
        settings(sources={"CustomerUser2": LDAP, "CustomerUser": {**SQL, "dsn": "DBI:Pg:dbname=x"}})
    )

    assert [type(source) for source in services.directory.sources] == [SqlSource, LdapSource]
    assert services.zone.key == "UTC"


@pytest.mark.parametrize(
    ("cache", "kind"),
    [
        ({}, NoCache),
        ({"kind": "redis", "url": "redis://127.0.0.1:1/0"}, RedisCache),
        ({"kind": "file", "directory": "/nowhere"}, FileCache),
    ],
)
def test_otobos_cache_is_the_one_that_is_set(cache: dict[str, str], kind: type) -> None:
    made = settings(tickets={"url": NOWHERE, "otobo_cache": cache})

    assert isinstance(bootstrap.otobo_cache(made.tickets.otobo_cache), kind)


@pytest.mark.parametrize(
    ("given", "url"),
    [
        ({"url": "postgresql://h/d"}, "postgresql://h/d"),
        ({"url": "postgresql://a:b@h/d"}, "postgresql://a:b@h/d"),
        (
            {"url": "postgresql://h/d", "user": "c", "password": "p@ss/w:rd"},
            "postgresql://c:p%40ss%2Fw%3Ard@h/d",
        ),
        ({"url": "postgresql://a:b@h/d", "password": "new"}, "postgresql://a:new@h/d"),
    ],
)
def test_user_and_password_may_stand_beside_the_url(given: dict[str, str], url: str) -> None:
    made = bootstrap.ticket_url(TicketSettings.model_validate(given))

    assert made.render_as_string(hide_password=False) == url


def test_a_source_that_can_never_work_is_told() -> None:
    with pytest.raises(SourceMisconfigured, match="CustomerUser3"):
        bootstrap.build(settings(sources={"CustomerUser3": {**SQL, "dsn": "DBI:None:x"}}))


def test_a_process_builds_its_services_once(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = Path(str(world.crm.url).removeprefix("sqlite:///")).with_name("fieldfare.toml")
    config.write_text(
        f'[tickets]\nurl = "{world.ticket_url}"\n[redis]\nurl = "{world.redis.url}"\n'
    )
    monkeypatch.setenv("FIELDFARE_CONFIG", str(config))
    bootstrap._services_of.cache_clear()
    try:
        first = bootstrap.services()

        assert bootstrap.services() is first
        assert first.tickets.worker_user_id() == 2
        assert bootstrap._services_of(os.getpid() + 1) is not first, "a child builds its own"
        first.tickets.close()
    finally:
        bootstrap._services_of.cache_clear()
