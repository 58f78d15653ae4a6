"""What is each example in another language worth? It is run, or read as its reader would.

An example of a producer must leave in Redis what Fieldfare understands.
"""

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

from typer.main import get_command
from yaml import safe_dump, safe_load

from tests.deploy import prometheus
from tests.docs.forked_cli import read
from tests.docs.pages import ROOT, Block
from tests.docs.world import World
from tests.servers.process import find_program
from worker import cli
from worker.events import TicketCreated, parse
from worker.settings import Settings

NODE = """\
const calls = [];
const client = { xAdd: async (...given) => calls.push(given) };
(async () => {
%s
})().then(() => console.log(JSON.stringify(calls)));
"""

PERL = """\
use strict; use warnings; use JSON::PP;
my $Self = {};
%s
print encode_json($Self);
"""

PHP = """\
$redis = new Redis();
$redis->connect('127.0.0.1', %d);
"""

DRAWN = set("─│┌┐└┘▶◀▲▼├┤")


def emits(world: World, produce: Callable[[], object]) -> None:
    """What is produced is one event for ticket 4711, in the inbox or as a task of Celery's."""
    with world.redis.client() as client:
        client.flushall()
        produce()
        entries = client.xrange("fieldfare:events")
        tasks = client.lrange("fieldfare:celery:events", 0, -1)
    if tasks:
        (message,) = [json.loads(task) for task in tasks]
        assert message["headers"]["task"] == "ticket.created"
        assert message["headers"]["argsrepr"] == "[4711]"
    else:
        assert [parse(fields) for _, fields in entries] == [TicketCreated(ticket_id=4711)]


def run_python(world: World, block: Block) -> str:
    """Run it with our Redis in place of the one that it names; returns what it prints."""
    return _done([sys.executable, "-c", world.rehosted(block.text)])


def run_javascript(world: World, block: Block) -> None:
    """Run it with a client that repeats to a real Redis what it is told; without node, read it."""
    if node := shutil.which("node"):
        ((key, id_, fields),) = json.loads(_done([node, "-e", NODE % block.text]))
    else:
        key, id_ = re.findall(r'"([^"]*)"', block.text)[:2]
        fields = dict(re.findall(r'(\w+): "([^"]*)"', block.text))
    with world.redis.client() as client:
        client.xadd(key, fields, id=id_)


def run_php(world: World, block: Block) -> None:
    """Run it with a client of our Redis."""
    php = find_program("php", "php-cli")
    _done([php, "-r", PHP % world.redis.port + block.text])


def registers_the_event_module(block: Block) -> None:
    """As OTOBO reads ``Kernel/Config.pm``."""
    configured = json.loads(_done(["perl", "-e", PERL % block.text]))
    (module,) = configured["Ticket::EventModulePost"].values()
    file = module["Module"].rpartition("::")[2]
    source = (ROOT / f"examples/producers/{file}.pm").read_text()
    assert f"package {module['Module']};" in source
    assert module["Transaction"] == 1
    for event in ("TicketCreate", "TicketCustomerUpdate"):
        assert re.fullmatch(module["Event"].strip("^$"), event)
    assert set(configured["Fieldfare::Redis"]) <= set(re.findall(r"\w+", source))


def is_a_unit(block: Block) -> None:
    """systemd reads it without a complaint; its program is ours."""
    command = re.search(r"^ExecStart=(\S+) (.*)$", block.text, re.MULTILINE)
    assert command is not None, block.place
    assert command[1] == "/opt/fieldfare/bin/fieldfare"
    from typer.main import get_command  # noqa: PLC0415

    from tests.docs.forked_cli import read  # noqa: PLC0415 - typer is wanted here alone
    from worker import cli  # noqa: PLC0415

    read(get_command(cli.app), shlex.split(command[2]))
    with TemporaryDirectory() as folder:
        unit = Path(folder) / "fieldfare.service"
        unit.write_text(block.text.replace(command[1], sys.executable))
        _done(["systemd-analyze", "verify", "--man=no", str(unit)])


def yaml(settings: Settings, block: Block) -> None:
    """A health check as docker-compose reads it, or targets where workers serve their metrics."""
    tree = safe_load(block.text)
    match tree:
        case {"healthcheck": {"test": ["CMD", "fieldfare", *arguments]}}:
            read_arguments(arguments)
            services = {"worker": {"image": "fieldfare", **tree}}
            with TemporaryDirectory() as folder:
                file = Path(folder) / "docker-compose.yml"
                file.write_text(safe_dump({"version": "3.8", "services": services}))
                _done(["docker-compose", "--file", str(file), "config", "--quiet"])
        case {"scrape_configs": jobs}:
            ports = {
                target.rpartition(":")[2]
                for job in jobs
                for config in job["static_configs"]
                for target in config["targets"]
            }
            assert ports == {str(settings.metrics.port)}, block.place
            with TemporaryDirectory() as folder:
                file = Path(folder) / "prometheus.yml"
                file.write_text(block.text)
                prometheus.checks("config", file)
        case _:
            raise AssertionError(f"{block.place}: no check for {sorted(tree)}")


def read_arguments(arguments: list[str]) -> None:
    """Read arguments of ``fieldfare`` as the command would, without running it."""
    read(get_command(cli.app), arguments)


def is_run_by(test: str, block: Block) -> None:
    """The page is read by a test that runs it."""
    assert block.page.name in (ROOT / test).read_text(), block.place


def text(world: World, block: Block) -> None:
    """One of the kinds of text that pages have."""
    if "Ticket 2: a mail from emma" in block.text:
        is_run_by("tests/unit/test_docs.py", block)
    elif DRAWN & set(block.text):
        _drawing(block)
    else:
        _redis_options(world, block)


def _drawing(block: Block) -> None:
    """What it names in Redis is there in the code."""
    code = "\n".join(path.read_text() for path in (ROOT / "worker").rglob("*.py"))
    for key in re.findall(r"fieldfare:\w+", block.text):
        name = key.removeprefix("fieldfare:")
        assert re.search(rf"[\"':}}]{name}\b", code), f"{block.place}: {key}"


def _redis_options(world: World, block: Block) -> None:
    """A Redis knows each option, and ours runs with it, unless it names a file."""
    with world.redis.client() as client:
        for line in block.text.splitlines():
            name, value = line.split()
            found = client.config_get(name)
            assert list(found) == [name], f"{block.place}: {line}"
            assert value.startswith("/") or found[name] == value, f"{block.place}: {line}"


def _done(command: list[str]) -> str:
    done = subprocess.run(
        command,
        env={**os.environ, "LANG": "C.UTF-8"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout
