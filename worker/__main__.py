"""``python -m worker`` and ``fieldfare``: the command line, from its first moment on.

What a command needs is imported here and not above, since that takes half a second in which
somebody may press Ctrl-C already.
"""

import atexit
import gc
import os
import signal
from types import FrameType

_INTERRUPTED = 130  # worker.commands.answering.Exit, which is not imported yet


def main() -> None:
    """Run the command line; Ctrl-C ends it quietly at any time."""
    # At its very end Python looks through all that was imported for garbage, several times: half a
    # second of work, for nothing. What is registered first is done last.
    atexit.register(gc.freeze)
    # Somebody who starts us in the background may have us not hear Ctrl-C; that stays so.
    heard = signal.getsignal(signal.SIGINT) is signal.default_int_handler
    if heard:
        signal.signal(signal.SIGINT, _end)
    from worker import cli  # noqa: PLC0415

    if heard:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    cli.main()


def _end(_signal: int, _frame: FrameType | None) -> None:
    """End at once: there is nothing to clean up, and an exception could get lost in an import."""
    os._exit(_INTERRUPTED)


if __name__ == "__main__":
    main()
