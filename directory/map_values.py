"""Does this value suit its row of the Map? What can be said of each value by itself.

A choice must be one of those offered, a number a number, a text not longer than its column, and
all of it something that every database stores. An empty value suits every row.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import Any, TypeAlias

from directory import passwords
from directory.config import MapEntry, PasswordForm, SqlSourceConfig
from directory.passwords import PASSWORD
from directory.refusals import Refusal, Refused

LOGIN, EMAIL, VALID = "UserLogin", "UserEmail", "ValidID"
"""Variables that have rules of their own, besides the password's."""

VALIDITY: Mapping[str, str] = {"valid": "1", "invalid": "2", "invalid-temporarily": "3"}
"""Ids by name, as OTOBO's table ``valid`` has them; ``ValidID`` can be given as either."""

MOST_CHOICES = 20
"""Choices that a message lists."""

_INTEGER = re.compile(r"-?[0-9]{1,18}")
_NOT_TEXT = re.compile("[\0\ud800-\udfff]")

Texts: TypeAlias = tuple[str, ...]
"""A value: no text is an empty value; only a dynamic field has more than one."""


@dataclass(frozen=True, slots=True)
class Place:
    """A table that is written to, as its source's settings and its database describe it.

    Attributes:
        source: the source's name, ``CustomerUser1``.
        entries: the rows of its Map.
        key: the variable that names a row, ``UserLogin``; always required.
        selections: labels by choice, by variable.
        lengths: characters that a column holds; a column without a limit is missing.
        validity: the ids of ``ValidID`` by name.
        checks_email: whether UserEmail must be an address.
        password_form: how a password is stored.
    """

    source: str
    entries: tuple[MapEntry, ...]
    key: str = LOGIN
    selections: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    lengths: Mapping[str, int] = field(default_factory=dict)
    validity: Mapping[str, str] = field(default_factory=lambda: VALIDITY)
    checks_email: bool = False
    password_form: PasswordForm = "bcrypt"  # noqa: S105 - the form's name


def customer_users_of(
    config: SqlSourceConfig,
    lengths: Mapping[str, int],
    validity: Mapping[str, str] = VALIDITY,
) -> Place:
    """The table of a customer user source; a login is written even if the Map does not show it."""
    entries = config.map
    if all(entry.variable != LOGIN for entry in entries):
        entries = (MapEntry(variable=LOGIN, storage=config.customer_key), *entries)
    return Place(
        source=config.source_name,
        entries=entries,
        selections=config.selections,
        lengths=lengths,
        validity=validity,
        checks_email=config.email_check == "syntax",
        password_form=config.password_form,
    )


def read_value(place: Place, entry: MapEntry, value: Any) -> Texts:
    """A value as texts: the id of a ValidID, a number without zeros before it.

    Args:
        place: where it is to be written.
        entry: its row of the Map.
        value: a text, a number, or a list of texts for a dynamic field.

    Raises:
        Refused: it does not suit the row.
    """
    texts = _texts_given(place, entry, value)
    if entry.variable == VALID and not texts:
        raise refused(place, "required", entry, "must have a value; give valid or invalid")
    for text in texts:
        _check(place, entry, text)
    return texts


def has_column(entry: MapEntry) -> bool:
    """Whether the variable is an ordinary column of the source's table."""
    return entry.storage_type != "dynamic_field" and entry.variable != PASSWORD


def refused(place: Place, error: Refusal, entry: MapEntry, problem: str) -> Refused:
    """A refusal that begins with the name of its field."""
    label = f" ({entry.label})" if entry.label and entry.label != entry.variable else ""
    message = f"{entry.variable}{label} {problem}"
    return Refused(error, message, field=entry.variable, source=place.source)


def unknown(place: Place, name: str, known: Iterable[str]) -> Refused:
    """Why a variable that the Map does not have is refused."""
    source = place.source
    if name == PASSWORD:
        message = f"{source} keeps no passwords: its Map has no {PASSWORD}; give none"
        return Refused("no_password_column", message, field=name, source=source)
    close = get_close_matches(name, known, n=1)
    hint = f"did you mean {close[0]}?" if close else f"it has {listed(known)}"
    message = f"{source} has no field {name}; {hint}"
    return Refused("unknown_field", message, field=name, source=source)


def _texts_given(place: Place, entry: MapEntry, value: Any) -> Texts:
    several = entry.storage_type == "dynamic_field" and isinstance(value, list | tuple)
    texts = []
    for item in value if several else (value,):
        if isinstance(item, bool) or not isinstance(item, str | int):
            problem = "takes a list of texts" if several else 'takes a text; give "" to empty it'
            raise refused(place, "wrong_arguments", entry, problem)
        texts.append(str(item))
    if entry.variable == VALID and VALID not in place.selections:
        texts = [place.validity.get(text, text) for text in texts]
    elif entry.storage_type == "int":
        texts = [str(int(text)) if _INTEGER.fullmatch(text) else text for text in texts]
    return tuple(text for text in texts if text)


def _check(place: Place, entry: MapEntry, text: str) -> None:
    if entry.variable == PASSWORD:
        _check_password(place, entry, text)
        return
    if _NOT_TEXT.search(text):
        problem = "has characters that no database stores (NUL, or half a pair); leave them out"
        raise refused(place, "not_valid_utf8", entry, problem)
    if entry.variable == place.key and text == "0":
        problem = 'cannot be "0", which the ticket system takes for none; choose another'
        raise refused(place, "required", entry, problem)
    _check_choice(place, entry, text)
    if entry.storage_type == "int" and _INTEGER.fullmatch(text) is None:
        raise refused(place, "not_a_number", entry, "holds whole numbers; give one like 12")
    longest = place.lengths.get(entry.storage) if has_column(entry) else None
    if longest is not None and len(text) > longest:
        problem = f"holds {longest} characters, and this value has {len(text)}; shorten it"
        raise refused(place, "too_long", entry, problem)


def _check_choice(place: Place, entry: MapEntry, text: str) -> None:
    choices = place.selections.get(entry.variable)
    if choices is None and entry.variable == VALID:
        choices = {id_: name for name, id_ in place.validity.items()}
    if choices is not None and text not in choices:
        named = (
            (key, label) for key, label in choices.items() if key
        )  # an empty value always suits
        offered = (key if key == label else f"{key} ({label})" for key, label in named)
        raise refused(place, "not_a_choice", entry, f"is one of {listed(offered)}")


def _check_password(place: Place, entry: MapEntry, text: str) -> None:
    form = place.password_form
    refusal = passwords.refusal(text, form, place.source)
    if refusal is not None:
        raise refusal
    needed, longest = passwords.stored_length(text, form), place.lengths.get(entry.storage)
    if longest is not None and needed > longest:
        problem = (
            f"is kept in the column {entry.storage} of {longest} characters, and the form "
            f"{form} takes {needed}; widen the column, or set another password_form"
        )
        raise refused(place, "too_long", entry, problem)


def listed(texts: Iterable[str]) -> str:
    """Texts in a row, and how many more there are than can be read."""
    every = list(texts)
    more = len(every) - MOST_CHOICES
    return ", ".join(every[:MOST_CHOICES]) + (f" and {more} more" if more > 0 else "")
