"""How Fieldfare logs: structlog to standard error, JSON unless on a terminal.

Our own events and the records of libraries (Celery, SQLAlchemy) look the same, so that a log
collector sees one format. Event names are dotted and stable; values are keys beside them,
and never attribute values of customer users.
"""

import json
import logging
import sys
from collections.abc import Iterable, Mapping
from typing import Any, Literal, TextIO

import structlog

from worker import message_logs

Format = Literal["auto", "json", "console"]

_OURS = "fieldfare"

_ENCODER = json.JSONEncoder(ensure_ascii=False, default=repr)
"""Made once: ``json.dumps`` makes one for each line that is not plain ASCII."""

_STAMP = structlog.processors.TimeStamper(fmt="iso", utc=True)

_WHOLE = 4096
"""Bytes that a pipe takes at once, so that lines of two processes never get mixed (POSIX)."""

_LIBRARIES: tuple[structlog.typing.Processor, ...] = (
    structlog.stdlib.add_logger_name,
    structlog.stdlib.add_log_level,
    _STAMP,
)


class _Lines:
    """Writes whole lines, each at once.

    Without a lock of its own: a child that is forked while a thread of its parent logs would find
    it locked for ever.
    """

    def __init__(self, stream: TextIO) -> None:
        self._write = stream.write

    def msg(self, line: str) -> None:
        """Write one line."""
        self._write(f"{line}\n")

    debug = info = warning = error = critical = exception = fatal = msg


class _Json:
    """The last processor where lines are JSON. It can write many lines at once, too.

    Args:
        stream: where many lines go.
        level: the least level that is logged.
    """

    def __init__(self, stream: TextIO, level: str) -> None:
        self._write = stream.write
        self._told = logging.getLevelNamesMapping()[level.upper()] <= logging.INFO

    def __call__(self, _logger: object, _method: str, record: structlog.typing.EventDict) -> str:
        """One record as a line."""
        return _ENCODER.encode(record)

    def info_all(self, event: str, records: Iterable[Mapping[str, Any]]) -> None:
        """Write a line for each record, as many at once as stay whole."""
        if not self._told:
            return
        head = {**_STAMP(None, "info", {}), "level": "info", "event": event}
        waiting, size = "", 0
        for record in records:
            line = f"{_ENCODER.encode({**head, **record, 'logger': _OURS})}\n"
            length = len(line.encode(errors="replace"))
            if size + length > _WHOLE:
                self._write(waiting)
                waiting, size = "", 0
            waiting += line
            size += length
        self._write(waiting)


class _OncePerMinute(logging.Filter):
    """While Redis is away beat says so every second, with its stack; a line a minute will do."""

    seconds = 60.0

    def __init__(self) -> None:
        super().__init__()
        self._last = -self.seconds

    def filter(self, record: logging.LogRecord) -> bool:
        """Let everything pass but repetitions of the one message."""
        message = record.getMessage()
        if not message.startswith("Message Error"):
            return True
        if record.created - self._last < self.seconds:
            return False
        self._last = record.created
        record.msg, record.args, record.exc_info = message.partition("\n")[0], (), None
        return True


def configure(level: str = "info", form: Format = "auto") -> None:
    """Set up logging for this process; calling it again replaces what was set up before."""
    stream = sys.stderr
    as_json = form == "json" or (form == "auto" and not stream.isatty())
    # Tracebacks are printed without local variables: those may hold customer data.
    tail: list[structlog.typing.Processor] = (
        [
            structlog.processors.format_exc_info,
            _most_telling_first,
            _Json(stream, level),
        ]
        if as_json
        else [
            structlog.dev.ConsoleRenderer(
                exception_formatter=structlog.dev.plain_traceback, pad_event_to=24
            )
        ]
    )
    # Straight to the stream: the library's detour by ``logging`` would cost more for a line than
    # its ticket costs otherwise.
    structlog.configure(
        processors=[
            _add_our_name,
            structlog.processors.add_log_level,
            _STAMP,
            *tail,
        ],
        logger_factory=lambda *_: _Lines(stream),
        wrapper_class=structlog.make_filtering_bound_logger(level),
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(stream)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=_LIBRARIES,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *tail],
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(level.upper())
    logging.getLogger("celery.beat").filters = [_OncePerMinute()]
    logging.getLogger(message_logs.LOGGER).filters = [message_logs.WithoutContents()]
    logging.getLogger(message_logs.FAILURES).filters = [message_logs.WithoutMessage()]
    for name in ("celery", "kombu", "amqp", "sqlalchemy"):
        # Celery announces every wake-up call at info: two lines a second of no use to anybody.
        logging.getLogger(name).setLevel(max(logging.WARNING, root.level))


def info_all(event: str, records: Iterable[Mapping[str, Any]]) -> None:
    """Log an event once for each record: the same as ``log.info``, at half the cost."""
    last = structlog.get_config()["processors"][-1]
    if isinstance(last, _Json):
        last.info_all(event, records)
        return
    log = structlog.get_logger(_OURS).bind()
    for record in records:
        log.info(event, **record)


def _add_our_name(
    _logger: object, _method: str, record: structlog.typing.EventDict
) -> structlog.typing.EventDict:
    record["logger"] = _OURS
    return record


def _most_telling_first(
    _logger: object, _method: str, record: structlog.typing.EventDict
) -> structlog.typing.EventDict:
    """Time, level and event at the beginning of a line, where eyes look for them."""
    first = {key: record[key] for key in ("timestamp", "level", "event") if key in record}
    return {**first, **record}
