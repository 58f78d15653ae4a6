"""How many of all are like those in a sample? An estimate, and how far it can be off.

The bounds are Wilson's for 95 %: unlike the textbook's they hold for shares near nothing and
everything, too. They close as the sample comes to be all there is.
"""

from math import sqrt
from typing import NamedTuple

_Z = 1.959964
"""Standard deviations that hold 95 % of a normal distribution."""


class Estimate(NamedTuple):
    """A number of tickets.

    Attributes:
        number: the best guess.
        low: fewer than this is unlikely; equal to ``number`` where all were looked at.
        high: more than this is unlikely.
    """

    number: int
    low: int
    high: int


def estimate(found: int, looked: int, total: int) -> Estimate:
    """How many of ``total`` there are, if ``found`` of ``looked`` are like that.

    Args:
        found: how many of the sample.
        looked: how many the sample has, chosen at random.
        total: of how many it was chosen.
    """
    if looked >= total:
        return Estimate(found, found, found)
    if not looked:
        return Estimate(0, 0, total)
    share = found / looked
    # A sample tells the more, the less it leaves out.
    weight = looked * (total - 1) / (total - looked)
    spread = _Z**2 / weight
    middle = (share + spread / 2) / (1 + spread)
    half = sqrt(share * (1 - share) * spread + spread**2 / 4) / (1 + spread)
    # What was seen is there for sure, and so is what was seen not to be.
    low = max(found, round(total * (middle - half)))
    high = min(total - (looked - found), round(total * (middle + half)))
    return Estimate(round(total * share), low, high)
