"""The results of several sources are put together: each login once, and no silence is hidden."""

from collections.abc import Mapping
from typing import Any

import pytest

from directory.config import LdapSourceConfig, SourceConfig, SqlSourceConfig
from directory.criteria import Criteria, Wanted, WrongCriteria, wanted
from directory.errors import SourceUnavailable
from directory.finding import (
    Results,
    find_customer,
    find_detailed,
    find_email,
    find_login,
    find_term,
)
from directory.model import CustomerUser, Unavailable
from directory.search import Matches, Query, matching

MAP = {
    "UserLogin": "login",
    "UserFirstname": "first",
    "UserEmail": "mail",
    "UserCustomerID": "customer",
    "UserPassword": "pw",
}


class Listed:
    """A source over a list of people: login, first name and customer id."""

    def __init__(self, slot: str, *people: tuple[str, str, str], **options: Any) -> None:
        settings: dict[str, Any] = {
            "slot": slot,
            "customer_key": "login",
            "customer_id": "customer",
            "map": MAP,
            "customer_user_search_fields": ["login", "first", "customer"],
            "customer_user_post_master_search_fields": ["mail"],
            "customer_user_list_fields": ["first", "mail"],
        } | options
        self.away = settings.pop("away", "")
        self.reason = settings.pop("reason", "")
        self.config: SourceConfig = (
            LdapSourceConfig.model_validate(settings)
            if "host" in settings
            else SqlSourceConfig.model_validate({"table": "people"} | settings)
        )
        keys = ("login", "first", "customer")
        self.people = [dict(zip(keys, person, strict=True)) for person in people]
        for person in self.people:
            person["mail"] = f"{person['login']}@{slot or 0}.test"

    def search(self, query: Query) -> Matches:
        if self.away:
            raise SourceUnavailable(self.config.slot, self.away)
        found = matching(query, ((self._user(person), person) for person in self.people))
        return Matches(found.customer_users, found.more, self.reason)

    def login_key(self, login: str) -> str:
        return login.lower()

    def _user(self, person: Mapping[str, str]) -> CustomerUser:
        storages = self.config.storages
        attributes = {name: person[storage] for name, storage in storages.items()}
        return CustomerUser(self.config.slot, person["login"], attributes)


def tree(slot: str, *people: tuple[str, str, str], **options: Any) -> Listed:
    return Listed(slot, *people, host="h", base_dn="", **options)


def logins(found: Results) -> list[str]:
    return [hit.customer_user.login for hit in found.hits]


JANE = ("jdoe", "Jane", "acme")
JOHN = ("jsmith", "John", "acme")
ANNA = ("anna", "Anna", "beta")


def test_each_login_comes_once_and_the_first_source_wins() -> None:
    sources = [Listed("", JANE), tree("1", ("JDoe", "Jo", "x"), ANNA), Listed("2", JANE, JOHN)]

    found = find_term(sources, "j")  # type: ignore[arg-type]

    assert [(hit.customer_user.login, hit.customer_user.slot) for hit in found.hits] == [
        ("jdoe", ""),
        ("jsmith", "2"),
    ]
    assert found.hits[0].mail_string == '"Jane" <jdoe@0.test>'
    assert "Jane" not in repr(found)


def test_two_spellings_that_one_source_keeps_apart_are_both_shown() -> None:
    found = find_term([Listed("", JANE, ("JDOE", "Jane", "acme"))], "jane")  # type: ignore[list-item]

    assert logins(found) == ["jdoe", "JDOE"]


def test_a_source_that_does_not_answer_stands_beside_the_results() -> None:
    sources = [
        Listed("", away="Connection refused"),
        Listed("1", JANE, customer_user_search_fields=[]),
        Listed("2", JANE, reason="cut short"),
    ]

    found = find_term(sources, "jane")  # type: ignore[arg-type]

    assert logins(found) == ["jdoe"]
    assert found.unanswered == (
        Unavailable("", "Connection refused"),
        Unavailable(
            "1", "customer_user_search_fields of CustomerUser1 names no field to search in"
        ),
        Unavailable("2", "cut short"),
    )


def test_each_source_has_a_limit_of_its_own() -> None:
    people = (JANE, JOHN, ANNA)
    sources = [Listed("", *people, customer_user_search_list_limit=2), Listed("1", ("x", "J", "y"))]

    found = find_term(sources, "*")  # type: ignore[arg-type]

    assert logins(found) == ["jdoe", "jsmith", "x"]
    assert found.more == ("",)
    assert logins(find_term(sources, "*", limit=1)) == ["jdoe", "x"]  # type: ignore[arg-type]
    assert not find_term(sources, "*", limit=9).more  # type: ignore[arg-type]


def test_a_term_without_a_word_finds_nobody() -> None:
    sources: list[Any] = [Listed("", JANE)]

    for term in ("", " ", "+", "!"):
        assert find_term(sources, term) == Results(())
    assert find_email(sources, "") == find_login(sources, " ") == Results(())
    assert find_customer(sources, "") == Results(())


def test_a_search_for_a_person_leaves_the_customer_id_out() -> None:
    sources: list[Any] = [Listed("", JANE, customer_user_search_fields=["login", "customer_id"])]

    assert find_term(sources, "acme", person_only=True) == Results(())


def test_logins_customers_and_addresses_are_found_as_otobo_finds_them() -> None:
    sources: list[Any] = [Listed("", JANE, ANNA), tree("1", JOHN)]

    assert logins(find_login(sources, "DOE")) == ["jdoe"]
    assert logins(find_login(sources, "j*")) == ["jdoe"]
    assert logins(find_login(sources, "jsmith")) == ["jsmith"]
    assert logins(find_customer(sources, "ac*")) == ["jdoe"]
    assert logins(find_customer(sources, "acme")) == ["jdoe", "jsmith"]
    assert logins(find_customer(sources, "ac*", wildcards=False)) == []
    assert logins(find_email(sources, "JDOE@0.test")) == ["jdoe"]
    assert logins(find_email(sources, "*@0.test")) == []
    assert logins(find_email(sources, "j*@1.test")) == ["jsmith"]


def test_validity_is_asked_for_but_ldap_sources_find_valid_ones_alone() -> None:
    asked: list[tuple[str, bool]] = []

    class Noting(Listed):
        def search(self, query: Query) -> Matches:
            asked.append((self.config.slot, query.valid_only))
            return Matches(())

    sources: list[Any] = [Noting(""), Noting("1", host="h", base_dn="")]
    find_term(sources, "x")
    find_term(sources, "x", valid_only=False)
    find_detailed(sources, Criteria(valid_only=False))

    assert asked == [("", True), ("1", True), ("", False), ("1", True), ("", False), ("1", False)]


def detailed(sources: list[Any], said: Mapping[str, Any] | None = None, **more: Any) -> Results:
    fields = {name: wanted(name, value) for name, value in (said or {}).items()}
    return find_detailed(sources, Criteria(fields=fields, **more))


def test_all_fields_of_a_detailed_search_must_fit_and_one_of_a_list() -> None:
    sources = [Listed("", JANE, JOHN, ANNA)]

    assert logins(detailed(sources, {"UserFirstname": "j*"})) == ["jsmith", "jdoe"]
    assert logins(detailed(sources, {"UserFirstname": ["jane", "anna"]})) == ["jdoe", "anna"]
    assert logins(detailed(sources, {"UserFirstname": {"all_of": ["j*", "*e"]}})) == ["jdoe"]
    both = {"UserFirstname": "j*", "UserLogin": "*smith"}
    assert logins(detailed(sources, both)) == ["jsmith"]
    assert logins(detailed(sources, customer_ids=("acme",))) == ["jsmith", "jdoe"]
    assert logins(detailed(sources, customer_ids=("ACME",))) == []
    assert logins(detailed(sources, excluded_logins=("jdoe", "ANNA"))) == ["jsmith", "anna"]


def test_a_detailed_search_comes_in_pages_and_is_counted() -> None:
    sources = [Listed("", JANE, JOHN), Listed("1", ANNA, JANE)]
    by_login = (("UserLogin", False),)

    page = detailed(sources, order=by_login, limit=2)
    rest = detailed(sources, order=by_login, limit=2, offset=2)
    counted = detailed(sources, order=by_login, limit=1, count=True)

    assert (logins(page), page.more, page.total) == (["anna", "jdoe"], ("",), None)
    assert (logins(rest), rest.more) == (["jsmith"], ())
    assert (logins(counted), counted.total) == (["anna"], 3)


def test_a_login_that_an_earlier_source_has_is_hidden_wherever_it_would_stand() -> None:
    sources = [Listed("", ("jdoe", "Zoe", "x"), ANNA), Listed("1", JANE, JOHN)]

    found = detailed(sources, order=(("UserFirstname", False),), limit=2)

    assert logins(found) == ["anna", "jsmith"]
    assert found.more == ("",)


def test_a_source_that_lacks_a_field_has_nobody_who_fits() -> None:
    sources = [Listed("", JANE, map=MAP | {"UserFax": "login"}), Listed("1", JOHN)]

    assert logins(detailed(sources, {"UserFax": "*"})) == ["jdoe"]


@pytest.mark.parametrize(
    ("criteria", "said"),
    [
        (Criteria(fields={"UserFux": Wanted(("x",))}), "no source has a field UserFux"),
        (Criteria(fields={"UserPassword": Wanted(("x",))}), "no source has a field UserPassword"),
        (Criteria(order=(("UserFux", True),)), "no source has a field UserFux"),
        (Criteria(order=(("UserLogin", True), ("UserLogin", False))), "order names a field twice"),
        (Criteria(fields={"UserFirstname": Wanted(("Jo",))}), "it can be: Jane, John"),
    ],
)
def test_criteria_that_make_no_sense_are_refused(criteria: Criteria, said: str) -> None:
    choices = {"UserFirstname": {"Jane": "J", "John": "J"}}

    with pytest.raises(WrongCriteria, match=said):
        find_detailed([Listed("", JANE, selections=choices)], criteria)  # type: ignore[list-item]


@pytest.mark.parametrize(
    "said", [1, None, ["a", 1], {}, {"like": "a"}, {"after": "soon"}, {"before": 5}]
)
def test_what_is_wanted_of_a_field_must_be_of_a_known_form(said: Any) -> None:
    with pytest.raises(WrongCriteria, match="UserCity"):
        wanted("UserCity", said)


def test_a_span_of_time_is_wanted() -> None:
    assert wanted("ChangeTime", {"after": "2026-11-01", "before": "20261130"}) == Wanted(
        after="2026-11-01", before="2026-11-30"
    )
