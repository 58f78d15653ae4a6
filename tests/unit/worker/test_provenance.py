"""Whose values a ticket's fields and lines hold, told by its lines."""

from collections.abc import Sequence

import pytest

from mapping.model import HistoryLine, HistoryType
from worker.tickets.history import field_update
from worker.tickets.past import read_update
from worker.tickets.provenance import ERASED, Holder, Traces, trace

WORKER, AGENT = 2, 3
LONG = "Customer" + "Phone" * 32


def lines(*told: tuple[int, str]) -> list[HistoryLine]:
    """Lines by who wrote them and what they say; one that begins with @ sets the customer user."""
    return [
        HistoryLine(
            number,
            HistoryType.CUSTOMER_UPDATE if text.startswith("@") else HistoryType.FIELD_UPDATE,
            f"%%CustomerID=ACME;CustomerUser={text[1:]};" if text.startswith("@") else text,
            author,
        )
        for number, (author, text) in enumerate(told, 1)
    ]


def traced(told: Sequence[HistoryLine], customer_user: str = "anna", **more: tuple[str]) -> Traces:
    return trace(told, worker=WORKER, logins={"anna"}, customer_user=customer_user, **more)


def test_what_the_worker_wrote_while_the_ticket_was_theirs_is_theirs() -> None:
    found = traced(lines((AGENT, "@anna"), (WORKER, field_update("Phone", "1", ""))))

    assert found.holder("Phone") is Holder.THEIRS
    assert found.erased == {2: field_update("Phone", ERASED, "")}
    assert (list(found.foreign), found.naming, list(found.names())) == ([], True, ["Phone"])


def test_what_somebody_wrote_behind_it_is_somebodys() -> None:
    found = traced(
        lines(
            (AGENT, "@anna"),
            (WORKER, field_update("Phone", "1", "")),
            (AGENT, field_update("Phone", "2", "1")),
        )
    )

    assert found.holder("Phone") is Holder.SOMEBODYS
    assert list(found.erased) == [2]
    assert list(found.foreign) == [3]


def test_of_a_ticket_that_has_another_customer_user_only_their_time_counts() -> None:
    found = traced(
        lines(
            (AGENT, "@bert"),
            (WORKER, field_update("Phone", "b", "")),
            (AGENT, "@anna"),
            (WORKER, field_update("Phone", "a", "b")),
            (WORKER, field_update("Mail", "a@b.c", "typed before")),
            (AGENT, "@bert"),
            (WORKER, field_update("Phone", "b", "a")),
            (AGENT, field_update("Phone", "c", "b")),
        ),
        customer_user="bert",
    )

    assert found.erased == {
        4: field_update("Phone", ERASED, "b"),
        5: field_update("Mail", ERASED, ERASED),
        7: field_update("Phone", "b", ERASED),
    }
    assert found.holder("Mail") is Holder.THEIRS
    assert found.holder("Phone") is Holder.SOMEBODYS
    assert list(found.foreign) == []


def test_a_value_that_came_before_the_ticket_was_theirs_is_anothers() -> None:
    found = traced(
        lines((AGENT, "@bert"), (WORKER, field_update("Phone", "b", "")), (AGENT, "@anna"))
    )

    assert found.holder("Phone") is Holder.ANOTHERS
    assert found.erased == {}


def test_a_line_that_only_sets_the_customer_changes_nothing() -> None:
    told = lines((AGENT, "@anna"), (AGENT, "@x"), (WORKER, field_update("Phone", "1", "")))
    told[1] = told[1]._replace(name="%%CustomerID=OTHER;")

    assert traced(told).holder("Phone") is Holder.THEIRS


def test_a_ticket_without_lines_about_its_customer_user_is_whose_it_is_now() -> None:
    told = lines((WORKER, field_update("Phone", "1", "")))

    assert traced(told).holder("Phone") is Holder.THEIRS
    assert not traced(told).naming
    assert traced(told, customer_user="bert").holder("Phone") is Holder.ANOTHERS


def test_a_field_that_no_line_tells_of_is_somebodys() -> None:
    assert traced(lines((AGENT, "@anna"))).holder("Phone") is Holder.SOMEBODYS


def test_a_login_is_compared_whole() -> None:
    for other in ("ann", "annab", "Anna", "joe;CustomerUser=ann"):
        told = lines((AGENT, f"@{other}"), (WORKER, field_update("Phone", "1", "")))
        assert traced(told, customer_user=other).erased == {}


def test_lines_of_kept_fields_stay() -> None:
    told = lines((AGENT, "@anna"), (WORKER, field_update("Country", "DE", "")))

    found = traced(told, keep=("Country",))

    assert found.erased == {}
    assert found.holder("Country") is Holder.THEIRS


def test_a_cut_name_is_in_doubt_somebodys_and_its_line_is_overwritten() -> None:
    text = field_update(LONG, "a value", "")
    assert read_update(text).cut
    found = traced(
        lines(
            (AGENT, "@anna"),
            (WORKER, field_update(LONG[:-5], "1", "")),
            (AGENT, text),
            (WORKER, text),
        )
    )

    assert found.holder("Phone") is Holder.SOMEBODYS
    assert found.holder(LONG) is Holder.THEIRS
    assert "a value" not in found.erased[4]
    assert read_update(found.erased[4])[:2] == read_update(text)[:2]
    assert len(found.erased[4]) <= 200


@pytest.mark.parametrize("text", ["", "%%Phone%%secret", "%%FieldName%%Phone%%Value%%secret"])
def test_a_line_that_cannot_be_read_keeps_nothing(text: str) -> None:
    found = traced(lines((AGENT, "@anna"), (WORKER, text)))

    assert "secret" not in found.erased[2]


def test_what_is_overwritten_stays_as_it_is() -> None:
    told = lines((AGENT, "@anna"), (WORKER, field_update("Phone", "1", "0")))
    once = traced(told)
    told[1] = told[1]._replace(name=once.erased[2])

    assert traced(told).erased == {}
    assert traced(told).holder("Phone") is Holder.THEIRS


def test_a_login_that_was_cut_is_taken_for_theirs() -> None:
    login = "a" * 190
    told = lines((AGENT, "@x"), (WORKER, field_update("Phone", "1", "")))
    told[0] = told[0]._replace(name=f"%%CustomerUser={login};"[:200])

    found = trace(told, worker=WORKER, logins={login}, customer_user=login)

    assert found.holder("Phone") is Holder.THEIRS
