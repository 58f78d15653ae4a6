"""A source that a package adds and that breaks its contract is unavailable, and nothing else."""

from collections.abc import Callable
from typing import Any

import pytest
from structlog.testing import capture_logs

from directory.config import SourceConfig
from directory.directory import Directory
from directory.errors import SourceMisconfigured, SourceUnavailable
from directory.guarded import GuardedSource
from directory.model import Absent, CustomerUser, Found, Unavailable
from directory.search import Matches, Query

SECRET = "hunter2"


def config(slot: str = "3") -> SourceConfig:
    return SourceConfig.model_validate(
        {
            "kind": "service",
            "slot": slot,
            "customer_key": "login",
            "customer_id": "customer",
            "map": {"UserLogin": "login"},
        }
    )


class Said:
    """A source that does the same whatever it is asked."""

    def __init__(self, does: Callable[[], Any]) -> None:
        self.does = does

    def __getattr__(self, _: str) -> Callable[..., Any]:
        return lambda *_, **__: self.does()


def guarded(does: Callable[[], Any]) -> GuardedSource:
    return GuardedSource(config(), Said(does))


def raising(error: BaseException) -> GuardedSource:
    def does() -> None:
        raise error

    return guarded(does)


def user(slot: str = "3", login: Any = "jdoe", **attributes: Any) -> CustomerUser:
    return CustomerUser(slot, login, {"UserLogin": "jdoe", **attributes})


def test_answers_of_the_right_form_pass() -> None:
    answers = {
        "jdoe": Found(user(UserPhone="1", UserGroups=("a", "b"), UserPhoto=b"\xff"), cached=True),
        "nobody": Absent("no such login", cached=True),
        "else": Unavailable("3", "away"),
    }

    assert guarded(lambda: answers).find(["jdoe", "nobody", "else"]) == answers


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (None, "its answer is of the type NoneType"),
        ("jdoe", "its answer is of the type str"),
        (Found(None), "its answer is of the type Found"),  # type: ignore[arg-type]
        (Absent(None), "its answer is of the type Absent"),  # type: ignore[arg-type]
        (Found(user(UserPhone=42)), "the value of UserPhone is of the type int, not a text"),
        (Found(user(UserPhone=None)), "the value of UserPhone is of the type NoneType, not a text"),
        (
            Found(user(UserPhone=("1", 2))),
            "the value of UserPhone is of the type tuple, not a text",
        ),
        (Found(user(login=17)), "the value of login is of the type int, not a text"),
        (Unavailable("3", "away"), "away"),
        (Unavailable("9", "away"), "away"),
    ],
)
def test_what_is_no_answer_is_unavailable_for_its_login_alone(answer: Any, reason: str) -> None:
    source = guarded(lambda: {"jdoe": answer, "nobody": Absent()})

    assert source.find(["jdoe", "nobody"]) == {
        "jdoe": Unavailable("3", reason),
        "nobody": Absent(),
    }


def test_a_login_without_an_answer_is_unavailable() -> None:
    answers = guarded(lambda: {"jdoe": Absent()}).find(["jdoe", "nobody"])

    assert answers == {
        "jdoe": Absent(),
        "nobody": Unavailable("3", "its answer is of the type NoneType"),
    }


def test_answers_that_are_none_at_all_are_unavailable() -> None:
    assert guarded(lambda: 42).find(["jdoe"]) == {"jdoe": Unavailable("3", "AttributeError")}


def test_who_was_found_is_told_under_the_slot_of_the_source() -> None:
    answers = guarded(lambda: {"jdoe": Found(user(slot="9"))}).find(["jdoe"])

    assert answers == {"jdoe": Found(user(slot="3"))}


def test_an_exception_makes_every_login_unavailable_and_is_told_by_its_class_alone() -> None:
    with capture_logs() as logs:
        answers = raising(RuntimeError(SECRET)).find(["jdoe", "nobody"])

    assert answers == dict.fromkeys(["jdoe", "nobody"], Unavailable("3", "RuntimeError"))
    (line,) = logs
    assert (line["event"], line["source"], line["kind"]) == (
        "source.failed",
        "CustomerUser3",
        "service",
    )
    assert line["error"] == "RuntimeError"
    assert line["at"].startswith("test_guarded.py:")
    assert SECRET not in str(logs)


def test_a_source_may_say_by_an_exception_that_it_does_not_answer() -> None:
    answers = raising(SourceUnavailable("9", "refused")).find(["jdoe"])

    assert answers == {"jdoe": Unavailable("3", "refused")}


def test_what_ends_the_process_is_not_held_up() -> None:
    with pytest.raises(KeyboardInterrupt):
        raising(KeyboardInterrupt()).find(["jdoe"])


@pytest.mark.parametrize("asked", ["ping", "check", "customer_ids"])
def test_other_questions_that_fail_count_as_not_answered(asked: str) -> None:
    with pytest.raises(SourceUnavailable) as caught:
        getattr(raising(RuntimeError(SECRET)), asked)()

    assert (caught.value.slot, caught.value.reason) == ("3", "RuntimeError")


@pytest.mark.parametrize(
    "error", [SourceUnavailable("3", "refused"), SourceMisconfigured("3", "leads nowhere")]
)
def test_what_a_check_says_by_the_contract_is_passed_on(error: Exception) -> None:
    with pytest.raises(type(error)) as caught:
        raising(error).check()

    assert caught.value is error


def test_customer_ids_are_texts_each_once() -> None:
    assert guarded(lambda: ["acme", "acme", "beta"]).customer_ids() == {"acme", "beta"}
    with pytest.raises(SourceUnavailable, match="TypeError"):
        guarded(lambda: [42]).customer_ids()


def test_a_login_whose_key_cannot_be_told_is_its_own_key() -> None:
    assert guarded(lambda: "folded").login_key("JDoe") == "folded"
    assert guarded(lambda: 42).login_key("JDoe") == "JDoe"
    assert raising(RuntimeError(SECRET)).login_key("JDoe") == "JDoe"


def test_closing_goes_on_with_the_other_sources() -> None:
    with capture_logs() as logs:
        raising(RuntimeError(SECRET)).close()

    assert [line["error"] for line in logs] == ["RuntimeError"]


def test_a_directory_concludes_nothing_from_a_source_that_fails() -> None:
    behind = GuardedSource(config("4"), Said(lambda: {"jdoe": Found(user(slot="4"))}))
    directory = Directory([raising(RuntimeError(SECRET)), behind])

    assert directory.find(["jdoe"]) == {"jdoe": Unavailable("3", "RuntimeError")}
    assert [one.decides for one in directory.trace("jdoe")] == [True, False]


def test_whom_a_source_finds_passes_under_the_slot_of_its_settings() -> None:
    found = guarded(lambda: Matches((user(slot="9"),), more=True, reason="half of it")).search(
        Query()
    )

    assert found == Matches((user(),), more=True, reason="half of it")


def test_a_source_that_was_written_without_searching_says_so() -> None:
    class Old:
        """It has all that a source needed before there were searches."""

    with pytest.raises(SourceUnavailable) as caught:
        GuardedSource(config(), Old()).search(Query())  # type: ignore[arg-type]

    assert caught.value.reason == "sources of the kind service cannot search"


@pytest.mark.parametrize("said", [None, [user()], Matches(("jdoe",)), Matches((user(login=1),))])  # type: ignore[arg-type]
def test_a_search_with_a_result_of_another_form_is_no_answer(said: Any) -> None:
    with pytest.raises(SourceUnavailable):
        guarded(lambda: said).search(Query())
