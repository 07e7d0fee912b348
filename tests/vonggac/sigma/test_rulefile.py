"""YAML into values and lines, within limits."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from vonggac.sigma.rulefile import RuleFileError, parse, read


def value(text: str) -> Any:
    [document] = parse(text.encode())
    return document.value


def test_plain_scalars_keep_what_their_author_wrote() -> None:
    text = (
        "[1, -1, 0, 010, 0x3e7, 1_000, 12:30, 1.10, 1e5, .inf, 2026-01-01, yes, 'no', true, 'true', null, ~, '', '1']"
    )
    assert value(text) == [
        1, -1, 0, "010", "0x3e7", "1_000", "12:30", Decimal("1.10"), "1e5", ".inf", "2026-01-01", "yes", "no",
        True, "true", None, None, "", "1",
    ]  # fmt: skip
    assert str(value("1.10")) == "1.10"
    assert value("a: |\n  x\n  y\n") == {"a": "x\ny\n"}
    assert value("a: !!str 5") == {"a": "5"}


def test_keys_are_text() -> None:
    assert value("5: x\ntrue: y\n") == {"5": "x", "true": "y"}


def test_lines_by_path() -> None:
    [document] = parse(b"# comment\na:\n  b:\n    - x\n    - c: y\n")
    assert document.line == 2
    lines = {path: document.line_of(path) for path in [("a",), ("a", "b"), ("a", "b", 1), ("a", "b", 1, "c")]}
    assert list(lines.values()) == [2, 3, 5, 5]
    assert document.line_of(("a", "b", 9, "nowhere")) == 3
    assert document.line_of(("z",)) == 2


def test_several_documents_have_their_own_text_and_lines() -> None:
    one, two = parse(b"a: 1\n---\n# second\nb: 2\n")
    assert (one.text, one.line) == ("a: 1\n", 1)
    assert (two.text, two.line) == ("---\n# second\nb: 2\n", 4)


def test_anchors_within_the_limit_are_shared() -> None:
    assert value("a: &x [1]\nb: *x\n") == {"a": [1], "b": [1]}


@pytest.mark.parametrize(
    ("text", "line", "said"),
    [
        ("a: 1\na: 2", 2, "key 'a' stands twice"),
        ("a: *b", 1, "stands for nothing"),
        ("a: &a [*a]", 1, "stands for nothing"),
        ("a: &x {}\n<<: *x", 2, "merge keys"),
        ("[a]: b", 1, "plain text"),
        ("{a: b}: c", 1, "plain text"),
        ("x: &x a\n*x : b", 2, "plain text"),
        ("a: !!binary eA==", 1, "YAML tag"),
        ("[" * 41, 1, "nested deeper than 40"),
        ("a:\n" + "- x\n" * 50_001, 49_999, "values"),
        ("a: \x07", 1, "bad YAML"),
        ("a:\n\t- b", 2, "bad YAML"),
    ],
)
def test_refusals(text: str, line: int, said: str) -> None:
    with pytest.raises(RuleFileError) as caught:
        parse(text.encode())
    assert said in caught.value.reason
    assert caught.value.line == line


def test_a_hundred_thousand_brackets_end_in_a_refusal() -> None:
    with pytest.raises(RuleFileError):
        parse(b"[" * 100_000)
    with pytest.raises(RuleFileError):
        parse(b"- " * 100_000)


def test_a_bom_is_read_over_and_a_file_has_a_limit(tmp_path: Path) -> None:
    (tmp_path / "a.yml").write_bytes(b"\xef\xbb\xbfa: 1\n")
    assert read(tmp_path / "a.yml")[0].value == {"a": 1}
    (tmp_path / "b.yml").write_bytes(b"#" * ((1 << 20) + 1))
    with pytest.raises(RuleFileError, match="above the limit"):
        read(tmp_path / "b.yml")
