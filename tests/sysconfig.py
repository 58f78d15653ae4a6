"""OTOBO's system configuration, as far as tests need some of it."""

from typing import Any

import sqlalchemy
import yaml
from sqlalchemy import Engine

from tests.otobo import LONG_AGO
from worker.tickets import schema

OWN_MODULE = "Ticket::EventModulePost###4100-DynamicFieldFromCustomerUser"
DEFAULT_MODULE = "Ticket::EventModulePost###9600-TicketDynamicFieldDefault"

_STAMPS = {"create_time": LONG_AGO, "create_by": 1, "change_time": LONG_AGO, "change_by": 1}
_FLAGS = ("is_invisible", "is_readonly", "is_required", "has_configlevel", "is_dirty")


def ship(engine: Engine, name: str, value: object = "", *, valid: bool = True) -> int:
    """A setting as OTOBO comes with it; returns its id."""
    texts = ("description", "navigation", "xml_content_raw", "xml_content_parsed", "xml_filename")
    values: dict[str, Any] = dict.fromkeys(texts, "-") | dict.fromkeys(_FLAGS, 0)
    values |= {"user_modification_possible": 0, "user_modification_active": 0}
    values |= {"exclusive_lock_guid": "0", "name": name, "is_valid": int(valid)}
    values |= {"effective_value": yaml.safe_dump(value)}
    with engine.begin() as connection:
        done = connection.execute(sqlalchemy.insert(schema.sysconfig_default), values | _STAMPS)
    key = done.inserted_primary_key
    assert key is not None
    return int(key[0])


def change(  # noqa: PLR0913 - so has a row
    engine: Engine,
    id_: int,
    value: object = "",
    *,
    valid: bool = True,
    deployed: bool = True,
    reset: bool = False,
    user_id: int | None = None,
) -> None:
    """An admin changes a setting, or an agent's preference does so for one agent."""
    setting = schema.sysconfig_default.c
    with engine.begin() as connection:
        name = connection.execute(
            sqlalchemy.select(setting.name).where(setting.id == id_)
        ).scalar_one()
        values: dict[str, Any] = {
            "sysconfig_default_id": id_,
            "name": name,
            "user_id": user_id,
            "is_valid": int(valid),
            "user_modification_active": 0,
            "effective_value": yaml.safe_dump(value),
            "is_dirty": int(not deployed),
            "reset_to_default": int(reset),
        }
        connection.execute(sqlalchemy.insert(schema.sysconfig_modified), values | _STAMPS)
