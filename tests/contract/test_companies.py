"""Customers (companies) are read and searched alike on every kind of database."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy
from sqlalchemy import Engine, insert

from directory.companies import CompanyDirectory
from directory.companions import companions
from directory.config import CompanyConfig, PreferencesConfig
from directory.database import DatabaseFault
from directory.refusals import Refused
from tests.otobo import LONG_AGO
from worker.tickets import schema
from worker.tickets.engine import ticket_engine

STAMPS = {"create_time": LONG_AGO, "create_by": 1, "change_time": LONG_AGO, "change_by": 1}
FOREIGN = """
CREATE TABLE firms (firm_no VARCHAR(20) PRIMARY KEY, label VARCHAR(100), town VARCHAR(100))
"""
FIRMS: Mapping[str, Any] = {
    "slot": "1",
    "table": "firms",
    "foreign_db": True,
    "customer_company_key": "firm_no",
    "customer_company_valid": "",
    "customer_company_list_fields": ["label", "town"],
    "customer_company_search_fields": ["label"],
    "map": {"CustomerID": "firm_no", "CustomerCompanyName": "label", "CustomerCompanyCity": "town"},
}


@pytest.fixture
def tickets(ticket_database: str) -> Iterator[Engine]:
    engine = ticket_engine(ticket_database)
    rows = [
        ("acme", "Acme Ltd", "Berlin", 1),
        ("beta", "Beta & Söhne 100%", "Köln", 1),
        ("old", "Acme Old", None, 2),
    ]
    with engine.begin() as connection:
        for customer_id, name, city, valid_id in rows:
            values = {"customer_id": customer_id, "name": name, "city": city, "valid_id": valid_id}
            connection.execute(insert(schema.customer_company).values(values | STAMPS))
    yield engine
    engine.dispose()


@pytest.fixture
def firms(tmp_path: Path) -> str:
    """Customers in a database of their own, one under an id that the ticket system has, too."""
    url = f"sqlite:///{tmp_path / 'firms.sqlite'}"
    engine = sqlalchemy.create_engine(url)
    with engine.begin() as connection:
        connection.exec_driver_sql(FOREIGN)
        for row in [("ACME", "Other Acme", "Rome"), ("zeta", "Zeta Acme", ""), ("", "Nobody", "")]:
            connection.exec_driver_sql("INSERT INTO firms VALUES (?, ?, ?)", row)
    engine.dispose()
    return url


def customers(engine: Engine, *more: Mapping[str, Any], **settings: Any) -> CompanyDirectory:
    configs = [CompanyConfig.model_validate(one) for one in (settings, *more)]
    found = companions(lambda: engine, PreferencesConfig(), configs).customers
    assert found is not None
    return found


def ids(found: Any) -> list[str]:
    return [company.customer_id for company in found.companies]


def test_a_customer_is_read_with_values_stamps_and_validity(tickets: Engine) -> None:
    asked = customers(tickets)

    company = asked.get("ACME")

    assert company is not None
    assert (company.customer_id, company.source) == ("acme", "CustomerCompany")
    assert company.attributes["CustomerCompanyCity"] == "Berlin"
    assert company.attributes["CreateTime"] == LONG_AGO
    assert asked.is_valid(company)
    old = asked.get("old")
    assert old is not None
    assert "CustomerCompanyCity" not in old.attributes
    assert not asked.is_valid(old)
    assert asked.get("nobody") is None
    assert asked.get("") is None
    assert customers(tickets, case_sensitive=True).get("ACME") is None


def test_the_first_source_that_knows_an_id_has_the_customer(tickets: Engine, firms: str) -> None:
    asked = customers(tickets, {**FIRMS, "url": firms})

    found = asked.read(["acme", "zeta", "nobody"])

    assert {key: company.source for key, company in found.items()} == {
        "acme": "CustomerCompany",
        "zeta": "CustomerCompany1",
    }
    assert asked.is_valid(found["zeta"])
    assert asked.source("1") is asked.source("CustomerCompany1")
    with pytest.raises(Refused, match="there are CustomerCompany, CustomerCompany1"):
        asked.source("CustomerCompany7")


def test_a_term_is_looked_for_as_in_searches_for_customer_users(tickets: Engine) -> None:
    asked = customers(tickets)

    def found(term: str, **options: Any) -> list[str]:
        return ids(asked.find(term, **options))

    assert found("acme") == ["acme"]
    assert found("acme", valid_only=False) == ["acme", "old"]
    assert found("!acme") == ["beta"]
    assert found("acme OR beta") == ["acme", "beta"]
    assert found("ltd+acm*e") == ["acme"]
    assert found("SÖHNE") == ["beta"]
    assert found("%") == ["beta"]
    assert found("_") == []
    assert found("+") == []
    (company,) = asked.find("beta").companies
    assert company.name == "beta Beta & Söhne 100%"


def test_prefix_suffix_and_limit_are_those_of_the_source(tickets: Engine) -> None:
    exactly = customers(
        tickets, customer_company_search_prefix="", customer_company_search_suffix=""
    )
    one = customers(tickets, customer_company_search_list_limit=1)

    assert ids(exactly.find("acm")) == []
    assert ids(exactly.find("acme")) == ["acme"]
    assert ids(exactly.find("acm*")) == ["acme"]
    found = one.find("*")
    assert (ids(found), found.more) == (["acme"], ("CustomerCompany",))
    assert (ids(one.find("*", limit=5)), one.find("*", limit=5).more) == (["acme", "beta"], ())


def test_an_id_is_listed_once_and_pages_follow_each_other(tickets: Engine, firms: str) -> None:
    asked = customers(tickets, {**FIRMS, "url": firms})

    assert ids(asked.list(limit=10, valid_only=False)) == ["acme", "beta", "old", "zeta"]
    first, second = asked.list(limit=2), asked.list(limit=2, offset=2)
    assert (ids(first), first.more) == (["acme", "beta"], ("CustomerCompany1",))
    assert (ids(second), second.more) == (["zeta"], ())
    assert [company.name for company in second.companies] == ["Zeta Acme"]
    assert ids(asked.find("acme")) == ["acme", "zeta"]


def test_a_source_that_is_away_stands_beside_what_was_found(tickets: Engine, firms: str) -> None:
    away = {**FIRMS, "url": f"{firms}.gone"}
    asked = customers(tickets, away)

    found = asked.find("acme")

    assert ids(found) == ["acme"]
    ((source, reason),) = found.unanswered
    assert source == "CustomerCompany1"
    assert reason
    assert asked.get("acme") is not None
    with pytest.raises(DatabaseFault, match="CustomerCompany1 did not answer"):
        asked.get("zeta")
