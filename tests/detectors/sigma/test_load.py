"""Rule files into rules: what runs, and what is refused with file, line and reason."""

from __future__ import annotations

import contextlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from detectors.sigma._load import Problem, Rule, pointer, rule_of, rules_of
from vonggac.event import LogSource
from vonggac.sigma.rulefile import RuleError, RuleFileError, parse

RULE = """\
title: Odd service
id: 0b1f0a4e-6f0e-4d3c-9a55-9f6a6f1f1a01
status: test
level: high
date: 2026-03-01
tags:
    - attack.persistence
    - attack.t1543.003
logsource:
    product: windows
    service: system
detection:
    selection:
        EventID: 7045
        ServiceName|startswith: odd
    condition: selection
"""

#: each line names the one before it nine times
BOMB = "a: &a [x, x]\n" + "".join(
    f"{own}: &{own} [{', '.join(['*' + before] * 9)}]\n" for before, own in zip("abcdefg", "bcdefgh", strict=True)
)


def load(tmp_path: Path, text: str | bytes, *, strict: bool = False, **expand: list[str]) -> list[Rule | Problem]:
    file = tmp_path / "rule.yml"
    file.write_bytes(text if isinstance(text, bytes) else text.encode())
    return list(rules_of(file, "mine", expand, strict=strict))


def problem(tmp_path: Path, text: str | bytes, *, strict: bool = True) -> tuple[int, str, str]:
    [one] = load(tmp_path, text, strict=strict)
    assert isinstance(one, Problem)
    assert "\n" not in one.reason
    return one.line, one.at, one.reason


def test_a_rule_and_what_an_alert_says_of_it(tmp_path: Path) -> None:
    [one] = load(tmp_path, RULE)
    assert isinstance(one, Rule)
    assert (one.ref.id, one.ref.name, one.ref.level) == ("0b1f0a4e-6f0e-4d3c-9a55-9f6a6f1f1a01", "Odd service", "high")
    assert (one.ref.ruleset, one.ref.techniques, one.ref.tactics) == ("mine", ("T1543.003",), ("TA0003",))
    assert one.source == LogSource("windows", None, "system")
    assert (one.path, one.line) == (str(tmp_path / "rule.yml"), 1)


def test_the_version_is_a_digest_of_the_rules_own_text(tmp_path: Path) -> None:
    [alone] = load(tmp_path, RULE)
    [same, other] = load(tmp_path, RULE + "---\n" + RULE.replace("odd", "strange"))
    assert isinstance(alone, Rule)
    assert isinstance(same, Rule)
    assert isinstance(other, Rule)
    assert alone.ref.version == same.ref.version != other.ref.version
    assert other.line == 18


@pytest.mark.parametrize(
    ("old", "new", "line", "at", "said"),
    [
        ("startswith: odd", "beginswith: odd", 15, "/detection/selection/ServiceName|beginswith", "Unknown modifier"),
        ("startswith: odd", "re: '(?=x)'", 15, "/detection/selection/ServiceName|re", "RE2 refuses"),
        ("startswith: odd", "re: '['", 15, "/detection/selection/ServiceName|re", "RE2 refuses"),
        ("startswith: odd", "expand: '%odd%'", 15, "/detection/selection/ServiceName|expand", "%odd% has no list"),
        ("startswith: odd", "cidr: 10.0.0.1/8", 15, "/detection/selection/ServiceName|cidr", "host bits"),
        ("startswith: odd", "wide: odd", 15, "/detection/selection/ServiceName|wide", "needs base64"),
        ("condition: selection", "condition: selection and", 16, "/detection/condition", "condition ends"),
        ("condition: selection", "condition: nope", 16, "/detection/condition", "no selection named 'nope'"),
        ("level: high", "level: extreme", 4, "/level", "extreme"),
        ("title: Odd service", "name: x", 1, "/title", "title"),
        ("id: 0b1f0a4e-6f0e-4d3c-9a55-9f6a6f1f1a01", "id: 17", 2, "/id", "id must be text"),
        ("id: 0b1f0a4e-6f0e-4d3c-9a55-9f6a6f1f1a01", "id: abc", 2, "/id", "UUID"),
        ("status: test", "status: unsupported", 3, "/status", "unsupported"),
        ("status: test", "taxonomy: ecs", 3, "/taxonomy", "taxonomy 'ecs'"),
        ("status: test", "correlation: {type: event_count}", 3, "/correlation", "correlation rules are not run yet"),
        ("status: test", "filter: {rules: any}", 3, "/filter", "filter documents are not applied yet"),
        ("status: test", "action: global", 3, "/action", "write one document a rule"),
        ("status: test", "level: low", 4, "", "key 'level' stands twice"),
        ("    product: windows\n    service: system\n", "    x: y\n", 9, "/logsource", "empty"),
    ],
)
def test_refused_with_line_and_reason(tmp_path: Path, old: str, new: str, line: int, at: str, said: str) -> None:
    found = problem(tmp_path, RULE.replace(old, new))
    assert said.lower() in found[2].lower()
    assert found[:2] == (line, at)


@pytest.mark.parametrize(
    ("text", "line", "said"),
    [
        (b"\xff\xfe", 1, "not UTF-8"),
        ("a: b: c", 1, "bad YAML"),
        ("a: !!python/object/apply:os.system [x]", 1, "YAML tag"),
        ("- a\n- b\n", 1, "a rule is a map"),
        ("", 1, "no document"),
        ("title: x\n", 1, "log source"),
        ("x: " + "y" * (1 << 20), 1, "above the limit"),
        (BOMB, 6, "aliases"),
    ],
)
def test_what_is_no_rule_file(tmp_path: Path, text: str | bytes, line: int, said: str) -> None:
    found = problem(tmp_path, text)
    assert said in found[2]
    assert found[0] == line


def test_yaml_that_is_no_sigma_is_passed_over_in_a_pack(tmp_path: Path) -> None:
    assert load(tmp_path, "logsources: {}\n---\njobs: []\n") == []


def test_one_bad_document_does_not_stop_the_next(tmp_path: Path) -> None:
    [bad, good] = load(tmp_path, RULE.replace("high", "extreme") + "---\n" + RULE)
    assert isinstance(bad, Problem)
    assert isinstance(good, Rule)


def test_a_rule_without_id_has_one_that_its_text_does_not_change(tmp_path: Path) -> None:
    bare = RULE.replace("id: 0b1f0a4e-6f0e-4d3c-9a55-9f6a6f1f1a01\n", "")
    [one], [two] = load(tmp_path, bare), load(tmp_path, bare.replace("odd", "strange"))
    assert isinstance(one, Rule)
    assert isinstance(two, Rule)
    assert one.ref.id == two.ref.id
    [named] = load(tmp_path, bare + "name: odd_service\n")
    assert isinstance(named, Rule)
    assert named.ref.id == "odd_service"


def test_decimals_and_utf16_pass_pysigma(tmp_path: Path) -> None:
    text = RULE.replace("EventID: 7045", "Size|gt: 1.5\n        Data|utf16le|base64offset|contains: Đạt")
    [one] = load(tmp_path, text)
    assert isinstance(one, Rule)


def test_pointers() -> None:
    assert pointer(("detection", "s", "a/b~c", 0)) == "/detection/s/a~1b~0c/0"


SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)
KEYS = st.sampled_from(
    ["title", "id", "level", "status", "tags", "date", "logsource", "detection", "related", "author"]
)


@given(KEYS, VALUES)
def test_a_rule_of_any_values_is_a_rule_or_refused(key: str, value: object) -> None:
    import json

    [document] = parse(RULE.encode())
    document.value[key] = value
    with contextlib.suppress(RuleError, RuleFileError):
        [again] = parse(json.dumps(document.value).encode())
        assert rule_of(again, "x.yml", "mine", {})


@given(st.binary(max_size=200))
def test_arbitrary_bytes_are_documents_or_refused(data: bytes) -> None:
    with contextlib.suppress(RuleFileError):
        parse(data)
