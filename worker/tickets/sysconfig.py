"""What does the ticket system's own configuration say? Only settings that bear on our work.

OTOBO, Znuny and OTRS keep the shipped settings in ``sysconfig_default`` and what an admin changed
in ``sysconfig_modified``. A change counts once it is deployed; until then its row is dirty. What
an admin wrote into ``Kernel/Config.pm`` stands in no table.

Values of other settings can be passwords, so a database user may have been given the columns
without the values; then only names and what is valid are known.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

import yaml
from sqlalchemy import ColumnElement, Connection, Row, Select, and_, or_, select
from sqlalchemy.exc import DBAPIError

from worker.tickets import schema
from worker.tickets.engine import is_denied

EVENT_MODULES = "Ticket::EventModulePost###"
DEFAULTS = "Ticket::TicketDynamicFieldDefault###"
SCREENS = "Ticket::Frontend::"
SCREENS_END = "###DynamicField"
TIME_ZONES = ("OTOBOTimeZone", "OTRSTimeZone")


@dataclass(frozen=True, slots=True)
class SystemSetting:
    """One setting of the ticket system.

    Attributes:
        valid: whether it is in force, or will be once it is deployed.
        deployed: False: an admin changed it, and the running system does not know yet.
        value: its value as YAML has it, every scalar a text; None if it may not be read.
    """

    valid: bool
    deployed: bool
    value: Any = field(default=None, repr=False)


def read_sysconfig(connection: Connection) -> Mapping[str, SystemSetting]:
    """Event modules, default values, dynamic fields of screens and time zone, by name.

    Raises:
        SQLAlchemyError: the tables are not there, may not be read, or the database does not
            answer.
    """
    name = schema.sysconfig_default.c.name
    screens = and_(
        name.startswith(SCREENS, autoescape=True), name.endswith(SCREENS_END, autoescape=True)
    )
    return _read(
        connection,
        or_(
            name.startswith(EVENT_MODULES, autoescape=True),
            name.startswith(DEFAULTS, autoescape=True),
            screens,
            name.in_(TIME_ZONES),
        ),
    )


def read_settings(connection: Connection, names: Collection[str]) -> Mapping[str, SystemSetting]:
    """Settings by name; those that the ticket system does not have are missing.

    Raises:
        SQLAlchemyError: as ``read_sysconfig``.
    """
    return _read(connection, schema.sysconfig_default.c.name.in_(sorted(names)))


def _read(connection: Connection, wanted: ColumnElement[bool]) -> Mapping[str, SystemSetting]:
    try:
        rows = connection.execute(_statement(wanted, values=True)).all()
    except DBAPIError as error:
        if not is_denied(error):
            raise
        connection.rollback()
        rows = connection.execute(_statement(wanted, values=False)).all()
    return {row.name: _setting(row) for row in rows}


def _statement(wanted: ColumnElement[bool], *, values: bool) -> Select[Any]:
    shipped, changed = schema.sysconfig_default.c, schema.sysconfig_modified.c
    statement = (
        select(shipped.name, shipped.is_valid, changed.is_valid.label("changed_valid"))
        .add_columns(changed.is_dirty, changed.reset_to_default)
        .select_from(
            schema.sysconfig_default.outerjoin(
                schema.sysconfig_modified,
                # A row with a user is that agent's own preference.
                and_(changed.sysconfig_default_id == shipped.id, changed.user_id.is_(None)),
            )
        )
        .where(wanted)
        .order_by(shipped.name)
    )
    if not values:
        return statement
    return statement.add_columns(
        shipped.effective_value, changed.effective_value.label("changed_value")
    )


def _setting(row: Row[Any]) -> SystemSetting:
    found = row._mapping  # noqa: SLF001 - a public attribute, named so that no column hides it
    changed = found["changed_valid"] is not None and not found["reset_to_default"]
    text = found.get("changed_value" if changed else "effective_value")
    return SystemSetting(
        valid=bool(found["changed_valid"] if changed else found["is_valid"]),
        deployed=not found["is_dirty"],
        value=_parsed(text),
    )


def _parsed(text: str | None) -> Any:
    """A value; one that is no YAML counts as one that may not be read."""
    try:
        return None if text is None else yaml.load(text, Loader=yaml.BaseLoader)  # noqa: S506
    except yaml.YAMLError:
        return None
