"""What a kind of source must be able to do: look up many logins at once and say how it went."""

from collections.abc import Collection, Mapping, Sequence
from typing import Protocol

from directory.config import SourceConfig
from directory.errors import SourceUnavailable
from directory.model import Answer
from directory.search import Matches, Query

__all__ = ["CustomerUserSource", "SourceUnavailable"]


class CustomerUserSource(Protocol):
    """One place that knows customer users, asked in the order of its slot.

    A source is used by one thread at a time. It connects when it is first asked, so it may be
    built before a process forks, and it recovers by itself after its server was away. Whatever it
    does, asking several servers in turn included, ends within ``config.timeout`` seconds. What it
    gives as a reason holds no secret and no value of a customer user.

    ``directory.contract`` has the tests that every source passes.
    """

    @property
    def config(self) -> SourceConfig:
        """The settings of this source: slot, Map, names, cache, what to do when unavailable."""
        ...

    def find(self, logins: Sequence[str]) -> Mapping[str, Answer]:
        """Look up logins, in one statement or search for up to some hundred of them.

        Args:
            logins: logins as tickets spell them; not empty, without repetitions.

        Returns:
            An answer for each login given, under the spelling given. ``Found`` carries the
            attributes of the source's Map, and for database sources without ``foreign_db`` the
            stamps CreateTime, CreateBy, ChangeTime, ChangeBy; ``UserPassword`` is never read.
            Everything else (UserID, UserFullname, company …) is added by the directory.

            Whether an entry belongs to a login is decided here, not by the server (design 1.1):
            exactly or case-folded as the source is set. A fault of the source is
            ``Unavailable`` for every login it kept from being answered; a fault of one login
            is ``Absent`` for that login alone.
        """
        ...

    def customer_ids(self, term: str = "", *, valid_only: bool = True) -> Collection[str]:
        """The customer ids of its customer users, those that fit a term with ``*`` in it.

        Args:
            term: empty for all.
            valid_only: leave out customer users that the source knows to be invalid.

        Raises:
            SourceUnavailable: with the reason why it does not answer.
        """
        ...

    def search(self, query: Query) -> Matches:
        """Find customer users by their values, each login once.

        The server only preselects here, too; ``directory.search.holds`` says what fits, and
        ``matching`` does all of it for a source that can read everybody.

        Args:
            query: what is asked; its fields are columns or attributes of this source.

        Returns:
            The customer users as ``find`` gives them, in the order and up to the limit asked for.

        Raises:
            SourceUnavailable: with the reason why it does not answer.
        """
        ...

    def login_key(self, login: str) -> str:
        """The login as this source compares it: two logins with equal keys are one person."""
        ...

    def ping(self) -> None:
        """Ask the source for something small.

        Raises:
            SourceUnavailable: with the reason why it does not answer.
        """
        ...

    def check(self) -> None:
        """Make sure that the source can work as it is configured; done before a worker starts.

        Raises:
            SourceMisconfigured: it can never find anybody; says what is missing.
            SourceUnavailable: it does not answer, so nothing can be said.
        """
        ...

    def close(self) -> None:
        """Close connections; the next ``find`` opens them again."""
        ...
