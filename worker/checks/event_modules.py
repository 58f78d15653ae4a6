"""Does the ticket system itself still write the mapped fields? Its own modules would, beside us."""

from collections.abc import Collection, Iterator, Mapping

from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError

from mapping.precedence import SCREENS as CREATING
from worker.checks.finding import Finding, error, ok, warning
from worker.settings import Settings
from worker.tickets.sysconfig import (
    DEFAULTS,
    EVENT_MODULES,
    SCREENS,
    SCREENS_END,
    TIME_ZONES,
    SystemSetting,
    read_sysconfig,
)

MODULE = "DynamicFieldFromCustomerUser"
DEFAULT_MODULE = "TicketDynamicFieldDefault"
SUBJECT = "OTOBO's module"
SYSTEM = "OTOBO's settings"

Sysconfig = Mapping[str, SystemSetting]


def check(settings: Settings, engine: Engine) -> Iterator[Finding]:
    """Look into the system configuration for modules, default values, screens and time zone."""
    try:
        with engine.connect() as connection:
            found = read_sysconfig(connection)
    except SQLAlchemyError:
        yield warning(
            SUBJECT,
            "whether it is still active cannot be told: sysconfig_default and sysconfig_modified "
            "may not be read",
            "With both active, each writes its own values and history lines.",
            f"Grant what the page Deploy says, or see in OTOBO that {EVENT_MODULES}4100-{MODULE} "
            "is not valid.",
        )
        return
    fields = settings.mapping.ruleset().fields
    yield from _own_module(found)
    yield from _default_values(found, fields)
    yield from _screens(found, fields, settings)
    yield from _time_zone(found, settings.tickets.time_zone)


def _modules(found: Sysconfig, module: str) -> Mapping[str, SystemSetting]:
    """The settings that register a module, whatever number they have."""
    return {
        name: setting
        for name, setting in found.items()
        if name.startswith(EVENT_MODULES)
        and (name.endswith(f"-{module}") or _text(setting, "Module").endswith(f"::{module}"))
    }


def _own_module(found: Sysconfig) -> Iterator[Finding]:
    registered = _modules(found, MODULE)
    for name, setting in registered.items():
        if not setting.deployed:
            state = "valid" if setting.valid else "not valid"
            yield warning(
                SUBJECT,
                f"{name} is set {state}, and that is not deployed",
                "The running system still does what was deployed before.",
                "Deploy the system configuration in OTOBO, and check again.",
            )
        elif setting.valid:
            yield error(
                SUBJECT,
                f"{name} is active",
                "Both would write: each its own values and history lines, and OTOBO's module "
                "empties fields while a directory is away.",
                "Set it invalid in OTOBO's system configuration, and deploy.",
            )
        else:
            yield ok(SUBJECT, f"{name} is not active")
    if not registered:
        yield ok(SUBJECT, f"no module {MODULE} is registered")


def _default_values(found: Sysconfig, fields: Collection[str]) -> Iterator[Finding]:
    if not any(setting.valid for setting in _modules(found, DEFAULT_MODULE).values()):
        return
    elements = [
        setting for name, setting in found.items() if name.startswith(DEFAULTS) and setting.valid
    ]
    named = {_text(setting, "Name") for setting in elements}
    mapped = sorted(named & set(fields))
    if not mapped and "" not in named:
        return
    which = f"for {', '.join(mapped)}" if mapped else "for fields that cannot be told"
    yield warning(
        SYSTEM,
        f"the module {DEFAULT_MODULE} (9600) writes default values {which}",
        "The default stands there before the worker comes, and the frontend has precedence.",
        f"Take mapped fields out of {DEFAULTS}…, and give their rules a default instead.",
    )


def _screens(found: Sysconfig, fields: Collection[str], settings: Settings) -> Iterator[Finding]:
    """Fields that OTOBO enables on a creating screen, and the settings know nothing of it."""
    if not settings.precedence.enabled:
        return
    creating = {*CREATING.values(), *settings.precedence.screen_by_history_type.values()}
    for screen in sorted(creating):
        setting = found.get(f"{SCREENS}{screen}{SCREENS_END}")
        if setting is None or not setting.valid or not isinstance(setting.value, dict):
            continue
        known = settings.precedence.screens.get(screen, {})
        enabled = {name for name, level in setting.value.items() if str(level) not in {"", "0"}}
        missing = sorted(name for name in enabled & set(fields) if not known.get(name))
        if missing:
            yield warning(
                SYSTEM,
                f"{screen} has {', '.join(missing)}, and precedence.screens does not say so",
                "What an agent leaves empty there is filled, where OTOBO would keep it empty.",
                f'Add ["{SCREENS}{screen}{SCREENS_END}"] to the settings: {missing[0]} = 1.',
            )


def _time_zone(found: Sysconfig, ours: str) -> Iterator[Finding]:
    for name in TIME_ZONES:
        setting = found.get(name)
        if setting is None or not isinstance(setting.value, str) or setting.value == ours:
            continue
        yield error(
            SYSTEM,
            f"{name} is {setting.value}, and tickets.time_zone is {ours}",
            "Times are compared wrongly: the sweep misses tickets or comes late.",
            f'Set tickets.time_zone = "{setting.value}".',
        )


def _text(setting: SystemSetting, key: str) -> str:
    """A text in the setting's value; empty if there is none, or it may not be read."""
    value = setting.value.get(key) if isinstance(setting.value, dict) else None
    return value if isinstance(value, str) else ""
