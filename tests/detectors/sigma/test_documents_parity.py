"""Our judge of documents against pySigma and the present loading: the same verdict but for the differences listed here.

pySigma is asked as `_load.rule_of` asks it (our compiler and then pySigma), for correlations and filters by itself.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from detectors.sigma import rulebook
from detectors.sigma._atoms import MODIFIERS
from detectors.sigma._load import _for_pysigma, rule_of
from detectors.sigma.documents import RuleDocument, document_of, plain
from vonggac.reading.rulefiles import SIGMA, rule_files
from vonggac.sigma import quick
from vonggac.sigma.packs import unpacked
from vonggac.sigma.rulefile import Document, RuleError, parse

RULE = """\
title: Odd service
id: 0b1f0a4e-6f0e-4d3c-9a55-9f6a6f1f1a01
status: test
level: high
description: A service of an odd name.
author: Nguyễn Văn An
date: 2026-03-01
modified: 2026-03-02
references: [https://example.org/a]
tags: [attack.persistence, attack.t1543.003]
related: [{id: 0b1f0a4e-6f0e-4d3c-9a55-9f6a6f1f1a02, type: derived}]
falsepositives: [Unknown]
fields: [ServiceName]
logsource: {product: windows, service: system}
detection:
    selection:
        EventID: 7045
        ServiceName|startswith: odd
    keywords: [one, two]
    listed:
        - A|contains|all: [x, y]
        - B: null
    condition: selection and not keywords or 1 of list*
"""
CORRELATION = """\
title: Many log-ins
correlation:
    type: event_count
    rules: [failed_login]
    group-by: [User]
    timespan: 5m
    condition: {gte: 10}
"""
FILTER = """\
title: Not the scanner
logsource: {product: windows}
filter:
    rules: [0b1f0a4e-6f0e-4d3c-9a55-9f6a6f1f1a01]
    selection: {Computer: SCAN01}
    condition: not selection
"""


class AnyList(dict[str, Sequence[str]]):
    """Settings that have a list for each name: whether one is given is not the document's concern."""

    def __contains__(self, name: object) -> bool:
        return True

    def __missing__(self, name: str) -> Sequence[str]:
        return ["x"]


def value_of(text: str) -> dict[str, Any]:
    [document] = parse(text.encode())
    assert isinstance(document.value, dict)
    return document.value


def ours(value: Any) -> str:
    """Give "" when accepted, else the reason."""
    try:
        document_of(Document(value, "", 1, {}))
    except RuleError as error:
        return error.reason or "refused"
    return ""


def theirs(value: Any) -> str:
    """Give "" when accepted as a rule by our compiler and pySigma, else the reason."""
    try:
        rule_of(Document(value, "", 1, {}), "rule.yml", "mine", AnyList())
    except RuleError as error:
        return error.reason or "refused"
    return ""


def pysigma(value: Mapping[str, Any]) -> str:
    """Give "" when pySigma accepts a correlation or filter, else the reason."""
    from sigma.correlations import SigmaCorrelationRule
    from sigma.exceptions import SigmaError
    from sigma.filters import SigmaFilter

    kind = SigmaCorrelationRule if "correlation" in value else SigmaFilter
    try:
        kind.from_dict(_for_pysigma(dict(value)))
    except (SigmaError, TypeError, AttributeError, ValueError, LookupError) as error:
        return str(error) or "refused"
    return ""


# ------------------------------------------------------------- differences

#: what is put in the place of what, whether (present loading, we) accept it, and why they differ
DIFFERENCES = [
    ("{product: windows, service: system}", "{product: ''}", True, False,
     "an empty text is no log source: such a rule would run on every event"),
    ("{product: windows, service: system}", "{product: false}", True, False,
     "a value that is no text; pySigma passes what is false, and the rule runs on every event"),
    ("{product: windows, service: system}", "{product: windows, definition: []}", True, False,
     "a definition that is no text"),
    ("startswith: odd", f"{'|'.join(['contains'] * 17)}: odd", True, False, "a chain has up to 16 modifiers"),
    ("startswith: odd", f"{'|'.join(['base64'] * 12)}: ab", True, False, "encoded values: 16 MiB a rule"),
    ("startswith: odd", r"re: '\pL'", False, True, "RE2 is what runs; Python's re knows no \\p"),
    ("startswith: odd", "re: 'a(?i)b'", False, True, "RE2 takes flags anywhere"),
    ("startswith: odd", "re: 'a\\z'", False, True, "RE2 writes the end of a text so"),
    ("startswith: odd", "wide|base64: á", True, True, "pySigma alone refuses letters beyond ASCII: it never sees them"),
]  # fmt: skip


@pytest.mark.parametrize(("old", "new", "present", "now", "why"), DIFFERENCES)
def test_where_rules_are_judged_otherwise(old: str, new: str, present: bool, now: bool, why: str) -> None:
    assert old in RULE
    value = value_of(RULE.replace(old, new))
    assert (theirs(copy.deepcopy(value)) == "", ours(value) == "") == (present, now), why


#: as above, for correlations and filters against pySigma alone
OTHER_DIFFERENCES = [
    (CORRELATION, "{gte: 10}", "{gt: 1, lte: 9}", False, True, "the specification's range of two bounds"),
    (CORRELATION, "{gte: 10}", "{gte: true}", True, False, "pySigma takes true for 1"),
    (CORRELATION, "{gte: 10}", "{gte: ' 1_0 '}", True, False, "what Python's int takes is no number of YAML"),
    (CORRELATION, "[failed_login]", "[]", True, False, "no rules: it could never fire"),
    (CORRELATION, "[failed_login]", "[5]", True, False, "a rule is named by a text"),
    (CORRELATION, "[User]", "[[a]]", True, False, "a field is named by a text"),
    (CORRELATION, "5m", "99999999y", True, False, "a window above ten years"),
    (CORRELATION, "event_count\n    rules: [failed_login]", "temporal", True, False, "no rules, only a count"),
    (CORRELATION, "{gte: 10}", "{gte: 10, percentile: 900}", True, False, "a percentile ends at 100"),
    (CORRELATION, "event_count", "value_sum", False, False, "no field"),
    (CORRELATION, "correlation:", "taxonomy: ecs\ncorrelation:", True, False, "its names mean something else"),
    (CORRELATION, "correlation:", "status: unsupported\ncorrelation:", True, False, "its author says no"),
    (CORRELATION, "correlation:", "filter: {}\ncorrelation:", True, False, "two kinds of document in one"),
    (CORRELATION, "    timespan", "    aliases: {a: {failed_login: 5}}\n    timespan", True, False, "a field is text"),
    (FILTER, "not selection", "selection and", True, False, "pySigma reads conditions only when it converts"),
    (FILTER, "[0b1f0a4e-6f0e-4d3c-9a55-9f6a6f1f1a01]", "[5]", True, False, "a rule is named by a text"),
    (FILTER, "Computer: SCAN01", "Computer: []", True, False, "as in rules: an empty list of values"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "old", "new", "present", "now", "why"), OTHER_DIFFERENCES)
def test_where_correlations_and_filters_are_judged_otherwise(
    text: str, old: str, new: str, present: bool, now: bool, why: str
) -> None:
    assert old in text
    value = value_of(text.replace(old, new))
    assert (pysigma(copy.deepcopy(value)) == "", ours(value) == "") == (present, now), why


def excused(value: dict[str, Any]) -> bool:
    """Say whether a mutant falls under the differences above (those of log sources; no mutant has such a regex)."""
    source = value.get("logsource")
    if not isinstance(source, dict):
        return False
    parts = [source.get(key) for key in ("product", "category", "service", "definition")]
    return any(part is not None and not isinstance(part, str) for part in parts) or not any(parts[:3])


# ----------------------------------------------------------------- mutants

TEXTS = st.sampled_from(
    ["", "a", "*", "?x", "a*b", r"a\*", "%odd%", "10.0.0.0/8", "10.0.0.1/8", "::1", "[", "a+", "(?=x)", r"\d{2,}",
     "-x /y"]
)  # fmt: skip
SCALARS = st.none() | st.booleans() | st.integers(-(1 << 70), 1 << 70) | st.just(Decimal("1.50")) | TEXTS
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abc"), inner, max_size=3),
    max_leaves=5,
)
#: but windash, for which pySigma unfolds a value of n dashes into 5^n
ADDED = st.sampled_from(sorted(MODIFIERS - {"windash"}))
CHAINS = st.lists(st.sampled_from([*sorted(MODIFIERS), "nope", ""]), max_size=4)
ITEM_KEYS = st.builds(lambda field, chain: "|".join([field, *chain]), st.sampled_from(["", "Image", "a.b c"]), CHAINS)
CONDITIONS = st.lists(
    st.sampled_from(
        ["selection", "keywords", "listed", "and", "or", "not", "(", ")", "1 of", "all of", "them", "sel*", "|",
         "2 of", "no", "AND"]),
    max_size=6,
).map(" ".join)  # fmt: skip
FRAME_VALUES = VALUES | st.sampled_from(
    ["2026-02-30", "2026/3/1", "2026-3-1", "HIGH", "stable", "unsupported", "sigma", "x" * 257, "attack.t1059",
     ["attack.t1059", "nodot"], ["A.b"], [{"id": "0b1f0a4e6f0e4d3c9a559f6a6f1f1a02", "type": "SIMILAR"}],
     "{0B1F0A4E-6F0E-4D3C-9A55-9F6A6F1F1A01}", {"product": "windows"}, {"category": "x", "product": 5}]
)  # fmt: skip
FRAME_KEYS = st.sampled_from(
    ["title", "id", "name", "taxonomy", "status", "level", "description", "author", "license", "date", "modified",
     "references", "tags", "related", "falsepositives", "fields", "scope", "logsource", "detection", "custom"]
)  # fmt: skip
SELECTIONS = (
    st.dictionaries(ITEM_KEYS, VALUES, max_size=2)
    | VALUES
    | st.lists(st.dictionaries(ITEM_KEYS, SCALARS, max_size=2) | SCALARS, max_size=3)
)


@given(FRAME_KEYS, FRAME_VALUES)
def test_any_value_under_any_key_is_judged_alike(key: str, value: Any) -> None:
    rule = value_of(RULE)
    rule[key] = value
    if not excused(rule):
        assert (ours(copy.deepcopy(rule)) == "") == (theirs(rule) == ""), (ours(rule), theirs(rule))


@given(st.sets(FRAME_KEYS, min_size=1, max_size=3))
def test_dropped_keys_are_judged_alike(keys: set[str]) -> None:
    rule = {key: value for key, value in value_of(RULE).items() if key not in keys}
    assert (ours(copy.deepcopy(rule)) == "") == (theirs(rule) == "")


@given(ITEM_KEYS, SCALARS | st.lists(SCALARS, max_size=3))
@settings(max_examples=1_000)
def test_any_chain_of_modifiers_on_any_value_is_judged_alike(key: str, value: Any) -> None:
    rule = value_of(RULE)
    rule["detection"]["selection"] = {key: value}
    assert (ours(copy.deepcopy(rule)) == "") == (theirs(rule) == ""), (ours(rule), theirs(rule))


@given(SELECTIONS, CONDITIONS | st.lists(CONDITIONS, max_size=2) | VALUES)
def test_any_selection_and_condition_is_judged_alike(selection: Any, condition: Any) -> None:
    rule = value_of(RULE)
    rule["detection"]["selection"] = selection
    rule["detection"]["condition"] = condition
    assert (ours(copy.deepcopy(rule)) == "") == (theirs(rule) == ""), (ours(rule), theirs(rule))


# ------------------------------------------------------------------ corpus


@pytest.fixture(scope="module")
def public(test_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    [packed] = (test_data / "rules" / "sigma").glob("*.tar.gz")
    return unpacked(packed, tmp_path_factory.mktemp("sigmahq"))


def values(*roots: Path) -> Iterator[Document]:
    for root in roots:
        for path in rule_files(root, SIGMA):
            assert isinstance(path, Path)
            yield from parse(path.read_bytes())


OWN = Path(__file__).parents[3] / "rules" / "sigma"


@pytest.mark.data
def test_every_public_rule_is_judged_and_named_alike(public: Path, test_data: Path) -> None:
    """Verdict, reference (id, level, tactics, digest …), log source and detection, of each document on the disk."""
    count = 0
    for document in values(public, OWN, test_data / "sigma-regression"):
        if theirs(document.value):
            assert ours(document.value)
            continue
        known = rule_of(document, "rule.yml", "mine", AnyList())
        found = document_of(document)
        assert isinstance(found, RuleDocument)
        assert rulebook.ref_of(found, "mine") == known.ref
        assert (found.source.product, found.source.category, found.source.service) == (
            known.source.product, known.source.category, known.source.service)  # fmt: skip
        assert plain(found.detection) == document.value["detection"]
        count += 1
    assert count >= 3_780


@pytest.mark.data
def test_the_quick_reader_reads_every_public_rule_as_the_other_does(public: Path) -> None:
    for path in rule_files(public, SIGMA):
        assert isinstance(path, Path)
        data = path.read_bytes()
        slow, fast = parse(data), quick.documents(data)
        assert [(one.value, one.text, one.line) for one in fast] == [(one.value, one.text, one.line) for one in slow]


@pytest.mark.data
@given(data=st.data())
@settings(max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_mutants_of_public_rules_are_judged_alike(public: Path, data: st.DataObject) -> None:
    """One place of a real rule holds something else: a key is dropped, renamed or given another value."""
    paths = _paths(public)
    [document] = parse(data.draw(st.sampled_from(paths)).read_bytes())
    rule = document.value
    place, steps = rule, data.draw(st.integers(1, 4))
    for _ in range(steps):
        key = data.draw(st.sampled_from(sorted(place)))
        if not isinstance(place[key], dict) or not place[key]:
            break
        place = place[key]
    key = data.draw(st.sampled_from(sorted(place)))
    match data.draw(st.sampled_from(["drop", "value", "rename"])):
        case "drop":
            del place[key]
        case "value":
            place[key] = data.draw(VALUES | CONDITIONS)
        case _:
            place[f"{key}|{data.draw(ADDED)}"] = place.pop(key)
    if not excused(rule):
        assert (ours(copy.deepcopy(rule)) == "") == (theirs(rule) == ""), (ours(rule), theirs(rule))


def _paths(root: Path, known: dict[Path, list[Path]] = {}) -> list[Path]:  # noqa: B006  remembered on purpose
    if root not in known:
        known[root] = [one for one in rule_files(root, SIGMA) if isinstance(one, Path)]
    return known[root]


# -------------------------------------------------- correlations and filters

COUNTS = st.dictionaries(
    st.sampled_from(["gt", "gte", "lt", "lte", "eq", "neq", "field", "percentile", "odd"]), SCALARS, max_size=3
)
EXPRESSIONS = st.lists(st.sampled_from(["failed_login", "b", "and", "or", "not", "(", ")"]), max_size=6).map(" ".join)
CORRELATION_VALUES = (
    VALUES
    | COUNTS
    | EXPRESSIONS
    | st.sampled_from(["temporal", "TEMPORAL_ORDERED", "value_avg", "5M", "0s", ["a", "b"]])
)
CORRELATION_KEYS = st.sampled_from(["type", "rules", "group-by", "timespan", "condition", "aliases", "generate", "odd"])


def is_range(condition: Any) -> bool:
    return isinstance(condition, dict) and len(condition.keys() & {"gt", "gte", "lt", "lte"}) == 2


@given(st.dictionaries(CORRELATION_KEYS, CORRELATION_VALUES, max_size=3))
@settings(max_examples=500)
def test_a_correlation_that_we_accept_pysigma_accepts_but_for_ranges(changes: dict[str, Any]) -> None:
    value = value_of(CORRELATION)
    value["correlation"].update(changes)
    if ours(value) == "" and not is_range(value["correlation"]["condition"]):
        assert pysigma(value) == ""


@given(
    st.dictionaries(
        st.sampled_from(["rules", "selection", "condition"]),
        SELECTIONS | CONDITIONS | st.sampled_from(["any", ["a"], []]),
        max_size=2,
    )
)
def test_a_filter_that_we_accept_pysigma_accepts(changes: dict[str, Any]) -> None:
    value = value_of(FILTER)
    value["filter"].update(changes)
    if ours(value) == "":
        assert pysigma(value) == ""
