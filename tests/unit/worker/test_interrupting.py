"""An interruption ends a command, also one that Python throws away."""

import signal
import subprocess
import sys

import pytest

LOST = """\
import os, signal, sys, weakref
from worker.commands import interrupting

class Thing:
    pass

def collected(_):
    {happens}

interrupting.attach()
thing = Thing()
reference = weakref.ref(thing, collected)
del thing
{then}
"""


def run(happens: str, then: str = "while True: signal.pause()") -> tuple[int, str]:
    done = subprocess.run(
        [sys.executable, "-c", LOST.format(happens=happens, then=then)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return done.returncode, done.stderr


@pytest.mark.parametrize("name", ["SIGTERM", "SIGINT"])
def test_an_interruption_that_gets_lost_while_garbage_is_collected_is_repeated(name: str) -> None:
    code, said = run(f"os.kill(os.getpid(), signal.{name})")

    assert code == -signal.SIGINT, "as Python ends with a KeyboardInterrupt"
    assert "Exception ignored" not in said


def test_an_end_that_gets_lost_is_repeated_with_its_exit_code() -> None:
    assert run("sys.exit(7)") == (7, "")


def test_other_errors_while_garbage_is_collected_are_told_as_ever() -> None:
    code, said = run("raise ValueError", then="")

    assert code == 0
    assert "Exception ignored in: <function collected" in said
