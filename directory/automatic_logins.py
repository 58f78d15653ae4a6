"""What login does a customer user get who was given none? OTOBO's AutoLoginCreation, without luck.

``auto-202611230815`` and a number, as OTOBO makes them, but no login that anybody has (spec 5.2).
"""

import secrets
from collections.abc import Callable, Collection, Sequence

from directory.refusals import Refused

NUMBERS = 10**6
"""So many logins of one minute and prefix; OTOBO has 99."""

DRAWS = 20
"""How often numbers are drawn before somebody is told that there are none left."""


def automatic_logins(
    count: int,
    prefix: str,
    moment: str,
    taken: Callable[[Collection[str]], Collection[str]],
) -> Sequence[str]:
    """So many logins that nobody has.

    Args:
        count: how many.
        prefix: how they begin: AutoLoginCreationPrefix.
        moment: ``YYYY-MM-DD HH:MM:SS``.
        taken: says which of some logins somebody has already.

    Raises:
        Refused: none are left in this minute.
    """
    minute = "".join(filter(str.isdigit, moment))[:12]
    found: dict[str, None] = {}
    for _ in range(DRAWS):
        missing = count - len(found)
        if not missing:
            break
        drawn = {f"{prefix}-{minute}{secrets.randbelow(NUMBERS)}" for _ in range(missing)}
        drawn -= found.keys()
        found |= dict.fromkeys(sorted(drawn - set(taken(drawn))))
    if len(found) < count:
        message = "no automatic login is left in this minute; repeat it, or give a login"
        raise Refused("duplicate_login", message, field="UserLogin")
    return tuple(found)
