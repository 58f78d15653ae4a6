"""Whom is a call about? Customer users and customers, as far as its arguments say so.

Nobody has checked the arguments: what is no text names nobody, and what is long is cut.
"""

from collections.abc import Mapping
from typing import Any

_LONGEST = 200


def named(arguments: Mapping[str, Any], argument: str, variable: str) -> tuple[str, ...]:
    """Whom a call is about by one of its arguments, or else by one of its values; at most one."""
    found = cut(arguments.get(argument, _of(arguments.get("values"), variable)))
    return (found,) if found else ()


def all_logins(arguments: Mapping[str, Any]) -> tuple[str, ...]:
    """All whom a call may write of, as far as it says so: the new login, too, and each row's."""
    rows = arguments.get("rows")
    found = [
        arguments.get("login"),
        arguments.get("new_login"),
        _of(arguments.get("values"), "UserLogin"),
        *(_of(row, "UserLogin") for row in (rows if isinstance(rows, list) else ())),
    ]
    return tuple(dict.fromkeys(filter(None, map(cut, found))))


def _of(values: object, variable: str) -> object:
    return values.get(variable) if isinstance(values, Mapping) else None


def cut(value: object) -> str:
    """A text as long as the audit takes it; empty for anything else."""
    return value[:_LONGEST] if isinstance(value, str) else ""
