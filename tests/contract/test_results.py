"""For how long an answer to a call lies in Redis, if nobody takes it away."""

from collections.abc import Iterator
from typing import Any

import pytest
from celery import Celery

from tests.servers import RedisServer
from worker import results
from worker.admin import make_app
from worker.admin_queue import configure
from worker.calling import RESULT_KEY


@pytest.fixture
def app(broker: RedisServer) -> Iterator[Celery]:
    broker.flush()
    made = make_app(lambda: configure(broker.url), lambda: pytest.fail("nothing is done here"))
    yield made
    made.backend.client.close()
    made.close()


@pytest.mark.parametrize(
    ("told", "seconds"),
    [
        ({"login": "anna"}, results.SECONDS),
        ({"login": "anna", "password": "made"}, results.PASSWORD_SECONDS),
        ({"rows": [{"number": 1}, {"number": 2, "password": "made"}]}, results.PASSWORD_SECONDS),
    ],
)
def test_an_answer_that_tells_a_password_lies_there_for_less(
    app: Celery, broker: RedisServer, told: dict[str, Any], seconds: int
) -> None:
    app.backend.store_result("id", told, "SUCCESS")

    with broker.client() as client:
        assert seconds - 60 < client.ttl(f"{RESULT_KEY}id") <= seconds
    assert app.AsyncResult("id").get() == told
    assert results.PASSWORD_SECONDS < results.SECONDS == app.conf.result_expires
