"""How long is "24h"? Durations as people write them in settings, in seconds."""

import re
from typing import Annotated, Any

from pydantic import BeforeValidator, Field

UNITS = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86400}

_DURATION = re.compile(r"([0-9]{1,9})\s*([smhd]?)", re.ASCII)


def seconds(value: Any) -> Any:
    """The seconds of a text such as ``90s``, ``15m``, ``24h`` or ``7d``; numbers are seconds.

    Raises:
        ValueError: the text is none.
    """
    if not isinstance(value, str):
        return value
    found = _DURATION.fullmatch(value.strip())
    if found is None:
        msg = 'not a duration; right: "90s", "15m", "24h", "7d", or a number of seconds'
        raise ValueError(msg)
    return int(found[1]) * UNITS[found[2]]


Duration = Annotated[int, Field(ge=0), BeforeValidator(seconds, json_schema_input_type=int | str)]
"""Whole seconds in the settings, written as a number or as a text with a unit."""
