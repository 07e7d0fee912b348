"""The condition grammar: trees, and refusals with their column."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from detectors.sigma._condition import ConditionError, Junction, Name, Negation, Tree, parse

NAMES = ("a", "b", "c", "sel_1", "sel_2", "notepad", "order", "_hidden", "x-y")


def either(*parts: Tree) -> Tree:
    return Junction(False, parts)


def both(*parts: Tree) -> Tree:
    return Junction(True, parts)


A, B, C = Name("a"), Name("b"), Name("c")


@pytest.mark.parametrize(
    ("text", "tree"),
    [
        ("a", A),
        ("(a)", A),
        ("a or b and c", either(A, both(B, C))),
        ("a and b or c", either(both(A, B), C)),
        ("not a and b", both(Negation(A), B)),
        ("not (a and b)", Negation(both(A, B))),
        ("not not a", A),
        ("a and not b", both(A, Negation(B))),
        ("a\nor  b", either(A, B)),
        ("notepad", Name("notepad")),
        ("order or a", either(Name("order"), A)),
        ("x-y", Name("x-y")),
        ("_hidden", Name("_hidden")),
        ("1 of sel_*", either(Name("sel_1"), Name("sel_2"))),
        ("any of sel_*", either(Name("sel_1"), Name("sel_2"))),
        ("all of *el_*", both(Name("sel_1"), Name("sel_2"))),
        ("not 1 of sel_*", Negation(either(Name("sel_1"), Name("sel_2")))),
        ("1 of note*", Name("notepad")),
        ("1 of _*", Name("_hidden")),
        ("a and 1 of sel_* or b", either(both(A, either(Name("sel_1"), Name("sel_2"))), B)),
    ],
)
def test_trees(text: str, tree: Tree) -> None:
    assert parse(text, NAMES) == tree


def test_them_leaves_out_what_begins_with_an_underscore() -> None:
    assert parse("1 of them", ("a", "_hidden", "b")) == either(A, B)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "condition ends where a selection should stand"),
        ("a and", "condition ends where a selection should stand"),
        ("a b", "column 3: 'b' where `and`, `or` or the end should stand"),
        ("a AND b", "column 3: 'AND' where `and`, `or` or the end should stand (operators are lower case)"),
        ("NOT a", "column 1: 'NOT' where a selection should stand (operators are lower case)"),
        ("(a", "condition ends where `)` should stand"),
        ("a)", "column 2: ')' where"),
        ("a and nope", "column 7: no selection named 'nope'"),
        ("2 of sel_*", "column 1: '2' of: only"),
        ("1 of nope_*", "column 1: no selection matches 'nope_*'"),
        ("1 of (a)", "column 6: '(' where `them` or a pattern"),
        ("1 of", "condition ends where `them` or a pattern"),
        ("a | count() > 5", "pipe was removed"),
        ("a and &", "column 7: '&' where a selection"),
        ("(" * 60 + "a" + ")" * 60, "nested deeper than 50"),
        ("a or " * 3_000 + "a", "longer than"),
    ],
)
def test_refusals(text: str, said: str) -> None:
    with pytest.raises(ConditionError) as caught:
        parse(text, NAMES)
    assert said in str(caught.value)


@given(
    st.lists(st.sampled_from(["a", "b", "and", "or", "not", "(", ")", "1", "of", "them", "sel_*", "all"]), max_size=40)
)
def test_any_words_give_a_tree_or_a_refusal(words: list[str]) -> None:
    with contextlib.suppress(ConditionError):
        parse(" ".join(words), NAMES)
