"""The admin application: another queue, other tasks, and answers that do not stay for long."""

import json
from collections.abc import Mapping, Sequence
from types import SimpleNamespace
from typing import Any

import pytest
from celery import Celery
from structlog.testing import capture_logs

from directory.config import SqlSourceConfig
from directory.directory import Directory
from directory.errors import SourceUnavailable
from directory.model import Absent, Answer, CustomerUser, Found, Unavailable
from directory.search import Matches, Query, matching
from tests.duties import IDLE
from worker import app as ticket_app
from worker import results
from worker.admin import make_app
from worker.admin_queue import configure
from worker.calls import CALLS
from worker.handlers import customer_users
from worker.inbox import Inbox, connect
from worker.services import Services
from worker.settings import AuditSettings
from worker.tasks.looking_back import LOOK_BACK

NOWHERE = "redis://127.0.0.1:1/0"


class OneSource:
    """A source that gives one answer to everything."""

    def __init__(self, answer: Answer) -> None:
        self.answer = answer
        self.config = SqlSourceConfig.model_validate(
            {
                "kind": "sql",
                "slot": "3",
                "table": "t",
                "customer_key": "l",
                "customer_id": "i",
                "map": {"UserLogin": "l"},
                "customer_user_search_fields": ["l"],
            }
        )

    def find(self, logins: Sequence[str]) -> Mapping[str, Answer]:
        return dict.fromkeys(logins, self.answer)

    def login_key(self, login: str) -> str:
        return login

    def search(self, query: Query) -> Matches:
        match self.answer:
            case Found(customer_user=user):
                return matching(query, [(user, {"l": user.login})])
            case Unavailable(slot=slot, reason=reason):
                raise SourceUnavailable(slot, reason)
        return Matches(())


def services(answer: Answer) -> Services:
    """All that calls that read work with; Redis is away, which is no reason not to answer."""
    directory = Directory([OneSource(answer)])  # type: ignore[list-item]
    inbox = Inbox(connect(NOWHERE), lambda: None)
    settings = SimpleNamespace(audit=AuditSettings())
    return SimpleNamespace(directory=directory, inbox=inbox, settings=settings)  # type: ignore[return-value]


ANNA = CustomerUser(
    "3",
    "Anna",
    {"UserLogin": "Anna", "UserPassword": "hash", "UserMobile": ("1", "2"), "UserPhoto": b"\xff"},
)


@pytest.fixture
def app() -> Celery:
    return make_app(lambda: configure(NOWHERE), lambda: services(Found(ANNA)))


def test_what_was_found_is_told_without_secrets() -> None:
    assert customer_users.get(services(Found(ANNA)), login="anna") == {
        "login": "anna",
        "answer": "found",
        "source": "CustomerUser3",
        "customer_user": "Anna",
        "attributes": {
            "UserLogin": "Anna",
            "UserMobile": ["1", "2"],
            "UserPhoto": {"base64": "/w=="},
        },
        "version": "098e59133b9e0992",
        "writable": False,
    }


def test_absent_and_unavailable_are_told_apart() -> None:
    absent = customer_users.get(services(Absent()), login="anna")
    unavailable = customer_users.get(services(Unavailable("3", "refused")), login="anna")

    assert absent == {"login": "anna", "answer": "absent", "source": None, "reason": ""}
    assert unavailable == {
        "login": "anna",
        "answer": "unavailable",
        "source": "CustomerUser3",
        "reason": "refused",
    }


def test_the_application_knows_admin_tasks_only(app: Celery) -> None:
    tickets = ticket_app.make_app(dict, IDLE)
    own = {name for name in app.tasks if not name.startswith("celery.")}

    assert own == {*CALLS, LOOK_BACK}
    assert {"customer_user.get", "customer_user.find", "customer_user.list"} <= own
    assert own.isdisjoint(tickets.tasks)
    assert app.conf.task_default_queue == "admin"
    assert set(app.conf.task_queues) == {"admin"}


def test_a_call_is_logged_and_told_without_redis(app: Celery) -> None:
    with capture_logs() as seen:
        app.tasks["customer_user.get"]("anna", requested_by="crm")
        app.tasks["customer_user.find"](term="an", requested_by="crm")

    logs = [line for line in seen if line["event"] == "admin.called"]
    times = [line.pop("duration_ms") for line in logs]
    assert min(times) >= 0
    assert [line["event"] for line in seen].count("admin.not_kept") == 2
    assert logs == [
        {
            "event": "admin.called",
            "log_level": "info",
            "call": call,
            "who": "crm",
            "outcome": "done",
        }
        for call in ("customer_user.get", "customer_user.find")
    ]


FOUND = {
    "login": "Anna",
    "source": "CustomerUser3",
    "name": "",
    "attributes": {
        "UserLogin": "Anna",
        "UserMobile": ["1", "2"],
        "UserPhoto": {"base64": "/w=="},
    },
}


def test_customer_users_are_found_and_listed_without_secrets(app: Celery) -> None:
    found = app.tasks["customer_user.find"]("AN", limit=1)
    listed = app.tasks["customer_user.list"](fields={"UserLogin": ["a*", "b*"]}, count=True)

    assert found == {"customer_users": [FOUND], "more": [], "unanswered": []}
    assert listed == {**found, "total": 1}
    assert json.loads(json.dumps(found)) == found


def test_a_source_that_was_not_searched_is_told() -> None:
    away = make_app(lambda: configure(NOWHERE), lambda: services(Unavailable("3", "refused")))

    for told in (away.tasks["customer_user.find"]("an"), away.tasks["customer_user.list"]()):
        assert told["customer_users"] == []
        assert told["unanswered"] == [{"source": "CustomerUser3", "reason": "refused"}]


@pytest.mark.parametrize(
    ("task", "arguments", "said"),
    [
        ("find", {"term": " "}, "the term is empty"),
        ("find", {"term": "a", "source": "CustomerUser9"}, "there are CustomerUser3"),
        ("find", {"term": "a", "limit": 0}, "limit must be from 1"),
        ("list", {"fields": {"UserCity": "x"}}, "no source has a field UserCity"),
        ("list", {"fields": {"UserLogin": 1}}, "UserLogin must be a text, a list"),
        ("list", {"order": ["UserLogin", "-UserLogin"]}, "order names a field twice"),
        ("list", {"offset": -1}, "offset must be from 0"),
    ],
)
def test_a_search_that_cannot_be_made_is_refused_with_data(
    app: Celery, task: str, arguments: Mapping[str, Any], said: str
) -> None:
    told = app.tasks[f"customer_user.{task}"](**arguments)

    assert told["error"] == "wrong_criteria"
    assert said in told["message"]


@pytest.mark.parametrize(
    ("task", "arguments", "field", "said"),
    [
        ("get", {}, "login", "login is missing; it must be a text"),
        ("get", {"login": None}, "login", "login must be a text; what was given is NoneType"),
        ("get", {"login": ["hunter2"]}, "login", "login must be a text; what was given is list"),
        ("find", {"term": 1}, "term", "term must be a text; what was given is int"),
        ("find", {"term": "a", "limit": True}, "limit", "limit must be a number or null"),
        ("find", {"term": "a", "page": 2}, "", "no argument page; there are term, limit"),
        ("find", {"term": "a", "a hunter2": 2}, "", "no such argument; there are term, limit"),
        ("list", {"order": [1]}, "order", "order must be a list of texts"),
        ("list", {"order": "hunter2"}, "order", "order must be a list of texts"),
        ("list", {"fields": ["a"]}, "fields", "fields must be a table of anything or null"),
        ("list", {"invalid": "yes"}, "invalid", "invalid must be true or false"),
        ("list", {"requested_by": 7}, "requested_by", "requested_by must be a text of at most 200"),
        ("list", {"requested_by": "x" * 201}, "requested_by", "requested_by must be a text"),
    ],
)
def test_arguments_that_do_not_fit_are_refused_without_a_value(
    app: Celery, task: str, arguments: Mapping[str, Any], field: str, said: str
) -> None:
    with capture_logs() as logs:
        told = app.tasks[f"customer_user.{task}"](**arguments)

    assert told["error"] == "wrong_arguments"
    assert told.get("field", "") == field
    assert said in told["message"]
    called = [line["outcome"] for line in logs if line["event"] == "admin.called"]
    assert called == ["wrong_arguments"]
    assert "hunter2" not in f"{told} {logs}"


def test_arguments_by_place_stand_for_the_first_ones(app: Celery) -> None:
    assert app.tasks["customer_user.find"]("an", 1)["customer_users"] == [FOUND]
    told = app.tasks["customer_user.get"]("anna", "hunter2")
    assert told == {
        "error": "wrong_arguments",
        "message": "there is no such argument; there are login",
    }


def test_answers_lie_under_our_prefix_for_a_short_time(app: Celery) -> None:
    key = app.backend.get_key_for_task("id").decode()

    assert key == "fieldfare:celery:celery-task-meta-id"
    assert app.conf.result_expires == results.SECONDS
    assert app.conf.task_ignore_result is False
    assert app.conf.accept_content == app.conf.result_accept_content == ["json"]


def test_a_call_is_never_made_twice(app: Celery) -> None:
    assert app.conf.task_acks_late is False
    assert app.conf.task_reject_on_worker_lost is False


def test_tls_is_checked_for_answers_too() -> None:
    made = make_app(
        lambda: configure("rediss://u:p@r.example:1/2?ssl_ca_certs=/ca.pem"),
        lambda: services(Absent()),
    )

    parameters = made.backend.connparams
    assert parameters["ssl_cert_reqs"].name == "CERT_REQUIRED"
    assert parameters["ssl_ca_certs"] == "/ca.pem"


def test_an_application_sends_no_task_but_its_own(app: Celery) -> None:
    with capture_logs() as logs:
        answer = app.send_task("inbox.drain", queue="events", task_id="id-1")

    assert answer.id == "id-1"
    assert [(line["event"], line["task"]) for line in logs] == [("task.not_sent", "inbox.drain")]


def test_what_did_not_follow_from_a_write_is_in_the_log_of_the_worker(
    app: Celery, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer = {"login": "anna", "warnings": ["no event was published"]}
    monkeypatch.setattr("worker.tasks.customer_users.perform", lambda *_: answer)

    with capture_logs() as logs:
        app.tasks["customer_user.update"](login="anna", values={})

    (line,) = logs
    assert (line["event"], line["log_level"]) == ("admin.incomplete", "error")
    assert line["missed"] == "no event was published"
