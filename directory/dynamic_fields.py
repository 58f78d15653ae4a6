"""What stands in the dynamic fields of customer users, and who has a value that fits?

They hang on the login (observed 46), in the ticket system's own tables.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Any

import sqlalchemy
from sqlalchemy import column, table

from directory import like, spans
from directory.database import Database
from directory.halving import ask_in_halves
from directory.membership import one_of, sent
from directory.model import AttributeValue
from directory.search import Between, Pattern, in_span
from directory.values import to_text, without_zero_fraction

DATE_TYPES = frozenset({"Date", "DateTime"})
INTEGER_TYPES = frozenset({"Checkbox"})
LIST_TYPES = frozenset({"Multiselect"})
"""Dynamic field types by what their value is (spec 3.5); all others are text."""

_FIELD = table(
    "dynamic_field", *map(column, ("id", "name", "field_type", "object_type", "valid_id"))
)
_VALUE = table(
    "dynamic_field_value",
    *map(column, ("id", "field_id", "object_id", "value_text", "value_date", "value_int")),
)
_OBJECT = table(
    "dynamic_field_obj_id_name", *map(column, ("object_id", "object_name", "object_type"))
)
_VALID = table("valid", column("id"), column("name"))


class DynamicFields:
    """Dynamic fields of customer users, which hang on the login (observed 46)."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def read(
        self, logins: Iterable[str], names: Collection[str]
    ) -> Mapping[str, Mapping[str, AttributeValue]]:
        """Raw values by login and field name; invalid fields and fields without value are missing.

        A checkbox is ``1`` or ``0``, a date ``YYYY-MM-DD 00:00:00``, a multiselect a tuple.
        """
        collected: dict[tuple[str, str], tuple[str, list[str]]] = {}
        deadline = self._database.deadline()
        backend = self._database.backend
        statement = _field_values(backend)

        def ask(batch: Sequence[str]) -> None:
            asked = frozenset(batch)
            parameters = {"names": sent(names, backend), "logins": sent(batch, backend)}
            for row in self._database.rows(statement, deadline, parameters):
                login, name, kind, *values = tuple(row)
                text = _field_text(kind, *map(to_text, values))
                if login in asked and name in names and text is not None:
                    collected.setdefault((login, name), (kind, []))[1].append(text)

        ask_in_halves(logins, ask)
        found: dict[str, dict[str, AttributeValue]] = {}
        for (login, name), (kind, texts) in collected.items():
            several = kind in LIST_TYPES or len(texts) > 1
            found.setdefault(login, {})[name] = tuple(texts) if several else texts[0]
        return found

    def holders(self, names: Collection[str], wanted: Pattern | Between) -> frozenset[str]:
        """Logins of those who have one of some fields with a value that fits.

        Case does not count, as in OTOBO. Invalid fields have no values.

        Args:
            names: of the fields.
            wanted: what a value must look like; of a span the field's name does not count.

        Raises:
            DatabaseFault: the database does not answer.
        """
        backend = self._database.backend
        statement = _values(backend).where(_preselected(wanted, backend))
        asked = {"names": sent(names, backend)}
        found: set[str] = set()
        for row in self._database.rows(statement, self._database.deadline(), asked):
            login, name, kind, *values = tuple(row)
            text = _field_text(kind, *map(to_text, values))
            if text is not None and name in names and _fits(wanted, text):
                found.add(login)
        return frozenset(found)


@lru_cache(maxsize=16)
def _field_values(backend: str) -> sqlalchemy.Select[Any]:
    """What stands in the fields ``names`` of the customer users ``logins``."""
    asked_for = one_of(_OBJECT.c.object_name, "logins", backend)
    return _values(backend).where(asked_for).order_by(_VALUE.c.id)


@lru_cache(maxsize=16)
def _values(backend: str) -> sqlalchemy.Select[Any]:
    """What stands in the fields ``names``, each with the login that it hangs on."""
    valid = sqlalchemy.select(_VALID.c.id).where(_VALID.c.name == "valid")
    tables = sqlalchemy.join(_FIELD, _VALUE, _VALUE.c.field_id == _FIELD.c.id)
    return (
        sqlalchemy.select(
            _OBJECT.c.object_name,
            _FIELD.c.name,
            _FIELD.c.field_type,
            _VALUE.c.value_text,
            _VALUE.c.value_date,
            _VALUE.c.value_int,
        )
        .select_from(tables.join(_OBJECT, _OBJECT.c.object_id == _VALUE.c.object_id))
        .where(
            _FIELD.c.object_type == "CustomerUser",
            _OBJECT.c.object_type == "CustomerUser",
            _FIELD.c.valid_id.in_(valid),
            one_of(_FIELD.c.name, "names", backend),
        )
    )


def _field_text(kind: str, text: str | None, moment: str | None, number: str | None) -> str | None:
    if kind in DATE_TYPES:
        return None if moment is None else without_zero_fraction(moment)
    if kind in INTEGER_TYPES:
        return number
    return text if text is not None else number


def _fits(wanted: Pattern | Between, text: str) -> bool:
    if isinstance(wanted, Between):
        return in_span(text, wanted.after, wanted.before)
    return wanted.fits(text, exact=False)


def _preselected(wanted: Pattern | Between, backend: str) -> sqlalchemy.ColumnElement[bool]:
    """The rows that may fit; a number or a day has no text, and is looked at here."""
    if isinstance(wanted, Pattern):
        text = like.fits("value_text", wanted, backend, exact=False)
        return sqlalchemy.or_(text, _VALUE.c.value_text.is_(None))
    if backend in spans.TYPED:
        between = Between("value_date", wanted.after, wanted.before)
        return sqlalchemy.or_(spans.in_span(between, days=False), _VALUE.c.value_date.is_(None))
    return sqlalchemy.true()
