"""Who wins: the anchor, screens, submitted fields, later lines, manual edits."""

from typing import Any

import pytest

from mapping.model import EventHint, HistoryLine, Reason, TicketState
from mapping.precedence import Precedence, find_anchor, kept, may_name, moment
from tests.unit.mapping.builders import (
    AGENT,
    CHANGED,
    WORKER,
    article,
    created,
    customer_set,
    second,
    settings,
    ticket,
    written,
)

PHONE = {"AgentTicketPhone": {"F": 1, "G": 2, "H": 0}}
CREATED = EventHint(created=True)


def verdict(
    state: TicketState,
    *hints: EventHint,
    name: str = "F",
    precedence: Precedence | None = None,
    keep_edits: bool = False,
) -> Reason | None:
    precedence = precedence or settings()
    return kept(name, moment(state, hints, precedence), precedence, keep_edits=keep_edits)


@pytest.mark.parametrize(
    ("history", "anchor"),
    [
        ((), None),
        ((written(4),), None),
        ((created(1),), 1),
        ((created(1), customer_set(2)), 2),
        ((created(1), customer_set(2), customer_set(9), written(10)), 9),
        ((created(1), article(5, "NewTicket")), 1),
        ((article(5, "NewTicket"),), None),
        ((created(1), created(7)), 1),
        ((customer_set(2), created(3)), 3),
        # the worker gave the same person another login
        ((created(1), customer_set(2), customer_set(9, "jane", by=WORKER)), 2),
        ((created(1), customer_set(2, by=WORKER)), 1),
    ],
)
def test_the_anchor_is_the_newest_of_creation_and_customer_updates(
    history: tuple[HistoryLine, ...], anchor: int | None
) -> None:
    found = find_anchor(history, WORKER)

    assert (found and found.id) == anchor


@pytest.mark.parametrize(
    ("history", "expected"),
    [
        ((created(1),), True),
        ((created(1), customer_set(2)), True),
        ((created(1), customer_set(2, by=9)), False),
        ((created(1), article(2), customer_set(3)), False),
        ((created(1), customer_set(2), customer_set(3)), False),
        ((customer_set(2),), False),
        ((), False),
    ],
)
def test_only_the_first_customer_update_of_the_same_author_belongs_to_the_creation(
    history: tuple[HistoryLine, ...], expected: Any
) -> None:
    state = TicketState(1, "1", "jdoe", {}, history)

    assert moment(state, (), settings()).creation is expected


@pytest.mark.parametrize(
    ("type", "screen"),
    [
        ("PhoneCallCustomer", "AgentTicketPhone"),
        ("EmailAgent", "AgentTicketEmail"),
        ("WebRequestCustomer", "CustomerTicketMessage"),
        ("EmailCustomer", "PostMaster"),
        ("NewTicket", "GenericInterface"),
    ],
)
def test_the_first_article_tells_the_screen(type: str, screen: str) -> None:  # noqa: A002
    state = ticket(created(), customer_set(2), article(3, "Misc"), article(4, type))

    assert moment(state, (), settings()).screens == (screen,)


@pytest.mark.parametrize(
    "history",
    [
        (created(), customer_set(2)),
        (created(), customer_set(2), article(3, "AddNote")),
        (created(), customer_set(2), article(3, by=9)),
        (created(), customer_set(2), article(3, "AddNote"), article(4, article_id=12)),
        (created(), customer_set(2), article(3), customer_set(4)),
    ],
)
def test_no_screen_is_told_by_anything_else(history: tuple[HistoryLine, ...]) -> None:
    assert moment(ticket(*history), (), settings()).screens == ()


def test_settings_can_say_what_a_history_type_tells() -> None:
    state = ticket(created(), customer_set(2), article(3, "PhoneCallCustomer"))
    own = settings(screen_by_history_type={"PhoneCallCustomer": "AgentTicketPhoneOutbound"})

    assert moment(state, (), own).screens == ("AgentTicketPhoneOutbound",)


@pytest.mark.parametrize(
    ("name", "reason"),
    [("F", Reason.OWNED_BY_SCREEN), ("G", Reason.OWNED_BY_SCREEN), ("H", None), ("I", None)],
)
def test_a_field_enabled_on_the_screen_is_owned_by_it(name: str, reason: Reason) -> None:
    phone = settings(screens=PHONE)
    named = EventHint(changed=True, screen="AgentTicketPhone")

    assert verdict(ticket(), named, name=name, precedence=phone) is reason
    inferred = ticket(created(), customer_set(2), article(3))
    assert verdict(inferred, name=name, precedence=phone) is reason


def test_a_named_screen_goes_before_the_inferred_one() -> None:
    state = ticket(created(), customer_set(2), article(3))
    named = EventHint(created=True, screen="AgentTicketProcess")

    assert verdict(state, named, precedence=settings(screens=PHONE)) is None


def test_mails_and_web_services_own_no_fields_unless_configured() -> None:
    state = ticket(created(), customer_set(2), article(3, "EmailCustomer"))

    assert verdict(state, precedence=settings(screens=PHONE)) is None
    mail = settings(screens={"PostMaster": {"F": 1}})
    assert verdict(state, precedence=mail) is Reason.OWNED_BY_SCREEN


@pytest.mark.parametrize(
    ("screens", "expected"),
    [
        ({"AgentTicketPhone": {"F": 1}}, Reason.OWNED_BY_SCREEN),
        ({"CustomerTicketMessage": {"F": 2}}, Reason.OWNED_BY_SCREEN),
        ({"AgentTicketPhone": {"F": 0}}, None),
        ({"AgentTicketCustomer": {"F": 1}}, None),
        ({"MyScreen": {"F": 1}}, Reason.OWNED_BY_SCREEN),
    ],
)
def test_without_a_screen_a_creation_keeps_what_any_creating_screen_enables(
    screens: dict[str, dict[str, int]], expected: Any
) -> None:
    more = {"MyArticle": "MyScreen"}
    keep = settings(screens=screens, screen_by_history_type=more)
    write = settings(screens=screens, screen_by_history_type=more, unknown_frontend="write")

    assert verdict(ticket(), precedence=keep) is expected
    assert verdict(ticket(), precedence=write) is None


def test_a_later_customer_change_without_a_screen_owns_nothing() -> None:
    state = ticket(created(), customer_set(2), article(3), customer_set(4))

    assert verdict(state, CHANGED, precedence=settings(screens=PHONE)) is None


def test_the_screen_of_a_later_customer_change_owns_its_fields() -> None:
    state = ticket(created(), customer_set(2), customer_set(4))
    hint = EventHint(changed=True, screen="AgentTicketPhone")

    assert verdict(state, hint, precedence=settings(screens=PHONE)) is Reason.OWNED_BY_SCREEN


def test_a_submitted_field_stays() -> None:
    hint = EventHint(created=True, fields=frozenset({"F"}))

    assert verdict(ticket(), hint) is Reason.SUBMITTED
    assert verdict(ticket(), hint, name="G") is None


def test_several_events_of_one_request_add_up() -> None:
    hints = (
        EventHint(changed=True, screen="AgentTicketPhone"),
        EventHint(created=True, fields=frozenset({"Z"})),
    )
    phone = settings(screens=PHONE)

    assert verdict(ticket(), *hints, precedence=phone) is Reason.OWNED_BY_SCREEN
    assert verdict(ticket(), *hints, name="Z", precedence=phone) is Reason.SUBMITTED


@pytest.mark.parametrize(
    ("hint_time", "expected"),
    [
        (second(7), None),
        (second(8), Reason.SUBMITTED),
        (second(30), Reason.SUBMITTED),
        (None, Reason.SUBMITTED),
        ("no time", Reason.SUBMITTED),
        ("2026-01-01 12:00:08+02:00", Reason.SUBMITTED),
        ("2026-01-01 12:00:07+02:00", None),
        ("0001-01-01 00:00:00+23:00", Reason.SUBMITTED),
    ],
)
def test_an_event_that_is_older_than_the_anchor_tells_nothing(
    hint_time: str | None, expected: Any
) -> None:
    state = ticket(created(), customer_set(2, at=second(10)))
    hint = EventHint(changed=True, fields=frozenset({"F"}), time=hint_time)

    assert verdict(state, hint) is expected


def test_an_event_counts_if_the_anchor_has_no_time_or_is_missing() -> None:
    hint = EventHint(changed=True, fields=frozenset({"F"}), time=second(1))

    assert verdict(ticket(created(at="")), hint) is Reason.SUBMITTED
    assert verdict(TicketState(1, "1", None, {}, ()), hint) is Reason.SUBMITTED


def test_the_event_of_the_creation_tells_nothing_of_a_later_customer_change() -> None:
    state = ticket(created(), customer_set(2), customer_set(4))
    fields = frozenset({"F"})

    assert verdict(state, EventHint(created=True, fields=fields)) is None
    assert verdict(state, EventHint(changed=True, fields=fields)) is Reason.SUBMITTED


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (written(5), Reason.WRITTEN_LATER),
        (written(5, by=9), Reason.WRITTEN_LATER),
        (written(5, by=WORKER), None),
        (written(5, "FF"), None),
        (article(5), None),
    ],
)
def test_what_somebody_else_wrote_behind_the_anchor_stays(line: HistoryLine, expected: Any) -> None:
    assert verdict(ticket(created(), customer_set(2), line)) is expected


def test_what_was_written_before_the_anchor_does_not_count() -> None:
    assert verdict(ticket(created(), customer_set(2), written(3), customer_set(4))) is None


def test_without_an_anchor_any_line_keeps_the_field() -> None:
    assert verdict(TicketState(1, "1", "jdoe", {}, (written(3),))) is Reason.WRITTEN_LATER


NAME = "LongFieldName" + "X" * 87


@pytest.mark.parametrize(
    ("line", "name", "expected"),
    [
        ("%%FieldName%%F%%Value%%a%%OldValue%%", "F", True),
        ("%%FieldName%%F%%Value%%a%%OldValue%%", "FF", False),
        ("%%FieldName%%FF%%Value%%a%%OldValue%%", "F", False),
        ("%%FieldName%%f%%Value%%a%%OldValue%%", "F", False),
        (f"%%FieldName%%{NAME[:50]}[...]%%Value%%b1", NAME, True),
        (f"%%FieldName%%{NAME[:74]}[...]%%Value%%b1", NAME, True),
        (f"%%FieldName%%{NAME[:50]}[...]%%Value%%b1", NAME[:50] + "Y", True),
        (f"%%FieldName%%{NAME[:50]}[...]%%Value%%b1", "Y" + NAME, False),
        (f"%%FieldName%%{'N' * 60}[...]%%Value%%s%%OldValue%%d1", "N" * 60, True),
        (f"%%FieldName%%{'N' * 60}[...]%%Value%%s%%OldValue%%d1", "N" * 59, False),
        ("%%FieldName%%Lon", "Long", True),
        ("%%FieldName%%Lon", "Short", False),
        ("", "F", True),
        ("something else", "F", True),
    ],
)
def test_a_line_may_be_about_every_field_that_its_name_fits(
    line: str, name: str, expected: Any
) -> None:
    assert may_name(line, name) is expected


OFF = settings(enabled=False, screens=PHONE)


def test_without_precedence_the_directory_wins_over_what_the_request_submitted() -> None:
    state = ticket(
        created(at=second(1)),
        customer_set(2, at=second(1)),
        written(3, at=second(2)),
        article(4),
        written(5, "G", at=second(2)),
    )
    hint = EventHint(
        created=True, screen="AgentTicketPhone", fields=frozenset({"F"}), time=second(3)
    )

    assert verdict(state, hint, precedence=OFF) is None
    assert verdict(state, hint, name="G", precedence=OFF) is None


@pytest.mark.parametrize(
    "history",
    [
        (written(3, by=9),),
        (written(3, at=second(3)),),
        (article(3, by=9), written(4)),
        (written(3, at=""),),
        (written(3, "G", at=second(2)), written(4, at=second(5))),
    ],
)
def test_without_precedence_what_came_after_the_request_still_stays(
    history: tuple[HistoryLine, ...],
) -> None:
    state = ticket(created(), customer_set(2), *history)

    assert verdict(state, precedence=OFF) is Reason.WRITTEN_LATER


def test_without_precedence_a_request_lasts_while_its_lines_follow_each_other() -> None:
    state = ticket(
        created(),
        customer_set(2),
        written(3, "G", at=second(2)),
        written(4, "H", by=WORKER, at=second(3)),
        written(5, at=second(4)),
    )

    assert verdict(state, precedence=OFF) is None


def test_without_precedence_a_line_younger_than_the_event_stays() -> None:
    state = ticket(created(), customer_set(2), written(3, at=second(2)))

    assert verdict(state, EventHint(changed=True, time=second(2)), precedence=OFF) is None
    early = EventHint(changed=True, time=second(1))
    assert verdict(state, early, precedence=OFF) is Reason.WRITTEN_LATER
    late = EventHint(changed=True, time=second(2))
    assert verdict(state, early, late, precedence=OFF) is None


def test_without_precedence_a_time_that_is_not_known_keeps_what_was_written() -> None:
    state = ticket(created(at=""), customer_set(2, at=""), written(3))

    assert verdict(state, precedence=OFF) is Reason.WRITTEN_LATER


def test_without_precedence_and_anchor_any_line_stays() -> None:
    state = TicketState(1, "1", None, {}, (written(3),))

    assert verdict(state, precedence=OFF) is Reason.WRITTEN_LATER


CUT = HistoryLine(3, "CustomerUpdate", "%%CustomerID=" + "c" * 187, AGENT)


@pytest.mark.parametrize(
    ("history", "expected"),
    [
        # typed after the customer user came, then saved again with the same one
        ((created(), customer_set(2), written(3), customer_set(4)), Reason.MANUAL_EDIT),
        ((created(), customer_set(2), written(3), customer_set(4, None)), Reason.MANUAL_EDIT),
        (
            (created(), customer_set(2), written(3), customer_set(4), customer_set(5)),
            Reason.MANUAL_EDIT,
        ),
        # the customer user changed after it was typed
        ((created(), customer_set(2, "bob"), written(3), customer_set(4)), None),
        ((created(), customer_set(2, "jdoe2"), written(3), customer_set(4)), None),
        ((created(), written(2), customer_set(3, None), customer_set(4)), None),
        (
            (created(), customer_set(2), written(3), customer_set(4, "bob"), customer_set(5)),
            None,
        ),
        # by the worker
        ((created(), customer_set(2), written(3, by=WORKER), customer_set(4)), None),
        # nobody can say whom a cut line named
        ((created(), written(2), CUT, customer_set(4)), None),
        ((created(), CUT, written(5), customer_set(6)), Reason.MANUAL_EDIT),
        # the same person has another login since
        (
            (
                created(),
                customer_set(2, "oldest"),
                written(3),
                customer_set(4, "old", by=WORKER),
                customer_set(5, None),
                customer_set(6, by=WORKER),
                customer_set(7),
            ),
            Reason.MANUAL_EDIT,
        ),
        (
            (
                created(),
                customer_set(2, "bob"),
                written(3),
                customer_set(4, "old"),
                customer_set(5, by=WORKER),
                customer_set(6),
            ),
            None,
        ),
        # somebody else has, and the ticket came to this one later
        (
            (
                created(),
                customer_set(2, "bob"),
                written(3),
                customer_set(4, "rob", by=WORKER),
                customer_set(5),
            ),
            None,
        ),
        # the history does not tell how the ticket came to its customer user
        ((created(), written(2), customer_set(3, "bob")), Reason.MANUAL_EDIT),
    ],
)
def test_a_manual_edit_stays_while_the_customer_user_stays(
    history: tuple[HistoryLine, ...], expected: Any
) -> None:
    state = ticket(*history)

    assert verdict(state, keep_edits=True) is expected
    assert verdict(state, keep_edits=False) is None


def test_what_was_written_before_the_worker_gave_another_login_stays() -> None:
    renamed = customer_set(4, by=WORKER)

    before = ticket(created(), customer_set(2, "old"), written(3), renamed)
    behind = ticket(created(), written(2), customer_set(3, "old"), renamed)

    assert verdict(before) is Reason.WRITTEN_LATER
    assert verdict(behind) is None


def test_a_manual_edit_stays_while_a_ticket_has_no_customer_user() -> None:
    history = (created(), written(2), customer_set(3, ""))

    assert verdict(ticket(*history, customer_user=None), keep_edits=True) is None
    later = (created(), customer_set(2, ""), written(3), customer_set(4, ""))
    assert verdict(ticket(*later, customer_user=""), keep_edits=True) is Reason.MANUAL_EDIT
