"""Which sources are only read, and what is said to who would write to one."""

from pathlib import Path
from typing import Any

import pytest

from directory.config import LdapSourceConfig
from directory.ldap import LdapSource
from directory.refusals import Refused
from directory.source import CustomerUserSource
from directory.sql import SqlSource
from directory.writable import as_writable, chosen, why_not
from tests.contract.sql_source import no_ticket_engine, sql_config


def sql(**overrides: Any) -> SqlSource:
    return SqlSource(sql_config(**overrides), no_ticket_engine)


def ldap(slot: str) -> LdapSource:
    settings = {"slot": slot, "host": "ldap.example.org", "base_dn": "dc=example"}
    keys = {"customer_key": "uid", "customer_id": "o", "map": {"UserLogin": "uid"}}
    return LdapSource(LdapSourceConfig.model_validate(settings | keys))


class Other:
    """A source of which only the settings are known."""

    def __init__(self, **settings: Any) -> None:
        self.config = sql_config(**settings)


class OfAPackage(Other):
    """A source of a kind that a package adds."""

    def __init__(self) -> None:
        self.config = sql_config(slot="4").model_copy(update={"kind": "json"})


@pytest.mark.parametrize(
    ("source", "told"),
    [
        (sql(slot="1", read_only=True), "CustomerUser1 is set read_only; change it where"),
        (ldap("2"), "CustomerUser2 is an LDAP directory, which is only read; change it there"),
        (sql(slot="3", customer_key="id"), "customer_key id is not the column of UserLogin"),
        (OfAPackage(), "CustomerUser4 is of the kind json, which is only read"),
    ],
)
def test_who_would_write_to_a_source_that_is_only_read_is_told_what_to_do(
    source: CustomerUserSource, told: str
) -> None:
    assert told in why_not(source)
    with pytest.raises(Refused) as refused:
        as_writable(source)
    assert (refused.value.error, refused.value.source) == (
        "read_only_source",
        source.config.source_name,
    )


def test_databases_whose_locks_are_not_known_are_only_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "pyodbc.py").touch()  # it is looked for, and not imported
    monkeypatch.syspath_prepend(tmp_path)

    told = why_not(Other(slot="5", url="mssql+pyodbc://crm"))  # type: ignore[arg-type]

    assert told.startswith("CustomerUser5 stands in a database of the kind mssql, which is only")


def test_the_first_source_that_can_be_written_to_is_chosen_or_the_one_that_is_named() -> None:
    sources = [ldap(""), sql(slot="1", url="sqlite://"), sql(slot="2")]

    assert chosen(sources, None) is sources[1]
    assert chosen(sources, "CustomerUser2") is chosen(sources, "2") is sources[2]


@pytest.mark.parametrize(
    ("name", "error", "told"),
    [
        ("CustomerUser", "read_only_source", "LDAP"),
        ("CustomerUser7", "unknown_source", "there are CustomerUser, CustomerUser1"),
        ("people", "unknown_source", "there is no source people"),
    ],
)
def test_a_name_that_is_none_is_refused(name: str, error: str, told: str) -> None:
    with pytest.raises(Refused, match=told) as refused:
        chosen([ldap(""), sql(slot="1")], name)

    assert refused.value.error == error


def test_where_no_source_can_be_written_to_it_is_said_of_each_why() -> None:
    with pytest.raises(Refused, match=r"LDAP directory.*read_only"):
        chosen([ldap(""), sql(slot="1", read_only=True)], None)
