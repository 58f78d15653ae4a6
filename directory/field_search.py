"""Which customer users have a dynamic field that fits? The ticket system is asked, not a source.

Dynamic fields hang on the login (observed 46). So what a search wants of them becomes a list of
logins, before any source is asked; a source sees no dynamic field.
"""

from collections.abc import Callable, Collection
from typing import TypeAlias

from directory.config import SourceConfig
from directory.search import And, Between, Condition, Fits, Not, OneOf, Or, Pattern

Holders: TypeAlias = Callable[[Collection[str], Pattern | Between], frozenset[str]]
"""Gives the logins of those who have one of some dynamic fields with a value that fits; see
``directory.dynamic_fields``."""

LOGIN = "UserLogin"


def dynamic_fields(config: SourceConfig) -> frozenset[str]:
    """The dynamic fields of a source's Map, by the names that its options give them."""
    return frozenset(row.storage for row in config.map if row.storage_type == "dynamic_field")


def without_fields(
    condition: Condition, config: SourceConfig, holders: Holders, *, anywhere: bool = False
) -> Condition:
    """A condition on columns or attributes alone: instead of dynamic fields it has logins.

    Args:
        condition: may be about dynamic fields of the source's Map.
        config: the source's settings.
        holders: knows whose dynamic fields fit.
        anywhere: a text may stand anywhere in a dynamic field, as in OTOBO (spec 4.4).

    Raises:
        DatabaseFault: the ticket system's database does not answer.
    """
    fields = dynamic_fields(config)
    login = config.storages.get(LOGIN, config.customer_key)

    def replaced(part: Condition) -> Condition:
        match part:
            case And(parts):
                return And(tuple(map(replaced, parts)))
            case Or(parts):
                return Or(tuple(map(replaced, parts)))
            case Not(negated):
                return Not(replaced(negated))
            case Fits(names, pattern) if not fields.isdisjoint(names):
                own = tuple(name for name in names if name not in fields)
                theirs = [name for name in names if name in fields]
                logins = holders(theirs, _anywhere(pattern) if anywhere else pattern)
                held = OneOf(login, logins)
                return Or((Fits(own, pattern), held)) if own else held
            case Between(name) if name in fields:
                return OneOf(login, holders([name], part))
        return part

    return replaced(condition) if fields else condition


def _anywhere(pattern: Pattern) -> Pattern:
    """A pattern that fits wherever this one does within a text."""
    return Pattern.of("*" + "*".join(pattern.pieces) + "*")
