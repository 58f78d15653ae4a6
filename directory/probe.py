"""Does a source answer? Asked by a real search, for a login that nobody has unless one is given.

It goes the way of every lookup: what it does not cover is what only somebody's data can break.
"""

import time
from collections.abc import Callable, Collection, Sequence
from contextlib import suppress
from functools import partial
from secrets import token_hex

from directory.breaker import Observation
from directory.companions import Companions
from directory.config import SourceConfig
from directory.database import DatabaseFault
from directory.model import Answer
from directory.readers import COMPANIES, DYNAMIC_FIELDS, PREFERENCES
from directory.source import CustomerUserSource
from directory.watch import Watch

NOBODY = "fieldfare-nobody-"
"""How the logins begin that are asked for."""


def nobody(config: SourceConfig) -> str:
    """A login that nobody has; a number where logins are numbers, or it would not be asked for."""
    kinds = {entry.storage: entry.storage_type for entry in config.map}
    return str(-1) if kinds.get(config.customer_key) == "int" else f"{NOBODY}{token_hex(8)}"


def ask(source: CustomerUserSource, login: str = "") -> tuple[Answer, float]:
    """Search for somebody, once the source was seen to be able to.

    Args:
        source: the one to ask.
        login: of whom; empty for nobody.

    Returns:
        The answer, and the seconds that the search took, over a connection that was there.

    Raises:
        SourceMisconfigured: it can never find anybody.
        SourceUnavailable: it does not answer, so it was not searched.
    """
    source.check()
    asked = login or nobody(source.config)
    began = time.perf_counter()
    answer = source.find([asked])[asked]
    return answer, time.perf_counter() - began


def probe_source(source: CustomerUserSource) -> Observation:
    """Ask a source for nobody."""
    watch = Watch()
    watch.source(source.config.slot, partial(source.find, [nobody(source.config)]))
    return watch.seen[source.config.slot]


def probe_reader(name: str, companions: Companions, fields: Collection[str]) -> Observation:
    """Ask a reader about nobody; one that is not configured any more counts as answering.

    Args:
        name: of the reader.
        companions: where it is.
        fields: names of dynamic fields of customer users, for the reader of those.
    """
    asks = dict(questions(companions, fields))
    watch = Watch()
    with suppress(DatabaseFault):  # the watch has seen it
        watch.reader(name, partial(asks.get(name, str), f"{NOBODY}{token_hex(8)}"))
    return watch.seen[name]


def questions(
    companions: Companions, fields: Collection[str]
) -> Sequence[tuple[str, Callable[[str], object]]]:
    """How each reader is asked about one login or id, by the reader's name.

    Args:
        companions: the readers.
        fields: names of dynamic fields of customer users; without any nobody reads them.
    """
    found: list[tuple[str, Callable[[str], object]]] = []
    if (preferences := companions.preferences) is not None:
        found.append((PREFERENCES, lambda login: preferences.read([login])))
    if (companies := companions.companies) is not None:
        found.append((COMPANIES, lambda customer_id: companies.read([customer_id])))
    if (reader := companions.dynamic_fields) is not None and fields:
        found.append((DYNAMIC_FIELDS, lambda login: reader.read([login], fields)))
    return found
