"""May these values be written? What the source's Map says of each, all refusals at once.

Pure: nothing is asked. What only a table can tell (is the login taken, does the customer exist,
has the dynamic field this choice) is asked by those who write. The rules are OTOBO's (spec 5.2,
5.3), but ``0`` is a value (D2) save as a login, an update changes what is given and nothing else
(D24), and what OTOBO's screens alone refuse (choices, numbers, lengths) is refused here.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from directory.config import MapEntry
from directory.email_address import is_email_address
from directory.folding import fold
from directory.map_values import (
    EMAIL,
    VALID,
    VALIDITY,
    Place,
    Texts,
    customer_users_of,
    has_column,
    read_value,
    refused,
    unknown,
)
from directory.model import Attributes, AttributeValue
from directory.passwords import PASSWORD
from directory.refusals import Refused

__all__ = ["VALIDITY", "Place", "Verdict", "check_add", "check_update", "customer_users_of"]

Given: TypeAlias = Mapping[str, Any]
"""Values by variable: a text, or a list of texts for a dynamic field. A number counts as text."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What is to be written where, or why nothing may be.

    Attributes:
        columns: values by column of the source's table; an integer for a column that the Map
            calls ``int``. On an update only those that differ from what is stored.
        fields: texts by dynamic field of the customer user; none = to be emptied.
        password: in clear; empty if none was given.
        variables: those that this writes, in the Map's order.
        refusals: one for each variable at the most; if there is any, nothing may be written.
    """

    columns: Mapping[str, str | int] = field(default_factory=dict, repr=False)
    fields: Mapping[str, Texts] = field(default_factory=dict, repr=False)
    password: str = field(default="", repr=False)
    variables: tuple[str, ...] = ()
    refusals: tuple[Refused, ...] = ()


def check_add(place: Place, values: Given) -> Verdict:
    """Check the values of a new customer user.

    All columns of the Map are written; those without a value empty, or 0, as by OTOBO, and
    ``ValidID`` valid. A password that was generated is among the values like one that was given.
    """
    given, refusals = _read(place, values)
    for entry in place.entries:
        if _is_required(place, entry) and not given.get(entry.variable):
            refusals.setdefault(entry.variable, _required(place, entry))
    written = _omitted(place, given) | given
    if VALID in written and not written[VALID]:
        written[VALID] = (place.validity["valid"],)
    if _is_valid(place, _one(written.get(VALID))):
        _check_email(place, given, refusals)
    return _verdict(place, written, given, refusals)


def check_update(
    place: Place, values: Given, stored: Attributes, *, replace: bool = False
) -> Verdict:
    """Check new values of a customer user.

    Args:
        place: where they are stored.
        values: the new ones.
        stored: all that the Map says of them now, dynamic fields included.
        replace: as OTOBO's screen does it: what is not given is emptied, so that all required
            fields must be given, the login too; entries marked readonly stay as they are,
            whatever is given. Otherwise what is not given stays as it is, and another value for
            an entry marked readonly is refused.
    """
    given, refusals = _read(place, values)
    for entry in place.entries:
        name = entry.variable
        asked = name != PASSWORD and (replace or name in given)
        if asked and _is_required(place, entry) and not given.get(name):
            refusals.setdefault(name, _required(place, entry, replace=replace))
        if entry.readonly and name in given:
            if not replace and not _is_stored(entry, given[name], stored):
                refusals.setdefault(name, _read_only(place, entry))
            del given[name]
    validity = _one(given[VALID]) if VALID in given else stored.get(VALID)
    moved = fold(_one(given.get(EMAIL))) != fold(str(stored.get(EMAIL, "")))
    if moved and _is_valid(place, validity):
        _check_email(place, given, refusals)
    if replace:
        given = _omitted(place, given, replace=True) | given
    changed = {
        entry.variable: given[entry.variable]
        for entry in place.entries
        if entry.variable in given and not _is_stored(entry, given[entry.variable], stored)
    }
    return _verdict(place, changed, changed, refusals)


def _omitted(
    place: Place, given: Mapping[str, Texts], *, replace: bool = False
) -> dict[str, Texts]:
    """Empty values for what was not given, but for columns that another variable decides.

    Args:
        place: where they are to be written.
        given: the values by variable.
        replace: of somebody who is there already, and stays as valid as they are.
    """
    decided = {entry.storage for entry in place.entries if entry.variable in given}
    return {
        entry.variable: ()
        for entry in place.entries
        if entry.storage not in decided
        and (has_column(entry) if not replace else entry.variable not in {PASSWORD, VALID})
        and not (replace and entry.readonly)
    }


def _is_required(place: Place, entry: MapEntry) -> bool:
    """As OTOBO sees it: a dynamic field is never required, the key always."""
    if entry.storage_type == "dynamic_field":
        return False
    return entry.required or entry.variable == place.key


def _is_valid(place: Place, id_: AttributeValue | None) -> bool:
    """Whether a customer user with this ValidID is valid; without the variable all are."""
    mapped = any(entry.variable == VALID for entry in place.entries)
    return not mapped or id_ == place.validity.get("valid")


def _read(place: Place, values: Given) -> tuple[dict[str, Texts], dict[str, Refused]]:
    """The values that suit the Map's rows, and why the others do not, each by variable."""
    given: dict[str, Texts] = {}
    refusals: dict[str, Refused] = {}
    columns: dict[str, str] = {}
    known = {entry.variable for entry in place.entries}
    for name, value in values.items():
        if name not in known and (name, value) != (PASSWORD, ""):
            refusals[name] = unknown(place, name, sorted(known))
    for entry in place.entries:
        name = entry.variable
        if name not in values:
            continue
        try:
            texts = read_value(place, entry, values[name])
        except Refused as refusal:
            refusals.setdefault(name, refusal)
            continue
        if not texts and name == PASSWORD:
            continue
        given[name] = texts
        if has_column(entry) and given[other := columns.setdefault(entry.storage, name)] != texts:
            problem = f"stands in one column with {other}; give both the same value"
            refusals.setdefault(name, refused(place, "wrong_arguments", entry, problem))
    return given, refusals


def _check_email(place: Place, given: Mapping[str, Texts], refusals: dict[str, Refused]) -> None:
    text = _one(given.get(EMAIL))
    if text and place.checks_email and not is_email_address(text):
        message = (
            f"{EMAIL} is no email address: give one like jane@example.org, without a name "
            "before it and without blanks"
        )
        refusal = Refused("wrong_email", message, field=EMAIL, source=place.source)
        refusals.setdefault(EMAIL, refusal)


def _verdict(
    place: Place,
    written: Mapping[str, Texts],
    told: Mapping[str, Texts],
    refusals: Mapping[str, Refused],
) -> Verdict:
    order = [*dict.fromkeys(entry.variable for entry in place.entries)]
    if refusals:
        first = [refusals[name] for name in order if name in refusals]
        others = [refusal for name, refusal in refusals.items() if name not in order]
        return Verdict(refusals=(*first, *others))
    columns: dict[str, str | int] = {}
    fields: dict[str, Texts] = {}
    for entry in place.entries:
        if entry.variable not in written:
            continue
        if entry.storage_type == "dynamic_field":
            fields[entry.storage] = written[entry.variable]
        elif has_column(entry):
            columns[entry.storage] = _cell(entry, written[entry.variable])
    return Verdict(
        columns=columns,
        fields=fields,
        password=_one(written.get(PASSWORD)),
        variables=tuple(name for name in order if name in told),
    )


def _cell(entry: MapEntry, texts: Texts) -> str | int:
    """What stands in a column; OTOBO leaves no NULL behind."""
    return int(_one(texts) or 0) if entry.storage_type == "int" else _one(texts)


def _one(texts: Texts | None) -> str:
    return texts[0] if texts else ""


def _is_stored(entry: MapEntry, texts: Texts, stored: Attributes) -> bool:
    """Whether a value stands there already; NULL is equal to no value, and to 0.

    Nobody can say it of a password, which is never read.
    """
    value = stored.get(entry.variable)
    if entry.storage_type == "int":
        return str(_cell(entry, texts)) == (value or "0")
    if isinstance(value, str):
        value = (value,) if value else ()
    return entry.variable != PASSWORD and texts == (value or ())


def _required(place: Place, entry: MapEntry, *, replace: bool = False) -> Refused:
    problem = "must have a value; give one"
    if replace:
        problem += ", since a replacing update writes every field"
    return refused(place, "required", entry, problem)


def _read_only(place: Place, entry: MapEntry) -> Refused:
    problem = "is marked readonly in the Map; leave it out, or change it where it comes from"
    return refused(place, "read_only_field", entry, problem)
