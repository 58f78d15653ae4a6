"""What a command says when Redis answers and does not do what it is asked."""

from redis.exceptions import AuthenticationError, NoPermissionError, OutOfMemoryError

from worker.commands import failures
from worker.commands.answering import Exit


def test_a_user_who_may_not_is_sent_to_the_page_that_says_who_may() -> None:
    found = failures.told(NoPermissionError("this user has no permissions"))

    assert found is not None
    code, message = found
    assert code == Exit.UNAVAILABLE
    assert message.startswith("Redis refuses: this user has no permissions; ")
    assert "redis.username" in message


def test_other_refusals_speak_for_themselves() -> None:
    for error in (AuthenticationError("WRONGPASS"), OutOfMemoryError("out of memory")):
        assert failures.told(error) == (Exit.UNAVAILABLE, f"Redis refuses: {error}")
