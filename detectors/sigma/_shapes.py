"""What a judged Sigma document is, typed and frozen: rule, correlation, filter. msgspec writes and reads them."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Any, Final

import msgspec

#: a value in a rule as vonggac.sigma.rulefile reads it
Value = str | int | Decimal | bool | None


class Item(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """`field|modifiers: values`. `field` is None for keywords without a key, "" for those with one (`'|all'`)."""

    field: str | None
    modifiers: tuple[str, ...]
    values: tuple[Any, ...]  # of Value
    listed: bool  # written as a list

    @property
    def key(self) -> str:
        """The key as it was written."""
        return "|".join((self.field or "", *self.modifiers))


class Every(msgspec.Struct, frozen=True, array_like=True, gc=False, tag=0):
    """A selection that is a map, or plain keywords: AND over its items."""

    items: tuple[Item, ...]


class Some(msgspec.Struct, frozen=True, array_like=True, gc=False, tag=1):
    """A selection that is a list of selections: OR over them."""

    parts: tuple[Every | Some, ...]


Selection = Every | Some


class Detection(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """The selections by name, in order, and the conditions over them: one query each."""

    selections: dict[str, Selection]
    conditions: tuple[str, ...]
    listed: bool  # the condition was written as a list
    placeholders: tuple[str, ...]  # names that `expand` wants lists for


class Source(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A log source, lower case; None: any."""

    product: str | None
    category: str | None
    service: str | None


class Related(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """Another rule, and what it is to this one: derived, obsolete, merged, renamed, similar, correlation."""

    id: str
    type: str


class Frame(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """What stands around the detection, the same for all kinds of documents."""

    title: str
    id: str | None  # UUID in small letters with dashes
    name: str | None
    level: str | None
    status: str | None
    tags: tuple[str, ...]  # small letters
    techniques: tuple[str, ...]
    tactics: tuple[str, ...]
    related: tuple[Related, ...]
    fields: tuple[str, ...]
    falsepositives: tuple[str, ...]
    references: tuple[str, ...]
    description: str | None
    author: str | None
    license: str | None
    date: str | None  # ISO 8601
    modified: str | None


class RuleDocument(msgspec.Struct, frozen=True, array_like=True, gc=False, tag=0):
    """A detection rule."""

    frame: Frame
    source: Source
    detection: Detection
    version: str  # digest of its text
    line: int
    number: int  # of this document in its file, from 0


class Criterion(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A correlation's threshold: `gte 10`. `value` writes a plain decimal number."""

    operator: str  # gt, gte, lt, lte, eq, neq
    value: str


class CorrelationDocument(msgspec.Struct, frozen=True, array_like=True, gc=False, tag=1):
    """A correlation rule."""

    frame: Frame
    kind: str  # its `type:` event_count, value_count, temporal …
    rules: tuple[str, ...]  # ids or names; those of the expression where no list was given
    group_by: tuple[str, ...]
    seconds: int
    criteria: tuple[Criterion, ...]  # ANDed; empty with an expression, and for `temporal` without condition
    expression: str | None  # `a and b and not c` over the rules
    fields: tuple[str, ...]  # whose values count
    percentile: int | None
    aliases: dict[str, dict[str, str]]  # alias: {rule: field}
    generate: bool
    version: str
    line: int
    number: int


class FilterDocument(msgspec.Struct, frozen=True, array_like=True, gc=False, tag=2):
    """A filter: an event of its rules matches only where this does too."""

    frame: Frame
    source: Source
    rules: tuple[str, ...] | None  # ids or names; None: any
    detection: Detection
    version: str
    line: int
    number: int


Document = RuleDocument | CorrelationDocument | FilterDocument


class Fault(msgspec.Struct, frozen=True, array_like=True, gc=False, tag=3):
    """A document that is refused, or (`number` -1) its whole file."""

    line: int
    at: str  # JSON pointer
    kind: str
    reason: str
    number: int
    foreign: bool  # does not claim to be Sigma: a pack's own settings


#: msgpack extension: an exact number that msgpack has no form for
_NUMBER: Final = 1
_WRITTEN: Final = re.compile(r"-?[0-9]{1,60}(?:\.[0-9]{1,60})?")


def encode(documents: tuple[Document | Fault, ...]) -> bytes:
    """Write documents as msgpack: the same bytes for the same documents."""
    return msgspec.msgpack.encode([_portable(one) for one in documents])


def decode(data: bytes | msgspec.Raw) -> tuple[Document | Fault, ...]:
    """Read what `encode` wrote; raises msgspec.DecodeError."""
    try:
        return _DECODER.decode(data)
    except RecursionError as error:
        msg = "nested too deep"
        raise msgspec.DecodeError(msg) from error


def _extension(code: int, data: memoryview) -> Decimal | int:
    text = bytes(data).decode("ascii", "replace")
    if code != _NUMBER or not _WRITTEN.fullmatch(text):
        msg = "no number"
        raise msgspec.DecodeError(msg)
    return Decimal(text) if "." in text else int(text)


def _portable(one: Document | Fault) -> Document | Fault:
    """Put what msgpack cannot hold (Decimals, integers above 64 bits) into extensions; most documents have none."""
    if not isinstance(one, RuleDocument | FilterDocument):
        return one
    changed = {name: new for name, old in one.detection.selections.items() if (new := _selection(old)) is not old}
    if not changed:
        return one
    detection = msgspec.structs.replace(one.detection, selections={**one.detection.selections, **changed})
    return msgspec.structs.replace(one, detection=detection)


def _selection(one: Selection) -> Selection:
    if isinstance(one, Some):
        parts = tuple(map(_selection, one.parts))
        return one if all(new is old for new, old in zip(parts, one.parts, strict=True)) else Some(parts)
    items = tuple(map(_item, one.items))
    return one if all(new is old for new, old in zip(items, one.items, strict=True)) else Every(items)


def _item(one: Item) -> Item:
    if not any(_is_wide(value) for value in one.values):
        return one
    values = (
        msgspec.msgpack.Ext(_NUMBER, format(value, "f" if isinstance(value, Decimal) else "d").encode("ascii"))
        if _is_wide(value)
        else value
        for value in one.values
    )
    return msgspec.structs.replace(one, values=tuple(values))


def _is_wide(value: Value) -> bool:
    return isinstance(value, Decimal) or (isinstance(value, int) and not -(1 << 63) <= value < 1 << 63)


_DECODER: Final = msgspec.msgpack.Decoder(tuple[Document | Fault, ...], ext_hook=_extension)
