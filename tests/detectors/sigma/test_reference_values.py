"""Plain values in small vectors: text with wildcards, numbers, lists, null, absence. Dn = docs/sigma-decisions.md."""

from __future__ import annotations

from typing import Any

import pytest

from tests.sigma_vectors import event, holds, rule, windows


@pytest.mark.parametrize(
    ("written", "value", "expected"),
    [
        ("abc", "ABC", True),
        ("abc", "abcd", False),
        ("a*c", "abbbc", True),
        ("a*c", "ac", True),
        ("a?c", "abc", True),
        ("a?c", "ac", False),
        ("a?c", "abbc", False),
        ("*abc", "xxABC", True),
        ("abc*", "abcxx", True),
        ("*abc*", "xabcx", True),
        ("*", "", True),
        ("*", "anything", True),
        ("?", "", False),
        ("a*b*c", "a-b-c", True),
        ("a*b*c", "a-c-b", False),
        ("a**c", "abc", True),
        ("a*c", "a\nb\nc", True),  # D7
        ("a?c", "a\nc", True),  # D7
        (r"C:\Windows\*", r"C:\Windows*", True),
        (r"C:\Windows\*", r"C:\Windows\cmd.exe", False),
        (r"C:\Windows\\*", r"C:\Windows\cmd.exe", True),
        (r"C:\Windows\\\*", r"C:\Windows\*", True),
        (r"C:\Windows\\\*", r"C:\Windows\x", False),
        (r"a\?", "a?", True),
        (r"a\?", "ab", False),
        (r"\W", r"\w", True),
        (r"\\srv", r"\srv", True),
        (r"\\srv", r"\\srv", False),
        (r"\\\srv", r"\\srv", True),
        (r"\\\\srv", r"\\srv", True),
        ("a.c", "abc", False),
        ("(x", "(X", True),
        ("ends\\", "ends\\", True),
        ("Đường", "đƯỜNG", True),  # D13
        ("Đường", "Đu\u031bo\u031b\u0300ng", True),  # D13: the same in NFD
        ("ß", "SS", False),
        ("ſ", "S", True),
        ("K", "\u212a", True),  # the Kelvin sign
        ("İ", "i", False),
    ],
)
def test_text(written: str, value: str, expected: bool) -> None:
    assert holds(f"F: '{written}'", value) is expected


@pytest.mark.parametrize(
    ("item", "value", "expected"),
    [
        ("F: 1", 1, True),
        ("F: 1", "1", True),
        ("F: '1'", 1, True),
        ("F: 1", "01", False),
        ("F: 1", "1.0", False),
        ("F: 1", 1.0, True),
        ("F: 1", True, False),
        ("F: 1", "0x1", False),
        ("F: 999", "0x3e7", False),
        ("F: 0x3e7", "0x3E7", True),  # D18
        ("F: 1.10", "1.10", True),
        ("F: 1.10", "1.1", False),
        ("F: 1.5", 1.5, True),
        ("F: 9007199254740993", 9007199254740993, True),
        ("F: 9007199254740993", 9007199254740992, False),
        ("F: true", True, True),
        ("F: true", "True", True),
        ("F: true", 1, False),
        ("F: 'true'", True, True),
        ("F: false", True, False),
        ("F: yes", "yes", True),
        ("F: yes", True, False),
        ("F: [1, 2]", 2, True),
        ("F: [1, x]", "X", True),
        ("F: '{\"a\":*'", {"a": 1}, True),  # an object is its JSON
    ],
)
def test_numbers_booleans_objects(item: str, value: Any, expected: bool) -> None:
    assert holds(item, value) is expected


def test_a_list_of_values_is_or_a_map_is_and_a_list_of_maps_is_or() -> None:
    either = rule("A: [x, y]\nB: z")
    assert either.holds(event({"A": "y", "B": "z"}))
    assert not either.holds(event({"A": "y"}))
    maps = rule("- A: x\n- B: z")
    assert maps.holds(event({"B": "z"}))
    assert not maps.holds(event({"A": "z"}))


def test_a_field_with_several_values_matches_by_any_member() -> None:
    assert holds("F: b", ["a", "b"])
    assert holds("F|contains|all: [a, b]", ["xa", "xb"])
    assert not holds("F|contains|all: [a, c]", ["xa", "xb"])
    assert holds("F: b", [["a"], ["b"]])


@pytest.mark.parametrize(
    ("item", "value", "expected"),
    [
        ("F: null", None, True),
        ("F:", None, True),
        ("F: null", "", False),
        ("F: null", "x", False),
        ("F: null", [], True),
        ("F: ''", "", True),
        ("F: ''", None, False),
        ("F: ''", "x", False),
        ("F: [null, x]", None, True),
        ("F: [null, x]", "x", True),
        ("F|exists: true", None, True),
        ("F|exists: true", "", True),
        ("F|exists: false", None, False),
    ],
)
def test_null_empty_and_presence(item: str, value: Any, expected: bool) -> None:
    assert holds(item, value) is expected


def test_absent_fields() -> None:
    nothing = event({})
    assert rule("F: null").holds(nothing)
    assert rule("F|exists: false").holds(nothing)
    assert not rule("F|exists: true").holds(nothing)
    assert not rule("F: ''").holds(nothing)
    assert not rule("F: '*'").holds(nothing)
    assert not rule("F|contains: ''").holds(nothing)
    assert rule("F|neq: x").holds(nothing)  # D1


def test_an_empty_windows_element_is_null_and_empty_text() -> None:
    for value in ("", None):  # D4
        assert rule("StartModule: null").holds(windows(StartModule=value))
        assert rule("StartModule: ''").holds(windows(StartModule=value))
        assert rule("StartModule|exists: true").holds(windows(StartModule=value))
