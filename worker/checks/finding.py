"""What did a check find, what does that mean, and what is to be done about it?"""

from dataclasses import dataclass
from enum import StrEnum


class Level(StrEnum):
    """How bad a finding is; in the order in which findings are shown."""

    OK = "ok"
    WARNING = "warning"
    ERROR = "error"


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of ``fieldfare check``. Free of secrets and attribute values.

    Attributes:
        subject: what was looked at: ``broker``, ``CustomerUser1``, ``field CustomerPhone``.
        level: how bad it is.
        what: what was found.
        meaning: what that leads to; empty where there is nothing to say.
        advice: what to do; empty where nothing is to be done.
        answered: whether whatever was asked did answer, so that trying again would change nothing.
    """

    subject: str
    level: Level
    what: str
    meaning: str = ""
    advice: str = ""
    answered: bool = True


def ok(subject: str, what: str) -> Finding:
    """All is well."""
    return Finding(subject, Level.OK, what)


def warning(subject: str, what: str, meaning: str, advice: str) -> Finding:
    """It works, and something about it should be known or mended."""
    return Finding(subject, Level.WARNING, what, meaning, advice)


def error(subject: str, what: str, meaning: str, advice: str) -> Finding:
    """It does not work, or does damage."""
    return Finding(subject, Level.ERROR, what, meaning, advice)


def silent(subject: str, what: str, meaning: str, advice: str) -> Finding:
    """It did not answer."""
    return Finding(subject, Level.ERROR, what, meaning, advice, answered=False)


def skipped(subject: str, why: str) -> Finding:
    """It could not be looked at, for a reason that another finding names."""
    return Finding(subject, Level.WARNING, f"not checked: {why}", answered=False)
