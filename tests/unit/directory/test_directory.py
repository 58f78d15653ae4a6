"""The order of sources, and what it means that one does not answer."""

from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from directory.config import SqlSourceConfig
from directory.directory import Directory
from directory.errors import SourceMisconfigured, SourceUnavailable
from directory.model import Absent, Answer, CustomerUser, Found, Unavailable


class Listed:
    """A source over a list of logins; it may be away."""

    def __init__(
        self, slot: str, *logins: str, away: bool = False, answer: Answer | None = None, **more: Any
    ) -> None:
        settings = {
            "slot": slot,
            "table": "t",
            "customer_key": "login",
            "customer_id": "customer_id",
            "map": {"UserLogin": "login"},
            **more,
        }
        self.config = SqlSourceConfig.model_validate(settings)
        self.logins = logins
        self.away = away
        self.answer = answer
        self.asked: list[list[str]] = []
        self.closed = False

    def find(self, logins: Sequence[str]) -> Mapping[str, Answer]:
        self.asked.append(list(logins))
        return {login: self._answer(login) for login in logins}

    def _answer(self, login: str) -> Answer:
        if self.away:
            return Unavailable(self.config.slot, "away")
        if login in self.logins:
            attributes = {"UserLogin": login, "From": self.config.slot or "0"}
            return Found(CustomerUser(self.config.slot, login, attributes))
        return self.answer or Absent()

    def customer_ids(self, term: str = "", *, valid_only: bool = True) -> frozenset[str]:
        return frozenset()

    def login_key(self, login: str) -> str:
        return login

    def ping(self) -> None:
        if self.away:
            raise SourceUnavailable(self.config.slot, "away")

    def close(self) -> None:
        self.closed = True


def slots(answers: Mapping[str, Answer]) -> dict[str, str | None]:
    """The slot that each login was found in; None where it was not found."""
    return {
        login: answer.customer_user.slot if isinstance(answer, Found) else None
        for login, answer in answers.items()
    }


def test_the_first_source_that_knows_a_login_supplies_everything() -> None:
    directory = Directory([Listed("", "a", "b"), Listed("1", "b", "c")])

    answers = directory.find(["a", "b", "c", "d"])

    assert slots(answers) == {"a": "", "b": "", "c": "1", "d": None}
    assert answers["d"] == Absent()


def test_slots_are_asked_in_the_order_of_their_numbers_and_gaps_do_not_matter() -> None:
    sources = [Listed("10", "x"), Listed("2", "x"), Listed("5", "x"), Listed("", "y")]

    directory = Directory(sources)

    assert [source.config.slot for source in directory.sources] == ["", "2", "5", "10"]
    assert slots(directory.find(["x"])) == {"x": "2"}


def test_a_later_source_is_asked_only_for_what_is_still_open() -> None:
    first, second, third = Listed("", "a"), Listed("1", "b"), Listed("2", "c")

    Directory([first, second, third]).find(["a", "b", "a"])

    assert first.asked == [["a", "b"]]
    assert second.asked == [["b"]]
    assert third.asked == []


def test_a_source_that_does_not_answer_ends_the_search() -> None:
    behind = Listed("2", "a", "b")
    directory = Directory([Listed("", "a"), Listed("1", away=True), behind])

    answers = directory.find(["a", "b"])

    assert slots(answers) == {"a": "", "b": None}
    assert answers["b"] == Unavailable("1", "away")
    assert behind.asked == []


def test_a_source_that_may_be_skipped_lets_the_next_answer_but_never_makes_absent() -> None:
    directory = Directory([Listed("", away=True, on_unavailable="skip"), Listed("1", "a")])

    answers = directory.find(["a", "nobody"])

    assert slots(answers) == {"a": "1", "nobody": None}
    assert answers["nobody"] == Unavailable("", "away")


def test_no_source_at_all_means_that_nobody_is_known() -> None:
    assert Directory([]).find(["a"]) == {"a": Absent()}


def test_the_empty_login_is_nobodys_and_is_not_asked_for() -> None:
    source = Listed("", "", "a")

    answers = Directory([source]).find(["", "a"])

    assert answers[""] == Absent()
    assert source.asked == [["a"]]


@pytest.mark.parametrize("login", ["0", " ", "00"])
def test_logins_that_perl_takes_for_nothing_are_asked_for(login: str) -> None:
    assert slots(Directory([Listed("", login)]).find([login])) == {login: ""}


def test_absent_says_why_and_whether_a_cache_was_asked() -> None:
    directory = Directory(
        [
            Listed("", answer=Absent(cached=True)),
            Listed("1", answer=Absent("the key column holds integers")),
            Listed("2", answer=Absent("another reason")),
        ]
    )

    assert directory.find(["a"]) == {"a": Absent("the key column holds integers", cached=True)}


def test_two_sources_cannot_have_one_slot() -> None:
    with pytest.raises(SourceMisconfigured, match="CustomerUser1: two sources have this slot"):
        Directory([Listed("1"), Listed("1")])


def test_without_companions_a_customer_user_carries_what_the_source_says() -> None:
    answer = Directory([Listed("3", "a", customer_user_list_fields=("login",))]).find(["a"])["a"]

    assert isinstance(answer, Found)
    assert dict(answer.customer_user.attributes) == {
        "UserLogin": "a",
        "From": "3",
        "UserID": "a",
        "UserMailString": "a",
        "Source": "CustomerUser3",
    }


def test_a_trace_says_what_every_source_says_and_which_decides() -> None:
    directory = Directory(
        [Listed(""), Listed("1", "a", name="Sales"), Listed("2", away=True), Listed("3", "a")]
    )

    trace = directory.trace("a")

    assert [(step.slot, step.name, step.decides) for step in trace] == [
        ("", "CustomerUser", False),
        ("1", "Sales", True),
        ("2", "CustomerUser2", False),
        ("3", "CustomerUser3", False),
    ]
    assert trace[0].answer == Absent()
    assert trace[2].answer == Unavailable("2", "away")


def decides(*sources: Listed) -> list[str]:
    return [step.slot for step in Directory(sources).trace("a") if step.decides]


def test_in_a_trace_a_skipped_source_decides_only_where_nobody_knows_the_login() -> None:
    skipped = Listed("", away=True, on_unavailable="skip")

    assert decides(skipped, Listed("1", "a")) == ["1"]
    assert decides(skipped, Listed("1")) == [""]
    assert decides(Listed(""), Listed("1")) == []


def test_an_empty_login_has_no_trace() -> None:
    assert Directory([Listed("", "")]).trace("") == ()


def test_closing_closes_every_source() -> None:
    sources = [Listed(""), Listed("1")]

    Directory(sources).close()

    assert [source.closed for source in sources] == [True, True]


STATES = st.lists(
    st.tuples(st.sampled_from(["knows", "no", "away", "away, skip"])), min_size=1, max_size=11
)


@given(STATES)
def test_nobody_is_absent_unless_every_source_said_no(states: list[tuple[str]]) -> None:
    kinds = [state for (state,) in states]
    sources = [
        Listed(
            str(number or ""),
            *(["a"] if kind == "knows" else []),
            away=kind.startswith("away"),
            on_unavailable="skip" if kind.endswith("skip") else "wait",
        )
        for number, kind in enumerate(kinds)
    ]
    directory = Directory(sources)

    answer = directory.find(["a"])["a"]

    assert isinstance(answer, Absent) == (set(kinds) == {"no"})
    deciding = [step.answer for step in directory.trace("a") if step.decides]
    assert [type(step) for step in deciding] == (
        [] if isinstance(answer, Absent) else [type(answer)]
    )
    if isinstance(answer, Found):
        first = kinds.index("knows")
        assert answer.customer_user.slot == str(first or "")
        assert "away" not in kinds[:first]
