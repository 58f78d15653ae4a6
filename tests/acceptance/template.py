"""A command line with everything imported, of which every command is a fork.

Two seconds of CPU are what imports cost a command that works for a tenth of one. Run as a script,
it reads a command from each line of standard input, forks, and lets the fork become the process
that an operator would have started: its arguments, its folder, its environment, its output. When
the fork has ended, its exit code is written to standard output. The template itself stays as it
was: one thread, no connection, nothing configured.
"""

import gc
import json
import os
import sys
from typing import Any


def serve() -> None:
    """Run commands, one after the other, until there are no more."""
    import worker.bootstrap  # noqa: PLC0415 - what most commands import when they run
    import worker.handlers.explain  # noqa: PLC0415
    import worker.render  # noqa: F401, PLC0415
    from worker.cli import main  # noqa: PLC0415

    # Or each fork would copy all that was imported when it collects its garbage, at the latest in
    # its end.
    gc.freeze()
    for line in sys.stdin:
        pid = os.fork()
        if pid == 0:
            _become(json.loads(line))
            sys.exit(main())
        _, status = os.waitpid(pid, 0)
        print(os.waitstatus_to_exitcode(status), flush=True)  # noqa: T201 - the answer


def _become(command: dict[str, Any]) -> None:
    os.chdir(command["folder"])
    os.environ.clear()
    os.environ.update(command["environment"])
    sys.argv = ["fieldfare", *command["arguments"]]
    for number, file in enumerate((os.devnull, command["out"], command["err"])):
        opened = os.open(file, os.O_RDONLY if number == 0 else os.O_WRONLY | os.O_TRUNC)
        os.dup2(opened, number)
        os.close(opened)


if __name__ == "__main__":
    serve()
