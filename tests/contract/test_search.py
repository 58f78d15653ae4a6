"""Searches find the same people in every database and tree, however many and however odd."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

import pytest
import sqlalchemy
from hypothesis import example, given, settings
from hypothesis import strategies as st
from sqlalchemy import insert

from directory.criteria import Criteria, Wanted
from directory.errors import SourceUnavailable
from directory.finding import (
    Results,
    find_customer,
    find_detailed,
    find_email,
    find_login,
    find_term,
)
from directory.model import Found
from directory.search import (
    ANYBODY,
    Condition,
    Fits,
    Not,
    Order,
    Pattern,
    Query,
    holds,
    term_condition,
)
from directory.source import CustomerUserSource
from directory.sql import SqlSource
from tests.contract.ldap_source import LdapDirectory
from tests.contract.sql_source import SqlDirectory, sql_config
from tests.otobo import LONG_AGO
from tests.servers import MariadbServer, PostgresqlServer, SlapdServer
from worker.tickets import schema

ODD_PEOPLE = (
    *("jdoe", "JDoe2", "jane.doe", "j doe", "anna", "ANNABEL", "müller", "MÜLLER2", "muller"),
    *("straße", "strasse", "j*e", "100%", "a_b", "ab", "o'neil", 'say "hi"', "br(a)ce", "a&b|c"),
    *(
        "back\\slash",
        "plus+one",
        "no!t",
        "x!",
        "!x",
        "İstanbul",
        "\N{LATIN SMALL LETTER DOTLESS I}sparta",
        "KELVIN",
        "漢字",
        "é",
    ),
    *("{j,d}", "[ab]", "a^b", "<tag>", "semi;colon", "#hash", "-dash-", "tab\tbed", "NULL"),
)
"""Names that some server might take for something else. No two are one to an LDAP server."""

LIMIT = 500
CROWD = 10_000

Sources = Mapping[str, CustomerUserSource]


@pytest.fixture(scope="module")
def crowded_slapd() -> Iterator[SlapdServer]:
    """slapd that ends a search after 500 entries; ou=people2 holds 10,000."""
    with SlapdServer(size_limit=LIMIT) as server:
        server.load(
            "".join(
                f"dn: uid=user{number:05},ou=people2,{server.base_dn}\n"
                "objectClass: inetOrgPerson\n"
                f"uid: user{number:05}\ncn: Some One\nsn: One\n"
                f"mail: {'even' if number % 2 == 0 else 'odd'}{number}@cust.test\n\n"
                for number in range(CROWD)
            )
        )
        yield server


@pytest.fixture(scope="module")
def odd_sources(
    crowded_slapd: SlapdServer,
    postgresql_server: PostgresqlServer,
    mariadb_server: MariadbServer,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Sources]:
    """The same odd people behind each kind of source."""
    folder = tmp_path_factory.mktemp("people")
    options: dict[str, Any] = {"customer_user_search_prefix": "*"}
    postgresql, mariadb = postgresql_server.create_database(), mariadb_server.create_database()
    sql = {
        "sqlite": SqlDirectory(f"sqlite:///{folder / 'people.sqlite'}", None, folder),
        "postgresql": SqlDirectory(postgresql, postgresql_server, folder),
        "mariadb": SqlDirectory(mariadb, mariadb_server, folder),
    }
    tree = LdapDirectory(crowded_slapd)
    places: list[SqlDirectory | LdapDirectory] = [*sql.values(), tree]
    for place in places:
        for name in ODD_PEOPLE:
            place.add_person(name, name, "Doe", f"{len(name)}@cust.test", "acme")
    by_uid = {**options, "customer_user_search_fields": ["uid", "givenName"]}
    by_login = {**options, "customer_user_search_fields": ["login", "first_name"]}
    sources: dict[str, CustomerUserSource] = {
        name: place.source(**by_login) for name, place in sql.items()
    }
    sources["ldap"] = tree.source(**by_uid)
    yield sources
    for place in places:
        place.close()
    postgresql_server.drop_database(postgresql)
    mariadb_server.drop_database(mariadb)


def found(source: CustomerUserSource, condition: Condition, *, valid_only: bool = True) -> set[str]:
    query = Query(condition, valid_only=valid_only)
    return {user.login for user in source.search(query).customer_users}


LETTERS = st.sampled_from([*"aAbjxüÜßéiİkK漢*+!\"&|()%_\\[]{}^<>#;,=-'.~", " ", "\0", "\ud800"])
WORDS = st.one_of(st.sampled_from(ODD_PEOPLE), st.text(LETTERS, max_size=5))
TERMS = st.lists(WORDS, min_size=1, max_size=3).map("+".join)


@settings(max_examples=60)
@given(TERMS)
@example("*")
@example("!*")
@example("a OR !b")
@example('"plus+one"')
@example("+".join("a" * 300))
@example(" OR ".join(f"{number}" for number in range(400)))
@example("%" * 5_000)
@example("ü" * 20_000)
def test_a_term_finds_in_every_database_just_those_who_fit_it(
    odd_sources: Sources, term: str
) -> None:
    config = odd_sources["sqlite"].config
    condition = term_condition(term, config)
    if condition is None:
        return
    expected = {
        name for name in ODD_PEOPLE if holds(condition, {"login": name, "first_name": name}.get)
    }

    for backend in ("sqlite", "postgresql", "mariadb"):
        assert (backend, found(odd_sources[backend], condition)) == (backend, expected)


@settings(max_examples=80)
@given(TERMS)
@example("*")
@example("*)(uid=*")
@example("i")
@example("İ")
@example("\N{LATIN SMALL LETTER DOTLESS I}")
@example("ss")
@example("ß")
@example("k")
@example("K")
@example("u")
@example("Ü")
@example("j  d")
@example('!"')
def test_a_term_finds_the_same_people_in_a_tree(odd_sources: Sources, term: str) -> None:
    tree = odd_sources["ldap"]
    condition = term_condition(term, tree.config)
    meant = term_condition(as_openldap_reads(term), tree.config)
    if condition is None or meant is None:
        return

    def expected(name: str) -> bool:
        return holds(meant, {"uid": as_openldap_reads(name)}.get)

    assert found(tree, condition) == set(filter(expected, ODD_PEOPLE))


def as_openldap_reads(text: str) -> str:
    """Where OpenLDAP is more generous than we are: ``İ`` is ``i``, and blanks are squeezed."""
    return re.sub(" +", " ", text.replace("İ", "i"))


@pytest.mark.parametrize("backend", ["sqlite", "postgresql", "mariadb", "ldap"])
def test_who_was_left_out_here_does_not_count_for_the_limit(
    odd_sources: Sources, backend: str
) -> None:
    source = odd_sources[backend]
    key = source.config.customer_key
    nobody_else = Not(Fits((key,), Pattern.of("a*")))
    order = (Order(key, descending=True),)

    matches = source.search(Query(nobody_else, order=order, limit=len(ODD_PEOPLE)))
    first = source.search(Query(nobody_else, limit=3))

    expected = sorted((name for name in ODD_PEOPLE if name[0] not in "aA"), reverse=True)
    assert [user.login for user in matches.customer_users] == expected
    assert not matches.more
    assert (len(first.customer_users), first.more) == (3, True)


def test_everybody_is_found_on_a_server_that_ends_each_search_after_some_hundred(
    crowded_slapd: SlapdServer,
) -> None:
    place = LdapDirectory(crowded_slapd)
    options: dict[str, Any] = {"base_dn": f"ou=people2,{crowded_slapd.base_dn}", "timeout": 60}
    fields = {"customer_user_search_fields": ["mail"], "customer_user_list_fields": ["uid"]}
    source = place.source(**options, **fields)
    variables = frozenset({"UserLogin"})

    everybody = source.search(Query(variables=variables))
    even = find_term([source], "even", limit=CROWD)
    some = find_term([source], "even")
    last = Criteria(order=(("UserLogin", True),), limit=2, offset=LIMIT, variables=variables)
    page = find_detailed([source], last)
    place.close()

    logins = [user.login for user in everybody.customer_users]
    assert sorted(logins) == [f"user{number:05}" for number in range(CROWD)]
    assert not everybody.reason
    assert (len(even.hits), even.more, even.unanswered) == (CROWD // 2, (), ())
    assert (len(some.hits), some.more) == (250, ("",))
    assert [hit.mail_string for hit in page.hits] == ["user09499", "user09498"]
    assert page.more == ("",)


def test_a_server_that_shows_no_way_to_the_rest_is_not_believed_to_have_told_all(
    crowded_slapd: SlapdServer,
) -> None:
    place = LdapDirectory(crowded_slapd)
    base_dn = f"ou=people2,{crowded_slapd.base_dn}"
    # Beginnings of this attribute's values cannot be compared.
    source = place.source(base_dn=base_dn, customer_key="objectClass", timeout=60, slot="2")

    matches = source.search(Query(ANYBODY))
    found_ones = find_login([source], "inetOrgPerson", limit=CROWD)
    place.close()

    assert matches.reason
    assert [one.slot for one in found_ones.unanswered] == ["2"]
    assert "before it has told all" in found_ones.unanswered[0].reason


def test_a_page_of_the_answer_that_is_refused_makes_the_source_unavailable(
    crowded_slapd: SlapdServer,
) -> None:
    place = LdapDirectory(crowded_slapd)
    source = place.source(base_dn="ou=nowhere,dc=example,dc=com", slot="2")

    with pytest.raises(SourceUnavailable, match="noSuchObject"):
        source.search(Query())
    place.close()


def test_only_members_of_the_group_are_found(slapd: SlapdServer) -> None:
    place = LdapDirectory(slapd)
    for number in range(450):
        place.add_person(f"user{number}", "Jane", "Doe", f"{number}@cust.test", "acme")
    members = [f"user{number}" for number in range(0, 450, 3)]
    group = {"objectClass": "posixGroup", "cn": "g", "gidNumber": "1", "memberUid": members}
    slapd.add(f"cn=g,ou=groups,{slapd.base_dn}", group)
    source = place.source(group_dn=f"ou=groups,{slapd.base_dn}")

    everybody = source.search(Query())
    some = source.search(Query(limit=20))
    place.close()

    assert [user.login for user in everybody.customer_users] == members
    assert [user.login for user in some.customer_users] == members[:20]
    assert some.more


def test_the_filter_for_valid_entries_counts_unless_invalid_ones_are_wanted(
    slapd: SlapdServer,
) -> None:
    place = LdapDirectory(slapd)
    place.add_entry("In", uid="in")
    place.add_entry("Out", uid="out", description="locked")
    place.add_entry("Other", uid="other", title="robot")
    source = place.source(
        always_filter="(!(title=robot))", customer_user_valid_filter="(!(description=locked))"
    )

    logins = {valid: found(source, ANYBODY, valid_only=valid) for valid in (True, False)}
    place.close()

    assert logins == {True: {"in"}, False: {"in", "out"}}


def test_a_telephone_number_is_found_however_it_is_written(slapd: SlapdServer) -> None:
    place = LdapDirectory(slapd)
    place.add_entry("Jane", uid="jdoe", telephoneNumber="+49 30 12-34")
    source = place.source()
    phone = ("telephoneNumber",)

    for wanted in ("+4930 1234", "+49*1234", "*1 2*", "*12*"):
        assert found(source, Fits(phone, Pattern.of(wanted))) == {"jdoe"}
    assert found(source, Not(Fits(phone, Pattern.of("*12*")))) == set()
    assert found(source, Not(Fits(phone, Pattern.of("*99*")))) == {"jdoe"}
    place.close()


@pytest.fixture
def customer_users(ticket_database: str) -> Iterator[SqlSource]:
    """OTOBO's own table on each kind of server, with valid and invalid customer users."""
    engine = sqlalchemy.create_engine(ticket_database, poolclass=sqlalchemy.NullPool)
    with engine.begin() as connection:
        for number, (login, valid) in enumerate([("in", 1), ("out", 2), ("away", 3)], start=1):
            values: dict[str, Any] = dict.fromkeys(("first_name", "last_name"), "Jane")
            values |= {"login": login, "email": f"{login}@cust.test", "customer_id": "acme"}
            stamps = {"create_time": LONG_AGO, "create_by": 1, "change_by": 1}
            changed = f"2024-{number:02}-15 12:00:00"
            values |= {"valid_id": valid, "change_time": changed, **stamps}
            connection.execute(insert(schema.customer_user).values(values))
    config = sql_config(
        table="customer_user",
        foreign_db=False,
        customer_valid="valid_id",
        customer_user_search_fields=["login", "customer_id"],
        customer_user_post_master_search_fields=["email"],
        extra_map={"ValidID": "valid_id"},
    )
    yield SqlSource(config, lambda: engine)
    engine.dispose()


def test_customer_users_of_a_list_are_those_of_a_look_up(
    customer_users: SqlSource, ticket_database: str
) -> None:
    settings: list[Mapping[str, Any]] = [{}]
    if ticket_database.startswith("postgresql"):
        settings.append({"options": "-c DateStyle=German"})
    query = Query(valid_only=False, order=(Order("login"),), limit=3)
    for arguments in settings:
        engine = sqlalchemy.create_engine(
            ticket_database, poolclass=sqlalchemy.NullPool, connect_args=dict(arguments)
        )
        source = SqlSource(customer_users.config, lambda engine=engine: engine)  # type: ignore[misc]

        listed = source.search(query).customer_users
        answers = source.find(["away", "in", "out"])

        looked_up = {
            login: dict(answer.customer_user.attributes)
            for login, answer in answers.items()
            if isinstance(answer, Found)
        }
        assert {user.login: dict(user.attributes) for user in listed} == looked_up
        assert listed[1].attributes["ChangeTime"] == "2024-01-15 12:00:00"
        engine.dispose()


def test_valid_customer_users_alone_are_found_unless_invalid_ones_are_wanted(
    customer_users: SqlSource,
) -> None:
    def logins(found: Results) -> set[str]:
        return {hit.customer_user.login for hit in found.hits}

    sources = [customer_users]
    assert logins(find_term(sources, "acme")) == {"in"}
    assert logins(find_term(sources, "acme", valid_only=False)) == {"in", "out", "away"}
    assert logins(find_email(sources, "OUT@cust.test")) == set()
    assert logins(find_email(sources, "OUT@cust.test", valid_only=False)) == {"out"}
    assert logins(find_customer(sources, "ac*")) == {"in"}
    invalid = Criteria(fields={"ValidID": Wanted(("2", "3"))})
    assert logins(find_detailed(sources, invalid)) == set()
    assert logins(find_detailed(sources, replace(invalid, valid_only=False))) == {"out", "away"}


def test_customer_users_are_found_by_the_time_of_their_change(customer_users: SqlSource) -> None:
    span = Wanted(after="2024-02-15", before="2024-02-15")
    criteria = Criteria(
        fields={"ChangeTime": span}, order=(("ChangeTime", True),), valid_only=False
    )

    (hit,) = find_detailed([customer_users], criteria).hits

    assert hit.customer_user.login == "out"


def test_letters_that_a_database_does_not_hold_are_in_nobodys_name(
    sql_directory: SqlDirectory,
) -> None:
    if sql_directory.url.startswith("mysql"):
        sql_directory.execute(
            "ALTER TABLE people MODIFY login VARCHAR(200) CHARACTER SET latin1 COLLATE latin1_bin"
        )
    for exact in (False, True):
        source = sql_directory.source(case_sensitive=exact)
        for wanted in ("漢字", "*漢*", "a*\ud800", "*\0*"):
            assert found(source, Fits(("login",), Pattern.of(wanted))) == set()
    sql_directory.add_person("jdoé", "Jane", "Doe", "jdoe@cust.test", "acme")
    for wanted, logins in (("jdoé", {"jdoé"}), ("*é", {"jdoé"}), ("*É", set()), ("*O*", set())):
        assert found(source, Fits(("login",), Pattern.of(wanted))) == logins


def test_a_number_is_found_by_its_digits(sql_directory: SqlDirectory) -> None:
    sql_directory.add_person("jdoe", "Jane", "Doe", "jdoe@cust.test", "acme")
    source = sql_directory.source(customer_key="id", extra_map={"UserLogin": "id"})

    assert found(source, Fits(("id",), Pattern.of("1*"))) == {"1"}
    assert found(source, Fits(("id",), Pattern.of("x"))) == set()


def test_a_column_that_is_not_there_makes_the_source_unavailable(
    sql_directory: SqlDirectory,
) -> None:
    source = sql_directory.source(customer_user_search_fields=["nick"], slot="2")

    results = find_term([source], "jane")

    assert [one.slot for one in results.unanswered] == ["2"]
    assert "jane" not in results.unanswered[0].reason
