"""Texts of the reference evaluator: wildcards, the modifiers that change a text, and how a text is compared."""

from __future__ import annotations

import base64
import itertools
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import Enum
from typing import Final

from vonggac.sigma.view import FORMS

VARIANT_LIMIT: Final = 10_000  # texts that one value may stand for (`expand`, `windash` before base64)

Expand = Mapping[str, Sequence[str]]


class Wild(Enum):
    """What is not literal in a text: any run of characters, any one character."""

    RUN = "*"
    ONE = "?"


Tokens = tuple[str | Wild, ...]


@dataclass(frozen=True, slots=True)
class Draft:
    """A text on its way through its modifiers: `data` once it is bytes, `dash` once dashes are interchangeable."""

    tokens: Tokens
    data: bytes | None = None
    dash: bool = False


def tokens_of(text: str) -> Tokens:
    r"""Take a Sigma text apart: `\` escapes `*`, `?` and `\`, and is itself before all else."""
    return _joined([Wild(one) if one in ("*", "?") else _ESCAPED.get(one, one) for one in _PIECE.findall(text)])


def _joined(pieces: Sequence[str | Wild]) -> Tokens:
    """Join literals that stand side by side."""
    out: list[str | Wild] = []
    for piece in pieces:
        if isinstance(piece, str) and out and isinstance(out[-1], str):
            out[-1] += piece
        elif piece != "":
            out.append(piece)
    return tuple(out)


@dataclass(frozen=True, slots=True)
class Pattern:
    """A text ready to be compared: its form (of FORMS), its literals and wildcards in that form, the comparison."""

    form: str
    runs: Tokens
    holds: Callable[[str], bool]


def pattern_of(draft: Draft, form: str) -> Pattern:
    """Make a text ready to be compared in a form of FORMS."""
    form = f"{form}-dash" if draft.dash else form
    parts = [FORMS[form](one) if isinstance(one, str) else one for one in draft.tokens]
    runs = tuple(one for at, one in enumerate(parts) if one is not Wild.RUN or at == 0 or parts[at - 1] is not Wild.RUN)
    literal = next((one for one in runs if isinstance(one, str)), "")
    shape = tuple(one if isinstance(one, Wild) else "" for one in runs)
    if (simple := _SHAPES.get(shape)) is not None:
        return Pattern(form, runs, lambda text: simple(text, literal))
    written = (_AS_REGEX[one] if isinstance(one, Wild) else re.escape(one) for one in runs)
    return Pattern(form, runs, compiled(rf"(?s)\A{''.join(written)}\z"))  # `*` and `?` match newlines (D7)


def _around(before: bool, after: bool) -> Callable[[Draft, Expand], Iterator[Draft]]:
    """contains, startswith, endswith; the value's own wildcards stay live."""

    def modify(draft: Draft, _: Expand) -> Iterator[Draft]:
        yield replace(draft, tokens=((Wild.RUN,) if before else ()) + draft.tokens + ((Wild.RUN,) if after else ()))

    return modify


def _windash(draft: Draft, _: Expand) -> Iterator[Draft]:
    """Each of `- / – — ―`, wherever it stands, may be any other (D2)."""
    yield replace(draft, dash=True)


def _utf16(codec: str, mark: bytes = b"") -> Callable[[Draft, Expand], Iterator[Draft]]:
    def modify(draft: Draft, _: Expand) -> Iterator[Draft]:
        for text in _plain(draft):
            yield Draft((), mark + text.encode(codec))

    return modify


def _base64(draft: Draft, _: Expand) -> Iterator[Draft]:
    for data in _bytes(draft):
        yield Draft((base64.b64encode(data).decode(),))


def _base64offset(draft: Draft, _: Expand) -> Iterator[Draft]:
    """Three shifts; what depends on the neighbours is cut (D3): `Test` gives `VGVzd`, `Rlc3`, `UZXN0`."""
    for data in _bytes(draft):
        for shift in range(3):
            encoded = base64.b64encode(b" " * shift + data).decode()
            cut = (0, 3, 2)[(len(data) + shift) % 3]  # "=" and the sextet before it, which holds foreign bits
            yield Draft((encoded[(0, 2, 3)[shift] : len(encoded) - cut],))


def _bytes(draft: Draft) -> Iterator[bytes]:
    if draft.data is not None:
        yield draft.data
    else:
        yield from (text.encode() for text in _plain(draft))


def _plain(draft: Draft) -> Iterator[str]:
    """Give the texts without wildcards that a draft stands for; raises ValueError."""
    if draft.data is not None or any(isinstance(one, Wild) for one in draft.tokens):
        msg = "a text with wildcards, or encoded already, cannot be encoded"
        raise ValueError(msg)
    text = "".join(one for one in draft.tokens if isinstance(one, str))
    choices = [_DASHES if draft.dash and char in _DASHES else char for char in text]
    if draft.dash and len(_DASHES) ** sum(len(one) > 1 for one in choices) > VARIANT_LIMIT:
        msg = f"stands for more than {VARIANT_LIMIT:,} texts"
        raise ValueError(msg)
    yield from map("".join, itertools.product(*choices))


def _expand(draft: Draft, expand: Expand) -> Iterator[Draft]:
    r"""Put the values of `%name%` in its place, wildcards live; `\%` is a percent sign."""
    slots: list[list[Tokens]] = []
    for token in draft.tokens:
        pieces = PLACEHOLDER.split(token) if isinstance(token, str) else [token]
        for at, piece in enumerate(pieces):
            if at % 2 and isinstance(piece, str):
                slots.append([tokens_of(one) for one in expansion(piece, expand)])
            else:
                slots.append([(piece.replace(r"\%", "%"),) if isinstance(piece, str) else (piece,)])
    size = 1
    for slot in slots:
        size *= len(slot)
    if size > VARIANT_LIMIT:
        msg = f"stands for more than {VARIANT_LIMIT:,} texts"
        raise ValueError(msg)
    for choice in itertools.product(*slots):
        yield replace(draft, tokens=_joined([piece for tokens in choice for piece in tokens]))


def expansion(name: str, expand: Expand) -> Sequence[str]:
    if name not in expand:
        msg = f"placeholder %{name}% has no list; give one as rules.expand.{name}"
        raise ValueError(msg)
    return expand[name]


def compiled(pattern: str) -> Callable[[str], bool]:
    """Compile a regular expression for RE2, linear in time; raises ValueError with its reason."""
    import re2

    options = re2.Options()
    options.log_errors = False
    try:
        regex = re2.compile(pattern, options=options)
    except re2.error as error:
        reason = error.args[0].decode("utf-8", "replace") if isinstance(error.args[0], bytes) else error.args[0]
        msg = f"regular expression that RE2 refuses: {reason}"
        raise ValueError(msg) from error

    def search(text: str) -> bool:
        try:
            return regex.search(text) is not None
        except UnicodeEncodeError:  # a lone surrogate
            return regex.search(text.encode("utf-8", "replace").decode()) is not None

    return search


_DASHES: Final = "-/\u2013\u2014\u2015"
_PIECE: Final = re.compile(r"\\[*?\\]|[*?]|[^*?\\]+|\\")
_ESCAPED: Final = {r"\*": "*", r"\?": "?", r"\\": "\\"}
#: odd pieces of a split are names; `\%` begins none
PLACEHOLDER: Final = re.compile(r"(?<!\\)%([^%]+)%")
_AS_REGEX: Final = {Wild.RUN: ".*", Wild.ONE: "."}
#: shapes that need no regular expression; "" stands for the one literal
_SHAPES: Final[dict[tuple[str | Wild, ...], Callable[[str, str], bool]]] = {
    (): lambda text, _: text == "",
    ("",): str.__eq__,
    (Wild.RUN,): lambda _text, _literal: True,
    (Wild.RUN, ""): str.endswith,
    ("", Wild.RUN): str.startswith,
    (Wild.RUN, "", Wild.RUN): str.__contains__,
}
#: the modifiers of text, applied in written order
TEXT: Final[dict[str, Callable[[Draft, Expand], Iterator[Draft]]]] = {
    "contains": _around(before=True, after=True),
    "startswith": _around(before=False, after=True),
    "endswith": _around(before=True, after=False),
    "windash": _windash,
    "wide": _utf16("utf-16-le"),
    "utf16le": _utf16("utf-16-le"),
    "utf16be": _utf16("utf-16-be"),
    "utf16": _utf16("utf-16-le", b"\xff\xfe"),
    "base64": _base64,
    "base64offset": _base64offset,
    "expand": _expand,
}
