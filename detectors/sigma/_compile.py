"""All rules at once into numbered atoms, an index a field, and a formula and a witness a rule."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from detectors.sigma._atoms import Atom, Equal, Exists, Meaning, Network, Null, Reference, Regex, Text
from detectors.sigma._index import Field
from detectors.sigma._load import Rule
from detectors.sigma._needed import needed
from detectors.sigma._texts import Pattern, Wild
from detectors.sigma._witness import Builder, Holds, closure, witness
from vonggac.sigma.view import text_of

#: a regular expression whose literals are shorter is left to the plain evaluator where another atom announces the rule
NEEDED: Final = 3
KEYWORDS_LIMIT: Final = 256  # indexes of keywords remembered


@dataclass(frozen=True, slots=True)
class Plan:
    """One rule, compiled."""

    rule: Rule
    holds: Holds
    perhaps: bool  # `holds` says only "perhaps": the plain evaluator decides
    witness: frozenset[int] | None  # None: tried on every event
    atoms: frozenset[int]
    fields: frozenset[str]  # those of its numbered atoms, keywords apart


@dataclass(frozen=True, slots=True)
class Compiled:
    """All rules, in their order, and the index of each field."""

    plans: tuple[Plan, ...]
    fields: dict[str, Field]
    keywords: Keywords


class Keywords:
    """The keywords' index, one for each set of them that routes need: short ones of a database's log are in all texts.

    Sets are few, and an index of keywords is made in a millisecond.
    """

    def __init__(self, meanings: Mapping[int, Meaning | Pattern]) -> None:
        self._meanings = meanings
        self._made: dict[frozenset[int], Field] = {}

    def field(self, wanted: frozenset[int]) -> Field | None:
        """Give the index of those of the atoms that are keywords; None = none is."""
        own = wanted.intersection(self._meanings)
        if not own:
            return None
        made = self._made.get(own)
        if made is None:
            made = Field()
            for number in sorted(own):
                made.add(number, self._meanings[number])
            made.close()
            if len(self._made) >= KEYWORDS_LIMIT:
                self._made.clear()
            self._made[own] = made
        return made


def compile_rules(rules: Sequence[Rule]) -> Compiled:
    """Compile rules that the reference loaded."""
    atoms = _Atoms()
    plans = tuple(atoms.plan(rule) for rule in rules)
    for field in atoms.fields.values():
        field.close()
    return Compiled(plans, atoms.fields, Keywords(atoms.keywords))


class _Atoms:
    def __init__(self) -> None:
        self.fields: dict[str, Field] = {}
        self.keywords: dict[int, Meaning | Pattern] = {}
        self._numbers: dict[Hashable, int] = {}
        self._costs: list[float] = []
        self._keep: list[Meaning] = []  # what is known by its id() must stay
        self._searching = False
        self._seen: set[int] = set()
        self._looked: set[str] = set()

    def plan(self, rule: Rule) -> Plan:
        self._searching = False
        made = self._plan(rule)
        if made.witness is None and made.perhaps:
            self._searching = True  # nothing else announces it: its regular expressions must
            made = self._plan(rule)
        return made

    def _plan(self, rule: Rule) -> Plan:
        self._seen, self._looked = set(), set()
        builder = Builder(self._number)
        formula = builder.formula(rule.node)
        announced = witness(formula, self._costs.__getitem__)
        return Plan(
            rule,
            closure(formula),
            builder.perhaps,
            announced[1] if announced else None,
            frozenset(self._seen),
            frozenset(self._looked),
        )

    def _number(self, field: str | None, atom: Atom) -> frozenset[int] | None:
        meaning = atom.meaning
        if isinstance(meaning, Reference):
            return None
        if isinstance(meaning, Regex) and not self._searching and _shortest(meaning) < NEEDED:
            return None
        parts: tuple[Meaning | Pattern, ...] = meaning.patterns if isinstance(meaning, Text) else (meaning,)
        numbers = frozenset(self._one(field, part) for part in parts)
        if field is not None:
            self._looked.add(field)
        self._seen |= numbers
        return numbers

    def _one(self, field: str | None, meaning: Meaning | Pattern) -> int:
        key = (field, *_identity(meaning))
        known = self._numbers.get(key)
        if known is not None:
            return known
        number = self._numbers[key] = len(self._costs)
        self._costs.append(_cost(field, meaning))
        if not isinstance(meaning, Pattern):
            self._keep.append(meaning)
        if field is None:
            self.keywords[number] = meaning
        else:
            self.fields.setdefault(field, Field()).add(number, meaning)
        return number


def _identity(meaning: Meaning | Pattern) -> tuple[Hashable, ...]:
    """Give what makes two atoms of a field one. Numbers by their text: 1.1 and 1.10 differ, and so do 1 and true."""
    match meaning:
        case Pattern(form, runs, _):
            return ("text", form, runs)
        case Regex(pattern, _):
            return ("regex", pattern)
        case Equal(wanted):
            return ("equal", text_of(wanted))
        case Network(network):
            return ("network", network)
        case Null():
            return ("null",)
        case Exists(wanted):
            return ("exists", wanted)
        case _:
            return ("value", id(meaning))


def _cost(field: str | None, meaning: Meaning | Pattern) -> float:
    """Guess how often an atom is true of an event that has the field; only speed hangs on it."""
    common = field in _COMMON
    match meaning:
        case Pattern(_, runs, _):
            literals = [len(one) for one in runs if isinstance(one, str)]
            if not literals:
                return 0.9
            if Wild.RUN not in runs:
                return 0.1 if common else 0.002
            guess = max(0.5 * 0.65 ** sum(literals), 0.0005)
            return guess * (1 if runs[0] is Wild.RUN and runs[-1] is Wild.RUN else 0.4)
        case Regex():
            return float(max(0.5 * 0.65 ** _shortest(meaning), 0.001))
        case Equal():
            return 0.1 if common else 0.02
        case Network():
            return 0.1
        case Null():
            return 0.8
        case Exists(wanted):
            return 0.9 if wanted else 0.8
        case _:
            return 0.4


def _shortest(regex: Regex) -> int:
    """Give the length of the shortest literal that announces it, 0 = none does."""
    return min(map(len, needed(regex.pattern).literals), default=0)


#: fields that nearly every event has, with few values
_COMMON: Final = frozenset(("EventID", "Channel", "Provider_Name", "EventType", "Initiated", "type", "eventSource"))
