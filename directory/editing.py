"""What is done to customer users while their rows are locked?

Every edit is judged anew by what stands there now: whether it is the version that somebody saw,
whether the login and the address are still free. Those that pass are written, each row counted.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from directory.customer_user_place import Given, password_column
from directory.folding import fold
from directory.model import Attributes
from directory.refusals import Refused
from directory.renaming import Moved
from directory.source_transaction import (
    EMAIL,
    LOGIN,
    SourceTransaction,
    Stored,
    duplicate_email,
    duplicate_login,
)
from directory.ticket_side import Beside
from directory.write_rules import Place, Verdict, check_update
from directory.writing import version


@dataclass(frozen=True, slots=True)
class Edit:
    """What is to become of a customer user.

    Attributes:
        login: theirs, as anybody spells it.
        values: by variable; ``UserPassword`` in clear.
        replace: what is not given is emptied, as OTOBO's screen does, but for the login.
        expected: the version that the caller saw; None if it does not matter.
    """

    login: str
    values: Given = field(repr=False)
    replace: bool = False
    expected: str | None = None


@dataclass(frozen=True, slots=True)
class Updated:
    """A customer user who is as the caller wants them.

    Attributes:
        login: as it is now.
        was: the login before.
        source: the source's name.
        fields: the variables that were changed; none if all was as it should be.
        version: of what is stored now.
        moved: what moved to the new login, of somebody who was renamed.
    """

    login: str
    was: str
    source: str
    fields: tuple[str, ...]
    version: str
    moved: Moved | None = None


@dataclass(frozen=True, slots=True)
class Planned:
    """An edit that has passed all that can be checked before anything is locked.

    Attributes:
        edit: what is asked for.
        login: as the source spells it.
        new: the login from now on.
        fields: dynamic fields as they are, by variable.
        hashed: the stored form of a new password; empty if there is none.
    """

    edit: Edit
    login: str
    new: str
    fields: Attributes = field(repr=False)
    hashed: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Judged:
    """An edit that nothing is against, of a row that is locked.

    Attributes:
        planned: the edit.
        stored: the customer user so far.
        verdict: what is to be written.
        address: the email address, if it becomes another one; else empty.
    """

    planned: Planned
    stored: Stored
    verdict: Verdict
    address: str = field(repr=False)


Objection = Callable[[Planned, Verdict], Refused | None]
"""What was heard elsewhere against an edit, given what it would write."""


def apply(
    transaction: SourceTransaction,
    place: Place,
    planned: Mapping[int, Planned],
    objection: Objection,
) -> tuple[Mapping[int, Judged], dict[int, Updated | Refused]]:
    """Change the rows, and say what is against those that were not changed.

    Args:
        transaction: of their source.
        place: the source's Map.
        planned: the edits, each of another customer user.
        objection: to ask for each edit.
    """
    refused: dict[int, Updated | Refused] = {}
    judged = _judge(transaction, place, planned, objection, refused)
    if transaction.config.customer_user_email_uniq_check:
        _refuse_addresses(transaction, judged, refused)
    column = password_column(transaction.config)
    cells: dict[str, Mapping[str, str | int]] = {}
    for one in judged.values():
        hashed = one.planned.hashed
        password = {column: hashed} if hashed and column is not None else {}
        if row := {**one.verdict.columns, **password}:
            cells[one.stored.login] = row
    misfits = transaction.update(cells)
    for number, one in list(judged.items()):
        if one.stored.login in misfits:
            refused[number] = misfits[one.stored.login]
            del judged[number]
    return judged, refused


def told(
    transaction: SourceTransaction,
    judged: Mapping[int, Judged],
    now: Mapping[str, Stored],
    beside: Beside | None,
) -> Mapping[int, Updated | Refused]:
    """What is told of those who are as they are wanted.

    Args:
        transaction: of their source.
        judged: the edits that were made.
        now: what is stored of them since, by login.
        beside: what was written beside them; None in a dry run, which writes nothing there.
    """
    fields = {
        entry.variable: entry.storage
        for entry in transaction.config.map
        if entry.storage_type == "dynamic_field"
    }
    results: dict[int, Updated | Refused] = {}
    for number, one in judged.items():
        new = one.planned.new
        written = fields.values() if beside is None else beside.fields.get(new, ())
        results[number] = Updated(
            login=new,
            was=one.stored.login,
            source=transaction.config.source_name,
            fields=tuple(
                name
                for name in one.verdict.variables
                if name not in fields or fields[name] in written
            ),
            version=version(now[new].attributes),
            moved=None if beside is None else beside.moved.get(new),
        )
    return results


def _judge(
    transaction: SourceTransaction,
    place: Place,
    planned: Mapping[int, Planned],
    objection: Objection,
    refused: dict[int, Updated | Refused],
) -> dict[int, Judged]:
    config = transaction.config
    locked = transaction.read([one.login for one in planned.values()], lock=True)
    new = [one.new for one in planned.values() if one.new != one.login]
    present = transaction.find(new) if new else {}
    judged: dict[int, Judged] = {}
    for number, one in planned.items():
        mine = locked.get(one.login, ())
        try:
            if len(mine) != 1:
                raise _not_one(one.login, config.source_name, len(mine))
            (stored,) = mine
            if one.edit.expected not in {None, version(stored.attributes)}:
                raise _changed_meanwhile(one.login, config.source_name)
            attributes = {**stored.attributes, **one.fields}
            verdict = check_update(place, one.edit.values, attributes, replace=one.edit.replace)
            taken = present.get(transaction.spelling(one.new), ())
            if any(row.login != one.login for row in taken):
                raise duplicate_login(one.new, config.source_name)
            if refusal := next(iter(verdict.refusals), None) or objection(one, verdict):
                raise refusal
        except Refused as refusal:
            refused[number] = refusal
            continue
        address = str(verdict.columns.get(config.storages.get(EMAIL, ""), ""))
        moved = fold(address) != fold(str(stored.attributes.get(EMAIL, "")))
        judged[number] = Judged(one, stored, verdict, address if moved else "")
    return judged


def _changed_meanwhile(login: str, source: str) -> Refused:
    message = f"{login} was changed since you looked; look again, and repeat it"
    return Refused("changed_meanwhile", message, source=source)


def _not_one(login: str, source: str, rows: int) -> Refused:
    if not rows:
        return _changed_meanwhile(login, source)
    message = f"{source} has {rows} rows with the login {login}; leave one of them in the table"
    return Refused("duplicate_login", message, field=LOGIN, source=source)


def _refuse_addresses(
    transaction: SourceTransaction,
    judged: dict[int, Judged],
    refused: dict[int, Updated | Refused],
) -> None:
    """Take out who would get an email address that somebody else has."""
    owners = transaction.owners([one.address for one in judged.values()])
    claimed: set[str] = set()
    for number, one in list(judged.items()):
        address = fold(one.address)
        if not address:
            continue
        if address in claimed or owners.get(address, frozenset()) - {one.stored.login}:
            refused[number] = duplicate_email(transaction.config.source_name)
            del judged[number]
        claimed.add(address)
