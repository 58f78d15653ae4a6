"""Who reads a page from its top to its end, and does what it says?

Each block of a page is followed by what stands for its language in ``FOLLOW``, against real
servers. A block in a language that is not there ends the test: nothing passes by being unknown.
"""

import json
import os
import tomllib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from tests.acceptance.processes import until
from tests.docs import settings_blocks, snippets
from tests.docs.pages import Block, fences
from tests.docs.shell import Shell
from tests.docs.world import World, is_for_postgresql
from worker import health
from worker.heartbeat import alive
from worker.settings import Settings

NOT_AS_MEANT = {"no_such_field", "wrong_object_type", "unsupported_type", "transform_failed"}
"""Reasons that no example may give for what it does not write."""


class Reader:
    """Somebody who follows one page, with the files and variables that it made so far.

    Attributes:
        settings: those of the last block of settings, or what every page takes for granted.
    """

    settings: Settings

    def __init__(self, page: Path, world: World, folder: Path) -> None:
        self.page = page
        self.world = world
        self.folder = folder
        self.shell = Shell(world, folder, {})
        self.use_settings("")

    def follow(self, afterwards: Callable[[Block], None] = lambda _: None) -> None:
        """Follow each block; the first that cannot be followed ends the test and is named.

        Args:
            afterwards: what else a page asks for, called after each block.
        """
        for block in fences()[self.page]:
            assert block.language in FOLLOW, f"{block.place}: no check for {block.language!r}"
            FOLLOW[block.language](self, block)
            afterwards(block)

    def use_settings(self, text: str) -> None:
        """Have these settings in force, what they name in the world, and a sign of life."""
        health.touch(self.folder / ".health", f"worker-{os.getpid()}")
        settings_blocks.write(text, self.folder)
        self.settings = settings_blocks.load(text)
        where = settings_blocks.prepare(self.settings, self.world, self.folder)
        self.shell.set({**where, "FIELDFARE_HEALTH__DIRECTORY": str(self.folder / ".health")})

    def fieldfare(self, *arguments: str) -> Any:
        """What a command prints as JSON."""
        return json.loads(self.shell.run(" ".join(["fieldfare", *arguments, "--json"])))


def settings(reader: Reader, block: Block) -> None:
    """Settings load; their sources answer with every variable, their rules fill their fields."""
    reader.use_settings(block.text)
    loaded = reader.settings
    given = tomllib.loads(block.text)
    if "sources" in given:
        for source, login in settings_blocks.known_logins(loaded):
            told = reader.fieldfare("lookup", login)["sources"]
            (answer,) = [one for one in told if one["source"] == source.source_name]
            assert answer["answer"] == "found", f"{block.place}: {answer}"
            empty = {
                entry.variable
                for entry in source.map
                if entry.storage_type != "dynamic_field"
                and not answer["attributes"].get(entry.variable)
            }
            assert empty == set(), f"{block.place}: {source.source_name} has no value for {empty}"
    if "mapping" in given or "precedence" in given:
        for ticket in ("4711", "4712"):
            fields = reader.fieldfare("explain", ticket)["fields"]
            assert {one["field"] for one in fields} == loaded.mapping.ruleset().fields
            assert [one for one in fields if one["reason"] in NOT_AS_MEANT] == [], block.place
    elif "sources" not in given:
        reader.shell.run("fieldfare config show")


def script(reader: Reader, block: Block) -> None:
    """Commands end well."""
    reader.shell.script(block)


def transcript(reader: Reader, block: Block) -> None:
    """Commands print what is shown below them."""
    reader.shell.transcript(block)


def sql(reader: Reader, block: Block) -> None:
    """Rights on PostgreSQL are those that this world stands on; MariaDB's have a test."""
    if is_for_postgresql(block):
        assert block in reader.world.granted
    else:
        snippets.is_run_by("tests/integration/test_documented_grants.py", block)


def otobo_configuration(reader: Reader, block: Block) -> None:
    """OTOBO's configuration as JSON becomes settings, with nothing left out."""
    (reader.folder / "otobo.json").write_text(block.text)
    assert "CustomerUser" in json.loads(block.text)
    reader.shell.run("fieldfare config from-otobo otobo.json >translated.toml 2>notes")
    assert (reader.folder / "notes").read_text() == "", block.place
    translated = (reader.folder / "translated.toml").read_text()
    assert settings_blocks.load(translated).mapping.ruleset().rules


def python(reader: Reader, block: Block) -> None:
    """It leaves the event that it is to emit, or gets the answer of an admin worker."""
    if 'queue="admin"' not in block.text:
        snippets.emits(reader.world, lambda: snippets.run_python(reader.world, block))
        return
    reader.shell.start("fieldfare admin-worker --concurrency 1")
    with reader.world.redis.client() as client:
        until(lambda: alive(client), "an admin worker is at work")
    assert "'answer': 'found'" in snippets.run_python(reader.world, block)


def javascript(reader: Reader, block: Block) -> None:
    """It calls its client with what makes an event."""
    snippets.emits(reader.world, lambda: snippets.run_javascript(reader.world, block))


def php(reader: Reader, block: Block) -> None:
    """It leaves the event that it is to emit."""
    snippets.emits(reader.world, lambda: snippets.run_php(reader.world, block))


def perl(_: Reader, block: Block) -> None:
    """It registers our event module for OTOBO's two events."""
    snippets.registers_the_event_module(block)


def unit(_: Reader, block: Block) -> None:
    """systemd takes it."""
    snippets.is_a_unit(block)


def yaml(reader: Reader, block: Block) -> None:
    """A part of a Compose file, or of what Prometheus scrapes."""
    snippets.yaml(reader.settings, block)


def text(reader: Reader, block: Block) -> None:
    """A drawing, an excerpt of the demo, or options of Redis."""
    snippets.text(reader.world, block)


FOLLOW: Mapping[str, Callable[[Reader, Block], None]] = {
    "console": transcript,
    "ini": unit,
    "js": javascript,
    "json": otobo_configuration,
    "perl": perl,
    "php": php,
    "python": python,
    "sh": script,
    "sql": sql,
    "text": text,
    "toml": settings,
    "yaml": yaml,
}
