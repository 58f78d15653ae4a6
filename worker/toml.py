"""How does a settings tree look as a TOML file? Python reads TOML, and does not write it."""

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")
_LINE_LENGTH = 100


def dumps(tree: Mapping[str, Any]) -> str:
    """The text of a TOML document; ``tomllib`` reads the same tree back.

    Tables inside tables become sections; tables inside arrays are written inline. TOML knows no
    null: a key whose value is None is left out.
    """
    return "\n".join(_table(tree, ())).strip() + "\n"


def _table(table: Mapping[str, Any], path: tuple[str, ...]) -> Iterator[str]:
    plain = {key: value for key, value in table.items() if not isinstance(value, Mapping)}
    if path and (plain or not table):
        yield ""
        yield f"[{'.'.join(map(_key, path))}]"
    for key, value in plain.items():
        if value is not None:
            yield f"{_key(key)} = {_lines(value, len(key) + 3)}"
    for key, value in table.items():
        if isinstance(value, Mapping):
            yield from _table(value, (*path, key))


def _lines(value: Any, begin: int) -> str:
    """A value; an array that is too long for a line has one item in each."""
    text = _value(value)
    if isinstance(value, list | tuple) and begin + len(text) > _LINE_LENGTH:
        return "[\n" + "".join(f"    {_value(item)},\n" for item in value) + "]"
    return text


def _value(value: Any) -> str:
    match value:
        case Mapping():
            pairs = (f"{_key(key)} = {_value(item)}" for key, item in value.items())
            return "{ " + ", ".join(pairs) + " }" if value else "{}"
        case list() | tuple():
            return "[" + ", ".join(map(_value, value)) + "]"
        case str():
            return _text(value)
        case bool() | int() | float():
            return json.dumps(value)
        case _:
            msg = f"TOML has no form for a {type(value).__name__}"
            raise TypeError(msg)


def _key(key: str) -> str:
    return key if _BARE_KEY.fullmatch(key) else _text(key)


def _text(text: str) -> str:
    # JSON's escapes are TOML's; only DEL must be escaped here and need not be there.
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")
