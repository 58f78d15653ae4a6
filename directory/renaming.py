"""What hangs on a login, and moves along when it changes?

OTOBO knows a customer user by the login alone: preferences, assignments to customers, groups and
services, saved searches, and dynamic fields by way of a table of names (spec 5.6). Its own rename
leaves the assignments behind (D24). Whatever stands under the new login already, left over from
somebody else, gives way where both have it, and stays otherwise; so moving twice is harmless.

Logins are compared exactly, whatever the server's collations say.
"""

from dataclasses import dataclass
from typing import Any

import sqlalchemy
from sqlalchemy import ColumnElement, Connection, column, literal, select, table
from sqlalchemy.types import NullType

from directory.companions import Companions
from directory.config import PreferencesConfig
from directory.refusals import Refused
from directory.rows import split_name
from directory.write_sql import CHANGED, columns_in, same
from directory.writing import Author

SEARCHES = "CustomerTicketSearch::"
"""What stands before the login where saved searches of customer users are kept."""

SHORTEST = 100
"""Characters that every column for a login holds."""

_FIELD = table("dynamic_field", column("id"), column("object_type"))
_VALUE = table("dynamic_field_value", column("id"), column("field_id"), column("object_id"))
_OBJECT = table(
    "dynamic_field_obj_id_name", *map(column, ("object_id", "object_name", "object_type"))
)


@dataclass(frozen=True, slots=True)
class Moved:
    """How many rows moved.

    Attributes:
        preferences: of the table of preferences.
        assignments: to customers.
        dynamic_fields: values of dynamic fields of the customer user.
        others: of groups, services and saved searches.
    """

    preferences: int = 0
    assignments: int = 0
    dynamic_fields: int = 0
    others: int = 0


@dataclass(frozen=True, slots=True)
class _Naming:
    """A table whose rows name a customer user by the login.

    Attributes:
        name: the table's.
        login: the column with the login.
        what: the columns that say what is said of the customer user; one row for each.
        stamped: it says who changed a row, and when.
        prefix: stands before the login.
    """

    name: str
    login: str
    what: tuple[str, ...]
    stamped: bool = False
    prefix: str = ""


_ASSIGNMENTS = _Naming("customer_user_customer", "user_id", ("customer_id",), stamped=True)
_OTHERS = (
    _Naming("group_customer_user", "user_id", ("group_id", "permission_key"), stamped=True),
    _Naming("service_customer_user", "customer_user_login", ("service_id",)),
    _Naming("search_profile", "login", ("profile_name",), prefix=SEARCHES),
)


def move(
    connection: Connection, companions: Companions, old: str, new: str, author: Author
) -> Moved:
    """Move everything from one login to another.

    Tables that this ticket system does not have are left out.

    Args:
        connection: to the ticket system's database, in a transaction.
        companions: with the settings of the table of preferences.
        old: the login so far.
        new: the login from now on.
        author: who renames.

    Raises:
        Refused: something hangs on the login that cannot be kept under the new one.
    """
    reader = companions.preferences
    config = PreferencesConfig() if reader is None else reader.config
    preferences = _Naming(config.table, config.user_id, (config.key,))
    return Moved(
        preferences=_move_rows(connection, preferences, old, new, author),
        assignments=_move_rows(connection, _ASSIGNMENTS, old, new, author),
        dynamic_fields=_move_fields(connection, old, new),
        others=sum(_move_rows(connection, one, old, new, author) for one in _OTHERS),
    )


def _move_rows(connection: Connection, naming: _Naming, old: str, new: str, author: Author) -> int:
    schema, name = split_name(naming.name)
    if not sqlalchemy.inspect(connection).has_table(name, schema=schema):
        return 0
    old, new = naming.prefix + old, naming.prefix + new
    stamps = CHANGED if naming.stamped else ()
    rows = table(name, *map(column, (naming.login, *naming.what, *stamps)), schema=schema)
    login, what = rows.c[naming.login], [rows.c[one] for one in naming.what]
    ours = _is(connection, login, old)
    mine = {tuple(row) for row in connection.execute(select(*what).where(ours))}
    if not mine:
        return 0
    _insist_on_room(connection, naming, new)
    theirs = {
        tuple(row) for row in connection.execute(select(*what).where(_is(connection, login, new)))
    }
    for values in mine & theirs:
        same_thing = (one == value for one, value in zip(what, values, strict=True))
        connection.execute(sqlalchemy.delete(rows).where(_is(connection, login, new), *same_thing))
    told = dict(zip(stamps, (author.moment, author.user_id), strict=False))
    changed = connection.execute(
        sqlalchemy.update(rows).values({naming.login: new, **told}).where(ours)
    )
    return int(changed.rowcount)


def _insist_on_room(connection: Connection, naming: _Naming, login: str) -> None:
    if len(login) <= SHORTEST:
        return
    length = columns_in(connection, naming.name)[naming.login].length
    if length is not None and len(login) > length:
        message = (
            f"the new login has {len(login)} characters, and {naming.name}, where something is "
            f"said of the old one, keeps {length}; take a shorter one"
        )
        raise Refused("too_long", message, field="UserLogin")


def _move_fields(connection: Connection, old: str, new: str) -> int:
    """Give the values of dynamic fields to the new login; the number of values."""
    if not sqlalchemy.inspect(connection).has_table(_OBJECT.name):
        return 0
    source, target = _object(connection, old), _object(connection, new)
    if source is None:
        return 0
    ours = select(_FIELD.c.id).where(_FIELD.c.object_type == "CustomerUser")
    owned = _VALUE.c.field_id.in_(ours)
    found = select(_VALUE.c.field_id).where(_VALUE.c.object_id == source, owned)
    fields = [row[0] for row in connection.execute(found)]
    if target is None:
        connection.execute(
            sqlalchemy.update(_OBJECT).values(object_name=new).where(_OBJECT.c.object_id == source)
        )
    elif fields:
        # The row of the old name stays behind, without values: as OTOBO, we never delete one.
        left_over = (_VALUE.c.object_id == target, _VALUE.c.field_id.in_(sorted(set(fields))))
        connection.execute(sqlalchemy.delete(_VALUE).where(*left_over))
        connection.execute(
            sqlalchemy.update(_VALUE)
            .values(object_id=target)
            .where(_VALUE.c.object_id == source, _VALUE.c.field_id.in_(sorted(set(fields))))
        )
    return len(fields)


def _object(connection: Connection, login: str) -> int | None:
    """The number that dynamic fields know a customer user by."""
    known = select(_OBJECT.c.object_id).where(
        _OBJECT.c.object_type == "CustomerUser", _is(connection, _OBJECT.c.object_name, login)
    )
    row = connection.execute(known.with_for_update()).first()
    return None if row is None else int(row[0])


def _is(connection: Connection, key: ColumnElement[Any], value: str) -> ColumnElement[bool]:
    return same(key, literal(value, NullType()), connection.dialect.name)
