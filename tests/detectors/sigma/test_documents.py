"""Documents judged: what each kind becomes, and each refusal with its place. Against pySigma: test_documents_parity."""

from __future__ import annotations

import contextlib
import json
from decimal import Decimal

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from detectors.sigma.documents import (
    CorrelationDocument,
    Criterion,
    Document,
    Every,
    Fault,
    FilterDocument,
    Item,
    Related,
    RuleDocument,
    Some,
    Source,
    decode,
    document_of,
    encode,
    is_sigma,
    plain,
    pointer,
)
from vonggac.sigma.rulefile import RuleError, RuleFileError, parse

RULE = """\
title: Odd   service
id: 0B1F0A4E-6f0e-4d3c-9a55-9f6a6f1f1a01
status: test
level: HIGH
date: 2026/3/1
tags: [attack.persistence, attack.T1543.003]
related: [{id: 0b1f0a4e6f0e4d3c9a559f6a6f1f1a02, type: derived}]
logsource: {product: Windows, service: system}
detection:
    selection:
        EventID: [7045, 1.50, null]
        ServiceName|startswith: odd
    keywords:
        - one
        - 2
    listed:
        - A|expand: '%odd%'
        - '|all': [x, y]
    condition: selection and not keywords or listed
"""
CORRELATION = """\
title: Many log-ins
correlation:
    type: value_count
    rules: [failed_login, failed_login, other]
    group-by: User
    timespan: 5m
    condition: {gte: 10, lt: 2.5, field: Host}
    aliases: {user: {failed_login: User, other: Name}}
    generate: true
"""
FILTER = """\
title: Not the scanner
logsource: {product: windows}
filter:
    rules: any
    selection: {Computer: SCAN01}
    condition: not selection
"""


def judged(text: str) -> Document:
    [document] = parse(text.encode())
    return document_of(document, 3)


def refusal(text: str) -> tuple[str, str]:
    with pytest.raises(RuleError) as caught:
        judged(text)
    return pointer(caught.value.at), caught.value.reason


def test_a_rule() -> None:
    rule = judged(RULE)
    assert isinstance(rule, RuleDocument)
    frame = rule.frame
    assert (frame.title, frame.id) == ("Odd service", "0b1f0a4e-6f0e-4d3c-9a55-9f6a6f1f1a01")
    assert (frame.level, frame.status, frame.date) == ("high", "test", "2026-03-01")
    assert (frame.techniques, frame.tactics) == (("T1543.003",), ("TA0003",))
    assert frame.related == (Related("0b1f0a4e-6f0e-4d3c-9a55-9f6a6f1f1a02", "derived"),)
    assert rule.source == Source("windows", None, "system")
    assert (rule.line, rule.number) == (1, 3)
    assert rule.detection.conditions == ("selection and not keywords or listed",)
    assert rule.detection.placeholders == ("odd",)
    assert rule.detection.selections == {
        "selection": Every((
            Item("EventID", (), (7045, Decimal("1.50"), None), listed=True),
            Item("ServiceName", ("startswith",), ("odd",), listed=False),
        )),
        "keywords": Every((Item(None, (), ("one", 2), listed=True),)),
        "listed": Some((
            Every((Item("A", ("expand",), ("%odd%",), listed=False),)),
            Every((Item("", ("all",), ("x", "y"), listed=True),)),
        )),
    }  # fmt: skip


def test_a_correlation() -> None:
    one = judged(CORRELATION)
    assert isinstance(one, CorrelationDocument)
    assert (one.kind, one.rules, one.group_by) == ("value_count", ("failed_login", "other"), ("User",))
    assert (one.seconds, one.fields, one.generate, one.percentile) == (300, ("Host",), True, None)
    assert one.criteria == (Criterion("gte", "10"), Criterion("lt", "2.5"))
    assert one.aliases == {"user": {"failed_login": "User", "other": "Name"}}


def test_a_correlation_over_an_expression_names_its_rules_there() -> None:
    text = "title: x\ncorrelation: {type: temporal, timespan: 1h, condition: a and (b or not c) and a}"
    one = judged(text)
    assert isinstance(one, CorrelationDocument)
    assert (one.expression, one.rules, one.criteria) == ("a and (b or not c) and a", ("a", "b", "c"), ())


def test_a_filter() -> None:
    one = judged(FILTER)
    assert isinstance(one, FilterDocument)
    assert (one.rules, one.source) == (None, Source("windows", None, None))
    assert plain(one.detection) == {"selection": {"Computer": "SCAN01"}, "condition": "not selection"}
    named = judged(FILTER.replace("any", "[a, b]"))
    assert isinstance(named, FilterDocument)
    assert named.rules == ("a", "b")


@pytest.mark.parametrize(
    ("old", "new", "at", "said"),
    [
        ("title: Odd   service\n", "", "/title", "no title"),
        ("title: Odd   service", "title: 5", "/title", "must be text"),
        ("0B1F0A4E-6f0e-4d3c-9a55-9f6a6f1f1a01", "abc", "/id", "no UUID"),
        ("status: test", "status: odd", "/status", "stable"),
        ("status: test", "status: unsupported", "/status", "unsupported"),
        ("status: test", "taxonomy: ecs", "/taxonomy", "'ecs'"),
        ("status: test", "name: ''", "/name", "empty"),
        ("status: test", "author: [a]", "/author", "text"),
        ("status: test", "scope: a", "/scope", "list"),
        ("status: test", "action: global", "/action", "one document a rule"),
        ("status: test", "filter: {}", "/detection", "not both"),
        ("level: HIGH", "level: extreme", "/level", "critical"),
        ("date: 2026/3/1", "date: 2026-02-30", "/date", "yyyy-mm-dd"),
        ("attack.persistence", "persistence", "/tags/0", "namespace"),
        ("type: derived", "type: cousin", "/related/0/type", "similar"),
        ("{product: Windows, service: system}", "{definition: x}", "/logsource", "empty"),
        ("{product: Windows, service: system}", "[a]", "/logsource", "map"),
        ("{product: Windows, service: system}", "{product: 5}", "/logsource/product", "text"),
        ("startswith: odd", "beginswith: odd", "/detection/selection/ServiceName|beginswith", "unknown modifier"),
        ("startswith: odd", "startswith: 5", "/detection/selection/ServiceName|startswith", "number"),
        ("startswith: odd", "all|re: a", "/detection/selection/ServiceName|all|re", "before other"),
        ("startswith: odd", "re: ['a', '(?=x)']", "/detection/selection/ServiceName|re/1", "RE2"),
        ("startswith: odd", "fieldref: 'a*'", "/detection/selection/ServiceName|fieldref", "wildcards"),
        ("startswith: odd", "wide: a", "/detection/selection/ServiceName|wide", "base64"),
        ("startswith: odd", "startswith: {a: b}", "/detection/selection/ServiceName|startswith", "a value is"),
        ("startswith: odd", "startswith: []", "/detection/selection/ServiceName|startswith", "empty list"),
        ("'%odd%'", "[a, [b]]", "/detection/listed/0/A|expand/1", "a value is"),
        ("- one", "- null", "/detection/keywords/0", "null needs a field"),
        ("or listed", "or nobody", "/detection/condition", "no selection named 'nobody'"),
        ("condition: selection and not keywords or listed", "timeframe: 5m", "/detection", "no condition"),
    ],
)  # fmt: skip
def test_rules_refused_at_their_place(old: str, new: str, at: str, said: str) -> None:
    assert old in RULE
    found = refusal(RULE.replace(old, new))
    assert said in found[1]
    assert found[0] == at


@pytest.mark.parametrize(
    ("old", "new", "at", "said"),
    [
        ("value_count", "value_mode", "type", "value_median"),
        ("    rules: [failed_login, failed_login, other]\n", "", "", "no rules"),
        ("[failed_login, failed_login, other]", "{a: b}", "rules", "list of texts"),
        ("5m", "5 minutes", "timespan", "s, m, h"),
        ("5m", "0m", "timespan", "above zero"),
        ("{gte: 10, lt: 2.5, field: Host}", "{gte: 10}", "condition", "needs a field"),
        ("{gte: 10, lt: 2.5, field: Host}", "{gte: 10, gt: 5, field: a}", "condition", "a range"),
        ("{gte: 10, lt: 2.5, field: Host}", "{gte: ten, field: a}", "condition", "no number"),
        ("{gte: 10, lt: 2.5, field: Host}", "{above: 1}", "condition", "'above'"),
        ("{gte: 10, lt: 2.5, field: Host}", "a and b", "condition", "temporal"),
        ("{gte: 10, lt: 2.5, field: Host}", "[1]", "condition", "map"),
        ("    condition: {gte: 10, lt: 2.5, field: Host}\n", "", "", "needs a condition"),
        ("{user: {failed_login: User, other: Name}}", "{user: a}", "aliases", "map"),
        ("true", "often", "generate", "true or false"),
        ("value_count", "temporal", "", ""),
    ],
)
def test_correlations_refused_at_their_place(old: str, new: str, at: str, said: str) -> None:
    assert old in CORRELATION
    text = CORRELATION.replace(old, new)
    if new == "temporal":  # an expression and a list must name the same rules
        text, at, said = text.replace("{gte: 10, lt: 2.5, field: Host}", "other and third"), "condition", "third"
    found = refusal(text)
    assert said in found[1]
    assert found[0] == f"/correlation/{at}".rstrip("/")


@pytest.mark.parametrize("text", ["a and", "1 of a*", "a | b", "and"])
def test_expressions_that_are_none(text: str) -> None:
    assert refusal(f"title: x\ncorrelation: {{type: temporal, timespan: 1h, condition: '{text}'}}")


@pytest.mark.parametrize(
    ("old", "new", "at"),
    [
        ("    rules: any\n", "", "/filter"),
        ("any", "{a: b}", "/filter/rules"),
        ("not selection", "[not selection]", "/filter/condition"),
        ("not selection", "nobody", "/filter/condition"),
        ("{Computer: SCAN01}", "{}", "/filter/selection"),
    ],
)
def test_filters_refused_at_their_place(old: str, new: str, at: str) -> None:
    assert refusal(FILTER.replace(old, new))[0] == at


def test_what_claims_to_be_sigma() -> None:
    assert is_sigma({"logsource": 1})
    assert not is_sigma({"logsources": 1})
    assert not is_sigma(["detection"])


def test_documents_survive_their_own_bytes_exact_numbers_too() -> None:
    text = RULE.replace("7045", "9223372036854775808, -99999999999999999999, 18446744073709551616")
    kept = (judged(text), judged(CORRELATION), judged(FILTER), Fault(1, "/a", "yaml", "r", 0, foreign=True))
    again = decode(encode(kept))
    assert again == kept
    assert isinstance(again[0], RuleDocument)
    assert repr(again[0]) == repr(kept[0])  # 1.50 stays 1.50, and true is not 1


def test_foreign_bytes_are_a_decode_error() -> None:
    good = encode((judged(RULE),))
    odd = (good.replace(b"1.50", b"1,50"), good.replace(b"\xd6\x011.50", b"\xd6\x021.50"))
    assert good not in odd
    deep = good.replace(b"\x92\x00\x91", b"\x92\x01\x91" * 100_000 + b"\x92\x00\x91")
    for data in (
        *odd,
        deep,
        b"",
        b"\xc1",
        b"\x91\x93\x00",
        encode((judged(RULE),))[:-1],
        msgspec.msgpack.encode([[9]]),
    ):
        with pytest.raises(msgspec.DecodeError):
            decode(data)


@given(
    st.sampled_from(["title", "tags", "related", "logsource", "detection", "correlation", "filter", "date"]),
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=5),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
        max_leaves=6,
    ),
)
def test_any_value_is_a_document_or_refused_and_survives_its_bytes(key: str, value: object) -> None:
    [document] = parse(RULE.encode())
    document.value[key] = value
    with contextlib.suppress(RuleError, RuleFileError):
        [again] = parse(json.dumps(document.value, default=float).encode())
        found = document_of(again)
        assert decode(encode((found,))) == (found,)
