"""The reference and the fast engine side by side: rules made by hand, judged by both, and what they agree on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from detectors.sigma import Sigma
from detectors.sigma._load import Rule
from detectors.sigma.engine import Engine
from detectors.sigma.reference import compile_rule
from vonggac.event import Event, LogSource, RuleRef
from vonggac.sigma.rulefile import parse


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
