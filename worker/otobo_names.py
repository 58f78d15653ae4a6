"""Settings under OTOBO's own names, put where Fieldfare keeps them.

An admin copies ``CustomerUser1``, ``DynamicFieldFromCustomerUser::Mapping`` or
``Ticket::Frontend::AgentTicketPhone###DynamicField`` from OTOBO's configuration; each has one
place in the settings tree, and may be given in one of the two forms only.
"""

import re
from collections.abc import Mapping
from typing import Any

from directory.config import lift_params
from directory.model import SLOTS

MAPPING_KEY = "DynamicFieldFromCustomerUser::Mapping"
PREFERENCES_KEY = "CustomerPreferences"
SCREEN_KEY = re.compile(r"^Ticket::Frontend::(?P<screen>\w+)###DynamicField$")

_NUMBERED = {
    f"{prefix}{slot}": section
    for prefix, section in (("CustomerUser", "sources"), ("CustomerCompany", "companies"))
    for slot in SLOTS
}


def accept_otobo_names(data: Mapping[str, Any]) -> dict[str, Any]:
    """Move what stands under OTOBO's names to its place, and give every source its slot.

    Raises:
        ValueError: a source name that does not exist, or a key given in both forms.
    """
    tree: dict[str, Any] = {}
    for key, value in data.items():
        path = _place(key)
        if path == (key,):
            _merge(tree, path, value)
        else:
            _merge(tree, path, {} if value is None else value)
    for prefix, section in (("CustomerUser", "sources"), ("CustomerCompany", "companies")):
        if isinstance(tree.get(section), Mapping):
            tree[section] = _by_slot(tree[section], prefix, section)
    return tree


def _place(key: str) -> tuple[str, ...]:
    """The path of a top-level key in the settings tree."""
    if key in _NUMBERED:
        return (_NUMBERED[key], key)
    if key == MAPPING_KEY:
        return ("mapping", "variables")
    if key == PREFERENCES_KEY:
        return ("preferences",)
    if screen := SCREEN_KEY.match(key):
        return ("precedence", "screens", screen["screen"])
    return (key,)


def _merge(tree: dict[str, Any], path: tuple[str, ...], value: Any) -> None:
    """Set a value in the tree; tables on the way are copied and joined."""
    here = tree
    for part in path[:-1]:
        below = here.get(part)
        here[part] = dict(below) if isinstance(below, Mapping) else {}
        here = here[part]
    last = path[-1]
    if last not in here:
        here[last] = value
    elif isinstance(value, Mapping) and isinstance(here[last], Mapping):
        for key, inner in value.items():
            _merge(here, (last, key), inner)
    else:
        msg = f"{'.'.join(path)} is given under OTOBO's name and under Fieldfare's; keep one"
        raise ValueError(msg)


def _by_slot(blocks: Mapping[str, Any], prefix: str, section: str) -> dict[str, Any]:
    """Name blocks exactly and put the slot into each.

    The environment and secret files know no upper and lower case, so names are matched without
    it; what came from there (in lower case) wins over what the file says.
    """
    names = {f"{prefix}{slot}".casefold(): (f"{prefix}{slot}", slot) for slot in SLOTS}
    found: dict[str, Any] = {}
    for name in sorted(blocks, key=lambda name: name == name.casefold()):
        if name.casefold() not in names:
            msg = f"{section}.{name} does not exist; there are {prefix}, {prefix}1 … {prefix}10"
            raise ValueError(msg)
        exact, slot = names[name.casefold()]
        block = lift_params(blocks[name])
        if isinstance(block, Mapping):
            block = {**found.get(exact, {}), **block, "slot": slot}
        found[exact] = block
    return found
