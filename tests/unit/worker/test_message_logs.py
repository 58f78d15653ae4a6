"""A message that Celery refuses leaves its task's name in the log, and nothing that was in it."""

import logging
from collections.abc import Iterator

import pytest
from celery import Celery
from celery.worker.consumer import consumer

from worker.message_logs import FAILURES, LOGGER, WithoutContents, WithoutMessage


@pytest.fixture
def filtered(caplog: pytest.LogCaptureFixture) -> Iterator[pytest.LogCaptureFixture]:
    logger = logging.getLogger(LOGGER)
    before = logger.filters[:]
    logger.filters = [WithoutContents()]
    yield caplog
    logger.filters = before


@pytest.mark.parametrize(
    ("form", "arguments", "says"),
    [
        (
            consumer.UNKNOWN_TASK_ERROR,
            (KeyError("customer_user.get"), "hunter2", {"argsrepr": "hunter2"}, {}),
            "a task that is not known here was thrown away: 'customer_user.get'",
        ),
        (
            consumer.INVALID_TASK_ERROR,
            (ValueError("hunter2"), "hunter2"),
            "a message that is no call of a task was thrown away",
        ),
        (
            consumer.UNKNOWN_FORMAT,
            ("hunter2",),
            "a message in no known form was thrown away",
        ),
        (
            consumer.MESSAGE_DECODE_ERROR,
            (ValueError("hunter2"), "hunter2", "utf-8", "hunter2", "hunter2"),
            "a message that cannot be decoded was thrown away",
        ),
    ],
    ids=["unknown task", "invalid task", "unknown message", "not decoded"],
)
def test_a_refused_message_is_logged_without_its_contents(
    filtered: pytest.LogCaptureFixture, form: str, arguments: tuple[object, ...], says: str
) -> None:
    consumer.logger.error(form, *arguments, exc_info=ValueError("hunter2"))

    (record,) = filtered.records
    assert record.getMessage() == says
    assert record.exc_info is None


def test_everything_else_is_logged_as_it_is(filtered: pytest.LogCaptureFixture) -> None:
    consumer.logger.warning("Connection to broker lost: %s", "refused")

    assert [record.getMessage() for record in filtered.records] == [
        "Connection to broker lost: refused"
    ]


def test_a_task_that_failed_leaves_no_text_of_its_error(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    logger = logging.getLogger(FAILURES)
    monkeypatch.setattr(logger, "filters", [WithoutMessage()])
    app = Celery(set_as_current=False)

    def fails(login: str) -> None:
        int(login)  # its error repeats the text

    app.task(name="it.fails", shared=False)(fails).apply(["hunter2%s"])

    (record,) = [one for one in caplog.records if one.name == FAILURES]
    said = record.getMessage()
    assert said.startswith("the task it.fails failed: ValueError (test_message_logs.py:")
    assert "hunter2" not in logging.Formatter().format(record)
