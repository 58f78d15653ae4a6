"""A ticket worker that has nothing to do; a test gives it what it is about."""

from worker.inbox import Inbox
from worker.tasks.tickets import Duties


def nothing(*_: object) -> bool:
    """Done, and need not be called again soon."""
    return False


def no_inbox() -> Inbox:
    """Nobody appends."""
    raise AssertionError


IDLE = Duties(
    inbox=no_inbox,
    handle=lambda _: [],
    come_back=nothing,
    sweep=nothing,
    second_look=nothing,
    watch=nothing,
    refresh=nothing,
)
