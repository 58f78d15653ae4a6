"""The one way in for admin calls: what is told, and what follows from a write."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
import redis
from celery.exceptions import SoftTimeLimitExceeded
from structlog.testing import capture_logs

from directory.database import DatabaseFault
from directory.errors import SourceMisconfigured, SourceOutcomeUnknown, SourceUnavailable
from directory.refusals import Refused
from directory.transactions import OutcomeUnknown
from tests.integration.world import World
from worker import audit, begun, calls
from worker.call_errors import MAY_BE_DONE
from worker.calls import Call, perform
from worker.commands import calling
from worker.consequences import look_back, of_nothing
from worker.entries import milliseconds
from worker.events import CustomerCompanyChanged, CustomerUserChanged, parse
from worker.handlers.changes import Change
from worker.inbox import EVENTS
from worker.services import Services
from worker.tickets.store import TicketDatabaseMisfit, TicketDatabaseUnavailable

SECRET = "hunter2"
WHO = "admin@host"
UNKNOWN: Mapping[str, Any] = {"error": "unavailable", "may_be_done": True}

UPDATED = Change(
    {"login": "anna", "password": SECRET},
    source="CustomerUser",
    customer_users=("anna",),
    fields=("UserPhone", "UserEmail"),
)


class Written:
    """A call that writes, as a test wants it to end."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.ending: Change | Mapping[str, Any] | BaseException = UPDATED
        call = Call("test.write", self._handler(), writes=True)
        monkeypatch.setitem(calls.CALLS, call.name, call)  # type: ignore[arg-type]

    def _handler(self) -> Any:
        def write(  # noqa: PLR0913 - what calls can be told
            services: Services,
            *,
            login: str = "",
            values: Mapping[str, str] | None = None,
            rows: Sequence[Mapping[str, str]] = (),
            customer_id: str = "",
            source: str | None = None,
            dry_run: bool = False,
        ) -> Change | Mapping[str, Any]:
            if isinstance(self.ending, BaseException):
                raise self.ending
            return self.ending

        return write

    def __call__(self, services: Services, **arguments: Any) -> dict[str, Any]:
        return perform("test.write", {"login": "anna", **arguments}, WHO, services)


@pytest.fixture
def write(monkeypatch: pytest.MonkeyPatch) -> Written:
    return Written(monkeypatch)


@pytest.fixture
def services(small_world: World) -> Services:
    return small_world.services(
        sources={"CustomerUser": {**small_world.people, "cache_ttl": 300}}, audit={"lines": 3}
    )


def published(services: Services) -> list[Any]:
    return [
        parse({name.decode(): value.decode() for name, value in fields.items()})
        for _, fields in services.inbox.client.xrange(EVENTS)
    ]


def lines(services: Services) -> list[audit.Line]:
    return [kept.line for kept in audit.newest(services.inbox.client, 10)]


def test_after_a_write_everybody_hears_of_it(
    small_world: World, services: Services, write: Written
) -> None:
    small_world.person("anna", phone="1")
    services.directory.find(["anna", "bert"])
    assert services.directory.find(["anna"])["anna"].cached  # type: ignore[union-attr]

    with capture_logs() as logs:
        told = write(services)

    assert told == UPDATED.told
    assert not services.directory.find(["anna"])["anna"].cached  # type: ignore[union-attr]
    assert services.directory.find(["bert"])["bert"].cached  # type: ignore[union-attr]
    (event,) = published(services)
    assert (event.login, event.source) == ("anna", "CustomerUser")
    assert (event.fields, event.renamed_to) == (UPDATED.fields, None)
    line = audit.Line(WHO, "test.write", ("anna",), (), "CustomerUser", UPDATED.fields)
    assert lines(services) == [line]
    (logged,) = [one for one in logs if one["event"] == "admin.audit"]
    assert (logged["who"], logged["customer_users"], logged["outcome"]) == (WHO, ("anna",), "done")
    assert SECRET not in str(logs)
    assert SECRET not in repr(UPDATED)
    assert SECRET not in str(services.inbox.client.xrange(audit.KEY))


def test_of_a_renamed_customer_user_one_event_tells_both_logins(
    services: Services, write: Written
) -> None:
    write.ending = Change({}, "CustomerUser", ("old", "new"), fields=("UserLogin",), renamed="new")

    write(services)

    (event,) = published(services)
    assert isinstance(event, CustomerUserChanged)
    assert (event.login, event.renamed_to) == ("old", "new")
    assert lines(services)[0].customer_users == ("old", "new")


def test_each_customer_user_and_customer_of_a_change_has_an_event(
    services: Services, write: Written
) -> None:
    write.ending = Change({}, "CustomerCompany", ("a", "b"), ("ACME",))

    write(services)

    assert [type(one) for one in published(services)] == [
        CustomerUserChanged,
        CustomerUserChanged,
        CustomerCompanyChanged,
    ]


@pytest.mark.parametrize(
    ("ending", "told"),
    [
        (
            Refused("duplicate_email", "two", field="UserEmail", source="CustomerUser"),
            {"error": "duplicate_email", "field": "UserEmail", "source": "CustomerUser"},
        ),
        (Refused("unknown_customer_user", "who"), {"error": "unknown_customer_user"}),
        (SourceUnavailable("1", "gone"), {"error": "unavailable", "source": "CustomerUser1"}),
        (DatabaseFault("gone"), {"error": "unavailable"}),
        (TicketDatabaseUnavailable("gone"), {"error": "unavailable"}),
        (SourceOutcomeUnknown("1", "gone"), {**UNKNOWN, "source": "CustomerUser1"}),
        (OutcomeUnknown("gone"), UNKNOWN),
        (redis.ConnectionError(SECRET), {"error": "unavailable"}),
        (SoftTimeLimitExceeded(), UNKNOWN),
        (SourceMisconfigured("1", "no table"), {"error": "misconfigured"}),
        (TicketDatabaseMisfit("no agent"), {"error": "misconfigured"}),
        (KeyError(SECRET), {**UNKNOWN, "error": "failed"}),
    ],
)
def test_what_stands_in_the_way_is_told_as_data_and_kept_in_the_audit(
    services: Services, write: Written, ending: Exception, told: Mapping[str, Any]
) -> None:
    write.ending = ending

    with capture_logs() as logs:
        answer = write(services)

    assert answer.pop("message")
    assert answer == told
    heard = [event.login for event in published(services)]
    assert heard == (["anna"] if told["error"] in MAY_BE_DONE else [])
    (line,) = lines(services)
    assert (line.customer_users, line.outcome) == (("anna",), told["error"])
    assert line.fields == ((told["field"],) if "field" in told else ())
    assert SECRET not in f"{answer} {line} {logs}"


def test_where_it_is_not_sure_that_nothing_was_written_copies_are_dropped(
    small_world: World, services: Services, write: Written
) -> None:
    small_world.person("anna", phone="1")
    services.directory.find(["anna"])
    write.ending = OutcomeUnknown("no answer to COMMIT")

    told = write(services)

    assert "it may be written or not" in told["message"]
    assert not services.directory.find(["anna"])["anna"].cached  # type: ignore[union-attr]


def test_an_error_of_our_own_is_told_by_its_place(services: Services, write: Written) -> None:
    write.ending = ValueError(SECRET)

    with capture_logs() as logs:
        told = write(services)

    assert "ValueError (test_calls.py:" in told["message"]
    assert "it may have been done" in told["message"]
    (failed,) = [line for line in logs if line["event"] == "admin.failed"]
    assert (failed["call"], failed["error"]) == ("test.write", "ValueError")


def test_wrong_arguments_of_a_write_are_kept_without_values(
    services: Services, write: Written
) -> None:
    told = write(services, values={"UserPassword": 7, "UserLogin": "x"}, password=SECRET)
    nobody = write(services, login={"a": SECRET})

    assert (told["error"], nobody["error"]) == ("wrong_arguments", "wrong_arguments")
    assert [one.customer_users for one in lines(services)] == [("anna",), ()]
    assert {one.outcome for one in lines(services)} == {"wrong_arguments"}
    assert SECRET not in f"{told} {nobody} {services.inbox.client.xrange(audit.KEY)}"


def test_whom_a_refused_call_was_about_may_stand_among_its_values(services: Services) -> None:
    values = {"UserLogin": "x" * 300, "CustomerID": "ACME", "UserPassword": SECRET}
    of_nothing({"values": values}, {"error": "required"}, "customer_user.add", WHO, services)

    (line,) = lines(services)
    assert (line.customer_users, line.customers) == (("x" * 200,), ("ACME",))


def test_a_write_that_was_not_needed_is_kept_as_such(services: Services, write: Written) -> None:
    write.ending = {"login": "anna"}

    assert write(services) == {"login": "anna"}
    assert lines(services)[0].outcome == "nothing"
    assert published(services) == []


def test_a_question_leaves_a_line_of_its_own_kind(services: Services, write: Written) -> None:
    write(services)
    perform("customer_user.get", {"login": "anna"}, WHO, services)
    perform("customer_user.find", {"term": SECRET}, WHO, services)

    kept = lines(services)[1:]
    assert [(one.call, one.customer_users, one.outcome, one.writes) for one in kept] == [
        ("customer_user.get", (), "done", False),
        ("customer_user.find", (), "done", False),
    ]
    assert len(published(services)) == 1, "of the write alone"
    assert SECRET not in str(services.inbox.client.xrange(audit.KEY))
    only_writes = audit.newest(services.inbox.client, 10, writes=True)
    assert [one.line.call for one in only_writes] == ["test.write"]


def test_the_audit_keeps_as_many_lines_as_the_settings_say(
    services: Services, write: Written
) -> None:
    for _ in range(5):
        write(services)

    assert len(lines(services)) == services.settings.audit.lines == 3


def test_a_write_is_told_as_done_where_redis_went_away_after_it(
    small_world: World, services: Services, write: Written
) -> None:
    services.inbox.client.ping()
    small_world.redis.stop()
    try:
        with capture_logs() as logs:
            told = write(services)
    finally:
        small_world.redis.start()

    warnings = told.pop("warnings")
    assert told == UPDATED.told
    assert [text.partition(": ")[2].split(",")[0] for text in warnings] == [
        "what the workers remember was not dropped",
        "no event was published",
        "the audit has no line of this call",
    ]
    assert [one["outcome"] for one in logs if one["event"] == "admin.audit"] == ["done"]
    json.dumps(warnings)


def killed(services: Services, arguments: Mapping[str, Any], *, long_ago: bool = True) -> None:
    """Begin a call, and end as a process that is killed."""
    with pytest.raises(SystemExit):
        perform("test.write", arguments, WHO, services)
    client = services.inbox.client
    ((_, fields),) = client.xrange(begun.KEY)
    if long_ago:
        client.delete(begun.KEY)
        client.xadd(begun.KEY, fields, id="1-1")


def test_what_nobody_saw_end_is_made_up_for(
    small_world: World, services: Services, write: Written
) -> None:
    small_world.person("anna", phone="1")
    write.ending = SystemExit()
    values = {"UserLogin": "anne", "UserPassword": SECRET}
    killed(services, {"login": "anna", "values": values, "source": "CustomerUser"})
    services.directory.find(["anna"])
    assert SECRET not in str(services.inbox.client.xrange(begun.KEY))

    with capture_logs() as logs:
        look_back(services)
        look_back(services)

    line = audit.Line(WHO, "test.write", ("anna", "anne"), (), "CustomerUser", (), "unknown")
    assert lines(services) == [line]
    assert [event.login for event in published(services)] == ["anna", "anne"]
    assert not services.directory.find(["anna"])["anna"].cached  # type: ignore[union-attr]
    assert services.inbox.client.xlen(begun.KEY) == 0
    assert [one["call"] for one in logs if one["event"] == "admin.unfinished"] == ["test.write"]


def test_the_next_write_makes_up_for_one_that_nobody_saw_end(
    services: Services, write: Written
) -> None:
    write.ending = SystemExit()
    rows = [{"UserLogin": "a"}, {"UserLogin": "b", "UserPassword": SECRET}]
    killed(services, {"rows": rows, "customer_id": "ACME"})

    write.ending = UPDATED
    write(services)

    assert [(one.outcome, one.customer_users, one.customers) for one in lines(services)] == [
        ("done", ("anna",), ()),
        ("unknown", ("a", "b"), ("ACME",)),
    ]
    assert len(published(services)) == 4
    assert services.inbox.client.xlen(begun.KEY) == 0


def test_what_may_be_at_work_yet_is_left_alone(services: Services, write: Written) -> None:
    write.ending = SystemExit()
    killed(services, {"login": "bert"}, long_ago=False)
    write.ending = UPDATED
    write(services)
    perform("test.write", {"login": "anna", "dry_run": True}, WHO, services)

    look_back(services)

    assert "unknown" not in [one.outcome for one in lines(services)]
    assert services.inbox.client.xlen(begun.KEY) == 1


@pytest.mark.parametrize(
    ("seconds", "minutes", "outcomes"),
    [(None, 5, ["unknown"]), (calling.LONGEST, 5, []), (calling.LONGEST, 11, ["unknown"])],
)
def test_a_call_is_given_up_when_whoever_makes_it_would_have_ended(
    services: Services,
    write: Written,
    seconds: float | None,
    minutes: int,
    outcomes: Sequence[str],
) -> None:
    write.ending = SystemExit()
    with pytest.raises(SystemExit):
        perform("test.write", {"login": "anna"}, WHO, services, seconds)
    client = services.inbox.client
    ((id_, fields),) = client.xrange(begun.KEY)
    client.delete(begun.KEY)
    client.xadd(begun.KEY, fields, id=f"{milliseconds(id_.decode()) - minutes * 60_000}-0")

    look_back(services)

    assert [one.outcome for one in lines(services)] == outcomes


def test_a_command_has_its_own_time(
    small_world: World,
    services: Services,
    write: Written,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("FIELDFARE_CONFIG", str(small_world.write_settings(tmp_path)))
    write.ending = SystemExit()

    with pytest.raises(SystemExit):
        calling.call("test.write", {"login": "anna"}, local=True)

    ((_, fields),) = services.inbox.client.xrange(begun.KEY)
    assert float(fields[b"seconds"]) == calling.LONGEST


def test_looking_back_is_put_off_while_redis_does_not_do_its_part(
    small_world: World, services: Services, write: Written
) -> None:
    write.ending = SystemExit()
    killed(services, {"login": "anna"})
    client = services.inbox.client
    client.config_set("maxmemory", "1")
    try:
        look_back(services)
    finally:
        client.config_set("maxmemory", "0")
    small_world.redis.stop()
    try:
        look_back(services)
    finally:
        small_world.redis.start()
    assert lines(services) == []

    look_back(services)

    assert [one.outcome for one in lines(services)] == ["unknown"]


def test_a_redis_that_is_full_still_forgets(
    small_world: World, services: Services, write: Written
) -> None:
    small_world.person("anna", phone="1")
    services.directory.find(["anna"])
    client = services.inbox.client
    client.config_set("maxmemory", "1")
    try:
        told = write(services)
    finally:
        client.config_set("maxmemory", "0")

    assert len(told["warnings"]) == 3
    assert not services.directory.find(["anna"])["anna"].cached  # type: ignore[union-attr]
    assert lines(services) == []
