"""When is a transaction begun again? After a deadlock or a serialisation error, some times."""

import random
import time
from collections.abc import Callable
from typing import TypeVar

from sqlalchemy.exc import SQLAlchemyError

from worker.tickets.engine import Fault, kind_of, unavailable

T = TypeVar("T")

REPEATS = 5
"""How often a transaction is begun again."""

PAUSE = 0.02
"""Seconds, at most and growing, that the loser of a deadlock lets the winner finish."""


def pause(repeats: int) -> None:
    """Let the winner finish before the transaction is begun again for the so many-th time."""
    time.sleep(random.uniform(0, PAUSE * repeats))  # noqa: S311 - no secret


def until_it_passes(transact: Callable[[], T]) -> T:
    """What a transaction gives, begun again until it passes.

    Args:
        transact: all of the transaction; what it did is rolled back where it raises.

    Raises:
        TicketDatabaseUnavailable: it fails for another reason, or too often.
    """
    for repeats in range(1, REPEATS + 2):
        try:
            return transact()
        except SQLAlchemyError as error:
            if kind_of(error) is not Fault.REPEAT or repeats > REPEATS:
                raise unavailable(error) from error
            pause(repeats)
    raise AssertionError  # the last round returns or raises
