"""How does OTOBO get to see what was written? Its cached copies are dropped (design 1.8).

OTOBO keeps the field values of a ticket for 12 hours and the ticket for 20 days (spec 3.6), what it
found of customer users and customers for a day as shipped (spec 4.7), in
Redis or in files. An entry has a type and a key; what each kind makes of them was read from
OTOBO's own back ends. Dropping what is not there is no error, and a cache that cannot be
reached never undoes what was written: the caller logs ``OtoboCacheError`` and goes on.
"""

import hashlib
from collections.abc import Collection, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Protocol

import redis

from directory.model import SLOTS

VALUE_COLUMNS = ("value_text", "value_date", "value_int")

OF_CUSTOMERS = "Customer"
"""How all types begin that are about customer users and customers."""

SCANNED = 1000
"""Keys that Redis looks at in one go."""


class OtoboCacheError(Exception):
    """OTOBO's cache could not be reached, so agents may see old values until it expires.

    Attributes:
        reason: class of the error, without addresses and secrets.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(f"OTOBO's cache could not be dropped: {reason}")
        self.reason = reason


class OtoboCache(Protocol):
    """Where OTOBO keeps copies of tickets and field values."""

    def drop(self, written: Mapping[int, Collection[int]]) -> None:
        """Drop all entries that hold what was written.

        Args:
            written: ids of the fields that were written, by ticket id.

        Raises:
            OtoboCacheError: some entries may still be there.
        """
        ...

    def drop_values(self, written: Mapping[int, Collection[int]]) -> None:
        """Drop all entries that hold values of something that is no ticket.

        Args:
            written: ids of the fields that were written, by the number of what has them.

        Raises:
            OtoboCacheError: some entries may still be there.
        """
        ...

    def forget(self, types: Collection[str]) -> None:
        """Drop all entries of some types, whatever their keys.

        Args:
            types: some of ``customer_user_types`` and ``customer_types``.

        Raises:
            OtoboCacheError: some entries may still be there.
        """
        ...

    def close(self) -> None:
        """Close connections; the next call opens them again."""
        ...


def customer_user_types() -> frozenset[str]:
    """The types of all that OTOBO keeps of customer users, of each of its slots.

    An answer of an earlier slot, that it knows nobody, is kept like any other.
    """
    found = ("", "Search", "IDList", "SearchDetail", "SearchDetailDynamicFields")
    return _of_slots("CustomerUser", found) | {"CustomerUserPreferencesDB", "CustomerGroup"}


def customer_types() -> frozenset[str]:
    """The types of all that OTOBO keeps of customers (companies), of each of its slots."""
    found = ("", "CompanyList", "CompanySearchDetail", "SearchDetailDynamicFields")
    return _of_slots("CustomerCompany", found)


def _of_slots(begin: str, found: Collection[str]) -> frozenset[str]:
    """A type for what each slot tells of one, and one for each kind of list that it found."""
    ends = [f"_Customer{kind}" if kind else "" for kind in found]
    return frozenset(f"{begin}{slot}{end}" for slot in SLOTS for end in ends)


def entries(written: Mapping[int, Collection[int]]) -> Iterator[tuple[str, str]]:
    """Type and key of every entry that OTOBO itself would drop, or should (spec 3.6)."""
    for ticket_id in written:
        yield "Ticket", f"Cache::GetTicket{ticket_id}"
    yield from value_entries(written)


def value_entries(written: Mapping[int, Collection[int]]) -> Iterator[tuple[str, str]]:
    """Type and key of every entry that holds values, of tickets or of anything else."""
    for number in written:
        yield "DynamicFieldValue", f"ValueGet::ObjectID::{number}"
    for field_id in sorted({id_ for ids in written.values() for id_ in ids}):
        yield "DynamicFieldValue", f"ValueSearch::{field_id}"
        for column in VALUE_COLUMNS:
            key = f"HistoricalValueGet::FieldID::{field_id}::ValueType::{column}"
            yield "DynamicFieldValue", key


class NoCache:
    """OTOBO's cache is left alone: its entries expire by themselves."""

    def drop(self, written: Mapping[int, Collection[int]]) -> None:
        """Do nothing."""

    def drop_values(self, written: Mapping[int, Collection[int]]) -> None:
        """Do nothing."""

    def forget(self, types: Collection[str]) -> None:
        """Do nothing."""

    def close(self) -> None:
        """Nothing is open."""


class RedisCache:
    """Kernel::System::Cache::Redis: the key is ``<type>:<key>``, in the database set there."""

    def __init__(self, url: str, *, timeout: float = 2.0) -> None:
        """Connects when first asked.

        Args:
            url: ``redis://host:6379/0``, with Cache::Redis' DatabaseNumber as path.
            timeout: seconds for a connection, and for an answer.
        """
        self._client = redis.Redis.from_url(
            url, socket_timeout=timeout, socket_connect_timeout=timeout
        )

    def drop(self, written: Mapping[int, Collection[int]]) -> None:
        """Drop the entries with one command; see ``OtoboCache.drop``."""
        self._drop(entries(written))

    def drop_values(self, written: Mapping[int, Collection[int]]) -> None:
        """Drop the entries with one command; see ``OtoboCache.drop_values``."""
        self._drop(value_entries(written))

    def _drop(self, named: Iterable[tuple[str, str]]) -> None:
        keys = [f"{type_}:{key}" for type_, key in named]
        if not keys:
            return
        try:
            self._client.unlink(*keys)
        except redis.RedisError as error:
            raise OtoboCacheError(type(error).__name__) from error

    def forget(self, types: Collection[str]) -> None:
        """Look through all keys once, and drop those of the types; see ``OtoboCache.forget``."""
        if not types:
            return
        wanted = frozenset(type_.encode() for type_ in types)
        try:
            found = self._client.scan_iter(match=f"{OF_CUSTOMERS}*", count=SCANNED)
            keys = [key for key in found if key.partition(b":")[0] in wanted]
            for start in range(0, len(keys), SCANNED):
                self._client.unlink(*keys[start : start + SCANNED])
        except redis.RedisError as error:
            raise OtoboCacheError(type(error).__name__) from error

    def close(self) -> None:
        """Close the connection; the next call opens it again."""
        self._client.close()


class FileCache:
    """Kernel::System::Cache::FileStorable: ``<folder>/<type>/<a>/<b>/<MD5 of the key>``.

    ``a`` and ``b`` are the first characters of the MD5; Cache::SubdirLevels says how many of them
    are folders. The worker needs write access to OTOBO's folder.
    """

    def __init__(self, directory: Path, *, subdirectory_levels: int = 2) -> None:
        """Nothing is touched yet.

        Args:
            directory: OTOBO's TempDir and ``CacheFileStorable``.
            subdirectory_levels: OTOBO's setting Cache::SubdirLevels.
        """
        self._directory = directory
        self._levels = subdirectory_levels

    def drop(self, written: Mapping[int, Collection[int]]) -> None:
        """Delete the entries' files; see ``OtoboCache.drop``."""
        self._drop(list(entries(written)))

    def drop_values(self, written: Mapping[int, Collection[int]]) -> None:
        """Delete the entries' files; see ``OtoboCache.drop_values``."""
        self._drop(list(value_entries(written)))

    def _drop(self, named: Collection[tuple[str, str]]) -> None:
        problem: OSError | None = None
        for type_, key in named:
            try:
                self.path(type_, key).unlink(missing_ok=True)
            except OSError as error:
                problem = error
        if problem is not None:
            raise OtoboCacheError(f"{type(problem).__name__} ({problem.strerror})") from problem
        if named and not self._directory.is_dir():
            raise OtoboCacheError("the folder does not exist")

    def forget(self, types: Collection[str]) -> None:
        """Delete the files of the types, and leave the folders; see ``OtoboCache.forget``."""
        problem: OSError | None = None
        for type_ in types:
            for file in self._directory.joinpath(type_).rglob("*"):
                try:
                    if not file.is_dir():
                        file.unlink(missing_ok=True)
                except OSError as error:
                    problem = error
        if problem is not None:
            raise OtoboCacheError(f"{type(problem).__name__} ({problem.strerror})") from problem
        if types and not self._directory.is_dir():
            raise OtoboCacheError("the folder does not exist")

    def path(self, type_: str, key: str) -> Path:
        """The file of an entry, whether it exists or not."""
        name = hashlib.md5(key.encode(), usedforsecurity=False).hexdigest()
        return self._directory.joinpath(type_, *name[: self._levels], name)

    def close(self) -> None:
        """Nothing is open."""
