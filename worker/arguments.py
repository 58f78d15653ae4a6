"""Do the arguments of a call fit? As the handler that takes them says in its signature.

What is wrong is told by the argument's name and what it must be; no value is repeated, since one
may be a password that stands in the wrong place.
"""

import inspect
import types
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from pydantic import ConfigDict, TypeAdapter, ValidationError

_STRICT = ConfigDict(strict=True, hide_input_in_errors=True)

_WORDS: Mapping[Any, tuple[str, str]] = {
    str: ("a text", "texts"),
    int: ("a number", "numbers"),
    float: ("a number", "numbers"),
    bool: ("true or false", "true or false"),
    type(None): ("null", "nulls"),
    Any: ("anything", "anything"),
}
"""What a kind is called, alone and as the items of a list."""

_LONGEST_NAME = 40


@dataclass(frozen=True, slots=True)
class Argument:
    """One argument of a call.

    Attributes:
        kind: what it may be, as the handler annotates it.
        default: what stands in for it; without a meaning where it is ``needed``.
    """

    name: str
    kind: Any
    needed: bool
    default: Any

    @property
    def words(self) -> str:
        """What it must be, for people."""
        return words(self.kind)


@dataclass(frozen=True, slots=True)
class Misfit:
    """An argument that does not fit.

    Attributes:
        name: of the argument; empty where there is no such argument.
        problem: what is wrong and what would be right, without the value.
    """

    name: str
    problem: str


@cache
def arguments_of(handler: Callable[..., Any]) -> Mapping[str, Argument]:
    """The arguments of a handler by name, but for ``services``, which comes first."""
    hints = get_type_hints(handler)
    _, *parameters = inspect.signature(handler).parameters.values()
    return {
        one.name: Argument(
            one.name, hints[one.name], one.default is inspect.Parameter.empty, one.default
        )
        for one in parameters
    }


def misfit(handler: Callable[..., Any], given: Mapping[str, Any]) -> Misfit | None:
    """The first thing that is wrong with what is given to a handler; None where all fits."""
    known = arguments_of(handler)
    for name in given:
        if name not in known:
            shown = f"argument {name}" if _is_a_name(name) else "such argument"
            there_are = f"there are {', '.join(known)}" if known else "it takes none"
            return Misfit("", f"there is no {shown}; {there_are}")
    for name, argument in known.items():
        if name not in given:
            if argument.needed:
                return Misfit(name, f"{name} is missing; it must be {argument.words}")
        elif not _fits(handler, name, given[name]):
            kind = type(given[name]).__name__
            return Misfit(name, f"{name} must be {argument.words}; what was given is {kind}")
    return None


def words(kind: Any) -> str:
    """What a kind is called: ``a table of texts or lists of texts``."""
    return _words(kind, several=False)


def _words(kind: Any, *, several: bool) -> str:
    if kind in _WORDS:
        return _WORDS[kind][several]
    origin, parts = get_origin(kind), get_args(kind)
    if origin in {types.UnionType, Union}:
        return " or ".join(_words(one, several=several) for one in parts)
    if origin is Literal:
        return "one of " + ", ".join(map(str, parts))
    if isinstance(origin, type) and issubclass(origin, Mapping):
        return f"{'tables' if several else 'a table'} of {_words(parts[1], several=True)}"
    if isinstance(origin, type) and issubclass(origin, Sequence):
        return f"{'lists' if several else 'a list'} of {_words(parts[0], several=True)}"
    msg = f"no word for {kind!r}"
    raise ValueError(msg)


def _fits(handler: Callable[..., Any], name: str, value: Any) -> bool:
    try:
        _adapter(handler, name).validate_python(value)
    except ValidationError:
        return False
    return True


@cache
def _adapter(handler: Callable[..., Any], name: str) -> TypeAdapter[Any]:
    return TypeAdapter(arguments_of(handler)[name].kind, config=_STRICT)


def _is_a_name(text: str) -> bool:
    return text.isascii() and text.isidentifier() and len(text) <= _LONGEST_NAME
