"""The plain Sigma evaluator, written from the specification: for reading, not for speed. It tries every item in turn.

A rule's detection becomes a tree of small objects with two methods: `holds(view)` says whether the event matches, and
`note(view, into)` adds the fields and values that did. The decisions where the specification is silent stand in
docs/sigma-decisions.md; D1, D2 … below name them.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import Any, Final, Protocol

from detectors.sigma import _condition
from detectors.sigma._scalars import PARTS, address_in, number_of
from detectors.sigma._texts import (
    PLACEHOLDER,
    TEXT,
    VARIANT_LIMIT,
    Draft,
    Expand,
    Wild,
    compiled,
    expansion,
    matcher,
    tokens_of,
)
from vonggac.event import fold
from vonggac.sigma.rulefile import At, RuleError
from vonggac.sigma.view import View, text_of

SHOWN: Final = 4_096  # characters of a value that `note` keeps


class Node(Protocol):
    """A part of a rule that an event matches or not."""

    def holds(self, view: View) -> bool:
        """Say whether the event matches."""
        ...

    def note(self, view: View, into: dict[str, Any]) -> None:
        """Add what matched, by the rule's field name; called only where `holds` was true."""
        ...


def compile_rule(detection: Any, expand: Expand) -> Node:
    """Compile the value of `detection:`; raises RuleError."""
    if not isinstance(detection, dict) or "condition" not in detection:
        raise RuleError(("detection",), "detection", "no condition")
    conditions = detection["condition"]
    selections = {
        name: _selection(value, ("detection", name), name, expand)
        for name, value in detection.items()
        if name not in ("condition", "timeframe")
    }
    if "timeframe" in detection:
        raise RuleError(("detection", "timeframe"), "condition", "timeframe was removed; write a correlation rule")
    listed = conditions if isinstance(conditions, list) else [conditions]
    if not listed or not all(isinstance(one, str) for one in listed):
        raise RuleError(("detection", "condition"), "condition", "a condition is text, or a list of texts")
    trees = []
    for number, one in enumerate(listed):
        at: At = ("detection", "condition", number) if isinstance(conditions, list) else ("detection", "condition")
        try:
            trees.append(_build(_condition.parse(one, selections), selections))
        except _condition.ConditionError as error:
            raise RuleError(at, "condition", str(error)) from error
    return trees[0] if len(trees) == 1 else Some(tuple(trees))


def _build(tree: _condition.Tree, selections: Mapping[str, Node]) -> Node:
    match tree:
        case _condition.Name(name):
            return selections[name]
        case _condition.Negation(inner):
            return Not(_build(inner, selections))
        case _condition.Junction(every, parts):
            return (Every if every else Some)(tuple(_build(part, selections) for part in parts))


def _selection(value: Any, at: At, name: str, expand: Expand) -> Node:
    """A map: AND of its items. A list: OR of its maps, or of its keywords. A plain value: a keyword."""
    if isinstance(value, dict):
        items = [_item(key, inner, (*at, key), name, expand) for key, inner in value.items()]
        if not items:
            raise RuleError(at, "detection", "a selection without items")
        return items[0] if len(items) == 1 else Every(tuple(items))
    if isinstance(value, list) and any(isinstance(one, dict | list) for one in value):
        return Some(tuple(_selection(one, (*at, number), name, expand) for number, one in enumerate(value)))
    return _item("", value, at, name, expand)


# ---------------------------------------------------------------- the tree


@dataclass(frozen=True, slots=True)
class Every:
    """AND."""

    parts: tuple[Node, ...]

    def holds(self, view: View) -> bool:
        """Say whether all parts match."""
        for part in self.parts:  # noqa: SIM110  a generator costs as much as a test
            if not part.holds(view):
                return False
        return True

    def note(self, view: View, into: dict[str, Any]) -> None:
        """Add what matched in each."""
        for part in self.parts:
            part.note(view, into)


@dataclass(frozen=True, slots=True)
class Some:
    """OR."""

    parts: tuple[Node, ...]

    def holds(self, view: View) -> bool:
        """Say whether one part matches."""
        for part in self.parts:  # noqa: SIM110
            if part.holds(view):
                return True
        return False

    def note(self, view: View, into: dict[str, Any]) -> None:
        """Add what matched in those that did."""
        for part in self.parts:
            if part.holds(view):
                part.note(view, into)


@dataclass(frozen=True, slots=True)
class Not:
    """NOT. What did not match has nothing to show."""

    inner: Node

    def holds(self, view: View) -> bool:
        """Say whether the inner one does not match."""
        return not self.inner.holds(view)

    def note(self, view: View, into: dict[str, Any]) -> None:
        """Add nothing."""


#: One value of an item against a field (None: keywords) of an event.
Test = Callable[[View, str | None], bool]


@dataclass(frozen=True, slots=True)
class Item:
    """`field|modifiers: values`: OR over the values, AND with `all`; each value true for any member of the field."""

    field: str | None
    shown_as: str
    tests: tuple[Test, ...]
    every: bool
    negated: bool  # by `neq`: the whole item (D1)

    def holds(self, view: View) -> bool:
        """Say whether the values match as the item links them."""
        field, every = self.field, self.every
        for test in self.tests:
            if test(view, field) is not every:  # this value decides
                return every is self.negated
        return every is not self.negated

    def note(self, view: View, into: dict[str, Any]) -> None:
        """Add the field's values, or the string that has the keyword."""
        if self.field is not None:
            values = view.values(self.field) or (None,)
            shown: Any = _shown(values[0]) if len(values) == 1 else [_shown(one) for one in values[:100]]
        else:  # a keyword: the first string that has one
            found = (one for one in view.strings() if any(test(view.only(one), None) for test in self.tests))
            shown = _shown(next(found, None))
        into[self.shown_as] = shown


def _shown(value: Any) -> Any:
    return value[:SHOWN] if isinstance(value, str) else value


# --------------------------------------------------------------- the items


def _item(key: str, value: Any, at: At, selection: str, expand: Expand) -> Node:
    name, *modifiers = key.split("|")
    for one in modifiers:
        if one not in MODIFIERS:
            raise RuleError(at, "modifier", f"unknown modifier {one!r}; known: {', '.join(sorted(MODIFIERS))}")
    values = value if isinstance(value, list) else [value]
    if not values:
        raise RuleError(at, "value", "an empty list of values")
    chain = tuple(one for one in modifiers if one not in _ABOUT_ITEM)
    tests = []
    for number, one in enumerate(values):
        here: At = (*at, number) if isinstance(value, list) else at
        if not isinstance(one, str | int | Decimal | None):
            raise RuleError(here, "value", "a value is text, a number, true, false or null")
        try:
            tests.append(_test(name or None, chain, one, "cased" in modifiers, expand))
        except ValueError as error:
            raise RuleError(here, "value", str(error)) from error
    return Item(name or None, name or selection, tuple(tests), "all" in modifiers, "neq" in modifiers)


def _test(field: str | None, chain: tuple[str, ...], value: Any, cased: bool, expand: Expand) -> Test:
    """Compile one value with the modifiers that shape it, in written order; raises ValueError."""
    first, rest = (chain[0], chain[1:]) if chain else ("", ())
    if field is None and (value is None or first in _FIELD_ONLY):
        msg = "null needs a field" if value is None else f"{first!r} needs a field"
        raise ValueError(msg)
    if first == "exists":
        return _exists(value, rest)
    if first in PARTS or first in _COMPARISONS:
        return _number_test(chain, value)
    if value is None or (not isinstance(value, str) and chain):
        if chain:
            msg = f"{first!r} takes text"
            raise ValueError(msg)
        return _is_null
    if not isinstance(value, str):
        if field is not None:
            return _equals(value)
        value = text_of(value) or ""
    if first == "re" or chain[:2] == ("expand", "re"):
        return _regex_test(value, [one for one in chain if one != "re"], expand)
    if first == "cidr":
        return _cidr_test(value, rest)
    if first == "fieldref":
        return _fieldref_test(value, rest, "exact" if cased else "fold")
    return _text_test(value, chain, cased, keyword=field is None, expand=expand)


def _is_null(view: View, field: str | None) -> bool:
    """Absent, null, a list with null or with nothing; the empty text of a Windows element (D4)."""
    values = view.values(field or "")
    return not values or any(one is None or (one == "" and view.empty_is_null) for one in values)


def _exists(wanted: Any, rest: Sequence[str]) -> Test:
    if not isinstance(wanted, bool) or rest:
        msg = "'exists' stands alone and takes true or false"
        raise ValueError(msg)
    return lambda view, field: (view.values(field or "") is not None) == wanted


# ----------------------------------------------------------------- numbers


def _equals(wanted: bool | int | Decimal) -> Test:
    """A number equals a number, and the text that writes it: 1 is `1` and "1", not "01", not "0x1" (D5)."""
    text = text_of(wanted)

    def test(view: View, field: str | None) -> bool:
        for one in view.values(field or "") or ():
            if isinstance(one, str):
                if one == text or (isinstance(wanted, bool) and fold(one) == text):
                    return True
            elif isinstance(one, bool) or isinstance(wanted, bool):
                if one is wanted:
                    return True
            elif isinstance(one, int | float) and number_of(one) == wanted:
                return True
        return False

    return test


def _number_test(chain: Sequence[str], wanted: Any) -> Test:
    """`lt`, `lte`, `gt`, `gte`; a part of a time, alone (equal) or before one of those."""
    part = PARTS.get(chain[0])
    compare: Callable[[Any, Any], bool] = _COMPARISONS.get(chain[-1], operator.eq)
    if len(chain) > (2 if part else 1) or (part and len(chain) == 2 and chain[1] not in _COMPARISONS):
        msg = f"{'|'.join(chain)!r} is no combination of modifiers"
        raise ValueError(msg)
    if isinstance(wanted, bool) or number_of(wanted) is None or isinstance(wanted, str):
        msg = f"{'|'.join(chain)!r} takes a number, not {wanted!r}"
        raise ValueError(msg)

    def test(view: View, field: str | None) -> bool:
        for one in view.values(field or "") or ():
            number = part(one) if part else number_of(one)
            if number is not None and compare(number, wanted):
                return True
        return False

    return test


# ------------------------------------------------- addresses, fields, regexes


def _cidr_test(value: str, rest: Sequence[str]) -> Test:
    network: IPv4Network | IPv6Network = ip_network(value)
    if rest:
        msg = "'cidr' takes no further modifiers"
        raise ValueError(msg)

    def test(view: View, field: str | None) -> bool:
        return any(address_in(one, network) for one in view.values(field or "") or ())

    return test


def _fieldref_test(other: str, rest: Sequence[str], form: str) -> Test:
    """Compare with the values of another field of the event; absent on either side is no match (D6)."""
    if set(rest) - set(_PLACES):
        msg = f"'fieldref' does not go with {rest[-1]!r}"
        raise ValueError(msg)
    compare = _PLACES[rest[-1]] if rest else str.__eq__

    def test(view: View, field: str | None) -> bool:
        wanted = view.texts(other, form)
        return any(compare(mine, its) for mine in view.texts(field, form) for its in wanted)

    return test


def _regex_test(pattern: str, chain: Sequence[str], expand: Expand) -> Test:
    flags = "".join(sorted({_FLAGS[one] for one in chain if one in _FLAGS}))
    if unknown := [one for one in chain if one not in _FLAGS and one != "expand"]:
        msg = f"'re' goes with i, m, s and expand, not with {unknown[0]!r}"
        raise ValueError(msg)
    if "expand" in chain:
        words = PLACEHOLDER.split(pattern)
        for at in range(1, len(words), 2):
            words[at] = f"(?:{'|'.join(re.escape(one) for one in expansion(words[at], expand))})"
        pattern = "".join(words).replace(r"\%", "%")
    search = compiled(f"(?{flags})(?:{pattern})" if flags else pattern)
    return lambda view, field: any(map(search, view.texts(field, "exact")))


def _text_test(value: str, chain: Sequence[str], cased: bool, *, keyword: bool, expand: Expand) -> Test:
    drafts = [Draft(tokens_of(value))]
    for name in chain:
        if (modify := TEXT.get(name)) is None:
            msg = f"{name!r} may not stand here"
            raise ValueError(msg)
        drafts = [new for draft in drafts for new in modify(draft, expand)]
        if len(drafts) > VARIANT_LIMIT:
            msg = f"stands for more than {VARIANT_LIMIT:,} texts"
            raise ValueError(msg)
    if any(draft.data is not None for draft in drafts):
        msg = "utf16 needs base64 or base64offset after it"
        raise ValueError(msg)
    if keyword and not {"startswith", "endswith"}.intersection(chain):  # keywords are searched for
        drafts = [replace(draft, tokens=(Wild.RUN, *draft.tokens, Wild.RUN)) for draft in drafts]
    tests = [matcher(draft, "exact" if cased else "fold") for draft in drafts]

    def test(view: View, field: str | None) -> bool:
        for form, match in tests:
            for text in view.texts(field, form):
                if match(text):
                    return True
        return False

    return test


# ------------------------------------------------------------------ tables

_COMPARISONS: Final[dict[str, Callable[[Any, Any], bool]]] = {
    "lt": operator.lt,
    "lte": operator.le,
    "gt": operator.gt,
    "gte": operator.ge,
}
_PLACES: Final[dict[str, Callable[[str, str], bool]]] = {
    "contains": str.__contains__,
    "startswith": str.startswith,
    "endswith": str.endswith,
}
_FLAGS: Final = {"i": "i", "ignorecase": "i", "m": "m", "multiline": "m", "s": "s", "dotall": "s"}
_FIELD_ONLY: Final = frozenset(("exists", "fieldref", "cidr", *_COMPARISONS, *PARTS))
#: about the item as a whole, wherever they stand
_ABOUT_ITEM: Final = frozenset(("all", "neq", "cased"))
MODIFIERS: Final = frozenset((*TEXT, *PARTS, *_COMPARISONS, *_FLAGS, *_ABOUT_ITEM, "exists", "fieldref", "cidr", "re"))
