"""What every fault test asks for: its numbers, its figures, a ticket system, an inbox, workers."""

import functools
import re
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from tests import servers
from tests.duties import IDLE
from tests.faults.figures import Figures
from tests.faults.forms import FORMS, Form
from tests.faults.simulator import Simulator
from tests.faults.workers import NEVER, Workers, settings
from worker.app import caller, configure, make_app
from worker.inbox import Inbox, connect


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """A fault takes as long as it takes; what hangs is found by ``workers.PATIENCE``."""
    seconds = FORMS[config.getoption("--faults")].timeout
    for item in items:
        if item.path.parent == Path(__file__).parent:
            item.add_marker(pytest.mark.timeout(seconds))


@pytest.fixture(scope="session")
def form(pytestconfig: pytest.Config) -> Form:
    """The numbers of the form that was asked for."""
    return FORMS[pytestconfig.getoption("--faults")]


@pytest.fixture(scope="session")
def results(
    pytestconfig: pytest.Config, tmp_path_factory: pytest.TempPathFactory
) -> Callable[[int], Path]:
    """The file of a fault's figures; what an earlier run has left there is removed."""
    given = pytestconfig.getoption("--fault-results")
    folder = Path(given) if given else tmp_path_factory.mktemp("faults")
    folder.mkdir(parents=True, exist_ok=True)

    @functools.cache
    def file(fault: int) -> Path:
        path = folder / f"fault_{fault}.jsonl"
        path.unlink(missing_ok=True)
        return path

    return file


@pytest.fixture
def figures(
    request: pytest.FixtureRequest,
    form: Form,
    results: Callable[[int], Path],
    record_property: Callable[[str, object], None],
) -> Figures:
    """Keeps figures; the file's name tells which fault they are about."""
    named = re.match(r"test_fault_(\d)", request.path.name)
    assert named, f"{request.path.name} is not named test_fault_<number>_<what>.py"
    fault = int(named[1])
    return Figures(fault, form.name, results(fault), record_property)


@pytest.fixture
def redis_of_faults(redis_server: servers.RedisServer) -> servers.RedisServer:
    """An empty Redis that runs."""
    redis_server.start()
    redis_server.flush()
    return redis_server


@pytest.fixture
def inbox(redis_of_faults: servers.RedisServer) -> Iterator[Inbox]:
    """The inbox; nobody is rung from here."""
    client = connect(redis_of_faults.url)
    yield Inbox(client, lambda: None)
    client.close()


@pytest.fixture
def ringing(redis_of_faults: servers.RedisServer) -> Iterator[Inbox]:
    """The inbox of a producer: whoever publishes wakes a worker up."""
    url = redis_of_faults.url
    client = connect(url)

    def ring() -> None:
        caller(application)()

    box = Inbox(client, ring)
    application = make_app(lambda: configure(url, NEVER), IDLE)
    yield box
    application.close()
    client.close()


@pytest.fixture
def ticket_system() -> Iterator[
    Callable[[servers.PostgresqlServer | servers.MariadbServer], Simulator]
]:
    """Makes a ticket system on a server; it is dropped in the end."""
    with ExitStack() as stack:

        def make(server: servers.PostgresqlServer | servers.MariadbServer) -> Simulator:
            url = server.create_database()
            stack.callback(server.drop_database, url)
            system = Simulator(url)
            stack.callback(system.close)
            return system

        yield make


@pytest.fixture
def workers(
    redis_of_faults: servers.RedisServer, tmp_path: Path
) -> Iterator[Callable[..., Workers]]:
    """Makes the workers of a ticket system: ``workers(system, sources, **sections)``.

    What still runs in the end is killed, before the ticket system is dropped.
    """
    with ExitStack() as stack:

        def make(system: Simulator, sources: dict[str, Any], **sections: Any) -> Workers:
            config = settings(tmp_path, system.url, redis_of_faults.url, sources, **sections)
            return stack.enter_context(Workers(config, tmp_path))

        yield make
