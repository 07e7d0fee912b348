"""`detection:` judged: selections and conditions in their shapes, or the first fault with its place."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from detectors.sigma import _condition
from detectors.sigma._chains import chain_of, placeholders
from detectors.sigma._shapes import Detection, Every, Item, Selection, Some
from vonggac.sigma.rulefile import RuleError

UNFOLDED_LIMIT: Final = 16 << 20  # characters that a rule's encoded values may stand for; public rules' are up to 5,000


@dataclass(slots=True)
class _Reading:
    """What is gathered over one detection."""

    wanted: list[str] = field(default_factory=list)  # placeholders
    unfolded: int = 0

    def unfold(self, count: int) -> None:
        """Count characters of encoded values before they are made; raises ValueError above the limit."""
        self.unfolded += count
        if self.unfolded > UNFOLDED_LIMIT:
            msg = f"encoded values unfold to more than {UNFOLDED_LIMIT >> 20} MiB"
            raise ValueError(msg)


def detection_of(value: Mapping[str, Any], key: str, others: tuple[str, ...] = ()) -> Detection:
    """Judge the map under `key`; `others` are its keys beside `condition` that are no selections. Raises RuleError."""
    found = value.get(key)
    if not isinstance(found, dict) or "condition" not in found:
        raise RuleError((key,), key, f"no {key}" if found is None else "no condition")
    if "timeframe" in found:
        raise RuleError((key, "timeframe"), "condition", "timeframe was removed; write a correlation rule")
    reading = _Reading()
    selections: dict[str, Selection] = {}
    for name, inner in found.items():
        if name != "condition" and name not in others:
            try:
                selections[name] = _selection(inner, reading)
            except RuleError as error:
                raise RuleError((key, name, *error.at), error.kind, error.reason) from error.__cause__
    condition = found["condition"]
    listed = isinstance(condition, list)
    conditions = condition if listed else [condition]
    if not conditions or not all(isinstance(one, str) for one in conditions):
        raise RuleError((key, "condition"), "condition", "a condition is text, or a list of texts")
    for number, one in enumerate(conditions):
        try:
            _condition.parse(one, selections)
        except _condition.ConditionError as error:
            at = (key, "condition", number) if listed else (key, "condition")
            raise RuleError(at, "condition", str(error)) from error
    return Detection(selections, tuple(conditions), listed, tuple(dict.fromkeys(reading.wanted)))


def plain(detection: Detection) -> dict[str, Any]:
    """Give a detection as the document had it."""
    conditions: Any = list(detection.conditions) if detection.listed else detection.conditions[0]
    return {**{name: _plain(one) for name, one in detection.selections.items()}, "condition": conditions}


def _selection(value: Any, reading: _Reading) -> Selection:
    """A map: AND of its items. A list: OR of its maps, or of its keywords. A plain value: a keyword."""
    if isinstance(value, dict):
        if not value:
            raise RuleError((), "detection", "a selection without items")
        items = []
        for key, inner in value.items():
            try:
                items.append(_item(key, inner, reading))
            except RuleError as error:
                raise RuleError((key, *error.at), error.kind, error.reason) from error.__cause__
        return Every(tuple(items))
    if isinstance(value, list) and any(isinstance(one, dict | list) for one in value):
        parts = []
        for number, one in enumerate(value):
            try:
                parts.append(_selection(one, reading))
            except RuleError as error:
                raise RuleError((number, *error.at), error.kind, error.reason) from error.__cause__
        return Some(tuple(parts))
    return Every((_item(None, value, reading),))


def _item(key: str | None, value: Any, reading: _Reading) -> Item:
    name, *modifiers = (None,) if key is None else key.split("|")
    names = tuple(str(one) for one in modifiers)
    try:
        chain = chain_of(names, not name)
    except ValueError as error:
        raise RuleError((), "modifier", str(error)) from error
    listed = isinstance(value, list)
    values = value if listed else [value]
    if not values:
        raise RuleError((), "value", "an empty list of values")
    for number, one in enumerate(values):
        if isinstance(one, dict | list):
            raise RuleError((number,) if listed else (), "value", "a value is text, a number, true, false or null")
        if chain.refused or chain.tried:
            try:
                reading.unfold(chain.unfolded(one))
                chain.judge(one, keyword=not name)
            except ValueError as error:
                raise RuleError((number,) if listed else (), "value", str(error)) from error
        if chain.expands and isinstance(one, str):
            reading.wanted += placeholders(one)
    return Item(name, names, tuple(values), listed)


def _plain(one: Selection) -> Any:
    if isinstance(one, Some):
        return [_plain(part) for part in one.parts]
    if one.items[0].field is None:
        return _values(one.items[0])
    return {item.key: _values(item) for item in one.items}


def _values(item: Item) -> Any:
    return list(item.values) if item.listed else item.values[0]
