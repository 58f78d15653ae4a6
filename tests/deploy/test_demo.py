"""The demo's servers are made from the code of ``fieldfare demo``, and a worker can use them."""

import dataclasses
import importlib.util
import json
import re
import socket
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from types import ModuleType

import pytest
from sqlalchemy import make_url

from tests.deploy.compose import ROOT, service
from tests.servers import PostgresqlServer, RedisServer
from tests.servers.process import Server, find_program
from worker import bootstrap
from worker.demo.ticket_system import Otobo
from worker.drain import drain, new_consumer
from worker.events import TicketCreated
from worker.handlers.enrich import enrich
from worker.inbox import Inbox
from worker.settings import load

DEMO = ROOT / "examples/deploy/demo"
DOCKERFILE = (DEMO / "ldap/Dockerfile").read_text()
USER = "demo_worker"  # the test servers' own superuser is called fieldfare


@pytest.fixture(scope="module")
def generator() -> ModuleType:
    spec = importlib.util.spec_from_file_location("generate_demo", DEMO / "generate.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_files_are_as_the_code_is(generator: ModuleType) -> None:
    made = generator.files()

    outdated = [name for name, text in made.items() if (DEMO / name).read_text() != text]
    assert outdated == [], "run: python examples/deploy/demo/generate.py"


class DemoLdap(Server):
    """What the image does: its files, its command, with this machine's slapd."""

    name = "demo-ldap"

    def __init__(self) -> None:
        find_program("slapd", "slapd")
        super().__init__()
        assert service("ldap")["tmpfs"] == ["/run/ldap:mode=1777"]
        (self.directory / "data").mkdir()
        for line in re.findall(r"^COPY (.+) /opt/ldap/$", DOCKERFILE, re.MULTILINE):
            for file in line.split():
                text = (DEMO / "ldap" / file).read_text()
                (self.directory / file).write_text(self._here(text))

    def _here(self, text: str) -> str:
        for theirs, ours in {
            "/run/ldap": str(self.directory / "data"),
            "/opt/ldap": str(self.directory),
            "0.0.0.0:1389": f"127.0.0.1:{self.port}",
        }.items():
            text = text.replace(theirs, ours)
        return text

    def command(self) -> Sequence[str]:
        (line,) = re.findall(r"^CMD (.+)$", DOCKERFILE, re.MULTILINE)
        limit = service("ldap")["ulimits"]["nofile"]
        path = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"  # of the image
        arguments = [self._here(argument) for argument in json.loads(line)]
        return ("prlimit", f"--nofile={limit}:{limit}", "--", "env", path, *arguments)

    def answers(self) -> bool:
        with (
            suppress(OSError),
            socket.create_connection(("127.0.0.1", self.port), timeout=1),
        ):
            return True
        return False


@pytest.fixture(scope="module")
def ldap() -> Iterator[DemoLdap]:
    with DemoLdap() as server:
        yield server


@pytest.fixture(scope="module")
def ticket_url(
    postgresql_server: PostgresqlServer, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str]:
    """A database into which the script was played, for Fieldfare's user."""
    folder = tmp_path_factory.mktemp("demo")
    (folder / "password").write_text("it's a \\ 'pass' word\n")
    script = (DEMO / "ticket-system.sql").read_text()
    script = script.replace("/run/secrets/tickets__password", str(folder / "password"))
    script = re.sub(r"\b(ROLE|TO) fieldfare\b", rf"\1 {USER}", script)
    owner = postgresql_server.create_database()
    psql = [find_program("psql", "postgresql-client"), owner.replace("+psycopg", "")]
    # As the image's own entry point does it.
    play = [*psql, "-v", "ON_ERROR_STOP=1", "--no-psqlrc", "--quiet"]
    subprocess.run(play, input=script, text=True, check=True, stdout=subprocess.DEVNULL)
    url = make_url(owner).set(username=USER, password="it's a \\ 'pass' word")
    yield url.render_as_string(hide_password=False)
    subprocess.run([*psql, "-c", f"DROP OWNED BY {USER}", "-c", f"DROP ROLE {USER}"], check=True)
    postgresql_server.drop_database(owner)


def test_the_health_check_finds_the_people(ldap: DemoLdap) -> None:
    _, *command = service("ldap")["healthcheck"]["test"]

    done = subprocess.run(
        [word.replace(":1389", f":{ldap.port}") for word in command],
        capture_output=True,
        text=True,
        check=True,
    )

    assert "dn: dc=example,dc=com" in done.stdout


def test_a_worker_fills_the_sample_tickets(
    ldap: DemoLdap,
    ticket_url: str,
    redis_server: RedisServer,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    redis_server.start()
    redis_server.flush()
    config = (DEMO / "fieldfare.toml").read_text()
    theirs = "postgresql+psycopg://fieldfare@postgres/otobo"
    url = make_url(ticket_url)
    for text, ours in {
        theirs: url.set(username=None, password=None).render_as_string(),
        "ldap://ldap:1389": f"ldap://127.0.0.1:{ldap.port}",
    }.items():
        assert text in config
        config = config.replace(text, ours)
    (tmp_path / "fieldfare.toml").write_text(config)
    monkeypatch.setenv("FIELDFARE_TICKETS__USER", url.username or "")
    monkeypatch.setenv("FIELDFARE_TICKETS__PASSWORD", url.password or "")
    monkeypatch.setenv("FIELDFARE_REDIS__URL", redis_server.url)
    built = bootstrap.build(load(tmp_path / "fieldfare.toml", env_file=None))
    services = dataclasses.replace(built, inbox=Inbox(built.inbox.client, lambda: None))
    services.tickets.check_schema()
    assert services.history.read_window(services.history.database_now()[:10], 0, 100), "of today"
    for ticket in range(1, 6):
        services.inbox.publish(TicketCreated(ticket_id=ticket))

    drain(services.inbox, new_consumer(), lambda entries: enrich(entries, services))

    otobo = Otobo(ticket_url)
    phones = [otobo.values(ticket).get("CustomerPhone") for ticket in range(1, 6)]
    assert phones == [
        ["+49 30 1111"],  # anna, from the CRM
        ["+45 33 3333"],  # emma, from LDAP
        ["+46 70 9999"],  # carl's, that the agent typed
        ["+47 22 4444"],  # gita
        None,  # a stranger
    ]
    otobo.close()
    services.directory.close()
    services.tickets.close()
