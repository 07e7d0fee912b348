"""Sigma's condition grammar, text into a tree: or < and < not < `1 of x` < parentheses.

Our own because pySigma 1.5 reads `notepad` as `not epad`, and drops a pattern that no selection matches.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass
from typing import Final

LENGTH_LIMIT: Final = 8_192
DEPTH_LIMIT: Final = 50


@dataclass(frozen=True, slots=True)
class Name:
    """A selection."""

    name: str


@dataclass(frozen=True, slots=True)
class Negation:
    """`not …`."""

    inner: Tree


@dataclass(frozen=True, slots=True)
class Junction:
    """`… and …` when `every`, else `… or …`."""

    every: bool
    parts: tuple[Tree, ...]


Tree = Name | Negation | Junction


class ConditionError(ValueError):
    """The condition is not one; the message names the column."""


def parse(text: str, names: Collection[str]) -> Tree:
    """Parse a condition over the named selections; raises ConditionError."""
    if len(text) > LENGTH_LIMIT:
        msg = f"condition longer than {LENGTH_LIMIT:,} characters"
        raise ConditionError(msg)
    if "|" in text:
        msg = "aggregation by pipe was removed in Sigma 2.0; write a correlation rule"
        raise ConditionError(msg)
    parser = _Parser(text, names)
    tree = parser.disjunction(0)
    parser.end()
    return tree


class _Parser:
    def __init__(self, text: str, names: Collection[str]) -> None:
        self._names = names
        self._tokens = [(found[0], found.start() + 1) for found in _TOKEN.finditer(text)]
        self._at = 0

    def _peek(self) -> str:
        return self._tokens[self._at][0] if self._at < len(self._tokens) else ""

    def _take(self) -> str:
        token = self._peek()
        self._at += 1
        return token

    def _wrong(self, expected: str) -> ConditionError:
        if self._at >= len(self._tokens):
            return ConditionError(f"condition ends where {expected} should stand")
        token, column = self._tokens[self._at]
        hint = " (operators are lower case)" if token.lower() in _WORDS and token not in _WORDS else ""
        return ConditionError(f"column {column}: {token!r} where {expected} should stand{hint}")

    def end(self) -> None:
        if self._peek():
            raise self._wrong(_END)

    def disjunction(self, depth: int) -> Tree:
        return self._junction("or", depth)

    def _junction(self, word: str, depth: int) -> Tree:
        parts = [self._junction("and", depth) if word == "or" else self._negation(depth)]
        while self._peek() == word:
            self._take()
            parts.append(self._junction("and", depth) if word == "or" else self._negation(depth))
        return parts[0] if len(parts) == 1 else Junction(word == "and", tuple(parts))

    def _negation(self, depth: int) -> Tree:
        negated = False
        while self._peek() == "not":
            self._take()
            negated = not negated
        operand = self._operand(depth)
        return Negation(operand) if negated else operand

    def _operand(self, depth: int) -> Tree:
        here = self._peek()
        if here == "(":
            if depth >= DEPTH_LIMIT:
                msg = f"parentheses nested deeper than {DEPTH_LIMIT}"
                raise ConditionError(msg)
            self._take()
            inner = self.disjunction(depth + 1)
            if self._peek() != ")":
                raise self._wrong(_CLOSE)
            self._take()
            return inner
        after = self._tokens[self._at + 1][0] if self._at + 1 < len(self._tokens) else ""
        if after == "of":
            return self._selector()
        if here in self._names:
            self._take()
            return Name(here)
        if _IDENTIFIER.fullmatch(here) and here.lower() not in _WORDS:
            column = self._tokens[self._at][1]
            msg = f"column {column}: no selection named {here!r}"
            raise ConditionError(msg)
        raise self._wrong(_SELECTION)

    def _selector(self) -> Tree:
        """`1 of them`, `any of sel*`, `all of sel*`; names that begin with `_` only by a pattern that does."""
        column = self._tokens[self._at][1]
        quantifier = self._take()
        if quantifier not in ("1", "any", "all"):
            msg = f"column {column}: {quantifier!r} of: only `1 of`, `any of` and `all of` are Sigma"
            raise ConditionError(msg)
        self._take()
        pattern = self._peek()
        if not _PATTERN.fullmatch(pattern):
            raise self._wrong(_PATTERNS)
        self._take()
        wanted = re.compile(".*" if pattern == "them" else re.escape(pattern).replace(r"\*", ".*"), re.DOTALL)
        hidden = pattern.startswith("_")
        found = [name for name in self._names if wanted.fullmatch(name) and (hidden or not name.startswith("_"))]
        if not found:
            msg = f"column {column}: no selection matches {pattern!r}"
            raise ConditionError(msg)
        parts = tuple(Name(name) for name in found)
        return parts[0] if len(parts) == 1 else Junction(quantifier == "all", parts)


_TOKEN: Final = re.compile(r"[()]|[^\s()]+")
_IDENTIFIER: Final = re.compile(r"[\w.-]+")
_PATTERN: Final = re.compile(r"[\w.*-]+")
_WORDS: Final = frozenset(("and", "or", "not", "of"))
#: what a message says should have stood there
_END: Final = "`and`, `or` or the end"
_CLOSE: Final = "`)`"
_SELECTION: Final = "a selection"
_PATTERNS: Final = "`them` or a pattern of selections"
