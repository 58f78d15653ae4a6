"""Nothing secret is printed: whatever is wrong, and the search for it finds what there is."""

from collections.abc import Callable
from urllib.parse import quote

import pytest
import redis

from tests.acceptance.conftest import Installation
from tests.acceptance.processes import Cli, Printed
from tests.acceptance.secrecy import PASSWORD, VALUE, leaks, leaks_in_redis
from tests.servers import MariadbServer, RedisServer

ODD = f"{PASSWORD}@/?#%&:\\'\"[ü]"
"""A password that a URL cannot bear as it is."""

COMMANDS = [("check",), ("lookup", "user3"), ("explain", "1"), ("emit", "1")]


@pytest.mark.parametrize(
    "wrong",
    [
        *("the database's password", "the database's url", "the database's url, odd"),
        *("the database's url, in pieces", "MariaDB's password", "an option of the url"),
        *("Redis' password", "Redis' url", "Redis' url, odd", "the directory's password"),
        *("the source's password", "the source's url", "the source's DSN", "a password for a port"),
    ],
)
def test_a_wrong_password_is_never_repeated(
    installation: Installation,
    mariadb_server: MariadbServer,
    cli: Callable[..., Cli],
    wrong: str,
) -> None:
    there = installation.ticket_url.partition("@")[2]
    redis_there = installation.redis.url.partition("//")[2]
    source = "FIELDFARE_SOURCES__CUSTOMERUSER__"
    settings = {
        "the database's password": {"FIELDFARE_TICKETS__PASSWORD": ODD},
        "the database's url": {
            "FIELDFARE_TICKETS__URL": f"postgresql://me:{PASSWORD}@{there}",
            "FIELDFARE_TICKETS__PASSWORD": ODD,
        },
        "the database's url, odd": {"FIELDFARE_TICKETS__URL": f"postgresql://me:{ODD}@{there}"},
        "the database's url, in pieces": {"FIELDFARE_TICKETS__URL": f"postgresql:/me:{ODD}@x"},
        "MariaDB's password": {
            "FIELDFARE_TICKETS__URL": f"mysql://me@127.0.0.1:{mariadb_server.port}/x",
            "FIELDFARE_TICKETS__PASSWORD": ODD,
        },
        "an option of the url": {
            "FIELDFARE_TICKETS__URL": f"postgresql://{there}?passwort={PASSWORD}"
        },
        "a password for a port": {
            "FIELDFARE_TICKETS__URL": f"postgresql://me@127.0.0.1:{PASSWORD}/x",
            f"{source}URL": f"mysql://me@127.0.0.1:{PASSWORD}/x",
        },
        "Redis' password": {"FIELDFARE_REDIS__PASSWORD": ODD},
        "Redis' url": {"FIELDFARE_REDIS__URL": f"redis://me:{quote(ODD, safe='')}@{redis_there}"},
        "Redis' url, odd": {"FIELDFARE_REDIS__URL": f"redis://me:{ODD}@{redis_there}"},
        "the directory's password": {"FIELDFARE_SOURCES__CUSTOMERUSER1__USER_PW": ODD},
        "the source's password": {
            f"{source}URL": f"postgresql://me@{there}",
            f"{source}PASSWORD": ODD,
        },
        "the source's url": {f"{source}URL": f"mysql://me:{ODD}@127.0.0.1:{mariadb_server.port}/x"},
        "the source's DSN": {
            f"{source}URL": "",
            f"{source}DSN": f"DBI:Pg:dbname=x;host=127.0.0.1;password={PASSWORD}",
        },
    }[wrong]
    # The settings file without a user and a password that would win over a URL's.
    text = installation.config.read_text()
    installation.config.write_text(
        "".join(
            line
            for line in text.splitlines(keepends=True)
            if not line.startswith(("user =", "password ="))
        )
    )
    command = cli(installation.config, **settings)

    said = [command(*arguments, exit_code=None) for arguments in COMMANDS]

    assert [one for one in said if "throw" in one.out + one.err] == []
    assert any(one.err or "error" in one.out for one in said), "somebody complains"


# -- the search itself


@pytest.mark.parametrize(
    ("said", "found"),
    [
        (Printed(("status",), f"user me, password {PASSWORD}", ""), True),
        (Printed(("lookup", "anna"), f"{PASSWORD}-42", ""), True),
        (Printed(("check",), "", f"{PASSWORD} is refused"), True),
        (Printed(("daemon",), "", f'{{"event": "x", "field": "{VALUE}42"}}'), True),
        (Printed(("check",), f"{VALUE}42", ""), True),
        (Printed(("explain", "1"), "", f"{VALUE}42"), True),
        (Printed(("explain", "1"), f"{VALUE}42", ""), False),
        (Printed(("lookup", "anna"), f"UserPhone {VALUE}42", "found"), False),
        (Printed(("daemon",), "", "ticket.enriched"), False),
    ],
)
def test_the_search_finds_what_was_printed(said: Printed, found: bool) -> None:
    assert bool(list(leaks([said]))) is found


@pytest.mark.parametrize(
    ("command", "found"),
    [
        (["SET", "fieldfare:cache:1:a", f"{VALUE}42"], False),
        (["SET", "fieldfare:cache:1:a", PASSWORD], True),
        (["SET", f"fieldfare:cache:{VALUE}", "x"], True),
        (["SET", "fieldfare:worker:x", f"{VALUE}42"], True),
        (["HSET", "fieldfare:sources", "1", f"reason: {VALUE}42"], True),
        (["XADD", "fieldfare:dead", "*", "fieldfare.message", f"{VALUE}42"], True),
        (["RPUSH", "fieldfare:celery:events", f"{VALUE}42"], True),
        (["SADD", "fieldfare:x", PASSWORD], True),
        (["ZADD", "fieldfare:x", "1", PASSWORD], True),
        (["XADD", "fieldfare:events", "*", "ticket_id", "1"], False),
    ],
)
def test_the_search_finds_what_lies_in_redis(
    redis_server: RedisServer, command: list[str], found: bool
) -> None:
    redis_server.flush()
    with redis.Redis.from_url(redis_server.url) as client:
        client.execute_command(*command)

        assert bool(list(leaks_in_redis(client))) is found


def test_what_processes_printed_is_collected(
    installation: Installation, request: pytest.FixtureRequest
) -> None:
    """Both kinds: commands that end, and those that stay."""
    made = Cli(request.getfixturevalue("forks"), installation.folder, installation.config)
    made("lookup", "user3")
    daemon = made.start("worker", "--concurrency", "1", "--no-beat")
    daemon.until("worker.started")
    made.close()

    collected = made.everything()

    arguments = [one.arguments for one in collected]
    assert arguments == [("lookup", "user3"), ("daemon",)]
    assert f"{VALUE}3" in collected[0].out
    assert "worker.started" in collected[1].err
    assert '"settings.password_exposed"' in collected[1].err, "everybody can read the settings"
