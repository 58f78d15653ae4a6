"""What commands print: JSON that programs can read, tables that hold what was asked for."""

import json
from typing import Any

import pytest
from pydantic import BaseModel, SecretStr

from directory.directory import Trace
from directory.model import Absent, Answer, CustomerUser, Found, Unavailable
from mapping.model import Decision, Reason
from worker import render
from worker.decision_words import REASONS
from worker.handlers.explain import Explanation, FieldExplanation, PastWrite

FOUND = Found(
    CustomerUser(
        "1", "anna", {"UserCity": "[bold]Köln", "Groups": ("a", "b"), "Photo": b"\xff\xd8"}
    )
)


@pytest.fixture(autouse=True)
def wide(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "200")


def printed(capsys: pytest.CaptureFixture[str]) -> str:
    return " ".join(capsys.readouterr().out.split())


def trace(answer: Answer, *, decides: bool = True) -> Trace:
    return Trace("1", "Staff [x]", answer, decides)


def test_a_lookup_is_a_table_of_sources_and_one_of_attributes(
    capsys: pytest.CaptureFixture[str],
) -> None:
    render.lookup("anna", [trace(FOUND)], FOUND, as_json=False)

    out = printed(capsys)
    assert "CustomerUser1 │ Staff [x] │ found: anna │ decides" in out
    assert "UserCity │ [bold]Köln" in out
    assert "Groups │ a, b" in out
    assert "Photo │ (2 bytes that are not text)" in out


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        (Absent(), "│ absent │"),
        (Absent("not a number"), "│ absent: not a number │"),
        (Unavailable("1", "[Errno 111] refused"), "│ unavailable: [Errno 111] refused │"),
    ],
)
def test_a_lookup_tells_why_nobody_was_found(
    capsys: pytest.CaptureFixture[str], answer: Answer, says: str
) -> None:
    render.lookup("anna", [trace(answer)], answer, as_json=False)

    assert says in printed(capsys)


def test_a_lookup_tells_that_an_older_answer_stands_in(capsys: pytest.CaptureFixture[str]) -> None:
    stale = FOUND._replace(stale="refused")
    traces = [trace(Unavailable("1", "refused"))]
    render.lookup("anna", traces, stale, as_json=False)

    out = printed(capsys)
    assert "│ unavailable: refused │ decides" in out
    assert "CustomerUser1 does not answer. Until it does, what it said before is used:" in out
    assert "Groups │ a, b" in out

    render.lookup("anna", traces, stale, as_json=True)
    assert json.loads(capsys.readouterr().out)["stale"] is True


def test_an_explanation_tells_that_an_older_answer_stands_in(
    capsys: pytest.CaptureFixture[str],
) -> None:
    found = Explanation(7, "2024", "anna", "stale", "CustomerUser1", "refused", ())
    render.explanation(found, as_json=False)

    assert printed(capsys) == (
        "Ticket 2024 (id 7), anna, as CustomerUser1 knew them before it stopped to answer: refused"
    )


def test_a_lookup_is_json_for_programs(capsys: pytest.CaptureFixture[str]) -> None:
    unavailable = Unavailable("1", "refused")
    traces = [trace(FOUND), trace(unavailable, decides=False)]
    render.lookup("anna", traces, FOUND, as_json=True)

    told = json.loads(capsys.readouterr().out)
    assert [one["answer"] for one in told["sources"]] == ["found", "unavailable"]
    assert told["sources"][1]["reason"] == "refused"
    assert told["attributes"] == {
        "Groups": ["a", "b"],
        "Photo": "(2 bytes that are not text)",
        "UserCity": "[bold]Köln",
    }


def explanation(answer: str = "found", **more: Any) -> Explanation:
    given: dict[str, Any] = {
        "ticket_id": 7,
        "number": "2026001",
        "customer_user": "anna",
        "answer": answer,
        "source": "CustomerUser",
        "detail": "",
        "fields": (),
        **more,
    }
    return Explanation(**given)


@pytest.mark.parametrize(
    ("told", "says"),
    [
        (explanation(), "Ticket 2026001 (id 7), anna, known to CustomerUser"),
        (explanation("absent", source=""), "anna, known to no source"),
        (explanation("absent", customer_user="", source=""), "(id 7), no customer user"),
        (
            explanation("unavailable", detail="it is down"),
            "anna, unknown as long as CustomerUser does not answer: it is down",
        ),
    ],
)
def test_an_explanation_begins_with_who_the_customer_user_is(
    capsys: pytest.CaptureFixture[str], told: Explanation, says: str
) -> None:
    render.explanation(told, as_json=False)

    assert printed(capsys).endswith(says)


def test_an_explanation_shows_who_wrote_a_field_before(capsys: pytest.CaptureFixture[str]) -> None:
    past = [
        PastWrite(line, f"2026-01-0{line} 00:00:00", "ada", False, str(line), str(line + 1), True)
        for line in range(1, 6)
    ]
    past += [
        PastWrite(8, "2026-01-08 00:00:00", "fieldfare", True, "6", "", False),
        PastWrite(9, "2026-01-09 00:00:00", "77", False, None, None, True),
    ]
    decided = (Decision.KEEP, Reason.WRITTEN_LATER)
    one = FieldExplanation("Phone", *decided, "", "", "1", "CRM", ("A",), (), "", tuple(past))
    render.explanation(explanation(fields=(one,)), as_json=False)

    out = printed(capsys)
    assert "Phone │ … │ │ 2 older lines; --json shows all Phone │ 2026-01-03 00:00:00" in out
    assert "│ ada │ 3 → 4 " in out
    assert (
        "fieldfare (ours) │ 6 → ; the field's name is cut, so it may be another field's line"
    ) in out
    assert "│ 77 │ the line does not tell" in out


def test_an_explanation_shows_each_field_with_its_reason(
    capsys: pytest.CaptureFixture[str],
) -> None:
    field = FieldExplanation(
        field="Phone",
        decision=Decision.WRITE,
        reason=Reason.FOUND,
        current="[old]",
        proposed="new",
        offered="new",
        source="CustomerUser",
        variables=("UserPhone",),
        transforms=("strip",),
        warning="cut to 3800 characters",
    )
    render.explanation(explanation(fields=(field,)), as_json=False)

    out = printed(capsys)
    assert "Phone │ [old] → new │ write │" in out
    assert "UserPhone | strip" in out
    assert "the customer user's value (cut to 3800 characters)" in out


def test_every_reason_has_words() -> None:
    assert set(REASONS) == set(Reason)
    assert set(render.COLOURS) == set(Decision)


class Inner(BaseModel):
    password: SecretStr | None = None
    names: tuple[str, ...] = ()


class Outer(BaseModel):
    inner: Inner
    more: dict[str, Inner]


def test_secrets_are_masked_wherever_they_stand(capsys: pytest.CaptureFixture[str]) -> None:
    one = Inner(password=SecretStr("hunter2"), names=("a",))
    outer = Outer(inner=one, more={"x": one, "y": Inner(password=SecretStr(""))})

    assert render.masked(outer) == {
        "inner": {"password": "**********", "names": ["a"]},
        "more": {
            "x": {"password": "**********", "names": ["a"]},
            "y": {"password": "", "names": []},
        },
    }
    render.settings(outer, as_json=False)
    render.settings(outer, as_json=True)
    assert "hunter2" not in capsys.readouterr().out


def test_nothing_that_is_shown_is_read_as_markup(capsys: pytest.CaptureFixture[str]) -> None:
    render.settings(Outer(inner=Inner(), more={"[/red]": Inner()}), as_json=False)

    assert "more.[/red].password" in capsys.readouterr().out


def test_emitted_events_are_told(capsys: pytest.CaptureFixture[str]) -> None:
    render.emitted({7: "1-0"}, as_json=False)
    render.emitted({7: "1-0"}, as_json=True)

    first, _, rest = capsys.readouterr().out.partition("\n")
    assert first == "ticket 7: event 1-0 is in the inbox"
    assert json.loads(rest) == [{"ticket_id": 7, "entry": "1-0"}]


def test_no_value_gives_orders_to_a_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    orders = "\x1b]0;title\x07\x9b31m\x7f"
    told = Found(CustomerUser("1", "anna", {"UserCity": f"Berlin{orders}"}))

    render.lookup("anna", [trace(told)], told, as_json=False)
    render.show(f"The directory says: {orders}")

    out = capsys.readouterr().out
    assert "Berlin" in out
    assert [sign for sign in out if sign != "\n" and not sign.isprintable()] == []
