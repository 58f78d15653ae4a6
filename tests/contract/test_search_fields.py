"""Searches look into dynamic fields of customer users, and for times, on every database."""

from collections.abc import Iterator, Sequence
from typing import Any

import pytest
import sqlalchemy
from hypothesis import example, given, settings
from hypothesis import strategies as st
from sqlalchemy import insert

from directory import customer_user_fields
from directory.criteria import Criteria, Wanted, WrongCriteria
from directory.database import Database
from directory.dynamic_fields import DynamicFields
from directory.finding import Results, find_detailed, find_email, find_term
from directory.ldap import LdapSource
from directory.search import Between, Not, OneOf, Query, holds, term_condition
from directory.source import CustomerUserSource
from directory.sql import SqlSource
from directory.transactions import transact
from tests.contract.ldap_source import LdapDirectory
from tests.contract.sql_source import SqlDirectory, sql_config
from tests.otobo import LONG_AGO, Otobo
from tests.servers import SlapdServer
from worker.tickets import schema
from worker.tickets.engine import ticket_engine

PEOPLE = {
    "jane": {"Colour": ("Dark Blue",), "Since": ("2026-03-01 00:00:00",)},
    "john": {"Colour": ("blue 100%",), "Mail": ("home@cust.test",)},
    "anna": {"Since": ("2026-05-31 00:00:00",), "Member": ("1",)},
    "olaf": {},
}
FIELDS = {"Colour": "Text", "Mail": "Text", "Since": "Date", "Member": "Checkbox"}
MAP_ROWS = {
    f"DynamicField_{name}": {"storage": name, "storage_type": "dynamic_field"} for name in FIELDS
}


class Site:
    """A ticket system whose customer users have dynamic fields."""

    def __init__(self, url: str) -> None:
        self.engine = ticket_engine(url)
        self.statements: list[str] = []
        self.database = Database(lambda: self.engine, 30, shared=True)
        self.fields = DynamicFields(self.database)
        otobo = Otobo(url)
        for name, kind in FIELDS.items():
            otobo.add_field(name, kind, {}, object_type="CustomerUser")
        otobo.close()
        with self.engine.begin() as connection:
            for month, login in enumerate(PEOPLE, start=1):
                values: dict[str, Any] = dict.fromkeys(("first_name", "last_name"), "Some")
                values |= {"login": login, "email": f"{login}@cust.test", "customer_id": "acme"}
                stamps = {"create_time": LONG_AGO, "create_by": 1, "change_by": 1, "valid_id": 1}
                changed = f"2026-{month:02}-15 12:00:00"
                connection.execute(
                    insert(schema.customer_user).values(values | stamps | {"change_time": changed})
                )
        transact(self.database, self._fill, turn="customer_user")

    def _fill(self, connection: sqlalchemy.Connection) -> None:
        known = customer_user_fields.definitions(connection, FIELDS)
        customer_user_fields.write(connection, known, PEOPLE)

    def source(self, **more: Any) -> SqlSource:
        config = sql_config(
            table="customer_user",
            foreign_db=False,
            customer_valid="valid_id",
            extra_map=MAP_ROWS,
            customer_user_search_fields=["login", "Colour", "Member"],
            customer_user_post_master_search_fields=["email", "Mail"],
            **more,
        )
        return SqlSource(config, lambda: self.engine)

    def listen(self) -> None:
        """Take down the statements from now on."""
        sqlalchemy.event.listen(
            self.engine,
            "before_cursor_execute",
            lambda *arguments: self.statements.append(arguments[2]),
        )


@pytest.fixture
def site(ticket_database: str) -> Iterator[Site]:
    found = Site(ticket_database)
    yield found
    found.engine.dispose()


def logins(found: Results) -> set[str]:
    assert found.unanswered == ()
    return {hit.customer_user.login for hit in found.hits}


def test_a_term_is_found_anywhere_in_a_dynamic_field_too(site: Site) -> None:
    sources, holders = [site.source()], site.fields.holders

    def found(term: str) -> set[str]:
        return logins(find_term(sources, term, holders=holders))

    assert found("blue") == {"jane", "john"}
    assert found("BLUE+j") == {"jane", "john"}
    assert found("blue+!dark") == {"john"}
    assert found("!blue") == {"anna", "olaf"}
    assert found("1") == {"john", "anna"}
    assert found("100%") == {"john"}
    assert found("_") == set()
    assert found("ol OR dark*ue") == {"olaf", "jane"}


def test_an_address_in_a_dynamic_field_must_be_all_of_it(site: Site) -> None:
    sources, holders = [site.source()], site.fields.holders

    assert logins(find_email(sources, "HOME@cust.test", holders=holders)) == {"john"}
    assert logins(find_email(sources, "john@cust.test", holders=holders)) == {"john"}
    assert logins(find_email(sources, "home@cust.tes", holders=holders)) == set()


def test_criteria_can_be_about_dynamic_fields_but_nothing_is_sorted_by_them(site: Site) -> None:
    sources, holders = [site.source()], site.fields.holders

    def found(**wanted: Wanted) -> set[str]:
        fields = {f"DynamicField_{name}": one for name, one in wanted.items()}
        return logins(find_detailed(sources, Criteria(fields=fields), holders))

    assert found(Colour=Wanted(("*blue*",))) == {"jane", "john"}
    assert found(Colour=Wanted(("blue",))) == set()
    assert found(Since=Wanted(after="2026-03-01", before="2026-05-30")) == {"jane"}
    assert found(Since=Wanted(after="2026-03-01")) == {"jane", "anna"}
    assert found(Member=Wanted(("1",))) == {"anna"}
    with pytest.raises(WrongCriteria, match="DynamicField_Colour is a dynamic field"):
        find_detailed(sources, Criteria(order=(("DynamicField_Colour", True),)), holders)


def test_a_directory_without_a_ticket_system_says_that_it_knows_no_dynamic_fields(
    site: Site,
) -> None:
    found = find_term([site.source()], "blue")

    assert found.hits == ()
    assert "dynamic fields" in found.unanswered[0].reason


def test_a_fault_of_the_ticket_system_is_told_beside_the_results(site: Site) -> None:
    fields = DynamicFields(
        Database(lambda: ticket_engine("sqlite:///nowhere/at/all"), 5, shared=True)
    )

    found = find_term([site.source()], "blue", holders=fields.holders)

    assert "could not be read" in found.unanswered[0].reason


def test_people_of_a_tree_are_found_by_fields_that_the_ticket_system_has(
    slapd: SlapdServer, site: Site
) -> None:
    place = LdapDirectory(slapd)
    for login in PEOPLE:
        place.add_entry(login, uid=login)
    rows = [[name, "", row["storage"], 0, 0, "dynamic_field"] for name, row in MAP_ROWS.items()]
    config = place.source().config.model_dump() | {
        "map": [["UserLogin", "", "uid"], *rows],
        "customer_user_search_fields": ["cn", "Colour"],
    }
    source = LdapSource(type(place.source().config).model_validate(config))

    found = find_term([source], "blue", holders=site.fields.holders)
    place.close()
    source.close()

    assert logins(found) == {"jane", "john"}


def test_a_list_of_logins_means_those_alone_however_long_it_is(
    site: Site, slapd: SlapdServer
) -> None:
    place = LdapDirectory(slapd)
    for login in PEOPLE:
        place.add_entry(login, uid=login)
    sources: tuple[CustomerUserSource, ...] = (site.source(), place.source())

    for source in sources:
        key = source.config.customer_key
        for others in (0, 300, 11_000):
            wanted = OneOf(key, frozenset({"jane", "olaf", "JOHN", *map(str, range(others))}))
            matches = source.search(Query(wanted))
            assert {user.login for user in matches.customer_users} == {"jane", "olaf"}
            matches = source.search(Query(Not(wanted)))
            assert {user.login for user in matches.customer_users} == {"john", "anna"}
        odd = OneOf(key, frozenset({"\0", "\ud800", "漢"}))
        assert source.search(Query(odd)).customer_users == ()
    place.close()


SPANS = [
    (("2026-02-15", ""), {"john", "anna", "olaf"}),
    (("", "2026-02-15"), {"jane", "john"}),
    (("2026-02-15", "2026-02-15"), {"john"}),
    (("2026-02-15 12:00:00", "2026-03-15 12:00:00"), {"john", "anna"}),
    (("2026-02-15 12:00:01", "2026-03-15 11:59:59"), set()),
    (("2026-02-31", ""), {"anna", "olaf"}),
    (("", "9999-12-31"), set(PEOPLE)),
]


@pytest.mark.parametrize(("span", "expected"), SPANS)
def test_a_time_is_compared_by_the_server_where_the_column_holds_times(
    site: Site, span: tuple[str, str], expected: set[str]
) -> None:
    site.listen()
    criteria = Criteria(fields={"ChangeTime": Wanted(after=span[0], before=span[1])})

    found = find_detailed([site.source()], criteria)

    assert logins(found) == expected
    (statement,) = (text for text in site.statements if "FROM customer_user" in text)
    decided_there = site.engine.dialect.name != "sqlite" and span not in {
        ("2026-02-31", ""),
        ("", "9999-12-31"),
    }
    assert ("change_time >=" in statement or "change_time <" in statement) == decided_there


def test_days_and_texts_are_compared_as_days(sql_directory: SqlDirectory) -> None:
    sql_directory.execute(
        "ALTER TABLE people ADD COLUMN born DATE", "ALTER TABLE people ADD COLUMN seen VARCHAR(30)"
    )
    sql_directory.add_person("jane", "Jane", "Doe", "jane@cust.test", "acme")
    sql_directory.execute("UPDATE people SET born = '2026-11-30', seen = '20261130120000Z'")
    source = sql_directory.source(extra_map={"Born": "born", "Seen": "seen"})

    def found(name: str, after: str, before: str) -> bool:
        return bool(source.search(Query(Between(name, after, before))).customer_users)

    for name in ("born", "seen"):
        assert found(name, "2026-11-30", "2026-11-30")
        assert not found(name, "2026-12-01", "")
        assert not found(name, "", "2026-11-29")
        assert found(name, "", "2026-11-30 12:00:00")
    assert found("seen", "2026-11-30 12:00:00", "")
    assert not found("born", "2026-11-30 12:00:00", "")  # which is not said of a day


LETTERS = st.sampled_from([*"abjxüßé漢*()&|%_\\'-.", " ", "\0"])
WORDS = st.text(LETTERS, max_size=4).filter(lambda word: not word.startswith("!"))
ODD = ("jane", "JANE2", "j%x", "a_b", "a*b", "(x)", "müller", "straße", "o'neil", "漢字", "b\\a")


@pytest.fixture
def both(sql_directory: SqlDirectory, slapd: SlapdServer) -> Iterator[Sequence[CustomerUserSource]]:
    """The same people in a table and in a tree."""
    tree = LdapDirectory(slapd)
    for name in ODD:
        sql_directory.add_person(name, "Some", "One", "some@cust.test", "acme")
        tree.add_entry(name.encode().hex(), uid=name)
    options: dict[str, Any] = {"customer_user_search_prefix": "*"}
    yield (
        sql_directory.source(customer_user_search_fields=["login"], **options),
        tree.source(customer_user_search_fields=["uid"], **options),
    )
    tree.close()


def test_a_term_finds_the_same_people_in_a_table_and_in_a_tree(
    both: Sequence[CustomerUserSource],
) -> None:
    @settings(max_examples=60, database=None)
    @given(st.lists(WORDS, min_size=1, max_size=3).map("+".join))
    @example("*)(uid=*")
    @example("%")
    @example("' or '1'='1")
    @example("j+a*e")
    def finds_the_same(term: str) -> None:
        for source in both:
            condition = term_condition(term, source.config)
            users = source.search(Query(condition)).customer_users if condition else ()
            key = source.config.customer_key
            fit = {name for name in ODD if condition and holds(condition, {key: name}.get)}
            assert ({user.login for user in users}, source.config.kind) == (fit, source.config.kind)

    finds_the_same()
