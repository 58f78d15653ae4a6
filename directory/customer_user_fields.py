"""How are dynamic fields of customer users written? In the rows that OTOBO's own drivers leave.

They hang on the login, by way of a number that a customer user gets with the first value (spec
3.1). Only fields whose value differs are written, and rows are removed by the ids that were read:
what a screen writes at the same time is not taken along.
"""

from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Any

import sqlalchemy
from sqlalchemy import Connection, DateTime, column, table
from sqlalchemy.exc import IntegrityError

from directory.field_types import Definition, definition, is_held, problem, rows_for
from directory.map_values import Place, Texts, refused
from directory.membership import one_of, sent
from directory.refusals import Refused
from directory.transactions import savepoint
from directory.values import to_text

OBJECT_TYPE = "CustomerUser"

_FIELD = table(
    "dynamic_field",
    *map(column, ("id", "name", "field_type", "object_type", "valid_id", "config")),
)
_VALUE = table(
    "dynamic_field_value",
    *map(column, ("id", "field_id", "object_id", "value_text", "value_int", "index_value")),
    column("value_date", DateTime()),
)
_OBJECT = table(
    "dynamic_field_obj_id_name", *map(column, ("object_id", "object_name", "object_type"))
)
_VALID = table("valid", column("id"), column("name"))


def definitions(connection: Connection, names: Iterable[str]) -> Mapping[str, Definition]:
    """The valid dynamic fields of customer users among these, by name."""
    wanted = frozenset(names)
    if not wanted:
        return {}
    backend = connection.dialect.name
    rows = connection.execute(_definitions(backend), {"names": sent(wanted, backend)}).all()
    return {
        str(name): definition(int(id_), str(kind), to_text(config))
        for id_, name, kind, config in rows
        if name in wanted  # MariaDB finds other spellings, too
    }


def refusals(
    known: Mapping[str, Definition], values: Mapping[str, Texts], place: Place
) -> tuple[Refused, ...]:
    """Why some values cannot be written; at most one refusal for each field.

    Args:
        known: the definitions of those fields that there are.
        values: texts by field; none = to be emptied.
        place: whose Map names the fields.
    """
    found = []
    for entry in place.entries:
        if entry.storage_type == "dynamic_field" and entry.storage in values:
            told = problem(known.get(entry.storage), entry.storage, values[entry.storage])
            if told is not None:
                found.append(refused(place, told[0], entry, told[1]))
    return tuple(found)


def write(
    connection: Connection,
    known: Mapping[str, Definition],
    values: Mapping[str, Mapping[str, Texts]],
) -> Mapping[str, tuple[str, ...]]:
    """Write values in the transaction at hand.

    Args:
        connection: to the ticket system's database, in a transaction.
        known: the definitions of all fields that are named.
        values: texts that ``refusals`` lets pass, by login as the source spells it and by field.

    Returns:
        The fields that were changed, by login; who is missing had all values already.

    Raises:
        Refused: the ticket system has a login in another spelling, and takes no second one.
    """
    numbers = _numbers(connection, values)
    ids = {known[name].id for texts_by_name in values.values() for name in texts_by_name}
    indexed = any(one.indexed for one in known.values())
    stored = _stored(connection, ids, numbers.values(), indexed=indexed)
    surplus: list[int] = []
    lacking: dict[str, list[dict[str, Any]]] = {}
    changed: dict[str, tuple[str, ...]] = {}
    for login, texts_by_name in values.items():
        for name, texts in texts_by_name.items():
            rows = stored.get((numbers.get(login, 0), known[name].id), [])
            news = rows_for(known[name], texts, existing=bool(rows))
            if is_held(known[name], rows, news):
                continue
            changed[login] = (*changed.get(login, ()), name)
            surplus += [row["id"] for row in rows]
            if news:
                lacking.setdefault(login, []).extend(news)
    _remove(connection, surplus)
    numbers |= _give_numbers(connection, [login for login in lacking if login not in numbers])
    _add(
        connection, [{"object_id": numbers[one], **row} for one in lacking for row in lacking[one]]
    )
    return changed


def places(
    connection: Connection, logins: Iterable[str], names: Iterable[str]
) -> tuple[frozenset[int], frozenset[int]]:
    """Where values stand: the numbers of logins, and the ids of fields; of those that there are.

    Args:
        connection: to the ticket system's database.
        logins: as the ticket system spells them.
        names: of dynamic fields.
    """
    numbers = _numbers(connection, logins).values()
    return frozenset(numbers), frozenset(one.id for one in definitions(connection, names).values())


def _numbers(connection: Connection, logins: Iterable[str]) -> dict[str, int]:
    """The numbers that logins have in the ticket system; those without one are missing."""
    wanted = frozenset(logins)
    backend = connection.dialect.name
    rows = connection.execute(_numbers_of(backend), {"logins": sent(wanted, backend)}).all()
    return {str(name): int(number) for number, name in rows if name in wanted}


def _give_numbers(connection: Connection, logins: Sequence[str]) -> dict[str, int]:
    for login in logins:
        values = {"object_name": login, "object_type": OBJECT_TYPE}
        try:
            with savepoint(connection):
                connection.execute(sqlalchemy.insert(_OBJECT).values(values))
        except IntegrityError:
            # Somebody else gave one just now; or MariaDB takes another spelling for the same.
            if login not in _numbers(connection, [login]):
                message = (
                    f"the ticket system keeps dynamic fields of {login} under another spelling of "
                    "the login; rename the customer user to that spelling first"
                )
                raise Refused("refused_by_database", message, field="UserLogin") from None
    return _numbers(connection, logins) if logins else {}


def _stored(
    connection: Connection, fields: Iterable[int], numbers: Iterable[int], *, indexed: bool
) -> Mapping[tuple[int, int], list[Mapping[str, Any]]]:
    """The value rows, by number and field, in the order of their ids."""
    backend = connection.dialect.name
    parameters = {
        "fields": sent([*map(str, fields)], backend),
        "numbers": sent([*map(str, numbers)], backend),
    }
    found: dict[tuple[int, int], list[Mapping[str, Any]]] = {}
    for row in connection.execute(_values_of(backend, indexed=indexed), parameters).mappings():
        found.setdefault((int(row["object_id"]), int(row["field_id"])), []).append({**row})
    return found


def _remove(connection: Connection, ids: Sequence[int]) -> None:
    if not ids:
        return
    backend = connection.dialect.name
    condition = one_of(_VALUE.c.id, "ids", backend)
    statement = sqlalchemy.delete(_VALUE).where(condition)
    removed = connection.execute(statement, {"ids": sent([*map(str, ids)], backend)}).rowcount
    if removed != len(ids):
        message = "a dynamic field was changed meanwhile; look again, and repeat it"
        raise Refused("changed_meanwhile", message)


def _add(connection: Connection, rows: Sequence[Mapping[str, Any]]) -> None:
    """Insert rows; those of a field in their order, in which they are read again by id."""
    by_columns: dict[tuple[str, ...], list[Mapping[str, Any]]] = {}
    for row in rows:
        by_columns.setdefault((*row,), []).append(row)
    for alike in by_columns.values():
        connection.execute(sqlalchemy.insert(_VALUE), alike)


@lru_cache(maxsize=16)
def _definitions(backend: str) -> sqlalchemy.Select[Any]:
    valid = sqlalchemy.select(_VALID.c.id).where(_VALID.c.name == "valid")
    return sqlalchemy.select(
        _FIELD.c.id, _FIELD.c.name, _FIELD.c.field_type, _FIELD.c.config
    ).where(
        _FIELD.c.object_type == OBJECT_TYPE,
        _FIELD.c.valid_id.in_(valid),
        one_of(_FIELD.c.name, "names", backend),
    )


@lru_cache(maxsize=16)
def _numbers_of(backend: str) -> sqlalchemy.Select[Any]:
    return sqlalchemy.select(_OBJECT.c.object_id, _OBJECT.c.object_name).where(
        _OBJECT.c.object_type == OBJECT_TYPE, one_of(_OBJECT.c.object_name, "logins", backend)
    )


@lru_cache(maxsize=16)
def _values_of(backend: str, *, indexed: bool) -> sqlalchemy.Select[Any]:
    # Only OTOBO 11 has the column, and fields that need it.
    columns = [one for one in _VALUE.c if indexed or one.name != "index_value"]
    return (
        sqlalchemy.select(*columns)
        .where(
            one_of(_VALUE.c.object_id, "numbers", backend),
            one_of(_VALUE.c.field_id, "fields", backend),
        )
        .order_by(_VALUE.c.id)
    )
