"""What is written as TOML is read back the same."""

import tomllib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.toml import dumps

TEXTS = st.text(st.characters(exclude_categories=["Cs"]))
SCALARS = TEXTS | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats(-1e9, 1e9)
VALUES: st.SearchStrategy[Any] = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4),
    max_leaves=12,
)


@given(st.dictionaries(TEXTS, VALUES, max_size=5))
def test_every_tree_is_read_back_as_it_was(tree: dict[str, Any]) -> None:
    assert tomllib.loads(dumps(tree)) == tree


def test_tables_become_sections_and_long_arrays_have_a_line_for_each_item() -> None:
    tree = {
        "redis": {"url": "redis://r"},
        "sources": {"CustomerUser1": {"host": ["a", "b"], "map": [["x" * 60], ["y" * 60]]}},
        "mapping": {"variables": {"A B": 'say "hi"', "none": None}},
    }

    assert dumps(tree) == (
        '[redis]\nurl = "redis://r"\n\n'
        "[sources.CustomerUser1]\n"
        'host = ["a", "b"]\n'
        f'map = [\n    ["{"x" * 60}"],\n    ["{"y" * 60}"],\n]\n\n'
        '[mapping.variables]\n"A B" = "say \\"hi\\""\n'
    )


def test_what_toml_cannot_hold_is_refused() -> None:
    with pytest.raises(TypeError, match="bytes"):
        dumps({"key": b"x"})
