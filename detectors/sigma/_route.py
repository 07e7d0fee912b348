"""The rules of one combination of log sources: from an event's fields to the rules that match it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from detectors.sigma._compile import Compiled
from detectors.sigma._index import Field
from detectors.sigma._load import Rule
from vonggac.sigma.view import View

#: what all caches together may hold, counted in characters of values and 100 an entry
BUDGET: Final = 60_000_000
VALUE_LIMIT: Final = 2_000  # characters of a value that is remembered
ROUND: Final = 2_048  # events after which a cache's worth is judged
HOLIDAY: Final = 16  # rounds for which a cache that was not worth it stands still


class Budget:
    """Counts what all routes' caches hold together."""

    def __init__(self) -> None:
        self._held = 0

    def take(self, size: int) -> None:
        """Count an entry."""
        self._held += size

    def spent(self) -> bool:
        """Say whether it is time to forget everything."""
        return self._held > BUDGET

    def clear(self) -> None:
        """Start again, all caches being empty."""
        self._held = 0


class Class:
    """What a field's value amounts to on a route: the true atoms, and the rules that these announce."""

    __slots__ = ("atoms", "rules")

    def __init__(self, atoms: frozenset[int], rules: frozenset[int]) -> None:
        self.atoms = atoms
        self.rules = rules


class Column:
    """One field of a route."""

    __slots__ = (
        "_announce",
        "_budget",
        "_classes",
        "_field",
        "_mask",
        "_null",
        "_rest",
        "absent",
        "cache",
        "misses",
        "name",
    )

    def __init__(
        self,
        name: str | None,
        field: Field,
        mask: frozenset[int],
        announce: dict[int, frozenset[int]],
        null: bool,
        budget: Budget,
    ) -> None:
        self.name = name
        self._field = field
        self._mask = mask
        self._announce = announce
        self._null = null
        self._budget = budget
        self._classes: dict[frozenset[int], Class] = {}
        #: text -> class
        self.cache: dict[str, Class] = {}
        self.misses = 0
        self._rest = 0
        #: the class of an event without the field
        self.absent = self._class(field.absent())

    def judge(self) -> None:
        """Once a round: stop remembering where values do not recur, try again later."""
        if self._rest:
            self._rest -= 1
        elif self.misses * 2 > ROUND:
            self._rest = HOLIDAY
        self.misses = 0

    def of(self, values: Sequence[object]) -> Class:
        """Give the class of a field's values."""
        self.misses += 1
        made = self._class(self._field.of_values(values, self._null))
        if not self._rest and len(values) == 1:
            value = values[0]
            if type(value) is str and len(value) <= VALUE_LIMIT:
                self.cache[value] = made
                self._budget.take(100 + len(value))
        return made

    def of_strings(self, strings: Sequence[str]) -> Class:
        """Give the class of the keywords in the strings of an event."""
        found: set[int] = set()
        for one in strings:
            found.update(self._field.of_string(one))
        return self._class(found)

    def _class(self, found: Sequence[int] | set[int]) -> Class:
        atoms = self._mask.intersection(found)
        known = self._classes.get(atoms)
        if known is None:
            rules = frozenset[int]().union(*(self._announce[one] for one in atoms if one in self._announce))
            known = self._classes[atoms] = Class(atoms, rules)
            self._budget.take(300 + 64 * len(atoms))
        return known


_Answer = tuple[tuple[Rule, bool], ...]


class Route:
    """The rules that can apply, the fields that they look at, and the caches over those."""

    def __init__(self, compiled: Compiled, numbers: Sequence[int], windows: bool, budget: Budget) -> None:
        self._plans = compiled.plans
        self._budget = budget
        announce: dict[int, set[int]] = {}
        masks: set[int] = set()
        fields: set[str | None] = set()
        opened = set()
        for number in numbers:
            plan = compiled.plans[number]
            masks |= plan.atoms
            fields |= plan.fields
            if plan.witness is None:
                opened.add(number)
            for atom in plan.witness or ():
                announce.setdefault(atom, set()).add(number)
        mask = frozenset(masks)
        announced = {atom: frozenset(rules) for atom, rules in announce.items()}
        self._open = frozenset(opened)
        made = {
            name: Column(name, compiled.fields[name], mask, announced, windows, budget)
            for name in sorted(fields, key=str)
        }
        self._keywords = made.pop(None, None)
        self._columns = [(column.name or "", column.cache.get, column) for column in made.values()]
        self._answers: dict[tuple[Class, ...], _Answer] = {}
        self._events = 0
        self._rest = 0
        self._misses = 0

    def rules_of(self, view: View) -> Sequence[Rule]:
        """Give the rules that match, in their order."""
        signature = []
        values_of = view.values
        for name, cached, column in self._columns:
            values = values_of(name)
            if values is None:
                signature.append(column.absent)
                continue
            if len(values) == 1 and type(values[0]) is str:
                known = cached(values[0])
                if known is not None:
                    signature.append(known)
                    continue
            signature.append(column.of(values))
        if self._keywords is not None:
            signature.append(self._keywords.of_strings(view.strings()))
        key = tuple(signature)
        answer = self._answers.get(key)
        if answer is None:
            answer = self._answer(key)
        self._events += 1
        if self._events >= ROUND:
            self._judge()
        if not answer:
            return ()
        return [rule for rule, perhaps in answer if not perhaps or rule.node.holds(view)]

    def _answer(self, signature: tuple[Class, ...]) -> _Answer:
        """Work out which rules match a signature, for sure or perhaps."""
        self._misses += 1
        true: set[int] = set()
        candidates = set(self._open)
        for one in signature:
            true |= one.atoms
            candidates |= one.rules
        plans = self._plans
        hits = sorted(number for number in candidates if plans[number].holds(true))
        answer = tuple((plans[number].rule, plans[number].perhaps) for number in hits)
        if not self._rest:
            self._answers[signature] = answer
            self._budget.take(200 + 8 * len(signature))
        return answer

    def _judge(self) -> None:
        """Once a round: weigh each cache, and forget all of them when together they hold too much."""
        self._events = 0
        for _, _, column in self._columns:
            column.judge()
        if self._rest:
            self._rest -= 1
        elif self._misses * 2 > ROUND:
            self._rest = HOLIDAY
        self._misses = 0
