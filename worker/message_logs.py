"""What may a log say of a message that Celery refuses? The task's name, never its contents.

Celery logs the whole body and all headers of a message that it cannot use. A call that went to the
wrong queue would so put a customer user's data, or a password, into the log.
"""

import logging
from collections.abc import Mapping

LOGGER = "celery.worker.consumer.consumer"

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


def _task(record: logging.LogRecord) -> str:
    """The name of a task that is not known; it is the only argument that is not content."""
    if str(record.msg).startswith("Received unregistered") and isinstance(record.args, tuple):
        return f": {str(record.args[0])[:_NAME_LENGTH]}"
    return ""
