"""The event contract: what producers may write, and what is told about the rest."""

import json
from contextlib import suppress
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.events import (
    MAX_TICKET_ID,
    CustomerChanged,
    CustomerCompanyChanged,
    CustomerUserChanged,
    Event,
    MalformedEventError,
    TicketCreated,
    TicketEvent,
    dump,
    json_schema,
    parse,
)

NAMES = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=200)
TICKET_EVENTS = st.builds(
    lambda kind, fields: kind(**fields),
    st.sampled_from([TicketCreated, CustomerChanged]),
    st.fixed_dictionaries(
        {"ticket_id": st.integers(1, MAX_TICKET_ID)},
        optional={
            "event_id": NAMES,
            "time": st.datetimes(timezones=st.just(UTC)),
            "screen": NAMES,
            "fields": st.lists(NAMES, max_size=20).map(tuple),
            "user_id": st.integers(1, 2**31),
        },
    ),
)

KEYS = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=300)
COMMON = {
    "event_id": NAMES,
    "time": st.datetimes(timezones=st.just(UTC)),
    "source": NAMES,
    "fields": st.lists(NAMES, max_size=20).map(tuple),
}
EVENTS = st.one_of(
    TICKET_EVENTS,
    st.builds(
        lambda given: CustomerUserChanged(**given),
        st.fixed_dictionaries({"login": KEYS}, optional={**COMMON, "renamed_to": KEYS}),
    ),
    st.builds(
        lambda given: CustomerCompanyChanged(**given),
        st.fixed_dictionaries({"customer_id": KEYS}, optional=COMMON),
    ),
)


@given(EVENTS)
def test_an_event_comes_back_as_it_was_written(event: Event) -> None:
    written = dump(event)

    assert all(isinstance(part, str) for pair in written.items() for part in pair)
    assert parse(written) == event


ANYTHING = st.dictionaries(
    st.one_of(
        st.sampled_from(
            [
                "type",
                "ticket_id",
                "login",
                "customer_id",
                "event_id",
                "time",
                "screen",
                "fields",
                "user_id",
            ]
        ),
        st.text(max_size=10),
    ),
    st.one_of(
        st.text(max_size=50),
        st.sampled_from(
            [
                "ticket.created",
                "TicketCreate",
                "customer_user.changed",
                "customer_company.changed",
                "4711",
                "[",
                "[[]]",
                "[1]",
                '{"a": 1}',
                "nan",
                "1e99",
            ]
        ),
        st.integers().map(str),
        st.floats().map(str),
    ),
    max_size=8,
)


@given(ANYTHING)
def test_whatever_is_written_is_an_event_or_malformed(fields: dict[str, str]) -> None:
    with suppress(MalformedEventError):
        match parse(fields):
            case TicketCreated(ticket_id=ticket_id) | CustomerChanged(ticket_id=ticket_id):
                assert 0 < ticket_id <= MAX_TICKET_ID
            case CustomerUserChanged(login=key) | CustomerCompanyChanged(customer_id=key):
                assert key


@pytest.mark.parametrize(
    ("name", "event"),
    [
        ("ticket.created", TicketCreated(ticket_id=1)),
        ("TicketCreate", TicketCreated(ticket_id=1)),
        ("ticket.customer_changed", CustomerChanged(ticket_id=1)),
        ("TicketCustomerUpdate", CustomerChanged(ticket_id=1)),
    ],
)
def test_our_names_and_otobos_are_understood(name: str, event: TicketEvent) -> None:
    assert parse({"type": name, "ticket_id": "1"}) == event


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ('["A", "B c"]', ("A", "B c")),
        ("A,B", ("A", "B")),
        (" A  B, C ", ("A", "B", "C")),
        ("", ()),
        ("[]", ()),
    ],
)
def test_names_of_fields_may_be_a_json_list_or_words(text: str, names: tuple[str, ...]) -> None:
    assert parse({"type": "ticket.created", "ticket_id": "1", "fields": text}).fields == names


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2026-11-22T12:00:00", datetime(2026, 11, 22, 12, tzinfo=UTC)),
        ("2026-11-22T12:00:00Z", datetime(2026, 11, 22, 12, tzinfo=UTC)),
        (
            "2026-11-22 13:00:00+01:00",
            datetime(2026, 11, 22, 13, tzinfo=timezone(timedelta(hours=1))),
        ),
        ("1795348800", datetime(2026, 11, 22, 12, tzinfo=UTC)),
        ("1795348800.5", datetime(2026, 11, 22, 12, 0, 0, 500000, tzinfo=UTC)),
    ],
)
def test_a_time_is_iso_or_seconds_and_utc_without_a_zone(text: str, moment: datetime) -> None:
    time = parse({"type": "ticket.created", "ticket_id": "1", "time": text}).time

    assert time is not None
    assert time.tzinfo is not None
    assert time == moment


def test_what_is_not_in_the_contract_is_ignored() -> None:
    event = parse({"type": "ticket.created", "ticket_id": "1", "TicketNumber": "2026"})

    assert event == TicketCreated(ticket_id=1)


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({}, "type: "),
        ({"type": "ticket.deleted", "ticket_id": "1"}, "type: "),
        ({"type": "ticket.created"}, "ticket_id: Field required"),
        ({"type": "ticket.created", "ticket_id": "SECRET"}, "ticket_id: "),
        ({"type": "ticket.created", "ticket_id": "0"}, "ticket_id: "),
        ({"type": "ticket.created", "ticket_id": "-1"}, "ticket_id: "),
        ({"type": "ticket.created", "ticket_id": str(2**63)}, "ticket_id: "),
        ({"type": "ticket.created", "ticket_id": "1", "time": "SECRET"}, "time: "),
        ({"type": "ticket.created", "ticket_id": "1", "fields": '["SECRET"'}, "not a JSON list"),
        ({"type": "ticket.created", "ticket_id": "1", "fields": "[1]"}, "fields.0: "),
        ({"type": "ticket.created", "ticket_id": "1", "fields": "[" * 8000}, "not a JSON list"),
        ({"type": "ticket.created", "ticket_id": "1", "fields": "[" + "1" * 8000}, "not a JSON"),
        ({"type": "ticket.created", "ticket_id": "1", "screen": "S" * 201}, "screen: "),
        ({"type": "ticket.created", "ticket_id": "1", "user_id": "SECRET"}, "user_id: "),
        ({"type": "SECRET", "ticket_id": "1"}, "type: "),
        ({"type": "customer_user.changed", "ticket_id": "1"}, "login: Field required"),
        ({"type": "customer_user.changed", "login": ""}, "login: "),
        ({"type": "customer_user.changed", "login": "SECRET" * 2000}, "login: "),
        ({"type": "customer_company.changed", "login": "1"}, "customer_id: Field required"),
    ],
)
def test_what_is_wrong_is_told_without_what_was_sent(fields: dict[str, str], says: str) -> None:
    with pytest.raises(MalformedEventError) as caught:
        parse(fields)

    assert says in caught.value.problem
    assert "SECRET" not in caught.value.problem


def test_all_that_is_wrong_is_told() -> None:
    with pytest.raises(MalformedEventError) as caught:
        parse({"type": "ticket.created", "ticket_id": "x", "user_id": "y"})

    assert [part.partition(":")[0] for part in caught.value.problem.split("; ")] == [
        "ticket_id",
        "user_id",
    ]


def test_the_schema_describes_every_event() -> None:
    schema = json.loads(json.dumps(json_schema()))

    assert schema["discriminator"]["propertyName"] == "type"
    about_all = {"type", "event_id", "time", "fields", "traceparent"}
    about_tickets = {*about_all, "ticket_id", "screen", "user_id"}
    assert {
        name: (set(event["required"]), set(event["properties"]))
        for name, event in schema["$defs"].items()
    } == {
        "TicketCreated": ({"ticket_id"}, about_tickets),
        "CustomerChanged": ({"ticket_id"}, about_tickets),
        "CustomerUserChanged": ({"login"}, {*about_all, "login", "source", "renamed_to"}),
        "CustomerCompanyChanged": ({"customer_id"}, {*about_all, "customer_id", "source"}),
    }
