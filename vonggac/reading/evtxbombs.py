"""How much text an EVTX record would become, before the parser makes it: a chunk of 64 KiB can hold a bomb.

A template may show a value many times, and the value be a template again: four levels of 50 slots are 3.5 GB from a few
hundred bytes, and the parser, which has no limit, takes the process with it. Estimated here from what the frame of a
record shows: template size, how often its slots repeat, sizes and types of values. Too high rather than too low.
"""

from __future__ import annotations

import re
import struct
from collections import Counter
from collections.abc import Iterable
from typing import Final

TEXT_LIMIT: Final = 16 << 20  # estimated, a chunk; real chunks stay below 4 MiB


def bombs(chunk: bytes, offsets: Iterable[int]) -> set[int]:
    """Give the offsets of the records with which a chunk would become more text than the limit."""
    found: set[int] = set()
    shapes: dict[int, _Shape] = {}
    whole = 0
    for offset in offsets:
        end = min(offset + _U32(chunk, offset + 4)[0] - 4, len(chunk))
        text = _chain(chunk, offset + 24, end, shapes) or _fragment(chunk, offset + 24, end, _Steps())
        whole += text
        if whole > TEXT_LIMIT:
            whole -= text
            found.add(offset)
    return found


def _chain(chunk: bytes, at: int, end: int, shapes: dict[int, _Shape]) -> int:
    """Estimate what nearly every record is: a template in a template in …, one in each. 0 = it is not that.

    The same estimate as `_fragment`'s in a third of the time, and every record costs it (2.5 µs): hence one unpacking
    for each thing, and templates remembered by the place where they stand.
    """
    text = 0
    times = 1
    try:
        for _ in range(_DEEPEST):
            if chunk[at] == _FRAGMENT:
                at += 4
            token, define, count = _START(chunk, at)
            if token != _TEMPLATE:  # elements that stand here themselves
                return 0 if _INSTANCE.search(chunk, at, end) else text + times * (end - at)
            table = at + 14
            if define == at + 10:  # the template stands here, where it is first used
                table += 24 + _U32(chunk, define + 20)[0]
                count = _U32(chunk, table - 4)[0]
            if count > _FEW:
                return 0
            sizes: tuple[int, ...] = _SIZES[count](chunk, table)
            values: int = table + 4 * count
            size = sum(sizes)
            if not 0 <= end - values - size < _SHORTEST:
                return 0
            shape = shapes.get(define)
            types = chunk[table + 2 : values : 4]
            if shape is None or shape[0] != types:
                shape = shapes[define] = _shape(chunk, define, types)
            _, length, repeats, nested = shape
            text += times * (length + repeats * size)
            if nested < 0:
                return text if nested == _NONE else 0
            end = sizes[nested]
            if not end:
                return text
            times *= repeats
            at = values + (size - sum(sizes[nested:]) if nested > count >> 1 else sum(sizes[:nested]))
            end += at
    except (struct.error, IndexError):
        pass
    return 0


def _shape(chunk: bytes, define: int, types: bytes) -> _Shape:
    """Give the types again, a template's length, its repeats, and which value is the one template among them."""
    template = _template(chunk, define)
    odd = types.translate(None, _PLAIN)
    nested = _NONE if not odd else types.index(_BINXML) if odd == b"!" else _MANY
    return types, len(template), _repeats(template), nested


def _template(chunk: bytes, define: int) -> bytes:
    size: int = _U32(chunk, define + 20)[0]
    return chunk[define + 24 : define + 24 + size]


_Shape = tuple[bytes, int, int, int]


class _Steps:
    """Bounds the looking itself: nesting, and how many templates of one record are opened."""

    __slots__ = ("depth", "left")

    def __init__(self) -> None:
        self.left, self.depth = 256, 0


def _fragment(chunk: bytes, at: int, end: int, steps: _Steps) -> int:
    """Estimate the BinXml at an offset: one template instance (nearly always), else all that look like one."""
    if chunk.startswith(_HEADER, at):
        at += 4
    if chunk.startswith(b"\x0c", at):
        size, behind = _instance(chunk, at, end, steps)
        if size and end - behind < _SHORTEST:
            return size
    size = end - at
    for match in _INSTANCE.finditer(chunk, at, end):
        size += _instance(chunk, match.start(), end, steps)[0]
    return size


def _instance(chunk: bytes, at: int, end: int, steps: _Steps) -> tuple[int, int]:
    """Estimate a template instance, and give the end of its values; (0, at) when it is none."""
    steps.left -= 1
    if steps.left < 0 or steps.depth > _DEEPEST:
        return TEXT_LIMIT + 1, end
    try:
        define = _U32(chunk, at + 6)[0]
        table = at + 10
        size = _U32(chunk, define + 20)[0]
        if define == table:  # the template stands here, where it is first used
            table += 24 + size
        count = _U32(chunk, table)[0]
        sizes = struct.unpack_from("<" + "H2x" * min(count, _MOST), chunk, table + 4)
    except struct.error:
        return 0, at
    values = table + 4 + 4 * count
    behind = values + sum(sizes)
    if count > _MOST or behind > end:
        return 0, at
    types = chunk[table + 6 : values : 4]
    total = behind - values
    template = chunk[define + 24 : define + 24 + size]
    if types.translate(None, _PLAIN):  # anything but plain values
        steps.depth += 1
        start = values
        for kind, length in zip(types, sizes, strict=True):
            if kind & 0x80:  # an array: its element, with all that stands in it, once for each member
                total += length * len(template)
            elif kind == _BINXML and length:
                total += _fragment(chunk, start, start + length, steps)
            start += length
        steps.depth -= 1
    return len(template) + _repeats(template) * total, behind


def _repeats(template: bytes) -> int:
    """Give how often the template's most frequent slot stands in it; bytes that only look like a slot count too.

    A slot is a token (13 or 14), then its number in two bytes. Splitting at the tokens takes a tenth of a pattern's
    time: each piece begins with a number, or with the same part of one when a token's byte stands in the number.
    """
    most = 1
    for token in (b"\x0d", b"\x0e"):
        numbers = [piece[:2] for piece in template.split(token)]
        if len(set(numbers)) < len(numbers):
            most = max(most, *Counter(numbers).values())
    return most


_U32: Final = struct.Struct("<I").unpack_from
_HEADER: Final = b"\x0f\x01\x01\x00"
_FRAGMENT: Final = 0x0F
_TEMPLATE: Final = 0x0C
_START: Final = struct.Struct(
    "<B5xII"
).unpack_from  # token, offset of the template, number of values (unless it is new)
_BINXML: Final = 0x21  # "!"
_NONE: Final = -1
_MANY: Final = -2
_PLAIN: Final = bytes(kind for kind in range(0x80) if kind != _BINXML)
_SHORTEST: Final = 14 + 8  # bytes of a template instance; what is left may be an end token and padding
_MOST: Final = 16384  # values: their descriptors would fill the chunk
_DEEPEST: Final = 32
_FEW: Final = 128
#: of a table of values (size, type, 0) the sizes
_SIZES: Final = [struct.Struct("<" + "H2x" * count).unpack_from for count in range(_FEW + 1)]
_INSTANCE: Final = re.compile(rb"\x0c(?=.{7}\x00\x00)", re.S)  # token, version, id, offset below 65,536
