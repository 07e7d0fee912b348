"""One field on a route: from a value to its class, the set of true atoms, remembered where values recur."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from detectors.sigma._index import Field

#: what all caches together may hold, counted in characters of values and about 100 an entry
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


class Worth:
    """Whether a cache is worth it: not where more than half of a round's questions were new."""

    __slots__ = ("misses", "resting")

    def __init__(self) -> None:
        self.misses = 0
        self.resting = 0

    def judge(self) -> None:
        """End a round."""
        if self.resting:
            self.resting -= 1
        elif self.misses * 2 > ROUND:
            self.resting = HOLIDAY
        self.misses = 0


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
        "_numbers",
        "absent",
        "cache",
        "name",
        "worth",
    )

    def __init__(
        self,
        name: str,
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
        self._numbers: dict[tuple[type, Any], Class] = {}
        #: text -> class; asked for what it does not hold, it learns it
        self.cache = Texts(self)
        self.worth = Worth()
        #: the class of an event without the field
        self.absent = self._class(field.absent())

    def learn(self, value: Any) -> Class:
        """Give the class of one plain value that the cache does not hold."""
        if type(value) is str:
            self.worth.misses += 1
            made = self._class(self._field.of_values((value,), self._null))
            if not self.worth.resting and len(value) <= VALUE_LIMIT:
                self.cache[value] = made
                self._budget.take(150 + len(value))
            return made
        if value is None:  # an empty element of a Windows event is the empty text
            return self.cache[""]
        # 1, 1.0 and True are one key to a dict, and differ to a rule
        known = self._numbers.get((type(value), value))
        if known is None:
            self.worth.misses += 1
            known = self._class(self._field.of_values((value,), self._null))
            if not self.worth.resting:
                self._numbers[type(value), value] = known
                self._budget.take(300)
        return known

    def of(self, values: Sequence[Any]) -> Class:
        """Give the class of a field's values, as many as there are."""
        if len(values) == 1 and type(values[0]) is str:
            return self.cache[values[0]]
        return self._class(self._field.of_values(values, self._null))

    def of_strings(self, strings: Sequence[str]) -> Class:
        """Give the class of the keywords in the strings of an event."""
        return self._class(self._field.of_strings(strings))

    def _class(self, found: Sequence[int] | set[int]) -> Class:
        atoms = self._mask.intersection(found)
        known = self._classes.get(atoms)
        if known is None:
            rules = frozenset[int]().union(*(self._announce[one] for one in atoms if one in self._announce))
            known = self._classes[atoms] = Class(atoms, rules)
            self._budget.take(300 + 64 * len(atoms))
        return known


class Texts(dict[Any, Class]):
    """A column's texts; a dict so that looking up is C."""

    __slots__ = ("_column",)

    def __init__(self, column: Column) -> None:
        super().__init__()
        self._column = column

    def __missing__(self, value: Any) -> Class:
        return self._column.learn(value)
