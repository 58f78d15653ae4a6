"""Does a kind of source keep its contract? Tests that everybody can run over their own.

They need pytest. A test class of yours inherits ``SourceContract``, ``SearchContract`` if the
source can search, and ``OutageContract`` if what it asks can be taken away, and gives them a
fixture ``place``:

    class TestJsonSource(SourceContract, SearchContract, OutageContract):
        @pytest.fixture
        def place(self, tmp_path: Path) -> JsonPlace:
            return JsonPlace(tmp_path)
"""

import pytest

pytest.register_assert_rewrite("directory.contract.suite")  # a failure shows the values compared

from directory.contract.place import MortalPlace, Place  # noqa: E402 - see above
from directory.contract.suite import OutageContract, SearchContract, SourceContract  # noqa: E402

__all__ = ["MortalPlace", "OutageContract", "Place", "SearchContract", "SourceContract"]
