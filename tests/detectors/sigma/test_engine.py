"""The fast engine is held to the reference: same rules, same events, same alerts, whatever either of them holds."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from detectors.sigma import Sigma, _columns, _literals, engine
from detectors.sigma._load import Rule
from detectors.sigma.engine import Engine
from tests.sigma_engines import event, rule, same, told
from vonggac.event import Event
from vonggac.sigma.rulefile import RuleError
from vonggac.testing import make_event

# -------------------------------------------------------------------- by hand


def test_it_gives_the_alerts_of_the_reference_and_its_digest() -> None:
    rules = [rule("  s:\n    A|contains: bc\n  condition: s\n", 1), rule("  s:\n    B: 1\n  condition: s\n", 2)]
    assert Engine(rules).digest == Sigma(rules).digest
    found = same(rules, [event(1, A="abcd", B="1"), event(2, A="x", B=2)])
    assert [(one[0], one[1], one[2]) for one in found] == [
        ("event 1", "rule 001", "{'A': 'abcd'}"),
        ("event 1", "rule 002", "{'B': '1'}"),
    ]


@pytest.mark.parametrize(
    "detection",
    [
        "  s:\n    A: x\n  condition: not s\n",  # no witness
        "  s:\n    A: null\n  condition: s\n",
        "  s:\n    A|exists: false\n  condition: s\n",
        "  s:\n    A|exists: false\n  t:\n    B: null\n  condition: s and not t\n",
        "  s:\n    A|neq: x\n  condition: s\n",
        "  s:\n    A|fieldref: B\n  condition: s\n",
        "  s:\n    A|fieldref: B\n  condition: not s\n",
        "  s:\n    A|contains|all: [x, '-y']\n    B|windash|contains: '-y'\n  condition: s\n",
        "  s:\n    A|re: 'x.*y'\n  condition: s\n",
        "  s:\n    A|re: '^.{2,}$'\n  condition: s\n",
        "  s:\n    A|contains: x\n    B|re: '.'\n  condition: s\n",
        "  s:\n    A|contains: x\n  t:\n    B|re: '.'\n  condition: s and not t\n",
        "  s: [x, '*y*z']\n  condition: s\n",
        "  s:\n    '|all': [x, y]\n  condition: s\n",
        "  s:\n    A|cidr: [10.0.0.0/8, '2001:db8::/32', '0.0.0.0/0']\n  condition: s\n",
        "  s:\n    A|gt: 5\n  condition: s\n",
        "  s:\n    A|base64offset|contains: xyz\n  condition: s\n",
    ],
)
def test_each_kind_of_atom(detection: str) -> None:
    values: list[Any] = ["x", "xy", "X-Y", "x/y", "", None, 1, 6, 6.5, True, [], ["x", "-y"], {"x": "y"}, "\ud800x"]
    values += ["10.1.2.3", "::ffff:10.1.2.3", "2001:db8::1%eth0", "10.1.2.3x", "eHl6", "aHh5", "1", "6", "a–y", "b\ny"]
    events = [event(9 * number, A=value) for number, value in enumerate(values)]
    events += [event(9 * number + 1, A=value, B=other) for number, value in enumerate(values) for other in ("x", "-Y")]
    events += [event(5, B="x"), event(6)]
    events += [
        Event("w", {"winlog": {"Event": {"System": {"Channel": "System"}, "EventData": {"A": one, "B": "x"}}}})
        for one in ("", "x", "xy")
    ]
    rules = [rule(detection, 1), rule("  s:\n    C: c\n  condition: s\n", 2)]
    found = same(rules, events)
    assert len(found) < 2 * len(events)


def test_numbers_that_are_one_key_to_a_dict_are_several_to_a_rule() -> None:
    rules = [
        rule(f"  s:\n    A: {one}\n  condition: s\n", at) for at, one in enumerate(["1", "true", "1.1", "1.10", "0"])
    ]
    found: list[Any] = [1, True, 1.0, "1", 1.1, "1.1", "1.10", 0, False, 0.0, "", None, "true"]
    docs = [{"winlog": {"Channel": "System", "A": one}} for one in (*found, *reversed(found))]
    told = same(rules, [Event(str(number), doc) for number, doc in enumerate(docs)])
    assert [one[1] for one in told if one[0] in ("0", "1", "2")] == ["rule 000", "rule 001", "rule 000"]


def test_a_header_field_that_is_null_is_looked_for_under_its_other_names() -> None:
    rules = [rule("  s:\n    EventID: 7\n  condition: s\n", 1), rule("  s:\n    EventID: ''\n  condition: s\n", 2)]
    docs = [{"winlog": {"Channel": "System", "EventID": one, "event_id": 7}} for one in (7, None, "", 8)]
    found = same(rules, [Event(str(number), doc) for number, doc in enumerate(docs)])
    assert [(one[0], one[1]) for one in found] == [("0", "rule 001"), ("1", "rule 001"), ("2", "rule 002")]


def test_long_texts_are_searched_in_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    """What stands across the seam of two pieces is found, and found starts and ends are those of the whole."""
    monkeypatch.setattr(_literals, "CHUNK", 4)
    written = (
        "  s:\n    A|contains: cdef\n  t:\n    A|startswith: ab\n  u:\n    A|endswith: xyz\n  v:\n    A|re: 'd.*x'\n"
    )
    rules = [rule(f"{written}  condition: {name}\n", number) for number, name in enumerate("stuv")]
    texts = ["abcdefg", "__abcdef_xyz", "abxyzab", "abcd", "xyz", "_________cdef", "dxxxxxxxxxx", "ab__________xyz"]
    found = same(rules, [event(number, A=text) for number, text in enumerate(texts)])
    assert len(found) == 12


def test_caches_are_forgotten_when_they_hold_too_much(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_columns, "BUDGET", 5_000)
    monkeypatch.setattr(engine, "ROUTE_LIMIT", 2)
    rules = [rule("  s:\n    A|contains: '7'\n  condition: s\n")]
    fast = Engine(rules)
    for number in range(30):
        source = {"product": f"p{number % 5}", "category": None, "service": None}
        events = [
            make_event({"json": {"A": f"{number} {one}"}, "vonggac": {"logsource": source}}, at=one)
            for one in range(20)
        ]
        assert told(fast, events) == told(Sigma(rules), events)
        assert len(fast._routes) <= 2
    assert fast._budget._held < 10_000


def test_a_cache_that_is_not_worth_it_stands_still(monkeypatch: pytest.MonkeyPatch) -> None:
    """Values that never recur are not remembered for long; the answers stay the same."""
    monkeypatch.setattr(_columns, "ROUND", 8)
    rules = [rule("  s:\n    A|contains: '7'\n  condition: s\n")]
    fast = Engine(rules)
    events = [event(number, A=f"value {number}", B="same") for number in range(200)]
    assert told(fast, events) == told(Sigma(rules), events)
    [route] = fast._routes.values()
    [column] = route._columns
    assert len(column.cache) < 40


# ------------------------------------------------------------------ generated


LETTERS = "aAbBcC-–/\\*? 1.%kKsſéĐđ\u0301\n"
texts = st.text(LETTERS, max_size=6)
scalars = st.one_of(
    texts, st.integers(-2, 12), st.booleans(), st.none(), st.sampled_from([1.5, 6.0, "10.0.0.1", "::1"])
)
regexes = st.sampled_from(
    ["ab", "a.b", "(?i)AB", "a|b", "^a", "b$", "[ab]c", "(ab)?c", "a{2}", "(?:ab|ba)c*", r"\.", "k", "(?i)k", "é+b", ""]
)
MODIFIERS = ["", "|contains", "|startswith", "|endswith", "|contains|all", "|windash|contains", "|cased", "|neq"]
MODIFIERS += ["|cased|contains", "|contains|neq", "|windash|endswith", "|all", "|base64offset|contains", "|wide|base64"]


@st.composite
def items(draw: st.DrawFn) -> tuple[str, Any]:
    """One item: a field with its modifiers, and its values."""
    field = draw(st.sampled_from(["A", "B", "C", "EventID", "md5", "param1"]))
    kind = draw(st.integers(0, 9))
    if kind == 0:
        return f"{field}|exists", draw(st.booleans())
    if kind == 1:
        return f"{field}|re{draw(st.sampled_from(['', '|i', '|s', '|neq']))}", draw(
            st.lists(regexes, min_size=1, max_size=2)
        )
    if kind == 2:
        return f"{field}|{draw(st.sampled_from(['lt', 'lte', 'gt', 'gte', 'hour']))}", draw(st.integers(0, 10))
    if kind == 3:
        return f"{field}|cidr", draw(st.sampled_from(["10.0.0.0/8", "::/0", "10.0.0.1/32"]))
    if kind == 4:
        return f"{field}|fieldref{draw(st.sampled_from(['', '|neq', '|contains']))}", draw(st.sampled_from(["A", "B"]))
    if kind == 5:
        return field, draw(st.lists(scalars, min_size=1, max_size=3))
    return field + draw(st.sampled_from(MODIFIERS)), draw(st.lists(texts, min_size=1, max_size=3))


selections = st.one_of(
    st.lists(items(), min_size=1, max_size=2).map(dict),
    st.lists(st.lists(items(), min_size=1, max_size=2).map(dict), min_size=1, max_size=2),
    st.lists(texts, min_size=1, max_size=2),
    st.dictionaries(
        st.sampled_from(["|all", "|re", "|startswith"]), st.lists(st.sampled_from(["a", "b1"]), min_size=1)
    ),
)
conditions = st.sampled_from(
    ["s", "not s", "s and t", "s or t", "s and not t", "not s and not t", "1 of them", "not (s and t)", "not not s"]
)
detections = st.builds(
    lambda s, t, condition: {"s": s, "t": t, "condition": condition}, selections, selections, conditions
)
values = st.one_of(scalars, st.lists(scalars, max_size=3), st.dictionaries(st.sampled_from("ab"), scalars, max_size=1))
documents = st.dictionaries(st.sampled_from(["A", "B", " C", "EventID", "Hashes", "Data"]), values, max_size=3)
#: an event's fields in the shapes of each vendor; the header's may be of any kind
SHAPES: dict[str, Callable[[dict[str, Any]], dict[str, Any]]] = {
    "json": lambda doc: {"json": doc},
    "evtx": lambda doc: {"winlog": {"Event": {"System": {"Channel": "System", "EventID": 1}, "EventData": doc}}},
    "evtx header": lambda doc: {"winlog": {"Event": {"System": doc, "EventData": {"A": "a", "C": None}}}},
    "user data": lambda doc: {"winlog": {"Event": {"System": {"EventID": "1"}, "UserData": {"x": doc}}}},
    "flat": lambda doc: {"winlog": {"Channel": "System", **doc}},
    "beats": lambda doc: {"winlog": {"channel": "System", "event_id": doc.get("EventID"), "event_data": doc}},
    "security": lambda doc: {"winlog": {"channel": "Security", "event_id": "4688", "event_data": doc}},
}


def valid(found: Iterable[Any]) -> list[Rule]:
    rules = []
    for number, one in enumerate(found):
        try:
            rules.append(rule(one, number))
        except RuleError:  # a combination that is refused
            continue
    return rules


@given(
    st.lists(detections, min_size=1, max_size=5),
    st.lists(st.tuples(st.sampled_from(sorted(SHAPES)), documents), min_size=1, max_size=4),
)
def test_the_engine_is_the_reference(found: list[Any], docs: list[tuple[str, Any]]) -> None:
    rules = valid(found)
    assume(rules)
    same(rules, [Event(str(number), SHAPES[shape](fields)) for number, (shape, fields) in enumerate(docs)])
