"""What is OTOBO's own configuration in Fieldfare's settings? For admins who come from OTOBO.

It is read as JSON in one of two forms. One has names and values as in ``Kernel/Config.pm``:
``CustomerUser1``, ``DynamicFieldFromCustomerUser::Mapping``,
``Ticket::Frontend::AgentTicketPhone###DynamicField``, also nested where OTOBO nests. The other is
a set with ``sources`` (slot and block of each), ``mapping``, ``event_module`` and ``settings``.
What means nothing to Fieldfare is left out, and told.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

from pydantic import BaseModel, SecretStr, TypeAdapter, ValidationError

from directory.config import (
    CompanyConfig,
    DatabaseConfig,
    MapEntry,
    PreferencesConfig,
    lift_params,
)
from directory.dsn import DsnError, database_url
from directory.kinds import AnySourceConfig
from directory.model import SLOTS
from worker.otobo_names import MAPPING_KEY, PREFERENCES_KEY, SCREEN_KEY

Place: TypeAlias = tuple[str, ...]
"""Keys from the root of the settings tree."""

NOWHERE: tuple[Place, None] = ((), None)

EVENT_MODULE = "Ticket::EventModulePost###4100-DynamicFieldFromCustomerUser"
EVENT_MODULE_CLASS = "Kernel::System::Ticket::Event::DynamicFieldFromCustomerUser"

PREFERENCES_GROUPS = "CustomerPreferencesGroups"
"""Settings with the values of preferences that a customer user has not set."""

WITHOUT_EFFECT = frozenset({"slot", "die", "async_"})
"""Options that are accepted and change nothing, or stand in the block's name."""

_DATABASE = {"DatabaseUser": "user", "DatabasePw": "password", "OTOBOTimeZone": "time_zone"}
_FIRST_COLUMNS = 3  # of a Map row: a shorter one would not be complete

_SOURCE: TypeAdapter[Any] = TypeAdapter(AnySourceConfig)
_COMPANY: TypeAdapter[Any] = TypeAdapter(CompanyConfig)
_PREFERENCES: TypeAdapter[Any] = TypeAdapter(PreferencesConfig)


@dataclass(frozen=True, slots=True)
class Translation:
    """OTOBO's configuration in Fieldfare's words.

    Attributes:
        settings: the settings tree, as a TOML file holds it. Passwords are in it.
        notes: what was left out or needs a look, without values.
    """

    settings: Mapping[str, Any]
    notes: tuple[str, ...]


def translate(configuration: Mapping[str, Any]) -> Translation:
    """Translate a configuration in either form; never fails for what it holds.

    A block that Fieldfare would refuse is handed on under OTOBO's own option names, so that the
    settings say what is wrong with it where they are read.
    """
    notes: list[str] = []
    tree: dict[str, Any] = {}
    for key, value in _flat(configuration):
        path, translated = _translated(key, value, notes)
        if path:
            here = tree
            for part in path[:-1]:
                here = here.setdefault(part, {})
            here[path[-1]] = translated
    return Translation(tree, tuple(notes))


def _flat(configuration: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """Names and values, each name in full."""
    if isinstance(configuration.get("sources"), list):
        configuration = _named(configuration)
    for key, value in configuration.items():
        nests = key.startswith("Ticket::Frontend::") or key in {
            "Ticket::EventModulePost",
            PREFERENCES_GROUPS,
        }
        if nests and "###" not in key and isinstance(value, Mapping):
            yield from ((f"{key}###{inner}", item) for inner, item in value.items())
        else:
            yield key, value


def _named(given: Mapping[str, Any]) -> dict[str, Any]:
    """A set of sources, mapping, event module and settings under OTOBO's names."""
    blocks = given.get("source_configs") or {}
    named: dict[str, Any] = dict(given.get("settings") or {})
    for source in given["sources"]:
        block = source["config"]
        named[f"CustomerUser{source['slot']}"] = blocks[block] if isinstance(block, str) else block
    named[MAPPING_KEY] = given.get("mapping")
    named[EVENT_MODULE] = given.get("event_module")
    return named


def _translated(  # noqa: PLR0911 - one return for each kind of setting
    key: str, value: Any, notes: list[str]
) -> tuple[Place, Any]:
    """The place of a setting in the tree, and its value; no place where it means nothing."""
    if found := _of_directory(key, value, notes):
        return found
    if key == MAPPING_KEY:
        return ("mapping", "variables"), _mapping(value or {}, notes)
    if screen := SCREEN_KEY.match(key):
        levels = {name: int(level or 0) for name, level in (value or {}).items()}
        return ("precedence", "screens", screen["screen"]), levels
    if key == EVENT_MODULE or (
        isinstance(value, Mapping) and value.get("Module") == EVENT_MODULE_CLASS
    ):
        return _event_module(value, notes)
    if key == "DatabaseDSN" and value:
        return _ticket_database(value, notes)
    if key in _DATABASE and value:
        return ("tickets", _DATABASE[key]), value
    notes.append(f"{key} means nothing to Fieldfare and is left out")
    return NOWHERE


def _of_directory(key: str, value: Any, notes: list[str]) -> tuple[Place, Any] | None:
    """The same for what is said of customer users; None for other settings."""
    for prefix, section, model in (
        ("CustomerUser", "sources", _SOURCE),
        ("CustomerCompany", "companies", _COMPANY),
    ):
        if key.startswith(prefix) and key.removeprefix(prefix) in SLOTS:
            return ((section, key), _block(key, value, model, notes)) if value else NOWHERE
    if key == PREFERENCES_KEY and isinstance(value, Mapping):
        return ("preferences",), _block(key, value, _PREFERENCES, notes)
    if key.startswith(f"{PREFERENCES_GROUPS}###") and isinstance(value, Mapping):
        if value.get("PrefKey") and value.get("DataSelected") is not None:
            return ("preferences", "defaults", value["PrefKey"]), f"{value['DataSelected']}"
        return NOWHERE
    return None


def _ticket_database(dsn: str, notes: list[str]) -> tuple[Place, Any]:
    try:
        url = database_url(DatabaseConfig(dsn=dsn, table="ticket"))
    except DsnError as error:
        notes.append(f"DatabaseDSN: {error.problem}")
        return NOWHERE
    return ("tickets", "url"), url.render_as_string(hide_password=False)


def _event_module(value: Any, notes: list[str]) -> tuple[Place, Any]:
    if not value:
        notes.append("the event module is off: emit no events, or OTOBO's outcome is another")
        return NOWHERE
    if str(value.get("Transaction") or "0") != "0":
        return ("precedence", "enabled"), False
    return NOWHERE


def _mapping(variables: Mapping[str, Any], notes: list[str]) -> dict[str, str]:
    without_field = [variable for variable, field in variables.items() if not field]
    notes += [f"{MAPPING_KEY}: {variable} names no field" for variable in without_field]
    return {variable: field for variable, field in variables.items() if field}


def _block(
    name: str, value: Mapping[str, Any], model: TypeAdapter[Any], notes: list[str]
) -> Mapping[str, Any]:
    """A block in snake_case, without the options that Fieldfare does not have."""
    block = {key: option for key, option in lift_params(value).items() if option is not None}
    while True:
        try:
            return _plain(model.validate_python(block))
        except ValidationError as error:
            unknown = [
                item["loc"][-1] for item in error.errors() if item["type"] == "extra_forbidden"
            ]
            unknown = [option for option in unknown if option in block]
            if not unknown:
                notes.append(f"{name} cannot be used as it is; fieldfare config show says why")
                return {key: _without_null(option) for key, option in block.items()}
            for option in unknown:
                del block[option]
                notes.append(f"{name}: Fieldfare has no option {option}")


def _without_null(value: Any) -> Any:
    """The same for TOML, which has no null: Perl's undef in a Map row is an empty text."""
    if isinstance(value, list):
        return ["" if item is None else _without_null(item) for item in value]
    return value


def _plain(model: BaseModel) -> dict[str, Any]:
    """What was set in a block, as TOML can hold it."""
    plain: dict[str, Any] = {}
    for name in model.model_fields_set - WITHOUT_EFFECT:
        value = getattr(model, name)
        if name == "map":
            value = [_row(entry) for entry in value]
        elif isinstance(value, SecretStr):
            value = value.get_secret_value()
        elif isinstance(value, BaseModel):
            value = _plain(value)
        elif isinstance(value, tuple):
            value = list(value)
        if value is not None:
            plain[name] = value
    order = list(type(model).model_fields)
    first = [name for name in ("kind", "name") if name in plain]
    rest = sorted(plain.keys() - set(first), key=order.index)
    return {name: plain[name] for name in (*first, *rest)}


def _row(entry: MapEntry) -> list[Any]:
    """A Map row in OTOBO's columns, without those at its end that say nothing."""
    row: list[Any] = [
        *(entry.variable, entry.label or "", entry.storage, entry.shown, int(entry.required)),
        *(entry.storage_type, entry.http_link or "", int(entry.readonly)),
        *(entry.http_link_target or "", entry.link_class or ""),
    ]
    silent = ["", "", "", 0, 0, "var", "", 0, "", ""]
    while len(row) > _FIRST_COLUMNS and row[-1] == silent[len(row) - 1]:
        row.pop()
    return row
