"""`correlation:` judged: type, rules, window, condition; stricter than pySigma where that loads what cannot fire."""

from __future__ import annotations

import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Final, NoReturn

from detectors.sigma import _condition
from detectors.sigma._frame import frame_of
from detectors.sigma._shapes import CorrelationDocument, Criterion
from vonggac.sigma.rulefile import RuleError

SECONDS_LIMIT: Final = 10 * 31_556_952  # a window of more than ten years is a slip of the pen


def correlation_of(value: Mapping[str, Any], version: str, line: int, number: int) -> CorrelationDocument:
    """Judge a correlation document; raises RuleError."""
    frame = frame_of(value)
    found = value["correlation"]
    if not isinstance(found, dict):
        _refuse("", "a correlation is a map")
    kind = found.get("type")
    if not isinstance(kind, str) or (kind := kind.lower()) not in TYPES:
        _refuse("type", f"type {str(kind)[:80]!r} is not one of {', '.join(TYPES)}")
    temporal = kind in ("temporal", "temporal_ordered")
    rules = _texts(found, "rules")
    condition = found.get("condition")
    expression: str | None = None
    criteria: tuple[Criterion, ...] = ()
    fields: tuple[str, ...] = ()
    percentile: int | None = None
    if isinstance(condition, str):
        if not temporal:
            _refuse("condition", "a condition of text is for temporal and temporal_ordered")
        expression, rules = condition, _expression(condition, rules)
    elif isinstance(condition, dict):
        criteria, fields, percentile = _criteria(condition, kind)
    elif condition is not None:
        _refuse("condition", "a condition is a map as `gte: 10`, or text over rule names")
    elif not temporal:
        _refuse("", f"{kind} needs a condition")
    if not rules:
        _refuse("rules" if "rules" in found else "", "no rules to correlate")
    generate = found.get("generate")
    if generate is not None and not isinstance(generate, bool):
        _refuse("generate", "generate is true or false")
    return CorrelationDocument(
        frame=frame,
        kind=kind,
        rules=rules,
        group_by=_texts(found, "group-by"),
        seconds=_seconds(found.get("timespan")),
        criteria=criteria,
        expression=expression,
        fields=fields,
        percentile=percentile,
        aliases=_aliases(found.get("aliases")),
        generate=bool(generate),
        version=version,
        line=line,
        number=number,
    )


def _refuse(key: str, reason: str) -> NoReturn:
    raise RuleError(("correlation", key) if key else ("correlation",), "correlation", reason)


def _texts(found: Mapping[str, Any], key: str) -> tuple[str, ...]:
    """A text, or a list of texts; each once."""
    value = found.get(key)
    if value is None:
        return ()
    listed = value if isinstance(value, list) else [value]
    if not all(isinstance(one, str) and one for one in listed):
        _refuse(key, f"{key} is a text or a list of texts")
    return tuple(dict.fromkeys(listed))


def _expression(text: str, rules: tuple[str, ...]) -> tuple[str, ...]:
    """Judge `a and b and not c`; give the rules, those that it names where no list was given."""
    words = [one for one in _WORD.findall(text) if one not in ("and", "or", "not")]
    named = tuple(dict.fromkeys(words))
    if "of" in named:
        _refuse("condition", "`of` is for selections; a correlation names its rules")
    try:
        _condition.parse(text, frozenset(named))
    except _condition.ConditionError as error:
        raise RuleError(("correlation", "condition"), "correlation", str(error)) from error
    if rules and (odd := sorted(set(rules) ^ set(named))):
        reason = f"rules that stand only in the list or only in the condition: {', '.join(odd)[:200]}"
        _refuse("condition", reason)
    return rules or named


def _criteria(condition: Mapping[str, Any], kind: str) -> tuple[tuple[Criterion, ...], tuple[str, ...], int | None]:
    """One criterion, or a range of a lower and an upper bound; `field` and `percentile` beside it."""
    if odd := [key for key in condition if key not in OPERATORS and key not in ("field", "percentile")]:
        _refuse("condition", f"condition has no {odd[0][:80]!r}, only {', '.join(OPERATORS)}, field, percentile")
    given = tuple(key for key in OPERATORS if key in condition)
    if len(given) != 1 and given not in _RANGES:
        _refuse("condition", f"a condition is one of {', '.join(OPERATORS)}, or a range as `gt: 1` and `lte: 9`")
    criteria = tuple(Criterion(key, _number(condition[key])) for key in given)
    fields = condition.get("field")
    listed = () if fields is None else fields if isinstance(fields, list) else (fields,)
    if not all(isinstance(one, str) and one for one in listed):
        _refuse("condition", "field is a text or a list of texts")
    if kind.startswith("value_") and not listed:
        _refuse("condition", f"{kind} needs a field inside its condition")
    if len(listed) > 1 and kind != "value_count":
        _refuse("condition", "only value_count takes several fields")
    percentile = condition.get("percentile")
    if percentile is not None:
        exact = int(_number(percentile)) if "." not in _number(percentile) else -1
        if not 0 <= exact <= 100:
            _refuse("condition", "percentile is a whole number from 0 to 100")
        percentile = exact
    return criteria, tuple(listed), percentile


def _number(value: Any) -> str:
    """Give the text of a plain number, which may be quoted."""
    if isinstance(value, int | Decimal) and not isinstance(value, bool):
        return format(value, "f" if isinstance(value, Decimal) else "d")
    if isinstance(value, str) and _DIGITS.fullmatch(value):
        return value
    _refuse("condition", f"{str(value)[:80]!r} is no number")


def _seconds(value: Any) -> int:
    parts = _SPAN.fullmatch(value) if isinstance(value, str) else None
    if parts is None:
        _refuse("timespan" if value is not None else "", "timespan is a number and one of s, m, h, d, w, M, y")
    seconds = int(parts[1]) * _UNITS[parts[2]]
    if not 0 < seconds <= SECONDS_LIMIT:
        _refuse("timespan", f"timespan {value} is not above zero and up to ten years")
    return seconds


def _aliases(value: Any) -> dict[str, dict[str, str]]:
    if value is None:
        return {}
    if not isinstance(value, dict):
        _refuse("aliases", "aliases is a map of maps, from rule to field")
    for alias, fields in value.items():
        if not isinstance(fields, dict) or not all(isinstance(one, str) and one for one in fields.values()):
            _refuse("aliases", f"alias {alias[:80]!r} is a map from rule to field")
    return value


TYPES: Final = (
    "event_count",
    "value_count",
    "temporal",
    "temporal_ordered",
    "value_sum",
    "value_avg",
    "value_percentile",
    "value_median",
)
OPERATORS: Final = ("gt", "gte", "lt", "lte", "eq", "neq")
_RANGES: Final = frozenset((lower, upper) for lower in ("gt", "gte") for upper in ("lt", "lte"))
_WORD: Final = re.compile(r"[^\s()]+")
_DIGITS: Final = re.compile(r"[0-9]{1,38}")
_SPAN: Final = re.compile(r"([0-9]{1,9})([smhdwMy])")
#: as pySigma has them: a month is a twelfth of a mean year
_UNITS: Final = {"s": 1, "m": 60, "h": 3_600, "d": 86_400, "w": 604_800, "M": 2_629_746, "y": 31_556_952}
