"""What does a detailed search ask for? A value for each field, an order, and a page.

All fields must fit. A text is fitted with ``*`` as wildcard; of a list one text must fit, of
``all_of`` each, and a span takes in times.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from directory.config import SourceConfig, SqlSourceConfig
from directory.errors import DirectoryError
from directory.search import (
    PASSWORD,
    And,
    Between,
    Condition,
    Fits,
    Not,
    Or,
    Order,
    Pattern,
    Query,
    moment,
)
from directory.sql import stamps_of

LOGIN = "UserLogin"
FIELD = "dynamic_field"


class WrongCriteria(DirectoryError, ValueError):
    """A detailed search cannot be made; says which part of it is wrong, and what would be right."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a field must hold.

    Attributes:
        any_of: one of these texts must fit, with ``*`` in them; empty: it does not matter.
        all_of: each of these must fit one of the field's values.
        after: the earliest time, ``2026-11-01`` or ``2026-11-01 12:00:00``; empty for any.
        before: the latest time; a day means all of it.
    """

    any_of: tuple[str, ...] = ()
    all_of: tuple[str, ...] = ()
    after: str = ""
    before: str = ""


@dataclass(frozen=True, slots=True)
class Criteria:
    """A detailed search.

    Attributes:
        fields: what is wanted by variable; all of it must be so.
        customer_ids: the customer id is one of these, as they are spelt; empty: it does not matter.
        excluded_logins: who is left out, as they are spelt.
        valid_only: leave out customer users that their source knows to be invalid.
        order: variables to sort by, each with whether the highest comes first.
        limit: most results of a page; None for all.
        offset: results before the page.
        count: say how many there are in all.
        variables: those that are read; None for all.
    """

    fields: Mapping[str, Wanted] = field(default_factory=dict)
    customer_ids: tuple[str, ...] = ()
    excluded_logins: tuple[str, ...] = ()
    valid_only: bool = True
    order: tuple[tuple[str, bool], ...] = ((LOGIN, True),)
    limit: int | None = None
    offset: int = 0
    count: bool = False
    variables: frozenset[str] | None = None

    @property
    def by_login(self) -> bool:
        """Whether the login decides about the order alone, so that one person has one place."""
        return self.order[:1] in {((LOGIN, True),), ((LOGIN, False),)}


def wanted(variable: str, said: Any) -> Wanted:
    """What somebody wants of a field: a text, a list, or a table of any_of, all_of, after, before.

    Raises:
        WrongCriteria: it is none of these.
    """
    match said:
        case str():
            return Wanted(any_of=(said,))
        case list() | tuple() if all(isinstance(one, str) for one in said):
            return Wanted(any_of=tuple(said))
        case Mapping() if said and said.keys() <= {"any_of", "all_of", "after", "before"}:
            listed = {
                key: wanted(variable, said[key]).any_of
                for key in ("any_of", "all_of")
                if key in said
            }
            times = {key: _time(variable, said[key]) for key in ("after", "before") if key in said}
            return Wanted(**listed, **times)  # type: ignore[arg-type]
    raise WrongCriteria(
        f'{variable} must be a text, a list of texts, or like {{"all_of": ["a*", "*b"]}} or '
        '{"after": "2026-11-01", "before": "2026-11-30"}'
    )


def query_of(criteria: Criteria, configs: Sequence[SourceConfig]) -> Mapping[str, Query]:
    """What each source is asked, by slot; one that lacks a field of the criteria is missing.

    Raises:
        WrongCriteria: no source has a field, a choice does not exist, or an order makes no sense.
    """
    known = {config.slot: searched_storages(config) for config in configs}
    asked = {*criteria.fields, *(variable for variable, _ in criteria.order)}
    everywhere = {name for storages in known.values() for name in storages}
    for name in sorted(asked - everywhere):
        names = ", ".join(sorted(everywhere))
        raise WrongCriteria(f"no source has a field {name} that can be searched; there are {names}")
    fields = {row.variable for config in configs for row in config.map if row.storage_type == FIELD}
    for name, _ in criteria.order:
        if name in fields:
            raise WrongCriteria(f"{name} is a dynamic field, and nothing can be sorted by those")
    if len({name for name, _ in criteria.order}) < len(criteria.order):
        raise WrongCriteria("order names a field twice")
    for config in configs:
        _check_choices(criteria, config)
    return {
        config.slot: _query(criteria, config, known[config.slot])
        for config in configs
        if criteria.fields.keys() <= known[config.slot].keys()
    }


def _query(criteria: Criteria, config: SourceConfig, storages: Mapping[str, str]) -> Query:
    parts = [
        part for name, said in criteria.fields.items() for part in _conditions(storages[name], said)
    ]
    if criteria.customer_ids:
        parts.append(_one_of(config.customer_id, criteria.customer_ids))
    if criteria.excluded_logins:
        parts.append(Not(_one_of(config.customer_key, criteria.excluded_logins)))
    order = tuple(
        Order(storages[name], descending) for name, descending in criteria.order if name in storages
    )
    variables = criteria.variables
    if variables is not None:
        variables |= {name for name, _ in criteria.order}
    limit = None if criteria.limit is None else criteria.offset + criteria.limit
    return Query(And(tuple(parts)), criteria.valid_only, order, limit, variables)


def _conditions(storage: str, said: Wanted) -> Sequence[Condition]:
    parts: list[Condition] = [Fits((storage,), Pattern.of(text)) for text in said.all_of]
    if said.any_of:
        patterns = map(Pattern.of, said.any_of)
        parts.append(Or(tuple(Fits((storage,), pattern) for pattern in patterns)))
    if said.after or said.before:
        parts.append(Between(storage, said.after, said.before))
    return parts


def _one_of(storage: str, texts: Sequence[str]) -> Condition:
    return Or(tuple(Fits((storage,), Pattern((text,)), as_spelt=True) for text in texts))


def searched_storages(config: SourceConfig) -> Mapping[str, str]:
    """What can be searched: the Map without passwords, and the stamps of OTOBO's own tables.

    Dynamic fields of customer users are there under their variables, by the fields' names.
    """
    stamps = stamps_of(config.foreign_db) if isinstance(config, SqlSourceConfig) else {}
    fields = {row.variable: row.storage for row in config.map if row.storage_type == FIELD}
    storages = {LOGIN: config.customer_key, **config.storages, **fields, **stamps}
    return {
        name: storage
        for name, storage in storages.items()
        if name != PASSWORD and storage.lower() != PASSWORD.lower()
    }


def _check_choices(criteria: Criteria, config: SourceConfig) -> None:
    for name, said in criteria.fields.items():
        choices = config.selections.get(name)
        if choices:
            for text in (*said.any_of, *said.all_of):
                if "*" not in text and text not in choices:
                    offered = ", ".join(choices)
                    raise WrongCriteria(f"{name} cannot be {text!r}; it can be: {offered}")


def _time(variable: str, said: Any) -> str:
    found = moment(said) if isinstance(said, str) else None
    if found is None:
        raise WrongCriteria(f'{variable}: a time is written "2026-11-01" or "2026-11-01 12:00:00"')
    return found
