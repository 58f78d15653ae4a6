"""Every command and every configuration in the pages works, as it is written there."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import servers
from tests.docs import pages
from tests.docs.reader import FOLLOW, Reader
from tests.docs.world import World, world


@pytest.fixture(scope="session")
def documented(
    tmp_path_factory: pytest.TempPathFactory,
    postgresql_server: servers.PostgresqlServer,
    valkey_server: servers.RedisServer,
) -> Iterator[World]:
    with world(tmp_path_factory.mktemp("pages"), postgresql_server, valkey_server) as made:
        yield made


@pytest.fixture
def reader(request: pytest.FixtureRequest, documented: World, tmp_path: Path) -> Reader:
    documented.redis.start()
    documented.redis.flush()
    return Reader(request.param, documented, tmp_path)


WITH_BLOCKS = [page for page in pages.pages() if pages.fences()[page]]


@pytest.mark.parametrize("reader", WITH_BLOCKS, ids=pages.name, indirect=True)
def test_what_a_page_says_can_be_done(reader: Reader) -> None:
    reader.follow()


@pytest.mark.parametrize("page", pages.pages(), ids=pages.name)
def test_every_block_is_of_a_kind_that_is_followed(page: Path) -> None:
    assert [block.place for block in pages.fences()[page] if block.language not in FOLLOW] == []
    assert pages.indented_blocks(page) == []
