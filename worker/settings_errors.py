"""What is wrong with the settings, said so that an admin can mend it.

Each problem names the place, the key path, what is wrong, and an example of right. Values are
never repeated: they may be passwords.
"""

import difflib
import json
import os
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails
from pydantic_settings.exceptions import SettingsError as SourceError

from directory import kinds as source_kinds
from worker.variables import ENV_PREFIX, RESERVED_VARIABLES

_EXAMPLES_BY_TYPE: Mapping[str, str] = {
    "boolean": "true",
    "integer": "50",
    "number": "5.0",
    "string": '"text"',
    "array": '["first", "second"]',
    "object": '{ key = "value" }',
}
_JSON = f"""{ENV_PREFIX}MAPPING__VARIABLES='{{"UserPhone": "CustomerPhone"}}'"""
_SOURCE_DEPTH = 2  # sources.CustomerUser1


class SettingsError(Exception):
    """The settings cannot be used.

    Attributes:
        place: the file, or where else the settings came from.
        problems: one text for each thing that is wrong.
    """

    def __init__(self, place: str, problems: Sequence[str]) -> None:
        lines = "".join(f"\n  - {problem}" for problem in problems)
        super().__init__(f"{place}:{lines}")
        self.place = place
        self.problems = tuple(problems)


def read_toml(path: Path) -> dict[str, Any]:
    """Read the settings file.

    Raises:
        SettingsError: it cannot be read, or is not TOML.
    """
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        problem = "the file does not exist; examples/fieldfare.toml is one to start from"
        raise SettingsError(str(path), [problem]) from None
    except OSError as error:
        raise SettingsError(str(path), [f"cannot be read: {error.strerror}"]) from None
    except UnicodeDecodeError as error:
        problem = f"byte {error.start} is not UTF-8, which TOML requires; save the file as UTF-8"
        raise SettingsError(str(path), [problem]) from None
    except tomllib.TOMLDecodeError as error:
        problem = f'not valid TOML: {error}; right: key = "value" below a [section]'
        raise SettingsError(str(path), [problem]) from None


def refuse_unknown_variables(model: type[BaseModel]) -> None:
    """Environment variables with our prefix that name no section are errors, like unknown keys.

    Raises:
        SettingsError: naming the variables and what they may begin with.
    """
    known = {name.upper() for name in model.model_fields}
    unknown = [
        name
        for name in sorted(os.environ)
        if name.upper().startswith(ENV_PREFIX)
        and name.upper() not in RESERVED_VARIABLES
        and name.upper().removeprefix(ENV_PREFIX).split("__")[0] not in known
    ]
    if unknown:
        sections = ", ".join(f"{ENV_PREFIX}{name}__…" for name in sorted(known))
        raise SettingsError(
            "environment",
            [f"{name} names no setting; variables begin with {sections}" for name in unknown],
        )


@contextmanager
def explained(path: Path | None, model: type[BaseModel]) -> Iterator[None]:
    """Turn pydantic's errors into a SettingsError."""
    place = str(path) if path else "settings (no file; environment and defaults)"
    try:
        yield
    except SourceError as error:
        problem = f"{error}; a table or list in a variable or file of its own is JSON: {_JSON}"
        raise SettingsError("environment", [problem]) from None
    except ValidationError as error:
        schema = model.model_json_schema(by_alias=False)
        details = error.errors(include_url=False, include_input=False, include_context=False)
        problems = dict.fromkeys(_problem(detail, schema) for detail in details)
        raise SettingsError(place, list(problems)) from None


def _problem(detail: ErrorDetails, schema: Mapping[str, Any]) -> str:
    above, path, schema = _place([str(part) for part in detail["loc"]], schema)
    path = _own_names(path, schema)
    where = ".".join([*above, *path]) or "settings"
    message = detail["msg"].removeprefix("Value error, ")
    match detail["type"]:
        case "extra_forbidden":
            known = _keys(path[:-1], schema)
            close = difflib.get_close_matches(path[-1], known, n=1)
            hint = f"did you mean {close[0]}?" if close else f"known here: {', '.join(known)}"
            return f"{where}: this key does not exist; {hint}"
        case "missing":
            return f"{where}: is missing; right: {_example(path, schema)}"
        case "value_error":
            return f"{where}: {message}"
        case "union_tag_not_found" | "union_tag_invalid":
            *kinds, last = source_kinds.names()
            told = f"{', '.join(kinds)} or {last}, or what a package adds that is installed"
            return f'{where}.kind: must be {told}; right: kind = "sql"'
        case _:
            return f"{where}: {message}; right: {_example(path, schema)}"


def _place(
    path: list[str], schema: Mapping[str, Any]
) -> tuple[list[str], list[str], Mapping[str, Any]]:
    """Where a key path begins, its rest, and the JSON Schema of that rest.

    Pydantic puts the kind of a source behind its name; the rest is said by the kind's own options.
    """
    if path[:1] != ["sources"] or len(path) <= _SOURCE_DEPTH:
        return [], path, schema
    kind = source_kinds.options_of(path[_SOURCE_DEPTH])
    return path[:_SOURCE_DEPTH], path[_SOURCE_DEPTH + 1 :], kind.model_json_schema(by_alias=False)


def _example(path: Sequence[str], schema: Mapping[str, Any]) -> str:
    """A line of TOML that would be right for this key."""
    found = _resolved(_schemas_at(schema, path), schema)
    key = path[-1] if path else "key"
    if found.get("examples"):
        return f"{key} = {_toml(found['examples'][0])}"
    if found.get("default") not in (None, "", [], {}):
        return f"{key} = {_toml(found['default'])}"
    if "enum" in found:
        return f"{key} = {_toml(found['enum'][0])}"
    return f"{key} = {_EXAMPLES_BY_TYPE.get(str(found.get('type')), _EXAMPLES_BY_TYPE['string'])}"


def _toml(value: Any) -> str:
    if isinstance(value, Mapping):
        return "{ " + ", ".join(f"{key} = {_toml(item)}" for key, item in value.items()) + " }"
    if isinstance(value, list):
        return "[" + ", ".join(_toml(item) for item in value) + "]"
    return json.dumps(value, ensure_ascii=False)


def _schemas_at(schema: Mapping[str, Any], path: Sequence[str]) -> list[Mapping[str, Any]]:
    """The JSON Schemas that a key path may mean; none where the path leaves the schema."""
    here: list[Mapping[str, Any]] = [schema]
    for part in path:
        options = [option for outer in here for option in _options(outer, schema)]
        here = [found for option in options if (found := _step(option, part))]
    return here


def _resolved(schemas: Sequence[Mapping[str, Any]], root: Mapping[str, Any]) -> dict[str, Any]:
    """The first of these schemas, references followed; its own example and default stay."""
    if not schemas:
        return {}
    outer = {key: schemas[0][key] for key in ("examples", "default") if key in schemas[0]}
    return {**_options(schemas[0], root)[0], **outer}


def _options(here: Mapping[str, Any], root: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The schema itself, or each of its alternatives, references followed."""
    if "$ref" in here:
        target = root["$defs"][here["$ref"].rpartition("/")[2]]
        return _options(target, root)
    branches = here.get("anyOf") or here.get("oneOf")
    if not branches:
        return [here]
    options = [option for branch in branches for option in _options(branch, root)]
    return [option for option in options if option.get("type") != "null"] or options


def _step(here: Mapping[str, Any], part: str) -> Mapping[str, Any]:
    folded = part.replace("_", "").casefold()
    properties: Mapping[str, Any] = here.get("properties", {})
    for name, inner in properties.items():
        if name.replace("_", "").casefold() == folded:
            return dict(inner)
    for key in ("additionalProperties", "items"):
        if isinstance(here.get(key), Mapping) and (key == "additionalProperties" or part.isdigit()):
            return dict(here[key])
    return {}


def _own_names(path: Sequence[str], schema: Mapping[str, Any]) -> list[str]:
    """The path in Fieldfare's own names where an option stands under OTOBO's."""
    own: list[str] = []
    for part in path:
        folded = part.casefold()
        known = (key for key in _keys(own, schema) if key.replace("_", "") == folded)
        own.append(next(known, part))
    return own


def _keys(path: Sequence[str], schema: Mapping[str, Any]) -> list[str]:
    """The keys that a table at this path may have."""
    options = [option for outer in _schemas_at(schema, path) for option in _options(outer, schema)]
    return sorted({key for option in options for key in option.get("properties", {})})
