"""What does a rule make of a customer user's attributes? Texts, none of them empty.

An attribute can hold several texts. They stay several until the field is known: a field that
holds a list takes all, a field with one value takes one text of them. Which one depends on where
they come from, because OTOBO reads an LDAP attribute by its first value (deviation D7) while a
Multiselect of the customer user is a list (deviation D22, joined with ", ").
"""

import re
from collections.abc import Mapping
from typing import Literal, TypeAlias

from mapping import templates
from mapping.errors import NotText
from mapping.model import Attributes, AttributeValue
from mapping.rules import Rule
from mapping.transforms import Texts

Several: TypeAlias = Literal["first", "join"]
"""How several texts become one where a rule's own ``first`` or ``join`` has not decided."""

JOINED_PREFIX = "DynamicField_"
"""Variables of dynamic fields of the customer user; theirs are joined whatever the source."""

SECRETS = frozenset({"UserPassword"})
"""Variables that are never written anywhere: a password's hash (deviation D18)."""

_NOT_TEXT = re.compile("[\0\ud800-\udfff]")


def texts_of(rule: Rule, attributes: Attributes, several: Several = "first") -> tuple[str, ...]:
    """The rule's texts; empty if the customer user has none.

    Raises:
        NotText: an attribute is bytes.
        TransformFailed: a text does not suit a transform.
    """
    value: Texts
    if rule.template is None:
        value = _texts(rule.variables[0], attributes)
    else:
        value = templates.render(
            rule.template, {name: _single(name, attributes, several) for name in rule.variables}
        )
    for transform in rule.transforms:
        value = transform(value)
    if isinstance(value, str):
        return (value,) if value else ()
    return tuple([text for text in value if text])


def one_text(rule: Rule, texts: tuple[str, ...], several: Several = "first") -> tuple[str, ...]:
    """Several texts as one, for a field that holds one value."""
    return (_as_one(rule.variables[0], texts, several),)


def is_text(text: str) -> bool:
    """Whether a database can store it: no NUL byte (observed rule 35), no lone surrogates."""
    if text.isascii():  # costs nothing: Python knows it of every text
        return "\0" not in text
    return _NOT_TEXT.search(text) is None


def _texts(variable: str, attributes: Mapping[str, AttributeValue]) -> Texts:
    value = attributes.get(variable, "")
    if isinstance(value, bytes):
        raise NotText(variable)
    return value


def _single(variable: str, attributes: Attributes, several: Several) -> str:
    value = _texts(variable, attributes)
    if isinstance(value, str):
        return value
    texts = tuple(text for text in value if text)
    return _as_one(variable, texts, several) if texts else ""


def _as_one(variable: str, texts: tuple[str, ...], several: Several) -> str:
    joined = several == "join" or variable.startswith(JOINED_PREFIX)
    return ", ".join(texts) if joined else texts[0]
