"""What may a log say of an error? Its own words only where its class keeps them free of values."""

import traceback
from pathlib import PurePath

from directory.errors import DirectoryError
from worker.guard import WritingStopped
from worker.tickets.store import TicketStoreError


def reason_of(error: Exception) -> str:
    """The error's text if it can hold no value, else where it was raised; may be empty."""
    if isinstance(error, (TicketStoreError, DirectoryError, WritingStopped)):
        return str(error)
    frames = traceback.extract_tb(error.__traceback__)
    if not frames:
        return ""
    return f"{PurePath(frames[-1].filename).name}:{frames[-1].lineno} in {frames[-1].name}"
