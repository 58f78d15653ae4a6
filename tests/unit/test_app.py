"""The Celery application: configured late, and knowing nothing but ticket tasks."""

import subprocess
import sys
from dataclasses import replace

import pytest
from celery import Celery
from pydantic import SecretStr
from structlog.testing import capture_logs

from tests.duties import IDLE
from worker.app import caller, configure, make_app
from worker.broker import redis_url
from worker.inbox import Inbox, connect
from worker.settings import RedisSettings
from worker.tickets.store import TicketDatabaseUnavailable

NOWHERE = "redis://127.0.0.1:1/0"


DUTIES = replace(IDLE, inbox=lambda: Inbox(connect(NOWHERE), lambda: None))


@pytest.fixture
def app() -> Celery:
    def interrupted(*_: bool) -> None:
        raise TicketDatabaseUnavailable("OperationalError: refused")

    duties = replace(DUTIES, sweep=interrupted, second_look=interrupted, watch=interrupted)
    return make_app(lambda: configure(NOWHERE, 60), duties)


def test_importing_the_application_reads_no_settings() -> None:
    script = (
        "import os; os.environ['FIELDFARE_CONFIG'] = '/nowhere/fieldfare.toml'\n"
        "from worker.app import app\n"
        "assert not app.configured, 'configured'\n"
    )

    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0


def test_the_application_knows_ticket_tasks_only(app: Celery) -> None:
    own = {name for name in app.tasks if not name.startswith("celery.")}

    assert own == {
        "ticket.created",
        "ticket.customer_changed",
        "directory.watch",
        "inbox.drain",
        "inbox.release",
        "inbox.tidy",
        "tickets.second_look",
        "tickets.sweep",
    }


def test_everything_that_beat_asks_for_is_known(app: Celery) -> None:
    asked = {line["task"] for line in app.conf.beat_schedule.values()}

    assert asked <= set(app.tasks)


def test_two_applications_do_not_share_their_tasks(app: Celery) -> None:
    other = make_app(dict, DUTIES)

    assert app.tasks["inbox.drain"].app is app
    assert other.tasks["inbox.drain"].app is other


@pytest.mark.parametrize("name", ["tickets.sweep", "tickets.second_look", "directory.watch"])
def test_a_task_without_its_database_is_left_to_the_next_one(app: Celery, name: str) -> None:
    task = name.partition(".")[2]
    with capture_logs() as logs:
        app.tasks[name]()
        app.tasks[name]()  # beat calls it again, and the log has said so

    assert logs == [
        {
            "event": f"{task}.interrupted",
            "log_level": "warning",
            "error": "TicketDatabaseUnavailable",
            "reason": "the ticket database is not available: OperationalError: refused",
        }
    ]


def test_it_is_said_that_an_outage_of_a_task_is_over() -> None:
    outcomes = iter([TicketDatabaseUnavailable("refused"), None, None])

    def sweep() -> None:
        if (error := next(outcomes)) is not None:
            raise error

    app = make_app(lambda: configure(NOWHERE, 60), replace(DUTIES, sweep=sweep))
    with capture_logs() as logs:
        for _ in range(3):
            app.tasks["tickets.sweep"]()

    assert [line["event"] for line in logs] == ["sweep.interrupted", "outage.over"]


def test_a_drain_looks_at_rows_of_its_own_process_and_beat_at_all() -> None:
    looks: list[bool] = []
    duties = replace(DUTIES, second_look=looks.append)
    app = make_app(lambda: configure(NOWHERE, 60), duties)

    app.tasks["inbox.drain"]()
    app.tasks["tickets.second_look"]()

    assert looks == [True, False]
    assert app.conf.beat_schedule["second_look"]["schedule"] == 60


def test_messages_are_json_and_acknowledged_late(app: Celery) -> None:
    assert app.conf.accept_content == ["json"]
    assert app.conf.task_serializer == "json"
    assert app.conf.task_acks_late is True
    assert app.conf.task_reject_on_worker_lost is True
    assert app.conf.task_ignore_result is True
    assert app.conf.worker_prefetch_multiplier == 1


def test_a_task_is_given_the_time_that_slow_sources_need() -> None:
    conf = configure(NOWHERE, 60, lookup_seconds=120)

    assert conf["task_soft_time_limit"] == 45 + 3 * 120
    assert conf["task_time_limit"] == 60 + 3 * 120
    assert conf["visibility_timeout"] == 4 * (60 + 3 * 120)


def test_the_visibility_timeout_is_the_same_in_all_three_places(app: Celery) -> None:
    assert app.conf["visibility_timeout"] == 240
    assert app.conf.broker_transport_options["visibility_timeout"] == 240
    assert app.conf.result_backend_transport_options["visibility_timeout"] == 240
    assert app.conf.task_time_limit == 60


def test_beat_rings_every_second_and_sweeps_as_set(app: Celery) -> None:
    schedule = app.conf.beat_schedule

    assert schedule["ring"]["schedule"] == 1.0
    assert schedule["ring"]["options"]["expires"] == 5
    assert (schedule["sweep"]["task"], schedule["sweep"]["schedule"]) == ("tickets.sweep", 60)
    assert {line["options"]["queue"] for line in schedule.values()} == {"events"}


def test_beat_watches_the_directory_only_if_a_source_is_watched() -> None:
    assert "watch" not in configure(NOWHERE, 60)["beat_schedule"]

    schedule = configure(NOWHERE, 60, watch_every=300)["beat_schedule"]

    assert (schedule["watch"]["task"], schedule["watch"]["schedule"]) == ("directory.watch", 300)


def test_a_bell_that_cannot_be_rung_is_logged_and_no_error(app: Celery) -> None:
    with capture_logs() as logs:
        caller(app)()

    assert [line["event"] for line in logs] == ["bell.not_rung"]


class Enough(Exception):
    """Ends what would go on for ever."""


@pytest.mark.parametrize("purpose", ["read", "write"])
def test_a_broker_that_is_back_is_found_within_five_seconds(
    app: Celery, monkeypatch: pytest.MonkeyPatch, purpose: str
) -> None:
    monkeypatch.setattr("kombu.utils.functional.sleep", lambda _: None)
    pauses: list[float] = []

    def note(_: Exception, pause: float) -> None:
        pauses.append(pause)
        if len(pauses) == 8:
            raise Enough

    with pytest.raises(Enough):
        getattr(app, f"connection_for_{purpose}")().ensure_connection(note)

    assert pauses == [1, 2, 3, 4, 5, 5, 5, 5]


@pytest.mark.parametrize(
    ("settings", "url"),
    [
        (RedisSettings(), "redis://127.0.0.1:6379/0"),
        (
            RedisSettings(
                url=SecretStr("rediss://r.example:1/2?ssl_ca_certs=/ca.pem"),
                username="me",
                password=SecretStr("p@ss/word"),
            ),
            "rediss://me:p%40ss%2Fword@r.example:1/2?ssl_ca_certs=/ca.pem",
        ),
        (
            RedisSettings(url=SecretStr("redis://me@r.example/0"), password=SecretStr("x")),
            "redis://me:x@r.example/0",
        ),
    ],
)
def test_credentials_go_into_the_url(settings: RedisSettings, url: str) -> None:
    assert redis_url(settings) == url
