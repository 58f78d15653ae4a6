"""In what ways does a directory not answer? Five, each begun and ended by a call.

A client reaches slapd through a ``Front``. Frozen and stopped are done to slapd itself; late,
dripping and busy are done by the front.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Final

from tests.faults.ldap_front import Front, Manner
from tests.servers import SlapdServer

Begin = Callable[[SlapdServer, Front, float], object]

DRIP_SECONDS: Final = 1.0


def _frozen(slapd: SlapdServer, _front: Front, _timeout: float) -> None:
    """SIGSTOP: the kernel takes connections and requests, and nobody answers."""
    slapd.freeze()


def _stopped(slapd: SlapdServer, front: Front, _timeout: float) -> None:
    """It ended in order, and its port refuses connections."""
    front.refuse()
    slapd.stop()


def _late(_slapd: SlapdServer, front: Front, timeout: float) -> None:
    """Each answer comes half as late again as the client waits."""
    front.behave(Manner.LATE, 1.5 * timeout)


def _dripping(_slapd: SlapdServer, front: Front, _timeout: float) -> None:
    """An octet a second: something comes all the time, and an answer takes minutes."""
    front.behave(Manner.DRIPPING, DRIP_SECONDS)


def _busy(_slapd: SlapdServer, front: Front, _timeout: float) -> None:
    """It answers at once that it has no time."""
    front.behave(Manner.BUSY)


OUTAGES: Final[Mapping[str, Begin]] = {
    "frozen": _frozen,
    "stopped": _stopped,
    "late": _late,
    "dripping": _dripping,
    "busy": _busy,
}


@contextmanager
def outage(name: str, slapd: SlapdServer, front: Front, timeout: float) -> Iterator[None]:
    """One outage for as long as the block lasts.

    Args:
        name: one of ``OUTAGES``.
        slapd: the server, running.
        front: what clients connect to.
        timeout: how many seconds the client waits for an answer.
    """
    try:
        OUTAGES[name](slapd, front, timeout)
        yield
    finally:
        front.behave(Manner.AT_ONCE)
        slapd.start()
        slapd.thaw()
        front.listen()
