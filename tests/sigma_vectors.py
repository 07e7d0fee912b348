"""What small vectors of Sigma share: an item compiled by the reference, an event's fields, whether it matches."""

from __future__ import annotations

from typing import Any

import pytest

from detectors.sigma.reference import Node, compile_rule
from vonggac.sigma.rulefile import RuleError, parse
from vonggac.sigma.view import View
from vonggac.testing import make_event


def rule(text: str, **expand: list[str]) -> Node:
    """Compile what stands below `detection:`; a lone item is wrapped into a selection."""
    if "condition:" not in text:
        lines = "".join(f"    {line}\n" for line in text.splitlines())
        text = f"  s:\n{lines}  condition: s\n"
    [document] = parse(f"detection:\n{text}".encode())
    return compile_rule(document.value["detection"], expand)


def event(fields: dict[str, Any]) -> View:
    return View(make_event({"json": fields}))


def windows(**data: Any) -> View:
    return View(make_event({"winlog": {"Event": {"System": {"Channel": "System"}, "EventData": data}}}))


def holds(text: str, value: Any, **expand: list[str]) -> bool:
    """Try an item on field F against one value of F."""
    return rule(text, **expand).holds(event({"F": value}))


def refusal(text: str, **expand: list[str]) -> str:
    with pytest.raises(RuleError) as caught:
        rule(text, **expand)
    return caught.value.reason
