"""Each modifier in small vectors: an item, an event's fields, whether it matches. Dn = docs/sigma-decisions.md."""

from __future__ import annotations

from typing import Any

import pytest

from tests.sigma_vectors import event, holds, refusal, rule

# ----------------------------------------------------------------------- text


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


# -------------------------------------------------------- regular expressions


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


# ------------------------------------------------------------------ encodings


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


# ------------------------------------- networks, numbers, times, other fields


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
