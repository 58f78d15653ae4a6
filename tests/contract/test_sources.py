"""The contract of every kind of customer user source: ``directory.source.CustomerUserSource``."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Protocol

import pytest

from directory.errors import SourceUnavailable
from directory.model import Absent, Answer, Found, Unavailable
from directory.source import CustomerUserSource
from tests.contract.ldap_source import LdapDirectory
from tests.contract.sql_source import SqlDirectory


class Place(Protocol):
    """A server with customer users, and sources that ask it."""

    def source(self, **overrides: Any) -> CustomerUserSource: ...

    def add_person(  # noqa: PLR0913, PLR0917 - a person has these attributes
        self,
        login: str,
        first_name: str,
        last_name: str,
        email: str,
        customer_id: str,
        phone: str | None = None,
    ) -> None: ...

    def stop(self) -> None: ...

    def start(self) -> None: ...

    def close(self) -> None: ...


@pytest.fixture(params=["sqlite", "postgresql", "mariadb", "ldap"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Place]:
    """Each kind of server, empty."""
    found: Place
    if request.param == "ldap":
        found = LdapDirectory(request.getfixturevalue("slapd"))
        yield found
        found.close()
        found.start()
        return
    server = None
    url = f"sqlite:///{tmp_path / 'people.sqlite'}"
    if request.param != "sqlite":
        server = request.getfixturevalue(f"{request.param}_server")
        url = server.create_database()
    found = SqlDirectory(url, server, tmp_path)
    yield found
    found.close()
    if server is not None:
        server.drop_database(url)


def add(place: Place, *logins: str) -> None:
    for login in logins:
        place.add_person(login, "Jane", f"Of {login}", "jane@cust.test", "acme")


def found_logins(answers: Mapping[str, Answer]) -> dict[str, str]:
    return {
        login: answer.customer_user.login
        for login, answer in answers.items()
        if isinstance(answer, Found)
    }


def test_a_customer_user_is_found_with_the_attributes_of_the_map(place: Place) -> None:
    place.add_person("jdoe", "Jane", "Doe", "jane@cust.test", "acme", "12 34")

    answer = place.source(slot="3").find(["jdoe"])["jdoe"]

    assert isinstance(answer, Found)
    assert not answer.cached
    assert answer.customer_user.slot == "3"
    assert answer.customer_user.login == "jdoe"
    assert dict(answer.customer_user.attributes) == {
        "UserLogin": "jdoe",
        "UserFirstname": "Jane",
        "UserLastname": "Doe",
        "UserEmail": "jane@cust.test",
        "UserCustomerID": "acme",
        "UserPhone": "12 34",
    }


def test_a_variable_without_a_value_is_missing(place: Place) -> None:
    place.add_person("jdoe", "Jane", "Doe", "jane@cust.test", "acme", phone=None)

    answer = place.source().find(["jdoe"])["jdoe"]

    assert isinstance(answer, Found)
    assert "UserPhone" not in answer.customer_user.attributes


def test_nothing_is_known_of_a_login_that_no_entry_has(place: Place) -> None:
    add(place, "jdoe")

    assert place.source().find(["nobody"]) == {"nobody": Absent()}


def test_each_login_of_many_gets_its_own_answer(place: Place) -> None:
    add(place, *(f"user{number}" for number in range(60)))
    logins = [f"user{number}" for number in range(0, 120, 2)]

    answers = place.source().find(logins)

    assert list(answers) == logins
    assert found_logins(answers) == {f"user{number}": f"user{number}" for number in range(0, 60, 2)}
    assert answers["user60"] == Absent()


def test_without_case_an_entry_is_found_under_every_spelling_and_keeps_its_own(
    place: Place,
) -> None:
    add(place, "JDoe", "Über")

    answers = place.source().find(["jdoe", "JDOE", "JDoe", "über", "ÜBER"])

    assert found_logins(answers) == {
        "jdoe": "JDoe",
        "JDOE": "JDoe",
        "JDoe": "JDoe",
        "über": "Über",
        "ÜBER": "Über",
    }


def test_spellings_with_one_key_are_one_person(place: Place) -> None:
    source = place.source()

    assert source.login_key("JDoe") == source.login_key("jdOE")
    assert source.login_key("jdoe") != source.login_key("jdöe")


@pytest.mark.parametrize(
    "login", ["jd*e", "jd%e", "jd_e", "*", "%", "(uid=*)", "j'doe", 'j"doe', "j\\doe", "jdoe;--"]
)
def test_wildcards_and_quotes_are_letters_like_others(place: Place, login: str) -> None:
    add(place, "jdoe")
    source = place.source()

    assert source.find([login]) == {login: Absent()}

    add(place, login)

    assert found_logins(source.find([login, "jdoe"])) == {login: login, "jdoe": "jdoe"}


def test_of_two_entries_with_one_login_the_first_is_taken(place: Place) -> None:
    place.add_person("jdoe", "First", "Doe", "a@cust.test", "acme")
    place.add_person("jdoe", "Second", "Doe", "b@cust.test", "acme")
    add(place, "other")

    for logins in (["jdoe"], ["other", "jdoe", "nobody"]):
        answer = place.source().find(logins)["jdoe"]
        assert isinstance(answer, Found)
        assert answer.customer_user.attributes["UserFirstname"] == "First"


@pytest.mark.parametrize(
    "login", ["a\0b", "\0", "x" * 10_000, "\ud800", "😀", "\u202edoej", "\x01", "\x7f"]
)
def test_a_login_that_no_entry_can_have_is_absent_and_the_others_are_answered(
    place: Place, login: str
) -> None:
    add(place, "jdoe")

    answers = place.source().find([login, "nobody", "jdoe"])

    assert isinstance(answers[login], Absent)
    assert answers["nobody"] == Absent()
    assert found_logins(answers) == {"jdoe": "jdoe"}


def test_a_server_that_is_away_makes_every_login_unavailable_until_it_is_back(
    place: Place,
) -> None:
    add(place, "jdoe")
    source = place.source(slot="2")
    assert found_logins(source.find(["jdoe"])) == {"jdoe": "jdoe"}

    place.stop()
    try:
        answers = source.find(["jdoe", "nobody"])
        with pytest.raises(SourceUnavailable) as caught:
            source.ping()
    finally:
        place.start()

    assert set(answers) == {"jdoe", "nobody"}
    for answer in answers.values():
        assert isinstance(answer, Unavailable)
        assert answer.slot == "2"
        assert answer.reason
        assert "jdoe" not in answer.reason
    assert caught.value.slot == "2"
    assert caught.value.reason
    source.ping()
    assert found_logins(source.find(["jdoe"])) == {"jdoe": "jdoe"}
    assert source.find(["nobody"]) == {"nobody": Absent()}


def test_a_source_that_was_closed_opens_again(place: Place) -> None:
    add(place, "jdoe")
    source = place.source()
    source.find(["jdoe"])

    source.close()

    assert found_logins(source.find(["jdoe"])) == {"jdoe": "jdoe"}


def test_what_a_source_says_shows_no_attribute_when_it_is_printed(place: Place) -> None:
    place.add_person("jdoe", "Jane", "Doe", "jane@cust.test", "acme", "12 34")

    shown = repr(place.source().find(["jdoe"]))

    assert "12 34" not in shown
    assert "jane@" not in shown
