"""Every command and every configuration in the pages works, as it is written there."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests import servers
from tests.acceptance.processes import until
from tests.docs import pages
from tests.docs.reader import FOLLOW, Reader
from tests.docs.world import World, world
from tests.otobo import AGENT, WORKER

TUTORIAL = pages.ROOT / "docs/tutorial.md"
WITH_A_PACKAGE = pages.ROOT / "docs/how-to/write-a-source.md"
"""Followed where its package is installed: tests/integration/test_added_source.py."""
WITH_BLOCKS = [
    page
    for page in pages.pages()
    if pages.fences()[page] and page not in {TUTORIAL, WITH_A_PACKAGE}
]


@pytest.fixture(scope="session")
def documented(
    tmp_path_factory: pytest.TempPathFactory,
    postgresql_server: servers.PostgresqlServer,
    valkey_server: servers.RedisServer,
) -> Iterator[World]:
    with world(tmp_path_factory.mktemp("pages"), postgresql_server, valkey_server) as made:
        yield made


@pytest.fixture
def read(documented: World, tmp_path: Path) -> Iterator[Callable[[Path], Reader]]:
    """Makes readers; what a page started and still runs is ended."""
    documented.begin_anew()
    made: list[Reader] = []

    def reader(page: Path) -> Reader:
        made.append(Reader(page, documented, tmp_path))
        return made[-1]

    yield reader
    for one in made:
        one.shell.close()


@pytest.mark.parametrize("page", WITH_BLOCKS, ids=pages.name)
def test_what_a_page_says_can_be_done(read: Callable[[Path], Reader], page: Path) -> None:
    read(page).follow()


def test_the_tutorial_leads_to_the_first_enriched_ticket(
    read: Callable[[Path], Reader], documented: World
) -> None:
    reader = read(TUTORIAL)
    otobo = documented.otobo
    created: list[int] = []

    def create_a_ticket(block: pages.Block) -> None:
        if "$ fieldfare worker" in block.text:
            created.append(otobo.create_ticket("anna", "acme", user_id=AGENT))
            until(lambda: otobo.values(created[0]), "the worker fills the field")

    reader.follow(create_a_ticket)

    assert [otobo.values(ticket) for ticket in created] == [{"CustomerPhone": ["+49 30 1111"]}]
    assert otobo.lines(created[0], WORKER) == [
        "%%FieldName%%CustomerPhone%%Value%%+49 30 1111%%OldValue%%"
    ]


@pytest.mark.parametrize("page", pages.pages(), ids=pages.name)
def test_every_block_is_of_a_kind_that_is_followed(page: Path) -> None:
    assert [block.place for block in pages.fences()[page] if block.language not in FOLLOW] == []
    assert pages.indented_blocks(page) == []
