"""Sigma 2.1, whole detections: keywords, conditions, what is refused, what of an event is noted as its match."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from detectors.sigma.reference import compile_rule
from tests.sigma_vectors import event, refusal, rule, windows
from vonggac.sigma.rulefile import RuleError
from vonggac.sigma.view import View
from vonggac.testing import make_event

# ------------------------------------------------------------------- keywords


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


# ----------------------------------------------------------------- conditions


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


# ------------------------------------------------------------------- refusals


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


# --------------------------------------------------------------- what matched


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


# ----------------------------------------------------------------- properties


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
