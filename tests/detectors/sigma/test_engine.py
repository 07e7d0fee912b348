"""The fast engine is held to the reference: same rules, same events, same alerts, whatever either of them holds."""

from __future__ import annotations

import random
import re
import zipfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from detectors.sigma import Sigma, _columns, _literals, engine
from detectors.sigma._atoms import Equal, Exists, Regex, Text
from detectors.sigma._load import Rule, rules_of
from detectors.sigma._needed import needed
from detectors.sigma._texts import compiled
from detectors.sigma.engine import Engine
from detectors.sigma.reference import Every, Item, Node, Not, compile_rule
from vonggac.event import Event, LogSource, RuleRef, fold
from vonggac.reading.rulefiles import SIGMA, rule_files
from vonggac.sigma.packs import unpacked
from vonggac.sigma.rulefile import RuleError, parse
from vonggac.testing import make_event

OWN = Path(__file__).parents[3] / "rules" / "sigma"


def rule(detection: Any, number: int = 1, source: LogSource | None = None) -> Rule:
    """Make a rule of a detection, or of the text of one."""
    if isinstance(detection, str):
        [document] = parse(f"detection:\n{detection}".encode())
        detection = document.value["detection"]
    ref = RuleRef(f"rule {number:03}", f"Rule {number}", "high", "test", "1")
    return Rule(ref, source or LogSource(), compile_rule(detection, {"list": ["a", "b*"]}), "rule.yml", 1)


def told(detector: Sigma | Engine, events: Sequence[Event]) -> list[tuple[str, str, str, bool]]:
    return [(one.event.id, one.rule.id, repr(one.matched), one.unrouted) for one in detector.judge(events)]


def same(rules: Sequence[Rule], events: Sequence[Event]) -> list[tuple[str, str, str, bool]]:
    """Judge by both, the engine twice (with empty caches and with full ones); give what they agree on."""
    expected = told(Sigma(rules), events)
    fast = Engine(rules)
    assert told(fast, events) == expected
    assert told(fast, events) == expected
    return expected


def event(number: int = 0, **fields: Any) -> Event:
    return Event(f"event {number}", {"@timestamp": "2026-03-01T01:02:03.000000Z", "json": fields})


# ------------------------------------------------------------------ by hand


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


# ---------------------------------------------------------------- generated

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


@given(st.lists(st.text("abcS.|()?*+{}12[]^$\\ ", max_size=8), max_size=1).map("".join), st.data())
@example("(?i)abc|bcd", None)
@example("a(b|c)d{2}", None)
def test_an_expression_matches_only_where_a_needed_literal_stands(pattern: str, data: st.DataObject | None) -> None:
    try:
        search = compiled(pattern)
        re.compile(pattern)
    except (ValueError, re.error):
        return
    literals = needed(pattern).literals
    tries = ["abcd", "abdd", "bcd"] if data is None else [data.draw(st.from_regex(pattern) | st.text("abcS.12"))]
    for text in tries:
        if search(text):
            assert not literals or any(one in fold(text) for one in literals)


@pytest.mark.parametrize(
    ("pattern", "literals"),
    [
        (r"net\s+user", ("user",)),
        (r"(?i)/LIB/python3\.([5-9]|[0-9]{2})/site-packages/", ("/site-packages/",)),
        (r"\.(zip|asp)x", ("zip", "asp")),
        (r"(abc|d)?x", ("x",)),
        (r"a+bc", ("bc",)),
        (r"[^/]{100,}$", ()),
        (r"\x41bc", ()),
        (r"abc|", ()),
        (r"(?P<name>abc)d", ("abc",)),
        ("🦊x", ("🦊x",)),
        ("(?i)🦊x", ("x",)),
        ("e\u0301abc", ("abc",)),
        (r"ab{1}c", ("abc",)),
        (r"ab{2}c", ("ab",)),
        (r"[[:alpha:]]]bc", ("]bc",)),
        (r"\Qa.b\E", ()),
    ],
)
def test_needed_literals(pattern: str, literals: tuple[str, ...]) -> None:
    assert needed(pattern).literals == literals


# --------------------------------------------------------- rules as they are


def loaded(root: Path) -> list[Rule]:
    files = [path for path in rule_files(root, SIGMA) if isinstance(path, Path)]
    return [one for path in files for one in rules_of(path, "pack", {}) if isinstance(one, Rule)]


def fitting(node: Node, wanted: bool, into: dict[str, Any], pick: random.Random) -> None:
    """Fill in the fields that make a rule's tree match, as far as one pass without thinking goes."""
    if isinstance(node, Not):
        fitting(node.inner, not wanted, into, pick)
    elif isinstance(node, Item):
        if wanted is not node.negated:
            chosen = node.atoms if node.every else [pick.choice(node.atoms)]
            found = [one for atom in chosen if (one := fitting_value(atom.meaning, pick)) is not None]
            name = node.field or "message"
            if found and not (isinstance(into.get(name), str) and isinstance(found[0], str)):
                into[name] = found[0] if len(found) == 1 else "".join(map(str, found))
            elif found:
                into[name] = "".join(map(str, [into[name], *found]))
    else:
        parts = list(getattr(node, "parts", ()))
        every = isinstance(node, Every) is wanted
        for part in parts if every else [pick.choice(parts)]:
            fitting(part, wanted, into, pick)


def fitting_value(meaning: Any, pick: random.Random) -> Any:
    if isinstance(meaning, Text):
        runs = pick.choice(meaning.patterns).runs
        return "".join(
            one if isinstance(one, str) else pick.choice(["", "x"]) if one.value == "*" else "y" for one in runs
        )
    if isinstance(meaning, Equal):
        return meaning.wanted if isinstance(meaning.wanted, bool | int) else str(meaning.wanted)
    if isinstance(meaning, Regex):
        return re.sub(r"\\[sdwb]|[\[\](){}+*?^$.|]", pick.choice(["a", "1", " "]), meaning.pattern)
    return "x" if isinstance(meaning, Exists) and meaning.wanted else None


def mutants(fields: dict[str, Any], pick: random.Random) -> Iterator[dict[str, Any]]:
    """Yield the event and near misses of it."""
    yield fields
    if not fields:
        return
    name = pick.choice(sorted(fields))
    value = fields[name]
    yield {other: one for other, one in fields.items() if other != name}
    yield {**fields, name: pick.choice([None, "", [], 1, "1", [value, "x"], {"x": value}])}
    if isinstance(value, str) and value:
        at = pick.randrange(len(value))
        yield {**fields, name: value.swapcase()}
        yield {**fields, name: value[:at] + value[at + 1 :]}
        yield {**fields, name: value[:at] + pick.choice("ſK–/\\\nĐ\u0301x") + value[at:]}
        yield {**fields, name: pick.choice(["x", "İ", "\ud800", "x" * 70_000]) + value}
        yield {**fields, name: value.replace("-", pick.choice("/–—―"))}


def directed(rules: Sequence[Rule], seed: int) -> Iterator[Event]:
    """Yield events made for each rule, said to be of its log source."""
    pick = random.Random(seed)
    for number, one in enumerate(rules):
        fields: dict[str, Any] = {}
        fitting(one.node, True, fields, pick)
        said = {"vonggac": {"logsource": one.source._asdict()}}
        for which, made in enumerate(mutants(fields, pick)):
            name = f"{number} {which}"
            message = {"message": made["message"]} if "message" in made else {}
            yield Event(name, {**said, "json": made, **message})
            yield Event(f"{name} w", {**said, "winlog": {"Event": {"System": {}, "EventData": made}}})


def test_our_own_rules_on_events_made_for_them() -> None:
    rules = loaded(OWN)
    assert len(rules) >= 22
    events = [one for seed in range(3) for one in directed(rules, seed)]
    found = same(rules, events)
    assert len({one[1] for one in found}) >= 15  # not those of regular expressions, which no simple text fits


@pytest.fixture(scope="module")
def sigmahq(test_data: Path, tmp_path_factory: pytest.TempPathFactory) -> list[Rule]:
    [archive] = (test_data / "rules" / "sigma").glob("sigma-rules-*.tar.gz")
    return loaded(unpacked(archive, tmp_path_factory.mktemp("sigmahq")))


@pytest.mark.data
def test_sigmahqs_rules_on_events_made_for_them(sigmahq: list[Rule]) -> None:
    """Each 40th rule: its own event, and near misses of it."""
    events = list(directed(sigmahq[::40], 1))
    reference, fast = Sigma(sigmahq), Engine(sigmahq)
    found = told(fast, events)
    assert found == told(reference, events)
    assert len({one[1] for one in found}) > len(sigmahq) // 60


@pytest.mark.data
def test_sigmahqs_rules_on_real_events(sigmahq: list[Rule], test_data: Path) -> None:
    """The first events of each recording: alerts and what matched, equal."""
    reference, fast = Sigma(sigmahq), Engine(sigmahq)
    total = 0
    for archive in sorted((test_data / "host-json" / "otrf" / "atomic" / "windows").rglob("*.zip")):
        with zipfile.ZipFile(archive) as box:
            for member in box.namelist():
                if not member.endswith(".json") or "__MACOSX" in member:
                    continue
                records = [orjson.loads(line) for line in box.read(member).splitlines()[:60] if line]
                about = {"module": "windows", "dataset": "windows.x"}
                events = [Event(str(number), {"winlog": one, "event": about}) for number, one in enumerate(records)]
                found = told(fast, events)
                assert found == told(reference, events), member
                total += len(found)
    assert total > 20


@pytest.mark.data
def test_sigmahqs_rules_on_its_regression_data(sigmahq: list[Rule], test_data: Path) -> None:
    reference, fast = Sigma(sigmahq), Engine(sigmahq)
    total = 0
    for path in sorted((test_data / "sigma-regression").rglob("*.json")):
        text = path.read_text("utf-8").strip()
        about = {"module": "windows", "dataset": "windows.x"}
        records = [orjson.loads(f"{{{one}}}") for one in re.split(r"(?m)^\}\s*^\{", text[1:-1])]
        events = [Event(str(number), {"winlog": one, "event": about}) for number, one in enumerate(records)]
        found = told(fast, events)
        assert found == told(reference, events), path
        total += len(found)
    assert total >= 100
