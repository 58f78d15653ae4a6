"""What the pages name within a text is there: commands, settings, keys, files, messages."""

import re
import shlex
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
import typer

from tests.docs import messages, stand_ins
from tests.docs.pages import ROOT, code_spans, name, pages
from worker import cli
from worker.settings import Settings

TROUBLESHOOTING = ROOT / "docs/troubleshooting.md"
FOLDERS = ("benchmarks/", "docs/", "examples/", "requirements/", "tests/", "worker/", "directory/")

ROOT_COMMAND = typer.main.get_command(cli.app)


def spans(pattern: str) -> Sequence[Any]:
    """What is set in code type and matches, once for each page."""
    return [
        pytest.param(span, id=f"{name(page)}: {span}")
        for page in pages()
        for span in dict.fromkeys(code_spans(page))
        if re.fullmatch(pattern, span)
    ]


@pytest.mark.parametrize("span", spans(r"fieldfare .*"))
def test_a_command_exists_with_its_options(span: str) -> None:
    words = shlex.split(re.sub(r" \[OPTIONS\]| COMMAND", "", span))[1:]
    # LOGIN, TICKET…, FILE stand for something of the reader's own.
    words = [re.sub(r"^\[?[A-Z]+…?\]?$", "1", word) for word in words]
    if words in (["--help"], ["--version"]):  # they print at once, and end
        root = typer.Context(ROOT_COMMAND, info_name="fieldfare")
        assert any(words[0] in one.opts for one in ROOT_COMMAND.get_params(root))
        return
    context = ROOT_COMMAND.make_context("fieldfare", words) if words else None
    while context is not None and hasattr(context.command, "commands"):
        rest = [*context._protected_args, *context.args]
        if not rest:
            return
        _, command, rest = context.command.resolve_command(context, rest)
        assert command is not None
        # A command that is only mentioned has no arguments.
        bare = not rest and any(one.required for one in command.params)
        context = command.make_context(command.name, rest, parent=context, resilient_parsing=bare)


@pytest.mark.parametrize("span", spans(rf"(?:{'|'.join(stand_ins.CHECKS)}) .*"))
def test_a_command_of_another_program_can_be_read(span: str) -> None:
    command, *arguments = shlex.split(span)
    stand_ins.run(command, arguments)


# -- settings


def keys(schema: Mapping[str, Any]) -> Iterator[str]:
    """The names of all keys at any depth."""
    for found in (schema, *schema["$defs"].values()):
        yield from found.get("properties", {})


SCHEMA = Settings.model_json_schema(by_alias=False)
KEYS = frozenset(keys(SCHEMA))


def is_a_setting(path: list[str]) -> bool:
    """Whether each part of a path is a key of its section; sources have one of two kinds."""
    here = [SCHEMA]
    for part in path:
        here = [
            inner
            for schema in here
            for option in _options(schema)
            for inner in _step(option, part.lower())
        ]
    return bool(here)


def _options(schema: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    if "$ref" in schema:
        yield from _options(SCHEMA["$defs"][schema["$ref"].rpartition("/")[2]])
    for branch in (*schema.get("anyOf", ()), *schema.get("oneOf", ())):
        yield from _options(branch)
    yield schema


def _step(schema: Mapping[str, Any], part: str) -> Iterator[Mapping[str, Any]]:
    if part in schema.get("properties", {}):
        yield schema["properties"][part]
    elif isinstance(schema.get("additionalProperties"), Mapping):
        yield schema["additionalProperties"]


@pytest.mark.parametrize("span", spans(r"(?:FIELDFARE_)?[A-Za-z0-9_]+__[A-Za-z0-9_]+"))
def test_a_variable_or_secret_file_sets_something(span: str) -> None:
    assert is_a_setting(span.removeprefix("FIELDFARE_").split("__"))


@pytest.mark.parametrize("span", spans(r"[a-z_]+(?:\.[a-z_]+)* = .+"))
def test_a_key_with_its_value_is_a_setting(span: str) -> None:
    *section, key = span.partition(" = ")[0].split(".")
    assert key in KEYS
    assert not section or is_a_setting([*section, key]) or section == ["tls"]


@pytest.mark.parametrize("span", spans(r"[a-z_]+(?:\.[a-z_]+)+"))
def test_what_has_a_dot_is_a_setting_or_said_by_the_product(span: str) -> None:
    is_a_file = re.search(r"\.(?:c|json|md|mjs|php|pm|py|service|sh|toml|txt|yml)$", span)
    path = span.split(".")
    known = is_a_setting(path) or is_a_setting(["sources", "x", *path]) or span in messages.texts()
    if span.startswith("fieldfare."):  # a field that the inbox adds to an entry
        known = path[1] in messages.texts()
    assert is_a_file or known or span == "ticket.id"


# -- keys in Redis, files


@pytest.mark.parametrize("span", spans(r"fieldfare:\S+"))
def test_a_key_in_redis_is_one_of_ours(span: str) -> None:
    assert messages.is_printed(span.split("<", maxsplit=1)[0]) or re.match(r"fieldfare:\w+:", span)
    assert messages.is_printed(":".join(span.split(":")[:2]).rstrip("…"))


@pytest.mark.parametrize("span", spans(rf"(?:{'|'.join(FOLDERS)})[\w./-]*"))
def test_a_file_of_the_repository_is_there(span: str) -> None:
    assert (ROOT / span).exists()


# -- messages


def test_troubleshooting_quotes_what_the_product_prints() -> None:
    program = "|".join(["fieldfare", "redis-cli", *stand_ins.CHECKS])
    told = [
        span
        for span in code_spans(TROUBLESHOOTING)
        if " " in span and not re.match(rf"(?:{program}) |[a-z_.]+ = |[A-Z]+ ", span)
    ]
    assert len(told) > 10
    assert [span for span in told if not messages.is_printed(span)] == []


def test_troubleshooting_knows_every_warning_of_the_log() -> None:
    events = messages.warnings()
    assert {"drain.interrupted", "heartbeat.no_file", "sweep.interrupted"} < events
    assert events - set(code_spans(TROUBLESHOOTING)) == set()


@pytest.mark.parametrize(
    ("quoted", "printed"),
    [
        ("the ticket system has no agent …; create it", True),
        ("the ticket system has no agent 'anna'", False),
        ("source CustomerUser… did not answer: …", True),
        ("the ticket system has no agents", False),
        ("bind refused: invalidCredentials (result 49)", True),
        ("bind refused: invalidCredentials (code 49)", False),
        ("anything at all: said by nobody", False),
        ("there is no ticket with id …; explain takes ticket.id, not its number", True),
    ],
)
def test_a_quotation_is_compared_to_the_letter(quoted: str, printed: bool) -> None:
    assert messages.is_printed(quoted) is printed


@pytest.mark.parametrize("page", pages(), ids=name)
def test_every_file_of_the_examples_that_is_named_is_there(page: Path) -> None:
    for path in re.findall(r"examples/[\w./-]+\w", page.read_text()):
        assert (ROOT / path).exists(), path
