"""What is told of an error that ends a call? A code and a message, free of values."""

import traceback
from pathlib import PurePath
from typing import Any

import redis
import structlog
from celery.exceptions import SoftTimeLimitExceeded

from directory.companies import CompanySourceUnavailable
from directory.criteria import WrongCriteria
from directory.database import DatabaseFault
from directory.errors import (
    SourceKindUnusable,
    SourceMisconfigured,
    SourceOutcomeUnknown,
    SourceUnavailable,
)
from directory.model import source_name
from directory.refusals import Refused
from directory.transactions import OutcomeUnknown
from worker.tickets.store import TicketDatabaseMisfit, TicketDatabaseUnavailable

MAY_BE_DONE = frozenset({"unavailable", "failed"})
"""The errors after which it is not sure that nothing at all was written."""

_ENDED_SOMEWHERE = (OutcomeUnknown, SourceOutcomeUnknown, SoftTimeLimitExceeded)

_NOT_KNOWN = "look before you ask again: it may have been done"

log = structlog.get_logger("fieldfare")


def told(error: Exception, call: str) -> dict[str, Any]:
    """An error as data: ``error`` and ``message``, and where they are known ``field``, ``source``.

    Where nobody knows whether what was asked for was done, ``may_be_done`` says so.

    Args:
        error: what a handler raised.
        call: the name of the call, for the log.
    """
    where: dict[str, str] = {}
    code: str
    message = str(error)
    match error:
        case Refused():
            code, where = error.error, {"field": error.field, "source": error.source}
        case WrongCriteria():
            code = "wrong_criteria"
        case SourceUnavailable(slot=slot):
            code, where = "unavailable", {"source": source_name(slot)}
        case CompanySourceUnavailable(source=source):
            code, where = "unavailable", {"source": source}
        case DatabaseFault():
            code = "unavailable"
            message = f"a database of the ticket system or of customers did not answer: {error}"
        case TicketDatabaseUnavailable():
            code = "unavailable"
        case redis.RedisError():
            code, message = "unavailable", f"Redis does not answer: {type(error).__name__}"
        case SourceMisconfigured() | SourceKindUnusable() | TicketDatabaseMisfit():
            code = "misconfigured"
        case SoftTimeLimitExceeded():
            code, message = "unavailable", f"it took too long and was ended; {_NOT_KNOWN}"
        case _:
            # Its text may hold values; where it was raised is of more use anyhow.
            kind, place = type(error).__name__, _place(error)
            log.error("admin.failed", call=call, error=kind, place=place)
            code = "failed"
            message = f"an error of Fieldfare's own: {kind} ({place}); {_NOT_KNOWN}"
    unknown = code == "failed" or isinstance(error, _ENDED_SOMEWHERE)
    return data(code, message, **where) | ({"may_be_done": True} if unknown else {})


def data(error: str, message: str, **where: str) -> dict[str, Any]:
    """An error as callers get it; ``where`` it is not known, nothing is said."""
    return {
        "error": error,
        **{key: text for key, text in where.items() if text},
        "message": message,
    }


def _place(error: Exception) -> str:
    frames = reversed(traceback.extract_tb(error.__traceback__))
    return ", ".join(f"{PurePath(one.filename).name}:{one.lineno}" for one in frames)
