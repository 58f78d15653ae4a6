"""Customers (companies) are written by the same rules on every kind of database."""

import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy
from sqlalchemy import Engine, select

from directory import company_writing
from directory.companies import Company, CompanyDirectory
from directory.companions import companions
from directory.company_writing import Written, company_version
from directory.config import CompanyConfig, PreferencesConfig
from directory.database import DatabaseFault
from directory.refusals import Refused
from directory.writing import Author
from tests.contract.test_companies import FIRMS, FOREIGN
from worker.tickets import schema
from worker.tickets.engine import ticket_engine

THEN, NOW = Author(2, "2026-11-01 10:00:00"), Author(7, "2026-11-02 10:00:00")
ACME = {"CustomerID": "acme", "CustomerCompanyName": "Acme Ltd"}


@pytest.fixture
def tickets(ticket_database: str) -> Iterator[Engine]:
    engine = ticket_engine(ticket_database)
    yield engine
    engine.dispose()


@pytest.fixture
def firms(tmp_path: Path) -> str:
    url = f"sqlite:///{tmp_path / 'firms.sqlite'}"
    engine = sqlalchemy.create_engine(url)
    with engine.begin() as connection:
        connection.exec_driver_sql(FOREIGN)
    engine.dispose()
    return url


def opened(engine: Engine, *configs: Mapping[str, Any]) -> CompanyDirectory:
    # A machine that has much else to do is not a database that does not answer.
    patient = {"timeout": 60}
    parsed = [CompanyConfig.model_validate({**patient, **one}) for one in configs or ({},)]
    found = companions(lambda: engine, PreferencesConfig(**patient), parsed).customers
    assert found is not None
    return found


def add(customers: CompanyDirectory, **more: Any) -> Written:
    return company_writing.add(customers, {**ACME, **more}, THEN)


def get(customers: CompanyDirectory, customer_id: str) -> Company:
    company = customers.get(customer_id)
    assert company is not None
    return company


def refused(call: Any, *arguments: Any, **more: Any) -> tuple[str, str]:
    with pytest.raises(Refused) as caught:
        call(*arguments, **more)
    return caught.value.error, caught.value.field


def stored(engine: Engine) -> dict[str, tuple[Any, ...]]:
    row = schema.customer_company.c
    statement = select(row.customer_id, row.name, row.city, row.valid_id, row.change_by)
    with engine.connect() as connection:
        return {found[0]: tuple(found[1:]) for found in connection.execute(statement)}


def test_a_customer_is_added_with_stamps(tickets: Engine) -> None:
    customers = opened(tickets)

    written = add(customers, CustomerID=" acme ", CustomerCompanyCity="Köln \U0001f3d9 'x'; --\\%")

    company = get(customers, "acme")
    assert (written.customer_id, written.source) == ("acme", "CustomerCompany")
    assert set(written.fields) == {*ACME, "CustomerCompanyCity", "ValidID"}
    assert written.version == company_version(company)
    assert company.attributes["CustomerCompanyCity"] == "Köln \U0001f3d9 'x'; --\\%"
    assert company.attributes["CreateBy"] == company.attributes["ChangeBy"] == "2"
    assert company.attributes["CreateTime"] == "2026-11-01 10:00:00"
    assert customers.is_valid(company)


def test_an_update_changes_what_is_given_and_nothing_else(tickets: Engine) -> None:
    customers = opened(tickets)
    before = add(customers, CustomerCompanyCity="Berlin", CustomerCompanyStreet="Main St 1")

    update = company_writing.update_company
    written = update(customers, "ACME", {"CustomerCompanyCity": "Köln"}, NOW)
    again = update(customers, "acme", {"CustomerCompanyCity": "Köln"}, NOW)

    values = get(customers, "acme").attributes
    assert (written.fields, again.fields) == (("CustomerCompanyCity",), ())
    assert written.customer_id == "acme"
    assert before.version != written.version == again.version
    assert values["CustomerCompanyStreet"] == "Main St 1"
    assert (values["ChangeBy"], values["ChangeTime"]) == ("7", "2026-11-02 10:00:00")
    assert (values["CreateBy"], values["CreateTime"]) == ("2", "2026-11-01 10:00:00")


def test_a_replacing_update_empties_the_rest(tickets: Engine) -> None:
    customers = opened(tickets)
    add(customers, CustomerCompanyCity="Berlin", CustomerCompanyStreet="Main St 1")
    update = company_writing.update_company

    new = {"CustomerCompanyName": "Acme SE", "CustomerCompanyCity": "Köln", "ValidID": "1"}
    update(customers, "acme", new, NOW, replace=True)

    values = get(customers, "acme").attributes
    assert values["CustomerCompanyName"] == "Acme SE"
    assert values.get("CustomerCompanyStreet", "") == ""
    assert refused(update, customers, "acme", {}, NOW, replace=True) == (
        "required",
        "CustomerCompanyName",
    )


def test_what_is_against_a_rule_is_refused_and_nothing_is_written(tickets: Engine) -> None:
    customers = opened(tickets, {"selections": {"CustomerCompanyCountry": {"de": "Germany"}}})
    add(customers)
    add(customers, CustomerID="beta", CustomerCompanyName="Beta")
    update = company_writing.update_company

    assert refused(add, customers) == ("duplicate_customer", "CustomerID")
    assert refused(add, customers, CustomerID="ACME") == ("duplicate_customer", "CustomerID")
    with pytest.raises(Refused, match="there is a customer acme already, in CustomerCompany;"):
        add(customers, CustomerID="ACME")
    assert refused(add, customers, CustomerID="new") == (
        "duplicate_customer",
        "CustomerCompanyName",
    )
    new = {"CustomerID": "new", "CustomerCompanyName": "New"}
    for field, value, error in (
        ("CustomerID", "", "required"),
        ("CustomerID", "n" * 151, "too_long"),
        ("CustomerCompanyName", "", "required"),
        ("CustomerCompanyCity", "n" * 201, "too_long"),
        ("CustomerCompanyCity", "a\0b", "not_valid_utf8"),
        ("CustomerCompanyCountry", "fr", "not_a_choice"),
        ("CustomerCompanyTown", "Berlin", "unknown_field"),
        ("ValidID", "perhaps", "not_a_choice"),
    ):
        assert refused(add, customers, **{**new, field: value}) == (error, field)
    assert refused(update, customers, "beta", {"CustomerCompanyName": "Acme Ltd"}, NOW) == (
        "duplicate_customer",
        "CustomerCompanyName",
    )
    assert refused(update, customers, "none", {}, NOW) == ("unknown_customer", "CustomerID")
    assert sorted(stored(tickets)) == ["acme", "beta"]
    assert stored(tickets)["beta"][0] == "Beta"


def test_an_id_is_for_good(tickets: Engine) -> None:
    customers = opened(tickets)
    add(customers)
    update = company_writing.update_company

    for new in ("acme2", "ACME", ""):
        values = {"CustomerID": new, "CustomerCompanyCity": "Köln"}
        assert refused(update, customers, "acme", values, NOW)[1] == "CustomerID"
    with pytest.raises(Refused, match="add a customer with the new id"):
        update(customers, "acme", {"CustomerID": "acme2"}, NOW)
    assert update(customers, "ACME", {"CustomerID": "acme"}, NOW).fields == ()
    assert sorted(stored(tickets)) == ["acme"]


def test_the_second_of_two_who_saw_the_same_is_told(tickets: Engine) -> None:
    customers = opened(tickets)
    seen = add(customers).version
    update = company_writing.update_company

    first = update(customers, "acme", {"CustomerCompanyCity": "Köln"}, NOW, expected=seen)
    late: dict[str, Any] = {"CustomerCompanyURL": "https://acme.test"}

    assert refused(update, customers, "acme", late, NOW, expected=seen)[0] == "changed_meanwhile"
    assert update(customers, "acme", late, NOW, expected=first.version).fields == tuple(late)
    assert get(customers, "acme").attributes["CustomerCompanyCity"] == "Köln"


def test_two_who_change_different_fields_at_once_lose_nothing(tickets: Engine) -> None:
    add(opened(tickets))
    given = {"CustomerCompanyCity": "Köln", "CustomerCompanyURL": "https://acme.test"}

    def admin(variable: str) -> None:
        values = {variable: given[variable]}
        company_writing.update_company(opened(tickets), "acme", values, NOW)

    admins = [threading.Thread(target=admin, args=[variable]) for variable in given]
    for one in admins:
        one.start()
    for one in admins:
        one.join()

    values = get(opened(tickets), "acme").attributes
    assert {name: values[name] for name in given} == given


def test_two_who_add_one_customer_at_once_leave_one(tickets: Engine) -> None:
    told: list[str] = []

    def admin(customers: CompanyDirectory) -> None:
        try:
            add(customers)
        except Refused as refusal:
            told.append(refusal.error)
        else:
            told.append("done")

    admins = [threading.Thread(target=admin, args=[opened(tickets)]) for _ in range(3)]
    for one in admins:
        one.start()
    for one in admins:
        one.join()

    assert sorted(told) == ["done", "duplicate_customer", "duplicate_customer"]
    assert sorted(stored(tickets)) == ["acme"]


def test_a_customer_is_made_invalid_and_valid_again(tickets: Engine) -> None:
    customers = opened(tickets)
    add(customers)

    company_writing.deactivate(customers, "acme", NOW)
    assert not customers.is_valid(get(customers, "acme"))
    assert stored(tickets)["acme"][2] == 2
    company_writing.deactivate(customers, "acme", NOW, temporarily=True)
    assert stored(tickets)["acme"][2] == 3
    company_writing.update_company(customers, "acme", {"ValidID": "valid"}, NOW)
    assert customers.is_valid(get(customers, "acme"))


def test_each_customer_is_written_where_it_stands(tickets: Engine, firms: str) -> None:
    customers = opened(tickets, {"read_only": True}, {**FIRMS, "url": firms})
    values = {"CustomerID": "zeta", "CustomerCompanyName": "Zeta"}

    written = company_writing.add(customers, values, THEN)
    company_writing.update_company(customers, "ZETA", {"CustomerCompanyCity": "Rome"}, NOW)

    assert written.source == "CustomerCompany1"
    assert get(customers, "zeta").attributes == {**values, "CustomerCompanyCity": "Rome"}
    assert stored(tickets) == {}
    deactivate = company_writing.deactivate
    assert refused(deactivate, customers, "zeta", NOW) == ("unknown_field", "ValidID")


def test_a_table_of_ones_own_keeps_its_rules(tickets: Engine, ticket_database: str) -> None:
    with tickets.begin() as connection:
        connection.exec_driver_sql(
            "CREATE TABLE firms (firm_no VARCHAR(20) PRIMARY KEY, label VARCHAR(100) NOT NULL, "
            "town VARCHAR(100), since DATE, CONSTRAINT a_name CHECK (label <> 'nobody'))"
        )
    rows = {**FIRMS["map"], "CustomerCompanySince": "since"}
    customers = opened(tickets, {**FIRMS, "slot": "", "url": ticket_database, "map": rows})
    values = {"CustomerID": "zeta", "CustomerCompanyName": "Zeta"}
    nobody = {"CustomerCompanyName": "nobody"}

    company_writing.add(customers, values, THEN)
    error = refused(company_writing.add, customers, {**values, **nobody, "CustomerID": "x"}, THEN)
    update = company_writing.update_company
    update(customers, "zeta", {"CustomerCompanySince": "2026-11-01"}, NOW)
    since = get(customers, "zeta").attributes.get("CustomerCompanySince")
    update(customers, "zeta", {"CustomerCompanySince": ""}, NOW)

    assert error == ("refused_by_database", "")
    assert refused(update, customers, "zeta", nobody, NOW) == error
    assert since == "2026-11-01"
    assert "CustomerCompanySince" not in get(customers, "zeta").attributes
    customers.source("CustomerCompany").database.close()


def test_a_read_only_source_is_not_written_to(tickets: Engine, firms: str) -> None:
    add(opened(tickets))
    customers = opened(tickets, {"read_only": True}, {**FIRMS, "url": firms, "read_only": True})
    update = company_writing.update_company

    assert refused(add, customers, CustomerID="new") == ("read_only_source", "")
    assert refused(company_writing.add, customers, ACME, THEN, source="CustomerCompany") == (
        "read_only_source",
        "",
    )
    assert refused(update, customers, "acme", {"CustomerCompanyCity": "x"}, NOW) == (
        "read_only_source",
        "",
    )
    assert refused(company_writing.add, customers, ACME, THEN, source="CustomerCompany9") == (
        "unknown_source",
        "",
    )


def test_a_source_that_is_away_keeps_an_id_from_being_added(tickets: Engine, firms: str) -> None:
    customers = opened(tickets, {}, {**FIRMS, "url": f"{firms}.gone"})

    with pytest.raises(DatabaseFault, match="CustomerCompany1 did not answer"):
        add(customers)
    assert stored(tickets) == {}
