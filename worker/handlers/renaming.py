"""How do the tickets of somebody who gets another login follow? Behind the rename, under a mark.

The mark (``worker.renames``) is set before the rename and taken away behind the last ticket. Where
a call was cut off in between, the same call again goes on with the tickets, and does so only where
there is the mark: an old login that nobody has may just as well be mistyped.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

import redis
import structlog

from directory.config import SourceConfig, SqlSourceConfig
from directory.editing import Updated
from directory.folding import fold
from directory.refusals import Refused
from worker import renames
from worker.handlers.belonging import look_up, unknown
from worker.handlers.ticket_moves import move_tickets
from worker.renames import Rename
from worker.services import Services

log = structlog.get_logger("fieldfare")


@dataclass(frozen=True, slots=True)
class Renamed:
    """A rename, and how far the tickets have followed.

    Attributes:
        updated: what was written; without fields where an earlier call had done that.
        tickets: how many got the new login.
        warnings: why some may have the old one yet.
    """

    updated: Updated
    tickets: int = 0
    warnings: list[str] = field(default_factory=list)


def with_tickets(
    services: Services,
    login: str,
    new_login: str,
    write: Callable[[], Updated],
    *,
    goes_on: bool = True,
) -> Renamed:
    """Rename a customer user, and have their tickets follow.

    Args:
        services: where.
        login: the old login, as anybody spells it.
        new_login: the new one.
        write: renames.
        goes_on: where nobody has the old login, an earlier rename is gone on with.

    Raises:
        Refused: what ``write`` raises; or unknown_customer_user, where nobody has the old login
            and no such rename has begun.
        SourceUnavailable: a source does not answer.
        redis.RedisError: nobody has the old login, and whether such a rename has begun is not
            known.
    """
    found = look_up(services, login)
    if found is None and not goes_on:
        raise unknown(login)
    if found is None:
        rename, config, updated = _begun(services, login, new_login)
        return _followed(services, rename, config, updated, marked=True)
    rename = Rename(found.customer_user.login, new_login, found.source)
    marked = _try("rename.not_marked", lambda: renames.begin(services.inbox.client, rename))
    try:
        updated = write()
    except Refused:
        _end(services, rename, marked=marked)
        raise
    return _followed(services, rename, found.config, updated, marked=marked)


def _begun(services: Services, login: str, new_login: str) -> tuple[Rename, SourceConfig, Updated]:
    """The rename that an earlier call has begun, and whoever has the new login since then."""
    found = look_up(services, new_login)
    if found is None:
        raise unknown(login)
    for rename in renames.begun(services.inbox.client):
        if rename.source == found.source and _is_that(rename, login, new_login, found.config):
            updated = Updated(found.customer_user.login, rename.old, found.source, (), "")
            return rename, found.config, updated
    new = found.customer_user.login
    message = (
        f"no source knows a customer user {login}, and no rename of {login} to {new} has begun "
        f"whose tickets are to follow. If {new} had the login {login} and their tickets still "
        f"have it, rename {new} to {login}, and then {login} to {new} with tickets"
    )
    raise Refused("unknown_customer_user", message, field="UserLogin")


def _is_that(rename: Rename, login: str, new_login: str, config: SourceConfig) -> bool:
    if _exact(config):
        return (rename.old, rename.new) == (login, new_login)
    return (fold(rename.old), fold(rename.new)) == (fold(login), fold(new_login))


def _followed(
    services: Services, rename: Rename, config: SourceConfig, updated: Updated, *, marked: bool
) -> Renamed:
    """Have the tickets follow; the mark stays as long as some may be left."""
    moved = move_tickets(services, rename.old, updated.login, exact=_exact(config))
    if not moved.left:
        _end(services, rename, marked=marked)
        return Renamed(updated, moved.count)
    advice = (
        "rename again with the same logins, and with tickets, to move the others"
        if marked
        else f"to move the others, rename {updated.login} to {rename.old}, and then {rename.old} "
        f"to {updated.login} with tickets, for Redis could not keep that this rename has begun"
    )
    left = (
        f"not all tickets of {rename.old} have the login {updated.login} yet ({moved.left}); "
        f"{advice}"
    )
    return Renamed(updated, moved.count, [left])


def _exact(config: SourceConfig) -> bool:
    return isinstance(config, SqlSourceConfig) and config.compares_case


def _end(services: Services, rename: Rename, *, marked: bool) -> None:
    if marked:
        _try("rename.mark_left", lambda: renames.end(services.inbox.client, rename))


def _try(event: str, do: Callable[[], object]) -> bool:
    """Whether Redis did its part; a rename does not wait for it."""
    try:
        do()
    except redis.RedisError as error:
        log.info(event, error=type(error).__name__)
        return False
    return True
