"""What do the tests of the contract need? Somewhere to put customer users, and sources over it."""

from typing import Protocol

from directory.source import CustomerUserSource


class Place(Protocol):
    """Where customer users are kept: a server, a file. Empty at the beginning of each test.

    Its sources have this Map, whatever the storages are called: UserLogin, UserFirstname,
    UserLastname, UserEmail, UserCustomerID, UserPhone. They cache nothing.
    """

    def source(self, *, slot: str = "") -> CustomerUserSource:
        """A new source in a slot, as Fieldfare would build it; the place closes it in the end."""
        ...

    def add_person(  # noqa: PLR0913, PLR0917 - a person has these attributes
        self,
        login: str,
        first_name: str,
        last_name: str,
        email: str,
        customer_id: str,
        phone: str | None = None,
        /,
    ) -> None:
        """Keep one more customer user; without a phone there is no value at all."""
        ...


class MortalPlace(Place, Protocol):
    """A place that can be taken away and come back with all that it holds."""

    def stop(self) -> None:
        """From now on nothing answers."""
        ...

    def start(self) -> None:
        """Everything answers again; harmless where it does."""
        ...
