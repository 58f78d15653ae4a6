"""Which moment does a day mean that somebody chooses tickets by? In the ticket system's zone."""

from datetime import datetime, timedelta

from worker.tickets.selection import WrongSelection

_DAY = len("2026-01-31")


def moment(option: str, text: str, *, behind: bool = False) -> str:
    """A day or a time as the tables have it, ``YYYY-MM-DD HH:MM:SS``; empty for an empty text.

    Args:
        option: where it was given, for the message.
        text: ``2026-01-31`` or ``2026-01-31 13:00:00``.
        behind: give the first moment that is later than all of it.

    Raises:
        WrongSelection: it is neither.
    """
    if not text:
        return ""
    try:
        found = datetime.fromisoformat(text)
        wrong = found.tzinfo is not None
    except ValueError:
        wrong = True
    if wrong:
        msg = f"{option} {text!r} is no day and no time; right: 2026-01-31, '2026-01-31 13:00:00'"
        raise WrongSelection(msg)
    if behind:
        found += timedelta(days=1) if len(text) == _DAY else timedelta(seconds=1)
    return found.isoformat(" ", "seconds")
