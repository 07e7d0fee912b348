"""Chains of modifiers: what kinds of value each takes, worked out once a chain, as pySigma 1.5 and our engine see it.

A chain that only puts wildcards around a text is right for any text; others have each value tried by `atom_of`.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from functools import lru_cache
from typing import Any, Final

from detectors.sigma._atoms import ABOUT_ITEM, MODIFIERS, atom_of
from detectors.sigma._scalars import PARTS
from detectors.sigma._texts import PLACEHOLDER

CHAIN_LIMIT: Final = 16  # modifiers; public rules have up to 4
DASHES: Final = "-/\u2013\u2014\u2015"  # that windash takes for each other


@dataclass(frozen=True, slots=True)
class Chain:
    """`refused` by type of value (reason), else `tried` says whether each value must be looked at."""

    refused: dict[type, str]
    shape: tuple[str, ...]  # the modifiers of a value, without those of the item
    cased: bool
    tried: bool
    expands: bool
    growth: int  # how many times longer encoding makes a text, at most

    def judge(self, value: Any, *, keyword: bool) -> None:
        """Look at a value; raises ValueError with the reason."""
        if (reason := self.refused.get(type(value))) is not None:
            raise ValueError(reason)
        if self.tried and type(value) is str:
            if "fieldref" in self.shape and ("*" in value or "?" in value):
                msg = "the name of another field has no wildcards"
                raise ValueError(msg)
            atom_of(None if keyword else "field", self.shape, value, self.cased, {})

    def unfolded(self, value: Any) -> int:
        """Say how many characters a value stands for once encoded, at most; 0 where nothing encodes it."""
        if self.growth == 1 or type(value) is not str:
            return 0
        dashes = min(sum(map(value.count, DASHES)), 6) if "windash" in self.shape else 0
        return int(len(value) * self.growth * len(DASHES) ** dashes)


def placeholders(value: str) -> list[str]:
    """Give the names that `expand` wants lists for."""
    return PLACEHOLDER.findall(value)


@lru_cache(maxsize=4_096)
def chain_of(modifiers: tuple[str, ...], keyword: bool) -> Chain:
    """Work out a chain; raises ValueError for a modifier that is none."""
    if len(modifiers) > CHAIN_LIMIT:
        msg = f"more than {CHAIN_LIMIT} modifiers"
        raise ValueError(msg)
    for one in modifiers:
        if one not in MODIFIERS:
            msg = f"unknown modifier {one!r}; known: {', '.join(sorted(MODIFIERS))}"
            raise ValueError(msg)
    shape = tuple(one for one in modifiers if one not in ABOUT_ITEM)
    refused = {}
    for kind, name in _KINDS.items():
        reason = _order(modifiers, name) or _engine(modifiers, shape, kind, keyword=keyword)
        if reason is not None:
            refused[kind] = reason
    expands = "expand" in shape
    tried = not expands and not _PLAIN.issuperset(shape)
    growth = 4 ** len([one for one in shape if one in _ENCODERS])
    return Chain(refused, shape, "cased" in modifiers, tried, expands, growth)


def _engine(modifiers: tuple[str, ...], shape: tuple[str, ...], kind: type, *, keyword: bool) -> str | None:
    """Ask the engine by a value that has no faults of its own."""
    text = "10.0.0.0/8" if shape[:1] == ("cidr",) else "a"
    sample: Any = {str: text, int: 1, Decimal: Decimal(1), bool: True}.get(kind)
    try:
        atom_of(None if keyword else "field", shape, sample, "cased" in modifiers, {})
    except ValueError as error:
        return str(error)
    return None


def _order(modifiers: tuple[str, ...], kind: str) -> str | None:
    """Follow a value through the chain as pySigma does: each modifier takes some forms, and gives one."""
    form, wild, before = kind, False, 0
    for one in modifiers:
        if one in _UTF16:  # pySigma knows them by halves: the engine judges them
            continue
        if one in ("all", "neq"):
            before += 1
            continue
        if one in _FIRST and before:
            return f"{one!r} must come before other modifiers"
        takes, gives = _FORMS[one]
        if form not in takes:
            return f"{one!r} does not take {_SAID.get(form, form)}" if form == kind else f"{one!r} may not stand here"
        if one in ("base64", "base64offset", "fieldref") and wild:
            return f"{one!r} does not take a text with wildcards"
        wild = one in _AROUND or (wild and one not in ("base64", "base64offset"))
        form = gives or form
        before += 1
    return None


_KINDS: Final[dict[type, str]] = {str: "text", int: "number", Decimal: "number", bool: "bool", type(None): "null"}
_SAID: Final = {"number": "a number", "bool": "true or false", "null": "null", "text": "text"}
_AROUND: Final = frozenset(("contains", "startswith", "endswith"))
_UTF16: Final = frozenset(("wide", "utf16", "utf16le", "utf16be"))
_ENCODERS: Final = frozenset((*_UTF16, "base64", "base64offset"))
_FIRST: Final = frozenset(("re", "cidr", "exists"))
#: right for any text, in any order
_PLAIN: Final = frozenset((*_AROUND, "windash"))
#: modifier: the forms it takes, the form it gives (None: the same)
_FORMS: Final[dict[str, tuple[tuple[str, ...], str | None]]] = {
    **dict.fromkeys(_AROUND, (("text", "regex", "reference"), None)),
    **dict.fromkeys(("base64", "base64offset", "windash", "cased"), (("text",), None)),
    **dict.fromkeys(("i", "ignorecase", "m", "multiline", "s", "dotall"), (("regex",), None)),
    **dict.fromkeys(("lt", "lte", "gt", "gte"), (("number",), "comparison")),
    **dict.fromkeys(PARTS, (("number",), None)),
    "re": (("text",), "regex"),
    "cidr": (("text",), "network"),
    "fieldref": (("text",), "reference"),
    "exists": (("bool",), "presence"),
    "expand": (("text", "regex"), None),
}
