"""Whose fault is it that a statement was refused? The source's, unless one key's can be shown.

Where a server may have refused a statement because of what a key holds (text against an integer
column, a NUL byte), the batch is halved until that key is alone (design 1.1, D32).
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from itertools import islice

from sqlalchemy.exc import DataError

from directory.database import DatabaseFault

BATCH = 500
"""Keys of one statement: what every database takes, each key bound twice."""

MIXED_COLLATIONS = frozenset({1267, 1270, 1271})
"""MariaDB's errors for a text that the column's character set does not hold."""

UNKNOWN_CHARACTERS = frozenset({"22021", "22P05"})
"""PostgreSQL's SQLSTATEs for a text that the database's encoding does not hold."""


def ask_in_halves(
    keys: Iterable[str],
    ask: Callable[[Sequence[str]], None],
    refuse: Callable[[str, str], None] = lambda _key, _reason: None,
    sent: Callable[[str], Collection[str]] = lambda key: (key,),
) -> None:
    """Ask for keys in batches; where what a key holds is refused, halve until it is alone.

    Args:
        keys: what to ask for.
        ask: asks for a batch, and raises ``DatabaseFault`` before it keeps anything of it.
        refuse: is told each key that was refused, and why, as soon as that is known: where time
            runs out halfway, the next round has fewer keys to ask for.
        sent: the texts that are sent for a key, by which a refusal is recognised as its fault.

    Raises:
        DatabaseFault: the database does not answer; some batches may have been asked.
    """
    waiting: list[Sequence[str]] = list(_chunked(dict.fromkeys(keys), BATCH))
    while waiting:
        batch = waiting.pop(0)
        try:
            ask(batch)
        except DatabaseFault as fault:
            if len(batch) > 1 and _may_be_a_keys(fault.cause):
                half = len(batch) // 2
                waiting[:0] = [batch[:half], batch[half:]]
                continue
            blame = _blame(fault.cause, sent(batch[0]))
            if blame is None:
                raise
            refuse(batch[0], blame)


def _may_be_a_keys(cause: BaseException | None) -> bool:
    """Whether a statement may have been refused because of what one key holds."""
    return isinstance(cause, DataError) or _mixes_collations(cause)


def _mixes_collations(cause: BaseException | None) -> bool:
    arguments: tuple[object, ...] = getattr(getattr(cause, "orig", None), "args", ())
    return bool(MIXED_COLLATIONS.intersection(arguments[:1]))


def _blame(cause: BaseException | None, sent: Collection[str]) -> str | None:
    """What is wrong with the only key that was asked; None if nothing shows that it is the key.

    A view that divides by zero raises the same class of error for every key, and must not make
    every customer user absent.
    """
    if not _may_be_a_keys(cause):
        return None
    original = getattr(cause, "orig", None)
    state = getattr(original, "sqlstate", None)
    if any("\0" in spelling for spelling in sent):
        return "the database takes no NUL character"
    if _mixes_collations(cause) or state in UNKNOWN_CHARACTERS:
        odd = any(not spelling.isascii() for spelling in sent)
        return "the database's character set lacks a character of it" if odd else None
    primary = getattr(getattr(original, "diag", None), "message_primary", None)
    message = str(primary if primary is not None else original)
    if any(f"{quote}{text}{quote}" in message for text in sent for quote in "\"'"):
        return "the key column is of a type that cannot hold it"
    return None


def _chunked(items: Iterable[str], size: int) -> Iterator[tuple[str, ...]]:
    """The items in tuples of at most ``size``."""
    iterator = iter(items)
    while chunk := tuple(islice(iterator, size)):
        yield chunk
