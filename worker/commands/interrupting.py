"""How is a command interrupted? By an exception that unwinds all that it started.

Python throws an exception away that comes up while garbage is collected. Who stops a worker asks
once and then waits, so an interruption that got lost like that is repeated.
"""

import signal
import sys
from types import FrameType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sys import UnraisableHookArgs

_SOON = 0.01
"""Seconds; by then the collector has gone on."""


def attach() -> None:
    """Have SIGTERM end this command as Ctrl-C does, and lose neither.

    A worker that runs has handlers of its own, of Celery, that let it finish its batch.
    """
    signal.signal(signal.SIGTERM, _interrupt)
    sys.unraisablehook = _again


def _interrupt(_signal: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def _again(lost: "UnraisableHookArgs") -> None:
    """Raise it once more, if it was to end this process; else do what Python does."""
    if not issubclass(lost.exc_type, KeyboardInterrupt | SystemExit):
        sys.__unraisablehook__(lost)
        return
    code = lost.exc_value.code if isinstance(lost.exc_value, SystemExit) else None
    ending = KeyboardInterrupt() if code is None else SystemExit(code)

    def end(_signal: int, _frame: FrameType | None) -> None:
        raise ending

    signal.signal(signal.SIGALRM, end)
    signal.setitimer(signal.ITIMER_REAL, _SOON)
