"""Does a kind of source keep its contract? Tests that everybody can run over their own.

They need pytest. A test class of yours inherits ``SourceContract``, and ``OutageContract`` as well
if what the source asks can be taken away, and gives them a fixture ``place``:

    class TestJsonSource(SourceContract, OutageContract):
        @pytest.fixture
        def place(self, tmp_path: Path) -> JsonPlace:
            return JsonPlace(tmp_path)
"""

import pytest

pytest.register_assert_rewrite("directory.contract.suite")  # a failure shows the values compared

from directory.contract.place import MortalPlace, Place  # noqa: E402 - see above
from directory.contract.suite import OutageContract, SourceContract  # noqa: E402

__all__ = ["MortalPlace", "OutageContract", "Place", "SourceContract"]
