"""What a kind of source must be able to do: look up many logins at once and say how it went.

What those must be able to do besides whose customer users are written is ``WritableSource``.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Protocol, TypeVar, runtime_checkable

from directory.config import SourceConfig, SqlSourceConfig
from directory.errors import SourceUnavailable
from directory.model import Answer
from directory.search import Matches, Query
from directory.source_transaction import SourceTransaction
from directory.write_sql import TableColumn
from directory.writing import Author

__all__ = ["CustomerUserSource", "SourceUnavailable", "WritableSource"]

T = TypeVar("T")


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


@runtime_checkable
class WritableSource(CustomerUserSource, Protocol):
    """A customer user source that is written to, one transaction at a time.

    It writes whatever it is told to, exactly as it is told or not at all: an empty text may become
    NULL where the column holds no text, nothing else is changed, cut or guessed. The rules are
    above it, in ``directory.adding`` and ``directory.updating``.
    """

    @property
    def config(self) -> SqlSourceConfig:
        """The settings of this source."""
        ...

    def columns(self) -> Mapping[str, TableColumn]:
        """The columns of its table, as the database defines them; asked once.

        Raises:
            SourceUnavailable: with the reason why it does not answer.
        """
        ...

    def transact(
        self, work: Callable[[SourceTransaction], T], author: Author, *, rows: int = 1
    ) -> T:
        """Let ``work`` read and write rows, and commit all of it or nothing.

        All who write to the same table through Fieldfare do so one after the other: what ``work``
        sees of it, nobody of ours changes until it ends. Others (screens of the ticket system)
        are kept from rows that were locked, and no more.

        Args:
            work: may be called again after a deadlock, so it must leave nothing behind but rows. A
                ``DirectoryError`` that it raises rolls everything back and comes out as it is.
            author: who writes, for the rows' stamps.
            rows: how many it is about; for each hundred it may take ``config.timeout`` seconds.

        Raises:
            SourceUnavailable: nothing was written. ``SourceOutcomeUnknown``: that is not known.
            DatabaseFault: another database did not answer that ``work`` asked.
        """
        ...
