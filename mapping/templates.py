"""How do several variables become one text? ``"{UserFirstname} {UserLastname}"``.

Braces enclose a variable; ``{{`` and ``}}`` are braces. An empty variable takes the blanks with
it that would otherwise stand double, or at an end; all other characters stay as written. If all
variables are empty, so is the text.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from string import Formatter

from mapping.errors import MappingError

_EXAMPLE = '"{UserFirstname} {UserLastname}"'


@dataclass(frozen=True, slots=True)
class Template:
    """A parsed template.

    Attributes:
        text: as it was written.
        parts: (literal text, variable behind it) in order; the last variable may be missing.
    """

    text: str
    parts: tuple[tuple[str, str | None], ...]

    @property
    def variables(self) -> tuple[str, ...]:
        """The variables in the order in which they first occur."""
        return tuple(dict.fromkeys(name for _, name in self.parts if name is not None))


def is_template(text: str) -> bool:
    """Whether a rule's ``from`` is a template and not the name of one variable."""
    return "{" in text or "}" in text


def parse(text: str) -> Template:
    """Read a template.

    Raises:
        MappingError: a brace is not closed, a variable has no name or a format, or there is none.
    """
    try:
        parsed = tuple(Formatter().parse(text))
    except ValueError:
        raise MappingError(
            f"the template {text!r} has a brace without its partner; a literal brace is written "
            f"twice; right: {_EXAMPLE}"
        ) from None
    if any(name == "" or form or conversion for _, name, form, conversion in parsed):
        raise MappingError(
            f"the template {text!r} has braces with something else than the name of a variable; "
            f"right: {_EXAMPLE}"
        )
    template = Template(text, tuple((literal, name) for literal, name, _, _ in parsed))
    if not template.variables:
        raise MappingError(f"the template {text!r} reads no variable; right: {_EXAMPLE}")
    return template


def render(template: Template, values: Mapping[str, str]) -> str:
    """The text for values by variable; a missing variable is empty."""
    text = ""
    pending = ""  # literal text that waits for the next value
    gap = False  # an empty variable stands at the end of it
    for literal, name in template.parts:
        if gap and (pending.endswith(" ") or not (text or pending)):
            pending += literal.lstrip(" ")
        else:
            pending += literal
        gap = gap and not literal
        if name is None:
            continue
        if value := values.get(name, ""):
            text, pending, gap = text + pending + value, "", False
        else:
            gap = True
    if not any(values.get(name) for name in template.variables):
        return ""
    return text + (pending.rstrip(" ") if gap else pending)
