"""How are customer users changed? Only the values given, and only if nobody changed them meanwhile.

What others must be asked is asked first, and passwords are hashed; then the rows are locked, and
every check is made against what stands there now (``directory.editing``). Another ``UserLogin``
among the values renames: what hangs on the login moves along (``directory.renaming``).
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial

from directory.admission import unusable_customers, unusable_logins, whose
from directory.attributes import CUSTOMER_ID
from directory.customer_user_fields import refusals as field_refusals
from directory.customer_user_place import place_of
from directory.directory import Directory
from directory.editing import Edit, Objection, Planned, Updated, apply, told
from directory.field_types import Definition
from directory.folding import fold
from directory.kept_otherwise import without_them
from directory.model import Attributes, CustomerUser
from directory.passwords import stored_form
from directory.refusals import Refused
from directory.source import CustomerUserSource, WritableSource
from directory.source_transaction import LOGIN, SourceTransaction
from directory.ticket_side import known_fields, write_beside
from directory.writable import as_writable
from directory.write_rules import Place, Verdict, check_update
from directory.writing import Author, RolledBack

__all__ = ["Edit", "Updated", "unknown", "update"]


def update(
    directory: Directory,
    edits: Sequence[Edit],
    author: Author,
    *,
    source: WritableSource | None = None,
    dry_run: bool = False,
) -> Sequence[Updated | Refused]:
    """Change customer users of one source.

    Args:
        directory: with all sources.
        edits: each of another customer user.
        author: who writes.
        source: whose customer users they are; None takes that of the first.
        dry_run: do all of it and take it back; dynamic fields are checked and not written.

    Returns:
        For each edit what became of it.

    Raises:
        SourceUnavailable: nothing was written. ``SourceOutcomeUnknown``: that is not known.
        DatabaseFault: the ticket system's database or the customers' does not answer; nothing
            was written to the source.
        Refused: the source is only read, or what hangs on a login cannot be kept under the new
            one; nothing was written.
    """
    results: dict[int, Updated | Refused] = {}
    found = whose(directory.sources, [edit.login for edit in edits])
    if source is None:
        first = next((found[edit.login][0] for edit in edits if edit.login in found), None)
        if first is None:
            return [unknown(edit.login) for edit in edits]
        source = as_writable(first)
    people = _people(source, edits, found, results)
    companions = directory.companions
    place = place_of(companions, source)
    known = known_fields(companions.tickets, place)
    asked = _planned(directory, source, place, known, edits, people, results)
    objection = _objection(directory, source, place, asked)

    def work(
        planned: Mapping[int, Planned], transaction: SourceTransaction
    ) -> Mapping[int, Updated | Refused]:
        judged, refused = apply(transaction, place, planned, objection)
        stored = transaction.written([one.planned.new for one in judged.values()])
        if dry_run:
            raise RolledBack({**refused, **told(transaction, judged, stored, None)})
        logins = {one.stored.login: one.planned.new for one in judged.values()}
        renamed = {old: new for old, new in logins.items() if old != new}
        given = {one.planned.new: one.verdict.fields for one in judged.values()}
        beside = write_beside(transaction, companions, known, given, renamed)
        return {**refused, **told(transaction, judged, stored, beside)}

    def write(planned: Mapping[int, Planned]) -> Mapping[int, Updated | Refused]:
        return source.transact(partial(work, planned), author, rows=len(planned))

    results |= without_them(asked, lambda one: one.new, write)
    return [results[number] for number in range(len(edits))]


def unknown(login: str) -> Refused:
    """No source knows a login."""
    message = f"no source knows a customer user {login}; look for the login with customer_user.find"
    return Refused("unknown_customer_user", message, field=LOGIN)


def _people(
    source: WritableSource,
    edits: Sequence[Edit],
    found: Mapping[str, tuple[CustomerUserSource, CustomerUser]],
    results: dict[int, Updated | Refused],
) -> Mapping[int, CustomerUser]:
    """Whom the edits are about, by place; what is against the others."""
    people: dict[int, CustomerUser] = {}
    seen: set[str] = set()
    name = source.config.source_name
    for number, edit in enumerate(edits):
        if edit.login not in found:
            results[number] = unknown(edit.login)
            continue
        theirs, user = found[edit.login]
        if theirs.config.slot != source.config.slot:
            told = f"{edit.login} is a customer user of {theirs.config.source_name}, not of {name}"
            results[number] = Refused("unknown_customer_user", told, field=LOGIN, source=name)
        elif user.login in seen:
            twice = f"{user.login} is there more than once; change each customer user once"
            results[number] = Refused("duplicate_login", twice, field=LOGIN, source=name)
        else:
            seen.add(user.login)
            people[number] = user
    return people


def _planned(  # noqa: PLR0913, PLR0917 - all that is known so far
    directory: Directory,
    source: WritableSource,
    place: Place,
    known: Mapping[str, Definition],
    edits: Sequence[Edit],
    people: Mapping[int, CustomerUser],
    results: dict[int, Updated | Refused],
) -> dict[int, Planned]:
    """The edits that nothing is against so far, by place; what is against the others."""
    config = source.config
    every_field = _dynamic_fields(directory, place, edits, people)
    planned: dict[int, Planned] = {}
    for number, user in people.items():
        edit, fields = edits[number], every_field.get(user.login, {})
        if edit.replace and LOGIN not in edit.values:
            edit = replace(edit, values={**edit.values, LOGIN: user.login})
        attributes = {**user.attributes, **fields}
        verdict = check_update(place, edit.values, attributes, replace=edit.replace)
        try:
            if refusals := verdict.refusals or field_refusals(known, verdict.fields, place):
                raise refusals[0]
            hashed = ""
            if verdict.password:
                form, cost = config.password_form, config.bcrypt_cost
                hashed = stored_form(verdict.password, form, user.login, cost)
        except Refused as refusal:
            results[number] = refusal
        else:
            new = str(verdict.columns.get(config.customer_key, user.login))
            planned[number] = Planned(edit, user.login, new, fields, hashed)
    return planned


def _dynamic_fields(
    directory: Directory,
    place: Place,
    edits: Sequence[Edit],
    people: Mapping[int, CustomerUser],
) -> Mapping[str, Attributes]:
    """Dynamic fields by login and variable, of those whose edits are about them."""
    names = {
        entry.variable: entry.storage
        for entry in place.entries
        if entry.storage_type == "dynamic_field"
    }
    asked = [
        user.login
        for number, user in people.items()
        if edits[number].replace or names.keys() & edits[number].values.keys()
    ]
    reader = directory.companions.dynamic_fields
    if reader is None or not names or not asked:
        return {}
    found = reader.read(asked, set(names.values()))
    return {
        login: {variable: fields[name] for variable, name in names.items() if name in fields}
        for login, fields in found.items()
    }


def _objection(
    directory: Directory, source: WritableSource, place: Place, planned: Mapping[int, Planned]
) -> Objection:
    """What others have against edits: asked before anything is locked, for those who decide then.

    A login that only changes its case is not looked for elsewhere, as by OTOBO (spec 5.3).
    """
    config = source.config
    renamed = [one.new for one in planned.values() if fold(one.new) != fold(one.login)]
    logins = unusable_logins(directory.sources, source, renamed)

    def customer(one: Planned) -> str:
        return str(one.edit.values.get(CUSTOMER_ID, ""))

    customers = unusable_customers(
        directory.companions.companies,
        config,
        [customer(one) for one in planned.values()],
        place.validity.get("valid", "1"),
    )

    def objection(one: Planned, verdict: Verdict) -> Refused | None:
        refused = logins.get(one.new) if LOGIN in verdict.variables else None
        if refused is None and CUSTOMER_ID in verdict.variables:
            refused = customers.get(customer(one))
        return refused

    return objection
