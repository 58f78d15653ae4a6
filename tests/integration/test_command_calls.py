"""How commands end that call: what they print of errors and warnings, and with which exit code."""

import getpass
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import typer

from directory.refusals import Refused
from worker import calls
from worker.calls import Call
from worker.commands import calling
from worker.services import Services

SETTINGS = """
[tickets]
url = "sqlite:///{folder}/tickets.sqlite"

[redis]
url = "redis://127.0.0.1:1/0"
"""

Told = Mapping[str, Any]


@pytest.fixture(autouse=True)
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "fieldfare.toml"
    file.write_text(SETTINGS.format(folder=tmp_path))
    monkeypatch.setenv("FIELDFARE_CONFIG", str(file))


def ending(monkeypatch: pytest.MonkeyPatch, how: Told | Exception, *, as_json: bool = False) -> Any:
    """What ``call`` gives where the handler ends so."""

    def handler(services: Services, *, login: str = "nobody") -> Told:
        if isinstance(how, Exception):
            raise how
        return {**how, "login": login}

    monkeypatch.setitem(calls.CALLS, "test.call", Call("test.call", handler))  # type: ignore[arg-type]
    return calling.call("test.call", {"login": None}, local=True, as_json=as_json)


@pytest.mark.parametrize(
    ("how", "code", "said"),
    [
        (Refused("required", "give one", field="UserEmail"), 1, "give one (field UserEmail)"),
        (Refused("unknown_source", "no such", source="CustomerUser9"), 2, "source CustomerUser9"),
        (TimeoutError("hunter2"), 3, "an error of Fieldfare's own: TimeoutError"),
        ({"error": "unavailable", "message": "gone"}, 3, "fieldfare: gone"),
        ({"error": "wrong_arguments", "message": "no"}, 2, "fieldfare: no"),
    ],
)
def test_an_error_ends_the_command_with_its_exit_code(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    how: Told | Exception,
    code: int,
    said: str,
) -> None:
    for as_json in (False, True):
        with pytest.raises(typer.Exit) as end:
            ending(monkeypatch, how, as_json=as_json)

        printed = capsys.readouterr()
        assert (end.value.exit_code, said in printed.err) == (code, True)
        assert "hunter2" not in printed.out + printed.err
        assert bool(printed.out) is as_json
        assert not as_json or json.loads(printed.out)["error"]


def test_warnings_are_said_beside_the_answer(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    told = ending(monkeypatch, {"warnings": ["[red]no event was published"]})

    assert told["login"] == "nobody", "what is None is left out"
    assert capsys.readouterr().err == "fieldfare: [red]no event was published\n"


def test_who_asks_has_a_name_where_the_system_has_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("USER", "ada")
    monkeypatch.setenv("LOGNAME", "ada")
    assert calling.requested_by().startswith("ada@")

    def nameless() -> str:
        raise KeyError

    monkeypatch.setattr(getpass, "getuser", nameless)
    assert calling.requested_by().partition("@")[0].isdecimal()
