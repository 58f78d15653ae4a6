"""A Redis that listens on a Unix socket alone serves inbox, bell and answers."""

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
import redis

from tests.duties import IDLE
from tests.servers.process import find_program
from worker import admin, admin_queue, app, embed
from worker.broker import redis_url
from worker.inbox import Inbox, connect
from worker.settings import RedisSettings


@pytest.fixture
def url(tmp_path: Path) -> Iterator[str]:
    """With a user, and a database that is not the first."""
    path = tmp_path / "redis.sock"
    command = [find_program("redis-server", "redis-server"), "--port", "0", "--save", ""]
    command += ["--unixsocket", str(path), "--requirepass", "pw/1"]
    settings = RedisSettings.model_validate(
        {"url": f"unix://{path}?db=2", "username": "default", "password": "pw/1"}
    )
    made = redis_url(settings)

    def answers() -> bool:
        with suppress(redis.RedisError), redis.Redis.from_url(made) as client:
            return bool(client.ping())
        return False

    with embed.running("redis", command, tmp_path / "redis.log", answers):
        yield made


def test_events_are_published_and_a_worker_is_called(url: str) -> None:
    application = app.make_app(lambda: app.configure(url, 60), IDLE)
    inbox = Inbox(connect(url), app.caller(application))

    inbox.publish({"type": "ticket.created", "ticket_id": "1"})

    assert inbox.client.llen("fieldfare:celery:events") == 1
    assert inbox.client.connection_pool.connection_kwargs["db"] == 2
    inbox.client.close()
    application.close()


@pytest.mark.filterwarnings("ignore:Call to deprecated setex:DeprecationWarning")  # Celery's
def test_answers_are_kept(url: str) -> None:
    application = admin.make_app(
        lambda: admin_queue.configure(url), lambda: pytest.fail("not asked")
    )

    application.backend.store_result("task-1", {"answer": "absent"}, "SUCCESS")

    with redis.Redis.from_url(url) as client:
        assert client.keys() == [b"fieldfare:celery:celery-task-meta-task-1"]
    application.close()
