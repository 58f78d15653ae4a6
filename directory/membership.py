"""How is a database asked for the rows whose key is one of many? With one parameter if it can be.

PostgreSQL takes a list as one value. So the statement is the same text for two keys and for five
hundred: it is compiled once, and the server prepares it and keeps its plan. To all others each key
is a parameter of its own.
"""

import re
from collections.abc import Collection
from typing import Any

import sqlalchemy
from sqlalchemy import ColumnElement
from sqlalchemy.types import NullType

TAKES_LISTS = "postgresql"
_SPECIAL = re.compile(r'["\\]')


def one_of(key: ColumnElement[Any], name: str, backend: str) -> ColumnElement[bool]:
    """The condition that a key is one of the values that are sent as the parameter ``name``.

    The parameter has no declared type: the server takes the values as the column's own type.

    Args:
        key: the column, or what is made of it.
        name: the parameter's name; ``sent`` makes its value.
        backend: the dialect's name: ``postgresql``, ``mysql``, ``sqlite`` …
    """
    if backend == TAKES_LISTS:
        return key == sqlalchemy.any_(sqlalchemy.bindparam(name, type_=NullType()))
    return key.in_(sqlalchemy.bindparam(name, type_=NullType(), expanding=True))


def sent(values: Collection[str], backend: str) -> str | list[str]:
    """The values of a parameter that ``one_of`` speaks of."""
    return array(values) if backend == TAKES_LISTS else list(values)


def array(texts: Collection[str]) -> str:
    """Texts as one PostgreSQL array, itself a text (PostgreSQL manual, 8.15.6)."""
    if not texts:
        return "{}"
    if _SPECIAL.search("".join(texts)):
        texts = [_SPECIAL.sub(r"\\\g<0>", one) for one in texts]
    return '{"' + '","'.join(texts) + '"}'
