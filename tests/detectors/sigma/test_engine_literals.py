"""The literals that the fast engine looks for before it tries an expression: without one of them nothing matches."""

from __future__ import annotations

import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from detectors.sigma._needed import needed
from detectors.sigma._texts import compiled
from vonggac.event import fold


@given(st.lists(st.text("abcS.|()?*+{}12[]^$\\ ", max_size=8), max_size=1).map("".join), st.data())
@example("(?i)abc|bcd", None)
@example("a(b|c)d{2}", None)
def test_an_expression_matches_only_where_a_needed_literal_stands(pattern: str, data: st.DataObject | None) -> None:
    try:
        search = compiled(pattern)
        re.compile(pattern)
    except (ValueError, re.error):
        return
    literals = needed(pattern).literals
    tries = ["abcd", "abdd", "bcd"] if data is None else [data.draw(st.from_regex(pattern) | st.text("abcS.12"))]
    for text in tries:
        if search(text):
            assert not literals or any(one in fold(text) for one in literals)


@pytest.mark.parametrize(
    ("pattern", "literals"),
    [
        (r"net\s+user", ("user",)),
        (r"(?i)/LIB/python3\.([5-9]|[0-9]{2})/site-packages/", ("/site-packages/",)),
        (r"\.(zip|asp)x", ("zip", "asp")),
        (r"(abc|d)?x", ("x",)),
        (r"a+bc", ("bc",)),
        (r"[^/]{100,}$", ()),
        (r"\x41bc", ()),
        (r"abc|", ()),
        (r"(?P<name>abc)d", ("abc",)),
        ("🦊x", ("🦊x",)),
        ("(?i)🦊x", ("x",)),
        ("e\u0301abc", ("abc",)),
        (r"ab{1}c", ("abc",)),
        (r"ab{2}c", ("ab",)),
        (r"[[:alpha:]]]bc", ("]bc",)),
        (r"\Qa.b\E", ()),
    ],
)
def test_needed_literals(pattern: str, literals: tuple[str, ...]) -> None:
    assert needed(pattern).literals == literals
