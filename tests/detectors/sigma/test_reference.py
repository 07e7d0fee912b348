"""Sigma 2.1 in small vectors: an item, an event's fields, whether it matches. Dn = docs/sigma-decisions.md."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from detectors.sigma.reference import Node, compile_rule
from vonggac.sigma.rulefile import RuleError, parse
from vonggac.sigma.view import View
from vonggac.testing import make_event


def rule(text: str, **expand: list[str]) -> Node:
    """Compile what stands below `detection:`; a lone item is wrapped into a selection."""
    if "condition:" not in text:
        lines = "".join(f"    {line}\n" for line in text.splitlines())
        text = f"  s:\n{lines}  condition: s\n"
    [document] = parse(f"detection:\n{text}".encode())
    return compile_rule(document.value["detection"], expand)


def event(fields: dict[str, Any]) -> View:
    return View(make_event({"json": fields}))


def windows(**data: Any) -> View:
    return View(make_event({"winlog": {"Event": {"System": {"Channel": "System"}, "EventData": data}}}))


def holds(text: str, value: Any, **expand: list[str]) -> bool:
    """Try an item on field F against one value of F."""
    return rule(text, **expand).holds(event({"F": value}))


def refusal(text: str, **expand: list[str]) -> str:
    with pytest.raises(RuleError) as caught:
        rule(text, **expand)
    return caught.value.reason


# ------------------------------------------------------------ plain values


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


# -------------------------------------------------------------- modifiers


@pytest.mark.parametrize(
    ("item", "value", "expected"),
    [
        ("F|contains: b", "aBc", True),
        ("F|contains: ''", "", True),  # D15
        ("F|contains: 'b*d'", "abccde", True),  # its own wildcards stay live
        ("F|startswith: a", "Abc", True),
        ("F|startswith: b", "abc", False),
        ("F|endswith: '\\cmd.exe'", "C:\\x\\CMD.exe", True),
        ("F|endswith: a", "abc", False),
        ("F|startswith|endswith: b", "abc", True),
        ("F|contains|all: [a, c]", "abc", True),
        ("F|contains|all: [a, d]", "abc", False),
        ("F|all|contains: [a, c]", "abc", True),
        ("F|contains|all: a", "abc", True),  # D11
        ("F|cased: abc", "abc", True),
        ("F|cased: abc", "Abc", False),
        ("F|contains|cased: B", "aBc", True),
        ("F|contains|cased: b", "aBc", False),
        ("F|cased: 'a*'", "Ab", False),
        ("F|neq: a", "b", True),
        ("F|neq: a", "A", False),
        ("F|neq: [a, b]", "b", False),
        ("F|neq: [a, b]", "c", True),
        ("F|contains|neq: a", "xax", False),
        ("F|neq: 5", 5, False),
        ("F|neq: 5", 6, True),
    ],
)
def test_generic_modifiers(item: str, value: Any, expected: bool) -> None:
    assert holds(item, value) is expected


@pytest.mark.parametrize("dash", ["-", "/", "–", "—", "―"])
def test_windash_takes_every_dash_for_every_other(dash: str) -> None:
    assert holds("F|windash: 'a -b'", f"A {dash}B")
    assert holds("F|contains|windash: ' /b '", f"a {dash}b c")
    assert holds("F|windash|contains: '-a-b'", f"x{dash}A/B")
    assert not holds("F|windash: 'a -b'", "a _b")
    assert not holds("F|windash|cased: 'a -b'", f"a {dash}B")


@pytest.mark.parametrize(
    ("item", "value", "expected"),
    [
        ("F|re: 'a.c'", "xabcx", True),  # searched, not matched whole
        ("F|re: '^abc$'", "abc", True),
        ("F|re: '^abc$'", "xabc", False),
        ("F|re: 'ABC'", "abc", False),
        ("F|re|i: 'ABC'", "abc", True),
        ("F|re: 'a.c'", "a\nc", False),
        ("F|re|s: 'a.c'", "a\nc", True),
        ("F|re: '^b'", "a\nb", False),
        ("F|re|m: '^b'", "a\nb", True),
        ("F|re|i|m|s: '^B.C$'", "a\nb\nc\nd", True),
        ("F|re: '(?i)abc'", "ABC", True),
        ("F|re: '[0-9]{3,5}'", "a1234", True),
        ("F|re: 'a|b'", "b", True),
        ("F|re: '\\d\\s'", "1 ", True),
        ("F|re: '*'", "", None),
        ("F|re: ['a', '^b']", "b", True),
        ("F|re|all: ['a', 'b']", "ab", True),
        ("F|re|neq: 'a'", "b", True),
        ("F|re: '^12$'", 12, True),
        ("F|re: '^.$'", "ệ", True),
        ("F|re: '^.$'", "e\u0323\u0302", True),  # NFC
        ("F|re: '^(a+)+$'", "a" * 50_000 + "b", False),  # linear, where backtracking never ends
    ],
)
def test_regular_expressions(item: str, value: Any, expected: bool | None) -> None:
    if expected is None:
        assert "RE2 refuses" in refusal(item)
    else:
        assert holds(item, value) is expected


@pytest.mark.parametrize(
    ("pattern", "said"),
    [("(?=a)b", "RE2 refuses"), (r"(a)\1", "RE2 refuses"), ("[a", "RE2 refuses"), ("a{1000000}", "RE2 refuses")],
)
def test_what_re2_cannot_compile_is_refused(pattern: str, said: str) -> None:
    assert said in refusal(f"F|re: '{pattern}'")


@pytest.mark.parametrize("text", ["Test", "VGVzd", "xx"])
def test_base64_is_the_whole_value_encoded(text: str) -> None:
    assert holds("F|base64|contains: Test", f"..VGVzdA==.. {text}")
    assert holds("F|base64: foobar", "Zm9vYmFy")
    assert not holds("F|base64: foobar", "Zm9vYmFyIA==")


@pytest.mark.parametrize("before", ["", "a", "ab", "abc", "abcd"])
@pytest.mark.parametrize("after", ["", "y", "yz", "xyz"])
def test_base64offset_finds_the_value_wherever_it_stands(before: str, after: str) -> None:
    import base64

    encoded = base64.b64encode(f"{before}http://{after}".encode()).decode()
    assert holds("F|base64offset|contains: 'http://'", f"powershell -e {encoded}")


def test_base64offset_cuts_what_depends_on_the_neighbours() -> None:  # D3
    for form in ("VGVzd", "Rlc3", "UZXN0"):
        assert holds("F|base64offset: Test", form)
        assert not holds("F|base64offset: Test", form + "x")


@pytest.mark.parametrize(
    ("modifier", "encoded"),
    [
        ("wide", "YwBtAGQA"),
        ("utf16le", "YwBtAGQA"),
        ("utf16be", "AGMAbQBk"),
        ("utf16", "//5jAG0AZAA="),
    ],
)
def test_utf16_before_base64(modifier: str, encoded: str) -> None:
    assert holds(f"F|{modifier}|base64: cmd", encoded)
    assert "needs base64" in refusal(f"F|{modifier}: cmd")


def test_utf16_of_vietnamese_and_windash_before_base64() -> None:
    import base64

    assert holds("F|utf16le|base64: 'Đạt'", base64.b64encode("Đạt".encode("utf-16-le")).decode())
    assert holds(
        "F|windash|wide|base64offset|contains: ' -enc'", base64.b64encode("x /enc".encode("utf-16-le")).decode()
    )
    assert "wildcards" in refusal("F|base64: 'a*'")
    assert "wildcards" in refusal("F|contains|base64: a")
    assert "more than" in refusal(f"F|windash|base64: '{'-' * 20}'")


@pytest.mark.parametrize(
    ("network", "value", "expected"),
    [
        ("10.0.0.0/8", "10.255.0.1", True),
        ("10.0.0.0/8", "11.0.0.1", False),
        ("10.0.0.0/8", "10.0.0.1.evil.example", False),
        ("10.0.0.0/8", "host", False),
        ("10.0.0.0/8", "", False),
        ("10.0.0.0/8", 167772161, False),
        ("10.0.0.0/8", "::ffff:10.0.0.1", True),  # D9
        ("10.0.0.0/8", "10.0.0.1:80", False),
        ("192.0.2.7/32", "192.0.2.7", True),
        ("fe80::/10", "fe80::1%eth0", True),
        ("2001:db8::/32", "2001:DB8:0::1", True),
        ("2001:db8::/32", "2001:db9::1", False),
        ("::1/128", "0:0:0:0:0:0:0:1", True),
        ("10.0.0.0/8", ["x", "10.1.1.1"], True),
    ],
)
def test_cidr(network: str, value: Any, expected: bool) -> None:
    assert holds(f"F|cidr: '{network}'", value) is expected


def test_a_network_that_is_none_is_refused() -> None:
    assert "host bits" in refusal("F|cidr: 10.0.0.1/8")
    assert "IPv4 or IPv6" in refusal("F|cidr: 10.0.0.0/33")
    assert "no further" in refusal("F|cidr|contains: 10.0.0.0/8")


@pytest.mark.parametrize(
    ("item", "value", "expected"),
    [
        ("F|lt: 5", 4, True),
        ("F|lt: 5", 5, False),
        ("F|lte: 5", "5", True),
        ("F|gt: 5", "6", True),
        ("F|gt: 5", "5.1", True),
        ("F|gte: 5", 4.9, False),
        ("F|gt: 5", "six", False),
        ("F|gt: 5", "", False),
        ("F|gt: 5", None, False),
        ("F|gt: 0", True, False),
        ("F|gt: 9007199254740992", "9007199254740993", True),
        ("F|gt: 9007199254740992", 9007199254740993, True),
        ("F|lt: 1.5", "1.25", True),
        ("F|gt: -3", "-2", True),
        ("F|gt: 5", "0x10", False),
        ("F|gt: 5", float("nan"), False),
        ("F|gt: 5", float("inf"), False),
        ("F|gt: 5", [1, 9], True),
        ("F|gte|neq: 5", 4, True),
    ],
)
def test_comparisons_without_floats(item: str, value: Any, expected: bool) -> None:
    assert holds(item, value) is expected


@pytest.mark.parametrize(
    ("item", "value", "expected"),
    [
        ("F|minute: 30", "2026-03-01T08:30:00Z", True),
        ("F|hour: 8", "2026-03-01T08:30:00+07:00", True),  # D8: as written
        ("F|hour: 8", "2026-03-01 08:30:00.123", True),
        ("F|day: 1", "2026-03-01", True),
        ("F|hour: 0", "2026-03-01", False),
        ("F|week: 9", "2026-03-01T00:00:00Z", True),
        ("F|week: 53", "2026-12-31T00:00:00Z", True),
        ("F|month: 3", "2026-03-01T00:00:00Z", True),
        ("F|year: 2026", "2026-03-01T00:00:00Z", True),
        ("F|hour|gte: 22", "2026-03-01T23:00:00Z", True),
        ("F|hour|lt: 6", "2026-03-01T23:00:00Z", False),
        ("F|hour: 8", "today", False),
        ("F|week: 9", "2026-02-30T00:00:00Z", False),
        ("F|hour: 8", 8, False),
        ("F|day: [1, 2]", "2026-03-02T00:00:00Z", True),
    ],
)
def test_parts_of_a_time(item: str, value: Any, expected: bool) -> None:
    assert holds(item, value) is expected


@pytest.mark.parametrize(
    ("item", "fields", "expected"),
    [
        ("A|fieldref: B", {"A": "x", "B": "X"}, True),
        ("A|fieldref: B", {"A": "x", "B": "y"}, False),
        ("A|fieldref: B", {"A": 1, "B": "1"}, True),
        ("A|fieldref: B", {"A": "x"}, False),
        ("A|fieldref: B", {"B": "x"}, False),
        ("A|fieldref: B", {}, False),
        ("A|fieldref: B", {"A": None, "B": None}, False),
        ("A|fieldref|cased: B", {"A": "x", "B": "X"}, False),
        ("A|fieldref|neq: B", {"A": "x", "B": "y"}, True),
        ("A|fieldref|neq: B", {"A": "x", "B": "x"}, False),
        ("A|fieldref|startswith: B", {"A": "xyz", "B": "x"}, True),
        ("A|fieldref|endswith: B", {"A": "xyz", "B": "z"}, True),
        ("A|fieldref|contains: B", {"A": "xyz", "B": "Y"}, True),
        ("A|fieldref: B.C", {"A": "x", "B": {"C": "x"}}, True),
    ],
)
def test_fieldref(item: str, fields: dict[str, Any], expected: bool) -> None:  # D6
    assert rule(item).holds(event(fields)) is expected


def test_expand() -> None:  # D20
    assert holds("F|expand: '%admins%'", "BOB", admins=["ann", "bob"])
    assert holds("F|expand: '%s%'", "srv12", s=["srv*"])
    assert holds("F|contains|expand: 'x%s%y'", "..xAy..", s=["a"])
    assert holds("F|expand: '%a%-%b%'", "1-4", a=["1", "2"], b=["3", "4"])
    assert holds(r"F|expand: '\%plain%name%'", "%plainX", name=["x"])
    assert holds("F: '%name%'", "%name%"), "a literal without the modifier"
    assert holds("F|re|expand: '^%s%$'", "a.b", s=["a.b"])
    assert not holds("F|re|expand: '^%s%$'", "axb", s=["a.b"])
    assert not holds("F|expand: '%none%'", "", none=[])
    assert "placeholder %admins% has no list" in refusal("F|expand: '%admins%'")
    assert "more than" in refusal("F|expand: '%a%%a%%a%'", a=[str(n) for n in range(100)])


# ---------------------------------------------------------------- keywords


def line(text: str) -> View:
    return View(make_event(event__original=text, event__module="linux"))


@pytest.mark.parametrize(
    ("selection", "text", "expected"),
    [
        ("[evil, worse]", "something EVIL here", True),
        ("[evil, worse]", "good", False),
        ("evil", "evil", True),
        ("[1102]", "event 1102", True),
        ("['a*c']", "xx abbc xx", True),
        ("['a c']", "a  c", False),
        ("{'|all': [a, b]}", "b then a", True),
        ("{'|all': [a, b]}", "a", False),
        ("{'|re': '^x.*y$'}", "x and y", True),
        ("{'|re': '^x.*y$'}", "x and", False),
        ("{'|contains|cased': EVIL}", "evil", False),
        ("[{'|all': [a, b]}, c]", "c", True),
        ("[[a, b], {'|re': 'q+'}]", "qq", True),
    ],
)
def test_keywords(selection: str, text: str, expected: bool) -> None:
    assert rule(f"  s: {selection}\n  condition: s\n").holds(line(text)) is expected


def test_keywords_look_at_every_text_of_a_record_without_a_line() -> None:
    view = event({"a": {"b": ["x", "the EVIL one"]}, "n": 4711})
    assert rule("  k: [evil]\n  condition: k\n").holds(view)
    assert rule("  k: [4711]\n  condition: k\n").holds(view)
    assert not rule("  k: [b]\n  condition: k\n").holds(view), "keys are not searched"


# ------------------------------------------------------------- conditions


@pytest.mark.parametrize(
    ("condition", "fields", "expected"),
    [
        ("a or b and not c", "a", True),
        ("a or b and not c", "bc", False),
        ("(a or b) and not c", "ac", False),
        ("not a", "b", True),
        ("not not a", "a", True),
        ("1 of a*", "a", True),
        ("all of them", "abc", True),
        ("all of them", "ab", False),
        ("not 1 of them", "", True),
        ("[a, b]", "b", True),
        ("[a, b]", "c", False),
    ],
)
def test_conditions(condition: str, fields: str, expected: bool) -> None:
    text = f"  a: {{F: '*a*'}}\n  b: {{F: '*b*'}}\n  c: {{F: '*c*'}}\n  _d: {{F: '*d*'}}\n  condition: {condition}\n"
    assert rule(text).holds(event({"F": fields})) is expected


# ---------------------------------------------------------------- refusals


@pytest.mark.parametrize(
    ("item", "said"),
    [
        ("F|nonsense: x", "unknown modifier 'nonsense'"),
        ("F: []", "an empty list of values"),
        ("F: {a: b}", "a value is text"),
        ("F|contains: 5", "'contains' takes text"),
        ("F|re: 5", "'re' takes text"),
        ("F|contains: null", "'contains' takes text"),
        ("F|gt: x", "takes a number"),
        ("F|gt: '5'", "takes a number"),
        ("F|hour: x", "takes a number"),
        ("F|gt|lt: 5", "no combination"),
        ("F|gt|hour: 5", "no combination"),
        ("F|exists: x", "true or false"),
        ("F|exists|contains: true", "true or false"),
        ("F|contains|cidr: x", "'cidr' may not stand here"),
        ("F|contains|re: x", "'re' may not stand here"),
        ("F|re|contains: x", "'re' goes with"),
        ("F|i: x", "'i' may not stand here"),
        ("F|fieldref|re: x", "'fieldref' does not go with"),
        ("'|exists': true", "needs a field"),
        ("'': null", "needs a field"),
        ("F:\n  - x\n  - {a: b}", "a value is text"),
    ],
)
def test_refused_items(item: str, said: str) -> None:
    assert said in refusal(item)


@pytest.mark.parametrize(
    ("detection", "said"),
    [
        ("  s: {F: x}\n  x: {'condition:': y}\n", "no condition"),
        ("  s: {F: x}\n  condition: t\n", "no selection named 't'"),
        ("  s: {F: x}\n  condition: 5\n", "a condition is text"),
        ("  s: {F: x}\n  condition: []\n", "a condition is text"),
        ("  s: {}\n  condition: s\n", "a selection without items"),
        ("  s: []\n  condition: s\n", "an empty list"),
        ("  s: {F: x}\n  timeframe: 5m\n  condition: s\n", "timeframe was removed"),
        ("  s: {F: x}\n  condition: s | count() > 5\n", "pipe"),
    ],
)
def test_refused_detections(detection: str, said: str) -> None:
    with pytest.raises(RuleError, match=said.replace("(", r"\(")):
        rule(detection)


# ----------------------------------------------------------- what matched


def noted(text: str, view: View) -> dict[str, Any]:
    node = rule(text)
    assert node.holds(view)
    into: dict[str, Any] = {}
    node.note(view, into)
    return into


def test_the_values_that_matched_are_noted_by_the_rules_names() -> None:
    text = "  s: {A: x, B|contains: y}\n  t: {C: z}\n  f: {D: q}\n  condition: s and (t or f) and not f\n"
    assert noted(text, event({"A": "X", "B": "xyz", "C": "z", "D": "no"})) == {"A": "X", "B": "xyz", "C": "z"}
    assert noted("A: null", event({})) == {"A": None}
    assert noted("A: b", event({"A": ["a", "b"]})) == {"A": ["a", "b"]}
    assert noted("A|neq: b", event({"A": "a"})) == {"A": "a"}
    assert noted("  words: [evil]\n  condition: words\n", event({"a": "good", "b": "evil"})) == {"words": "evil"}
    assert len(noted("A: '*'", event({"A": "x" * 9000}))["A"]) == 4096


# --------------------------------------------------------------- properties


@given(st.text(), st.text(max_size=8))
def test_every_value_contains_its_own_parts(text: str, part: str) -> None:
    escaped = part.replace("\\", "\\\\").replace("*", "\\*").replace("?", "\\?")
    view = event({"F": text + part + text})
    detection = {"s": {"F|contains": escaped}, "condition": "s"}
    assert compile_rule(detection, {}).holds(view)
    assert not compile_rule({**detection, "condition": "not s"}, {}).holds(view)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=10,
)
ITEMS = [
    "F: x", "F: 1", "F: null", "F: true", "F|re: 'a.c'", "F|cidr: 10.0.0.0/8", "F|gt: 3", "F|hour: 8",
    "F|exists: true", "F|fieldref: G", "F|windash|contains: '-a'", "F: 'a*b?c'",
]  # fmt: skip


@given(JSON, st.sampled_from(ITEMS))
def test_no_value_of_an_event_is_too_strange(value: Any, item: str) -> None:
    node = rule(item)
    for view in (event({"F": value, "G": value}), windows(F=value, G=value)):
        if node.holds(view):
            node.note(view, {})
