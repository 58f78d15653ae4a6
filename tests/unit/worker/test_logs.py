"""What log lines look like, and what they never hold."""

import io
import json
import logging
import sys
from collections.abc import Iterator
from typing import Any

import pytest
import structlog

from worker import logs


class Terminal(io.StringIO):
    """A stream that says whether it is a terminal."""

    def __init__(self, *, terminal: bool) -> None:
        super().__init__()
        self._terminal = terminal

    def isatty(self) -> bool:
        return self._terminal


@pytest.fixture(autouse=True)
def as_it_was() -> Iterator[None]:
    """Logging is the process's; other tests must find it as they left it."""
    root = logging.getLogger()
    handlers, level, configuration = root.handlers, root.level, structlog.get_config()
    levels = {name: logger.level for name, logger in loggers().items()}
    yield
    root.handlers, root.level = handlers, level
    structlog.configure(**configuration)
    for name, logger in loggers().items():
        logger.setLevel(levels.get(name, logging.NOTSET))


def loggers() -> dict[str, logging.Logger]:
    known = logging.Logger.manager.loggerDict
    return {name: one for name, one in known.items() if isinstance(one, logging.Logger)}


def stream(monkeypatch: pytest.MonkeyPatch, *, terminal: bool = False) -> Terminal:
    made = Terminal(terminal=terminal)
    monkeypatch.setattr(sys, "stderr", made)
    return made


def lines(made: Terminal) -> list[dict[str, Any]]:
    return [json.loads(line) for line in made.getvalue().splitlines()]


def test_our_lines_and_those_of_libraries_are_json_of_one_form(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    out = stream(monkeypatch)
    logs.configure("info", "auto")

    structlog.get_logger("fieldfare").info("ticket.enriched", ticket_id=4711, written=["Höhe"])
    logging.getLogger("some.library").warning("%s is odd", "it")

    ours, theirs = lines(out)
    assert ours.pop("timestamp").endswith("Z")
    assert ours == {
        "event": "ticket.enriched",
        "level": "info",
        "logger": "fieldfare",
        "ticket_id": 4711,
        "written": ["Höhe"],
    }
    assert theirs.pop("timestamp").endswith("Z")
    assert theirs == {"event": "it is odd", "level": "warning", "logger": "some.library"}


@pytest.mark.parametrize(
    ("form", "terminal", "as_json"),
    [
        ("auto", False, True),
        ("auto", True, False),
        ("json", True, True),
        ("console", False, False),
    ],
)
def test_lines_are_json_unless_on_a_terminal_or_as_set(
    monkeypatch: pytest.MonkeyPatch, form: logs.Format, terminal: bool, as_json: bool
) -> None:
    out = stream(monkeypatch, terminal=terminal)
    logs.configure("info", form)

    structlog.get_logger("fieldfare").info("worker.started")

    assert out.getvalue().startswith("{") is as_json
    assert "worker.started" in out.getvalue()


@pytest.mark.parametrize("form", ["json", "console"])
def test_a_traceback_shows_no_local_variables(
    monkeypatch: pytest.MonkeyPatch, form: logs.Format
) -> None:
    out = stream(monkeypatch)
    logs.configure("info", form)
    attributes = {"UserPhone": chr(104) + "unter2"}  # else the source line would show it

    try:
        _ = attributes["UserFax"]
    except KeyError:
        structlog.get_logger("fieldfare").exception("it.failed")

    assert "KeyError" in out.getvalue()
    assert "hunter2" not in out.getvalue()


def test_what_is_below_the_level_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    out = stream(monkeypatch)
    logs.configure("warning", "json")

    structlog.get_logger("fieldfare").info("quiet")
    structlog.get_logger("fieldfare").warning("loud")

    assert [line["event"] for line in lines(out)] == ["loud"]


def test_many_lines_at_once_have_the_form_of_single_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    out = stream(monkeypatch)
    logs.configure("info", "json")
    records = [{"ticket_id": number, "written": ["Höhe"]} for number in range(200)]

    logs.info_all("ticket.enriched", records)
    structlog.get_logger("fieldfare").info("ticket.enriched", **records[0])

    *many, single = lines(out)
    assert [line["ticket_id"] for line in many] == list(range(200))
    assert list(many[0]) == list(single)
    assert many[0] == {**single, "timestamp": many[0]["timestamp"]}


def test_many_lines_are_written_whole_and_in_portions_that_a_pipe_takes_at_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    out = stream(monkeypatch)
    portions: list[str] = []
    monkeypatch.setattr(out, "write", portions.append)
    logs.configure("info", "json")

    logs.info_all("ticket.enriched", [{"written": ["Höhe" * 200]}, *[{"kept": []}] * 100])

    assert "".join(portions).count("\n") == 101
    assert all(portion.endswith("\n") for portion in portions)
    assert all(len(portion.encode()) <= 4096 for portion in portions)
    assert len(portions) < 10


@pytest.mark.parametrize(("level", "form"), [("warning", "json"), ("info", "console")])
def test_many_lines_are_written_as_the_settings_say(
    monkeypatch: pytest.MonkeyPatch, level: str, form: logs.Format
) -> None:
    out = stream(monkeypatch)
    logs.configure(level, form)

    logs.info_all("ticket.enriched", [{"ticket_id": 1}, {"ticket_id": 2}])

    assert out.getvalue().count("ticket.enriched") == (2 if form == "console" else 0)
    assert "{" not in out.getvalue()


def test_libraries_do_not_tell_of_every_wake_up_call(monkeypatch: pytest.MonkeyPatch) -> None:
    out = stream(monkeypatch)
    logs.configure("debug", "json")

    logging.getLogger("celery.worker.strategy").info("Task inbox.drain received")
    logging.getLogger("sqlalchemy.engine.Engine").info("SELECT 'hunter2'")
    logging.getLogger("kombu").warning("connection lost")

    assert [line["event"] for line in lines(out)] == ["connection lost"]


def test_a_broker_that_is_away_is_one_line_of_beat_and_no_stack(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    out = stream(monkeypatch)
    logs.configure("info", "json")
    beat = logging.getLogger("celery.beat")

    error = ConnectionError("refused")
    for _ in range(3):
        beat.error("Message Error: %s\n%s", error, ["a", "long", "stack"], exc_info=error)
    beat.error("beat: something else")

    assert [line["event"] for line in lines(out)] == [
        "Message Error: refused",
        "beat: something else",
    ]
    assert "exception" not in out.getvalue()
