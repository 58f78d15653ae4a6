"""Which exit code and which message fit what went wrong?

Imported when something has: to know all these errors costs more than most commands do.
"""

import redis

from directory.errors import DirectoryError, SourceKindUnusable, SourceMisconfigured
from worker.commands.answering import Exit
from worker.embed import DemoError, EmbeddedServerError
from worker.metrics import MetricsNotServed
from worker.settings_errors import SettingsError
from worker.tickets.store import TicketDatabaseMisfit, TicketDatabaseUnavailable
from worker.tracing import TracingNotInstalled


def told(error: Exception) -> tuple[Exit, str] | None:
    """The exit code and the message for an error, or None for one that nobody expects."""
    match error:
        case (
            SettingsError()
            | SourceKindUnusable()
            | SourceMisconfigured()
            | TicketDatabaseMisfit()
            | MetricsNotServed()
            | TracingNotInstalled()
        ):
            return Exit.USAGE, str(error)
        case TicketDatabaseUnavailable() | DirectoryError() | EmbeddedServerError() | DemoError():
            return Exit.UNAVAILABLE, str(error)
        case redis.exceptions.NoPermissionError():
            who = "redis.username must be a user who may; the page Deploy says who may what"
            return Exit.UNAVAILABLE, f"Redis refuses: {error}; {who}"
        case redis.ResponseError() | redis.AuthenticationError():  # it answers, and says no
            return Exit.UNAVAILABLE, f"Redis refuses: {error}"
        case redis.RedisError():
            return Exit.UNAVAILABLE, f"Redis does not answer: {error}"
    return None
