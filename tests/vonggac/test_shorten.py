"""What is too large is cut so that its short values can still be read."""

from typing import Any

import orjson
from hypothesis import given
from hypothesis import strategies as st

from vonggac.shorten import KEPT, shortened

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.text(max_size=3_000),
    lambda inner: st.lists(inner, max_size=20) | st.dictionaries(st.text(max_size=300), inner, max_size=20),
    max_leaves=60,
)


def test_short_values_stay_long_ones_are_cut_deep_ones_go_last() -> None:
    doc = {"winlog": {"data": "x" * 100_000}, "message": "y" * 5_000, "pid": 7}
    assert shortened(doc) == {"message": "y" * 1_024, "pid": 7, "winlog": {"data": "x" * 1_024}}


@given(st.dictionaries(st.text(max_size=300), VALUES, max_size=40))
def test_it_always_fits(doc: dict[str, Any]) -> None:
    assert len(orjson.dumps(shortened(doc))) <= KEPT
