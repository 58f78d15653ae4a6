"""Is what runs on this machine alive? Each worker and scheduler keeps a file that says so.

The main process of each touches a file of its own every ten seconds, as long as its loop moves;
the file's time is all that is looked at. Redis, databases and directories have no part in it: while
they are away a worker waits, which is right, and to start it again would bring nothing back.
"""

import errno
import os
import re
import stat
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from worker.settings import HealthSettings

_FILE = re.compile(r"(?:worker|beat)-(\d+)", re.ASCII)


@dataclass(frozen=True, slots=True)
class Sign:
    """The last sign of life of a process on this machine.

    Attributes:
        name: the role and the process id, e.g. ``worker-4711``.
        seconds: how long ago it was.
    """

    name: str
    seconds: float


def directory(settings: "HealthSettings") -> Path:
    """Where the files are: as it is set, else a folder of this user's own for temporary files."""
    return settings.directory or Path(tempfile.gettempdir()) / f"fieldfare-{os.getuid()}"


def touch(folder: Path, name: str) -> None:
    """Give a sign of life; the folder is made if it is missing.

    Raises:
        OSError: the folder is not to be written, or belongs to somebody else.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    _refuse_foreign(folder)
    (folder / name).touch()


def remove(folder: Path, name: str) -> None:
    """Take a sign of life away, for a process that ends as it should."""
    (folder / name).unlink(missing_ok=True)


def clear_leftovers(folder: Path) -> None:
    """Remove the files of processes that were killed and are gone.

    Raises:
        OSError: the folder is not to be written, or belongs to somebody else.
    """
    if not folder.exists():
        return
    _refuse_foreign(folder)
    for path in folder.iterdir():
        if (found := _FILE.fullmatch(path.name)) and not runs(int(found[1])):
            path.unlink(missing_ok=True)


def look(folder: Path) -> list[Sign]:
    """The last sign of life of each process, by name; none where there is no such folder.

    Raises:
        OSError: the folder is not to be read.
    """
    now = time.time()
    signs = []
    for path in sorted(folder.iterdir()) if folder.exists() else ():
        if not _FILE.fullmatch(path.name):
            continue
        try:
            seconds = now - path.stat().st_mtime
        except FileNotFoundError:
            continue  # it has just ended
        signs.append(Sign(path.name, max(0.0, seconds)))
    return signs


def _refuse_foreign(folder: Path) -> None:
    """Whoever else owns the folder could have put links to files of ours there."""
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid not in {0, os.getuid()}:
        raise OSError(errno.EPERM, "it belongs to somebody else", str(folder))


def runs(pid: int) -> bool:
    """Whether there is a process with this id on this machine."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True  # as somebody else
    return True
