"""Customer users from a JSON file: a list of objects, whose keys the Map makes variables of."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from pydantic import Field

from directory.config import SourceConfig
from directory.errors import SourceUnavailable
from directory.folding import fold
from directory.kinds import Kind
from directory.model import Absent, Answer, CustomerUser, Found, Unavailable
from directory.search import Matches, Query, matching
from directory.wildcards import fitting


class JsonSourceConfig(SourceConfig):
    """A customer user source in a JSON file."""

    kind: Literal["json"] = "json"
    path: Path = Field(description="The file.", examples=["/srv/people.json"])


class JsonSource:
    """Reads the file anew for each batch, so that what changed in it counts at once."""

    def __init__(self, config: JsonSourceConfig) -> None:
        self.config = config

    def find(self, logins: Sequence[str]) -> Mapping[str, Answer]:
        """Look up logins."""
        try:
            people = self._people()
        except SourceUnavailable as error:
            return dict.fromkeys(logins, Unavailable(error.slot, error.reason))
        return {login: self._answer(people.get(self.login_key(login))) for login in logins}

    def customer_ids(self, term: str = "", *, valid_only: bool = True) -> frozenset[str]:  # noqa: ARG002
        """The customer ids that fit a term; nobody is invalid here."""
        ids = (person.get(self.config.customer_id) for person in self._people().values())
        return fitting(ids, term, self.config)

    def search(self, query: Query) -> Matches:
        """Find people by their values."""
        people = self._people().values()
        return matching(query, ((self._customer_user(person), person) for person in people))

    def login_key(self, login: str) -> str:
        """The login without regard to case."""
        return fold(login)

    def ping(self) -> None:
        """Read the file."""
        self._people()

    def check(self) -> None:
        """Read the file; one that is not there yet may still come."""
        self.ping()

    def close(self) -> None:
        """Nothing stays open."""

    def _people(self) -> Mapping[str, Mapping[str, Any]]:
        """Everybody by login; of two with one login the first."""
        key = self.config.customer_key
        try:
            people = json.loads(self.config.path.read_text(encoding="utf-8"))
            return {self.login_key(person[key]): person for person in reversed(people)}
        except (OSError, ValueError, LookupError) as error:
            # Its message could quote the file, and with it personal data.
            raise SourceUnavailable(self.config.slot, type(error).__name__) from None

    def _answer(self, person: Mapping[str, Any] | None) -> Answer:
        return Absent() if person is None else Found(self._customer_user(person))

    def _customer_user(self, person: Mapping[str, Any]) -> CustomerUser:
        values = {
            variable: person[key]
            for variable, key in self.config.storages.items()
            if person.get(key) not in {None, ""}
        }
        return CustomerUser(self.config.slot, person[self.config.customer_key], values)


KIND = Kind(JsonSourceConfig, JsonSource)
