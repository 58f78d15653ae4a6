"""Threads that run what may never come back."""

import os
import threading

from directory.runners import Runners


def run_and_wait(runners: Runners) -> int:
    """Which thread ran something."""
    ran: list[int] = []
    done = threading.Event()

    def work() -> None:
        ran.append(threading.get_ident())
        done.set()

    runners.run(work)
    assert done.wait(20)
    return ran[0]


def become_idle(runners: Runners, count: int) -> None:
    """Until so many threads wait for work; each waits a moment after its work is done."""
    done = threading.Event()
    while runners.idle < count:
        done.wait(0.001)


def test_one_thread_after_the_other_is_one_thread() -> None:
    runners = Runners()

    threads = set()
    for _ in range(20):
        threads.add(run_and_wait(runners))
        become_idle(runners, 1)

    assert len(threads) == 1
    assert threads != {threading.get_ident()}


def test_who_hangs_holds_up_nobody_and_is_of_use_again_later() -> None:
    runners = Runners()
    gate = threading.Event()
    hung: list[int] = []

    def hang() -> None:
        hung.append(threading.get_ident())
        gate.wait(20)

    runners.run(hang)
    other = run_and_wait(runners)
    become_idle(runners, 1)
    assert runners.idle == 1
    gate.set()
    become_idle(runners, 2)

    assert [other] != hung
    assert run_and_wait(runners) in {other, *hung}


def test_a_child_process_has_threads_of_its_own() -> None:
    runners = Runners()
    run_and_wait(runners)
    become_idle(runners, 1)

    child = os.fork()
    if child == 0:
        os._exit(0 if runners.idle == 0 and run_and_wait(runners) else 1)

    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
