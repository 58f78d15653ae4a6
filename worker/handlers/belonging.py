"""Who is meant by a login, and which customers do they belong to? Asked before anything is written.

Only an answer that is current counts: what stands in for a source that is away decides nothing.
"""

from dataclasses import dataclass

from directory.config import SourceConfig
from directory.errors import SourceUnavailable
from directory.model import CustomerUser, Found, Unavailable, source_name
from directory.refusals import Refused
from worker.services import Services


@dataclass(frozen=True, slots=True)
class Known:
    """A customer user, and the settings of the source that has them."""

    customer_user: CustomerUser
    config: SourceConfig

    @property
    def source(self) -> str:
        """The source's name: ``CustomerUser1``."""
        return source_name(self.config.slot)


def look_up(services: Services, login: str) -> Known | None:
    """The customer user of a login; None if no source knows it.

    Raises:
        SourceUnavailable: a source that could know the login does not answer.
    """
    directory = services.directory
    answer = directory.find([login], variables=(), fresh=True)[login]
    match answer:
        case Found(customer_user=user, stale=stale):
            if stale:
                raise SourceUnavailable(user.slot, stale)
            (config,) = (one.config for one in directory.sources if one.config.slot == user.slot)
            return Known(user, config)
        case Unavailable(slot=slot, reason=reason):
            raise SourceUnavailable(slot, reason)
    return None


def known(services: Services, login: str) -> Known:
    """The customer user of a login.

    Raises:
        Refused: no source knows the login.
        SourceUnavailable: a source that could know it does not answer.
    """
    found = look_up(services, login)
    if found is None:
        raise unknown(login)
    return found


def unknown(login: str) -> Refused:
    """What to tell of a login that nobody has."""
    return Refused(
        "unknown_customer_user",
        f"no source knows a customer user {login}; look for the login with customer_user.find",
        field="UserLogin",
    )
