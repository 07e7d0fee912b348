"""The literals without which a regular expression cannot match, so that it is searched only behind them.

An own reader of the part of RE2's syntax that rules use. What it does not know gives no literal, never a wrong one: an
expression without any is searched in every value.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from vonggac.event import fold

_DEPTH: Final = 40


@dataclass(frozen=True, slots=True)
class Needed:
    """One of `literals` (folded; () = none known) stands in the folded text wherever the expression matches."""

    literals: tuple[str, ...]


def needed(pattern: str) -> Needed:
    """Find the best set: the one whose shortest literal is longest."""
    try:
        return Needed(_Reader(pattern).whole())
    except _UnknownError:
        return Needed(())


class _UnknownError(Exception):
    pass


#: A part of a sequence: a literal character, a set of alternatives of which one must stand, or None = anything.
_Part = str | tuple[str, ...] | None


class _Reader:
    def __init__(self, pattern: str) -> None:
        self._text = pattern
        self._at = 0
        # RE2 folds `(?i)` by Unicode's orbits, which for ASCII agree with `fold`
        self._ascii = re.search(r"\(\?[a-zA-Z-]*i", pattern) is not None

    def whole(self) -> tuple[str, ...]:
        found = self._alternatives(0)
        if self._at != len(self._text):
            raise _UnknownError
        return found

    def _alternatives(self, depth: int) -> tuple[str, ...]:
        """Read up to `)` or the end; give what one must hold, () = nothing is needed."""
        if depth > _DEPTH:
            raise _UnknownError
        branches = [self._sequence(depth)]
        while self._text.startswith("|", self._at):
            self._at += 1
            branches.append(self._sequence(depth))
        if not all(branches):
            return ()
        return tuple(dict.fromkeys(literal for branch in branches for literal in branch))

    def _sequence(self, depth: int) -> tuple[str, ...]:
        parts: list[_Part] = []
        while self._at < len(self._text) and self._text[self._at] not in "|)":
            part = self._part(depth)
            least, most = self._times()
            if least == 0:
                part = None
            parts.append(part)
            if most != 1:
                parts.append(None)  # what follows does not join on to the first time
        return _best(parts)

    def _part(self, depth: int) -> _Part:
        char = self._text[self._at]
        self._at += 1
        if char == "(":
            return self._group(depth)
        if char == "[":
            return self._class()
        if char == "\\":
            return self._escape()
        if char in "*+?":
            raise _UnknownError
        return None if char in ".^$" else self._literal(char)

    def _literal(self, char: str) -> _Part:
        if char.isascii():
            return char.lower()
        folded = fold(char)
        # a lone letter that NFC would change, or that would join on to the one before it, stands for itself only here
        plain = not self._ascii and len(folded) == 1 and fold("a" + char) == "a" + folded
        return folded if plain else None

    def _group(self, depth: int) -> _Part:
        if flags := _FLAGS.match(self._text, self._at):
            self._at = flags.end()
            if flags[1] == ")":
                return None
        elif name := _NAME.match(self._text, self._at):
            self._at = name.end()
        elif self._text.startswith("?", self._at):
            raise _UnknownError
        inner = self._alternatives(depth + 1)
        if not self._text.startswith(")", self._at):
            raise _UnknownError
        self._at += 1
        return inner or None

    def _class(self) -> _Part:
        found = _CLASS.match(self._text, self._at)
        if found is None:
            raise _UnknownError
        self._at = found.end()
        return None

    def _escape(self) -> _Part:
        if self._at >= len(self._text):
            raise _UnknownError
        char = self._text[self._at]
        self._at += 1
        if char in "sSdDwWbBAz":
            return None
        if char in "nrtfv":
            return None
        if char.isalnum() or not char.isascii():
            raise _UnknownError
        return char

    def _times(self) -> tuple[int, int]:
        """Read what may follow: `*`, `+`, `?`, `{2}`, `{2,}`, `{2,5}`, lazy or not; 2 stands for many."""
        found = _TIMES.match(self._text, self._at)
        if found is None:
            return 1, 1
        self._at = found.end()
        if _TIMES.match(self._text, self._at):
            raise _UnknownError
        sign = found[1]
        if sign in ("*", "+", "?"):
            return (1 if sign == "+" else 0), (1 if sign == "?" else 2)
        least = int(found[2])
        exactly_once = least == 1 and (found[3] is None or found[4] == "1")
        return least, 1 if exactly_once else 2


def _best(parts: list[_Part]) -> tuple[str, ...]:
    """Join characters that stand side by side; take the best of the runs and sets."""
    sets: list[tuple[str, ...]] = []
    run = ""
    for part in [*parts, None]:
        if isinstance(part, str):
            run += part
            continue
        if run:
            sets.append((run,))
        run = ""
        if part:
            sets.append(part)
    return max(sets, key=lambda one: (min(map(len, one)), -len(one)), default=())


#: `(?i)`, `(?i-s:`, `(?:`
_FLAGS: Final = re.compile(r"\?[imsU]*(?:-[imsU]+)?([:)])")
_NAME: Final = re.compile(r"\?P?<\w+>")
_CLASS: Final = re.compile(r"\^?\]?(?:[^\]\[\\]|\\.|\[:\^?\w+:\]|\[(?!:))*\]", re.DOTALL)
_TIMES: Final = re.compile(r"([*+?]|\{([0-9]{1,4})(,([0-9]*))?\})\??")
