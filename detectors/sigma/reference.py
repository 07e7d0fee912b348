"""The plain Sigma evaluator, written from the specification: for reading, not for speed. It tries every item in turn.

A rule's detection becomes a tree of small objects with two methods: `holds(view)` says whether the event matches, and
`note(view, into)` adds the fields and values that did. The decisions where the specification is silent stand in
docs/sigma-decisions.md; D1, D2 … below name them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final, Protocol

from detectors.sigma import _condition
from detectors.sigma._atoms import ABOUT_ITEM, MODIFIERS, Atom, atom_of
from detectors.sigma._texts import Expand
from vonggac.sigma.rulefile import At, RuleError
from vonggac.sigma.view import View

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


@dataclass(frozen=True, slots=True)
class Item:
    """`field|modifiers: values`: OR over the values, AND with `all`; each value true for any member of the field."""

    field: str | None
    shown_as: str
    atoms: tuple[Atom, ...]
    every: bool
    negated: bool  # by `neq`: the whole item (D1)

    def holds(self, view: View) -> bool:
        """Say whether the values match as the item links them."""
        field, every = self.field, self.every
        for atom in self.atoms:
            if atom.test(view, field) is not every:  # this value decides
                return every is self.negated
        return every is not self.negated

    def note(self, view: View, into: dict[str, Any]) -> None:
        """Add the field's values, or the string that has the keyword."""
        if self.field is not None:
            values = view.values(self.field) or (None,)
            shown: Any = _shown(values[0]) if len(values) == 1 else [_shown(one) for one in values[:100]]
        else:  # a keyword: the first string that has one
            found = (one for one in view.strings() if any(atom.test(view.only(one), None) for atom in self.atoms))
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
    chain = tuple(one for one in modifiers if one not in ABOUT_ITEM)
    atoms = []
    for number, one in enumerate(values):
        here: At = (*at, number) if isinstance(value, list) else at
        if not isinstance(one, str | int | Decimal | None):
            raise RuleError(here, "value", "a value is text, a number, true, false or null")
        try:
            atoms.append(atom_of(name or None, chain, one, "cased" in modifiers, expand))
        except ValueError as error:
            raise RuleError(here, "value", str(error)) from error
    return Item(name or None, name or selection, tuple(atoms), "all" in modifiers, "neq" in modifiers)
