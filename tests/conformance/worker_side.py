"""Fieldfare at work in the world of a case, from a settings file as an admin would have it.

OTOBO's configuration goes through ``fieldfare config from-otobo``'s own code into a TOML file, and
the composition root builds the services from what it reads there. Events are read from the inbox
and handled by the real drain and the real handler; no Celery stands in between.
"""

import dataclasses
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, Self

from directory.errors import DirectoryError
from mapping.errors import MappingError
from tests.conformance import directory_writes
from tests.conformance.recordings import Case, Step
from tests.conformance.world import World
from tests.otobo import WORKER_LOGIN
from worker import bootstrap, from_otobo, toml
from worker.drain import drain, new_consumer
from worker.handlers.enrich import enrich
from worker.inbox import DEAD, EVENTS, Inbox, connect
from worker.services import Services
from worker.settings import load
from worker.settings_errors import SettingsError
from worker.tickets.store import TicketDatabaseMisfit
from worker.waiting_room import REST_SECONDS, come_back

ROUNDS = 5
"""An event that went back to the inbox so often will not find peace."""


class Stuck(Exception):
    """An event did not leave the inbox as it should."""


def screen_of(step: Step, ticket: str) -> str:
    """The screen that raises a ticket's events of a step."""
    return f"Step{step.number}{ticket}"


def settings_tree(world: World, case: Case, **of_databases: object) -> dict[str, Any]:
    """The settings for a case, as they stand in the file.

    Args:
        world: the servers.
        case: the case.
        **of_databases: more options for its customer user sources in databases.
    """
    blocks = {name: world.local(block) for name, block in case.source_configs.items()}
    translation = from_otobo.translate({**case.config, "source_configs": blocks})
    tree: dict[str, Any] = {**translation.settings}
    precedence = dict(tree.get("precedence", {}))
    precedence["screens"] = {**precedence.get("screens", {}), **_screens(case.steps)}
    tree["precedence"] = precedence
    if case.topic == directory_writes.TOPIC:
        of_databases = {"require_customer": False, **of_databases}  # as OTOBO's functions (D30)
    for source in tree.get("sources", {}).values():
        if source.get("kind", "sql") == "sql":
            source.update(of_databases)
    tree["tickets"] = {"url": world.ticket_url, "worker_user": WORKER_LOGIN}
    tree["redis"] = {"url": world.servers.redis.url}
    return tree


def _screens(steps: Sequence[Step]) -> Mapping[str, Mapping[str, int]]:
    """What each step's screens have enabled: the fields that were submitted there."""
    return {
        screen_of(step, ticket): dict.fromkeys(names, 1)
        for step in steps
        if step.request == "screen"
        for ticket, names in step.submitted().items()
        if names
    }


def _written(folder: Path, tree: Mapping[str, Any]) -> Path:
    path = folder / "fieldfare.toml"
    path.write_text(toml.dumps(tree), encoding="utf-8")
    path.chmod(0o600)
    return path


class Fieldfare:
    """A worker; ``refusal`` says why there is none if the configuration does not let it start."""

    def __init__(self, world: World, case: Case, folder: Path) -> None:
        self._world, self._case, self._folder = world, case, folder
        path = _written(folder, settings_tree(world, case))
        self._consumer = new_consumer()
        self._client = connect(world.servers.redis.url)
        self.refusal = ""
        self.services: Services | None = None
        self._inbox = Inbox(self._client, _no_bell)
        try:
            self.services = self._built(path)
        except (SettingsError, DirectoryError, MappingError, TicketDatabaseMisfit) as error:
            self.refusal = str(error).replace(str(folder) + os.sep, "")
        else:
            self._inbox = self.services.inbox

    def _built(self, path: Path) -> Services:
        settings = load(path, env_file=None, secrets_dir=self._folder)
        built = bootstrap.build(settings)
        built.inbox.client.close()
        inbox = Inbox(self._client, _no_bell, settings.inbox)
        return dataclasses.replace(built, inbox=inbox)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self.services is not None:
            self.services.directory.close()
            self.services.tickets.close()
        self._client.close()

    @contextmanager
    def with_password_form(self, form: str) -> Iterator[Services]:
        """Another Fieldfare, set to store passwords in a form of OTOBO's."""
        tree = settings_tree(self._world, self._case, password_form=form)
        with closing(self._built(_written(self._folder, tree))) as built:
            yield built

    def publish(self, event: Mapping[str, str]) -> None:
        """Append an event to the inbox, as any producer does."""
        self._inbox.publish(event)

    def work(self) -> None:
        """Handle everything in the inbox, and what can come back from the waiting rooms.

        Raises:
            Stuck: an event was given up, or keeps coming back.
        """
        services = self.services
        if services is None:
            return
        come_back(services, lambda work: work(), lambda: time.time() + 2 * REST_SECONDS)
        for _ in range(ROUNDS):
            drain(self._inbox, self._consumer, lambda entries: enrich(entries, services))
            if self._consumer.outage:
                msg = f"the drain was interrupted: {self._consumer.outage}"
                raise Stuck(msg)
            if not self._client.xlen(EVENTS):
                return
        msg = f"{self._client.xlen(EVENTS)} events stay in the inbox"
        raise Stuck(msg)

    def given_up(self) -> list[str]:
        """Why each of the dead letters is one."""
        letters: Any = self._client.xrange(DEAD)
        return [fields.get(b"fieldfare.message", b"").decode() for _, fields in letters]

    def clear_cache(self) -> None:
        """Forget what sources have said."""
        keys = list(self._client.scan_iter("fieldfare:cache:*"))
        if keys:
            self._client.delete(*keys)


def _no_bell() -> None:
    """The runner drains the inbox by itself, so nobody needs to be woken up."""
