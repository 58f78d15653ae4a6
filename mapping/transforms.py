"""How is a value changed on its way into a field? By named pure functions, one after the other.

A value is one text or several (an LDAP attribute, a Multiselect of the customer user). Transforms
of a single text apply to each of several. An empty text stays empty, unless a lookup names it.
"""

import functools
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, time
from types import MappingProxyType
from typing import Any, TypeAlias

from mapping.errors import TransformError, TransformFailed

Texts: TypeAlias = str | tuple[str, ...]
"""One text, or several in the source's order."""

Pairs: TypeAlias = tuple[tuple[str, str], ...]

_PROBE = datetime(2001, 2, 3, 4, 5, 6, tzinfo=UTC)


def _each(change: Callable[[str], str], value: Texts) -> Texts:
    return change(value) if isinstance(value, str) else tuple(change(text) for text in value)


def strip(value: Texts) -> Texts:
    """Without white space at both ends."""
    return _each(str.strip, value)


def lower(value: Texts) -> Texts:
    """In lower case."""
    return _each(str.lower, value)


def upper(value: Texts) -> Texts:
    """In upper case."""
    return _each(str.upper, value)


def first(value: Texts) -> str:
    """The first of several texts."""
    return value if isinstance(value, str) else next(iter(value), "")


def join(value: Texts, separator: str) -> str:
    """Several texts as one; empty ones are left out."""
    return value if isinstance(value, str) else separator.join(text for text in value if text)


def split(value: Texts, separator: str) -> tuple[str, ...]:
    """One text as several: cut at the separator, without blanks around, without empty pieces."""
    texts = (value,) if isinstance(value, str) else value
    pieces = (piece.strip() for text in texts for piece in text.split(separator))
    return tuple(piece for piece in pieces if piece)


def replace(value: Texts, old: str, new: str) -> Texts:
    """Every occurrence of one text replaced by another."""
    return _each(lambda text: text.replace(old, new), value)


def truncate(value: Texts, length: int) -> Texts:
    """At most so many characters."""
    return _each(lambda text: text[:length], value)


def lookup(value: Texts, pairs: Pairs, default: str | None = None) -> Texts:
    """The text that the table has for it, else the default, else the text itself."""
    table = dict(pairs)

    def change(text: str) -> str:
        return table.get(text, default if default is not None and text else text)

    return _each(change, value)


def date(value: Texts, read: str, write: str | None = None) -> Texts:
    """A date in another format (strptime's codes).

    A time that names its zone (``%z``) becomes UTC, in which the ticket system stores times.

    Args:
        value: dates as ``read`` says.
        read: the format of the value.
        write: the format wanted; None gives what fields of the types Date and DateTime take:
            ``YYYY-MM-DD`` if the format has no time of day, else ``YYYY-MM-DD HH:MM:SS``.

    Raises:
        TransformFailed: a text is no such date.
    """

    def change(text: str) -> str:
        return _write_date(_read_date(text, read), read, write) if text else text

    return _each(change, value)


def _read_date(text: str, read: str) -> datetime:
    try:
        moment = datetime.strptime(text, read)  # noqa: DTZ007 - the format decides about a zone
        return moment.astimezone(UTC).replace(tzinfo=None) if moment.tzinfo else moment
    except (ValueError, OverflowError):
        # The cause repeats the text, which is personal data.
        raise TransformFailed(f"date({read!r})", "the text is no such date") from None


def _write_date(moment: datetime, read: str, write: str | None) -> str:
    if write is not None:
        return moment.strftime(write)
    text = moment.isoformat(sep=" ", timespec="seconds")
    return text if _has_time(read) else text[:10]


@functools.cache  # the formats of the settings: a handful
def _has_time(read: str) -> bool:
    """Whether a format can tell a time of day: it reads the probe's back."""
    return datetime.strptime(_PROBE.strftime(read), read).time() != time()  # noqa: DTZ007


_FUNCTIONS: Mapping[str, Callable[..., Texts]] = MappingProxyType(
    {
        "strip": strip,
        "lower": lower,
        "upper": upper,
        "first": first,
        "join": join,
        "split": split,
        "replace": replace,
        "truncate": truncate,
        "lookup": lookup,
        "date": date,
    }
)

EXAMPLES: Mapping[str, str] = MappingProxyType(
    {
        "strip": '"strip"',
        "lower": '"lower"',
        "upper": '"upper"',
        "first": '"first"',
        "join": '{ join = ", " }',
        "split": '{ split = ";" }',
        "replace": '{ replace = ["+49", "0"] }',
        "truncate": "{ truncate = 20 }",
        "lookup": '{ lookup = { DE = "Germany" }, default = "elsewhere" }',
        "date": '{ date = { from = "%d.%m.%Y", to = "%Y-%m-%d" } }',
    }
)
"""Each transform as it is written in the settings."""


@dataclass(frozen=True, slots=True)
class Transform:
    """One transform with its arguments; call it with a value.

    Attributes:
        function: a name of ``EXAMPLES``.
        arguments: what stands behind the value in the function of that name.
    """

    function: str
    arguments: tuple[Any, ...] = ()

    @property
    def name(self) -> str:
        """How ``explain`` shows it: ``strip``, ``truncate(20)``, ``lookup``."""
        if self.function == "lookup":  # a table may be long
            return "lookup"
        shown = ", ".join(repr(argument) for argument in self.arguments if argument is not None)
        return f"{self.function}({shown})" if shown else self.function

    def __call__(self, value: Texts) -> Texts:
        """The changed value.

        Raises:
            TransformFailed: a text does not suit the transform; never repeats the text.
        """
        return _FUNCTIONS[self.function](value, *self.arguments)


def build(spec: Any) -> Transform:
    """A transform from the settings, as ``EXAMPLES`` shows them.

    Raises:
        TransformError: says what is wrong and shows an example of right.
    """
    if isinstance(spec, str):
        if spec not in EXAMPLES:
            raise TransformError(f"there is no transform {spec!r}; there are {', '.join(EXAMPLES)}")
        if EXAMPLES[spec] != f'"{spec}"':
            raise _wrong(spec, "needs an argument")
        return Transform(spec)
    if not isinstance(spec, Mapping):
        raise TransformError(f"a transform is a name or a table; right: {EXAMPLES['truncate']}")
    names = [name for name in spec if name in EXAMPLES]
    if len(names) != 1:
        raise TransformError(
            f"a transform's table names one transform, this one has {_listed(spec)}; right: "
            f"{EXAMPLES['truncate']}"
        )
    name = names[0]
    extra = set(spec) - {name} - ({"default"} if name == "lookup" else set())
    if extra:
        raise _wrong(name, f"has nothing named {_listed(extra)}")
    return Transform(name, _READERS.get(name, _none)(spec[name], spec))


def _wrong(name: str, problem: str) -> TransformError:
    return TransformError(f"the transform {name} {problem}; right: {EXAMPLES[name]}")


def _listed(names: Any) -> str:
    return ", ".join(sorted(str(name) for name in names)) or "none"


def _none(_given: Any, spec: Mapping[str, Any]) -> tuple[Any, ...]:
    (name,) = spec
    raise _wrong(name, "takes no argument")


def _join(given: Any, _spec: Mapping[str, Any]) -> tuple[Any, ...]:
    if not isinstance(given, str):
        raise _wrong("join", "needs the text that joins")
    return (given,)


def _split(given: Any, _spec: Mapping[str, Any]) -> tuple[Any, ...]:
    if not isinstance(given, str) or not given:
        raise _wrong("split", "needs the text that separates")
    return (given,)


def _replace(given: Any, _spec: Mapping[str, Any]) -> tuple[Any, ...]:
    match given:
        case [str() as old, str() as new] if old:
            return (old, new)
    raise _wrong("replace", "needs two texts, the old one not empty")


def _truncate(given: Any, _spec: Mapping[str, Any]) -> tuple[Any, ...]:
    if not isinstance(given, int) or isinstance(given, bool) or given < 1:
        raise _wrong("truncate", "needs a number of characters, 1 or more")
    return (given,)


def _lookup(given: Any, spec: Mapping[str, Any]) -> tuple[Any, ...]:
    if not isinstance(given, Mapping) or not _all_texts(*given, *given.values()):
        raise _wrong("lookup", "needs a table of texts")
    default = spec.get("default")
    if default is not None and not isinstance(default, str):
        raise _wrong("lookup", "needs a text as default")
    return (tuple(given.items()), default)


def _date(given: Any, _spec: Mapping[str, Any]) -> tuple[Any, ...]:
    match given:
        case {"from": str() as read, **rest} if set(rest) <= {"to"}:
            write = rest.get("to")
        case _:
            raise _wrong("date", "needs a table with from, and to unless ISO 8601 is wanted")
    if write is not None and not isinstance(write, str):
        raise _wrong("date", "needs a text in to")
    try:
        datetime.strptime(_PROBE.strftime(read), read)  # noqa: DTZ007 - only the format is tried
        _PROBE.strftime(write or "")
    except (ValueError, re.error):
        raise _wrong("date", f"cannot read with the format {read!r}") from None
    return (read, write)


def _all_texts(*values: Any) -> bool:
    return all(isinstance(value, str) for value in values)


_READERS: Mapping[str, Callable[[Any, Mapping[str, Any]], tuple[Any, ...]]] = MappingProxyType(
    {
        "join": _join,
        "split": _split,
        "replace": _replace,
        "truncate": _truncate,
        "lookup": _lookup,
        "date": _date,
    }
)


def build_all(specs: Any) -> tuple[Transform, ...]:
    """Transforms from one spec, or from a list of them in the order in which they apply.

    Raises:
        TransformError: one of them is wrong.
    """
    if isinstance(specs, Sequence) and not isinstance(specs, str):
        return tuple(build(spec) for spec in specs)
    return (build(specs),)
