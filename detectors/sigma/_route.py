"""The rules of one combination of log sources: from an event's fields to the rules that match it.

Where a Windows event's values stand depends on the keys that it has alone, so for each such *shape* a plan says which
keys to take; the columns of absent fields then cost nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from operator import getitem, itemgetter
from typing import Any, Final

from detectors.sigma import _columns
from detectors.sigma._columns import Budget, Class, Column, Texts, Worth
from detectors.sigma._compile import Compiled
from detectors.sigma._load import Rule
from vonggac.sigma.names import Windows
from vonggac.sigma.view import View

PLAN_LIMIT: Final = 512  # shapes of events remembered, a route

#: the rules that match, in their order; True: the plain evaluator must agree
_Answer = tuple[tuple[Rule, bool], ...]
_Take = Callable[[Mapping[str, Any]], tuple[Any, ...]]


class _Plan:
    """How to read the events of one shape, and what their signatures mean."""

    __slots__ = ("answers", "asked", "atoms", "data", "header", "rules", "take_data", "take_header")

    def __init__(self, columns: Iterable[Column], windows: Windows | None, opened: frozenset[int]) -> None:
        places: dict[str, list[tuple[str, Texts]]] = {"header": [], "data": []}
        self.asked: list[Column] = []
        self.atoms: set[int] = set()  # of absent fields
        self.rules = set(opened)
        for column in columns:
            place, key = windows.place(column.name) if windows is not None else ("ask", "")
            if place == "ask":
                self.asked.append(column)
            elif place == "absent":
                self.atoms |= column.absent.atoms
                self.rules |= column.absent.rules
            else:
                places[place].append((key, column.cache))
        self.take_header, self.header = _taking(places["header"])
        self.take_data, self.data = _taking(places["data"])
        self.answers: dict[tuple[Class, ...], _Answer] = {}


def _taking(places: Sequence[tuple[str, Texts]]) -> tuple[_Take, list[Texts]]:
    """Give a function that takes the values of some keys, and the cache of each."""
    keys = [key for key, _ in places]
    if len(keys) == 1:
        [key] = keys
        return lambda doc: (doc[key],), [places[0][1]]
    return itemgetter(*keys) if keys else lambda _: (), [cache for _, cache in places]


class Route:
    """The rules that can apply, the fields that they look at, and the caches over those."""

    def __init__(self, compiled: Compiled, numbers: Sequence[int], windows: bool, budget: Budget) -> None:
        self._compiled = compiled.plans
        self._budget = budget
        announce: dict[int, set[int]] = {}
        masks: set[int] = set()
        fields: set[str] = set()
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
        self._columns = [
            Column(name, compiled.fields[name], mask, announced, windows, budget) for name in sorted(fields)
        ]
        keywords = compiled.keywords.field(mask)
        self._keywords = Column("", keywords, mask, announced, windows, budget) if keywords is not None else None
        self._any_shape = _Plan(self._columns, None, self._open)
        self._plans: dict[tuple[object, ...], _Plan] = {}
        self._events = 0
        self._signatures = Worth()
        self._shapes = Worth()

    def rules_of(self, view: View) -> Sequence[Rule]:
        """Give the rules that match, in their order."""
        self._events += 1
        if self._events >= _columns.ROUND:
            self._judge()
        windows = view.windows
        plan = self._any_shape
        classes: list[Class] = []
        if windows is not None and (shape := windows.shape()) is not None:
            found = self._plans.get(shape)
            if found is None:
                found = self._plan(windows, shape)
            header, data = windows.parts()
            heads = found.take_header(header)
            if None not in heads:
                try:
                    classes = [*map(getitem, found.header, heads), *map(getitem, found.data, found.take_data(data))]
                    plan = found
                except TypeError:  # a list or an object: no plain value
                    classes = []
        for column in plan.asked:
            values = view.values(column.name)
            classes.append(column.absent if values is None else column.of(values))
        if self._keywords is not None:
            classes.append(self._keywords.of_strings(view.strings()))
        signature = tuple(classes)
        answer = plan.answers.get(signature)
        if answer is None:
            answer = self._answer(plan, signature)
        if not answer:
            return ()
        return [rule for rule, perhaps in answer if not perhaps or rule.node.holds(view)]

    def _plan(self, windows: Windows, shape: tuple[object, ...]) -> _Plan:
        self._shapes.misses += 1
        if self._shapes.resting:
            return self._any_shape
        made = _Plan(self._columns, windows, self._open)
        if len(self._plans) >= PLAN_LIMIT:
            self._plans.clear()
        self._plans[shape] = made
        self._budget.take(2_000)
        return made

    def _answer(self, plan: _Plan, signature: tuple[Class, ...]) -> _Answer:
        """Work out which rules match a signature, for sure or perhaps."""
        self._signatures.misses += 1
        true = plan.atoms.union(*(one.atoms for one in signature))
        candidates = plan.rules.union(*(one.rules for one in signature))
        plans = self._compiled
        hits = sorted(number for number in candidates if plans[number].holds(true))
        answer = tuple((plans[number].rule, plans[number].perhaps) for number in hits)
        if not self._signatures.resting:
            plan.answers[signature] = answer
            self._budget.take(200 + 8 * len(signature))
        return answer

    def _judge(self) -> None:
        """Once a round: weigh each cache."""
        self._events = 0
        for column in self._columns:
            column.worth.judge()
        self._signatures.judge()
        self._shapes.judge()
