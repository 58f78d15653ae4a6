"""How does an admin add and change customer users? One at a time, by what OTOBO's rules let pass.

Each call writes to one source, in one transaction; what is against it is raised as ``Refused``, and
nothing is written then. A password that was made is told once, and kept nowhere in clear.
"""

from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

from directory import passwords
from directory.adding import Added
from directory.adding import add as add_all
from directory.customer_user_place import password_column
from directory.passwords import ACCOUNT_LENGTH, PASSWORD
from directory.refusals import Refused
from directory.renaming import Moved
from directory.source_transaction import LOGIN
from directory.updating import Edit, Updated
from directory.updating import update as update_all
from directory.writable import chosen
from worker.handlers.authoring import author
from worker.handlers.changes import Change
from worker.handlers.renaming import Renamed, with_tickets
from worker.services import Services

Values = Mapping[str, str | int | Sequence[str]]
"""Values by variable; several texts for a dynamic field that holds several."""

VALID, INVALID, INVALID_TEMPORARILY = "valid", "invalid", "invalid-temporarily"

T = TypeVar("T")


def add(
    services: Services,
    *,
    values: Mapping[str, str | int | Sequence[str]],
    source: str | None = None,
    password: str | None = None,
    generate_password: bool = True,
) -> Change:
    """Add a customer user.

    Args:
        services: with the directory.
        values: by variable (``UserFirstname``): a text, or a list of texts for a dynamic field.
            ``UserLogin`` can be left out where the source makes logins (``auto_login_creation``).
        source: where to: ``CustomerUser1``, or its slot. The first that can be written to if none
            is given.
        password: in clear; stored in the form that the source is set to.
        generate_password: make one if none is given, unless the source keeps none.

    Returns:
        ``login``, ``source``, ``fields`` (the variables that were written), ``version`` of what is
        stored now; ``password``, only if one was made, and never again.

    Raises:
        Refused: read_only_source, unknown_source, unknown_field, required, not_a_choice,
            not_a_number, not_a_date, no_match, too_long, not_valid_utf8, wrong_email,
            duplicate_login, duplicate_email, unknown_customer, invalid_customer,
            no_password_column, refused_by_database, wrong_arguments.
        SourceUnavailable: a source does not answer: it might know the login.
    """
    directory = services.directory
    target = chosen(directory.sources, source)
    given = _with_password(values, password)
    made = ""
    if generate_password and not given.get(PASSWORD) and password_column(target.config):
        made = passwords.generate(ACCOUNT_LENGTH)
        given[PASSWORD] = made
    added = _sure(add_all(directory, target, [given], author(services)))
    told = _told(added) | ({"password": made} if made else {})
    return Change(told, added.source, customer_users=(added.login,), fields=added.fields)


def update(  # noqa: PLR0913 - what an update can be told
    services: Services,
    *,
    login: str,
    values: Mapping[str, str | int | Sequence[str]],
    replace: bool = False,
    expected: str | None = None,
    tickets: bool = False,
) -> Change | dict[str, Any]:
    """Change a customer user: only the values given, unless all are to be replaced.

    Args:
        services: with the directory.
        login: theirs, as anybody spells it.
        values: by variable; an empty text empties. Another ``UserLogin`` renames.
        replace: what is not given is emptied, as OTOBO's screen does; required ones must be given,
            but for the login.
        expected: the ``version`` that was seen; if it is another one by now, nothing is written.
        tickets: where the login changes, their tickets get the new one as well.

    Returns:
        ``login``, ``source``, ``fields`` (the variables that were changed; none if all was so
        already), ``version`` of what is stored now; ``tickets``, how many got
        a new login, where they were to get it.

    Raises:
        Refused: as ``customer_user.add``, and unknown_customer_user, changed_meanwhile,
            read_only_field.
        SourceUnavailable: a source does not answer that could know the login.
    """
    edit = Edit(login, dict(values), replace, expected)
    new_login = str(values.get(LOGIN) or login)
    if not tickets or new_login == login:
        updated = _updated(services, edit)
        return _change(updated, _told(updated))

    def write() -> Updated:
        return _updated(services, edit)

    # Only a rename goes on with an earlier one: nobody knows what else that was to change.
    renamed = with_tickets(services, login, new_login, write, goes_on=False)
    told = _told(renamed.updated) | {"tickets": renamed.tickets} | _warnings(renamed)
    return _change(renamed.updated, told, wrote=renamed.tickets > 0)


def rename(
    services: Services, *, login: str, new_login: str, tickets: bool = False
) -> Change | dict[str, Any]:
    """Give a customer user another login; what hangs on the old one moves along.

    Args:
        services: with the directory.
        login: the old one.
        new_login: the new one; no source may know it, but in another case.
        tickets: tickets get the new login as well, in batches. Where a call was cut off, call
            again with the same logins: whoever has the new login by then gets the other tickets,
            if Redis still knows that this rename has begun.

    Returns:
        ``login``, ``source``, and ``moved``: how many ``preferences``, ``assignments``,
        ``dynamic_fields`` (values), ``others`` (groups, services, saved searches) and ``tickets``
        moved. ``warnings`` say why some tickets may have the old login yet.

    Raises:
        Refused: unknown_customer_user, duplicate_login, read_only_source, read_only_field,
            too_long, required, not_valid_utf8, refused_by_database.
        SourceUnavailable: a source does not answer: it might know the new login.
    """
    edit = Edit(login, {LOGIN: new_login})
    if tickets:
        renamed = with_tickets(services, login, new_login, lambda: _updated(services, edit))
    else:
        renamed = Renamed(_updated(services, edit))
    updated = renamed.updated
    told: dict[str, Any] = {
        "login": updated.login,
        "source": updated.source,
        "moved": _moved(updated.moved) | {"tickets": renamed.tickets},
    }
    return _change(updated, told | _warnings(renamed), wrote=renamed.tickets > 0)


def activate(services: Services, *, login: str) -> Change | dict[str, Any]:
    """Make a customer user valid.

    Args:
        services: with the directory.
        login: theirs.

    Returns:
        As ``customer_user.update``.

    Raises:
        Refused: as ``customer_user.update``.
        SourceUnavailable: a source does not answer that could know the login.
    """
    return update(services, login=login, values={"ValidID": VALID})


def deactivate(
    services: Services, *, login: str, temporarily: bool = False
) -> Change | dict[str, Any]:
    """Make a customer user invalid, which is as much as can be done: nobody is ever deleted.

    Args:
        services: with the directory.
        login: theirs.
        temporarily: for some time only (invalid-temporarily).

    Returns:
        As ``customer_user.update``.

    Raises:
        Refused: as ``customer_user.update``.
        SourceUnavailable: a source does not answer that could know the login.
    """
    validity = INVALID_TEMPORARILY if temporarily else INVALID
    return update(services, login=login, values={"ValidID": validity})


def set_password(services: Services, *, login: str, password: str | None = None) -> Change:
    """Give a customer user another password.

    Args:
        services: with the directory.
        login: theirs.
        password: in clear; one is made if none is given.

    Returns:
        ``login``, ``source``; ``password``, only if one was made, and never again.

    Raises:
        Refused: unknown_customer_user, read_only_source, read_only_field, no_password_column,
            required, too_long, not_valid_utf8.
        SourceUnavailable: a source does not answer that could know the login.
    """
    if password == "":
        message = "the password is empty; give one, or none at all to have one made"
        raise Refused("required", message, field=PASSWORD)
    made = "" if password is not None else passwords.generate(ACCOUNT_LENGTH)
    updated = _updated(services, Edit(login, {PASSWORD: password or made}))
    told = {"login": updated.login, "source": updated.source}
    return Change(
        told | ({"password": made} if made else {}),
        updated.source,
        customer_users=(updated.login,),
        fields=updated.fields,
    )


def generate_password(
    services: Services,  # noqa: ARG001 - every call has them
    *,
    length: int = passwords.LENGTH,
) -> dict[str, Any]:
    """Make a password, for nobody yet.

    Args:
        services: not needed.
        length: characters, 8 to 72.

    Returns:
        ``password``.

    Raises:
        Refused: wrong_arguments.
    """
    return {"password": passwords.generate(length)}


def delete(services: Services, *, login: str) -> Change:  # noqa: ARG001 - every call has them
    """Refuse to delete a customer user: tickets name them, and nobody is ever deleted.

    Args:
        services: not needed.
        login: theirs.

    Returns:
        Nothing.

    Raises:
        Refused: cannot_be_deleted, always.
    """
    message = (
        f"{login} cannot be deleted, since tickets name customer users; deactivate them instead "
        "(customer_user.deactivate)"
    )
    raise Refused("cannot_be_deleted", message, field=LOGIN)


def _with_password(values: Values, password: str | None) -> dict[str, Any]:
    if password is None:
        return dict(values)
    if values.get(PASSWORD):
        message = f"a password is given twice, as password and as {PASSWORD}; give one"
        raise Refused("wrong_arguments", message, field=PASSWORD)
    return {**values, PASSWORD: password}


def _updated(services: Services, edit: Edit) -> Updated:
    return _sure(update_all(services.directory, [edit], author(services)))


def _warnings(renamed: Renamed) -> dict[str, list[str]]:
    return {"warnings": renamed.warnings} if renamed.warnings else {}


def _sure(results: Sequence[T | Refused]) -> T:
    """What became of the only row.

    Raises:
        Refused: it was refused.
    """
    (result,) = results
    if isinstance(result, Refused):
        raise result
    return result


def _told(done: Added | Updated) -> dict[str, Any]:
    return {
        "login": done.login,
        "source": done.source,
        "fields": list(done.fields),
        "version": done.version,
    }


def _moved(moved: Moved | None) -> dict[str, int]:
    counted = moved or Moved()
    return {
        "preferences": counted.preferences,
        "assignments": counted.assignments,
        "dynamic_fields": counted.dynamic_fields,
        "others": counted.others,
    }


def _change(
    updated: Updated, told: Mapping[str, Any], *, wrote: bool = False
) -> Change | dict[str, Any]:
    """A change, or plain data where all was as it should be already and nothing else written."""
    if not (updated.fields or wrote):
        return dict(told)
    renamed = updated.login if updated.login != updated.was else ""
    return Change(
        told,
        updated.source,
        customer_users=tuple(dict.fromkeys((updated.was, updated.login))),
        fields=updated.fields,
        renamed=renamed,
    )
