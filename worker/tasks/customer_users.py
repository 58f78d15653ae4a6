"""Celery's side of admin calls: what a task of the queue ``admin`` can do is all here."""

from collections.abc import Callable, Mapping
from types import UnionType
from typing import Any

import structlog
from celery import Celery

from directory.criteria import WrongCriteria
from directory.directory import Directory
from worker.handlers import customer_users, searches

GET = "customer_user.get"
FIND = "customer_user.find"
LIST = "customer_user.list"

FIND_OPTIONS: Mapping[str, type | UnionType] = {
    "limit": int | None,
    "invalid": bool,
    "source": str | None,
}
LIST_OPTIONS: Mapping[str, type | UnionType] = {
    "fields": dict | None,
    "order": list,
    "limit": int,
    "offset": int,
    "invalid": bool,
    "count": bool,
    "source": str | None,
}
"""The arguments of searches, and what they can be."""

_KINDS: Mapping[type | UnionType, str] = {
    str: "a text",
    str | None: "a text or null",
    int: "a number",
    int | None: "a number or null",
    bool: "true or false",
    list: "a list of texts",
    dict | None: "a table or null",
}

log = structlog.get_logger("fieldfare")


def register(app: Celery, directory: Callable[[], Directory]) -> None:
    """Add the admin tasks to an application.

    Args:
        app: the application.
        directory: this process's directory; first called after the process has forked.
    """

    def get(login: object) -> dict[str, Any]:
        """Say what the directory knows of a customer user; see ``handlers.customer_users``."""
        if not isinstance(login, str):
            msg = f"login must be a text, not {type(login).__name__}"
            raise TypeError(msg)
        told = customer_users.get(login, directory())
        log.info("customer_user.told", answer=told["answer"], source=told["source"])
        return told

    def find(term: object, **options: object) -> dict[str, Any]:
        """Find customer users by a term; see ``handlers.searches.find``."""
        _insist(term, str, "term")
        return _searched(searches.find, directory, FIND_OPTIONS, options, term)

    def list_(**options: object) -> dict[str, Any]:
        """List customer users; see ``handlers.searches.list_``."""
        return _searched(searches.list_, directory, LIST_OPTIONS, options)

    # Wrong arguments are the caller's fault: no traceback here, the message goes to the caller.
    app.task(name=GET, shared=False, throws=(TypeError,))(get)
    app.task(name=FIND, shared=False, throws=(TypeError,))(find)
    app.task(name=LIST, shared=False, throws=(TypeError,))(list_)


def _searched(
    search: Callable[..., dict[str, Any]],
    directory: Callable[[], Directory],
    known: Mapping[str, type | UnionType],
    options: Mapping[str, Any],
    *arguments: object,
) -> dict[str, Any]:
    """What a search tells, or ``error`` and ``message`` where it cannot be made."""
    for name, value in options.items():
        if name not in known:
            msg = f"there is no argument {name}; there are {', '.join(known)}"
            raise TypeError(msg)
        _insist(value, known[name], name)
    try:
        told = search(directory(), *arguments, **options)
    except WrongCriteria as error:
        log.info("customer_user.searched", error="wrong_criteria")
        return {"error": "wrong_criteria", "message": str(error)}
    unanswered = [one["source"] for one in told["unanswered"]]
    log.info("customer_user.searched", found=len(told["customer_users"]), unanswered=unanswered)
    return told


def _insist(value: object, kind: type | UnionType, name: str) -> None:
    fits = isinstance(value, kind) and (kind is bool or not isinstance(value, bool))
    if isinstance(value, list):
        fits = fits and all(isinstance(one, str) for one in value)
    if not fits:
        msg = f"{name} must be {_KINDS[kind]}, not {type(value).__name__}"
        raise TypeError(msg)
