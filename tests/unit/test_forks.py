"""Commands in forks end as commands do, and nothing outlives the tests."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.acceptance.processes import environment
from tests.forks import Forks


@pytest.fixture
def forks(tmp_path: Path) -> Iterator[Forks]:
    made = Forks(tmp_path, environment())
    yield made
    made.close()


def test_a_fork_is_the_command_that_it_stands_for_and_ends_with_the_tests(
    forks: Forks, tmp_path: Path
) -> None:
    code, out, err = forks.run(["--help"], tmp_path, environment())
    assert (code, err) == (0, "")
    assert out.startswith("Usage: fieldfare ")
    code, out, err = forks.run(["config", "show"], tmp_path, environment(FIELDFARE_X="1"))
    assert (code, out) == (2, "")
    assert "FIELDFARE_X names no setting" in err

    with pytest.raises(AssertionError, match="hangs"):
        forks.run(["config", "schema"], tmp_path, environment(), seconds=0)
    assert forks.run(["no-such"], tmp_path, environment()).code == 2, "another server is started"

    server = forks._process
    assert server is not None
    assert server.stdin
    server.stdin.close()  # as the end of the tests does, whatever ended them
    assert server.wait(60) == 0
