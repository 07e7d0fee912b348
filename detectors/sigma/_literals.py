"""Many patterns over one form of text: equality by hash, literals by one Aho-Corasick automaton, the rest behind those.

A found literal says at once what it means by where it stands (anywhere, at the start, at the end); a pattern of several
literals is tried behind its longest, a regular expression behind one that it needs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Final

from detectors.sigma._texts import Pattern, Wild
from vonggac.sigma.view import composed

Check = tuple[int, Callable[[str], bool]]

#: characters searched at once: each found literal is a tuple of 100 bytes, and a text may be made of nothing else
CHUNK: Final = 1 << 16
FEW: Final = 64  # literals for which a search of the first hit is vectorised


class _Place:
    """What one literal stands for."""

    __slots__ = ("checks", "end", "inside", "searches", "start")

    def __init__(self) -> None:
        self.inside: list[int] = []
        self.start: list[int] = []
        self.end: list[int] = []
        self.checks: list[Check] = []
        self.searches: list[Check] = []


class Literals:
    """The patterns of one form of text."""

    def __init__(self) -> None:
        self._whole: dict[str, list[int]] = {}
        self._places: dict[str, _Place] = {}
        self._unanchored: list[Check] = []  # patterns without a literal to look for
        self._patterns: list[Check] = []  # all patterns and
        self._searches: list[Check] = []  # all regular expressions, for `tried`
        self._inside: list[tuple[int, ...]] = []
        self._edges: list[_Place | None] = []
        self._overlap = 0
        self._gate: Callable[[str], list[tuple[int, int, int]]] | None = None
        self._zero = False  # a literal holds the character that joins strings
        self._automaton: Callable[[str, bool], list[tuple[int, int, int]]] | None = None

    def add(self, number: int, pattern: Pattern) -> None:
        """Take a pattern in."""
        runs = pattern.runs
        literals = [one for one in runs if isinstance(one, str)]
        self._patterns.append((number, pattern.holds))
        if len(runs) == len(literals) <= 1:
            self._whole.setdefault("".join(literals), []).append(number)
            return
        longest = max(literals, key=len, default="")
        if not searchable(longest):
            self._unanchored.append((number, pattern.holds))
            return
        place = self._places.setdefault(longest, _Place())
        if runs == (Wild.RUN, longest, Wild.RUN):
            place.inside.append(number)
        elif runs == (longest, Wild.RUN):
            place.start.append(number)
        elif runs == (Wild.RUN, longest):
            place.end.append(number)
        else:
            place.checks.append((number, pattern.holds))

    def behind(self, literals: Iterable[str], number: int, search: Callable[[str], bool]) -> None:
        """Take in a regular expression that matches only where one of the literals stands."""
        self._searches.append((number, search))
        for literal in literals:
            self._places.setdefault(literal, _Place()).searches.append((number, search))

    def close(self) -> None:
        """Build the automaton."""
        if not self._places:
            return
        import ahocorasick_rs

        self._automaton = ahocorasick_rs.AhoCorasick(list(self._places), store_patterns=False).find_matches_as_indexes
        if len(self._places) <= FEW:  # says sooner that there is nothing: 1 µs of 1,200 characters instead of 3
            first = ahocorasick_rs.MatchKind.LeftmostFirst
            gate = ahocorasick_rs.AhoCorasick(list(self._places), matchkind=first, store_patterns=False)
            self._gate = gate.find_matches_as_indexes
        self._overlap = max(map(len, self._places)) - 1
        self._zero = any("\0" in literal for literal in self._places)
        for place in self._places.values():
            self._inside.append(tuple(place.inside))
            plain = not (place.start or place.end or place.checks or place.searches)
            self._edges.append(None if plain else place)
        self._places = {}

    def inside(self, text: str) -> set[int] | None:
        """Give the true atoms where `text` is many, joined by zeros; None = they must be searched one by one.

        Raises UnicodeEncodeError for a lone surrogate.
        """
        if self._whole or self._unanchored or self._zero:
            return None
        found: set[int] = set()
        if self._automaton is not None and (self._gate is None or self._gate(text)):
            for index in {hit[0] for hit in self._automaton(text, True)}:
                if self._edges[index] is not None:
                    return None
                found.update(self._inside[index])
        return found

    def find(self, text: str, raw: str) -> list[int]:
        """Give the true atoms, some perhaps twice; `raw` is the text before it was made ready.

        Raises UnicodeEncodeError for a lone surrogate.
        """
        found: list[int] = []
        if self._automaton is not None:
            if len(text) <= CHUNK:
                hits = self._automaton(text, True)
                if hits:
                    self._meaning(hits, text, raw, found)
            else:
                self._in_chunks(text, raw, found)
        if self._whole and (same := self._whole.get(text)) is not None:
            found += same
        for number, holds in self._unanchored:
            if holds(text):
                found.append(number)
        return found

    def _meaning(self, hits: list[tuple[int, int, int]], text: str, raw: str, found: list[int]) -> None:
        """Add what found literals mean."""
        inside, edges, size = self._inside, self._edges, len(text)
        behind: dict[int, tuple[Callable[[str], bool], str]] | None = None
        for index, start, end in hits:
            found += inside[index]
            place = edges[index]
            if place is None:
                continue
            if start == 0:
                found += place.start
            if end == size:
                found += place.end
            if place.checks or place.searches:
                if behind is None:
                    behind = {}
                for number, holds in place.checks:
                    behind[number] = holds, text
                for number, holds in place.searches:
                    behind[number] = holds, raw
        if behind:
            exact = composed(raw)
            for number, (holds, on) in behind.items():
                if holds(exact if on is raw else on):
                    found.append(number)

    def _in_chunks(self, text: str, raw: str, found: list[int]) -> None:
        """Search a long text a piece at a time; what stands across two pieces is found in the second."""
        assert self._automaton is not None  # noqa: S101  the caller looked
        wanted: set[int] = set()
        behind: set[int] = set()
        at = 0
        while at < len(text):
            begin = max(0, at - self._overlap)
            hits = self._automaton(text[begin : at + CHUNK], True)
            for index, start, end in hits:
                if (place := self._edges[index]) is not None:
                    behind.add(index)
                    if start + begin == 0:
                        wanted.update(place.start)
                    if end + begin == len(text):
                        wanted.update(place.end)
            for index in {hit[0] for hit in hits}:
                wanted.update(self._inside[index])
            at += CHUNK
        found += wanted
        self._meaning([(index, -1, -1) for index in behind], text, raw, found)

    def tried(self, text: str, raw: str) -> Iterator[int]:
        """Try every pattern and regular expression in turn: for texts that the automaton does not take."""
        yield from (number for number, holds in self._patterns if holds(text))
        exact = composed(raw)
        yield from (number for number, search in self._searches if search(exact))


def searchable(literal: str) -> bool:
    """Say whether an automaton can look for it: not empty, no lone surrogates."""
    return literal != "" and not any("\ud800" <= char <= "\udfff" for char in literal)
