"""One value of a rule's item as an atom: its meaning as data, which an index needs, and the plain test of it.

The test is what the reference evaluator runs; the data says the same, and property tests hold the two together.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import Any, Final

from detectors.sigma._scalars import PARTS, address_in, number_of
from detectors.sigma._texts import (
    PLACEHOLDER,
    TEXT,
    VARIANT_LIMIT,
    Draft,
    Expand,
    Pattern,
    Wild,
    compiled,
    expansion,
    pattern_of,
    tokens_of,
)
from vonggac.event import fold
from vonggac.sigma.view import View, text_of

#: One value of an item against a field (None: keywords) of an event.
Test = Callable[[View, str | None], bool]


@dataclass(frozen=True, slots=True)
class Null:
    """`null`."""


@dataclass(frozen=True, slots=True)
class Exists:
    """`exists: true` and `exists: false`."""

    wanted: bool


@dataclass(frozen=True, slots=True)
class Equal:
    """A number or a boolean as the value itself."""

    wanted: bool | int | Decimal


@dataclass(frozen=True, slots=True)
class Text:
    """A text with its modifiers: any of the patterns."""

    patterns: tuple[Pattern, ...]


@dataclass(frozen=True, slots=True)
class Regex:
    """`re`: searched in the field's exact text."""

    pattern: str
    search: Callable[[str], bool]


@dataclass(frozen=True, slots=True)
class Value:
    """What depends on one value alone and fits no index: comparisons and parts of times."""

    holds: Callable[[Any], bool]


@dataclass(frozen=True, slots=True)
class Network:
    """`cidr`."""

    network: IPv4Network | IPv6Network


@dataclass(frozen=True, slots=True)
class Reference:
    """`fieldref`: depends on another field of the event."""

    other: str


Meaning = Null | Exists | Equal | Text | Regex | Value | Network | Reference


@dataclass(frozen=True, slots=True)
class Atom:
    """One value of an item."""

    meaning: Meaning
    test: Test


def atom_of(field: str | None, chain: tuple[str, ...], value: Any, cased: bool, expand: Expand) -> Atom:
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
        return Atom(Null(), _is_null)
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


def _exists(wanted: Any, rest: Sequence[str]) -> Atom:
    if not isinstance(wanted, bool) or rest:
        msg = "'exists' stands alone and takes true or false"
        raise ValueError(msg)
    return Atom(Exists(wanted), lambda view, field: (view.values(field or "") is not None) == wanted)


# ----------------------------------------------------------------- numbers


def _equals(wanted: bool | int | Decimal) -> Atom:
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

    return Atom(Equal(wanted), test)


def _number_test(chain: Sequence[str], wanted: Any) -> Atom:
    """`lt`, `lte`, `gt`, `gte`; a part of a time, alone (equal) or before one of those."""
    part = PARTS.get(chain[0])
    compare: Callable[[Any, Any], bool] = _COMPARISONS.get(chain[-1], operator.eq)
    if len(chain) > (2 if part else 1) or (part and len(chain) == 2 and chain[1] not in _COMPARISONS):
        msg = f"{'|'.join(chain)!r} is no combination of modifiers"
        raise ValueError(msg)
    if isinstance(wanted, bool) or number_of(wanted) is None or isinstance(wanted, str):
        msg = f"{'|'.join(chain)!r} takes a number, not {wanted!r}"
        raise ValueError(msg)

    def holds(value: Any) -> bool:
        number = part(value) if part else number_of(value)
        return number is not None and compare(number, wanted)

    return _of_value(Value(holds), holds)


def _of_value(meaning: Meaning, holds: Callable[[Any], bool]) -> Atom:
    return Atom(meaning, lambda view, field: any(map(holds, view.values(field or "") or ())))


# ------------------------------------------------- addresses, fields, regexes


def _cidr_test(value: str, rest: Sequence[str]) -> Atom:
    network: IPv4Network | IPv6Network = ip_network(value)
    if rest:
        msg = "'cidr' takes no further modifiers"
        raise ValueError(msg)
    return _of_value(Network(network), lambda one: address_in(one, network))


def _fieldref_test(other: str, rest: Sequence[str], form: str) -> Atom:
    """Compare with the values of another field of the event; absent on either side is no match (D6)."""
    if set(rest) - set(_PLACES):
        msg = f"'fieldref' does not go with {rest[-1]!r}"
        raise ValueError(msg)
    compare = _PLACES[rest[-1]] if rest else str.__eq__

    def test(view: View, field: str | None) -> bool:
        wanted = view.texts(other, form)
        return any(compare(mine, its) for mine in view.texts(field, form) for its in wanted)

    return Atom(Reference(other), test)


def _regex_test(pattern: str, chain: Sequence[str], expand: Expand) -> Atom:
    flags = "".join(sorted({_FLAGS[one] for one in chain if one in _FLAGS}))
    if unknown := [one for one in chain if one not in _FLAGS and one != "expand"]:
        msg = f"'re' goes with i, m, s and expand, not with {unknown[0]!r}"
        raise ValueError(msg)
    if "expand" in chain:
        words = PLACEHOLDER.split(pattern)
        for at in range(1, len(words), 2):
            words[at] = f"(?:{'|'.join(re.escape(one) for one in expansion(words[at], expand))})"
        pattern = "".join(words).replace(r"\%", "%")
    whole = f"(?{flags})(?:{pattern})" if flags else pattern
    search = compiled(whole)
    return Atom(Regex(whole, search), lambda view, field: any(map(search, view.texts(field, "exact"))))


def _text_test(value: str, chain: Sequence[str], cased: bool, *, keyword: bool, expand: Expand) -> Atom:
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
    patterns = tuple(pattern_of(draft, "exact" if cased else "fold") for draft in drafts)
    tests = [(one.form, one.holds) for one in patterns]

    def test(view: View, field: str | None) -> bool:
        for form, match in tests:
            for text in view.texts(field, form):
                if match(text):
                    return True
        return False

    return Atom(Text(patterns), test)


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
ABOUT_ITEM: Final = frozenset(("all", "neq", "cased"))
MODIFIERS: Final = frozenset((*TEXT, *PARTS, *_COMPARISONS, *_FLAGS, *ABOUT_ITEM, "exists", "fieldref", "cidr", "re"))
