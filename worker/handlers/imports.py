"""How are many customer users added at once, or changed? Row by row refused, or all in one go.

Each row is checked as if it came alone, and against the other rows. What nothing is against is
written in one transaction (those who are there already in another one); what is refused is not.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any, TypeAlias

from directory import passwords
from directory.adding import Added
from directory.adding import add as add_all
from directory.admission import whose
from directory.customer_user_place import password_column
from directory.errors import DirectoryError
from directory.map_values import VALID
from directory.passwords import ACCOUNT_LENGTH, PASSWORD
from directory.refusals import Refused
from directory.source import WritableSource
from directory.source_transaction import LOGIN
from directory.updating import Edit, Updated
from directory.updating import update as update_all
from directory.writable import chosen
from worker import call_errors
from worker.handlers.authoring import author
from worker.handlers.changes import Change
from worker.services import Services
from worker.tickets.store import TicketDatabaseUnavailable

MOST_ROWS = 500
"""Rows of one call; a file is sent in portions."""

CALL = "customer_user.import"

_Outcome: TypeAlias = Added | Updated | DirectoryError | TicketDatabaseUnavailable


def import_(  # noqa: PLR0913 - an import can be asked for in so many ways
    services: Services,
    *,
    rows: Sequence[Mapping[str, str | int | Sequence[str]]],
    source: str | None = None,
    update: bool = False,
    dry_run: bool = False,
    generate_passwords: bool = False,
) -> Change | dict[str, Any]:
    """Add many customer users; those that are there already can be changed.

    Args:
        services: with the directory.
        rows: the values of each by variable, at most 500; see ``customer_user.add``. Whoever is
            added is valid unless their row says otherwise.
        source: where to: ``CustomerUser1``, or its slot. The first that can be written to if none
            is given.
        update: change those who are there already; otherwise they are refused.
        dry_run: check everything, and write nothing.
        generate_passwords: make one for each who is added without one, unless the source keeps
            none.

    Returns:
        ``rows``: of each ``number`` (from 1), ``login`` and ``outcome``: added, updated, unchanged
        or refused; of one that was refused ``error``, ``message`` and perhaps ``field``, or
        ``may_be_done``; a ``password`` that was made, and never again. ``source``: where to.

    Raises:
        Refused: read_only_source, unknown_source, wrong_arguments (too many rows). What is against
            a row is told with it: all that ``customer_user.add`` and ``.update`` refuse.
        SourceUnavailable: a source does not answer: it might know one of the logins. If it fell
            silent between adding and changing, that is told with the rows that were to be changed.
    """
    if len(rows) > MOST_ROWS:
        message = f"there are {len(rows)} rows; send at most {MOST_ROWS} with each call"
        raise Refused("wrong_arguments", message, field="rows")
    directory = services.directory
    target = chosen(directory.sources, source)
    writer = author(services)
    known = _known(services, rows) if update else ()
    made = {} if dry_run or not generate_passwords else _made(target, rows, known)
    usual = _usual(target)
    new = {
        number: {**usual, **values, **({PASSWORD: made[number]} if number in made else {})}
        for number, values in enumerate(rows)
        if number not in known
    }
    edits = {number: _edit(rows[number]) for number in known}
    added = add_all(directory, target, list(new.values()), writer, dry_run=dry_run) if new else ()
    outcomes: dict[int, _Outcome] = dict(zip(new, added, strict=True))
    try:
        if edits:
            asked = list(edits.values())
            updated = update_all(directory, asked, writer, source=target, dry_run=dry_run)
            outcomes |= zip(edits, updated, strict=True)
    except (DirectoryError, TicketDatabaseUnavailable) as error:
        if not any(isinstance(one, Added) for one in added):
            raise
        outcomes |= dict.fromkeys(edits, error)  # the others are in, and must be told of
    numbered = enumerate(map(_login, rows))
    told = {
        "rows": [_row(number, login, outcomes[number], made) for number, login in numbered],
        "source": target.config.source_name,
    }
    return told if dry_run else _change(told, outcomes.values())


def _known(
    services: Services, rows: Sequence[Mapping[str, str | int | Sequence[str]]]
) -> Sequence[int]:
    """The rows, by place, whose logins some source knows."""
    logins = [_login(values) for values in rows]
    found = whose(services.directory.sources, list(filter(None, logins)))
    return [number for number, login in enumerate(logins) if login in found]


def _login(values: Mapping[str, Any]) -> str:
    login = values.get(LOGIN)
    return str(login) if isinstance(login, str | int) else ""


def _made(
    target: WritableSource,
    rows: Sequence[Mapping[str, Any]],
    known: Collection[int],
) -> Mapping[int, str]:
    """A password for each new row without one, by place."""
    if not password_column(target.config):
        return {}
    return {
        number: passwords.generate(ACCOUNT_LENGTH)
        for number, values in enumerate(rows)
        if number not in known and not values.get(PASSWORD)
    }


def _usual(target: WritableSource) -> dict[str, Any]:
    """What stands in OTOBO's screen before anything is typed."""
    has_validity = any(entry.variable == VALID for entry in target.config.map)
    return {VALID: "valid"} if has_validity else {}


def _edit(values: Mapping[str, Any]) -> Edit:
    """A change of all that is given; a login in another case is no rename."""
    return Edit(_login(values), {name: text for name, text in values.items() if name != LOGIN})


def _row(number: int, login: str, outcome: _Outcome, made: Mapping[int, str]) -> dict[str, Any]:
    """What is told of one row."""
    told: dict[str, Any] = {"number": number + 1, "login": login}
    match outcome:
        case Added(login=given):
            told |= {"login": given, "outcome": "added"}
            if number in made:
                told["password"] = made[number]
        case Updated(login=given, fields=fields):
            told |= {"login": given, "outcome": "updated" if fields else "unchanged"}
        case _:
            told |= {"outcome": "refused", **call_errors.told(outcome, CALL)}
    return told


def _change(told: Mapping[str, Any], outcomes: Iterable[_Outcome]) -> Change | dict[str, Any]:
    """A change, or plain data if nothing had to be written."""
    done = [one for one in outcomes if isinstance(one, Added | Updated) and one.fields]
    if not done:
        return dict(told)
    return Change(
        told,
        str(told["source"]),
        customer_users=tuple(one.login for one in done),
        fields=tuple(dict.fromkeys(name for one in done for name in one.fields)),
    )
