r"""Does a text fit what a form of OTOBO asks of it? By its Perl patterns, where Python reads them.

Most are read alike. What Python calls otherwise (``\z``, ``\Z``) is put into its words; a pattern
with something that Python does not know, or reads as something else, cannot be judged here.
"""

import re
import warnings
from functools import lru_cache

_ESCAPE = re.compile(r"\\(.)", re.DOTALL)

_WORDS = {"z": r"\Z", "Z": r"(?=\n?\Z)"}
"""What Perl's words are in Python."""

_READ_OTHERWISE = re.compile(r"\\[vN]|\[:\^?[a-z]+:\]")
"""Vertical space and what is no line's end, in Python a character each; classes of POSIX."""


@lru_cache(maxsize=256)
def readable(pattern: str) -> re.Pattern[str] | None:
    """A pattern of Perl as one of Python; None if it cannot be judged here."""
    if _READ_OTHERWISE.search(pattern.replace(r"\\", "")):
        return None
    words = _ESCAPE.sub(lambda found: _WORDS.get(found[1], found[0]), pattern)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")  # sets of sets, which mean something else some day
            return re.compile(words)
    except (re.error, FutureWarning, DeprecationWarning, OverflowError, RecursionError):
        return None
