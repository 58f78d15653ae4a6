"""What a lookup sees of those whom it asks."""

from collections.abc import Mapping

import pytest

from directory.breaker import Observation
from directory.companions import Companions
from directory.database import DatabaseFault
from directory.model import Absent, Answer, CustomerUser, Found, Unavailable
from directory.probe import NOBODY, nobody, probe_reader
from directory.readers import READERS
from directory.watch import Watch
from tests.contract.sql_source import sql_config

ANNA = Found(CustomerUser("1", "anna", {"UserLogin": "anna"}))
AWAY = Unavailable("1", "away")


def reason(answers: Mapping[str, Answer]) -> str | None:
    """Why the source did not answer; None if it was not even asked."""
    watch = Watch()
    assert watch.source("1", lambda: answers) is answers
    return watch.seen["1"].reason if watch.seen else None


def test_a_source_that_answers_for_anybody_works() -> None:
    assert reason({"anna": ANNA}) == ""
    assert reason({"emma": Absent(), "carl": AWAY}) == ""
    assert reason({"carl": AWAY, "anna": ANNA}) == ""


def test_a_source_that_answers_for_nobody_does_not() -> None:
    assert reason({"carl": AWAY, "emma": Unavailable("1", "gone")}) == "away"
    assert reason({"carl": Unavailable("1", "")}) == "it did not say why"


def test_what_the_cache_knew_says_nothing_of_a_source() -> None:
    assert reason({"anna": Found(ANNA.customer_user, cached=True)}) is None
    assert reason({"emma": Absent(cached=True), "carl": AWAY}) == "away"


def test_a_reader_is_asked_unless_it_is_out() -> None:
    watch = Watch({"companies": "not asked"})

    with pytest.raises(DatabaseFault, match="not asked"):
        watch.reader("companies", lambda: pytest.fail("it was asked"))
    assert watch.reader("preferences", lambda: 7) == 7
    assert list(watch.seen) == ["preferences"]
    assert watch.seen["preferences"].reason == ""


def test_a_reader_that_fails_is_seen_to() -> None:
    watch = Watch()

    def fail() -> None:
        raise DatabaseFault("OperationalError: gone")

    with pytest.raises(DatabaseFault):
        watch.reader("companies", fail)
    assert watch.seen["companies"].reason == "OperationalError: gone"


@pytest.mark.parametrize("name", READERS)
def test_a_reader_that_is_not_configured_any_more_keeps_nobody_waiting(name: str) -> None:
    assert probe_reader(name, Companions(), ()) == Observation("", pytest.approx(0.0, abs=5.0))


def test_nobody_has_a_login_of_the_kind_that_logins_are_of() -> None:
    numbers = {"variable": "UserLogin", "storage": "login", "storage_type": "int"}

    assert nobody(sql_config()).startswith(NOBODY)
    assert nobody(sql_config(map=[numbers])) == "-1"
