"""The quick reader reads what rulefile.parse reads, and refuses what it refuses with the same line and reason."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vonggac.sigma import quick
from vonggac.sigma.rulefile import RuleFileError, parse


def outcome(read: Any, data: bytes) -> Any:
    try:
        return [(one.value, repr(one.value), one.text, one.line) for one in read(data)]
    except RuleFileError as error:
        return error.line, error.reason


@pytest.mark.parametrize(
    "text",
    [
        "",
        "---\n",
        "a: 1\n---\n# second\nb: 2\n...\n---\n- c\n",
        "\ufeffa: 1\n",
        "[1, -1, 010, 1.10, '1', yes, null, ~, true, 0x3e7, {}, [], {a: [b, {c: d}]}]",
        "a: |\n  x\n  y\nb: >\n  x\n  y\nc: ''\nd:\ne: \"\\u0110\"\n",
        "5: x\ntrue: y\nnull: z\n'': w\n",
        "a: &x [1]\nb: *x\n",
        "a: !!str 5\n",
        "a: ! 5\n",
        "a: 1\na: 2",
        "<<: {a: 1}",
        "[a]: b",
        "? {a: b}\n: c",
        "a: !!binary eA==",
        "a: *b",
        "[" * 40 + "]" * 40,
        "[" * 41 + "]" * 41,
        "[" * 100_000,
        "a:\n" + "- x\n" * 50_001,
        "a:\n\t- b",
        "plain\n",
        "a: 1\r\nb: 2\r\n---\r\nc: 3\r\n",
    ],
)
def test_as_the_other_reader(text: str) -> None:
    data = text.encode()
    assert outcome(quick.documents, data) == outcome(parse, data)


def test_not_utf8_is_refused_by_its_line() -> None:
    with pytest.raises(RuleFileError) as caught:
        quick.documents(b"a: 1\nb: \xff\n")
    assert (caught.value.line, caught.value.reason) == (2, "not UTF-8 at byte 8")


def test_lines_are_found_when_they_are_asked_for() -> None:
    first, second = quick.documents(b"a: 1\n---\n\nb:\n  - x\n  - c: y\n")
    assert (first.line_of(("a",)), second.line) == (1, 4)
    assert second.line_of(("b", 1, "c")) == 6
    assert second.line_of(("b", 1, "nowhere")) == 6


@given(st.text(alphabet="ab:-?&*!|>'\"[]{},#%~ \n\t0.1<", max_size=60))
def test_any_text_of_yaml_signs_is_read_alike(text: str) -> None:
    data = text.encode()
    assert outcome(quick.documents, data) == outcome(parse, data)
