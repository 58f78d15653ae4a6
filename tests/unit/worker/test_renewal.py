"""Who says that a slow process is alive: one thread, while there is work, and no longer."""

import os
import threading
from collections.abc import Callable

import pytest

from worker.renewal import NAME, Renewal

OFTEN, SELDOM = 0.001, 5.0
PATIENCE = 30


def threads() -> list[threading.Thread]:
    return [one for one in threading.enumerate() if one.name == NAME]


@pytest.fixture
def before() -> list[threading.Thread]:
    """Those of earlier tests, which may take a while to end."""
    return threads()


def started(before: list[threading.Thread]) -> list[threading.Thread]:
    return [one for one in threads() if one not in before]


def counted(times: int) -> tuple[Callable[[], None], threading.Event]:
    """Something to call, and what is set when it was called so often."""
    left = threading.Semaphore(times - 1)
    enough = threading.Event()

    def call() -> None:
        if not left.acquire(blocking=False):
            enough.set()

    return call, enough


def test_it_renews_again_and_again_while_the_work_lasts() -> None:
    renew, enough = counted(3)

    with Renewal().at_work(renew, OFTEN):
        assert enough.wait(PATIENCE)


def test_one_thread_serves_many_works(before: list[threading.Thread]) -> None:
    renewal = Renewal()

    for _ in range(10):
        with renewal.at_work(lambda: None, SELDOM):
            assert len(started(before)) == 1


def test_the_thread_ends_when_nothing_is_done_and_comes_back(
    before: list[threading.Thread],
) -> None:
    renewal = Renewal()
    with renewal.at_work(lambda: None, OFTEN):
        (first,) = started(before)
    first.join(PATIENCE)
    assert not first.is_alive()
    renew, enough = counted(1)

    with renewal.at_work(renew, OFTEN):
        assert enough.wait(PATIENCE)


def test_each_work_is_renewed_as_it_says() -> None:
    renewal = Renewal()
    first, renewed = counted(1)
    second, renewed_again = counted(1)
    with renewal.at_work(first, OFTEN):
        assert renewed.wait(PATIENCE)

    with renewal.at_work(second, OFTEN):
        assert renewed_again.wait(PATIENCE)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_renewal_that_fails_is_not_the_last_one(before: list[threading.Thread]) -> None:
    renewal = Renewal()

    def fail() -> None:
        raise OSError

    with renewal.at_work(fail, OFTEN):
        for one in started(before):
            one.join(PATIENCE)
    renew, enough = counted(1)

    with renewal.at_work(renew, OFTEN):
        assert enough.wait(PATIENCE)


def test_a_child_process_renews_with_a_thread_of_its_own() -> None:
    renewal = Renewal()
    with renewal.at_work(lambda: None, SELDOM):
        pass
    renew, enough = counted(1)
    child = os.fork()
    if child == 0:
        with renewal.at_work(renew, OFTEN):
            os._exit(0 if enough.wait(PATIENCE) else 1)

    _, status = os.waitpid(child, 0)

    assert os.waitstatus_to_exitcode(status) == 0
