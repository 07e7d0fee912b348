"""Zeek's text form: separators, types, escapes, damage."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vonggac.reading.zeektsv import Tsv

HEAD = ("#separator \\x09", "#set_separator\t,", "#empty_field\t(empty)", "#unset_field\t-", "#path\tx")


def parsed(*lines: str) -> tuple[dict[str, Any], list[str]]:
    """Give the last line's record and what was odd about it."""
    parser = Tsv("unknown")
    doc = None
    for offset, line in enumerate(lines):
        doc = parser.parse(line, offset)
    return (doc or {}).get("zeek", {}), parser.notes


def column(kind: str, cell: str) -> tuple[Any, list[str]]:
    record, notes = parsed(*HEAD, "#fields\tv\tw", f"#types\t{kind}\tstring", f"{cell}\tend")
    assert record.pop("w") == "end"
    return record.get("v"), notes


@pytest.mark.parametrize(
    ("kind", "cell", "value"),
    [
        ("count", "18446744073709551615", 18446744073709551615),
        ("int", "-5", -5),
        ("port", "53", 53),
        ("double", "1e3", 1000.0),
        ("interval", "0.000870", 0.00087),
        ("time", "1772330584.5", 1772330584.5),
        ("bool", "F", False),
        ("bool", "T", True),
        ("addr", "2001:db8::1", "2001:db8::1"),
        ("string", "-", None),
        ("string", "(empty)", ""),
        ("string", r"\x2d", "-"),
        ("string", r"a\x09b\\x41\x5cn", "a\tb\\x41\\n"),
        ("string", r"caf\xc3\xa9", "café"),
        ("string", r"\xff\xfe", r"\xff\xfe"),
        ("set[string]", "(empty)", []),
        ("set[string]", r"a\x2cb,c", ["a,b", "c"]),
        ("set[addr]", "192.0.2.1,2001:db8::1", ["192.0.2.1", "2001:db8::1"]),
        ("vector[interval]", "1.5,-,2", [1.5, None, 2.0]),
        ("vector[count]", "-", None),
        ("table[string]", "x", "x"),
    ],
)
def test_types_of_columns(kind: str, cell: str, value: Any) -> None:
    assert column(kind, cell) == (value, [])


@pytest.mark.parametrize(
    ("kind", "cell"),
    [
        ("count", "18446744073709551616"),
        ("count", "9" * 5000),
        ("count", "many"),
        ("double", "nan"),
        ("interval", "inf"),
        ("bool", "yes"),
        ("port", r"5\x33"),
    ],
)
def test_a_cell_that_its_type_does_not_fit_stays_text_and_is_named(kind: str, cell: str) -> None:
    assert column(kind, cell) == (cell, [f"{cell[:40]!r} is no {kind}"])


def test_another_separator_and_other_signs() -> None:
    head = (r"#separator \x7c", "#set_separator|;", "#empty_field|EMPTY", "#unset_field|NONE", "#fields|ts|a|b|c")
    record, _ = parsed(*head, "#types|time|set[count]|set[string]|string", "1772330584|1;2|EMPTY|NONE")
    assert record == {"ts": 1772330584.0, "a": [1, 2], "b": []}


def test_a_header_without_types_gives_text() -> None:
    assert parsed(*HEAD, "#fields\ta\tb", "1\t-")[0] == {"a": "1"}


def test_each_header_stands_for_itself() -> None:
    parser = Tsv("name")
    first = ("#separator \\x7c", "#path|first", "#fields|a", "#types|count", "5")
    docs = [parser.parse(line, offset) for offset, line in enumerate((*first, "#close|2026", "6", "#fields\ta", "7"))]
    found = [(doc["event"]["dataset"], doc["zeek"]) for doc in docs if doc]
    assert found == [("zeek.first", {"a": 5}), ("zeek.first", {"a": 6}), ("zeek.name", {"a": "7"})]
    assert parser.anchor == 7


def test_a_record_above_any_header_is_named_and_none() -> None:
    parser = Tsv("x")
    assert parser.parse("1\t2", 0) is None
    assert parser.notes == ["no #fields stands above it"]


def test_too_few_and_too_many_columns() -> None:
    head = (*HEAD, "#fields\ta\tb", "#types\tcount\tcount")
    assert parsed(*head, "1") == ({"a": 1}, ["1 columns, the header has 2"])
    assert parsed(*head, "1\t2\t3") == ({"a": 1, "b": 2}, ["3 columns, the header has 2"])


def test_a_time_out_of_all_years_is_named() -> None:
    record, notes = parsed(*HEAD, "#fields\tts", "#types\ttime", "9e99")
    assert record == {"ts": 9e99}
    assert notes == ["ts: '9e99' is no time in seconds since 1970"]


@given(st.lists(st.text("#\t\\x2d,-(empty)T1.é fieldstypseparo[]", max_size=30), max_size=8))
def test_any_lines_are_taken(lines: list[str]) -> None:
    parsed(*lines)
