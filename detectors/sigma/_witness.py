"""A rule's detection as a formula over numbered atoms: its closure, and the atoms of which one must be true.

Negations are pushed down to the atoms. An atom that is not numbered (`fieldref`, a regular expression that any text
would start) counts as met on either side of a negation: the formula then says "perhaps", and the plain evaluator
decides.
"""

from __future__ import annotations

from collections.abc import Callable, Set
from dataclasses import dataclass

from detectors.sigma._atoms import Atom
from detectors.sigma.reference import Every, Item, Node, Not, Some

#: Say whether the formula holds, given the numbers of the true atoms.
Holds = Callable[[Set[int]], bool]
#: Number an item's atom: those of which one must be true; None = not numbered.
Numbering = Callable[[str | None, Atom], frozenset[int] | None]


@dataclass(frozen=True, slots=True)
class One:
    """One of the atoms is true (`wanted`), or none of them."""

    of: frozenset[int]
    wanted: bool


@dataclass(frozen=True, slots=True)
class Both:
    """AND; of nothing: true."""

    parts: tuple[Formula, ...]


@dataclass(frozen=True, slots=True)
class Either:
    """OR; of nothing: false."""

    parts: tuple[Formula, ...]


Formula = One | Both | Either
MET = Both(())


class Builder:
    """Builds the formula of one rule."""

    def __init__(self, number: Numbering) -> None:
        self._number = number
        #: whether an atom was left to the plain evaluator
        self.perhaps = False

    def formula(self, node: Node, wanted: bool = True) -> Formula:
        """Give the formula that is true where `node` matches (`wanted`), or does not."""
        if isinstance(node, Not):
            return self.formula(node.inner, not wanted)
        if isinstance(node, Every | Some):
            parts = [self.formula(part, wanted) for part in node.parts]
            return _both(parts) if isinstance(node, Every) is wanted else _either(parts)
        if isinstance(node, Item):
            wanted = wanted is not node.negated
            parts = [self._atom(node.field, atom, wanted) for atom in node.atoms]
            return _both(parts) if node.every is wanted else _either(parts)
        self.perhaps = True
        return MET

    def _atom(self, field: str | None, atom: Atom, wanted: bool) -> Formula:
        numbers = self._number(field, atom)
        if numbers is None:
            self.perhaps = True
            return MET
        return One(numbers, wanted)


def _both(parts: list[Formula]) -> Formula:
    """AND, flat; what none of may be true is gathered into one set."""
    flat = [inner for part in parts for inner in (part.parts if isinstance(part, Both) else (part,))]
    never = [part.of for part in flat if isinstance(part, One) and not part.wanted]
    rest: list[Formula] = [part for part in flat if not isinstance(part, One) or part.wanted]
    if never:
        rest.append(One(frozenset[int]().union(*never), wanted=False))
    rest = list(dict.fromkeys(rest))
    return rest[0] if len(rest) == 1 else Both(tuple(rest))


def _either(parts: list[Formula]) -> Formula:
    """OR, flat; what one of must be true is gathered into one set."""
    flat = [inner for part in parts for inner in (part.parts if isinstance(part, Either) else (part,))]
    if MET in flat:
        return MET
    some = [part.of for part in flat if isinstance(part, One) and part.wanted]
    rest: list[Formula] = [part for part in flat if not isinstance(part, One) or not part.wanted]
    if some:
        rest.insert(0, One(frozenset[int]().union(*some), wanted=True))
    rest = list(dict.fromkeys(rest))
    return rest[0] if len(rest) == 1 else Either(tuple(rest))


def witness(formula: Formula, cost: Callable[[int], float]) -> tuple[float, frozenset[int]] | None:
    """Give the cheapest set of atoms of which one must be true, and how often that is; None = there is no such set."""
    if isinstance(formula, One):
        return (sum(map(cost, formula.of)), formula.of) if formula.wanted else None
    found = [witness(part, cost) for part in formula.parts]
    if isinstance(formula, Both):
        return min((one for one in found if one is not None), key=lambda one: one[0], default=None)
    each = [one for one in found if one is not None]
    if len(each) < len(found):
        return None
    return sum(one[0] for one in each), frozenset[int]().union(*(one[1] for one in each))


def closure(formula: Formula) -> Holds:
    """Compile a formula; sets do the work, in C."""
    if isinstance(formula, One):
        if not formula.wanted:
            return formula.of.isdisjoint
        if len(formula.of) == 1:
            [only] = formula.of
            return lambda true: only in true
        apart = formula.of.isdisjoint
        return lambda true: not apart(true)
    if isinstance(formula, Either):
        return _any([closure(part) for part in formula.parts])
    single = [
        next(iter(part.of)) for part in formula.parts if isinstance(part, One) and part.wanted and len(part.of) == 1
    ]
    parts: list[Holds] = [frozenset(single).issubset] if single else []
    rest = [part for part in formula.parts if not (isinstance(part, One) and part.wanted and len(part.of) == 1)]
    parts += [closure(part) for part in sorted(rest, key=lambda part: not isinstance(part, One))]
    return parts[0] if len(parts) == 1 else _all(parts)


def _all(parts: list[Holds]) -> Holds:
    if len(parts) == 2:
        first, second = parts
        return lambda true: first(true) and second(true)

    def holds(true: Set[int]) -> bool:
        for part in parts:  # noqa: SIM110  a generator costs as much as a part
            if not part(true):
                return False
        return True

    return holds


def _any(parts: list[Holds]) -> Holds:
    def holds(true: Set[int]) -> bool:
        for part in parts:  # noqa: SIM110
            if part(true):
                return True
        return False

    return holds
