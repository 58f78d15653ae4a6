"""``fieldfare guard``, and what ``status`` and ``check`` say of it."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import redis
from structlog.testing import capture_logs
from typer.testing import CliRunner, Result

from mapping.model import Decision, FieldDecision, Plan, Reason
from tests.servers import RedisServer
from worker import cli
from worker.checks import guard as checked
from worker.demo import sample
from worker.guard import STATE, Guard, MassChange
from worker.settings import GuardSettings, Settings, load

Run = Callable[..., Result]


@pytest.fixture
def world(redis_server: RedisServer, tmp_path: Path) -> sample.World:
    redis_server.start()
    redis_server.flush()
    return sample.prepare(tmp_path / "world", redis_server.url, "ldap://127.0.0.1:1")


@pytest.fixture
def settings(world: sample.World) -> Settings:
    return load(world.settings, env_file=None)


@pytest.fixture
def client(world: sample.World, redis_server: RedisServer) -> Iterator[redis.Redis]:
    made = redis.Redis.from_url(redis_server.url)
    yield made
    made.close()


@pytest.fixture
def run(world: sample.World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    monkeypatch.chdir(tmp_path)

    def invoke(*arguments: str, **environment: str) -> Result:
        config = {"FIELDFARE_CONFIG": str(world.settings), "COLUMNS": "80", **environment}
        return CliRunner().invoke(cli.app, arguments, env=config)

    return invoke


def stop(client: redis.Redis) -> None:
    """A batch of 300 tickets whose customer user nobody knows any more."""
    one = FieldDecision(
        "Customer[Phone]", Decision.CLEAR, Reason.UNKNOWN_CUSTOMER_USER, (), old_text="+49 30 1"
    )
    plans = [Plan(number, "anna", 1, (one,), (), {}) for number in range(1, 301)]
    with capture_logs(), pytest.raises(MassChange):
        Guard(client, GuardSettings()).let(plans, lambda _: {})


def told(done: Result) -> str:
    return " ".join(done.output.split())


# -- show


def test_what_goes_on_is_shown(run: Run, client: redis.Redis) -> None:
    done = run("guard", "show")

    assert done.exit_code == 0
    assert told(done) == (
        "Writing goes on. It stops before more than 200 fields, and 50% of those with a value, "
        "are emptied within 1 hour."
    )
    assert json.loads(run("guard", "show", "--json").stdout)["state"] == "watching"
    assert client.exists(STATE) == 0


def test_a_stop_is_shown_with_all_that_helps_to_decide(run: Run, client: redis.Redis) -> None:
    stop(client)

    done = run("guard", "show")

    assert done.exit_code == 1
    for part in (
        "300 of 300 fields with a value would have been emptied within 1 hour",
        "Customer[Phone] │ 300",
        "because: no source knows the customer user │ 300",
        "fieldfare explain 1, fieldfare explain 2",
        "fieldfare guard release",
    ):
        assert part in told(done)
    assert "+49" not in done.output
    assert max(map(len, done.output.splitlines())) <= 80

    as_json = run("guard", "show", "--json")
    assert as_json.exit_code == 1
    found = json.loads(as_json.stdout)
    assert (found["state"], found["stop"]["count"]) == ("stopped", 300)
    assert found["stop"]["reasons"] == {"unknown_customer_user": 300}


@pytest.mark.parametrize("arguments", [("show",), ("release",), ("show", "--json")])
def test_a_redis_that_does_not_answer_ends_with_three(
    run: Run, redis_server: RedisServer, arguments: tuple[str, ...]
) -> None:
    redis_server.stop()
    try:
        done = run("guard", *arguments)
    finally:
        redis_server.start()

    assert done.exit_code == 3
    assert done.stderr.startswith("fieldfare: Redis does not answer: ")


# -- release


def test_a_release_says_what_it_lets_go(run: Run, client: redis.Redis) -> None:
    stop(client)

    done = run("guard", "release", "--for", "2h")

    assert done.exit_code == 0
    assert "Let go: 300 of 300 fields with a value would have been emptied" in told(done)
    assert "Everything is written until 20" in told(done)
    assert 7100 < client.ttl(STATE) <= 7200  # type: ignore[operator]
    assert run("guard", "show").exit_code == 0
    assert json.loads(run("guard", "show", "--json").stdout)["state"] == "released"


def test_a_release_ahead_of_what_is_meant_lasts_for_the_window(
    run: Run, client: redis.Redis
) -> None:
    done = run("guard", "release", "--json", FIELDFARE_GUARD__WINDOW="600")

    assert done.exit_code == 0
    found = json.loads(done.stdout)
    assert (found["before"]["state"], found["now"]["state"]) == ("watching", "released")
    assert 500 < client.ttl(STATE) <= 600  # type: ignore[operator]


@pytest.mark.parametrize("text", ["", "0", "soon", "1w", "-5", "1h30m", "31d", "9" * 20])
def test_what_is_no_duration_is_wrong_usage(run: Run, client: redis.Redis, text: str) -> None:
    done = run("guard", "release", "--for", text)

    assert done.exit_code == 2
    assert "90s, 30m, 2h, 1d" in " ".join(done.stderr.replace("│", "").split())
    assert client.exists(STATE) == 0


@pytest.mark.parametrize(
    ("text", "seconds"), [("90", 90), ("90s", 90), ("30m", 1800), ("1d", 86400)]
)
def test_durations_have_units(run: Run, client: redis.Redis, text: str, seconds: int) -> None:
    assert run("guard", "release", "--for", text).exit_code == 0
    assert seconds - 20 < client.ttl(STATE) <= seconds  # type: ignore[operator]


# -- status and check


def test_status_says_that_writing_is_stopped(run: Run, client: redis.Redis) -> None:
    assert "Writing is stopped" not in run("status").output
    stop(client)

    assert "Writing is stopped for" in told(run("status"))
    assert "300 of 300 fields with a value would have been emptied" in told(run("status"))
    assert json.loads(run("status", "--json").stdout)["guard"]["stop"]["count"] == 300

    run("guard", "release")
    assert "The guard is released until" in told(run("status"))


def test_check_says_what_to_do(settings: Settings, client: redis.Redis) -> None:
    (found,) = checked.check(settings)
    assert (found.level, found.what.startswith("writing goes on")) == ("ok", True)

    stop(client)
    (found,) = checked.check(settings)
    assert found.level == "error"
    assert "300 of 300" in found.what
    assert "fieldfare guard release" in found.advice
    assert "fieldfare explain 1," in found.advice

    client.delete(STATE)
    client.hset(STATE, mapping={"state": "released", "until": "4102444800"})
    (found,) = checked.check(settings)
    assert (found.level, found.what) == (
        "warning",
        "the guard is released until 2100-01-01 00:00:00 UTC",
    )


def test_check_warns_of_a_guard_that_is_off(settings: Settings) -> None:
    off = settings.guard.model_copy(
        update={"erasures": settings.guard.erasures.model_copy(update={"enabled": False})}
    )

    (found,) = checked.check(settings.model_copy(update={"guard": off}))

    assert found.level == "warning"
    assert "guard.erasures.enabled = true" in found.advice


def test_check_leaves_to_the_broker_what_is_wrong_with_redis(
    settings: Settings, redis_server: RedisServer
) -> None:
    redis_server.stop()
    try:
        (found,) = checked.check(settings)
    finally:
        redis_server.start()

    assert (found.level, found.answered) == ("warning", False)


def test_check_tells_rights_that_are_missing(settings: Settings, client: redis.Redis) -> None:
    client.acl_setuser(
        "old", enabled=True, nopass=True, keys=["fieldfare:events"], commands=["+@all"]
    )
    old = settings.redis.model_copy(update={"username": "old"})

    (found,) = checked.check(settings.model_copy(update={"redis": old}))
    client.acl_deluser("old")

    assert found.level == "error"
    assert "users.sh" in found.advice
