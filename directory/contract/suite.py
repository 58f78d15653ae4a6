"""What must every source do? The contract of ``directory.source.CustomerUserSource`` as tests."""

from collections.abc import Mapping

import pytest

from directory.contract.place import MortalPlace, Place
from directory.errors import SourceUnavailable
from directory.model import Absent, Answer, Found, Unavailable
from directory.search import And, Condition, Fits, Not, Or, Order, Pattern, Query
from directory.source import CustomerUserSource

ODD_LOGINS = (
    "jd*e",
    "jd%e",
    "jd_e",
    "*",
    "%",
    "(uid=*)",
    "j'doe",
    'j"doe',
    "j\\doe",
    "jdoe;--",
    "{j,d}",
    "NULL",
)
"""Wildcards, quotes and ends of statements somewhere; plain letters here."""

IMPOSSIBLE_LOGINS = (
    *("a\0b", "\0", "x" * 10_000, "\ud800", "\N{GRINNING FACE}"),
    *("\N{RIGHT-TO-LEFT OVERRIDE}doej", "\x01", "\x7f"),
)
"""Logins that break what is not ready for them."""


class SourceContract:
    """What a source answers. A test class inherits it and gives it the fixture ``place``.

    Attributes:
        compares_case: the sources of the place tell ``JDoe`` from ``jdoe``.
        unique_logins: the place keeps only one customer user of a login.
    """

    compares_case = False
    unique_logins = False

    @pytest.fixture
    def place(self) -> Place:
        """Where the customer users are."""
        pytest.fail(f"{type(self).__name__} needs a fixture place that returns a Place")

    def test_a_customer_user_is_found_with_the_attributes_of_the_map(self, place: Place) -> None:
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

    def test_a_source_shows_its_settings(self, place: Place) -> None:
        config = place.source(slot="3").config

        assert config.slot == "3"
        assert {entry.variable for entry in config.map} >= {"UserLogin", "UserPhone"}

    def test_a_variable_without_a_value_is_missing(self, place: Place) -> None:
        place.add_person("jdoe", "Jane", "Doe", "jane@cust.test", "acme")

        answer = place.source().find(["jdoe"])["jdoe"]

        assert isinstance(answer, Found)
        assert "UserPhone" not in answer.customer_user.attributes

    def test_nothing_is_known_of_a_login_that_no_entry_has(self, place: Place) -> None:
        _add(place, "jdoe")

        assert place.source().find(["nobody"]) == {"nobody": Absent()}

    def test_each_login_of_many_gets_its_own_answer(self, place: Place) -> None:
        _add(place, *(f"user{number}" for number in range(60)))
        logins = [f"user{number}" for number in range(0, 120, 2)]

        answers = place.source().find(logins)

        assert list(answers) == logins
        assert _found(answers) == {f"user{number}": f"user{number}" for number in range(0, 60, 2)}
        assert answers["user60"] == Absent()

    def test_an_entry_is_found_under_the_spellings_that_count_as_its_own(
        self, place: Place
    ) -> None:
        _add(place, "JDoe", "Über")
        spellings = {"jdoe": "JDoe", "JDOE": "JDoe", "JDoe": "JDoe", "über": "Über", "ÜBER": "Über"}

        found = _found(place.source().find([*spellings, "Über"]))

        exact = {"JDoe": "JDoe", "Über": "Über"}
        assert found == (exact if self.compares_case else {**spellings, **exact})

    def test_spellings_with_one_key_are_one_person(self, place: Place) -> None:
        _add(place, "JDoe")
        source = place.source()
        keys = {login: source.login_key(login) for login in ("JDoe", "jdoe", "jdOE", "jdöe")}

        found = _found(source.find(list(keys)))

        assert {login for login, key in keys.items() if key == keys["JDoe"]} <= found.keys()
        assert "jdöe" not in found

    @pytest.mark.parametrize("login", ODD_LOGINS)
    def test_wildcards_and_quotes_are_letters_like_others(self, place: Place, login: str) -> None:
        _add(place, "jdoe")
        source = place.source()

        assert source.find([login]) == {login: Absent()}

        _add(place, login)

        assert _found(source.find([login, "jdoe"])) == {login: login, "jdoe": "jdoe"}

    def test_of_two_entries_with_one_login_the_first_is_taken(self, place: Place) -> None:
        place.add_person("jdoe", "First", "Doe", "a@cust.test", "acme")
        place.add_person("jdoe", "Second", "Doe", "b@cust.test", "acme")
        _add(place, "other")

        for logins in (["jdoe"], ["other", "jdoe", "nobody"]):
            answer = place.source().find(logins)["jdoe"]
            assert isinstance(answer, Found)
            first_name = answer.customer_user.attributes["UserFirstname"]
            assert first_name == "First" or (self.unique_logins and first_name == "Second")

    @pytest.mark.parametrize("login", IMPOSSIBLE_LOGINS, ids=ascii)
    def test_a_login_that_no_entry_can_have_is_absent_and_the_others_are_answered(
        self, place: Place, login: str
    ) -> None:
        _add(place, "jdoe")
        source = place.source()

        answers = source.find([login, "nobody", "jdoe"])

        assert isinstance(answers[login], Absent)
        assert answers["nobody"] == Absent()
        assert _found(answers) == {"jdoe": "jdoe"}
        assert source.login_key(login) != source.login_key("jdoe")

    def test_the_customer_ids_of_all_entries_are_told_or_those_that_a_term_finds(
        self, place: Place
    ) -> None:
        for number, customer_id in enumerate(("acme", "beta", "beta", "gamma")):
            place.add_person(f"user{number}", "Jane", "Doe", "jane@cust.test", customer_id)
        source = place.source()

        assert set(source.customer_ids()) == {"acme", "beta", "gamma"}
        assert set(source.customer_ids("*a")) == {"acme", "beta", "gamma"}
        assert set(source.customer_ids("be")) == {"beta"}
        assert set(source.customer_ids("delta", valid_only=False)) == set()

    def test_nothing_is_wrong_with_a_source_that_works(self, place: Place) -> None:
        _add(place, "jdoe")
        source = place.source()

        source.ping()
        source.check()

        assert _found(source.find(["jdoe"])) == {"jdoe": "jdoe"}

    def test_a_source_that_was_closed_opens_again(self, place: Place) -> None:
        _add(place, "jdoe")
        source = place.source()
        source.find(["jdoe"])

        source.close()
        source.close()

        assert _found(source.find(["jdoe"])) == {"jdoe": "jdoe"}

    def test_what_a_source_says_shows_no_attribute_when_it_is_printed(self, place: Place) -> None:
        place.add_person("jdoe", "Jane", "Doe", "jane@cust.test", "acme", "12 34")

        shown = repr(place.source().find(["jdoe"]))

        assert "12 34" not in shown
        assert "jane@" not in shown


class SearchContract:
    """Whom a source finds by values. For sources that can search; a fixture ``place`` as above."""

    @pytest.fixture
    def place(self) -> Place:
        """Where the customer users are."""
        pytest.fail(f"{type(self).__name__} needs a fixture place that returns a Place")

    @pytest.mark.parametrize(
        ("wanted", "logins"),
        [
            ("jane", {"jdoe"}),
            ("ja*", {"jdoe", "jack"}),
            ("*an*", {"jdoe", "anna"}),
            ("*a", {"anna"}),
            ("j*e", {"jdoe"}),
            ("ane", set()),
            ("*", {"jdoe", "jack", "anna"}),
            ("%", set()),
            ("_ane", set()),
        ],
    )
    def test_a_pattern_finds_those_whose_value_fits_it(
        self, place: Place, wanted: str, logins: set[str]
    ) -> None:
        source = _people(place)

        found = source.search(Query(Fits(_first_name(source), Pattern.of(wanted))))

        assert {user.login for user in found.customer_users} == logins
        assert not found.more
        assert not found.reason

    def test_customer_users_are_found_as_they_are_looked_up(self, place: Place) -> None:
        source = _people(place)

        (user,) = source.search(Query(Fits(_first_name(source), Pattern(("jane",))))).customer_users

        answer = source.find(["jdoe"])["jdoe"]
        assert isinstance(answer, Found)
        assert user.slot == answer.customer_user.slot
        assert user.login == answer.customer_user.login
        assert dict(user.attributes) == dict(answer.customer_user.attributes)

    def test_conditions_are_joined_and_negated(self, place: Place) -> None:
        source = _people(place)
        beginning_with_j = Fits(_first_name(source), Pattern.of("ja*"))
        jane = Fits(_first_name(source), Pattern(("jane",)))
        anna = Fits(_first_name(source), Pattern(("anna",)))

        assert _logins(source, And((beginning_with_j, Not(jane)))) == {"jack"}
        assert _logins(source, Or((jane, anna))) == {"jdoe", "anna"}
        assert _logins(source, Or((Not(beginning_with_j), jane))) == {"jdoe", "anna"}
        assert _logins(source, Or(())) == set()
        assert _logins(source, And(())) == {"jdoe", "jack", "anna"}

    def test_whoever_has_no_value_fits_no_pattern(self, place: Place) -> None:
        source = _people(place)
        phone = (source.config.storages["UserPhone"],)

        assert _logins(source, Fits(phone, Pattern.of("*2*"))) == {"jdoe"}
        assert _logins(source, Not(Fits(phone, Pattern.of("*2*")))) == {"jack", "anna"}

    def test_results_come_in_the_order_asked_for_and_up_to_the_limit(self, place: Place) -> None:
        source = _people(place)
        key = source.config.customer_key

        for descending, logins in ((False, ["anna", "jack", "jdoe"]), (True, ["jdoe", "jack"])):
            limit = len(logins)
            query = Query(order=(Order(key, descending=descending),), limit=limit)
            found = source.search(query)
            assert [user.login for user in found.customer_users] == logins
            assert found.more is (limit < 3)  # noqa: PLR2004 - so many there are

        found = source.search(Query(limit=2))
        assert (len(found.customer_users), found.more) == (2, True)

    def test_only_the_variables_asked_for_need_be_read(self, place: Place) -> None:
        source = _people(place)

        found = source.search(Query(variables=frozenset({"UserEmail"})))

        assert all(
            user.attributes["UserEmail"] == f"{user.login}@cust.test"
            for user in found.customer_users
        )

    @pytest.mark.parametrize("term", [*ODD_LOGINS, *IMPOSSIBLE_LOGINS], ids=ascii)
    def test_no_term_raises_or_means_more_than_its_letters(self, place: Place, term: str) -> None:
        source = _people(place)
        key = (source.config.customer_key,)

        assert _logins(source, Fits(key, Pattern((term,)))) == set()
        assert _logins(source, Fits(key, Pattern(("", term, "")))) == set()
        assert _logins(source, Not(Fits(key, Pattern(("", term, ""))))) == {"jdoe", "jack", "anna"}


class OutageContract:
    """What a source does while it is away: nothing is concluded from that."""

    @pytest.fixture
    def place(self) -> MortalPlace:
        """Where the customer users are, until it is stopped."""
        pytest.fail(f"{type(self).__name__} needs a fixture place that returns a MortalPlace")

    def test_a_server_that_is_away_makes_every_login_unavailable_until_it_is_back(
        self, place: MortalPlace
    ) -> None:
        _add(place, "jdoe")
        source = place.source(slot="2")
        assert _found(source.find(["jdoe"])) == {"jdoe": "jdoe"}

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
        assert _found(source.find(["jdoe"])) == {"jdoe": "jdoe"}
        assert source.find(["nobody"]) == {"nobody": Absent()}

    def test_a_server_that_is_away_cannot_be_checked_and_has_no_customer_ids(
        self, place: MortalPlace
    ) -> None:
        source = place.source(slot="2")

        place.stop()
        try:
            with pytest.raises(SourceUnavailable) as checked:
                source.check()
            with pytest.raises(SourceUnavailable) as asked:
                source.customer_ids()
            source.close()
        finally:
            place.start()

        assert (checked.value.slot, asked.value.slot) == ("2", "2")


def _add(place: Place, *logins: str) -> None:
    for login in logins:
        place.add_person(login, "Jane", f"Of {login}", "jane@cust.test", "acme")


def _people(place: Place) -> CustomerUserSource:
    place.add_person("jdoe", "jane", "Doe", "jdoe@cust.test", "acme", "12 34")
    place.add_person("jack", "jack", "Doe", "jack@cust.test", "acme")
    place.add_person("anna", "anna", "Huber", "anna@cust.test", "beta")
    return place.source(slot="3")


def _first_name(source: CustomerUserSource) -> tuple[str, ...]:
    return (source.config.storages["UserFirstname"],)


def _logins(source: CustomerUserSource, condition: Condition) -> set[str]:
    return {user.login for user in source.search(Query(condition)).customer_users}


def _found(answers: Mapping[str, Answer]) -> dict[str, str]:
    """The directory's spelling of each login that was found."""
    return {
        login: answer.customer_user.login
        for login, answer in answers.items()
        if isinstance(answer, Found)
    }
