"""What may a log say of a message that came to nothing? The task's name, never its contents.

Celery logs the whole body and all headers of a message that it cannot use, and of a task that
failed the message of its error. A call that went to the wrong queue, or an error of a driver, would
so put a customer user's data, or a password, into the log.
"""

import logging
import traceback
from collections.abc import Mapping
from pathlib import PurePath
from types import TracebackType

LOGGER = "celery.worker.consumer.consumer"
"""Who logs messages that are refused."""

FAILURES = "celery.app.trace"
"""Who logs tasks that failed."""

_REFUSALS: Mapping[str, str] = {
    "Received unregistered task": "a task that is not known here was thrown away",
    "Received invalid task message": "a message that is no call of a task was thrown away",
    "Received and deleted unknown message": "a message in no known form was thrown away",
    "Can't decode message body": "a message that cannot be decoded was thrown away",
}
_NAME_LENGTH = 100


class WithoutContents(logging.Filter):
    """Cuts messages about refused messages down to the task's name."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Let every record pass, refusals without contents and traceback."""
        for beginning, said in _REFUSALS.items():
            if str(record.msg).startswith(beginning):
                record.msg, record.args = said + _task(record), ()
                record.exc_info = record.exc_text = None
        return True


class WithoutMessage(logging.Filter):
    """Leaves of a failed task its name, the class of the error, and where it was raised."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Let every record pass, failures without the error's text."""
        if record.exc_info and isinstance(record.args, Mapping) and "name" in record.args:
            kind, _, trace = record.exc_info
            said = f"the task {record.args['name']} failed: {kind.__name__ if kind else ''}"
            record.msg, record.args = f"{said} ({_places(trace)})", ()
            record.exc_info = record.exc_text = None
        return True


def _places(trace: TracebackType | None) -> str:
    """Where an error came from, the place where it was raised first."""
    frames = reversed(traceback.extract_tb(trace))
    return ", ".join(f"{PurePath(one.filename).name}:{one.lineno}" for one in frames)


def _task(record: logging.LogRecord) -> str:
    """The name of a task that is not known; it is the only argument that is not content."""
    if str(record.msg).startswith("Received unregistered") and isinstance(record.args, tuple):
        return f": {str(record.args[0])[:_NAME_LENGTH]}"
    return ""
