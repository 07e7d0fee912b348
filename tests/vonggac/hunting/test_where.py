"""The text of `--where`: what it means, where it is wrong, and that it can be written again."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vonggac.hunting.where import MAX_LENGTH, MAX_LEVELS, MAX_TESTS, WhereError, parse, written
from vonggac.query import And, Condition, Not, Op, Or, Query, Test, Text

A, B, C = (Test(name, Op.EQ, 1) for name in "abc")


@pytest.mark.parametrize(
    ("text", "condition"),
    [
        ('process.name = "cmd.exe"', Test("process.name", Op.EQ, "cmd.exe")),
        ("process.name='cmd.exe'", Test("process.name", Op.EQ, "cmd.exe")),
        ("process.name == cmd.exe", Test("process.name", Op.EQ, "cmd.exe")),
        ("event.code != 4624", Not(Test("event.code", Op.EQ, 4624))),
        ('event.code = "4624"', Test("event.code", Op.EQ, "4624")),
        ("a < 1", Test("a", Op.LT, 1)),
        ("a <= -1.5", Test("a", Op.LTE, -1.5)),
        ("a > x", Test("a", Op.GT, "x")),
        ("a >= 1", Test("a", Op.GTE, 1)),
        ("a = 1234567890123456", Test("a", Op.EQ, "1234567890123456")),  # no number of the query model
        ('a in ("x", 2, y)', Test("a", Op.IN, ("x", 2, "y"))),
        ('a not in ("x")', Not(Test("a", Op.IN, ("x",)))),
        ('not a in ("x")', Not(Test("a", Op.IN, ("x",)))),
        ("a STARTSWITH x", Test("a", Op.PREFIX, "x")),
        ("a contains 12", Test("a", Op.CONTAINS, "12")),
        ("a exists", Test("a", Op.EXISTS)),
        ("a not exists", Not(Test("a", Op.EXISTS))),
        ("source.ip cidr 203.0.113.0/24", Test("source.ip", Op.CIDR, "203.0.113.0/24")),
        ('a like "x*"', Test("a", Op.PREFIX, "x")),
        ('a like "*x y*"', Test("a", Op.CONTAINS, "x y")),
        ("a like *", Test("a", Op.EXISTS)),
        ('a like ""', Test("a", Op.EQ, "")),
        ("a like x", Test("a", Op.EQ, "x")),
        ("a=1 and b=1 or c=1", Or((And((A, B)), C))),
        ("a=1 AND (b=1 OR c=1)", And((A, Or((B, C))))),
        ("not a=1 and b=1", And((Not(A), B))),
        ("not (a=1 and b=1)", Not(And((A, B)))),
        ("winlog.event_data.TargetUserName = x", Test("winlog.event_data.TargetUserName", Op.EQ, "x")),
        ('"Target User" = x', Test("Target User", Op.EQ, "x")),
        ('"in" = x', Test("in", Op.EQ, "x")),
        ('"mimi katz"', Text("mimi katz")),
        ('"x" and not ("y" or a=1)', And((Text("x"), Not(Or((Text("y"), A)))))),
        ("like = x", Test("like", Op.EQ, "x")),
    ],
)
def test_what_it_means(text: str, condition: Condition) -> None:
    assert parse(text) == condition


@pytest.mark.parametrize(
    ("text", "value"),
    [
        (r'p = "C:\Windows\temp\new.exe"', r"C:\Windows\temp\new.exe"),
        (r"p = C:\Windows\cmd.exe", r"C:\Windows\cmd.exe"),
        (r'p = "\\server\share\"', "\\\\server\\share\\"),
        ('p = "say ""no"""', 'say "no"'),
        ("p = 'it''s'", "it's"),
        ("p = 'say \"no\"'", 'say "no"'),
        ('p = "đồng hồ\n\0"', "đồng hồ\n\0"),
        ('p = ""', ""),
    ],
)
def test_a_backslash_stands_for_itself_and_a_quote_is_doubled(text: str, value: str) -> None:
    assert parse(text) == Test("p", Op.EQ, value)


@pytest.mark.parametrize(
    ("text", "column", "found", "wanted"),
    [
        ("", 1, "", "a field's name"),
        ("process.name", 13, "", "one of = !="),
        ("process.name = ", 16, "", "a value"),
        ("process.name is cmd", 14, "is", "one of = !="),
        ('"x" "y"', 5, '"y"', "one of = !="),
        ("mimikatz", 9, "", "one of = !="),
        ("a not x", 7, "x", "one of in like"),
        ("a = b c", 7, "c", "`and`, `or` or the end"),
        ("a = and b = 1", 5, "and", "only in quotes"),
        ('a = "x', 5, '"', "the quote that closes"),
        ('a = "x""', 5, '"', "the quote that closes"),
        ("a ! b", 3, "!", "one of = != <"),
        ("(a = 1", 7, "", "`and`, `or` or `)`"),
        ("a = 1)", 6, ")", "`and`, `or` or the end"),
        ("a in x", 6, "x", "`(` and a list"),
        ("a in ()", 7, ")", "a value"),
        ("a in (x y)", 9, "y", "`,` or `)`"),
        ("a* = 1", 1, "a*", "a field's name"),
        ("a.b.c.d.e.f.g.h.i = 1", 1, "a.b.c.d.e.f.g.h.i", "a field's name"),
        ("ip cidr 10.0.0.300", 9, "10.0.0.300", "a network such as"),
        ('a like "x*y"', 8, '"x*y"', "stars elsewhere"),
        ('a like "*y"', 8, '"*y"', "stars elsewhere"),
        ('@timestamp > "2026-03-01"', 1, "@timestamp", "--since"),
        (f"a = 1 and {'b' * 99}", 110, "", "one of = !="),
    ],
)
def test_what_is_wrong_is_told_with_its_place(text: str, column: int, found: str, wanted: str) -> None:
    with pytest.raises(WhereError) as told:
        parse(text)
    assert (told.value.column, told.value.found) == (column, found)
    assert wanted in told.value.wanted


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("x" * (MAX_LENGTH + 1), "a shorter text"),
        (" or ".join(["a=1"] * (MAX_TESTS + 1)), "at most 500"),
        (f"a in ({','.join('1' * 10_001)})", "at most 10,000"),
        ("(" * 100_000, "at most 14 levels"),
        ("not " * 30_000 + "a=1", "at most 14 levels"),
    ],
)
def test_it_is_bounded(text: str, wanted: str) -> None:
    with pytest.raises(WhereError) as told:
        parse(text)
    assert wanted in told.value.wanted


def test_the_deepest_text_is_still_a_query() -> None:
    text = "a != 1"
    for _ in range(MAX_LEVELS):
        text = f"b=1 or b=1 and ({text})"
    Query(where=parse(f"{text} or a=1 and b=1"))
    with pytest.raises(WhereError):
        parse(f"({text})")


#: pieces that make texts which are nearly conditions
_PIECES = st.sampled_from(
    ["a", "b.c", '"x y"', "'", '"', "=", "!=", "<", "(", ")", ",", "in", "not", "and", "or", "like", "exists", "cidr",
     "contains", "*", "1", "-2.5", "10.0.0.0/8", "\\", "\0", "ế", "!"]
)  # fmt: skip


@given(st.one_of(st.text(), st.lists(_PIECES, max_size=12).map(" ".join)))
def test_any_text_is_a_condition_or_told_with_a_place_within_it(text: str) -> None:
    column = 1
    try:
        Query(where=parse(text))
    except WhereError as error:
        column = error.column
    assert 1 <= column <= len(text) + 1


_FIELDS = st.sampled_from(["host.name", "event.code", "a b", "in", "not", "@timestamp", "x.AND.y", "ế", "a,b", "(x)"])
_NUMBERS = st.integers(-(10**15) + 1, 10**15 - 1) | st.decimals(-(10**6), 10**6, places=9).map(float)
_VALUES = st.text() | _NUMBERS
_TESTS = st.one_of(
    st.builds(Test, _FIELDS, st.sampled_from([Op.EQ]), _VALUES),
    st.builds(Test, _FIELDS.filter(lambda name: name != "@timestamp"), st.sampled_from([Op.LT, Op.GTE]), _VALUES),
    st.builds(Test, _FIELDS, st.just(Op.IN), st.lists(_VALUES, min_size=1, max_size=3).map(tuple)),
    st.builds(Test, _FIELDS, st.sampled_from([Op.PREFIX, Op.CONTAINS]), st.text()),
    st.builds(Test, _FIELDS, st.just(Op.EXISTS)),
    st.builds(Test, _FIELDS, st.just(Op.CIDR), st.ip_addresses().map(str)),
)
_TEXTS = st.builds(Text, st.text())
_CONDITIONS = st.recursive(
    _TESTS | _TEXTS,
    lambda inner: st.one_of(
        st.builds(Not, inner),
        st.builds(And, st.lists(inner, min_size=2, max_size=3).map(tuple)),
        st.builds(Or, st.lists(inner, min_size=2, max_size=3).map(tuple)),
    ),
    max_leaves=8,
)


@given(_CONDITIONS)
def test_a_written_condition_is_read_as_the_same(where: Condition) -> None:
    assert parse(written(where)) == where
