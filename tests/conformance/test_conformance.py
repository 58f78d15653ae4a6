"""Every recorded case, played over real servers: one test for each topic and ticket database."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import servers
from tests.conformance import deviations
from tests.conformance.conduct import conduct
from tests.conformance.recordings import load
from tests.conformance.run import MARIADB, POSTGRESQL, TICKET_SIDE
from tests.conformance.world import Servers, World

CASES = Path(__file__).parent / "cases"
RECORDED = load(CASES)
TOPICS = sorted({case.topic for case in RECORDED})

PLAYED = [
    *((POSTGRESQL, topic) for topic in TOPICS),
    *((MARIADB, topic) for topic in sorted(TICKET_SIDE)),
]


@pytest.fixture(scope="module")
def world(
    request: pytest.FixtureRequest,
    postgresql_server: servers.PostgresqlServer,
    slapd_server: servers.SlapdServer,
    redis_server: servers.RedisServer,
) -> Iterator[World]:
    """The world that the cases are played in, with the ticket system's database as asked for."""
    for server in (postgresql_server, slapd_server, redis_server):
        server.start()
    slapd_server.thaw()
    mariadb = request.getfixturevalue("mariadb_server") if request.param == MARIADB else None
    made = World(Servers(postgresql_server, slapd_server, redis_server, mariadb))
    yield made
    made.close()


@pytest.mark.parametrize(("world", "topic"), PLAYED, indirect=["world"])
def test_fieldfare_agrees_with_otobo_or_differs_as_listed(world: World, topic: str) -> None:
    listed = deviations.load(CASES)

    verdicts = [conduct(world, case, listed) for case in RECORDED if case.topic == topic]

    assert {one.case.id: list(one.problems) for one in verdicts if one.problems} == {}


def test_every_listed_deviation_is_of_a_recorded_case() -> None:
    assert deviations.load(CASES).unknown(case.id for case in RECORDED) == []


def test_the_compatibility_page_counts_what_was_compared() -> None:
    page = (Path(__file__).parents[2] / "docs/compatibility.md").read_text()
    told = re.findall(r"^`(\w+)` \| (\d+) \| (\d+) \| (\d+) \| ?(.*)$", page, re.MULTILINE)
    entries = deviations.load(CASES).entries
    counted = []
    for topic in TOPICS:
        ids = {case.id for case in RECORDED if case.topic == topic}
        listed = {entry.case for entry in entries} & ids
        rules = {entry.rule for entry in entries if entry.case in ids}
        numbers = (len(ids), len(ids) - len(listed), len(listed))
        ordered = sorted(rules, key=lambda rule: int(rule[1:]))
        counted.append((topic, *map(str, numbers), ", ".join(ordered)))
    assert told == counted
