"""Sigma documents judged without pySigma: a rule, correlation or filter in its typed form, or RuleError with its place.

What is accepted and refused is what pySigma 1.5 and our own compiler accept and refuse together; a test holds it to
that over all public rules and their mutants, and lists the differences. What depends on settings (lists for `expand`)
is left to the engine; `placeholders` names what it needs.
"""

from __future__ import annotations

from typing import Any, Final, Protocol

from detectors.sigma._correlations import correlation_of
from detectors.sigma._detections import detection_of, plain
from detectors.sigma._frame import frame_of, source_of
from detectors.sigma._shapes import (
    CorrelationDocument,
    Criterion,
    Detection,
    Document,
    Every,
    Fault,
    FilterDocument,
    Frame,
    Item,
    Related,
    RuleDocument,
    Selection,
    Some,
    Source,
    Value,
    decode,
    encode,
)
from vonggac.event import digest
from vonggac.sigma.rulefile import At, RuleError

__all__ = (
    "CorrelationDocument",
    "Criterion",
    "Detection",
    "Document",
    "Every",
    "Fault",
    "FilterDocument",
    "Frame",
    "Item",
    "Related",
    "RuleDocument",
    "Selection",
    "Some",
    "Source",
    "Value",
    "decode",
    "document_of",
    "encode",
    "is_sigma",
    "plain",
    "pointer",
)


class Parsed(Protocol):
    """A YAML document, from vonggac.sigma.rulefile or vonggac.sigma.quick."""

    @property
    def value(self) -> Any:
        """Its value."""

    @property
    def text(self) -> str:
        """Its text."""

    @property
    def line(self) -> int:
        """Its first line."""


def is_sigma(value: Any) -> bool:
    """Say whether a YAML document claims to be Sigma; a pack's own settings do not."""
    return isinstance(value, dict) and not SIGMA.isdisjoint(value)


def document_of(parsed: Parsed, number: int = 0) -> Document:
    """Judge a document, the `number`th of its file; raises RuleError."""
    value = parsed.value
    if not isinstance(value, dict):
        raise RuleError((), "document", "a rule is a map")
    if "action" in value:
        reason = "`action` (collections of Sigma 1.0) was removed; write one document a rule"
        raise RuleError(("action",), "action", reason)
    kinds = [key for key in KINDS if key in value]
    if len(kinds) > 1:
        raise RuleError((kinds[1],), "document", f"a document is one of {' and '.join(kinds)}, not both")
    kind = kinds[0] if kinds else "detection"
    version = digest(parsed.text)
    if kind == "correlation":
        return correlation_of(value, version, parsed.line, number)
    frame = frame_of(value)
    source = source_of(value)
    if kind == "filter":
        rules = _filtered(value)
        detection = detection_of(value, "filter", ("rules",))
        return FilterDocument(frame, source, rules, detection, version, parsed.line, number)
    return RuleDocument(frame, source, detection_of(value, "detection"), version, parsed.line, number)


def pointer(at: At) -> str:
    """Give a JSON pointer: `/detection/selection/Image`."""
    return "".join(f"/{str(part).replace('~', '~0').replace('/', '~1')}" for part in at)


def _filtered(value: dict[str, Any]) -> tuple[str, ...] | None:
    """Give the rules that a filter is for; None where it says `any`, or an empty list as pySigma reads it."""
    found = value["filter"]
    if not isinstance(found, dict):
        raise RuleError(("filter",), "filter", "a filter is a map")
    rules = found.get("rules")
    if rules is None:
        raise RuleError(("filter",), "filter", "no rules: a filter names its rules, or says `any`")
    listed = rules if isinstance(rules, list) else [rules]
    if not all(isinstance(one, str) and one for one in listed):
        raise RuleError(("filter", "rules"), "filter", "rules is `any`, or ids and names of rules")
    if isinstance(found.get("condition"), list):
        raise RuleError(("filter", "condition"), "filter", "a filter has one condition, a text")
    return None if not listed or (isinstance(rules, str) and rules.lower() == "any") else tuple(listed)


KINDS: Final = ("correlation", "filter", "detection")
SIGMA: Final = frozenset((*KINDS, "logsource"))
