"""What does the guard let pass, and why did it stop, in words for people?"""

from datetime import UTC, datetime

from worker.guard import Stop
from worker.settings import GuardSettings

SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}

_NAMES = {"s": "second", "m": "minute", "h": "hour", "d": "day"}
_DONE = {"erasures": "emptied", "changes": "given another value"}

OFF = "The guard is off in the settings: whatever is to be written is written."


def reason(stop: Stop) -> str:
    """Why writing was stopped, in numbers."""
    return (
        f"{stop.count} of {stop.filled} fields with a value would have been {_DONE[stop.what]} "
        f"within {span(stop.window)}"
    )


def limits(settings: GuardSettings) -> str:
    """What would be too much."""
    enabled = [
        f"more than {limit.number} fields, and {limit.share:.0%} of those with a value, are {done}"
        for limit, done in (
            (settings.erasures, _DONE["erasures"]),
            (settings.changes, _DONE["changes"]),
        )
        if limit.enabled
    ]
    return f"{', or '.join(enabled)} within {span(settings.window)}"


def span(seconds: int) -> str:
    """A duration, in the largest unit in which it is a whole number."""
    unit = next(name for name in "dhms" if seconds % SECONDS[name] == 0)
    number = seconds // SECONDS[unit]
    return f"{number} {_NAMES[unit]}{'' if number == 1 else 's'}"


def moment(time: float) -> str:
    """A moment, in UTC."""
    return f"{datetime.fromtimestamp(time, UTC):%Y-%m-%d %H:%M:%S} UTC"
