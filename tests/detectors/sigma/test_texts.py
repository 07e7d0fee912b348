"""Wildcards and escapes of Sigma texts."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from detectors.sigma._texts import Draft, Tokens, Wild, compiled, pattern_of, tokens_of

RUN, ONE = Wild.RUN, Wild.ONE


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        ("", ()),
        ("abc", ("abc",)),
        ("a*", ("a", RUN)),
        ("?b", (ONE, "b")),
        (r"\*", ("*",)),
        (r"\\*", ("\\", RUN)),
        (r"\\\*", (r"\*",)),
        (r"C:\W", (r"C:\W",)),
        (r"a\\b", (r"a\b",)),
        (r"a\\\b", (r"a\\b",)),
        (r"a\\\\b", (r"a\\b",)),
        ("a\\", ("a\\",)),
        (r"ab\?c", ("ab?c",)),
    ],
)
def test_escapes(text: str, tokens: Tokens) -> None:
    assert tokens_of(text) == tokens


@given(st.text(alphabet="ab*?\n.(", max_size=8), st.text(alphabet="abAB\n.(", max_size=8))
def test_patterns_mean_what_a_slow_matcher_says(pattern: str, text: str) -> None:
    def slow(rest: Tokens, left: str) -> bool:
        if not rest:
            return not left
        first, *others = rest
        if first is RUN:
            return any(slow(tuple(others), left[at:]) for at in range(len(left) + 1))
        if first is ONE:
            return bool(left) and slow(tuple(others), left[1:])
        return isinstance(first, str) and left.startswith(first) and slow(tuple(others), left[len(first) :])

    match = pattern_of(Draft(tokens_of(pattern)), "fold").holds
    assert match(text.lower()) == slow(tokens_of(pattern), text.lower())


def test_a_lone_surrogate_is_searched_and_does_not_raise() -> None:
    assert compiled("b")("\ud800b")
    assert not compiled("^b")("\ud800b")
