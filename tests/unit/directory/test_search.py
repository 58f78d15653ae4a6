"""A term is parsed as OTOBO reads it, and what it means is decided letter by letter."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from directory.config import LdapSourceConfig, SourceConfig, SqlSourceConfig
from directory.model import CustomerUser
from directory.preselection import MOST_COMPARISONS, preselection
from directory.search import (
    ANYBODY,
    And,
    Between,
    Condition,
    Fits,
    Not,
    Or,
    Order,
    Pattern,
    Query,
    fields_of,
    holds,
    matching,
    moment,
    search_fields,
    term_condition,
)

COMMON = {"customer_key": "login", "customer_id": "customer", "map": {"UserPassword": "pw"}}


def table(**options: object) -> SourceConfig:
    options = {"customer_user_search_fields": ["login", "name"], "table": "people"} | options
    return SqlSourceConfig.model_validate(COMMON | options)


def tree(**options: object) -> SourceConfig:
    options = {"host": "h", "base_dn": "", "customer_user_search_fields": ["login"]} | options
    return LdapSourceConfig.model_validate(COMMON | options)


def word(text: str, *fields: str) -> Fits:
    return Fits(fields or ("login", "name"), Pattern.of(text))


@pytest.mark.parametrize(
    ("term", "meaning"),
    [
        ("jane", word("jane*")),
        ("Jane Doe", word("Jane Doe*")),
        ("jane+doe", And((word("jane*"), word("doe*")))),
        ("jane  +  doe", And((word("jane*"), word("doe*")))),
        ("jane AND doe", And((word("jane*"), word("doe*")))),
        ("jane OR doe", Or((word("jane*"), word("doe*")))),
        ("a OR b+c", Or((word("a*"), And((word("b*"), word("c*")))))),
        ("!jane", Not(word("jane*"))),
        ("!!jane", Not(word("jane*"))),
        ("*!jane", Not(word("*jane*"))),
        ("hans+!huber", And((word("hans*"), Not(word("huber*"))))),
        ("x!y", word("x!y*")),
        ('"Jane"', word("Jane*")),
        ('"a+b OR !c"', word("a+b OR !c*")),
        ('" a "', word(" a *")),
        ('!"a b"', Not(word("a b*"))),
        ('ja"n+e"', word("jan+e*")),
        ('"jane', word('"jane*')),
        ("jane && (doe|x)", word("jane && (doe|x)*")),
        ("and OR", word("and*")),
        ("j**e", word("j*e*")),
        ("+jane+", word("jane*")),
        ("jane++doe", And((word("jane*"), word("doe*")))),
        ("!+jane", word("jane*")),
        ("", None),
        ("+", None),
        ("!", None),
        ("AND", None),
        (" \t ", None),
    ],
)
def test_a_term_is_read_as_otobo_reads_it_for_a_database(
    term: str, meaning: Condition | None
) -> None:
    assert term_condition(term, table()) == meaning


@pytest.mark.parametrize(
    ("term", "meaning"),
    [
        ("jane+doe", And((word("jane*", "login"), word("doe*", "login")))),
        ("jane+", word("jane*", "login")),
        ("!jane", word("!jane*", "login")),
        ('"jane"', word('"jane"*', "login")),
        ("a OR b", word("a OR b*", "login")),
        ("+", None),
    ],
)
def test_for_ldap_only_plus_has_a_meaning(term: str, meaning: Condition | None) -> None:
    assert term_condition(term, tree()) == meaning


def test_a_word_stands_between_prefix_and_suffix() -> None:
    config = table(customer_user_search_prefix="*", customer_user_search_suffix="")

    assert term_condition("a+b", config) == And((word("*a"), word("*b")))


def test_nothing_searches_in_passwords() -> None:
    rows = [["UserPassword", "", "pw"], ["Field", "", "Colour", 0, 0, "dynamic_field"]]
    fields = ["pw", "userPassword", "Colour", "login"]

    searched = ("Colour", "login")
    assert search_fields(table(map=rows, customer_user_search_fields=fields)) == searched
    assert search_fields(tree(map=rows, customer_user_search_fields=fields)) == searched


def test_a_database_needs_search_fields_and_ldap_has_its_key() -> None:
    assert search_fields(table(customer_user_search_fields=[])) == ()
    assert search_fields(tree(customer_user_search_fields=[])) == ("login",)


@pytest.mark.parametrize(
    ("pattern", "text", "exact", "fits"),
    [
        ("*a*", "ACME", False, True),
        ("*a*", "ACME", True, False),
        ("a*", "beta", False, False),
        ("a.c", "abc", False, False),
        ("a*c", "a\nc", False, True),
        ("é*", "É1", False, True),
        ("aba*aba", "aba", False, False),
        ("a*b*c", "axbxc", False, True),
        ("a*bb*b", "abb", False, False),
        ("", "", False, True),
        ("", "a", False, False),
        ("*", "", False, True),
        ("straße", "strasse", False, False),
    ],
)
def test_what_fits_is_decided_letter_by_letter(
    pattern: str, text: str, exact: bool, fits: bool
) -> None:
    assert Pattern.of(pattern).fits(text, exact=exact) is fits


def test_only_wildcards_fit_everybody_and_everything_else_needs_a_value() -> None:
    def nothing(_: str) -> None:
        return None

    assert holds(word("*"), nothing)
    assert not holds(word("a*"), nothing)
    assert holds(Not(word("a*")), nothing)


def test_one_of_several_values_is_enough_and_bytes_are_none() -> None:
    values = {"login": ("x", "jane"), "name": b"jane"}

    assert holds(word("jane"), values.get)
    assert not holds(word("jane", "name"), values.get)


def test_a_field_can_be_compared_as_it_is_spelt() -> None:
    acme = Fits(("login",), Pattern(("acme",)), as_spelt=True)

    assert holds(acme, {"login": "acme"}.get)
    assert not holds(acme, {"login": "ACME"}.get)


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("2026-11-01", "2026-11-01"),
        ("2026-11-01 12:30:05", "2026-11-01 12:30:05"),
        ("2026-11-01T12:30", "2026-11-01 12:30:00"),
        ("2026-11-01 12:30:05.123+01", "2026-11-01 12:30:05"),
        ("20261101123005Z", "2026-11-01 12:30:05"),
        ("20261101123005.0Z", "2026-11-01 12:30:05"),
        ("yesterday", None),
        ("", None),
    ],
)
def test_times_of_databases_and_of_ldap_are_read(text: str, read: str | None) -> None:
    assert moment(text) == read


@pytest.mark.parametrize(
    ("after", "before", "within"),
    [
        ("2026-11-01", "2026-11-01", True),
        ("2026-11-01 12:00:00", "", True),
        ("2026-11-01 12:00:01", "", False),
        ("", "2026-10-31", False),
        ("", "2026-11-01 11:59:59", False),
    ],
)
def test_the_ends_of_a_span_belong_to_it(after: str, before: str, within: bool) -> None:
    changed = {"login": "2026-11-01 12:00:00"}

    assert holds(Between("login", after, before), changed.get) is within


def test_results_are_sorted_by_several_fields_and_each_login_comes_once() -> None:
    people = [
        (CustomerUser("", login, {}), {"login": login, "name": name})
        for login, name in (("b", "x"), ("a", "x"), ("c", "A"), ("b", "z"), ("B", ""))
    ]
    order = (Order("name", descending=True), Order("login"))

    found = matching(Query(order=order, limit=3), people)

    assert [user.login for user in found.customer_users] == ["a", "b", "c"]
    assert found.more
    assert [user.login for user in matching(Query(), people).customer_users] == [*"bacB"]


LETTERS = st.sampled_from([*'aAbß é"+!*&|()%_\\ ', "K", "İ", "\0", " OR ", " AND ", "\ud800"])
TERMS = st.lists(LETTERS, max_size=12).map("".join)


@given(TERMS, TERMS)
def test_no_term_raises_and_the_preselection_loses_nobody(term: str, text: str) -> None:
    for config in (table(), tree()):
        condition = term_condition(term, config)
        if condition is not None and holds(condition, {"login": text}.get):
            assert holds(preselection(condition), {"login": text}.get)


def test_what_a_server_cannot_be_trusted_with_is_left_out() -> None:
    jane, john = word("jane"), word("john")

    assert preselection(And((jane, Not(john)))) == jane
    assert preselection(Or((jane, Not(john)))) == ANYBODY
    assert preselection(Or((And((jane, Not(john))), john))) == Or((jane, john))
    assert preselection(And((word("*"), Between("login", "2026-11-01")))) == ANYBODY
    assert preselection(Or(())) == Or(())


def test_what_is_too_long_for_a_server_is_left_out() -> None:
    many = tuple(word(f"{number}", "login") for number in range(MOST_COMPARISONS + 1))

    assert preselection(And(many)) == And(many[:-1])
    assert preselection(Or(many)) == ANYBODY
    assert preselection(And((Or(many), many[0]))) == many[0]


def test_the_fields_of_a_condition_are_known() -> None:
    condition = And((word("a", "x"), Or((Not(word("b", "y", "z")), Between("t")))))

    assert fields_of(condition) == {"x", "y", "z", "t"}
